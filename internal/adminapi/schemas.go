package adminapi

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rolesync/rolesync/internal/admin"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
)

// schemaURN is what a schema document may say of itself in schemas.
const schemaURN = "urn:ietf:params:scim:schemas:core:2.0:Schema"

// Schema is an extension schema of an organization, as the API shows it: the document
// of RFC 7643 §7, and which resources it is for.
type Schema struct {
	ID           string            `json:"id" doc:"Its URN."`
	ResourceType string            `json:"resource_type" enum:"User,Group" doc:"What it extends."`
	Name         string            `json:"name" doc:"For people."`
	Description  string            `json:"description,omitempty" doc:"For people."`
	Attributes   []SchemaAttribute `json:"attributes" nullable:"false" doc:"With every characteristic spelt out."`
	CreatedAt    time.Time         `json:"created_at" doc:"When it was created."`
	ModifiedAt   time.Time         `json:"modified_at" doc:"When it was changed last."`
}

// SchemaAttribute is an attribute of a schema, with the names of RFC 7643 §7.
type SchemaAttribute struct {
	Name            string            `json:"name" doc:"A letter, then letters, digits, - and _; at most 64." example:"costCode"`
	Type            string            `json:"type,omitempty" default:"string" doc:"string, boolean, decimal, integer, dateTime, reference, binary or complex."`
	Description     string            `json:"description,omitempty" doc:"For people; at most 2000 characters."`
	MultiValued     bool              `json:"multiValued,omitempty" doc:"It has a list of values. Not of a sub-attribute."`
	Required        bool              `json:"required,omitempty" doc:"It must be there when anything of the schema, or of the complex attribute around it, is."`
	CanonicalValues []string          `json:"canonicalValues,omitempty" nullable:"false" doc:"Of a string: suggestions. Other values are taken too."`
	CaseExact       bool              `json:"caseExact,omitempty" doc:"Letter case counts. Only for strings; references and binaries always are."`
	Mutability      string            `json:"mutability,omitempty" default:"readWrite" doc:"readWrite; immutable: once it has a value, it keeps it; writeOnly: accepted, and not kept."`
	Returned        string            `json:"returned,omitempty" doc:"always; default, which is the default; request: only when it is asked for by name; never. A writeOnly attribute never is."`
	Uniqueness      string            `json:"uniqueness,omitempty" default:"none" doc:"none; others are not enforced, so they are refused."`
	ReferenceTypes  []string          `json:"referenceTypes,omitempty" nullable:"false" doc:"Of a reference: uri, external, User, Group; uri if nothing is said."`
	SubAttributes   []SchemaAttribute `json:"subAttributes,omitempty" nullable:"false" doc:"Of a complex attribute, one level deep."`
}

func schemaOf(e admin.ExtensionSchema) Schema {
	return Schema{e.URN, e.ResourceType, e.Name, e.Description, attributesOf(e.Attributes), e.CreatedAt, e.ModifiedAt}
}

func attributesOf(from []directory.SchemaAttribute) []SchemaAttribute {
	list := make([]SchemaAttribute, len(from))
	for i, a := range from {
		list[i] = SchemaAttribute{
			a.Name, a.Type, a.Description, a.MultiValued, a.Required, a.CanonicalValues, a.CaseExact,
			a.Mutability, a.Returned, a.Uniqueness, a.ReferenceTypes, attributesOf(a.SubAttributes),
		}
	}
	return list
}

func attributesFrom(list []SchemaAttribute) []directory.SchemaAttribute {
	attributes := make([]directory.SchemaAttribute, len(list))
	for i, a := range list {
		attributes[i] = directory.SchemaAttribute{
			Name: a.Name, Type: a.Type, Description: a.Description, MultiValued: a.MultiValued, Required: a.Required,
			CanonicalValues: a.CanonicalValues, CaseExact: a.CaseExact, Mutability: a.Mutability, Returned: a.Returned,
			Uniqueness: a.Uniqueness, ReferenceTypes: a.ReferenceTypes, SubAttributes: attributesFrom(a.SubAttributes),
		}
	}
	return attributes
}

// InSchema is the path of one schema.
type InSchema struct {
	InOrganization
	URN string `path:"urn" doc:"The URN of the schema, in any letter case." example:"urn:acme:params:scim:2.0:Employee"`
}

func (h *Handler) schemas(api huma.API) {
	const all, one = "/organizations/{organization}/schemas", "/organizations/{organization}/schemas/{urn}"
	absent := []int{http.StatusNotFound}

	register(h, api, operation{
		method: http.MethodGet, path: all, id: "list-schemas", tag: "schemas", problems: absent,
		summary: "List the schemas of an organization", description: "Those that it has added to the ones of SCIM, in order of URN, all at once.",
	}, func(ctx context.Context, by admin.Actor, in *InOrganization) (*answer[list[Schema]], error) {
		schemas, err := h.Admin.Schemas(ctx, by, in.Organization)
		return listOf(admin.List[admin.ExtensionSchema]{Items: schemas}, schemaOf), err
	})

	register(h, api, operation{
		method: http.MethodGet, path: one, id: "get-schema", tag: "schemas", problems: absent, summary: "Get a schema",
	}, func(ctx context.Context, by admin.Actor, in *InSchema) (*answer[Schema], error) {
		schema, err := h.Admin.Schema(ctx, by, in.Organization, in.URN)
		return reply(schemaOf(schema)), err
	})

	type putInput struct {
		InSchema
		Body struct {
			Schemas      []string          `json:"schemas,omitempty" nullable:"false" doc:"When it is there, the URN of the schema of schemas."`
			ID           string            `json:"id,omitempty" doc:"When it is there, the same as in the path."`
			ResourceType string            `json:"resource_type" doc:"What it extends: User or Group." example:"User"`
			Name         string            `json:"name" doc:"For people; 1 to 200 characters." example:"Employee"`
			Description  string            `json:"description,omitempty" doc:"For people; at most 2000 characters."`
			Attributes   []SchemaAttribute `json:"attributes" nullable:"false" doc:"1 to 100."`
		} `nameHint:"SchemaChange"`
	}
	register(h, api, operation{
		method: http.MethodPut, path: one, id: "put-schema", tag: "schemas", problems: []int{http.StatusNotFound, http.StatusConflict},
		summary: "Create or change a schema",
		description: "The body is a schema as in RFC 7643, section 7, with the resource type that it extends. All connections of the organization serve it at once, " +
			"other processes within two seconds. Any change is possible: stored values that no longer fit are not shown, and gone with the next write of their user or group. " +
			"An organization can have 20 schemas; one more, or a URN that continues another one's, is a 409.",
	}, func(ctx context.Context, by admin.Actor, in *putInput) (*answer[Schema], error) {
		b := &in.Body
		if b.ID != "" && !strings.EqualFold(b.ID, in.URN) {
			return nil, fault.New(fault.Invalid, "id %s is not that of the path, %s; a URN cannot be changed", quote(b.ID), quote(in.URN))
		}
		for _, urn := range b.Schemas {
			if !strings.EqualFold(urn, schemaURN) {
				return nil, fault.New(fault.Invalid, "schemas has %s; a schema is of %s", quote(urn), schemaURN)
			}
		}
		schema, err := h.Admin.PutSchema(ctx, by, in.Organization, directory.ExtensionSchema{
			URN: in.URN, ResourceType: b.ResourceType, Name: b.Name, Description: b.Description, Attributes: attributesFrom(b.Attributes),
		})
		return reply(schemaOf(schema)), err
	})

	register(h, api, operation{
		method: http.MethodDelete, path: one, id: "delete-schema", tag: "schemas", problems: absent,
		summary:     "Delete a schema",
		description: "Its attributes are unknown from then on: what is stored of them is not shown by SCIM, and gone with the next write of its user or group.",
	}, func(ctx context.Context, by admin.Actor, in *InSchema) (*nothing, error) {
		return nil, h.Admin.DeleteSchema(ctx, by, in.Organization, in.URN)
	})
}
