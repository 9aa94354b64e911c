package admin_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolesync/rolesync/internal/admin"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/mapping"
)

func newSchema(urn string, attributes ...directory.SchemaAttribute) directory.ExtensionSchema {
	if attributes == nil {
		attributes = []directory.SchemaAttribute{{Name: "costCode"}}
	}
	return directory.ExtensionSchema{URN: urn, ResourceType: "User", Name: "Employee", Attributes: attributes}
}

func TestSchemasOnBothDatabases(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *admin.Service) {
		ctx := t.Context()
		o, c, _ := tenant(t, s)
		other, _, _ := tenant(t, s)
		var forgotten []directory.ConnectionID
		s.Forget = func(id directory.ConnectionID) { forgotten = append(forgotten, id) }
		const urn = "urn:acme:2.0:Employee"
		schemas := func(o directory.OrganizationID) []admin.ExtensionSchema {
			t.Helper()
			list, err := s.Schemas(ctx, by, o)
			check(t, err)
			return list
		}

		created, err := s.PutSchema(ctx, by, o, newSchema(urn, directory.SchemaAttribute{Name: "site", Type: "reference"}, directory.SchemaAttribute{Name: "pin", Mutability: "writeOnly"}))
		check(t, err)
		want := []directory.SchemaAttribute{
			{Name: "site", Type: "reference", CaseExact: true, Mutability: "readWrite", Returned: "default", Uniqueness: "none", ReferenceTypes: []string{"uri"}},
			{Name: "pin", Type: "string", Mutability: "writeOnly", Returned: "never", Uniqueness: "none"},
		}
		if diff := cmp.Diff(want, created.Attributes); diff != "" {
			t.Errorf("the characteristics are not spelt out (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]admin.ExtensionSchema{created}, schemas(o)); diff != "" {
			t.Errorf("list (-want +got):\n%s", diff)
		}
		if got := schemas(other); len(got) != 0 {
			t.Errorf("another organization has %v", got)
		}
		again, err := s.PutSchema(ctx, by, o, created.ExtensionSchema)
		check(t, err)
		if diff := cmp.Diff(created, again); diff != "" {
			t.Errorf("the same again changed it (-before +after):\n%s", diff)
		}
		changed, err := s.PutSchema(ctx, by, o, newSchema(strings.ToUpper(urn)))
		check(t, err)
		got, err := s.Schema(ctx, by, o, urn)
		check(t, err)
		if diff := cmp.Diff(changed, got); diff != "" || !got.CreatedAt.Equal(created.CreatedAt) || len(got.Attributes) != 1 {
			t.Errorf("after a change (-want +got):\n%s", diff)
		}
		if want := []directory.ConnectionID{c.ID, c.ID}; !cmp.Equal(want, forgotten) {
			t.Errorf("two changes had %v forgotten, want %v", forgotten, want)
		}

		for what, err := range map[string]error{
			"a schema of another organization": s.DeleteSchema(ctx, by, other, urn),
			"a schema that is not there":       s.DeleteSchema(ctx, by, o, "urn:acme:other"),
			"no text":                          s.DeleteSchema(ctx, by, o, "urn:\xff\x00"),
			"an organization that is not there": func() error {
				_, err := s.PutSchema(ctx, by, directory.NewOrganizationID(), newSchema(urn))
				return err
			}(),
		} {
			if !fault.Is(err, fault.NotFound) {
				t.Errorf("%s: %v, want NotFound", what, err)
			}
		}
		check(t, s.DeleteSchema(ctx, by, o, urn))
		if _, err := s.Schema(ctx, by, o, urn); !fault.Is(err, fault.NotFound) {
			t.Errorf("the schema after its deletion: %v", err)
		}
		audit, err := s.Audit(ctx, by, o, "", admin.Page{})
		check(t, err)
		var actions []string
		for _, entry := range audit.Items {
			if strings.HasPrefix(entry.Action, "schema.") {
				actions = append(actions, entry.Action+" "+entry.Target)
			}
		}
		if want := []string{"schema.deleted URN:ACME:2.0:EMPLOYEE", "schema.changed URN:ACME:2.0:EMPLOYEE", "schema.created " + urn}; !cmp.Equal(want, actions) {
			t.Errorf("audit: %v, want %v", actions, want)
		}
	})
}

func TestSchemasThatClash(t *testing.T) {
	s := service(t, "sqlite:"+t.TempDir()+"/test.db")
	o, _, _ := tenant(t, s)
	put := func(urn string) error {
		_, err := s.PutSchema(t.Context(), by, o, newSchema(urn))
		return err
	}
	check(t, put("urn:acme:a:b"))
	for _, urn := range []string{"urn:acme:a", "URN:ACME:A:B:c"} {
		if err := put(urn); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), urn) {
			t.Errorf("%s beside urn:acme:a:b = %v, want a Conflict that names it", urn, err)
		}
	}
	for i := range admin.MaxSchemas - 1 {
		check(t, put(fmt.Sprintf("urn:acme:x%d", i)))
	}
	if err := put("urn:acme:more"); !fault.Is(err, fault.Conflict) {
		t.Errorf("schema %d = %v, want a Conflict", admin.MaxSchemas+1, err)
	}
	_, err := s.PutSchema(t.Context(), by, o, newSchema("urn:acme:a:b", directory.SchemaAttribute{Name: "other"}))
	check(t, err) // a change is possible at the limit
}

func TestProblemsOfSchemasComeAllAtOnce(t *testing.T) {
	s := service(t, "sqlite:"+t.TempDir()+"/test.db")
	o, _, _ := tenant(t, s)
	type attribute = directory.SchemaAttribute
	sub := []attribute{{Name: "value"}}
	tests := []struct {
		name   string
		schema directory.ExtensionSchema
		want   []string // path: the beginning of what is said
	}{
		{"nothing at all", directory.ExtensionSchema{}, []string{
			`id: "" is no URN`, `resource_type: "" is no resource type`, `name: name must not be blank`, `attributes: there are 0 attributes`}},
		{"not a URN", newSchema("https://acme.example/schema"), []string{`id: "https://acme.example/schema" is no URN`}},
		{"a URN that no path can name", newSchema("urn:acme:a/b"), []string{`id: "urn:acme:a/b" is no URN`}},
		{"a URN with an empty part", newSchema("urn:acme::b"), []string{`id: "urn:acme::b" is no URN`}},
		{"a long URN", newSchema("urn:acme:" + strings.Repeat("a", 200)), []string{`id: "urn:acme:aaa`}},
		{"the core schema", newSchema("urn:ietf:params:scim:schemas:core:2.0:User"), []string{`id: "urn:ietf:params:scim:schemas:core:2.0:User" belongs to SCIM`}},
		{"the enterprise schema in other case", newSchema("URN:ietf:params:scim:schemas:extension:enterprise:2.0:user"), []string{`id: "URN:ietf`}},
		{"around the enterprise schema", newSchema("urn:ietf:params:scim:schemas:extension"), []string{`id: "urn:ietf`}},
		{"names", newSchema("urn:a:b", attribute{Name: "1st"}, attribute{Name: "a.b"}, attribute{Name: "$ref"}, attribute{Name: "x"}, attribute{Name: "X"}, attribute{Name: strings.Repeat("n", 65)}), []string{
			`attributes[0].name: "1st" is no name`, `attributes[1].name: "a.b" is no name`, `attributes[2].name: "$ref" is no name`,
			`attributes[4].name: "X" is taken by "x"`, `attributes[5].name: "nnn`}},
		{"keywords", newSchema("urn:a:b", attribute{Name: "a", Type: "number", Mutability: "frozen", Returned: "often", Uniqueness: "some"}), []string{
			`attributes[0].type: "number" is unknown; use one of string, `, `attributes[0].mutability: "frozen" is unknown`,
			`attributes[0].returned: "often" is unknown`, `attributes[0].uniqueness: "some" is unknown`}},
		{"what cannot be", newSchema("urn:a:b", attribute{Name: "a", Mutability: "readOnly", Uniqueness: "server"},
			attribute{Name: "b", Mutability: "writeOnly", Returned: "default"}, attribute{Name: "c", Mutability: "writeOnly", Required: true}), []string{
			`attributes[0].mutability: "readOnly": nobody but`, `attributes[0].uniqueness: "server" is not enforced`,
			`attributes[1].returned: "default": b is writeOnly`, `attributes[2].required: c is writeOnly`}},
		{"what a type does not have", newSchema("urn:a:b", attribute{Name: "a", Type: "integer", CaseExact: true, CanonicalValues: []string{"1"}, ReferenceTypes: []string{"User"}, SubAttributes: sub},
			attribute{Name: "b", Type: "reference", ReferenceTypes: []string{"Device"}}, attribute{Name: "c", CanonicalValues: []string{"ok", " "}}), []string{
			`attributes[0].subAttributes: a is of type integer`, `attributes[0].caseExact: a is of type integer`,
			`attributes[0].canonicalValues: a is of type integer`, `attributes[0].referenceTypes: a is of type integer`,
			`attributes[1].referenceTypes[0]: "Device" is unknown`, `attributes[2].canonicalValues[1]: a canonical value must not be blank`}},
		{"sub-attributes", newSchema("urn:a:b", attribute{Name: "a", Type: "complex"},
			attribute{Name: "b", Type: "complex", MultiValued: true, SubAttributes: []attribute{
				{Name: "x", Type: "complex", SubAttributes: sub}, {Name: "y", MultiValued: true}, {Name: "primary"}, {Name: "z", Mutability: "immutable"}, {Name: "$ref", Type: "reference"}}}), []string{
			`attributes[0].subAttributes: there are 0 attributes`, `attributes[1].subAttributes[0].type: x is complex within b`,
			`attributes[1].subAttributes[1].multiValued: y is within b`, `attributes[1].subAttributes[2].type: primary marks`,
			`attributes[1].subAttributes[3].mutability: "immutable": the values of b`}},
		{"too many", newSchema("urn:a:b", make([]attribute, 101)...), []string{`attributes: there are 101 attributes; 1 to 100`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := s.PutSchema(t.Context(), by, o, tt.schema)
			problems, _ := errors.AsType[mapping.Problems](err)
			if len(problems) != len(tt.want) || !fault.Is(err, fault.Invalid) {
				t.Fatalf("PutSchema = %v, want Invalid with %q", err, tt.want)
			}
			for i, want := range tt.want {
				if !strings.HasPrefix(problems[i].String(), want) {
					t.Errorf("problem %d is %q, want %q", i, problems[i], want)
				}
			}
		})
	}
	large := newSchema("urn:a:b")
	for i := range 100 {
		large.Attributes = append(large.Attributes[:i], attribute{Name: fmt.Sprintf("a%d", i), Description: strings.Repeat("d", 500)})
	}
	if _, err := s.PutSchema(t.Context(), by, o, large); err == nil || !strings.Contains(err.Error(), "at most 32768 are kept") {
		t.Errorf("a large schema = %v", err)
	}
	list, err := s.Schemas(t.Context(), by, o)
	if check(t, err); len(list) != 0 {
		t.Errorf("what was refused is there: %v", list)
	}
}
