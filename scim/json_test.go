package scim

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseJSON(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"an object keeps its order", ` {"b" : 1 , "a":[ true,false,null ]} `, `{"b":1,"a":[true,false,null]}`},
		{"numbers stay as they were written", `[-0,1.50,2e+3,1E-2,123456789012345678901234567890]`, `[-0,1.50,2e+3,1E-2,123456789012345678901234567890]`},
		{"escapes are decoded", `"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"`, "\"\\\"\\\\/\\u0008\\u000c\\n\\r\\té😀\""},
		{"the replacement character is one like any other", `"\ufffdx"`, "\"\ufffdx\""},
		{"line separators are escaped", "\"\u2028\"", `"\u2028"`},
		{"empty containers", `[{},[],""]`, `[{},[],""]`},
		{"a byte order mark in front", "\ufeff{}", `{}`},
		{"depth 64", strings.Repeat("[", 64) + strings.Repeat("]", 64), strings.Repeat("[", 64) + strings.Repeat("]", 64)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, err := parseJSON(tt.in)
			if err != nil {
				t.Fatalf("parseJSON(%s) = %v", tt.in, err)
			}
			if got := string(appendValue(nil, v)); got != tt.want {
				t.Errorf("parseJSON(%s) = %s, want %s", tt.in, got, tt.want)
			}
		})
	}
}

func TestParseJSONRefuses(t *testing.T) {
	tests := []struct{ name, in, detail string }{
		{"nothing", ``, "ends too early"},
		{"an end in the middle", `{"schemas":[`, "ends too early"},
		{"text after the value", `{} {}`, "text after the JSON value"},
		{"a key twice", `{"userName":"a","userName":"b"}`, `"userName" appears twice`},
		{"a key twice in another case", `{"userName":"a","USERNAME":"b"}`, "appears twice"},
		{"a key twice among many", `{` + manyKeys(40) + `"K7":1}`, "appears twice"},
		{"depth 65", strings.Repeat("[", 65) + strings.Repeat("]", 65), "deeper than 64"},
		{"a million brackets", strings.Repeat("[", 1_000_000), "deeper than 64"},
		{"U+0000", `"a\u0000b"`, "U+0000"},
		{"the low half of a surrogate pair", `{"externalId":"\udc00"}`, "at byte 15: half of a surrogate pair"},
		{"the high half before a letter", `"\ud83dx"`, "half of a surrogate pair"},
		{"the high half before an escape", `"\ud83d\u0041"`, "half of a surrogate pair"},
		{"the high half at the end", `"\ud83d"`, "half of a surrogate pair"},
		{"the halves in the wrong order", `"\udc00\ud83d"`, "half of a surrogate pair"},
		{"what is not UTF-8", "\"\xff\"", "UTF-8"},
		{"a raw line feed in a string", "\"a\nb\"", "control character"},
		{"a raw line feed after an escape", "\"\\t\nb\"", "control character"},
		{"an unknown escape", `"\x"`, "unknown escape"},
		{"a short escape", `"\u12"`, "unknown escape"},
		{"a string without end", `"abc`, "no end"},
		{"a string that ends in a backslash", `"abc\`, "no end"},
		{"a leading zero", `[01]`, "malformed number"},
		{"a bare minus", `-`, "malformed number"},
		{"a number without fraction", `1.`, "malformed number"},
		{"a number without exponent", `1e+`, "malformed number"},
		{"NaN", `NaN`, `unexpected "N"`},
		{"single quotes", `{'a':1}`, "expected the name"},
		{"a trailing comma", `{"a":1,}`, "expected the name"},
		{"a trailing comma in an array", `[1,]`, `unexpected "]"`},
		{"a missing colon", `{"a" 1}`, "expected :"},
		{"a missing comma", `[1 2]`, "expected , or ]"},
		{"a missing comma between members", `{"a":1 "b":2}`, "expected , or }"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseJSON(tt.in)
			if err == nil {
				t.Fatalf("parseJSON(%.60s) accepted it", tt.in)
			}
			e := problem(err)
			if e.Status != 400 || e.ScimType != "invalidSyntax" || !strings.Contains(e.Detail, tt.detail) {
				t.Errorf("parseJSON(%.60s) = %v, want invalidSyntax with %q", tt.in, err, tt.detail)
			}
		})
	}
}

// manyKeys returns the members k0 to kn of an object.
func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"k%d":1,`, i)
	}
	return b.String()
}

// FuzzParseJSON holds the parser against encoding/json: whatever we accept it
// accepts, with the same meaning, and what we write it reads back.
func FuzzParseJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,-2.5e3,"x\u00e9\n",true,null,{}]}`, `"\ud83d\ude00"`, `[`, `{"a":1,"A":2}`, `"\u0000"`, "\ufeff1", `1e5`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := parseJSON(s)
		if err != nil {
			return
		}
		var want, got any
		if err := json.Unmarshal([]byte(strings.TrimPrefix(s, "\ufeff")), &want); err != nil {
			if strings.Contains(err.Error(), "cannot unmarshal number") {
				return // out of float64's range, which we do not need
			}
			t.Fatalf("parseJSON accepts %q, encoding/json says %v", s, err)
		}
		out := appendValue(nil, v)
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatalf("%q was written as %q: %v", s, out, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", s, diff)
		}
	})
}
