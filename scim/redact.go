package scim

import (
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	maxRedacted     = 4 << 10 // bytes of a redacted body
	maxRedactedName = 128     // bytes of a name that is shown
	blank           = "…"
)

// redact shows what a body looked like, and no value that it held: the structure, the
// names of attributes, and of an operation what it does and where. A string becomes
// "…", and stays "" when it is empty; numbers and booleans become these words.
//
//	{"Operations":[{"op":"replace","path":"emails[type eq \"…\"].value","value":"…"}]}
//
// The body may be malformed, cut off, or anything at all: then it is shown as far as it
// is JSON, with … for the rest. A name is shown when a colon follows it and it looks
// like the path of an attribute, so that a value is not taken for one. The answer is
// valid UTF-8.
func redact(body string) string {
	r := redactor{p: parser{s: strings.TrimPrefix(body, "\ufeff")}}
	if !r.value(false, "") || r.p.next() != 0 || r.p.at < len(r.p.s) {
		r.out = append(r.out, blank...)
	}
	return string(r.out)
}

// redactor copies a body without its values. Its methods report whether to go on.
type redactor struct {
	p   parser // for its place in the text
	out []byte
}

// value copies a value. It may be that of a member of an operation.
func (r *redactor) value(operation bool, name string) bool {
	if len(r.out) > maxRedacted-4*maxRedactedName { // there is room for one more name and what closes
		return false
	}
	switch c := r.p.next(); {
	case c == '{' || c == '[':
		return r.container(c, strings.EqualFold(name, "Operations"))
	case c == '"':
		s, next, err := unquote(r.p.s, r.p.at)
		if err != nil {
			return false
		}
		r.p.at = next
		r.out = appendString(r.out, redactString(operation, name, s))
		return true
	case c == '-' || c >= '0' && c <= '9':
		if _, err := r.p.number(); err != nil || r.wordGoesOn() {
			return false
		}
		r.out = append(r.out, "number"...)
		return true
	}
	for _, literal := range [...]struct{ text, shown string }{{"true", "boolean"}, {"false", "boolean"}, {"null", "null"}} {
		if strings.HasPrefix(r.p.s[r.p.at:], literal.text) {
			r.p.at += len(literal.text)
			r.out = append(r.out, literal.shown...)
			return !r.wordGoesOn()
		}
	}
	return false
}

// wordGoesOn reports that what follows belongs to no JSON.
func (r *redactor) wordGoesOn() bool { return r.p.at < len(r.p.s) && isWordByte(r.p.s[r.p.at]) }

// container copies an array or an object, which may be the list of operations or, in
// it, an operation.
func (r *redactor) container(first byte, operations bool) bool {
	last := first + 2 // the closing brackets stand two behind the opening ones
	if r.p.open() != nil {
		return false
	}
	r.out = append(r.out, first)
	for more := r.p.next() != last; more; {
		name := ""
		if first == '{' {
			var ok bool
			if name, ok = r.name(); !ok {
				return false
			}
		}
		if first == '[' && operations {
			name = "Operations" // of which this is one
		}
		if !r.value(first == '{' && operations, name) {
			return false
		}
		switch r.p.next() {
		case ',':
			r.p.at++
			r.out = append(r.out, ',')
		case last:
			more = false
		default:
			return false
		}
	}
	r.p.at++
	r.p.depth--
	r.out = append(r.out, last)
	return true
}

// name copies the name of a member with its colon.
func (r *redactor) name() (string, bool) {
	if r.p.next() != '"' {
		return "", false
	}
	name, next, err := unquote(r.p.s, r.p.at)
	if err != nil {
		return "", false
	}
	r.p.at = next
	if r.p.next() != ':' {
		return "", false
	}
	r.p.at++
	r.out = append(appendString(r.out, redactPath(name)), ':')
	return name, true
}

// redactString returns what is shown of a string, which may be that of a member of an
// operation.
func redactString(operation bool, name, s string) string {
	switch {
	case s == "":
		return ""
	case !operation:
	case strings.EqualFold(name, "op"):
		if _, ok := parseOperation(s); ok {
			return s
		}
	case strings.EqualFold(name, "method"): // of a bulk operation
		if slices.Contains([]string{"POST", "PUT", "PATCH", "DELETE"}, s) {
			return s
		}
	case strings.EqualFold(name, "path"):
		return redactPath(s)
	}
	return blank
}

// redactPath shows a path, or the name of an attribute, without the values that its
// filter compares with. What is no path is not shown.
func redactPath(path string) string {
	if len(path) > maxRedactedName {
		return blank
	}
	if _, err := parsePath(path); err != nil {
		return blank
	}
	var b strings.Builder
	for at := 0; at < len(path); {
		switch c := path[at]; {
		case c == '"':
			_, next, err := unquote(path, at)
			if err != nil {
				return blank
			}
			b.WriteString(`"` + blank + `"`)
			at = next
		case isWordByte(c):
			end := at
			for end < len(path) && (isWordByte(path[end]) || path[end] == '+') {
				end++
			}
			if isAlpha(c) || c == '$' || c == '.' { // what begins otherwise is a number
				b.WriteString(path[at:end])
			} else {
				b.WriteString("number")
			}
			at = end
		case c < utf8.RuneSelf:
			b.WriteByte(c)
			at++
		default:
			return blank // no path has such a character outside of its strings
		}
	}
	return b.String()
}
