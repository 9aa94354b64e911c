package samltest

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Canonical returns the canonical form of an element in a document: exclusive (Exclusive
// XML Canonicalization 1.0, W3C 2002) or inclusive (Canonical XML 1.0, W3C 2001), by the
// algorithm's name. The prefixes are those of InclusiveNamespaces, "#default" for the
// default namespace. What differs between Canonical XML 1.0 and 1.1, attributes of the
// namespace xml that stand above the element, is not covered.
func Canonical(root, element *Element, algorithm string, prefixes ...string) string {
	c := canonicaliser{
		inclusive: !strings.HasPrefix(algorithm, Exclusive),
		comments:  strings.HasSuffix(algorithm, "#WithComments"),
		prefixes:  map[string]bool{},
	}
	for _, p := range prefixes {
		if p == "#default" {
			p = ""
		}
		c.prefixes[p] = true
	}
	scope := map[string]string{}
	above := ancestry(root, element)
	for _, e := range above[:max(len(above)-1, 0)] {
		scope = declared(scope, e)
	}
	c.element(element, scope, map[string]string{})
	return c.b.String()
}

type canonicaliser struct {
	b         strings.Builder
	inclusive bool
	comments  bool
	prefixes  map[string]bool
}

// declared returns the namespaces in scope within an element, by prefix.
func declared(scope map[string]string, e *Element) map[string]string {
	var own map[string]string
	for _, a := range e.Attributes {
		if prefix, ok := declares(a.Name); ok {
			if own == nil {
				own = maps.Clone(scope)
			}
			own[prefix] = a.Value
		}
	}
	if own == nil {
		return scope
	}
	return own
}

// declares returns the prefix that an attribute of that name declares.
func declares(name string) (prefix string, ok bool) {
	if name == "xmlns" {
		return "", true
	}
	return strings.CutPrefix(name, "xmlns:")
}

// element writes an element. The namespaces in rendered are those that an element above
// it, in the output, has declared.
func (c *canonicaliser) element(e *Element, scope, rendered map[string]string) {
	scope = declared(scope, e)
	var attributes []Attribute
	used := map[string]bool{}
	prefix, _ := split(e.Name)
	used[prefix] = true
	for _, a := range e.Attributes {
		if _, ok := declares(a.Name); ok {
			continue
		}
		attributes = append(attributes, a)
		if prefix, _ := split(a.Name); prefix != "" {
			used[prefix] = true
		}
	}
	for prefix := range scope {
		if c.inclusive || c.prefixes[prefix] {
			used[prefix] = true
		}
	}

	c.b.WriteString("<" + e.Name)
	own := maps.Clone(rendered)
	for _, prefix := range slices.Sorted(maps.Keys(used)) {
		uri := scope[prefix]
		if prefix == "xml" || rendered[prefix] == uri {
			continue
		}
		own[prefix] = uri
		name := "xmlns"
		if prefix != "" {
			name += ":" + prefix
		}
		c.attribute(name, uri)
	}
	slices.SortStableFunc(attributes, func(a, b Attribute) int {
		pa, la := split(a.Name)
		pb, lb := split(b.Name)
		return cmp.Or(cmp.Compare(attributeNS(scope, pa), attributeNS(scope, pb)), cmp.Compare(la, lb))
	})
	for _, a := range attributes {
		c.attribute(a.Name, a.Value)
	}
	c.b.WriteByte('>')
	for _, child := range e.Children {
		switch n := child.(type) {
		case *Element:
			c.element(n, scope, own)
		case Written:
			escapeText(&c.b, n.Value)
		case Instruction:
			target, data, _ := strings.Cut(string(n), " ")
			Instruction(strings.TrimRight(target+" "+strings.TrimLeft(data, " \t\r\n"), " ")).write(&c.b)
		case Comment:
			if c.comments {
				n.write(&c.b)
			}
		default:
			n.write(&c.b)
		}
	}
	c.b.WriteString("</" + e.Name + ">")
}

// attributeNS returns the namespace of an attribute: without a prefix it has none.
func attributeNS(scope map[string]string, prefix string) string {
	switch prefix {
	case "":
		return ""
	case "xml":
		return xmlNS
	default:
		return scope[prefix]
	}
}

func (c *canonicaliser) attribute(name, value string) {
	c.b.WriteString(" " + name + `="`)
	escapeAttribute(&c.b, value)
	c.b.WriteByte('"')
}

var (
	textEscapes      = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#xD;")
	attributeEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", `"`, "&quot;", "\t", "&#x9;", "\n", "&#xA;", "\r", "&#xD;")
)

func escapeText(b *strings.Builder, s string)      { _, _ = textEscapes.WriteString(b, s) }
func escapeAttribute(b *strings.Builder, s string) { _, _ = attributeEscapes.WriteString(b, s) }
