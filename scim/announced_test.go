package scim_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/rolesync/rolesync/internal/directory"
)

// What RFC 7643 §7 has in the definition of an attribute, and no more.
var characteristics = []string{"canonicalValues", "caseExact", "description", "multiValued", "mutability", "name", "referenceTypes", "required", "returned", "subAttributes", "type", "uniqueness"}

// announced is an attribute as a client finds it in a schema.
type announced map[string]any

func (a announced) is(name string, value any) bool { return a[name] == value }

func (a announced) subs() (list []announced) {
	subs, _ := a["subAttributes"].([]any)
	for _, sub := range subs {
		list = append(list, sub.(map[string]any))
	}
	return list
}

// written reports whether a client can set the attribute and see it again.
func (a announced) written() bool {
	return (a.is("mutability", "readWrite") || a.is("mutability", "immutable")) && (a.is("returned", "default") || a.is("returned", "always"))
}

// example is a value that the announcement allows.
func (a announced) example() any {
	value := any("x")
	switch a["type"] {
	case "boolean":
		value = true
	case "integer":
		value = 1.0
	case "decimal":
		value = 1.5
	case "dateTime":
		value = "2026-01-02T03:04:05Z"
	case "binary":
		value = "YQ=="
	case "reference":
		value = "https://example.com/x"
	case "complex":
		parts := map[string]any{}
		for _, sub := range a.subs() {
			if sub.written() {
				parts[sub["name"].(string)] = sub.example()
			}
		}
		value = parts
	}
	if canonical, _ := a["canonicalValues"].([]any); len(canonical) > 0 {
		value = canonical[0]
	}
	if a.is("multiValued", true) {
		return []any{value}
	}
	return value
}

// A client that knows nothing but the discovery documents can fill all that they
// announce, and is shown nothing that they do not.
func TestAnnouncedIsWhatIsThere(t *testing.T) {
	s := newService(t, "")
	tn := s.newTenant()
	own := employeeSchema(directory.SchemaAttribute{Name: "parts", Type: "complex", MultiValued: true, SubAttributes: []directory.SchemaAttribute{{Name: "value", Required: true}, {Name: "since", Type: "dateTime"}}},
		directory.SchemaAttribute{Name: "serial", Mutability: "immutable", Returned: "always"}, directory.SchemaAttribute{Name: "pin", Mutability: "writeOnly"}, directory.SchemaAttribute{Name: "note", Returned: "request"})
	for _, kind := range []string{"string", "boolean", "integer", "decimal", "dateTime", "binary", "reference"} {
		own.Attributes = append(own.Attributes, directory.SchemaAttribute{Name: "one" + kind, Type: kind}, directory.SchemaAttribute{Name: "many" + kind, Type: kind, MultiValued: true})
	}
	tn.putSchema(s.administrator(), own)
	anna := tn.user("anna")
	types := tn.must(200, "GET", "/ResourceTypes", "")
	for i := range types.len("Resources") {
		rt := response{body: types.at("Resources", i).(map[string]any)}
		only(t, rt.string("id"), rt.body, "schemas", "id", "name", "endpoint", "description", "schema", "schemaExtensions", "meta")
		t.Run(rt.string("name"), func(t *testing.T) {
			sent := map[string]any{"schemas": []any{rt.string("schema")}}
			known := map[string][]announced{"": tn.attributes(rt.string("schema"))}
			for j := range rt.len("schemaExtensions") {
				urn := rt.string("schemaExtensions", j, "schema")
				known[urn] = tn.attributes(urn)
				sent["schemas"] = append(sent["schemas"].([]any), urn)
			}
			for urn, list := range known {
				into := sent
				if urn != "" {
					into = map[string]any{}
					sent[urn] = into
				}
				for _, a := range list {
					if a.written() {
						into[a["name"].(string)] = a.example()
					}
				}
			}
			if rt.string("name") == "Group" {
				sent["members"] = []any{map[string]any{"value": anna, "type": "User", "$ref": tn.base + "/Users/" + anna}}
			}
			body, _ := json.Marshal(sent)
			created := tn.must(201, "POST", rt.string("endpoint"), string(body))
			shown := tn.must(200, "GET", created.string("meta", "location"), "").body
			for name, value := range sent {
				if got, want := fmt.Sprint(shown[name]), fmt.Sprint(value); got != want {
					t.Errorf("%s was announced, sent as %s, and is shown as %s", name, want, got)
				}
			}
			for name := range shown {
				if sent[name] == nil && !slices.Contains([]string{"id", "externalId", "meta"}, name) {
					t.Errorf("%s is shown and was not announced", name)
				}
			}
		})
	}
	// What is ours to say is announced as well.
	tn.newGroup("Guides", anna)
	user := tn.attributes("urn:ietf:params:scim:schemas:core:2.0:User")
	known := user[slices.IndexFunc(user, func(a announced) bool { return a.is("name", "groups") })]
	shown, _ := tn.must(200, "GET", "/Users/"+anna, "").at("groups", 0).(map[string]any)
	for name := range shown {
		if !slices.ContainsFunc(known.subs(), func(sub announced) bool { return sub.is("name", name) && sub.is("mutability", "readOnly") }) {
			t.Errorf("groups.%s is shown and was not announced as read-only", name)
		}
	}
}

// attributes are those of a schema, checked for what RFC 7643 §7 does not have.
func (tn *tenant) attributes(urn string) (list []announced) {
	tn.t.Helper()
	schema := tn.must(200, "GET", "/Schemas/"+urn, "")
	only(tn.t, urn, schema.body, "schemas", "id", "name", "description", "attributes", "meta")
	var check func(where string, a announced)
	check = func(where string, a announced) {
		where += ":" + fmt.Sprint(a["name"])
		only(tn.t, where, a, characteristics...)
		for _, name := range []string{"name", "type", "multiValued", "required", "mutability", "returned"} {
			if a[name] == nil {
				tn.t.Errorf("%s has no %s", where, name)
			}
		}
		if a.is("type", "complex") != (len(a.subs()) > 0) {
			tn.t.Errorf("%s is %v with %d sub-attributes", where, a["type"], len(a.subs()))
		}
		for _, sub := range a.subs() {
			check(where, sub)
		}
	}
	for i := range schema.len("attributes") {
		a := announced(schema.at("attributes", i).(map[string]any))
		check(urn, a)
		list = append(list, a)
	}
	return list
}

// only holds a document to the names that its definition has, each with a value.
func only(t testing.TB, what string, document map[string]any, names ...string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(document)) {
		if v := document[name]; !slices.Contains(names, name) || v == "" || v == nil {
			t.Errorf("%s has %s: %v, of %s", what, name, v, strings.Join(names, ", "))
		}
	}
}
