package interop

import (
	"slices"
	"testing"
)

// broughtBySCIM has SCIM bring the person and, later, a group: who signs in is that user,
// and from the first group on SCIM's groups decide.
func broughtBySCIM(t *testing.T, w *world, p *provider) {
	c, person := w.connect(t, p, "scim", nil), people()[0]
	user, err := c.CreateUser(t.Context(), w.service, person.Name) // few@example.com
	if err != nil {
		t.Fatal(err)
	}
	in := c.signInAs(t, person)
	if in.Profile.Subject != user {
		t.Errorf("who signed in is %s, want %s, whom SCIM brought", in.Profile.Subject, user)
	}
	if want := []string{"admin", "developer"}; !slices.Equal(in.Assignment.Roles, want) {
		t.Errorf("without a group of SCIM the roles are %v, want %v by the groups of the login", in.Assignment.Roles, want)
	}
	if _, err := c.CreateGroup(t.Context(), w.service, "Finance Europe", []string{user}); err != nil {
		t.Fatal(err)
	}
	in = c.signInAs(t, person)
	if want := []string{"billing"}; !slices.Equal(in.Assignment.Roles, want) {
		t.Errorf("with a group of SCIM the roles are %v, want %v by that group", in.Assignment.Roles, want)
	}
	if err := c.SetActive(t.Context(), w.service, user, false); err != nil {
		t.Fatal(err)
	}
	c.refused(t, newBrowser(t, person).open(c.ask().address), "user_inactive")
}
