package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// readFile takes over what the YAML file at path states.
func (l *loader) readFile(path string) {
	content, err := os.ReadFile(path)
	if err != nil {
		cause := err
		if pathError, ok := errors.AsType[*os.PathError](err); ok {
			cause = pathError.Err
		}
		l.report(origin{0, path}, "the file cannot be read: %v", cause)
		return
	}
	l.readContent(path, content)
}

// readContent is readFile behind the file system.
func (l *loader) readContent(path string, content []byte) {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	var document yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return // nothing but comments
	} else if err != nil {
		l.syntax(path, err)
		return
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		l.report(origin{noLine - 1, path}, "holds more than one document")
	}
	l.section(path, "", document.Content[0])
}

var yamlError = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)`)

// syntax reports what the YAML parser could not read.
func (l *loader) syntax(path string, err error) {
	at, text := origin{0, path}, err.Error()
	if match := yamlError.FindStringSubmatch(text); match != nil {
		text = match[2]
		if line, err := strconv.Atoi(match[1]); err == nil {
			at = origin{line, fmt.Sprintf("%s:%d", path, line)}
		}
	}
	if strings.Contains(text, "anchor") {
		// The parser would quote the word, which may be an unquoted password.
		text = "an alias without its anchor; put a value that begins with * or & in quotes"
	}
	l.report(at, "%s", text)
}

// section takes over a mapping whose keys lie under prefix: "" or "redis.".
func (l *loader) section(file, prefix string, node *yaml.Node) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	switch {
	case isNull(node):
		return // a section with all of its keys commented out
	case node.Kind != yaml.MappingNode:
		name := strings.TrimSuffix(prefix, ".")
		l.report(place(file, node, name), "is not a section of the form \"key: value\"")
		return
	}
	seen := make(map[string]int)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			l.report(place(file, key, strings.TrimSuffix(prefix, ".")), "has a key that is not a word")
			continue
		}
		path := prefix + key.Value
		at := place(file, key, prefix+bare(key.Value))
		if first, repeated := seen[key.Value]; repeated {
			l.report(at, "is stated twice, first in line %d", first)
			continue
		}
		seen[key.Value] = key.Line
		if s, ok := l.settingAt(path); ok {
			l.leaf(s, value, at)
		} else if len(l.keys(path+".")) > 0 {
			l.section(file, path+".", value)
		} else {
			l.report(at, "unknown key; there are %s", strings.Join(l.keys(prefix), ", "))
		}
	}
}

// leaf takes over the value of one setting.
func (l *loader) leaf(s setting, node *yaml.Node, at origin) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if isNull(node) {
		return // "key:" without a value
	}
	if !s.list() {
		if text, ok := scalar(node); ok {
			l.set(s, text, at)
		} else {
			l.report(at, "is not a single plain value")
		}
		return
	}
	if node.Kind != yaml.SequenceNode {
		l.report(at, "is not a list, like [one, two]")
		return
	}
	var items []string
	for _, item := range node.Content {
		text, ok := scalar(item)
		if !ok || text == "" {
			l.report(at, "has an item that is not a single plain value")
			return
		}
		items = append(items, text)
	}
	l.set(s, strings.Join(items, ","), at)
}

// scalar returns the text of a value exactly as it stands in the file, so that a
// password of 0123 or a name of "no" stays what it is.
func scalar(node *yaml.Node) (string, bool) {
	if node.Kind != yaml.ScalarNode || node.Style&yaml.TaggedStyle != 0 || isNull(node) {
		return "", false
	}
	return node.Value, true
}

func isNull(node *yaml.Node) bool {
	return node.Kind == yaml.ScalarNode && node.Tag == "!!null" && node.Style&yaml.TaggedStyle == 0
}

func place(file string, node *yaml.Node, path string) origin {
	where := fmt.Sprintf("%s:%d", file, node.Line)
	if path != "" {
		where += ": " + path
	}
	return origin{node.Line, where}
}

var word = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// bare shows a key: as it is when it looks like one.
func bare(key string) string {
	if word.MatchString(key) {
		return key
	}
	return quote(key)
}

func (l *loader) settingAt(path string) (setting, bool) {
	for _, s := range l.settings {
		if s.path == path {
			return s, true
		}
	}
	return setting{}, false
}

// keys lists what may stand directly under prefix, in the order of Config.
func (l *loader) keys(prefix string) []string {
	var keys []string
	for _, s := range l.settings {
		rest, ok := strings.CutPrefix(s.path, prefix)
		if !ok {
			continue
		}
		key, _, _ := strings.Cut(rest, ".")
		if len(keys) == 0 || keys[len(keys)-1] != key {
			keys = append(keys, key)
		}
	}
	return keys
}
