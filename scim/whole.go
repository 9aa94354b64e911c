package scim

import (
	"slices"

	"github.com/rolesync/rolesync/internal/directory"
)

// finish puts right what only the whole shows, and refuses a resource that lacks
// what it must have.
func (r *resource) finish() error {
	for i, a := range r.of.attributes.list {
		if n := &r.nodes[i]; a.multi && a.kind == complexKind && n.set {
			n.parts = slices.DeleteFunc(n.parts, func(e node) bool { return a.hollow(&e) })
			n.set = len(n.parts) > 0
		}
	}
	for _, a := range r.of.attributes.list {
		if a.required && a.storage == stored && directory.Fold(r.nodes[a.index].text) == "" {
			return invalidValue("%s is required", a.name)
		}
	}
	return r.complete()
}

// complete refuses an extension that lacks what its schema requires. One that is not
// there lacks nothing; nor does one that is left as it is: a schema that has become
// stricter must not stop a user from being deactivated.
func (r *resource) complete() error {
	for _, extension := range r.touched {
		if lacking := extension.lacks(&r.nodes[extension.index]); lacking != "" {
			return invalidValue("%s:%s is required", extension.name, lacking)
		}
	}
	return nil
}

// lacks returns what is required within a value of the complex attribute a and is not
// there, dotted; "" when it has all, or is not set itself.
func (a *attribute) lacks(n *node) string {
	if !n.set || a.kind != complexKind {
		return ""
	}
	for i, sub := range a.subs.list {
		part := &n.parts[i]
		if sub.required && sub.storage == stored && !part.set {
			return sub.name
		}
		values := []node{*part}
		if sub.multi {
			values = part.parts
		}
		for j := range values {
			if lacking := sub.lacks(&values[j]); lacking != "" {
				return sub.name + "." + lacking
			}
		}
	}
	return ""
}

// hold keeps what is immutable (RFC 7643 §2.2) as it is in former, where it has a
// value there. Another value is refused; none is, too, but in a whole: a PUT that does
// not mention it, or the complex attribute around it, leaves that as it was.
func (r *resource) hold(former *resource, whole bool) error {
	for i, a := range r.of.attributes.list {
		if err := a.hold(&former.nodes[i], &r.nodes[i], a.name, whole); err != nil {
			return err
		}
	}
	return nil
}

func (a *attribute) hold(was, is *node, path string, whole bool) error {
	switch {
	case !a.fixed || !was.set:
		return nil
	case whole && !is.set && !a.extension, a.immutable && a.equal(was, is):
		*is = *was
		return nil
	case a.immutable:
		return mutability("%s is immutable: it has a value, which is neither changed nor removed", path)
	}
	if !is.set {
		*is = node{parts: make([]node, len(a.subs.list))}
	}
	separator := "."
	if a.extension {
		separator = ":"
	}
	for i, sub := range a.subs.list {
		if err := sub.hold(&was.parts[i], &is.parts[i], path+separator+sub.name, whole); err != nil {
			return err
		}
		is.set = is.set || is.parts[i].set
	}
	if !is.set {
		*is = node{}
	}
	return nil
}

// hollow reports whether an element only says what kind of value it would be, as is
// left when Entra sets emails[type eq "work"].value to "".
func (a *attribute) hollow(e *node) bool {
	for i := range e.parts {
		if sub := a.subs.list[i]; e.parts[i].set && sub != a.typ && sub != a.primary && sub != a.display {
			return false
		}
	}
	return true
}
