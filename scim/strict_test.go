package scim_test

import (
	"testing"

	"github.com/rolesync/rolesync/internal/store"
)

const coreUser = `"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"]`

func (s *service) newStrictTenant() *tenant {
	tn := s.newTenant()
	strict := true
	tn.transact(func(tx *store.Tx) { tx.ChangeConnection(store.ConnectionChange{Strict: &strict}) })
	tn.handler.Forget(tn.connection)
	return tn
}

// The interoperability profile, and where RFC 7644 is stricter than we are elsewhere.
func TestStrictConnection(t *testing.T) {
	databases(t, func(t *testing.T, s *service) {
		tn, lenient := s.newStrictTenant(), s.newTenant()
		if r := tn.must(200, "GET", "/ServiceProviderConfig", ""); r.at("interopProfileConformant") != true {
			t.Errorf("the profile is not advertised: %s", r.text)
		}
		if r := lenient.must(200, "GET", "/ServiceProviderConfig", ""); r.at("interopProfileConformant") != nil {
			t.Errorf("a lenient connection advertises the profile: %s", r.text)
		}
		create := `{` + coreUser + `,"userName":"anna","active":true,"name":{"givenName":"Anna","familyName":"Smith"},
			"emails":[{"type":"work","value":"a@example.com","primary":true},{"type":"work","value":"b@example.com"},{"type":"home","value":"c@example.com"}]}`
		user := "/Users/" + tn.must(201, "POST", "/Users", create).string("id")
		group := "/Groups/" + tn.must(201, "POST", "/Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Admins",
			"members":[{"value":"`+user[len("/Users/"):]+`","display":"Anna","type":"User"}]}`).string("id")
		other := "/Users/" + lenient.must(201, "POST", "/Users", create).string("id")

		for _, tt := range []struct {
			name, method, path, body string
			scimType, detail         string
			lenient                  int // what a lenient connection answers; 0: it is not asked
		}{
			{"no schemas", "POST", "/Users", `{"userName":"b"}`, "invalidSyntax", "schemas", 201},
			{"schemas of something else", "POST", "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:x"],"userName":"c"}`, "invalidSyntax", "urn:x", 201},
			{"an unknown attribute", "POST", "/Users", `{` + coreUser + `,"userName":"d","colour":"red"}`, "invalidSyntax", "colour", 201},
			{"an unknown sub-attribute", "POST", "/Users", `{` + coreUser + `,"userName":"e","name":{"colour":"red"}}`, "invalidSyntax", "name.colour", 201},
			{"an unknown attribute of an extension", "POST", "/Users", `{` + coreUser + `,"userName":"f","` + enterpriseURN + `":{"colour":"red"}}`, "invalidSyntax", "colour", 201},
			{"a dotted key", "POST", "/Users", `{` + coreUser + `,"userName":"g","name.givenName":"G"}`, "invalidSyntax", "name.givenName", 201},
			{"a flat URN", "POST", "/Users", `{` + coreUser + `,"userName":"h","` + enterpriseURN + `:department":"x"}`, "invalidSyntax", "department", 201},
			{"a boolean as a string", "POST", "/Users", `{` + coreUser + `,"userName":"i","active":"true"}`, "invalidValue", "active takes true or false", 201},
			{"a number for a string", "PUT", "", `{` + coreUser + `,"userName":"j","externalId":17}`, "invalidValue", "externalId", 200},
			{"one value for a list", "PUT", "", `{` + coreUser + `,"userName":"k","emails":{"value":"x@example.com"}}`, "invalidValue", "emails takes an array", 200},
			{"a type that is not canonical", "PUT", "", `{` + coreUser + `,"userName":"l","emails":[{"type":"weekend","value":"x"}]}`, "invalidValue", "weekend", 200},
			{"no path", "PATCH", "", patch("replace", "", `{"active":false}`), "invalidSyntax", "path", 200},
			{"no operations", "PATCH", "", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[]}`, "invalidSyntax", "empty", 200},
			{"no schemas of a PATCH", "PATCH", "", `{"Operations":[{"op":"replace","path":"title","value":"x"}]}`, "invalidSyntax", "PatchOp", 200},
			{"an unknown path", "PATCH", "", patch("replace", "colour", `"red"`), "invalidSyntax", "colour", 200},
			{"an unknown sub-attribute in a value", "PATCH", "", patch("add", "name", `{"colour":"red"}`), "invalidSyntax", "name.colour", 200},
			{"a whole element", "PATCH", "", patch("replace", `emails[type eq "home"]`, `{"value":"x@example.com"}`), "invalidPath", "sub-attribute", 200},
			{"a filter that selects two", "PATCH", "", patch("replace", `emails[type eq "work"].display`, `"x"`), "invalidFilter", "2 elements", 200},
			{"a filter that selects none", "PATCH", "", patch("add", `phoneNumbers[type eq "work"].value`, `"1"`), "noTarget", "phoneNumbers", 200},
			{"a read-only path", "PATCH", "", patch("replace", "id", `"x"`), "mutability", "id", 0},
			{"a manager as a string", "PATCH", "", patch("add", enterpriseURN+":manager", `"m-1"`), "invalidValue", "manager takes an object", 200},
			{"a search without schemas", "POST", "/.search", `{"filter":"userName pr"}`, "invalidSyntax", "SearchRequest", 200},
			{"a bulk request without schemas", "POST", "/Bulk", `{"Operations":[]}`, "invalidSyntax", "BulkRequest", 200},
		} {
			t.Run(tt.name, func(t *testing.T) {
				at, otherAt := tt.path, tt.path
				if at == "" {
					at, otherAt = user, other
				}
				before := tn.must(200, "GET", user, "").text
				tn.fails(400, tt.scimType, tt.detail, tt.method, at, tt.body)
				if after := tn.must(200, "GET", user, "").text; after != before {
					t.Errorf("a refused request changed %s to %s", before, after)
				}
				if tt.lenient != 0 {
					lenient.must(tt.lenient, tt.method, otherAt, tt.body)
				}
			})
		}
		tn.fails(415, "", "text/plain", "PATCH", user, patch("replace", "title", `"x"`), "Content-Type", "text/plain")
		tn.fails(415, "", "Content-Type", "PATCH", user, patch("replace", "title", `"x"`), "Content-Type", "")
		tn.must(200, "PATCH", user, patch("replace", "title", `"x"`), "Content-Type", "application/json; charset=utf-8")

		// What the profile asks for works.
		if r := tn.must(200, "PATCH", user, patch("replace", "name", `{"givenName":"Ann"}`)); r.string("name", "givenName") != "Ann" || r.at("name", "familyName") != nil {
			t.Errorf("replace of a complex attribute left %v", r.at("name"))
		}
		if r := tn.must(200, "PATCH", user, patch("add", "name", `{"familyName":"Lee"}`)); r.string("name", "givenName") != "Ann" || r.string("name", "familyName") != "Lee" {
			t.Errorf("add to a complex attribute left %v", r.at("name"))
		}
		for _, body := range []string{patch("replace", `emails[type eq "home"].value`, `"new@example.com"`), patch("replace", "active", "false"), patch("add", "active", "true"),
			patch("replace", "title", "null"), patch("remove", `emails[type eq "home"]`, ""), patch("add", enterpriseURN+":manager", `{"value":"m-1"}`)} {
			tn.must(200, "PATCH", user, body)
		}
		if r := tn.must(200, "PATCH", group, patch("remove", `members[value eq "`+user[len("/Users/"):]+`"]`, "")); r.len("members") != 0 {
			t.Errorf("the member is still there: %s", r.text)
		}
		put := tn.must(200, "GET", user, "")
		tn.must(200, "PUT", user, put.text) // a client sends back what it was shown
		tn.fails(400, "invalidFilter", "colour", "GET", "/Users"+filtered(`colour eq "red"`), "")
		tn.must(204, "DELETE", user, "")
		tn.fails(404, "", "there is no user", "GET", user, "")
	})
}
