package scim

import (
	"github.com/elimity-com/scim/optional"
	"github.com/elimity-com/scim/schema"

	"github.com/rolesync/rolesync/internal/directory"
)

// extensionsOf returns the schemas that an organization adds to a resource type, in
// the library's model. They were checked when they were stored.
func extensionsOf(resourceType string, own []directory.ExtensionSchema) []schema.Schema {
	var list []schema.Schema
	for i := range own {
		if own[i].ResourceType != resourceType {
			continue
		}
		s := schema.Schema{ID: own[i].URN, Name: optional.NewString(own[i].Name), Description: optional.NewString(own[i].Description)}
		for j := range own[i].Attributes {
			s.Attributes = append(s.Attributes, extensionAttribute(&own[i].Attributes[j]))
		}
		list = append(list, s)
	}
	return list
}

func extensionAttribute(a *directory.SchemaAttribute) schema.CoreAttribute {
	if a.Type != "complex" {
		return schema.SimpleCoreAttribute(simpleAttribute(a))
	}
	subs := make([]schema.SimpleParams, len(a.SubAttributes))
	for i := range a.SubAttributes {
		subs[i] = simpleAttribute(&a.SubAttributes[i])
	}
	return schema.ComplexCoreAttribute(schema.ComplexParams{
		Name: a.Name, Description: optional.NewString(a.Description), MultiValued: a.MultiValued, Required: a.Required,
		Mutability: mutabilities[a.Mutability], Returned: returnings[a.Returned], SubAttributes: subs,
	})
}

var (
	mutabilities = map[string]schema.AttributeMutability{
		"immutable": schema.AttributeMutabilityImmutable(), "writeOnly": schema.AttributeMutabilityWriteOnly(),
	}
	returnings = map[string]schema.AttributeReturned{
		"always": schema.AttributeReturnedAlways(), "request": schema.AttributeReturnedRequest(), "never": schema.AttributeReturnedNever(),
	}
)

func simpleAttribute(a *directory.SchemaAttribute) schema.SimpleParams {
	common := schema.BinaryParams{
		Name: a.Name, Description: optional.NewString(a.Description), MultiValued: a.MultiValued, Required: a.Required,
		Mutability: mutabilities[a.Mutability], Returned: returnings[a.Returned],
	}
	switch a.Type {
	case "binary":
		return schema.SimpleBinaryParams(common)
	case "boolean":
		return schema.SimpleBooleanParams(schema.BooleanParams(common))
	case "dateTime":
		return schema.SimpleDateTimeParams(schema.DateTimeParams(common))
	case "integer", "decimal":
		kind := schema.AttributeTypeDecimal()
		if a.Type == "integer" {
			kind = schema.AttributeTypeInteger()
		}
		return schema.SimpleNumberParams(schema.NumberParams{
			Name: common.Name, Description: common.Description, MultiValued: common.MultiValued, Required: common.Required,
			Mutability: common.Mutability, Returned: common.Returned, Type: kind,
		})
	case "reference":
		types := make([]schema.AttributeReferenceType, len(a.ReferenceTypes))
		for i, kind := range a.ReferenceTypes {
			types[i] = schema.AttributeReferenceType(kind)
		}
		return schema.SimpleReferenceParams(schema.ReferenceParams{
			Name: common.Name, Description: common.Description, MultiValued: common.MultiValued, Required: common.Required,
			Mutability: common.Mutability, Returned: common.Returned, ReferenceTypes: types,
		})
	}
	return schema.SimpleStringParams(schema.StringParams{
		Name: common.Name, Description: common.Description, MultiValued: common.MultiValued, Required: common.Required,
		Mutability: common.Mutability, Returned: common.Returned, CanonicalValues: a.CanonicalValues, CaseExact: a.CaseExact,
	})
}
