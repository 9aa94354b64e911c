package interop

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestProviders(t *testing.T) {
	w := newWorld(t)
	for _, product := range products {
		t.Run(product.name, func(t *testing.T) {
			t.Parallel()
			p := product.start(t)
			t.Run("refuses a request that is not signed", func(t *testing.T) { refusesUnsigned(t, p) })
			t.Run("test login", func(t *testing.T) { testLogin(t, w, p) })
			for _, name := range []string{"signed", "encrypted"} {
				c := w.connect(t, p, name, nil)
				for _, person := range people() {
					t.Run(fmt.Sprintf("%s, %d groups", name, len(person.Groups)), func(t *testing.T) { c.signIn(t, person) })
				}
			}
			for name, test := range product.tests {
				t.Run(name, func(t *testing.T) { test(t, w, p) })
			}
		})
	}
}

// signIn goes the whole way for a person: from the application to the provider and back,
// and looks for the role where a token issuer would.
func (c *connection) signIn(t *testing.T, p person) answer {
	t.Helper()
	got := c.signInAs(t, p)
	c.check(t, p, got)
	return got
}

// signInAs is signIn, and leaves it to the caller what the person may have.
func (c *connection) signInAs(t *testing.T, p person) answer {
	t.Helper()
	b, a := newBrowser(t, p), c.ask()
	got := c.redeem(t, b, b.open(a.address), a.state, a.verifier)
	encrypted := strings.Contains(b.message(t), "EncryptedAssertion")
	if want := c.encrypts(); encrypted != want {
		t.Errorf("the provider's message has an encrypted assertion: %v, want %v", encrypted, want)
	}
	return got
}

// check compares what an application was told of a person with who the person is, and with
// what Redis and the admin API say.
func (c *connection) check(t *testing.T, p person, got answer) {
	t.Helper()
	if !got.Published || got.AccessToken == "" || got.TokenType != "Bearer" {
		t.Errorf("published %v, a token %v of type %q, want true, true, Bearer", got.Published, got.AccessToken != "", got.TokenType)
	}
	if got.Profile.Email != p.Email || got.Profile.GivenName != p.GivenName || got.Profile.FamilyName != p.FamilyName {
		t.Errorf("the profile is %+v, want that of %s %s, %s", got.Profile, p.GivenName, p.FamilyName, p.Email)
	}
	held := got.Assignment
	if !held.Active || held.Role != "admin" || !slices.Equal(held.Roles, []string{"admin", "developer"}) {
		t.Errorf("the answer's assignment is %+v, want the roles admin and developer", held)
	}
	inRedis, err := c.claims.Assignment(t.Context(), c.Organization, got.Profile.Subject)
	if err != nil {
		t.Fatalf("%s in Redis: %v", got.Profile.Subject, err)
	}
	held.Organization, held.Subject = inRedis.Organization, inRedis.Subject // which come from the key
	if diff := cmp.Diff(held, inRedis); diff != "" {
		t.Errorf("the answer and Redis differ (-answer +Redis):\n%s", diff)
	}
	var why struct {
		Reasons struct {
			Groups []struct {
				Name string `json:"name"`
			} `json:"groups"`
		} `json:"reasons"`
	}
	c.admin(t, "GET", "/organizations/"+c.Organization+"/users/"+got.Profile.Subject+"/assignment", nil, &why)
	var seen []string
	for _, g := range why.Reasons.Groups {
		seen = append(seen, g.Name)
	}
	slices.Sort(seen)
	if diff := cmp.Diff(slices.Sorted(slices.Values(p.Groups)), seen); diff != "" {
		t.Errorf("groups of %s (-provider +here):\n%s", p.Name, diff)
	}
}
