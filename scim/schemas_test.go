package scim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rolesync/rolesync/internal/admin"
	"github.com/rolesync/rolesync/internal/directory"
)

const employee = "urn:ietf:params:scim:schemas:extension:acme:2.0:User"

// administrator is the use cases as the service wires them.
func (s *service) administrator() *admin.Service {
	return &admin.Service{Store: s.store, Engine: s.engine, Forget: s.handler.Forget}
}

func (tn *tenant) putSchema(a *admin.Service, schema directory.ExtensionSchema) {
	tn.t.Helper()
	if _, err := a.PutSchema(tn.t.Context(), admin.Actor{Name: "admin"}, tn.organization, schema); err != nil {
		tn.t.Fatal(err)
	}
}

func employeeSchema(attributes ...directory.SchemaAttribute) directory.ExtensionSchema {
	return directory.ExtensionSchema{URN: employee, ResourceType: "User", Name: "Employee", Attributes: attributes}
}

func TestExtensionSchema(t *testing.T) {
	databases(t, func(t *testing.T, s *service) {
		a := s.administrator()
		tn, other := s.newTenant(), s.newTenant()
		type attribute = directory.SchemaAttribute
		const flat = `{"userName":"%","` + employee + `:costCode":"C1","` + employee + `:level":"3","` + employee + `:site.name":"Berlin"}`

		// Before: ignored, by both.
		before := tn.must(201, "POST", "/Users", strings.Replace(flat, "%", "before", 1))
		if strings.Contains(before.text, "acme") {
			t.Errorf("an unknown schema is shown: %s", before.text)
		}
		tn.fails(404, "", employee, "GET", "/Schemas/"+employee, "")

		tn.putSchema(a, employeeSchema(
			attribute{Name: "costCode"}, attribute{Name: "level", Type: "integer"}, attribute{Name: "badge", Mutability: "immutable"},
			attribute{Name: "pin", Mutability: "writeOnly"}, attribute{Name: "note", Returned: "request"}, attribute{Name: "hidden", Returned: "never"},
			attribute{Name: "site", Type: "complex", SubAttributes: []attribute{{Name: "name", Required: true}, {Name: "floor", Type: "integer"}}},
		))

		// At once, to all connections of the organization and to no other.
		schema := tn.must(200, "GET", "/Schemas/"+strings.ToUpper(employee), "")
		if schema.string("id") != employee || schema.len("attributes") != 7 || schema.string("meta", "location") != tn.base+"/Schemas/"+employee {
			t.Errorf("the schema is %s", schema.text)
		}
		if list := tn.must(200, "GET", "/Schemas", ""); list.at("totalResults") != 4.0 {
			t.Errorf("Schemas = %s", list.text)
		}
		if user := tn.must(200, "GET", "/ResourceTypes/User", ""); user.string("schemaExtensions", 1, "schema") != employee {
			t.Errorf("ResourceTypes/User = %s", user.text)
		}
		if user := other.must(200, "GET", "/ResourceTypes/User", ""); user.len("schemaExtensions") != 1 {
			t.Errorf("another organization's ResourceTypes/User = %s", user.text)
		}
		other.fails(404, "", employee, "GET", "/Schemas/"+employee, "")
		if created := other.must(201, "POST", "/Users", strings.Replace(flat, "%", "other", 1)); strings.Contains(created.text, "acme") {
			t.Errorf("another organization knows the schema: %s", created.text)
		}

		created := tn.must(201, "POST", "/Users", strings.Replace(flat, "%", "anna", 1))
		path := "/Users/" + created.string("id")
		has := func(r response, costCode string, level any, site string) {
			t.Helper()
			if r.string(employee, "costCode") != costCode || r.at(employee, "level") != level || r.string(employee, "site", "name") != site || r.string("schemas", 1) != employee {
				t.Errorf("the user is %s, want %s, %v, %s", r.text, costCode, level, site)
			}
		}
		has(created, "C1", 3.0, "Berlin")
		has(tn.must(200, "GET", path, ""), "C1", 3.0, "Berlin")
		has(tn.must(200, "PATCH", path, patch("replace", employee+":costCode", `"C2"`)), "C2", 3.0, "Berlin")
		has(tn.must(200, "PATCH", path, patch("replace", "", `{"`+employee+`":{"level":4},"`+employee+`:site":{"floor":2}}`)), "C2", 4.0, "Berlin")
		has(tn.must(200, "PUT", path, `{"userName":"anna","`+strings.ToUpper(employee)+`":{"COSTCODE":"C3","level":5,"site":{"name":"Rome","floor":1},"badge":"B1","note":"n","hidden":"h","pin":"1234"}}`), "C3", 5.0, "Rome")
		tn.fails(400, "invalidValue", "level takes a whole number", "PATCH", path, patch("replace", employee+":level", `"high"`))
		tn.fails(400, "invalidValue", "site.name is required", "PATCH", path, patch("remove", employee+":site.name", ""))
		tn.fails(400, "mutability", employee+":badge is immutable", "PATCH", path, patch("replace", employee+":badge", `"B2"`))
		tn.must(200, "PATCH", path, patch("replace", employee+":badge", `"B1"`))

		// What is shown, alone and in a list.
		for _, get := range []string{path, `/Users?filter=userName+eq+"anna"`} {
			separator := "?"
			if strings.Contains(get, "?") {
				separator = "&"
			}
			text := tn.must(200, "GET", get, "").text
			asked := tn.must(200, "GET", get+separator+"attributes="+employee+":note,"+employee+":hidden", "").text
			excluded := tn.must(200, "GET", get+separator+"excludedAttributes="+employee, "").text
			if !strings.Contains(text, `"badge":"B1"`) || strings.Contains(text, `"note"`) || strings.Contains(text, `"hidden"`) || strings.Contains(text, "1234") {
				t.Errorf("GET %s = %s", get, text)
			}
			if !strings.Contains(asked, `"`+employee+`":{"note":"n"}`) || strings.Contains(excluded, "acme") {
				t.Errorf("GET %s by attributes = %s; excluded = %s", get, asked, excluded)
			}
		}

		// Found and sorted by it, but not by what is never shown.
		for _, found := range []string{
			employee + `:costCode eq "c3"`, employee + `:level gt 4`, employee + `:site.name sw "Ro" and userName eq "anna"`, employee + `:site[name eq "Rome"]`,
		} {
			if strings.Contains(found, "[") {
				tn.fails(400, "invalidFilter", "site", "GET", "/Users"+filtered(found), "") // it has one value
			} else if got := tn.must(200, "GET", "/Users"+filtered(found), ""); names(got) != "anna" {
				t.Errorf("%s finds %s", found, names(got))
			}
			other.fails(400, "invalidFilter", employee, "GET", "/Users"+filtered(found), "")
		}
		for _, hidden := range []string{"hidden", "pin"} {
			tn.fails(400, "invalidFilter", hidden, "GET", "/Users"+filtered(employee+`:`+hidden+` sw "h"`), "")
			tn.fails(400, "invalidValue", hidden, "GET", "/Users?sortBy="+employee+":"+hidden, "")
		}
		tn.must(201, "POST", "/Users", `{"userName":"zoe","`+employee+`:level":10}`)
		if got := tn.must(200, "GET", "/Users?sortBy="+employee+":level", ""); !strings.HasPrefix(names(got), "anna zoe") {
			t.Errorf("sorted by level: %s", names(got))
		}
		tag := tn.must(200, "GET", path, "").header.Get("ETag")
		tn.must(304, "GET", path, "", "If-None-Match", tag)

		// Less of it: what no longer fits is not shown. Then nothing of it.
		tn.putSchema(a, employeeSchema(attribute{Name: "costCode", Type: "integer"}, attribute{Name: "level", Type: "integer"}))
		if got := tn.must(200, "GET", path, ""); got.at(employee, "level") != 5.0 || got.at(employee, "costCode") != nil || got.at(employee, "site") != nil {
			t.Errorf("after the change the user is %s", got.text)
		}
		tn.must(200, "GET", path, "", "If-None-Match", tag) // it is another representation
		tn.must(200, "PATCH", path, patch("replace", "title", `"x"`), "If-Match", tag)
		if err := a.DeleteSchema(t.Context(), admin.Actor{Name: "admin"}, tn.organization, employee); err != nil {
			t.Fatal(err)
		}
		for _, get := range []string{path, `/Users?filter=userName+eq+"anna"`, "/Schemas", "/ResourceTypes"} {
			if got := tn.must(200, "GET", get, ""); strings.Contains(got.text, "acme") {
				t.Errorf("GET %s after the deletion = %s", get, got.text)
			}
		}
		tn.fails(404, "", employee, "GET", "/Schemas/"+employee, "")
		if got := tn.must(200, "PATCH", path, patch("replace", employee+":costCode", `7`)); strings.Contains(got.text, "acme") {
			t.Errorf("PATCH after the deletion = %s", got.text)
		}
		tn.putSchema(a, employeeSchema(attribute{Name: "level", Type: "integer"}))
		if got := tn.must(200, "GET", path, ""); strings.Contains(got.text, "acme") {
			t.Errorf("the write after the deletion kept %s", got.text)
		}
	})
}

// Another process learns of a schema when it reads the connection again.
func TestSchemaMadeElsewhere(t *testing.T) {
	databases(t, func(t *testing.T, s *service) {
		a := s.administrator()
		a.Forget = nil
		tn := s.newTenant()
		tn.must(200, "GET", "/Schemas", "")
		tn.putSchema(a, employeeSchema(directory.SchemaAttribute{Name: "costCode"}))
		tn.fails(404, "", employee, "GET", "/Schemas/"+employee, "")
		s.offset.Add(int64(2 * time.Second))
		tn.must(200, "GET", "/Schemas/"+employee, "")
	})
}

func TestSchemaOfGroups(t *testing.T) {
	databases(t, func(t *testing.T, s *service) {
		tn := s.newTenant()
		schema := employeeSchema(directory.SchemaAttribute{Name: "region", Required: true}, directory.SchemaAttribute{Name: "code", Mutability: "immutable"})
		schema.ResourceType = "Group"
		tn.putSchema(s.administrator(), schema)
		if group := tn.must(200, "GET", "/ResourceTypes/Group", ""); group.string("schemaExtensions", 0, "schema") != employee {
			t.Errorf("ResourceTypes/Group = %s", group.text)
		}
		anna := tn.user("anna")
		tn.fails(400, "invalidValue", employee+":region is required", "POST", "/Groups", `{"displayName":"A","`+employee+`":{"code":"1"}}`)
		created := tn.must(201, "POST", "/Groups", `{"displayName":"A","`+employee+`":{"code":"1","region":"EU"},"members":`+memberList(anna)+`}`)
		path := "/Groups/" + created.string("id")
		tn.fails(400, "mutability", employee+":code is immutable", "PUT", path, `{"displayName":"A","`+employee+`":{"code":"2","region":"EU"}}`)
		tn.fails(400, "mutability", "region is required", "PATCH", path, patch("remove", employee+":region", ""))
		if got := tn.must(200, "PUT", path, `{"displayName":"B","members":`+memberList(anna)+`}`); got.string(employee, "code") != "1" || got.at(employee, "region") != nil || got.len("members") != 1 {
			t.Errorf("a PUT without the extension = %s", got.text)
		}
		if got := tn.must(200, "GET", "/Groups", ""); got.string("Resources", 0, employee, "code") != "1" || got.len("Resources", 0, "members") != 1 {
			t.Errorf("GET /Groups = %s", got.text)
		}
	})
}

// An organization may call its attributes as SCIM calls its own.
func TestOwnAttributesAreFoundUnderNamesOfScim(t *testing.T) {
	databases(t, func(t *testing.T, s *service) {
		tn := s.newTenant()
		type attribute = directory.SchemaAttribute
		tn.putSchema(s.administrator(), employeeSchema(
			attribute{Name: "id"}, attribute{Name: "externalId"}, attribute{Name: "schemas"}, attribute{Name: "userName"}, attribute{Name: "groups"},
			attribute{Name: "meta", Type: "complex", SubAttributes: []attribute{{Name: "created"}, {Name: "note"}}},
		))
		for i, name := range []string{"anna", "bob"} {
			value := []string{"2", "1"}[i]
			tn.must(201, "POST", "/Users", `{"userName":"`+name+`","`+employee+`":{"id":"`+value+`","externalId":"`+value+`","schemas":"`+value+`",
				"userName":"`+value+`","groups":"`+value+`","meta":{"created":"`+value+`","note":"`+value+`"}}}`)
		}
		for _, name := range []string{"id", "externalId", "schemas", "userName", "groups", "meta.created", "meta.note"} {
			name = employee + ":" + name
			if got := names(tn.must(200, "GET", "/Users"+filtered(name+` eq "1"`), "")); got != "bob" {
				t.Errorf("%s eq 1 selects %q, want bob", name, got)
			}
			if got := names(tn.must(200, "GET", "/Users?sortBy="+name, "")); got != "bob anna" {
				t.Errorf("sorted by %s: %s", name, got)
			}
		}
		tn.user("carl")
		if got := names(tn.must(200, "GET", "/Users"+filtered(employee+":meta pr"), "")); got != "anna bob" {
			t.Errorf("meta pr selects %s", got)
		}
	})
}
