package scim

import (
	"mime"
	"net/http"
	"slices"
	"strings"

	elimity "github.com/elimity-com/scim/errors"
)

// A strict connection is served as the IETF's interoperability profile has it
// (draft-zollner-scim-interop-profile-02), and ServiceProviderConfig says so. Identity
// providers that this package understands in their own dialects do not follow it yet, so
// no connection is strict unless its administrator says so. Beyond the profile, a strict
// connection takes values in the types that the schema gives them, and RFC 7644 where
// this package is lenient: a request that leaves the schemas out, an empty list of
// operations, a value path that selects nothing.

// patchURN is the schema of the body of a PATCH, RFC 7644 §3.5.2.
const patchURN = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

// strictly returns the type as strict connections see it.
func (rt *resourceType) strictly() *resourceType {
	strict := *rt
	strict.strict = true
	return &strict
}

// declared refuses a body whose schemas do not have the URN.
func declared(body value, urn string) error {
	schemas := body.get("schemas")
	if schemas.kind != array || !slices.ContainsFunc(schemas.items, func(m member) bool { return strings.EqualFold(m.value.text, urn) }) {
		return invalidSyntax("schemas must have %s", quote(urn))
	}
	return nil
}

// strictMessage checks the body of a message, such as a search, of a strict connection.
func (c *call) strictMessage(body value, urn string) error {
	if !c.connection.Strict {
		return nil
	}
	return declared(body, urn)
}

// strictContent refuses a strict connection's body in another type than SCIM's
// (profile §6.2) or, since RFC 7644 §3.8 has it accepted, JSON's.
func (c *call) strictContent() error {
	if !c.connection.Strict {
		return nil
	}
	kind := c.Header.Get("Content-Type")
	if media, _, err := mime.ParseMediaType(kind); err == nil && (media == contentType || media == "application/json") {
		return nil
	}
	return elimity.ScimError{Status: http.StatusUnsupportedMediaType, Detail: "Content-Type must be " + contentType + ", not " + quote(kind)}
}

// strictResource checks the body of POST or PUT: it states what the schemas define, where
// they define it (profile §5.3).
func (rt *resourceType) strictResource(body value) error {
	if err := declared(body, rt.coreURN()); err != nil {
		return err
	}
	for _, m := range body.get("schemas").items {
		if urn := m.value.text; !strings.EqualFold(urn, rt.coreURN()) && !rt.isExtension(urn) {
			return invalidSyntax("schemas names %s, which %s do not have", quote(urn), rt.endpoint[1:])
		}
	}
	for i := range body.items {
		name, v := body.items[i].name, body.items[i].value
		a := rt.attributes.find(name)
		if a == nil {
			return undefined(name)
		}
		if err := a.strictValue(name, v); err != nil {
			return err
		}
	}
	return nil
}

func (rt *resourceType) isExtension(urn string) bool {
	a := rt.attributes.find(urn)
	return a != nil && a.extension
}

// undefined is the error for what no schema defines: profile §5.3 gives it this type.
func undefined(name string) error {
	return invalidSyntax("no schema defines the attribute %s", quote(name))
}

// strictOperation checks an operation of PATCH (profile §6.6.1 and §6.6.2): it has a
// path; that names an attribute, or a sub-attribute of an element, and no more than that
// unless it removes the element, for which there is no other way.
func (rt *resourceType) strictOperation(op operation, path string, v value) error {
	if path == "" {
		return invalidSyntax("%s needs a path", op)
	}
	t, err := rt.target(path)
	switch {
	case err != nil && isUnknown(err):
		return undefined(path)
	case err != nil:
		return err
	case t.where != nil && t.sub == nil && op != remove:
		return invalidPath("the path %s selects an element and names no sub-attribute of it", quote(path))
	case op == remove && v.kind == absent:
		return nil
	}
	return t.strictValue(v)
}

func (t target) strictValue(v value) error {
	if t.sub != nil {
		return t.sub.strictValue(t.path, v)
	}
	return t.attr.strictValue(t.path, v)
}

// strictValue checks that a value has the type that the schema gives it, and no
// attribute that is not defined. Null is unset, whatever the type (RFC 7643 §2.5); what
// is ours to say is passed over, as RFC 7644 §3.3 has it.
func (a *attribute) strictValue(where string, v value) error {
	switch {
	case v.kind == null, a.storage == readOnly, a.storage == derived:
		return nil
	case !a.multi:
		return a.strictSingle(where, v)
	case v.kind != array:
		return invalidValue("%s takes an array, not %s", where, a.describe(v))
	}
	for i := range v.items {
		if err := a.strictSingle(where, v.items[i].value); err != nil {
			return err
		}
	}
	return nil
}

func (a *attribute) strictSingle(where string, v value) error {
	if a.kind != complexKind {
		return a.strictSimple(where, v)
	}
	if v.kind != object {
		return invalidValue("%s takes an object, not %s", where, a.describe(v))
	}
	separator := "."
	if a.extension {
		separator = ":"
	}
	for i := range v.items {
		name := where + separator + v.items[i].name
		sub := a.subs.find(v.items[i].name)
		switch {
		case sub == nil && a.multi && strings.EqualFold(v.items[i].name, "display"):
			continue // RFC 7643 §2.4 has it with every multi-valued attribute
		case sub == nil:
			return undefined(name)
		}
		if err := sub.strictValue(name, v.items[i].value); err != nil {
			return err
		}
	}
	return nil
}

func (a *attribute) strictSimple(where string, v value) error {
	want := text
	switch a.kind {
	case booleanKind:
		want = boolean
	case integerKind, decimalKind:
		want = number
	}
	if v.kind != want {
		return invalidValue("%s takes %s, not %s", where, a.kind, a.describe(v))
	}
	if len(a.canonical) > 0 && !slices.ContainsFunc(a.canonical, func(known string) bool { return strings.EqualFold(known, v.text) }) {
		return invalidValue("%s is one of %s, not %s", where, strings.Join(a.canonical, ", "), a.describe(v))
	}
	return nil
}
