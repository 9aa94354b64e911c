package scim

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/rolesync/rolesync/internal/fault"
)

// resource is a user or a group in normal form, without what is kept elsewhere: id,
// meta, groups, members, password.
type resource struct {
	of      *resourceType
	nodes   []node       // by index of the attribute
	touched []*attribute // the extensions that something was changed in
}

func (rt *resourceType) empty() *resource {
	return &resource{of: rt, nodes: make([]node, len(rt.attributes.list))}
}

// decode reads a resource as encode wrote it.
func (rt *resourceType) decode(document json.RawMessage) (*resource, error) {
	body, err := parseJSON(string(document))
	if err != nil {
		return nil, fmt.Errorf("decode a stored %s: %v", rt.name, err) // never the client's fault
	}
	r := rt.empty()
	for i := range body.items {
		a := rt.attributes.find(body.items[i].name)
		if a == nil || a.storage != stored {
			continue // schemas, what an older version of ours knew, a schema that is gone
		}
		if a.extension {
			r.nodes[a.index] = r.fitting(a, body.items[i].value)
			continue
		}
		if r.nodes[a.index], err = a.normal(a.name, body.items[i].value); err != nil {
			return nil, fmt.Errorf("decode a stored %s: %v", rt.name, err)
		}
	}
	return r, nil
}

// fitting returns what is stored of an extension as far as it fits the schema, which
// the organization may have changed since.
func (r *resource) fitting(extension *attribute, v value) node {
	n := node{set: true, parts: make([]node, len(extension.subs.list))}
	for i := range v.items {
		a := extension.subs.find(v.items[i].name)
		if a == nil || a.storage != stored {
			continue
		}
		if inner, err := a.normal(a.name, v.items[i].value); err == nil {
			n.parts[a.index] = inner
		}
	}
	if extension.empty(&n) {
		return node{}
	}
	return n
}

// encode writes the resource in canonical form, schemas first; equal resources give
// equal bytes.
func (r *resource) encode() json.RawMessage {
	var extensions []string
	for _, a := range r.of.attributes.list {
		if a.extension && r.nodes[a.index].set {
			extensions = append(extensions, a.name)
		}
	}
	b := append(appendSchemas(make([]byte, 0, 768), r.of.coreURN(), extensions), ']')
	for i := range r.nodes {
		if !r.nodes[i].set {
			continue
		}
		a := r.of.attributes.list[i]
		b = append(appendString(append(b, ','), a.name), ':')
		b = appendNode(b, a, &r.nodes[i])
	}
	return append(b, '}')
}

// appendSchemas appends the beginning of a resource, up to its last schema.
func appendSchemas(b []byte, core string, extensions []string) []byte {
	b = appendString(append(b, `{"schemas":[`...), core)
	for _, urn := range extensions {
		b = appendString(append(b, ','), urn)
	}
	return b
}

// node returns the node of a top-level attribute by its exact name.
func (r *resource) node(name string) *node {
	return &r.nodes[r.of.attributes.find(name).index]
}

// apply carries out the changes in order, then checks the whole. former is the
// resource as it was, nil when there is nothing in it to hold.
func (r *resource) apply(c *changes, former *resource) error {
	for i := range c.list {
		if err := r.change(&c.list[i]); err != nil {
			return err
		}
	}
	if former != nil {
		if err := r.hold(former, c.whole); err != nil {
			return err
		}
	}
	return r.finish()
}

func (r *resource) change(c *change) error {
	t := c.at
	nodes := r.nodes
	if t.extension != nil {
		extension := &r.nodes[t.extension.index]
		if !extension.set {
			*extension = node{set: true, parts: make([]node, len(t.extension.subs.list))}
		}
		nodes = extension.parts
		if !slices.Contains(r.touched, t.extension) {
			r.touched = append(r.touched, t.extension)
		}
		defer func() { extension.set = !t.extension.empty(extension) }()
	}
	n := &nodes[t.attr.index]
	switch {
	case t.attr.multi:
		return r.changeMany(n, c)
	case t.sub != nil:
		return r.changeSub(t.attr, n, c)
	}
	if c.op == remove {
		*n = node{}
		return nil
	}
	v, err := t.attr.single(t.path, c.value)
	if err != nil {
		return err
	}
	if r.of.strict && c.op == replace {
		*n = v // profile §6.6.2: all that is to be
		return nil
	}
	t.attr.assign(n, v, c.value)
	return nil
}

// maxElements bounds a multi-valued attribute: each element is compared with all the
// others, in a transaction that others wait for.
const maxElements = 200

// changeMany changes a multi-valued attribute.
func (r *resource) changeMany(n *node, c *change) error {
	do := r.changeValues
	if c.at.attr.kind == complexKind {
		do = r.changeElements
	}
	stated := c.value.kind == array && len(c.value.items) > maxElements
	if !stated {
		if err := do(n, c); err != nil {
			return err
		}
	}
	if stated || len(n.parts) > maxElements {
		return fault.New(fault.TooLarge, "%s has more than %d elements", c.at.attr.name, maxElements)
	}
	return nil
}

// assign sets a single value, v, which is what stated says. A partial complex value is
// merged into what is there ("replace name" with a familyName keeps the givenName, and
// a givenName of null takes that alone), but for a reference, such as manager, whose
// other sub-attributes belong to the former value.
func (a *attribute) assign(n *node, v node, stated value) {
	if stated.kind == array && len(stated.items) == 1 {
		stated = stated.items[0].value
	}
	if a.kind != complexKind || a.reference || !n.set || stated.kind != object || len(stated.items) == 0 {
		*n = v
		return
	}
	for i := range stated.items {
		sub := a.subs.find(stated.items[i].name)
		switch {
		case sub == nil || sub.storage != stored:
		case v.set:
			n.parts[sub.index] = v.parts[sub.index]
		default:
			n.parts[sub.index] = node{}
		}
	}
	n.set = !a.empty(n)
}

// changeSub changes one sub-attribute of a single complex value.
func (r *resource) changeSub(a *attribute, n *node, c *change) error {
	sub := c.at.sub
	v, err := r.subValue(c)
	if err != nil {
		return err
	}
	if !n.set {
		*n = node{set: true, parts: make([]node, len(a.subs.list))}
	}
	if a.reference && sub == a.value && n.parts[sub.index].text != v.text {
		clear(n.parts) // $ref and displayName were the former manager's
	}
	n.parts[sub.index] = v
	n.set = !a.empty(n)
	return nil
}

// subValue returns the value for the sub-attribute that c names; unset to remove it.
func (r *resource) subValue(c *change) (node, error) {
	if c.op == remove {
		return node{}, nil
	}
	return c.at.sub.normal(c.at.path, c.value)
}

// changeValues changes a multi-valued attribute of simple values.
func (r *resource) changeValues(n *node, c *change) error {
	a := c.at.attr
	list, err := a.list(c.at.path, c.value)
	if err != nil {
		return err
	}
	held := func(list []node, v node) bool {
		return slices.ContainsFunc(list, func(w node) bool { return a.equalSingle(&v, &w) })
	}
	switch {
	case c.op == replace || c.op == remove && len(list) == 0:
		n.parts = nil
	case c.op == remove:
		n.parts = slices.DeleteFunc(n.parts, func(v node) bool { return held(list, v) })
		list = nil
	}
	for _, v := range list {
		if !held(n.parts, v) {
			n.parts = append(n.parts, v)
		}
	}
	n.set = len(n.parts) > 0
	return nil
}
