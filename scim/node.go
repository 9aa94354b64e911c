package scim

import "strconv"

// node is the value of one attribute in normal form: the form that is stored. Its
// shape follows from its attribute: a multi-valued one has an element in each part,
// a complex one has a part for each sub-attribute at that sub-attribute's index, and
// a simple one has its text ("true" or "false" for a boolean).
type node struct {
	set   bool
	text  string
	parts []node
}

// empty reports whether a single value of attribute a says nothing.
func (a *attribute) empty(n *node) bool {
	if !n.set || a.kind != complexKind {
		return !n.set
	}
	for i := range n.parts {
		if n.parts[i].set {
			return false
		}
	}
	return true
}

// same reports whether two single values of attribute a are equal.
func (a *attribute) same(x, y *node) bool {
	if x.set != y.set || x.text != y.text || len(x.parts) != len(y.parts) {
		return false
	}
	for i := range x.parts {
		if !a.subs.list[i].same(&x.parts[i], &y.parts[i]) {
			return false
		}
	}
	return true
}

// part returns the text of a sub-attribute; "" when it is not set or not defined.
func (n *node) part(sub *attribute) string {
	if sub == nil || sub.index >= len(n.parts) {
		return ""
	}
	return n.parts[sub.index].text
}

// normal returns all that v states for a, in normal form, for POST, PUT and PATCH
// alike. Names find their attribute in any letter case; values are coerced to the
// type that the schema gives them; null, "" and empty collections mean unset
// (RFC 7643 §2.5); what the schema does not know is left out. where names a in errors.
func (a *attribute) normal(where string, v value) (node, error) {
	if !a.multi {
		return a.single(where, v)
	}
	list, err := a.list(where, v)
	return node{set: len(list) > 0, parts: list}, err
}

// list returns the elements that v states for a multi-valued attribute: those of an
// array, or v itself, since several providers send a single value bare.
func (a *attribute) list(where string, v value) ([]node, error) {
	switch v.kind {
	case absent, null:
		return nil, nil
	case array:
	default:
		v = value{kind: array, items: []member{{value: v}}}
	}
	out := make([]node, 0, len(v.items))
	for i := range v.items {
		n, err := a.single(where, v.items[i].value)
		if err != nil {
			return nil, err
		}
		if !a.empty(&n) {
			out = append(out, n)
		}
	}
	return out, nil
}

// single returns one value of a, unset when v says nothing.
func (a *attribute) single(where string, v value) (node, error) {
	if v.kind == array { // Entra wraps single values (manager, and strings long ago)
		switch len(v.items) {
		case 0:
			return node{}, nil
		case 1:
			v = v.items[0].value
		default:
			return node{}, invalidValue("%s takes one value, not an array of %d", where, len(v.items))
		}
	}
	switch {
	case v.kind == absent || v.kind == null || v.kind == text && v.text == "":
		return node{}, nil
	case a.kind == complexKind:
		return a.complex(where, v)
	case v.kind == object:
		// {"value": x} for a simple attribute, as Entra's older clients have it.
		if inner := v.get("value"); inner.kind != absent && inner.kind != object && inner.kind != array {
			return a.single(where, inner)
		}
		return node{}, invalidValue("%s takes %s, not an object", where, a.kind)
	}
	s, ok := a.kind.coerce(v)
	if !ok {
		return node{}, invalidValue("%s takes %s, not %s", where, a.kind, a.describe(v))
	}
	return node{set: true, text: s}, nil
}

func (a *attribute) complex(where string, v value) (node, error) {
	n := node{set: true, parts: make([]node, len(a.subs.list))}
	if v.kind != object {
		if a.value == nil {
			return node{}, invalidValue("%s takes an object, not %s", where, a.describe(v))
		}
		inner, err := a.value.single(where, v) // "manager": "26118915"
		n.parts[a.value.index] = inner
		return n, err
	}
	for i := range v.items {
		name, v := v.items[i].name, v.items[i].value
		sub := a.subs.find(name)
		if sub == nil || sub.storage != stored {
			continue
		}
		inner, err := sub.normal(where+"."+sub.name, v)
		if err != nil {
			return node{}, err
		}
		n.parts[sub.index] = inner
	}
	if a.empty(&n) {
		return node{}, nil
	}
	return n, nil
}

// describe names a value of a in an error, unless nobody may be shown it: an error is
// recorded.
func (a *attribute) describe(v value) string {
	if a.hidden() {
		return "what was sent"
	}
	return describe(v)
}

// describe names a value in an error.
func describe(v value) string {
	switch v.kind {
	case text:
		return quote(v.text)
	case boolean, number:
		return v.text[:min(len(v.text), 128)]
	case array:
		return "an array of " + strconv.Itoa(len(v.items))
	}
	return v.kind.String()
}

// appendNode appends the value of a in canonical form: attributes in the order of
// the schema, no white space, nothing that is unset. Equal values give equal bytes.
func appendNode(b []byte, a *attribute, n *node) []byte {
	if !a.multi {
		return appendSingle(b, a, n)
	}
	b = append(b, '[')
	for i := range n.parts {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendSingle(b, a, &n.parts[i])
	}
	return append(b, ']')
}

func appendSingle(b []byte, a *attribute, n *node) []byte {
	switch a.kind {
	case complexKind:
	case booleanKind, integerKind, decimalKind:
		return append(b, n.text...)
	default:
		return appendString(b, n.text)
	}
	b = append(b, '{')
	first := true
	for i := range n.parts {
		if !n.parts[i].set {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(appendString(b, a.subs.list[i].name), ':')
		b = appendNode(b, a.subs.list[i], &n.parts[i])
	}
	return append(b, '}')
}
