package scim

import (
	"slices"
	"strings"

	"github.com/elimity-com/scim/optional"
	"github.com/elimity-com/scim/schema"

	"github.com/rolesync/rolesync/internal/directory"
)

// The URNs of the messages of RFC 7644 §8.2.
const (
	errorURN          = "urn:ietf:params:scim:api:messages:2.0:Error"
	listURN           = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
	providerURN       = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
	resourceTypeURN   = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
	enterpriseUserURN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
)

// attribute is one attribute of a schema, made ready for look-ups. It is immutable.
type attribute struct {
	name      string
	index     int // its place among its siblings, which is the canonical order
	kind      attributeKind
	multi     bool
	required  bool
	caseExact bool
	storage   storage
	returned  returned
	immutable bool // once it has a value, it keeps it
	fixed     bool // it is immutable, or something in it is
	extension bool // it is a whole extension schema, named by its URN
	canonical []string
	subs      *attributes // of a complex attribute

	// The sub-attributes that have a meaning of their own (RFC 7643 §2.4); nil when
	// there is no such sub-attribute.
	value, typ, primary, display *attribute

	// It is a value of some other resource, such as manager: what it says beside its
	// value is of that resource.
	reference bool
}

// storage says what becomes of an attribute that a client states.
type storage uint8

const (
	stored   storage = iota // kept in the resource
	readOnly                // ours to say: id, meta, groups (RFC 7643 §2.2, mutability)
	derived                 // follows from the rest: schemas
	secret                  // never kept, never returned: password, and what is writeOnly
	members                 // kept as rows of their own: the members of a group
)

// returned says when an attribute is shown, RFC 7643 §2.2.
type returned uint8

const (
	byDefault returned = iota
	always
	onRequest // only when it is asked for by name
	never
)

// hidden reports whether nobody is ever shown the attribute, so that nobody may learn of
// it by a filter or an order either.
func (a *attribute) hidden() bool { return a.storage == secret || a.returned == never }

// attributes is a set of sibling attributes.
type attributes struct {
	list   []*attribute
	byName map[string]*attribute // by lower-case name
}

// find looks an attribute up without regard to case; nil when there is none.
func (as *attributes) find(name string) *attribute {
	var buffer [128]byte
	if len(name) > len(buffer) {
		return nil
	}
	for i := range len(name) {
		c := name[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		buffer[i] = c
	}
	return as.byName[string(buffer[:len(name)])]
}

func (as *attributes) add(a *attribute) {
	a.index = len(as.list)
	as.list = append(as.list, a)
	as.byName[strings.ToLower(a.name)] = a
}

// resourceType is a kind of resource that is served here, with its attributes: the
// common ones, those of its schema, then one for each extension.
type resourceType struct {
	name        string
	endpoint    string
	description string
	schema      schema.Schema
	extensions  []schema.Schema
	attributes  *attributes
	version     int64    // of the organization's own schemas; 0: there are none
	fixed       bool     // some attribute is immutable
	strict      bool     // for a strict connection, see strict.go
	plain       [][]byte // how a stored resource begins that has nothing of an organization's own
}

// types are the resource types that a connection serves, with the documents that
// describe them. They are tables, never changed, and shared by all who serve the same.
type types struct {
	user, group *resourceType

	resourceTypes, schemas []document

	strict *types // the same for strict connections; nil in those
}

// builtin are the types of RFC 7643.
var builtin = newTypes(nil)

// newTypes returns the built-in types with the schemas that an organization adds.
func newTypes(own []directory.ExtensionSchema) *types {
	user := newResourceType("User", "/Users", "User Account",
		map[string]storage{"password": secret}, userSchema(), append([]schema.Schema{enterpriseUserSchema()}, extensionsOf("User", own)...)...)
	group := newResourceType("Group", "/Groups", "Group",
		map[string]storage{"members": members}, groupSchema(), extensionsOf("Group", own)...)
	user.startsWith()
	user.startsWith(enterpriseUserURN)
	group.startsWith()
	all := &types{
		user: user, group: group,
		resourceTypes: []document{describeType(user), describeType(group)},
		schemas:       describeSchemas(user, group),
	}
	strict := *all
	strict.user, strict.group = user.strictly(), group.strictly()
	all.strict = &strict
	return all
}

func userSchema() schema.Schema           { return clipped(schema.CoreUserSchema()) }
func enterpriseUserSchema() schema.Schema { return clipped(schema.ExtensionEnterpriseUser()) }

// groupSchema is the RFC's, but that we keep display names apart: the schema that is
// shown must say so.
func groupSchema() schema.Schema {
	s := clipped(schema.CoreGroupSchema())
	for i, a := range s.Attributes {
		if a.Name() == "displayName" {
			s.Attributes[i] = schema.SimpleCoreAttribute(schema.SimpleStringParams(schema.StringParams{
				Name:        a.Name(),
				Description: optional.NewString(a.Description()),
				Required:    true,
				Uniqueness:  schema.AttributeUniquenessServer(),
			}))
		}
	}
	return s
}

// clipped takes the spare capacity from the library's slices, so that no append can
// write into another schema.
func clipped(s schema.Schema) schema.Schema {
	s.Attributes = append(make(schema.Attributes, 0, len(s.Attributes)), s.Attributes...)
	return s
}

func newResourceType(name, endpoint, description string, special map[string]storage, core schema.Schema, extensions ...schema.Schema) *resourceType {
	rt := &resourceType{name: name, endpoint: endpoint, description: description, schema: core, extensions: extensions}
	rt.attributes = &attributes{byName: map[string]*attribute{}}
	for _, a := range schema.CommonAttributes() {
		rt.attributes.add(newAttribute(a))
	}
	for _, a := range core.Attributes {
		rt.attributes.add(newAttribute(a))
	}
	for _, e := range extensions {
		a := &attribute{name: e.ID, kind: complexKind, extension: true, subs: newAttributes(e.Attributes)}
		a.fixed = a.subs.fixed()
		rt.attributes.add(a)
	}
	rt.attributes.find("schemas").storage = derived
	for name, storage := range special {
		rt.attributes.find(name).storage = storage
	}
	rt.fixed = rt.attributes.fixed()
	return rt
}

// startsWith adds to plain the form of a resource with these extensions.
func (rt *resourceType) startsWith(extensions ...string) {
	rt.plain = append(rt.plain, append(appendSchemas(nil, rt.coreURN(), extensions), ']'))
}

// fixed reports whether one of the attributes is immutable, or something in it.
func (as *attributes) fixed() bool {
	return slices.ContainsFunc(as.list, func(a *attribute) bool { return a.fixed && a.storage == stored })
}

func newAttributes(list schema.Attributes) *attributes {
	as := &attributes{byName: make(map[string]*attribute, len(list))}
	for _, a := range list {
		as.add(newAttribute(a))
	}
	return as
}

func newAttribute(a schema.CoreAttribute) *attribute {
	out := &attribute{
		name:      a.Name(),
		multi:     a.MultiValued(),
		required:  a.Required(),
		caseExact: a.CaseExact(),
		canonical: a.CanonicalValues(),
	}
	switch a.Mutability() {
	case "readOnly":
		out.storage = readOnly
	case "writeOnly":
		out.storage = secret
	case "immutable":
		out.immutable = true
	}
	switch a.Returned() {
	case "always":
		out.returned = always
	case "request":
		out.returned = onRequest
	case "never":
		out.returned = never
	}
	out.kind = kinds[a.AttributeType()]
	out.fixed = out.immutable
	if out.kind == complexKind {
		out.subs = newAttributes(a.SubAttributes())
		if out.hidden() { // then all of it is
			for _, sub := range out.subs.list {
				sub.returned = never
			}
		}
		out.value = out.subs.find("value")
		out.typ = out.subs.find("type")
		out.primary = out.subs.find("primary")
		out.display = out.subs.find("display")
		out.reference = out.value != nil && out.subs.find("$ref") != nil
		// The elements of a list come and go; only a single value can be held in part.
		out.fixed = out.immutable || !out.multi && out.subs.fixed()
	}
	return out
}

// coreURN is the URN of the resource type's own schema.
func (rt *resourceType) coreURN() string { return rt.schema.ID }
