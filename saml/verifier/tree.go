package verifier

import (
	"strings"
	"time"

	"github.com/beevik/etree"
)

// is reports whether an element has a name.
func is(el *etree.Element, n name) bool {
	return el.Tag == n.tag && el.NamespaceURI() == n.space
}

// children returns the children that have a name.
func children(el *etree.Element, space, tag string) []*etree.Element {
	var found []*etree.Element
	for _, token := range el.Child {
		if child, ok := token.(*etree.Element); ok && is(child, name{space, tag}) {
			found = append(found, child)
		}
	}
	return found
}

// only returns the child that has a name, or nil if there is none or more than one.
func only(el *etree.Element, space, tag string) *etree.Element {
	if found := children(el, space, tag); len(found) == 1 {
		return found[0]
	}
	return nil
}

// value returns the text of an element, exact, and whether it has nothing but text.
func value(el *etree.Element) (string, bool) {
	switch len(el.Child) {
	case 0:
		return "", true
	case 1:
		data, ok := el.Child[0].(*etree.CharData)
		if !ok {
			return "", false
		}
		return data.Data, true
	}
	var b strings.Builder
	for _, token := range el.Child {
		data, ok := token.(*etree.CharData)
		if !ok {
			return "", false
		}
		b.WriteString(data.Data)
	}
	return b.String(), true
}

// attribute returns the value of an attribute without prefix, and whether it is there.
// (SelectAttr of etree also finds those with a prefix.)
func attribute(el *etree.Element, key string) (string, bool) {
	for i := range el.Attr {
		if el.Attr[i].Space == "" && el.Attr[i].Key == key {
			return el.Attr[i].Value, true
		}
	}
	return "", false
}

// text is attribute for those where absent and empty are the same.
func text(el *etree.Element, key string) string {
	v, _ := attribute(el, key)
	return v
}

// instant returns the time of an attribute, and whether it is there: xs:dateTime, which
// SAML has in UTC (core, section 1.3.3). Without a zone it is UTC.
func instant(el *etree.Element, key string) (time.Time, bool, *Refusal) {
	v, ok := attribute(el, key)
	if !ok {
		return time.Time{}, false, nil
	}
	for _, layout := range [...]string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		// time.Parse takes a comma for the point.
		if t, err := time.Parse(layout, v); err == nil && !strings.Contains(v, ",") {
			return t.UTC(), true, nil
		}
	}
	return time.Time{}, false, refuse(Malformed, "the %s of %s is not a time: %s", key, el.Tag, quote(v))
}

// scope returns the namespaces that are bound at an element, by prefix.
func scope(el *etree.Element) map[string]string {
	bound := map[string]string{}
	for ; el != nil; el = el.Parent() {
		for i := range el.Attr {
			prefix, space := "", el.Attr[i].Value
			switch attribute := &el.Attr[i]; {
			case attribute.Space == "xmlns":
				prefix = attribute.Key
			case attribute.Space != "" || attribute.Key != "xmlns":
				continue
			}
			if _, nearer := bound[prefix]; !nearer {
				bound[prefix] = space
			}
		}
	}
	return bound
}

// bound returns the namespace that a prefix is bound to at an element; "" when it is to none.
func bound(el *etree.Element, prefix string) string {
	for ; el != nil; el = el.Parent() {
		for i := range el.Attr {
			if attribute := &el.Attr[i]; attribute.Space == "xmlns" && attribute.Key == prefix {
				return attribute.Value
			}
		}
	}
	return ""
}

// inherit declares the given prefixes on an element where it does not itself, so that it
// keeps its meaning when it is taken out of where it stood. Exclusive canonicalization
// leaves those out again that are not used.
func inherit(el *etree.Element, bound map[string]string) {
	own := scope(&etree.Element{Attr: el.Attr})
	for prefix, space := range bound {
		if _, declared := own[prefix]; declared {
			continue
		}
		if prefix == "" {
			if space != "" {
				el.Attr = append(el.Attr, etree.Attr{Key: "xmlns", Value: space})
			}
			continue
		}
		el.Attr = append(el.Attr, etree.Attr{Space: "xmlns", Key: prefix, Value: space})
	}
}
