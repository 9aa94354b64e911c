package sync_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/mapping"
	rolesync "github.com/rolesync/rolesync/sync"
)

// post creates a user as the SCIM handler does: one that a SAML connection has made is
// adopted.
func (n tenant) post(u directory.User) (directory.User, error) {
	for {
		err := n.try(func(tx *rolesync.Tx) error { tx.CreateUser(u); return nil })
		id, adoptable := rolesync.Adoptable(err)
		if !adoptable {
			return u, err
		}
		var adopted directory.User
		err = n.try(func(tx *rolesync.Tx) (err error) { adopted, err = tx.Adopt(id, u); return err })
		if !fault.Is(err, fault.NotFound) {
			return adopted, err
		}
	}
}

func TestAdoption(t *testing.T) {
	eachDatabase(t, func(t *testing.T, url string) {
		s := newService(t, url, "")
		for _, c := range []struct {
			name string
			test func(*testing.T, sso)
		}{
			{"a user who signed in", testAdopt},
			{"who is adopted", testAdoptable},
			{"whom a connection with domains speaks for", testAdoptableOfDomains},
			{"a userName that is changed", testRenameToAdoptable},
			{"a user who is deleted by scim", testDeleteAdopted},
			{"first login and creation at once", testAdoptAtOnce},
		} {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.test(t, s.tenant(t).sso(t))
			})
		}
		t.Cleanup(func() { s.wantSound(noContext{t}) })
	})
}

func testAdopt(t *testing.T, s sso) {
	n := s.tenant
	g := n.group(t, "Engineering")
	n.change(t, addMembers(g, "ASMITH", "00uA"))
	n.workOff(t)
	if err := s.SetAuthority(t.Context(), s.by, directory.AuthorityUnion); err != nil {
		t.Fatal(err)
	}
	in := s.in(t, login("anna", "Admins"))
	u := newUser("asmith")
	u.Email, u.ExternalID, u.DisplayName, u.Resource = "ANNA@example.com", "00uA", "Anna", []byte(`{"userName":"asmith"}`)
	adopted, err := n.post(u)
	if err != nil || adopted.ID != in.User.ID || adopted.Revision != 2 || !adopted.CreatedAt.Equal(in.User.CreatedAt) {
		t.Fatalf("the adopted user is %+v, %v; want that of %+v", adopted, err, in.User)
	}
	stored, err := s.Store.User(t.Context(), n.scope(), in.User.ID)
	if err != nil || stored.UserName != "asmith" || stored.ExternalID != "00uA" || string(stored.Resource) != `{"userName":"asmith"}` {
		t.Errorf("the stored user is %+v, %v", stored, err)
	}
	_, err = s.Store.User(t.Context(), s.scope(), in.User.ID)
	wantFault(t, err, fault.NotFound)
	// It joined the group that waited for it, and stays in those that its login stated.
	equal(t, "pending", n.pending(t), nil)
	equal(t, "members", n.members(t, g), []directory.UserID{in.User.ID})
	s.wantRoles(t, in.User.ID, "admin", "developer")
	for _, scope := range []store.Scope{n.scope(), s.scope()} {
		if tallied, counted, err := s.Store.Recount(t.Context(), scope); tallied != counted || err != nil {
			t.Errorf("a connection tallies %d users and has %d, %v", tallied, counted, err)
		}
	}
	entries, err := s.Store.AuditEntries(t.Context(), s.by.Organization, string(in.User.ID), "", 100)
	if err != nil || !slices.ContainsFunc(entries, func(e store.AuditEntry) bool { return e.Action == "user.adopted" }) {
		t.Errorf("the audit has %+v, %v", entries, err)
	}
	// SCIM has the word on names now, SAML on who it is.
	again := login("anna", "Sales")
	again.UserName, again.DisplayName = "other", "Other"
	next := s.in(t, again)
	if next.User.ID != in.User.ID || next.User.UserName != "asmith" || next.User.DisplayName != "Anna" || next.Linked {
		t.Errorf("the next login is %+v", next)
	}
	equal(t, "roles", next.Assignment.Roles, []mapping.RoleKey{"developer"})
	// SCIM's groups are shown to SCIM, and no others.
	shown, err := s.Store.UserGroups(t.Context(), s.by.Organization, []directory.UserID{in.User.ID})
	if err != nil || len(shown[in.User.ID]) != 1 || shown[in.User.ID][0].Group != g {
		t.Errorf("UserGroups = %+v, %v", shown, err)
	}
	_, err = n.post(u)
	wantFault(t, err, fault.Conflict)
}

func testAdoptable(t *testing.T, s sso) {
	for i, c := range []struct {
		name   string
		signed []directory.User // who signed in; the names that count
		posted directory.User
		want   int // which of them is adopted; -1: none
	}{
		{"by userName", []directory.User{{UserName: "anna", Email: "x@example.com"}}, directory.User{UserName: "ANNA"}, 0},
		{"by address", []directory.User{{UserName: "anna", Email: "a@example.com"}}, directory.User{UserName: "b", Email: "A@example.com"}, 0},
		{"by userName as the address", []directory.User{{UserName: "a@example.com"}}, directory.User{UserName: "b", Email: "A@example.com"}, 0},
		{"by externalId", []directory.User{{UserName: "anna", ExternalID: "00uA"}}, directory.User{UserName: "b", ExternalID: "00uA"}, 0},
		{"externalId with case", []directory.User{{UserName: "anna", ExternalID: "00uA"}}, directory.User{UserName: "b", ExternalID: "00ua"}, -1},
		{"the userName first", []directory.User{{UserName: "anna"}, {UserName: "b", Email: "a@example.com"}}, directory.User{UserName: "anna", Email: "a@example.com"}, 0},
		{"an address of two", []directory.User{{UserName: "anna", Email: "a@example.com"}, {UserName: "b", Email: "a@example.com"}}, directory.User{UserName: "c", Email: "a@example.com"}, -1},
		{"no address", []directory.User{{UserName: "anna"}}, directory.User{UserName: "b"}, -1},
		{"another person", []directory.User{{UserName: "anna", Email: "a@example.com"}}, directory.User{UserName: "b", Email: "b@example.com"}, -1},
	} {
		sso := s.service.tenant(t).sso(t)
		var ids []directory.UserID
		for j, p := range c.signed {
			l := login(fmt.Sprint("subject ", i, j))
			l.UserName, l.Email, l.ExternalID = p.UserName, p.Email, p.ExternalID
			if in, err := sso.tryIn(l); err != nil || in.Refused != rolesync.Accepted {
				// Two people with one address: the second is known by another connection.
				other := sso.tenant.sso(t)
				l.Email, l.Message = "", l.Message+"b"
				in = other.in(t, l)
				l.UserName, l.Email, l.Message = "", p.Email, l.Message+"c"
				other.in(t, l)
				ids = append(ids, in.User.ID)
			} else {
				ids = append(ids, in.User.ID)
			}
		}
		u := newUser(c.posted.UserName)
		u.Email, u.ExternalID = c.posted.Email, c.posted.ExternalID
		posted, err := sso.tenant.post(u)
		want := u.ID
		if c.want >= 0 {
			want = ids[c.want]
		}
		if err != nil || posted.ID != want {
			t.Errorf("%s: POST = %s, %v; want %s", c.name, posted.ID, err, want)
		}
	}
	// Another organization's users are nobody's business.
	l := login("anna")
	s.in(t, l)
	other := s.service.tenant(t)
	other.sso(t)
	u := newUser("anna@example.com")
	if posted, err := other.post(u); err != nil || posted.ID != u.ID {
		t.Errorf("POST in another organization = %s, %v", posted.ID, err)
	}
}

// The provider of a connection with domains may name its people as it likes: SCIM never
// takes one of them for a person of another domain.
func testAdoptableOfDomains(t *testing.T, s sso) {
	for i, c := range []struct {
		name          string
		signed        directory.User
		posted        directory.User
		adopted, made bool
	}{
		{"of the domain, by address", directory.User{UserName: "a@sub.example", Email: "a@sub.example"}, directory.User{UserName: "anna", Email: "A@sub.example"}, true, true},
		{"of the domain, by userName", directory.User{UserName: "a@sub.example", Email: "a@sub.example"}, directory.User{UserName: "a@sub.example"}, true, true},
		{"of the domain, by externalId", directory.User{UserName: "x", Email: "x@sub.example", ExternalID: "00uA"}, directory.User{UserName: "anna", Email: "a@sub.example", ExternalID: "00uA"}, true, true},
		{"of another domain, by externalId", directory.User{UserName: "m@sub.example", Email: "m@sub.example", ExternalID: "00uC"}, directory.User{UserName: "ceo@acme.example", Email: "ceo@acme.example", ExternalID: "00uC"}, false, true},
		{"of another domain, by userName", directory.User{UserName: "ceo", Email: "m@sub.example"}, directory.User{UserName: "CEO", Email: "ceo@acme.example"}, false, false},
		{"of no domain, by externalId", directory.User{UserName: "m@sub.example", Email: "m@sub.example", ExternalID: "00uC"}, directory.User{UserName: "ceo", ExternalID: "00uC"}, false, true},
	} {
		sso := s.service.tenant(t).sso(t)
		domain := fmt.Sprintf("sub%d.example", i) // of the deployment's connections, one has it
		of := strings.NewReplacer("sub.example", domain).Replace
		err := s.Store.Transact(t.Context(), sso.scope(), store.Facts, func(tx *store.Tx) error {
			tx.SetSAMLDomains([]string{domain})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		l := login("subject")
		l.UserName, l.Email, l.ExternalID, l.Domains = of(c.signed.UserName), of(c.signed.Email), c.signed.ExternalID, []string{domain}
		in := sso.in(t, l)
		u := newUser(of(c.posted.UserName))
		u.Email, u.ExternalID = of(c.posted.Email), c.posted.ExternalID
		got, err := sso.tenant.post(u)
		if c.made != (err == nil) || err != nil && !fault.Is(err, fault.Conflict) || c.adopted != (got.ID == in.User.ID) {
			t.Errorf("%s: SCIM has %s, %v; who signed in is %s", c.name, got.ID, err, in.User.ID)
		}
	}
}

func testRenameToAdoptable(t *testing.T, s sso) {
	s.in(t, login("anna"))
	u := s.tenant.user(t, "bert@example.com")
	wantFault(t, s.tenant.try(putUser(u, func(u *directory.User) { u.UserName = "ANNA@example.com" })), fault.Conflict)
}

func testDeleteAdopted(t *testing.T, s sso) {
	in := s.in(t, login("anna", "Admins"))
	u := newUser("anna@example.com")
	if _, err := s.tenant.post(u); err != nil {
		t.Fatal(err)
	}
	s.tenant.change(t, setActive(in.User.ID, false))
	s.wantRefused(t, login("anna", "Admins"), rolesync.UserInactive)
	s.tenant.change(t, deleteUser(in.User.ID))
	s.wantRefused(t, login("anna", "Admins"), rolesync.UserUnknown)
	if _, err := s.SignOut(t.Context(), s.by, "anna", "_out", directory.Now()); !fault.Is(err, fault.NotFound) {
		t.Errorf("SignOut of a deleted user: %v", err)
	}
	// A later user of that name is a new one, whom the subject is from then on.
	again := s.tenant.user(t, "anna@example.com")
	if next := s.in(t, login("anna", "Admins")); next.User.ID != again || !next.Linked {
		t.Errorf("the login after that is %+v", next)
	}
}

// Whoever comes first, SCIM and SAML mean one user.
func testAdoptAtOnce(t *testing.T, s sso) {
	for round := range 100 {
		n := s.service.tenant(t)
		sso := n.sso(t)
		l := login("anna", "Admins")
		u := newUser("asmith") // the address alone tells who it is
		u.Email = "Anna@example.com"
		if round%2 == 1 {
			u.UserName, u.Email = "ANNA@example.com", ""
		}
		var in rolesync.LoggedIn
		var posted directory.User
		together(2, func(worker int) {
			var err error
			if worker == 0 {
				if in, err = sso.tryIn(l); err != nil || in.Refused != rolesync.Accepted {
					t.Errorf("Login = %q, %v", in.Refused, err)
				}
				return
			}
			for range round % 5 {
				_ = n.Store.Ping(t.Context()) // to begin a little later
			}
			if posted, err = n.post(u); err != nil {
				t.Errorf("POST: %v", err)
			}
		})
		list, err := s.Store.Assignments(t.Context(), n.by.Organization, "", 10)
		if err != nil || len(list) != 1 || list[0].User != in.User.ID || posted.ID != in.User.ID {
			t.Errorf("there are %d users, %v; the login's is %s, SCIM's is %s", len(list), err, in.User.ID, posted.ID)
		}
		if _, err := s.Store.User(t.Context(), n.scope(), in.User.ID); err != nil {
			t.Errorf("SCIM does not own the user: %v", err)
		}
	}
}
