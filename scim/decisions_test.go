package scim_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// Where standards and providers contradict each other, it was decided once: one subtest
// for each decision, in the words of the table that has them.
func TestDecidedOnce(t *testing.T) {
	s := newService(t, "")
	tn := s.newTenant()
	user := func(t *testing.T, body string) string {
		t.Helper()
		return "/Users/" + tn.must(201, "POST", "/Users", body).string("id")
	}
	group := func(t *testing.T, body string) string {
		t.Helper()
		return "/Groups/" + tn.must(201, "POST", "/Groups", body).string("id")
	}
	ids := func(t *testing.T, prefix string, n int) (list []string) {
		t.Helper()
		for i := range n {
			list = append(list, tn.user(fmt.Sprintf("%s-%d", prefix, i)))
		}
		return list
	}
	members := func(t *testing.T, at string) int { t.Helper(); return tn.must(200, "GET", at, "").len("members") }

	t.Run("answer to PATCH: 200 with the resource, 204 for a group above 100 members", func(t *testing.T) {
		at := group(t, `{"displayName":"answer"}`)
		all := ids(t, "answer", 101)
		if r := tn.must(200, "PATCH", at, patch("add", "members", memberList(all[:100]...))); r.len("members") != 100 || r.string("id") == "" {
			t.Errorf("100 members: %.200s", r.text)
		}
		if r := tn.must(204, "PATCH", at, patch("add", "members", memberList(all[100]))); r.text != "" {
			t.Errorf("101 members: %.200s", r.text)
		}
		if r := tn.must(200, "PATCH", "/Users/"+all[0], patch("replace", "title", `"x"`)); r.string("title") != "x" {
			t.Errorf("a user: %s", r.text)
		}
	})
	t.Run("a value path that matches nothing creates the element for a canonical value, else 400 noTarget", func(t *testing.T) {
		at := user(t, `{"userName":"value path"}`)
		for i, filter := range []string{`type eq "work"`, `type eq "home"`, `type eq "mobile"`, `type eq "fax"`, `type eq "pager"`, `type eq "other"`, `primary eq true`} {
			op := []string{"add", "replace"}[i%2]
			if r := tn.must(200, "PATCH", at, patch(op, "phoneNumbers["+filter+"].value", fmt.Sprintf(`"%d"`, i))); r.len("phoneNumbers") != i+1 {
				t.Errorf("%s phoneNumbers[%s] made %v", op, filter, r.at("phoneNumbers"))
			}
		}
		for i, name := range []string{"work", "home", "mobile", "fax", "pager", "other"} { // also where RFC 7643 suggests others
			if r := tn.must(200, "PATCH", at, patch("add", `emails[type eq "`+name+`"].value`, `"a@example.com"`)); r.len("emails") != i+1 || r.string("emails", i, "type") != name {
				t.Errorf("emails of type %s: %v", name, r.at("emails"))
			}
		}
		for _, filter := range []string{`type eq "weekend"`, `value eq "x"`, `type eq "work" and value eq "x"`, `type ne "work" and primary eq false and value eq "y"`} {
			tn.fails(400, "noTarget", "phoneNumbers", "PATCH", at, patch("replace", "phoneNumbers["+filter+"].display", `"x"`))
		}
	})
	t.Run("a remove that matches nothing is a success that changes nothing", func(t *testing.T) {
		at, gone := user(t, `{"userName":"remove nothing"}`), tn.user("never a member")
		g := group(t, `{"displayName":"remove nothing"}`)
		before := tn.must(200, "GET", at, "").text
		for _, path := range []string{"title", "emails", `emails[type eq "work"]`, `emails[type eq "work"].value`, "name.givenName", enterpriseURN + ":manager"} {
			tn.must(200, "PATCH", at, patch("remove", path, ""))
		}
		if after := tn.must(200, "GET", at, "").text; after != before {
			t.Errorf("%s became %s", before, after)
		}
		tn.must(200, "PATCH", g, patch("remove", `members[value eq "`+gone+`"]`, ""))
		tn.must(200, "PATCH", g, patch("remove", "members", memberList(gone)))
	})
	t.Run("remove of members with a value list takes the listed, without a value all", func(t *testing.T) {
		some := ids(t, "leaver", 4)
		at := group(t, `{"displayName":"leavers","members":`+memberList(some...)+`}`)
		for _, step := range []struct {
			value string
			left  int
		}{{memberList(some[0]), 3}, {`{"value":"` + some[1] + `"}`, 2}, {`[]`, 2}, {"", 0}} {
			tn.must(200, "PATCH", at, patch("remove", "members", step.value))
			if got := members(t, at); got != step.left {
				t.Errorf("remove of %s left %d members, want %d", step.value, got, step.left)
			}
		}
	})
	t.Run("a read-only attribute is ignored inside a value without path, 400 mutability when the path names it", func(t *testing.T) {
		at := user(t, `{"userName":"read only"}`)
		if r := tn.must(200, "PATCH", at, patch("replace", "", `{"id":"x","schemas":["urn:x"],"meta":{"version":"1"},"groups":[],"title":"Guide"}`)); r.string("title") != "Guide" || "/Users/"+r.string("id") != at {
			t.Errorf("became %s", r.text)
		}
		for _, path := range []string{"id", "meta", "meta.version", "groups"} {
			tn.fails(400, "mutability", path, "PATCH", at, patch("replace", path, `"x"`))
		}
	})
	t.Run("missing schemas are tolerated, and refused in strict mode", func(t *testing.T) {
		at := user(t, `{"userName":"no schemas"}`)
		tn.must(200, "PUT", at, `{"userName":"no schemas"}`)
		tn.must(200, "PATCH", at, `{"Operations":[{"op":"replace","path":"title","value":"x"}]}`)
		strict := s.newStrictTenant()
		at = "/Users/" + strict.must(201, "POST", "/Users", `{`+coreUser+`,"userName":"with schemas"}`).string("id")
		strict.fails(400, "invalidSyntax", "schemas", "POST", "/Users", `{"userName":"no schemas"}`)
		strict.fails(400, "invalidSyntax", "schemas", "PUT", at, `{"userName":"no schemas"}`)
		strict.fails(400, "invalidSyntax", "schemas", "PATCH", at, `{"Operations":[{"op":"replace","path":"title","value":"x"}]}`)
	})
	t.Run("keys, ops, null, empty attributes, no Content-Type, chunks, booleans as strings and numbers", func(t *testing.T) {
		at := user(t, `{"USERNAME":"spelled","Active":"True","Name":{"GIVENNAME":"A"}}`)
		for _, body := range []string{
			`{"OPERATIONS":[{"OP":"Replace","PATH":"ACTIVE","VALUE":"False"}]}`, `{"Operations":[{"op":"rEPLACE","path":null,"value":{"active":0}}]}`,
			`{"Operations":[{"op":"replace","path":"active","value":"0"}]}`, `{"Operations":[{"op":"replace","value":{"active":false,"title":null}}]}`,
		} {
			tn.must(200, "PATCH", at, patch("replace", "active", "true"))
			if r := tn.must(200, "PATCH", at, body); r.at("active") != false || r.at("title") != nil {
				t.Errorf("%s made %s", body, r.text)
			}
		}
		if r := tn.must(200, "GET", at+"?attributes=&excludedAttributes=", ""); r.string("userName") != "spelled" {
			t.Errorf("empty attributes show %s", r.text)
		}
		tn.must(200, "PATCH", at, patch("replace", "title", `"x"`), "Content-Type", "")
		request, err := http.NewRequest("PATCH", tn.base+at, &unsized{strings.NewReader(patch("replace", "title", `"chunked"`))})
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+tn.token)
		answer, err := http.DefaultClient.Do(request)
		if err != nil || answer.StatusCode != 200 {
			t.Fatalf("chunks: %v, %v", answer, err)
		}
		_ = answer.Body.Close()
	})
	t.Run("a partial complex value is merged, without path or by replace", func(t *testing.T) {
		at := user(t, `{"userName":"partial","name":{"givenName":"A","familyName":"B"}}`)
		tn.must(200, "PATCH", at, patch("replace", "", `{"name":{"givenName":"C"}}`))
		if r := tn.must(200, "PATCH", at, patch("replace", "name", `{"middleName":"D"}`)); r.string("name", "givenName") != "C" || r.string("name", "familyName") != "B" || r.string("name", "middleName") != "D" {
			t.Errorf("became %v", r.at("name"))
		}
	})
	t.Run("a duplicate group displayName is 409 uniqueness", func(t *testing.T) {
		group(t, `{"displayName":"Twice"}`)
		other := group(t, `{"displayName":"Once"}`)
		tn.fails(409, "uniqueness", "twice", "POST", "/Groups", `{"displayName":"twice"}`)
		tn.fails(409, "uniqueness", "TWICE", "PUT", other, `{"displayName":"TWICE"}`)
		tn.fails(409, "uniqueness", "Twice", "PATCH", other, patch("replace", "displayName", `"Twice"`))
		s.newTenant().must(201, "POST", "/Groups", `{"displayName":"Twice"}`) // in one connection
	})
	t.Run("userName compares without case and is unique, externalId with case", func(t *testing.T) {
		user(t, `{"userName":"Case","externalId":"e-A"}`)
		tn.fails(409, "uniqueness", "cASE", "POST", "/Users", `{"userName":"cASE"}`)
		for filter, want := range map[string]float64{`userName eq "CASE"`: 1, `externalId eq "e-A"`: 1, `externalId eq "e-a"`: 0} {
			if r := tn.must(200, "GET", "/Users"+filtered(filter), ""); r.at("totalResults") != want {
				t.Errorf("%s finds %v, want %v", filter, r.at("totalResults"), want)
			}
		}
	})
	t.Run("discovery with a filter is 403, POST on it 405", func(t *testing.T) {
		for _, path := range []string{"/ServiceProviderConfig", "/ResourceTypes", "/Schemas"} {
			tn.fails(403, "", "filter", "GET", path+filtered(`id eq "x"`), "")
			if r := tn.fails(405, "", "POST", "POST", path, "{}"); r.header.Get("Allow") != "GET, HEAD" {
				t.Errorf("%s allows %q", path, r.header.Get("Allow"))
			}
		}
	})
	t.Run("content type is application/scim+json, a 401 carries Bearer, /Me is 501", func(t *testing.T) {
		for _, r := range []response{tn.must(200, "GET", "/Users", ""), tn.fails(404, "", "", "GET", "/Users/x", ""), tn.fails(501, "", "", "GET", "/Me", "")} {
			if got := r.header.Get("Content-Type"); got != "application/scim+json" {
				t.Errorf("Content-Type %q", got)
			}
		}
		if r := tn.fails(401, "", "bearer token", "GET", "/Users", "", "Authorization", ""); !strings.HasPrefix(r.header.Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("WWW-Authenticate %q", r.header.Get("WWW-Authenticate"))
		}
	})
	t.Run("discovery documents are exact", func(t *testing.T) {
		for _, path := range []string{"/ServiceProviderConfig", "/ResourceTypes", "/Schemas"} {
			if r := tn.must(200, "GET", path, ""); strings.Contains(r.text, `"specUri":""`) || strings.Contains(r.text, `:""`) || strings.Contains(r.text, ":null") {
				t.Errorf("%s has what is empty: %.300s", path, r.text)
			}
		}
		config := tn.must(200, "GET", "/ServiceProviderConfig", "")
		for name := range config.body {
			if !strings.Contains(" schemas patch bulk filter changePassword sort etag pagination authenticationSchemes meta ", " "+name+" ") {
				t.Errorf("ServiceProviderConfig has %s", name)
			}
		}
	})
	t.Run("a group without displayName and a user without userName are 400 invalidValue", func(t *testing.T) {
		tn.fails(400, "invalidValue", "userName", "POST", "/Users", `{"displayName":"nobody"}`)
		tn.fails(400, "invalidValue", "userName", "POST", "/Users", `{"userName":" "}`)
		tn.fails(400, "invalidValue", "displayName", "POST", "/Groups", `{"externalId":"x"}`)
	})
}

// unsized is a body whose length is not known, so that it is sent in chunks.
type unsized struct{ *strings.Reader }
