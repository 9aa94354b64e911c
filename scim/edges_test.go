package scim_test

import (
	"strings"
	"testing"
)

// Each limit at its edge, as a client meets it: what is just small enough is served,
// and one more is refused.

func TestDefaultBodyLimit(t *testing.T) {
	s := newService(t, "")
	s.handler.MaxBody = 0
	tn := s.newTenant()
	at := "/Users/" + tn.user("anna")
	if got := tn.must(200, "GET", "/ServiceProviderConfig", "").at("bulk", "maxPayloadSize"); got != float64(10<<20) {
		t.Errorf("maxPayloadSize = %v, want 10 MiB", got)
	}
	padded := func(body string, size int) string { return body + strings.Repeat(" ", size-len(body)) }
	for _, tt := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", "/Users", `{"userName":"bert"}`, 201},
		{"PUT", at, `{"userName":"anna"}`, 200},
		{"PATCH", at, patch("replace", "title", `"x"`), 200},
		{"POST", "/Users/.search", `{"count":1}`, 200},
		{"POST", "/Bulk", bulkBody(), 200},
	} {
		tn.must(tt.status, tt.method, tt.path, padded(tt.body, 10<<20))
		tn.fails(413, "", "larger than 10485760 bytes", tt.method, tt.path, padded(tt.body, 10<<20+1))
	}
}

func TestOperationsAtTheLimit(t *testing.T) {
	tn := newService(t, "").newTenant()
	at := "/Users/" + tn.user("anna")
	body := func(n int) string {
		return `{"Operations":[` + strings.TrimSuffix(strings.Repeat(`{"op":"replace","path":"title","value":"x"},`, n), ",") + `]}`
	}
	tn.fails(413, "", "5001 operations", "PATCH", at, body(5001))
	if r := tn.must(200, "GET", at, ""); r.at("title") != nil {
		t.Errorf("a part of too many operations was carried out: %s", r.text)
	}
	tn.must(200, "PATCH", at, body(5000))
}

func TestFiltersAndPathsAtTheLimit(t *testing.T) {
	tn := newService(t, "").newTenant()
	at := "/Users/" + tn.must(201, "POST", "/Users", `{"userName":"anna","emails":[{"type":"work","value":"a@example.com"}]}`).string("id")
	long := func(size int) string {
		f := `userName eq "anna" or title eq "`
		return f + strings.Repeat("x", size-len(f)-1) + `"`
	}
	nested := func(open, inner, end string, n int) string {
		return strings.Repeat(open, n) + inner + strings.Repeat(end, n)
	}
	for _, tt := range []struct{ name, within, beyond, detail string }{
		{"bytes", long(8 << 10), long(8<<10 + 1), "longer than 8192 bytes"},
		{"parentheses", nested("(", "userName pr", ")", 20), nested("(", "userName pr", ")", 21), "nests deeper than 20"},
		{"negations", nested("not (", "userName pr", ")", 20), nested("not (", "userName pr", ")", 21), "nests deeper than 20"},
		{"parentheses within brackets", "emails[" + nested("(", "value pr", ")", 19) + "]", "emails[" + nested("(", "value pr", ")", 20) + "]", "nests deeper than 20"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, path := range []string{"/Users", "/Users/.search", "/.search"} {
				send := func(f string) (method, at, body string) {
					if path == "/Users" {
						return "GET", path + filtered(f), ""
					}
					return "POST", path, `{"filter":` + quoted(f) + `}`
				}
				method, at, body := send(tt.within)
				if r := tn.must(200, method, at, body); r.at("totalResults") != 1.0 {
					t.Errorf("%s finds %s", path, r.text)
				}
				method, at, body = send(tt.beyond)
				tn.fails(400, "invalidFilter", tt.detail, method, at, body)
			}
		})
	}
	tn.must(200, "PATCH", at, patch("remove", "emails["+nested("(", `type eq "home"`, ")", 19)+"]", ""))
	tn.fails(400, "invalidPath", "nests deeper than 20", "PATCH", at, patch("remove", "emails["+nested("(", `type eq "home"`, ")", 20)+"]", ""))
}

// The guard stands before every body, not before that of a new user alone.
func TestGuardOfEveryBody(t *testing.T) {
	tn := newService(t, "").newTenant()
	user, group := "/Users/"+tn.user("anna"), "/Groups/"+tn.newGroup("Admins")
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, tt := range []struct {
		name, method, path string
		body               string // with % where a member can be added
		within             int    // objects and arrays around that
		status             int
	}{
		{"a new user", "POST", "/Users", `{"userName":"b"%}`, 1, 201},
		{"a replaced user", "PUT", user, `{"userName":"anna"%}`, 1, 200},
		{"a patched user", "PATCH", user, `{"Operations":[{"op":"replace","value":{"title":"x"%}}]}`, 4, 200},
		{"a new group", "POST", "/Groups", `{"displayName":"b"%}`, 1, 201},
		{"a replaced group", "PUT", group, `{"displayName":"Admins"%}`, 1, 200},
		{"a patched group", "PATCH", group, `{"Operations":[{"op":"replace","value":{"externalId":"x"%}}]}`, 4, 200},
		{"a search of users", "POST", "/Users/.search", `{"count":1%}`, 1, 200},
		{"a search of all", "POST", "/.search", `{"count":1%}`, 1, 200},
		{"a bulk request", "POST", "/Bulk", `{"Operations":[]%}`, 1, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			with := func(member string) string { return strings.Replace(tt.body, "%", member, 1) }
			for member, detail := range map[string]string{
				`,"x":` + deep(65-tt.within): "deeper than 64", `,"x":"\u0000"`: "U+0000", `,"x":"\ud83d"`: "surrogate",
				`,"x":1,"X":2`: "appears twice", `,"x":{"y":[{"a":1,"a":1}]}`: "appears twice",
			} {
				tn.fails(400, "invalidSyntax", detail, tt.method, tt.path, with(member))
			}
			tn.must(tt.status, tt.method, tt.path, with(`,"x":`+deep(64-tt.within)))
		})
	}
}

// Whatever the endpoint, a query string that nobody can read is not passed over.
func TestMalformedQueryOfEveryEndpoint(t *testing.T) {
	tn := newService(t, "").newTenant()
	user, group := "/Users/"+tn.user("anna"), "/Groups/"+tn.newGroup("Admins")
	for _, tt := range []struct{ method, path, body string }{
		{"GET", "/Users", ""}, {"POST", "/Users", `{"userName":"b"}`}, {"GET", user, ""}, {"PUT", user, `{"userName":"c"}`},
		{"PATCH", user, patch("replace", "title", `"x"`)}, {"DELETE", user, ""},
		{"GET", "/Groups", ""}, {"POST", "/Groups", `{"displayName":"b"}`}, {"GET", group, ""}, {"PUT", group, `{"displayName":"c"}`},
		{"PATCH", group, patch("replace", "externalId", `"x"`)}, {"DELETE", group, ""},
		{"GET", "/ServiceProviderConfig", ""}, {"GET", "/Schemas", ""}, {"GET", "/ResourceTypes/User", ""},
		{"POST", "/.search", `{}`}, {"POST", "/Users/.search", `{}`}, {"POST", "/Bulk", bulkBody()},
	} {
		for query, detail := range map[string]string{"attributes=title;x": "malformed", "attributes=%zz": "malformed", "%": "malformed",
			"attributes=a&Attributes=b": "twice", "excludedAttributes=%00": "not text", "filter=%ff": "not text"} {
			tn.fails(400, "invalidValue", detail, tt.method, tt.path+"?"+query, tt.body)
		}
	}
	for _, path := range []string{user, group} {
		if r := tn.must(200, "GET", path, ""); r.string("meta", "version") != `W/"1"` {
			t.Errorf("a refused request changed %s", r.text)
		}
	}
	if r := tn.must(200, "GET", "/Users", ""); r.at("totalResults") != 1.0 {
		t.Errorf("a refused request made %s", r.text)
	}
}
