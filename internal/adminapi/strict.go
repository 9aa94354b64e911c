package adminapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

// strictJSON refuses what encoding/json would let pass: bytes that are no UTF-8 (it
// replaces them), keys that are repeated (the last wins), fields that nobody knows.
var strictJSON = huma.Format{
	Marshal: huma.DefaultJSONFormat.Marshal,
	Unmarshal: func(data []byte, v any) error {
		if _, generic := v.(*any); generic {
			// huma comes here first, to compare with the schema, and then once more for
			// the struct: checking once is enough.
			if err := checkJSON(data); err != nil {
				return err
			}
			return located(data, json.Unmarshal(data, v))
		}
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.DisallowUnknownFields()
		return located(data, decoder.Decode(v))
	},
}

func checkJSON(data []byte) error {
	if !utf8.Valid(data) {
		return errors.New("the body is not valid UTF-8")
	}
	var open []*object // the objects and, as nil, the arrays around the current token
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	for {
		token, err := decoder.Token()
		if err != nil {
			if err == io.EOF {
				return nil // too early an end is left to Unmarshal, which tells it better
			}
			return located(data, err)
		}
		var in *object
		if len(open) > 0 {
			in = open[len(open)-1]
		}
		if key, ok := token.(string); ok && in != nil && in.wantsKey {
			if !in.add(key) {
				return at(data, decoder.InputOffset(), fmt.Errorf("key %s is repeated", quote(key)))
			}
			in.wantsKey = false
			continue
		}
		switch token {
		case json.Delim('{'):
			if in != nil {
				in.wantsKey = true
			}
			open = append(open, &object{keys: map[string]bool{}, wantsKey: true})
		case json.Delim('['):
			if in != nil {
				in.wantsKey = true
			}
			open = append(open, nil)
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		default:
			if in != nil {
				in.wantsKey = true
			}
		}
		if len(open) > maxDepth {
			return at(data, decoder.InputOffset(), fmt.Errorf("nested deeper than %d", maxDepth))
		}
	}
}

// maxDepth is far more than any document of ours has.
const maxDepth = 100

type object struct {
	keys     map[string]bool
	wantsKey bool // a string is a key now, not a value
}

// add notes a key; false when it is there already. Fields match without regard to case,
// so such keys are the same.
func (o *object) add(key string) bool {
	key = strings.ToLower(strings.ToUpper(key))
	known := o.keys[key]
	o.keys[key] = true
	return !known
}

// located adds the place to an error of encoding/json.
func located(data []byte, err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return at(data, syntax.Offset, errors.New(syntax.Error()))
	}
	return err
}

func at(data []byte, offset int64, err error) error {
	before := data[:min(max(int(offset), 0), len(data))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := len(before) - (bytes.LastIndexByte(before, '\n') + 1)
	return fmt.Errorf("line %d, column %d: %w", line, max(column, 1), err)
}
