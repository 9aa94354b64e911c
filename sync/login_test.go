package sync_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/mapping"
	rolesync "github.com/rolesync/rolesync/sync"
)

// sso is a SAML connection of a tenant.
type sso struct {
	tenant
	by rolesync.Author
}

// sso makes another connection of the tenant's organization.
func (n tenant) sso(t tester) sso {
	t.Helper()
	by := n.by
	by.Connection = directory.NewConnectionID()
	s := sso{n, by}
	err := n.Store.Transact(t.Context(), s.scope(), store.Facts, func(tx *store.Tx) error {
		tx.CreateConnection(directory.Connection{ID: by.Connection, Kind: directory.SAML, Name: "ADFS", CreatedAt: directory.Now()})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s sso) scope() store.Scope {
	return store.Scope{Organization: s.by.Organization, Connection: s.by.Connection}
}

var messages atomic.Int64

// login is what a person's first or next assertion states.
func login(subject string, groups ...string) rolesync.Login {
	l := rolesync.Login{
		Subject: subject, UserName: subject + "@example.com", Email: subject + "@example.com", GivenName: "Anna",
		JustInTime: true, Fact: directory.Stated, Groups: groups,
		Message: fmt.Sprint("_", messages.Add(1)), Usable: directory.Now().Add(time.Hour),
	}
	return l
}

// tryIn logs in.
func (s sso) tryIn(l rolesync.Login) (rolesync.LoggedIn, error) {
	return s.Login(context.Background(), s.by, l)
}

// in logs in, which must be accepted.
func (s sso) in(t testing.TB, l rolesync.Login) rolesync.LoggedIn {
	t.Helper()
	in, err := s.tryIn(l)
	if err != nil || in.Refused != rolesync.Accepted {
		t.Fatalf("Login(%s) = %q, %v", l.Subject, in.Refused, err)
	}
	return in
}

func (s sso) wantRefused(t testing.TB, l rolesync.Login, want rolesync.Refusal) rolesync.LoggedIn {
	t.Helper()
	in, err := s.tryIn(l)
	if err != nil || in.Refused != want {
		t.Errorf("Login(%s) = %q, %v; want %q", l.Subject, in.Refused, err, want)
	}
	return in
}

func TestLogin(t *testing.T) {
	eachDatabase(t, func(t *testing.T, url string) {
		s := newService(t, url, "")
		for _, c := range []struct {
			name string
			test func(*testing.T, sso)
		}{
			{"a person becomes a user", testFirstLogin},
			{"what a login states of groups", testStates},
		} {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.test(t, s.tenant(t).sso(t))
			})
		}
		t.Cleanup(func() { s.wantSound(noContext{t}) })
	})
}

func testFirstLogin(t *testing.T, s sso) {
	l := login("anna", "Admins", "Everyone", " admins ")
	in := s.in(t, l)
	equal(t, "roles", in.Assignment.Roles, []mapping.RoleKey{"admin"})
	if !in.Created || in.Linked || in.Version != 1 || in.Published || in.User.UserName != "anna@example.com" || in.User.Connection != s.by.Connection {
		t.Errorf("the first login gives %+v", in)
	}
	s.wantRoles(t, in.User.ID, "admin")
	again := s.in(t, login("anna", "Everyone", "Admins"))
	if again.Created || again.Version != 1 || again.User.ID != in.User.ID || again.User.Revision != 1 {
		t.Errorf("the second login gives %+v", again)
	}
	s.wantRefused(t, l, rolesync.Replayed)
	wantFault(t, func() error { _, err := s.tryIn(rolesync.Login{Subject: "x"}); return err }(), fault.Invalid)
}

func testStates(t *testing.T, s sso) {
	user := s.in(t, login("anna", "Admins", "Engineering")).User.ID
	for _, c := range []struct {
		fact   directory.GroupFact
		groups []string
		want   []mapping.RoleKey
	}{
		{directory.Absent, nil, []mapping.RoleKey{"admin", "developer"}},
		{directory.Partial, []string{"Sales"}, []mapping.RoleKey{"admin", "developer"}},
		{directory.Stated, []string{"engineering", "Sales"}, []mapping.RoleKey{"developer"}},
		{directory.Empty, nil, []mapping.RoleKey{"member"}},
		{directory.Absent, nil, []mapping.RoleKey{"member"}},
		{directory.Stated, []string{"ADMINS"}, []mapping.RoleKey{"admin"}},
		{directory.Stated, nil, []mapping.RoleKey{"member"}},
	} {
		l := login("anna", c.groups...)
		l.Fact = c.fact
		in := s.in(t, l)
		if !slices.Equal(in.Assignment.Roles, c.want) {
			t.Errorf("%s %q gives %v, want %v", c.fact, c.groups, in.Assignment.Roles, c.want)
		}
		s.wantRoles(t, user, c.want...)
	}
}
