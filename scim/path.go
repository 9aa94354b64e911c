package scim

import (
	"errors"
	"strings"

	filter "github.com/scim2/filter-parser/v2"
)

// target is what a PATCH path, or a key of a resource, names:
//
//	emails                       attr
//	name.givenName               attr, sub
//	emails[type eq "work"]       attr, where
//	emails[type eq "work"].value attr, where, sub
//	urn:…:enterprise:2.0:User              attr (the whole extension)
//	urn:…:enterprise:2.0:User:department   extension, attr
//	urn:…:User:manager.value               extension, attr, sub
type target struct {
	extension *attribute // nil: an attribute of the schema itself
	attr      *attribute
	where     filter.Expression
	selects   test // of where, on an element
	sub       *attribute
	path      string // as it was sent, for errors
}

// unknownAttribute is the error for a well-formed path that the schema does not know.
type unknownAttribute string

func (e unknownAttribute) Error() string { return "there is no attribute " + quote(string(e)) }

func isUnknown(err error) bool {
	_, unknown := errors.AsType[unknownAttribute](err)
	return unknown
}

// target finds what a path names, in any letter case. The error is unknownAttribute,
// or an invalidPath.
func (rt *resourceType) target(path string) (target, error) {
	if a := rt.attributes.find(path); a != nil { // also a whole extension
		return target{attr: a, path: path}, nil
	}
	parsed, err := parsePath(path)
	if err != nil {
		return target{}, invalidPath("the path %s is malformed, %s", quote(path), err)
	}
	t := target{where: parsed.ValueExpression, path: path}
	siblings := rt.attributes
	name, sub := parsed.AttributePath.AttributeName, parsed.AttributePath.SubAttributeName()
	if uri := parsed.AttributePath.URI(); uri != "" {
		switch extension := rt.attributes.find(uri); {
		case strings.EqualFold(uri, rt.coreURN()):
		case extension != nil && extension.extension:
			t.extension, siblings = extension, extension.subs
		default:
			// "urn:…:User.department", as Entra wrote it before 2019: the name is the
			// end of the URN, the sub-attribute is the attribute.
			extension = rt.attributes.find(uri + ":" + name)
			if extension == nil || !extension.extension || sub == "" {
				return target{}, unknownAttribute(path)
			}
			t.extension, siblings = extension, extension.subs
			name, sub = sub, ""
		}
	}
	if t.attr = siblings.find(name); t.attr == nil {
		return target{}, unknownAttribute(path)
	}
	if parsed.SubAttribute != nil {
		if sub != "" {
			return target{}, invalidPath("the path %s goes deeper than attributes do", quote(path))
		}
		sub = *parsed.SubAttribute
	} else if t.where != nil && sub != "" {
		return target{}, invalidPath("the path %s selects by a filter in a simple attribute", quote(path))
	}
	if t.attr.extension {
		return target{}, invalidPath("the path %s needs a colon between the schema and the attribute", quote(path))
	}
	if t.where != nil {
		if !t.attr.multi || t.attr.kind != complexKind {
			return target{}, invalidPath("%s has one value, so the filter in %s selects nothing", t.attr.name, quote(path))
		}
		if t.selects, err = t.attr.selector(t.where); err != nil {
			return target{}, invalidPath("the filter in the path %s cannot be applied: %s", quote(path), err)
		}
	}
	if sub != "" {
		if t.attr.kind != complexKind {
			return target{}, unknownAttribute(path)
		}
		if t.sub = t.attr.subs.find(sub); t.sub == nil {
			return target{}, unknownAttribute(path)
		}
	}
	return t, nil
}

// is reports whether the target is of the attribute of that name, and not of one that an
// extension calls the same.
func (t target) is(name string) bool { return t.extension == nil && t.attr.name == name }

// hidden reports whether the target, or what it is a part of, is never shown.
func (t target) hidden() bool { return t.attr.hidden() || t.sub != nil && t.sub.hidden() }

// storage says what becomes of the target: what its narrowest part says.
func (t target) storage() storage {
	if t.attr.storage == stored && t.sub != nil {
		return t.sub.storage
	}
	return t.attr.storage
}

// name names the attribute without sub-attribute and filter, however it was spelled.
func (t target) name() string {
	if t.extension != nil {
		return t.extension.name + ":" + t.attr.name
	}
	return t.attr.name
}
