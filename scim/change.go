package scim

import (
	"slices"
	"strings"

	"github.com/rolesync/rolesync/internal/fault"
)

// operation is what a change does with its value.
type operation uint8

const (
	add operation = iota
	replace
	remove
)

var operationNames = [...]string{"add", "replace", "remove"}

func (o operation) String() string { return operationNames[o] }

// maxOperations bounds the operations of one PATCH; a list of members is one.
const maxOperations = 5000

// change is one thing to do to one attribute.
type change struct {
	op    operation
	at    target
	value value
}

// changes is a request body, POST, PUT or PATCH, reduced to what it asks for. It is
// made before the transaction and only read in it, so the transaction may run twice.
type changes struct {
	of      *resourceType
	whole   bool // POST, PUT: what is not stated is not to be
	list    []change
	members memberChange // of a group
	ignored []string     // attributes that the schema does not know, at most maxIgnored
}

// fromResource reads the body of POST or PUT: all that the client states.
func (rt *resourceType) fromResource(body value) (*changes, error) {
	if body.kind != object {
		return nil, invalidSyntax("the body must be an object, not %s", body.kind)
	}
	if rt.strict {
		if err := rt.strictResource(body); err != nil {
			return nil, err
		}
	}
	c := &changes{of: rt, whole: true, list: make([]change, 0, len(body.items))}
	for i := range body.items {
		if err := rt.state(c, add, body.items[i].name, body.items[i].value); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// fromPatch reads the body of PATCH, RFC 7644 §3.5.2, in the dialects of providers:
// op in any letter case, path missing, null or "", an empty list of operations.
func (rt *resourceType) fromPatch(body value) (*changes, error) {
	operations := body.get("Operations")
	if operations.kind != array {
		return nil, invalidSyntax("Operations must be an array, not %s", operations.kind)
	}
	if len(operations.items) > maxOperations {
		return nil, fault.New(fault.TooLarge, "the request has %d operations; at most %d are taken at once", len(operations.items), maxOperations)
	}
	if rt.strict {
		if err := declared(body, patchURN); err != nil {
			return nil, err
		}
		if len(operations.items) == 0 {
			return nil, invalidSyntax("Operations is empty")
		}
	}
	c := &changes{of: rt, list: make([]change, 0, len(operations.items))}
	for i := range operations.items {
		if err := rt.patch(c, operations.items[i].value); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (rt *resourceType) patch(c *changes, operation value) error {
	name := operation.get("op")
	op, ok := parseOperation(name.text)
	if name.kind != text || !ok {
		return invalidSyntax("op must be add, replace or remove, not %s", describe(name))
	}
	v, path := operation.get("value"), operation.get("path")
	if rt.strict {
		if err := rt.strictOperation(op, path.text, v); err != nil {
			return err
		}
	}
	switch path.kind {
	case absent, null:
	case text:
		if path := strings.TrimSpace(path.text); path != "" {
			return rt.patchAt(c, op, path, v)
		}
	default:
		return invalidPath("path must be a string, not %s", path.kind)
	}
	switch {
	case op == remove:
		return noTarget("remove needs a path")
	case v.kind != object:
		return invalidValue("%s without a path needs an object of attributes as its value, not %s", op, describe(v))
	}
	for i := range v.items {
		if err := rt.state(c, op, v.items[i].name, v.items[i].value); err != nil {
			return err
		}
	}
	return nil
}

func parseOperation(s string) (operation, bool) {
	for i, name := range operationNames {
		if strings.EqualFold(s, name) {
			return operation(i), true
		}
	}
	return 0, false
}

// patchAt adds an operation with a path. What the path names must be open to
// clients; what the schema does not know is ignored and listed.
func (rt *resourceType) patchAt(c *changes, op operation, path string, v value) error {
	t, err := rt.target(path)
	if isUnknown(err) {
		c.ignore(path)
		return nil
	}
	if err != nil {
		return err
	}
	if op != remove && v.kind == absent {
		return invalidValue("%s of %s has no value", op, quote(path))
	}
	if t.storage() == readOnly {
		return mutability("%s is read-only", quote(path))
	}
	if op == remove && t.attr.required && t.sub == nil && t.where == nil && (v.kind == absent || v.kind == null) {
		return mutability("%s is required and cannot be removed", t.attr.name)
	}
	if t.attr.extension && v.kind == object && op != remove {
		return rt.stateExtension(c, op, t.attr, v)
	}
	return c.add(op, t, v)
}

// state adds one attribute of a resource or of a value without path. Its name may
// be qualified by a URN, dotted, or a whole path; what is read-only is passed over,
// since Okta repeats the id and authentik the schemas.
func (rt *resourceType) state(c *changes, op operation, name string, v value) error {
	t, err := rt.target(name)
	if err != nil {
		c.ignore(name)
		return nil
	}
	if t.storage() == readOnly {
		return nil
	}
	if t.attr.extension && v.kind == object {
		return rt.stateExtension(c, op, t.attr, v)
	}
	return c.add(op, t, v)
}

// stateExtension flattens {"urn:…": {"department": …}}: the attributes of an
// extension are merged one by one, like those of the schema itself.
func (rt *resourceType) stateExtension(c *changes, op operation, extension *attribute, v value) error {
	for i := range v.items {
		name, v := v.items[i].name, v.items[i].value
		a := extension.subs.find(name)
		if a == nil {
			c.ignore(extension.name + ":" + name)
			continue
		}
		if a.storage == readOnly {
			continue
		}
		if err := c.add(op, target{extension: extension, attr: a, path: a.name}, v); err != nil {
			return err
		}
	}
	return nil
}

// add appends a change to what is stored; members go to their own list.
func (c *changes) add(op operation, t target, v value) error {
	switch t.storage() {
	case members:
		return c.members.change(op, t, v)
	case stored:
		c.list = append(c.list, change{op, t, v})
		c.ignoreWithin(t, v)
	}
	return nil
}

// maxIgnored bounds the list of ignored attributes, which a client decides.
const maxIgnored = 100

// ignore lists an attribute, once.
func (c *changes) ignore(name string) {
	if len(c.ignored) < maxIgnored && !slices.Contains(c.ignored, name) {
		c.ignored = append(c.ignored, strings.Clone(name))
	}
}

// ignoreWithin lists what the objects in v state that a complex attribute has not: the
// managerId of a OneLogin template.
func (c *changes) ignoreWithin(t target, v value) {
	switch {
	case t.attr.kind != complexKind || t.sub != nil:
	case v.kind == array:
		for i := range v.items[:min(len(v.items), maxElements)] {
			c.ignoreWithin(t, v.items[i].value)
		}
	case v.kind == object:
		for i := range v.items {
			if name := v.items[i].name; t.attr.subs.find(name) == nil {
				c.ignore(t.name() + "." + name)
			}
		}
	}
}
