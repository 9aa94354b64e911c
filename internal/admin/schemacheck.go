package admin

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/mapping"
)

// The limits of a schema.
const (
	MaxSchemaAttributes = 100      // and as many sub-attributes of each
	maxSchemaName       = 64       // bytes of an attribute's name
	maxURN              = 120      // bytes
	maxCanonical        = 100      // canonical values of an attribute
	maxSchema           = 32 << 10 // bytes of it as it is stored
)

var (
	// What RFC 8141 allows beyond this cannot be written in a filter or a path.
	urnForm = regexp.MustCompile(`(?i)^urn:[a-z0-9][a-z0-9-]{0,31}(:[a-z0-9._-]+)+$`)
	// ATTRNAME of RFC 7643 §2.1, but for $, which is left to $ref.
	nameForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`)
)

// reservedURNs are those of SCIM itself.
var reservedURNs = []string{
	"urn:ietf:params:scim:schemas:core",
	"urn:ietf:params:scim:schemas:extension:enterprise",
	"urn:ietf:params:scim:api",
}

// checker gathers all that is wrong with a schema.
type checker struct{ problems mapping.Problems }

func (c *checker) add(path, format string, args ...any) {
	c.problems = append(c.problems, mapping.Problem{Path: path, Message: fmt.Sprintf(format, args...)})
}

// text adds the problem that a check of a text has found.
func (c *checker) text(path string, err error) {
	if err != nil {
		_, message := fault.Public(err)
		c.add(path, "%s", message)
	}
}

// checkSchema returns the schema with every characteristic spelt out, or everything
// that is wrong with it as mapping.Problems. It leaves its argument alone.
func checkSchema(s directory.ExtensionSchema) (directory.ExtensionSchema, error) {
	var c checker
	c.urn(s.URN)
	if s.ResourceType != "User" && s.ResourceType != "Group" {
		c.add("resource_type", "%q is no resource type; use User or Group", first(s.ResourceType))
	}
	var err error
	s.Name, err = line("name", s.Name, MaxName)
	c.text("name", err)
	c.text("description", prose("description", s.Description, MaxDescription))
	s.Attributes = c.attributes("attributes", s.Attributes, nil)
	if n := len(encoded(s)); len(c.problems) == 0 && n > maxSchema {
		c.add("", "the schema has %d bytes; at most %d are kept", n, maxSchema)
	}
	if len(c.problems) > 0 {
		return s, c.problems
	}
	return s, nil
}

func (c *checker) urn(urn string) {
	switch {
	case !urnForm.MatchString(urn):
		c.add("id", "%q is no URN of a schema; write urn:, a namespace, and names of letters, digits, dots, - and _ between colons", first(urn))
	case len(urn) > maxURN:
		c.add("id", "%q has %d bytes; at most %d are allowed", first(urn), len(urn), maxURN)
	case slices.ContainsFunc(reservedURNs, func(reserved string) bool { return within(urn, reserved) || within(reserved, urn) }):
		c.add("id", "%q belongs to SCIM itself; choose a URN of your own", first(urn))
	}
}

// attributes checks siblings. of is the complex attribute that they are part of; nil
// at the top.
func (c *checker) attributes(path string, list []directory.SchemaAttribute, of *directory.SchemaAttribute) []directory.SchemaAttribute {
	if n := len(list); n == 0 || n > MaxSchemaAttributes {
		c.add(path, "there are %d attributes; 1 to %d are possible", n, MaxSchemaAttributes)
		return nil
	}
	list = slices.Clone(list)
	seen := map[string]string{}
	for i := range list {
		at, a := fmt.Sprintf("%s[%d]", path, i), &list[i]
		switch {
		case len(a.Name) > maxSchemaName:
			c.add(at+".name", "%q has %d bytes; at most %d are allowed", first(a.Name), len(a.Name), maxSchemaName)
		case !nameForm.MatchString(a.Name) && (of == nil || a.Name != "$ref"):
			c.add(at+".name", "%q is no name of an attribute: a letter, then letters, digits, - and _", first(a.Name))
		}
		folded := strings.ToLower(a.Name)
		if former, ok := seen[folded]; ok {
			c.add(at+".name", "%q is taken by %q; names compare without case", a.Name, former)
		}
		seen[folded] = a.Name
		c.attribute(at, a, of)
	}
	return list
}

// attribute checks one attribute and spells out what it leaves to the defaults of
// RFC 7643 §2.2.
func (c *checker) attribute(at string, a, of *directory.SchemaAttribute) {
	c.text(at+".description", prose("description", a.Description, MaxDescription))
	c.oneOf(at+".type", &a.Type, "string", "boolean", "decimal", "integer", "dateTime", "reference", "binary", "complex")
	switch {
	case of != nil && a.Type == "complex":
		c.add(at+".type", "%s is complex within %s; attributes nest one level deep", a.Name, of.Name)
	case of == nil && a.Type == "complex":
		a.SubAttributes = c.attributes(at+".subAttributes", a.SubAttributes, a)
	case len(a.SubAttributes) > 0:
		c.add(at+".subAttributes", "%s is of type %s; only complex attributes have sub-attributes", a.Name, first(a.Type))
	}
	if of != nil && a.MultiValued {
		c.add(at+".multiValued", "%s is within %s; a sub-attribute has one value", a.Name, of.Name)
	}
	if of != nil && of.MultiValued && strings.EqualFold(a.Name, "primary") && a.Type != "boolean" {
		c.add(at+".type", "primary marks the preferred one of several values; it must be boolean, not %s", first(a.Type))
	}
	c.mutability(at, a, of)
	c.oneOf(at+".uniqueness", &a.Uniqueness, "none", "server", "global")
	if a.Uniqueness == "server" || a.Uniqueness == "global" {
		c.add(at+".uniqueness", "%q is not enforced for attributes of your own; use none", a.Uniqueness)
	}
	c.values(at, a)
}

// mutability checks who may write an attribute, and who is shown it.
func (c *checker) mutability(at string, a, of *directory.SchemaAttribute) {
	c.oneOf(at+".mutability", &a.Mutability, "readWrite", "immutable", "writeOnly", "readOnly")
	if a.Mutability == "writeOnly" && a.Returned == "" {
		a.Returned = "never"
	}
	c.oneOf(at+".returned", &a.Returned, "default", "always", "request", "never")
	switch {
	case a.Mutability == "readOnly":
		c.add(at+".mutability", `"readOnly": nobody but the identity provider knows the value of %s, so it must be able to write it`, a.Name)
	case a.Mutability == "immutable" && of != nil && of.MultiValued:
		c.add(at+".mutability", `"immutable": the values of %s come and go as a whole; make all of %s immutable, or nothing of it`, of.Name, of.Name)
	case a.Mutability == "writeOnly" && a.Returned != "never":
		c.add(at+".returned", "%q: %s is writeOnly, so it is never returned", a.Returned, a.Name)
	case a.Mutability == "writeOnly" && a.Required:
		c.add(at+".required", "%s is writeOnly: its value is not kept, so it cannot be required", a.Name)
	}
}

// values checks what is said of an attribute's values beside their type.
func (c *checker) values(at string, a *directory.SchemaAttribute) {
	exact := a.Type == "reference" || a.Type == "binary" // whatever it says
	if a.CaseExact && a.Type != "string" && !exact {
		c.add(at+".caseExact", "%s is of type %s, which has no letter case", a.Name, first(a.Type))
	}
	a.CaseExact = a.CaseExact || exact
	if len(a.CanonicalValues) > 0 && a.Type != "string" {
		c.add(at+".canonicalValues", "%s is of type %s; only strings have canonical values", a.Name, first(a.Type))
	}
	if n := len(a.CanonicalValues); n > maxCanonical {
		c.add(at+".canonicalValues", "there are %d; at most %d are allowed", n, maxCanonical)
	}
	for i, value := range a.CanonicalValues[:min(len(a.CanonicalValues), maxCanonical)] {
		_, err := line("a canonical value", value, MaxName)
		c.text(fmt.Sprintf("%s.canonicalValues[%d]", at, i), err)
	}
	if a.Type != "reference" {
		if len(a.ReferenceTypes) > 0 {
			c.add(at+".referenceTypes", "%s is of type %s; only references have them", a.Name, first(a.Type))
		}
		return
	}
	if len(a.ReferenceTypes) == 0 {
		a.ReferenceTypes = []string{"uri"}
	}
	for i, kind := range a.ReferenceTypes {
		c.oneOf(fmt.Sprintf("%s.referenceTypes[%d]", at, i), &kind, "uri", "external", "User", "Group")
	}
}

// oneOf checks a keyword; one that is not there is the first.
func (c *checker) oneOf(path string, value *string, keywords ...string) {
	if *value == "" {
		*value = keywords[0]
	}
	if !slices.Contains(keywords, *value) {
		c.add(path, "%q is unknown; use one of %s", first(*value), strings.Join(keywords, ", "))
	}
}
