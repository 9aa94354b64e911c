package sync_test

import (
	"fmt"
	"testing"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/testserver"
	"github.com/rolesync/rolesync/mapping"
	rolesync "github.com/rolesync/rolesync/sync"
)

// Who an unknown subject is, by who is there.
func TestWhoASubjectIs(t *testing.T) {
	type person struct{ userName, email, externalID string }
	const inactive = "inactive "
	anna := person{"anna@example.com", "anna@example.com", "00uA"}
	services := bothDatabases(t)
	for _, c := range []struct {
		name  string
		scim  []person // users that SCIM states; a userName that begins with "inactive " is not active
		own   []person // who signed in by this connection
		other []person // by another one
		login person
		edit  func(*rolesync.Login)

		want   rolesync.Refusal
		linked string // the userName of the user that it is; "": a new one
	}{
		{name: "nobody is there", login: anna},
		{name: "nobody is there and nobody is made", login: anna, edit: noUsers, want: rolesync.UserUnknown},
		{name: "scim has others", scim: []person{{"bert@example.com", "", ""}}, login: anna, want: rolesync.UserUnknown},
		{name: "scim has the person", scim: []person{anna}, login: anna, linked: anna.userName},
		{name: "scim has the person and nobody is made", scim: []person{anna}, login: anna, edit: noUsers, linked: anna.userName},
		{name: "by userName in another case", scim: []person{{"ANNA@Example.COM", "", ""}}, login: anna, linked: "ANNA@Example.COM"},
		{name: "by userName as the address", scim: []person{{"anna@example.com", "", ""}}, login: person{"asmith", "Anna@example.com", ""}, linked: "anna@example.com"},
		{name: "by address", scim: []person{{"asmith", "Anna@Example.com", ""}}, login: anna, linked: "asmith"},
		{name: "by externalId alone", scim: []person{{"a", "b", "00uA"}}, login: person{"asmith", "x@example.com", "00uA"}, linked: "a"},
		{name: "by externalId before the names", scim: []person{{"a", "", "00uA"}, {"anna@example.com", "", "00uB"}}, login: anna, linked: "a"},
		{name: "an externalId in another case is another", scim: []person{{"a", "", "00ua"}}, login: person{"x", "", "00uA"}, want: rolesync.UserUnknown},
		{name: "an externalId of two proves nothing", scim: []person{{"a", "", "00uA"}, {"b", "", "00uA"}}, login: person{"x", "", "00uA"}, want: rolesync.UserUnknown},
		{name: "an externalId of two, and a name", scim: []person{{"a", "", "00uA"}, {"b", "", "00uA"}}, login: person{"b", "", "00uA"}, linked: "b"},
		{name: "by userName before the address", scim: []person{{"asmith", "", ""}, {"anna@example.com", "", ""}}, login: person{"asmith", "anna@example.com", ""}, linked: "asmith"},
		{name: "an address of two is in doubt", scim: []person{{"a", "anna@example.com", ""}, {"b", "ANNA@example.com", ""}}, login: person{"x", "anna@example.com", ""}, want: rolesync.UserConflict},
		{name: "no address is nobody's", scim: []person{{"a", "", ""}}, login: person{"x", "", ""}, want: rolesync.UserUnknown},
		{name: "a deactivated user", scim: []person{{inactive + "anna", "anna@example.com", ""}}, login: anna, want: rolesync.UserInactive},
		{name: "an old name of this connection", own: []person{anna}, login: anna, want: rolesync.UserConflict},
		{name: "an old address of this connection", own: []person{{"asmith", "anna@example.com", ""}}, login: anna, want: rolesync.UserConflict},
		{name: "an old name of this connection that is proven", own: []person{anna}, login: anna, edit: trusted, linked: anna.userName},
		{name: "an old name is proven by the address only", own: []person{{"asmith", "", ""}}, login: person{"asmith", "eve@example.com", ""}, edit: trusted, want: rolesync.UserConflict},
		{name: "a user of another connection", other: []person{anna}, login: anna, want: rolesync.UserConflict},
		{name: "a user of another connection that is proven", other: []person{anna}, login: anna, edit: trusted, linked: anna.userName},
		{name: "the id of a user of another connection proves nothing", other: []person{{"x", "", "00uA"}}, login: person{"asmith", "", "00uA"}},
		{name: "scim has the person, of the domain", scim: []person{anna}, login: anna, edit: trusted, linked: anna.userName},
		{name: "of the domain by the userName alone", scim: []person{{"anna@example.com", "", ""}}, login: anna, edit: trusted, linked: anna.userName},
		{name: "the userName of somebody of another domain", scim: []person{{"ceo", "ceo@corp.example", ""}}, login: person{"ceo", "anna@example.com", ""}, edit: trusted, want: rolesync.UserConflict},
		{name: "the address of somebody of another domain as userName", scim: []person{{"ceo@corp.example", "", ""}}, login: person{"ceo@corp.example", "anna@example.com", ""}, edit: trusted, want: rolesync.UserConflict},
		{name: "the externalId of somebody of another domain", scim: []person{{"ceo@corp.example", "ceo@corp.example", "00uA"}}, login: anna, edit: trusted, want: rolesync.UserConflict},
		{name: "somebody without any address, and domains", scim: []person{{"ceo", "", ""}}, login: person{"ceo", "anna@example.com", ""}, edit: trusted, want: rolesync.UserConflict},
		{name: "another person", own: []person{{"bert@example.com", "bert@example.com", ""}}, login: anna},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, s := range services {
				n := s.tenant(t)
				own, other := n.sso(t), n.sso(t)
				users := map[string]directory.UserID{}
				for _, p := range c.scim {
					u := newUser(p.userName)
					u.Email, u.ExternalID, u.Active = p.email, p.externalID, len(p.userName) < len(inactive) || p.userName[:len(inactive)] != inactive
					n.change(t, func(tx *rolesync.Tx) error { tx.CreateUser(u); return nil })
					users[p.userName] = u.ID
				}
				for connection, people := range map[*sso][]person{&own: c.own, &other: c.other} {
					for i, p := range people {
						l := login(fmt.Sprint("old subject ", i), "Engineers")
						l.UserName, l.Email, l.ExternalID = p.userName, p.email, p.externalID
						users[p.userName] = connection.in(t, l).User.ID
					}
				}
				l := login("new subject", "Admins")
				l.UserName, l.Email, l.ExternalID = c.login.userName, c.login.email, c.login.externalID
				if c.edit != nil {
					c.edit(&l)
				}
				in := own.wantRefused(t, l, c.want)
				if c.want != rolesync.Accepted {
					continue
				}
				if in.Linked != (c.linked != "") || in.Created != (c.linked == "") || c.linked != "" && in.User.ID != users[c.linked] {
					t.Errorf("it is %s (%s), linked %v, created %v; want %q", in.User.ID, in.User.UserName, in.Linked, in.Created, c.linked)
				}
				if len(c.scim) > 0 && in.User.UserName != c.linked {
					t.Errorf("a login changed the userName of a user of SCIM to %q", in.User.UserName)
				}
				l.Message += "again"
				if again := own.in(t, l); again.User.ID != in.User.ID || again.Linked || again.Created {
					t.Errorf("the next login is %+v", again)
				}
				equal(t, "role", in.Assignment.Role, mapping.RoleKey("admin"))
			}
		})
	}
}

func noUsers(l *rolesync.Login) { l.JustInTime = false }
func trusted(l *rolesync.Login) { l.Domains = []string{"example.com"} }

// bothDatabases returns a service on each, for tests with many small cases.
func bothDatabases(t *testing.T) []*service {
	t.Helper()
	services := []*service{newService(t, sqlite(t), ""), newService(t, prepared(t, testserver.Database(t)), "")}
	t.Cleanup(func() {
		for _, s := range services {
			s.wantSound(noContext{t})
		}
	})
	return services
}
