package samltest

import (
	"fmt"
	"strconv"
	"strings"
)

// Parse reads one element, and what stands around it of comments, instructions and a
// declaration, which are dropped. It is a small reader for well-formed messages without a
// document type, as the shapes of this package and the requests of a service provider are:
// it keeps how character data and attributes were written.
func Parse(text string) (*Element, error) {
	p := parser{text: strings.TrimPrefix(text, "\ufeff")}
	var root *Element
	for {
		node, err := p.node()
		if err != nil {
			return nil, err
		}
		switch n := node.(type) {
		case nil:
			if root == nil {
				return nil, fmt.Errorf("samltest: no element in %.40q", text)
			}
			return root, nil
		case *Element:
			if root != nil {
				return nil, fmt.Errorf("samltest: a second root element <%s>", n.Name)
			}
			root = n
		case Text:
			if strings.TrimSpace(string(n)) != "" {
				return nil, fmt.Errorf("samltest: text outside of the root element: %.40q", string(n))
			}
		}
	}
}

// parse is Parse of text that is known to be well formed.
func parse(text string) *Element {
	e, err := Parse(text)
	if err != nil {
		panic(err)
	}
	return e
}

type parser struct {
	text string
	at   int
}

// end is the end of an element, as node meets it.
type end string

func (end) write(*strings.Builder) {}

// node reads what stands next, nil at the end of the text.
func (p *parser) node() (Node, error) {
	rest := p.text[p.at:]
	switch {
	case rest == "":
		return nil, nil
	case strings.HasPrefix(rest, "<!--"):
		inner, err := p.until("<!--", "-->")
		return Comment(inner), err
	case strings.HasPrefix(rest, "<![CDATA["):
		inner, err := p.until("<![CDATA[", "]]>")
		return Written{Text: "<![CDATA[" + inner + "]]>", Value: newLines(inner)}, err
	case strings.HasPrefix(rest, "<?"):
		inner, err := p.until("<?", "?>")
		return Instruction(inner), err
	case strings.HasPrefix(rest, "<!"):
		return nil, fmt.Errorf("samltest: a document type is not read: %.40q", rest)
	case strings.HasPrefix(rest, "</"):
		inner, err := p.until("</", ">")
		return end(strings.TrimRight(inner, " \t\r\n")), err
	case rest[0] == '<':
		return p.element()
	}
	n := strings.IndexByte(rest, '<')
	if n < 0 {
		n = len(rest)
	}
	p.at += n
	value, err := dereference(newLines(rest[:n]))
	if err != nil || value == rest[:n] && !strings.Contains(value, ">") {
		return Text(value), err
	}
	return Written{Text: rest[:n], Value: value}, nil
}

func (p *parser) until(start, stop string) (string, error) {
	inner, _, ok := strings.Cut(p.text[p.at+len(start):], stop)
	if !ok {
		return "", fmt.Errorf("samltest: %s without %s", start, stop)
	}
	p.at += len(start) + len(inner) + len(stop)
	return inner, nil
}

func (p *parser) element() (Node, error) {
	p.at++
	e := &Element{Name: p.name()}
	if e.Name == "" {
		return nil, fmt.Errorf("samltest: an element without a name at %d", p.at)
	}
	for {
		p.space()
		switch rest := p.text[p.at:]; {
		case strings.HasPrefix(rest, "/>"):
			p.at += 2
			e.Closed = true
			return e, nil
		case strings.HasPrefix(rest, ">"):
			p.at++
			return e, p.children(e)
		}
		a, err := p.attribute()
		if err != nil {
			return nil, fmt.Errorf("%w in <%s>", err, e.Name)
		}
		e.Attributes = append(e.Attributes, a)
	}
}

func (p *parser) children(e *Element) error {
	for {
		node, err := p.node()
		if err != nil {
			return err
		}
		switch n := node.(type) {
		case nil:
			return fmt.Errorf("samltest: <%s> has no end", e.Name)
		case end:
			if string(n) != e.Name {
				return fmt.Errorf("samltest: <%s> ends with </%s>", e.Name, string(n))
			}
			return nil
		default:
			e.Children = append(e.Children, node)
		}
	}
}

func (p *parser) attribute() (Attribute, error) {
	name := p.name()
	p.space()
	if name == "" || !strings.HasPrefix(p.text[p.at:], "=") {
		return Attribute{}, fmt.Errorf("samltest: no attribute at %.40q", p.text[p.at:])
	}
	p.at++
	p.space()
	rest := p.text[p.at:]
	if rest == "" || rest[0] != '"' && rest[0] != '\'' {
		return Attribute{}, fmt.Errorf("samltest: attribute %s has no quotes", name)
	}
	n := strings.IndexByte(rest[1:], rest[0])
	if n < 0 {
		return Attribute{}, fmt.Errorf("samltest: attribute %s has no end", name)
	}
	written := rest[:n+2]
	p.at += len(written)
	// Attribute-value normalisation (XML 1.0 section 3.3.3).
	value, err := dereference(strings.NewReplacer("\t", " ", "\n", " ").Replace(newLines(rest[1 : n+1])))
	return Attribute{Name: name, Value: value, Written: written}, err
}

func (p *parser) name() string {
	start := p.at
	for p.at < len(p.text) && !strings.ContainsRune(" \t\r\n/>=<\"'", rune(p.text[p.at])) {
		p.at++
	}
	return p.text[start:p.at]
}

func (p *parser) space() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

// newLines is the end-of-line handling of XML 1.0 section 2.11.
func newLines(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}

// dereference replaces character references and the five entities that XML has.
func dereference(s string) (string, error) {
	if !strings.Contains(s, "&") {
		return s, nil
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "&")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		name, rest, found := strings.Cut(rest, ";")
		if !found {
			return "", fmt.Errorf("samltest: & without ; before %.20q", name)
		}
		s = rest
		if entity, ok := map[string]string{"amp": "&", "lt": "<", "gt": ">", "quot": `"`, "apos": "'"}[name]; ok {
			b.WriteString(entity)
			continue
		}
		digits, base := strings.TrimPrefix(name, "#"), 10
		if hex, ok := strings.CutPrefix(digits, "x"); ok {
			digits, base = hex, 16
		}
		code, err := strconv.ParseUint(digits, base, 21)
		if err != nil || !strings.HasPrefix(name, "#") {
			return "", fmt.Errorf("samltest: unknown entity &%s;", name)
		}
		b.WriteRune(rune(code))
	}
}
