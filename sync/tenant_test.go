package sync_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rolesync/rolesync/claims"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/mapping"
	rolesync "github.com/rolesync/rolesync/sync"
)

// tenant is one connection of one organization, as one process serves it.
type tenant struct {
	*service
	by rolesync.Author
}

// tenant makes an organization with a connection and the rules.
func (s *service) tenant(t tester) tenant {
	t.Helper()
	n := tenant{s, rolesync.Author{Organization: directory.NewOrganizationID(), Connection: directory.NewConnectionID(), Name: "test", Request: "req_test"}}
	now := directory.Now()
	err := s.Store.Transact(t.Context(), n.scope(), store.Facts, func(tx *store.Tx) error {
		tx.CreateOrganization(directory.Organization{ID: n.by.Organization, Name: "Acme", CreatedAt: now})
		tx.CreateConnection(directory.Connection{ID: n.by.Connection, Kind: directory.SCIM, Name: "Okta", CreatedAt: now})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.PublishRules(t.Context(), n.by, ruleSet, rolesync.AnyVersion, "test"); err != nil {
		t.Fatal(err)
	}
	n.workOff(t)
	return n
}

// at is the same tenant, served by another process.
func (n tenant) at(s *service) tenant { return tenant{s, n.by} }

func (n tenant) scope() store.Scope {
	return store.Scope{Organization: n.by.Organization, Connection: n.by.Connection}
}

// try runs a change.
func (n tenant) try(change func(*rolesync.Tx) error) error {
	return n.Change(context.Background(), n.by, change)
}

// change runs a change that must succeed.
func (n tenant) change(t testing.TB, change func(*rolesync.Tx) error) {
	t.Helper()
	if err := n.try(change); err != nil {
		t.Fatal(err)
	}
}

func newUser(userName string) directory.User {
	now := directory.Now()
	return directory.User{
		ID: directory.NewUserID(), UserName: userName, Active: true, Resource: json.RawMessage(`{}`), CreatedAt: now, ModifiedAt: now, Revision: 1,
	}
}

func newGroup(name string) directory.Group {
	now := directory.Now()
	return directory.Group{ID: directory.NewGroupID(), DisplayName: name, Resource: json.RawMessage(`{}`), CreatedAt: now, ModifiedAt: now, Revision: 1}
}

func (n tenant) user(t testing.TB, userName string) directory.UserID {
	t.Helper()
	u := newUser(userName)
	n.change(t, func(tx *rolesync.Tx) error { tx.CreateUser(u); return nil })
	return u.ID
}

// users creates many users in few transactions.
func (n tenant) users(t testing.TB, count int) []directory.UserID {
	t.Helper()
	ids := make([]directory.UserID, 0, count)
	for len(ids) < count {
		var batch []directory.User
		for range min(100, count-len(ids)) {
			u := newUser("")
			u.UserName = string(u.ID) + "@example.com"
			batch = append(batch, u)
			ids = append(ids, u.ID)
		}
		n.change(t, func(tx *rolesync.Tx) error {
			for _, u := range batch {
				tx.CreateUser(u)
			}
			return nil
		})
	}
	return ids
}

// group creates a group with members.
func (n tenant) group(t testing.TB, name string, members ...directory.UserID) directory.GroupID {
	t.Helper()
	g := newGroup(name)
	n.change(t, func(tx *rolesync.Tx) error {
		tx.CreateGroup(g)
		tx.AddMembers(g.ID, values(members))
		return nil
	})
	return g.ID
}

func values(ids []directory.UserID) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = string(id)
	}
	return out
}

// The changes that a provider makes, as the SCIM handler makes them.

func addMembers(group directory.GroupID, values ...string) func(*rolesync.Tx) error {
	return func(tx *rolesync.Tx) error { tx.TouchGroup(group); tx.AddMembers(group, values); return nil }
}

func removeMembers(group directory.GroupID, values ...string) func(*rolesync.Tx) error {
	return func(tx *rolesync.Tx) error { tx.TouchGroup(group); tx.RemoveMembers(group, values); return nil }
}

func replaceMembers(group directory.GroupID, values ...string) func(*rolesync.Tx) error {
	return func(tx *rolesync.Tx) error { tx.TouchGroup(group); return tx.ReplaceMembers(group, values) }
}

func renameGroup(group directory.GroupID, name string) func(*rolesync.Tx) error {
	return func(tx *rolesync.Tx) error {
		g, err := tx.Group(group)
		if err != nil {
			return err
		}
		g.DisplayName, g.ModifiedAt = name, tx.Now()
		g.Revision++
		tx.PutGroup(g)
		return nil
	}
}

func deleteGroup(group directory.GroupID) func(*rolesync.Tx) error {
	return func(tx *rolesync.Tx) error {
		if _, err := tx.Group(group); err != nil {
			return err
		}
		return tx.DeleteGroup(group)
	}
}

func putUser(user directory.UserID, edit func(*directory.User)) func(*rolesync.Tx) error {
	return func(tx *rolesync.Tx) error {
		u, err := tx.User(user)
		if err != nil {
			return err
		}
		edit(&u)
		u.ModifiedAt = tx.Now()
		u.Revision++
		tx.PutUser(u)
		return nil
	}
}

func setActive(user directory.UserID, active bool) func(*rolesync.Tx) error {
	return putUser(user, func(u *directory.User) { u.Active = active })
}

func deleteUser(user directory.UserID) func(*rolesync.Tx) error {
	return func(tx *rolesync.Tx) error {
		if _, err := tx.Leaver(user); err != nil {
			return err
		}
		return tx.DeleteUser(user)
	}
}

// workOff works off the backlog, some of which another test may have in hands.
func (n tenant) workOff(t tester) {
	t.Helper()
	eventually(t, "the backlog is worked off", func() bool {
		if err := n.WorkOff(t.Context()); err != nil {
			t.Fatal(err)
		}
		left, err := n.Store.Remaining(t.Context(), n.by.Organization)
		if err != nil {
			t.Fatal(err)
		}
		return left == 0
	})
}

// assignment reads what a user has from SQL.
func (n tenant) assignment(t tester, user directory.UserID) store.Assignment {
	t.Helper()
	a, err := n.Store.Assignment(t.Context(), n.by.Organization, user)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// versions reads the versions of all assignments.
func (n tenant) versions(t testing.TB) map[directory.UserID]int64 {
	t.Helper()
	list, err := n.Store.Assignments(t.Context(), n.by.Organization, "", 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	versions := make(map[directory.UserID]int64, len(list))
	for _, a := range list {
		versions[a.User] = a.Version
	}
	return versions
}

func rolesOf(t tester, a store.Assignment) []mapping.RoleKey {
	t.Helper()
	var projection mapping.Assignment
	if err := json.Unmarshal([]byte(a.Projection), &projection); err != nil {
		t.Fatal(err)
	}
	return projection.Roles
}

func (n tenant) wantRoles(t testing.TB, user directory.UserID, want ...mapping.RoleKey) {
	t.Helper()
	if got := rolesOf(t, n.assignment(t, user)); !slices.Equal(got, want) {
		t.Errorf("roles of %s = %v, want %v", user, got, want)
	}
}

// members reads the users of a group, without nested groups.
func (n tenant) members(t testing.TB, group directory.GroupID) []directory.UserID {
	t.Helper()
	members, err := n.Store.Members(t.Context(), n.by.Organization, group, 0)
	if err != nil {
		t.Fatal(err)
	}
	users := make([]directory.UserID, 0, len(members))
	for _, id := range members {
		if !id.IsGroup() {
			users = append(users, directory.UserID(id))
		}
	}
	return users
}

func (n tenant) pending(t testing.TB) (values []string) {
	t.Helper()
	list, err := n.Store.PendingMembers(t.Context(), n.scope(), 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		values = append(values, p.Value)
	}
	return values
}

// read reads what Redis says of a user.
func (n tenant) read(t testing.TB, user directory.UserID) (claims.Assignment, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	return claims.NewReader(n.Client, claims.Keys{}).Assignment(ctx, string(n.by.Organization), string(user))
}

// wantInRedis waits until Redis has the version that SQL has.
func (n tenant) wantInRedis(t testing.TB, user directory.UserID) {
	t.Helper()
	want := n.assignment(t, user)
	eventually(t, fmt.Sprintf("version %d of %s is in Redis", want.Version, user), func() bool {
		got, err := n.read(t, user)
		return err == nil && got.Version == want.Version
	})
}
