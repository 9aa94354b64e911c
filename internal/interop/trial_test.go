package interop

import (
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// testLogin makes a test login of a connection, as an administrator does before anybody
// signs in, and checks what it shows and that nobody was made a user by it.
func testLogin(t *testing.T, w *world, p *provider) {
	c := w.connect(t, p, "test", nil)
	person := people()[1]
	path := c.path() + "/saml/tests"
	var begun struct{ ID, URL string }
	w.admin(t, "POST", path, nil, &begun)
	b := newBrowser(t, person)
	if end := b.open(begun.URL); end.status != http.StatusOK {
		t.Fatalf("the test login ended at %s with %d:\n%s", end.url, end.status, end.body)
	}
	var done struct {
		Status string
		Result struct {
			Accepted bool
			Refusal  any
			Checks   []struct {
				Name   string
				Passed bool
			}
			Person struct{ Email string }
			Groups struct {
				Fact   string
				Values []string
			}
			Roles struct {
				Assignment struct{ Roles []string }
			}
		}
	}
	w.admin(t, "GET", path+"/"+begun.ID, nil, &done)
	result := done.Result
	if done.Status != "done" || !result.Accepted {
		t.Fatalf("the test login is %s, accepted %v, refused for %v; checks %+v", done.Status, result.Accepted, result.Refusal, result.Checks)
	}
	for _, check := range result.Checks {
		if !check.Passed {
			t.Errorf("the check %s has not passed, and the login is accepted", check.Name)
		}
	}
	if result.Person.Email != person.Email || result.Groups.Fact != "stated" {
		t.Errorf("the test login shows %s with groups %s, want %s, stated", result.Person.Email, result.Groups.Fact, person.Email)
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(person.Groups)), slices.Sorted(slices.Values(result.Groups.Values))); diff != "" {
		t.Errorf("groups of the test login (-provider +shown):\n%s", diff)
	}
	if roles := result.Roles.Assignment.Roles; !slices.Contains(roles, "admin") {
		t.Errorf("the test login would give the roles %v, want admin among them", roles)
	}
	var users struct{ Items []any }
	w.admin(t, "GET", "/organizations/"+c.Organization+"/users", nil, &users)
	if len(users.Items) > 0 {
		t.Errorf("the test login has left users: %v", users.Items)
	}
}
