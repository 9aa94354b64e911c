package verifier

import (
	"slices"
	"strconv"
	"strings"

	"github.com/beevik/etree"
)

// begin reads a start tag, binds its prefixes, and adds the element to the one that is open.
func (p *parser) begin() (*etree.Element, *Refusal) {
	p.at++
	name, refusal := p.name()
	if refusal != nil {
		return nil, refusal
	}
	if p.elements++; p.elements > maxElements {
		return nil, refuse(TooLarge, "the message has more than %d elements", maxElements)
	}
	if len(p.open) == maxDepth {
		return nil, refuse(TooLarge, "the message is nested deeper than %d elements", maxDepth)
	}
	if refusal := p.node(); refusal != nil {
		return nil, refusal
	}
	var el *etree.Element
	if len(p.open) > 0 {
		el = p.open[len(p.open)-1].el.CreateElement(name)
		p.open[len(p.open)-1].hasElement = true
	} else {
		el = etree.NewElement(name)
	}
	rebound := len(p.rebound)
	empty, refusal := p.attributes(el)
	if refusal != nil {
		return nil, refusal
	}
	if p.elements*len(p.spaces) > maxBindings {
		return nil, refuse(TooLarge, "the message has %d elements and %d prefixes, too many together", p.elements, len(p.spaces))
	}
	space, ok := p.space(el.Space)
	if !ok {
		return nil, p.malformed("the prefix of %s is not declared", quote(name))
	}
	if refusal := p.distinct(el); refusal != nil {
		return nil, refusal
	}
	p.open = append(p.open, frame{el: el, name: name, space: space, rebound: rebound})
	if refusal := p.guard.element(p.open); refusal != nil {
		return nil, refusal
	}
	if empty {
		return el, p.close()
	}
	return el, nil
}

// attributes reads the attributes of a start tag up to its end, and reports whether the
// element is empty.
func (p *parser) attributes(el *etree.Element) (empty bool, refusal *Refusal) {
	p.scratch = p.scratch[:0]
	defer func() { el.Attr = slices.Clone(p.scratch) }()
	for {
		skipped := p.skipBlank()
		switch rest := p.text[p.at:]; {
		case strings.HasPrefix(rest, ">"):
			p.at++
			return false, nil
		case strings.HasPrefix(rest, "/>"):
			p.at += 2
			return true, nil
		case !skipped:
			return false, p.malformed("the tag of %s is not well-formed", quote(el.FullTag()))
		}
		if len(p.scratch) == maxAttributes {
			return false, refuse(TooLarge, "the element %s has more than %d attributes", quote(el.FullTag()), maxAttributes)
		}
		if p.attrs++; p.attrs > maxAttributed {
			return false, refuse(TooLarge, "the message has more than %d attributes", maxAttributed)
		}
		name, refusal := p.name()
		if refusal != nil {
			return false, refusal
		}
		value, refusal := p.value(name)
		if refusal != nil {
			return false, refusal
		}
		prefix, local := split(name)
		if refusal := p.declare(prefix, local, value); refusal != nil {
			return false, refusal
		}
		p.scratch = append(p.scratch, etree.Attr{Space: prefix, Key: local, Value: value})
	}
}

// declare binds a prefix if the attribute is a declaration of one.
func (p *parser) declare(prefix, local, value string) *Refusal {
	switch {
	case prefix == "" && local == "xmlns":
		local = ""
	case prefix == "xmlns":
		if value == "" || local == "xml" || local == "xmlns" {
			return p.malformed("the prefix %s may not be bound to %s", quote(local), quote(value))
		}
	default:
		return nil
	}
	// A line break in a namespace is a space to us (section 3.3.3), and a line break to
	// encoding/xml: two namespaces to one, and one to the other.
	if strings.ContainsAny(value, " \t\r\n") {
		return p.malformed("the namespace %s has white space in it", quote(value))
	}
	// goxmldsig takes the namespace of xml for "no default namespace": no prefix but xml
	// may ever be bound to it.
	if value == xmlSpace || value == xmlnsSpace {
		return p.malformed("the prefix %s may not be bound to %s", quote(local), quote(value))
	}
	if !p.bind(local, value) {
		return refuse(TooLarge, "the message has more than %d prefixes", maxPrefixes)
	}
	return nil
}

// bind binds a prefix, and remembers what it was bound to before. It reports whether there
// are few enough prefixes.
func (p *parser) bind(prefix, space string) bool {
	i, known := p.prefixes[prefix]
	if !known {
		i = len(p.spaces)
		p.prefixes[prefix] = i
		p.spaces = append(p.spaces, "")
	}
	p.rebound = append(p.rebound, binding{i, p.spaces[i]})
	p.spaces[i] = space
	return len(p.spaces) <= maxPrefixes
}

// space returns the namespace of a prefix, and whether it is declared. The empty prefix
// always is.
func (p *parser) space(prefix string) (string, bool) {
	i, ok := p.prefixes[prefix]
	if !ok {
		return "", prefix == ""
	}
	return p.spaces[i], prefix == "" || p.spaces[i] != ""
}

// distinct refuses an element that has an attribute twice, by its name as written or by the
// namespace of its prefix.
func (p *parser) distinct(el *etree.Element) *Refusal {
	for i := range el.Attr {
		a := &el.Attr[i]
		space := ""
		if a.Space != "" && a.Space != "xmlns" {
			var ok bool
			if space, ok = p.space(a.Space); !ok {
				return p.malformed("the prefix of the attribute %s is not declared", quote(a.FullKey()))
			}
		}
		for j := range i {
			b := &el.Attr[j]
			if a.Key != b.Key {
				continue
			}
			other, _ := p.space(b.Space)
			if a.Space == b.Space || space != "" && b.Space != "" && b.Space != "xmlns" && space == other {
				return p.malformed("the element %s has the attribute %s twice", quote(el.FullTag()), quote(a.FullKey()))
			}
		}
	}
	return nil
}

// name reads a name: ASCII, with at most one colon, which stands inside of it.
func (p *parser) name() (string, *Refusal) {
	start, part, colons := p.at, 0, 0
	for ; p.at < len(p.text); p.at++ {
		c := p.text[p.at]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_'
		if c == ':' && part > 0 && colons == 0 {
			colons, part = 1, 0
			continue
		}
		if !letter && (part == 0 || !(c >= '0' && c <= '9' || c == '-' || c == '.')) {
			break
		}
		part++
	}
	name := p.text[start:p.at]
	switch {
	case part == 0:
		return "", p.malformed("a name is missing, or is not of ASCII letters")
	case p.at < len(p.text) && p.text[p.at] == ':':
		return "", p.malformed("the name %s has a colon too many", quote(name))
	case len(name) > maxName:
		return "", refuse(TooLarge, "the name %s has more than %d bytes", quote(name), maxName)
	}
	return name, nil
}

// value reads "=" and a quoted value.
func (p *parser) value(name string) (string, *Refusal) {
	p.skipBlank()
	if !strings.HasPrefix(p.text[p.at:], "=") {
		return "", p.malformed("the attribute %s has no value", quote(name))
	}
	p.at++
	p.skipBlank()
	if p.at == len(p.text) || p.text[p.at] != '"' && p.text[p.at] != '\'' {
		return "", p.malformed("the value of the attribute %s is not in quotes", quote(name))
	}
	length := strings.IndexByte(p.text[p.at+1:], p.text[p.at])
	if length < 0 {
		return "", p.malformed("the value of the attribute %s does not end", quote(name))
	}
	raw := p.text[p.at+1 : p.at+1+length]
	p.at += length + 2
	if length > maxAttribute {
		return "", refuse(TooLarge, "the value of the attribute %s has %d bytes, and may have %d", quote(name), length, maxAttribute)
	}
	if strings.IndexByte(raw, '<') >= 0 {
		return "", p.malformed("the value of the attribute %s has < in it", quote(name))
	}
	return p.unescape(raw, true)
}

// skipBlank passes white space, and reports whether there was any.
func (p *parser) skipBlank() bool {
	start := p.at
	for p.at < len(p.text) && blank(p.text[p.at:p.at+1]) {
		p.at++
	}
	return p.at > start
}

var entities = map[string]string{"lt": "<", "gt": ">", "amp": "&", "apos": "'", "quot": `"`}

// unescape resolves references and normalises line breaks; in an attribute, each literal
// white space character becomes a space (section 3.3.3).
func (p *parser) unescape(raw string, attribute bool) (string, *Refusal) {
	if !strings.ContainsAny(raw, "&\r") && !(attribute && strings.ContainsAny(raw, "\t\n")) {
		return raw, nil
	}
	var b strings.Builder
	b.Grow(len(raw))
	raw = lines(raw)
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case attribute && (c == '\n' || c == '\t'):
			b.WriteByte(' ')
		case c != '&':
			b.WriteByte(c)
		default:
			length := strings.IndexByte(raw[i:min(len(raw), i+12)], ';')
			if length < 0 {
				return "", p.malformed("the message has & that begins no reference")
			}
			resolved, ok := reference(raw[i+1 : i+length])
			if !ok {
				return "", p.malformed("the message has the unknown reference %s", quote(raw[i:i+length+1]))
			}
			b.WriteString(resolved)
			i += length
		}
	}
	return b.String(), nil
}

// reference resolves what stands between & and ;.
func reference(name string) (string, bool) {
	digits, numeric := strings.CutPrefix(name, "#")
	if !numeric {
		text, ok := entities[name]
		return text, ok
	}
	base := 10
	if hex, ok := strings.CutPrefix(digits, "x"); ok {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	legal := n == '\t' || n == '\n' || n == '\r' || n >= 0x20 && n <= 0xD7FF || n >= 0xE000 && n <= 0xFFFD || n >= 0x10000 && n <= 0x10FFFF
	if err != nil || !legal {
		return "", false
	}
	return string(rune(n)), true
}

// split takes a name apart at its colon.
func split(name string) (prefix, local string) {
	if i := strings.IndexByte(name, ':'); i >= 0 {
		return name[:i], name[i+1:]
	}
	return "", name
}
