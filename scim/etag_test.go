package scim_test

import "testing"

// What a client has it is not sent again, and never kept from what has changed.
func TestConditionalReading(t *testing.T) {
	databases(t, func(t *testing.T, s *service) {
		tn := s.newTenant()
		user := "/Users/" + tn.user("anna")
		group := "/Groups/" + tn.newGroup("Admins")
		tag := func(path string) string {
			t.Helper()
			r := tn.must(200, "GET", path, "")
			if got := r.header.Get("ETag"); got == "" || got != r.string("meta", "version") {
				t.Errorf("GET %s: ETag %q, meta.version %q", path, got, r.string("meta", "version"))
			}
			return r.header.Get("ETag")
		}
		for _, path := range []string{user, group} {
			v := tag(path)
			for _, condition := range []string{v, `"x", ` + v, `*`, v[len("W/"):]} {
				r := tn.must(304, "GET", path, "", "If-None-Match", condition)
				if r.text != "" || r.header.Get("ETag") != v {
					t.Errorf("304 has body %q, ETag %q", r.text, r.header.Get("ETag"))
				}
			}
			tn.must(200, "GET", path, "", "If-None-Match", `W/"0"`)
			tn.must(200, "GET", path, "", "If-None-Match", `1`)
		}
		changes := func(what, path, method, at, body string) {
			t.Helper()
			before := tag(path)
			tn.must(200, method, at, body)
			tn.must(200, "GET", path, "", "If-None-Match", before)
			if after := tag(path); after == before {
				t.Errorf("%s left version %s", what, after)
			}
		}
		changes("a title", user, "PATCH", user, patch("replace", "title", `"Guide"`))
		changes("joining a group", user, "PATCH", group, patch("add", "members", memberList(user[len("/Users/"):])))
		changes("a group's new name", user, "PATCH", group, patch("replace", "displayName", `"Staff"`))
		changes("leaving a group", group, "PATCH", group, patch("remove", "members", ""))

		// The groups are not the user's to change, so joining one is no conflict.
		held := tag(user)
		tn.must(200, "PATCH", group, patch("add", "members", memberList(user[len("/Users/"):])))
		joined := tag(user)
		tn.must(200, "PATCH", user, patch("replace", "title", `"Chief"`), "If-Match", held)
		tn.fails(412, "", "has changed", "PATCH", user, patch("replace", "title", `"Chief"`), "If-Match", joined)
		tn.must(304, "GET", user+"?excludedAttributes=groups", "", "If-None-Match", tn.must(200, "GET", user+"?excludedAttributes=groups", "").header.Get("ETag"))
	})
}
