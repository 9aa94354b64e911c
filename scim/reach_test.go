package scim_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// However a path is written, a request goes to the connection that its path names, if it
// goes anywhere: of these nothing arrives at the other, whose token refusals are counted.
func TestPathTricksReachNoOtherConnection(t *testing.T) {
	s := newService(t, "")
	tn, other := s.newTenant(), s.newTenant()
	user, group := other.user("theirs"), other.newGroup("Theirs")
	before := other.must(200, "GET", "/Users/"+user, "").text + other.must(200, "GET", "/Groups/"+group, "").text
	counted, _ := other.recorded()

	a, b := "/scim/v2/"+string(tn.connection), string(other.connection)
	for _, there := range []string{
		a + "/../" + b, a + "/..//" + b, a + "/./../" + b, a + "//../" + b, a + "/Users/../../" + b, a + "/..;/" + b,
		a + "/%2e%2e/" + b, a + "/%2E%2E/" + b, a + "/.%2e/" + b, a + "/%252e%252e/" + b, a + "/%252e%252e%252f" + b, a + "/%25252e%25252e/" + b,
		a + "/..%2f" + b, a + "/..%2F" + b, a + "/%2e%2e%2f" + b, a + "/..%252f" + b, a + "/..%5c" + b, a + "/%c0%ae%c0%ae/" + b,
		a + "%2f..%2f" + b, a + "%2f" + b, a + "%00/../" + b, a + "%0a" + b, a + ";" + b, a + "," + b, a + "/" + b, a + "//" + b,
		"/scim/v2//" + b, "//scim/v2/" + b, "/scim//v2/" + b, "/scim/v2/./" + b, "/scim/v2/x/../" + b, "/scim/v2/%2e/" + b, "/scim/v2/%2f" + b,
		"/scim%2fv2/" + b, "/scim/v2%2f" + b, "/%73cim/v2/" + b, "/%2e/scim/v2/" + b,
	} {
		for _, tt := range []struct{ method, path, body string }{
			{"GET", "/Users", ""}, {"POST", "/Users", `{"userName":"intruder"}`}, {"GET", "/Users/" + user, ""}, {"PUT", "/Users/" + user, `{"userName":"x"}`},
			{"PATCH", "/Users/" + user, patch("replace", "active", "false")}, {"DELETE", "/Users/" + user, ""}, {"DELETE", "/Groups/" + group, ""},
			{"PATCH", "/Groups/" + group, patch("add", "members", memberList(user))}, {"POST", "/.search", "{}"}, {"POST", "/Bulk", bulkBody(`{"method":"DELETE","path":"/Users/` + user + `"}`)},
			{"DELETE", "%2fUsers%2f" + user, ""},
		} {
			request, err := http.NewRequest(tt.method, s.url+there+tt.path, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Authorization", "Bearer "+tn.token)
			answer, err := http.DefaultTransport.RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			_ = answer.Body.Close()
			if answer.StatusCode < 400 || answer.StatusCode >= 500 || answer.Header.Get("Location") != "" {
				t.Errorf("%s %s = %d, Location %q, want a 4xx that leads nowhere", tt.method, request.URL, answer.StatusCode, answer.Header.Get("Location"))
			}
		}
	}
	now, _ := other.recorded()
	if diff := cmp.Diff(counted.Kinds, now.Kinds); diff != "" {
		t.Errorf("a request reached the other connection (-before +after):\n%s", diff)
	}
	tn.fails(401, "", "token", "GET", other.base+"/Users", "") // it would have been counted
	if now, _ := other.recorded(); cmp.Equal(counted.Kinds, now.Kinds) {
		t.Error("a wrong token is not counted")
	}
	if after := other.must(200, "GET", "/Users/"+user, "").text + other.must(200, "GET", "/Groups/"+group, "").text; after != before {
		t.Errorf("%s became %s", before, after)
	}
}
