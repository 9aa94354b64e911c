package scim

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds how deep arrays and objects may nest in a body.
const maxDepth = 64

// kind is the kind of a JSON value; the zero kind is that of a value that is not there.
type kind uint8

const (
	absent kind = iota
	null
	boolean
	number
	text
	array
	object
)

var kindNames = [...]string{"nothing", "null", "a boolean", "a number", "a string", "an array", "an object"}

func (k kind) String() string { return kindNames[k] }

// value is a JSON value as a client sent it. It is read only: several values may
// share the memory of their strings and items.
type value struct {
	kind  kind
	text  string   // of a string: decoded; of a number or a boolean: as it was written
	items []member // the elements of an array, the members of an object
}

// member is one member of an object, or, without a name, an element of an array.
type member struct {
	name  string
	value value
}

// get returns the member of an object whose name differs at most in letter case
// (RFC 7643 §2.1: attribute names are case insensitive).
func (v value) get(name string) value {
	for i := range v.items {
		if strings.EqualFold(v.items[i].name, name) {
			return v.items[i].value
		}
	}
	return value{}
}

// parser reads one JSON text. Containers are collected on a stack and copied to
// slices of the exact size, cut from a few large ones: a group of 10,000 members
// costs a few dozen allocations.
type parser struct {
	s     string
	at    int
	depth int
	stack []member
	slab  []member
}

// parseJSON reads exactly one JSON value, RFC 8259. Refused, beyond what is not JSON:
// nesting deeper than maxDepth, two members of an object whose names are equal but
// for case, anything after the value, text that is not UTF-8, half of a surrogate
// pair, which would be stored as U+FFFD and so make different names equal, and
// U+0000, which PostgreSQL cannot store. A byte order mark in front is skipped.
func parseJSON(s string) (value, error) {
	if !utf8.ValidString(s) {
		return value{}, invalidSyntax("the body is not valid UTF-8")
	}
	p := &parser{s: strings.TrimPrefix(s, "\ufeff")}
	v, err := p.value()
	if err != nil {
		return value{}, err
	}
	if p.space(); p.at < len(p.s) {
		return value{}, p.errorf("there is text after the JSON value")
	}
	return v, nil
}

func (p *parser) errorf(format string, args ...any) error {
	return invalidSyntax("the body is not valid JSON, at byte %d: "+format, append([]any{p.at}, args...)...)
}

func (p *parser) space() {
	for p.at < len(p.s) {
		switch p.s[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

// next skips white space and returns the next byte without taking it; 0 at the end.
func (p *parser) next() byte {
	p.space()
	if p.at == len(p.s) {
		return 0
	}
	return p.s[p.at]
}

func (p *parser) value() (value, error) {
	switch c := p.next(); {
	case c == '{':
		return p.object()
	case c == '[':
		return p.array()
	case c == '"':
		s, next, err := unquote(p.s, p.at)
		if err != nil {
			p.at = next
			return value{}, p.errorf("%s", err)
		}
		p.at = next
		return value{kind: text, text: s}, nil
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	case c == 0 && p.at == len(p.s):
		return value{}, p.errorf("it ends too early")
	}
	for _, literal := range [...]value{{kind: boolean, text: "true"}, {kind: boolean, text: "false"}, {kind: null, text: "null"}} {
		if strings.HasPrefix(p.s[p.at:], literal.text) {
			p.at += len(literal.text)
			return literal, nil
		}
	}
	return value{}, p.errorf("unexpected %s", quote(firstRune(p.s[p.at:])))
}

func firstRune(s string) string {
	_, n := utf8.DecodeRuneInString(s)
	return s[:n]
}

func (p *parser) number() (value, error) {
	n := numberLength(p.s[p.at:])
	if n == 0 {
		return value{}, p.errorf("malformed number")
	}
	v := value{kind: number, text: p.s[p.at : p.at+n]}
	p.at += n
	return v, nil
}

// numberLength returns the length of the JSON number that s begins with; 0 when it
// begins with none.
func numberLength(s string) int {
	digits := func(i int) int {
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		return i
	}
	i := 0
	if strings.HasPrefix(s, "-") {
		i++
	}
	whole := digits(i)
	if whole == i || s[i] == '0' && whole > i+1 {
		return 0
	}
	i = whole
	if i < len(s) && s[i] == '.' {
		fraction := digits(i + 1)
		if fraction == i+1 {
			return 0
		}
		i = fraction
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		start := i + 1
		if start < len(s) && (s[start] == '+' || s[start] == '-') {
			start++
		}
		exponent := digits(start)
		if exponent == start {
			return 0
		}
		i = exponent
	}
	return i
}

func (p *parser) open() error {
	p.at++
	if p.depth++; p.depth > maxDepth {
		return p.errorf("it nests deeper than %d", maxDepth)
	}
	return nil
}

// close cuts the items above start from the stack.
func (p *parser) close(start int) []member {
	p.at++
	p.depth--
	n := len(p.stack) - start
	if n == 0 {
		return nil
	}
	if cap(p.slab)-len(p.slab) < n {
		p.slab = make([]member, 0, max(n, min(16+2*cap(p.slab), 4096)))
	}
	from := len(p.slab)
	p.slab = append(p.slab, p.stack[start:]...)
	p.stack = p.stack[:start]
	return p.slab[from:len(p.slab):len(p.slab)]
}

func (p *parser) array() (value, error) {
	if err := p.open(); err != nil {
		return value{}, err
	}
	start := len(p.stack)
	if p.next() == ']' {
		return value{kind: array, items: p.close(start)}, nil
	}
	for {
		v, err := p.value()
		if err != nil {
			return value{}, err
		}
		p.stack = append(p.stack, member{value: v})
		switch p.next() {
		case ',':
			p.at++
		case ']':
			return value{kind: array, items: p.close(start)}, nil
		default:
			return value{}, p.errorf("expected , or ] in an array")
		}
	}
}

func (p *parser) object() (value, error) {
	if err := p.open(); err != nil {
		return value{}, err
	}
	start := len(p.stack)
	if p.next() == '}' {
		return value{kind: object, items: p.close(start)}, nil
	}
	for {
		if p.next() != '"' {
			return value{}, p.errorf("expected the name of an attribute")
		}
		name, next, err := unquote(p.s, p.at)
		p.at = next
		if err != nil {
			return value{}, p.errorf("%s", err)
		}
		if p.next() != ':' {
			return value{}, p.errorf("expected : after the name %s", quote(name))
		}
		p.at++
		v, err := p.value()
		if err != nil {
			return value{}, err
		}
		p.stack = append(p.stack, member{name, v})
		switch p.next() {
		case ',':
			p.at++
		case '}':
			if twice, ok := duplicate(p.stack[start:]); ok {
				return value{}, p.errorf("the attribute %s appears twice in one object", quote(twice))
			}
			return value{kind: object, items: p.close(start)}, nil
		default:
			return value{}, p.errorf("expected , or } in an object")
		}
	}
}

// duplicate returns a name that two members of an object share but for case.
func duplicate(members []member) (string, bool) {
	if len(members) <= 16 {
		for i := range members {
			for j := range i {
				if len(members[i].name) == len(members[j].name) && strings.EqualFold(members[i].name, members[j].name) {
					return members[i].name, true
				}
			}
		}
		return "", false
	}
	seen := make(map[string]struct{}, len(members))
	for i := range members {
		name := strings.ToLower(members[i].name)
		if _, again := seen[name]; again {
			return members[i].name, true
		}
		seen[name] = struct{}{}
	}
	return "", false
}

// stringError is why a quoted string is not one.
type stringError string

func (e stringError) Error() string { return string(e) }

// unquote reads the JSON string whose opening quotation mark is at s[at]. It returns
// the decoded string and the position behind it, or where it went wrong.
func unquote(s string, at int) (string, int, error) {
	start := at + 1
	for i := start; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return s[start:i], i + 1, nil
		case c == '\\':
			return unquoteSlow(s, start, i)
		case c < ' ':
			return "", i, stringError("a control character in a string must be escaped")
		}
	}
	return "", len(s), stringError("a string has no end")
}

func unquoteSlow(s string, start, i int) (string, int, error) {
	b := make([]byte, 0, i-start+64)
	b = append(b, s[start:i]...)
	for i < len(s) {
		c := s[i]
		switch {
		case c == '"':
			return string(b), i + 1, nil
		case c < ' ':
			return "", i, stringError("a control character in a string must be escaped")
		case c != '\\':
			b = append(b, c)
			i++
			continue
		}
		if i+1 == len(s) {
			break
		}
		if at := strings.IndexByte(`"\/bfnrt`, s[i+1]); at >= 0 {
			b = append(b, "\"\\/\b\f\n\r\t"[at])
			i += 2
			continue
		}
		r, ok := hexRune(s, i)
		if !ok {
			return "", i, stringError("unknown escape in a string")
		}
		i += 6
		if utf16.IsSurrogate(r) {
			low, _ := hexRune(s, i)
			if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
				return "", i - 6, stringError("half of a surrogate pair is no character")
			}
			i += 6
		}
		if r == 0 {
			return "", i, stringError("the character U+0000 cannot be stored")
		}
		b = utf8.AppendRune(b, r)
	}
	return "", len(s), stringError("a string has no end")
}

// hexRune reads the escape \uXXXX at s[i].
func hexRune(s string, i int) (rune, bool) {
	if i+6 > len(s) || s[i] != '\\' || s[i+1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range []byte(s[i+2 : i+6]) {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
