package sync_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	rolesync "github.com/rolesync/rolesync/sync"
)

// TestEngine is what changes must do on both databases. The tests share a database,
// each with organizations of its own.
func TestEngine(t *testing.T) {
	eachDatabase(t, func(t *testing.T, url string) {
		s := newService(t, url, "")
		for _, c := range []struct {
			name string
			test func(*testing.T, *service)
		}{
			{"only who was touched changes", testTouched},
			{"a repetition changes nothing", testRepetition},
			{"deactivation", testDeactivation},
			{"deletion", testDeletion},
			{"a group is renamed", testRename},
			{"a group is deleted", testDeleteGroup},
			{"members are replaced", testReplace},
			{"members by another name", testMembersByName},
			{"members by two names", testMembersByTwoNames},
			{"pending members", testPending},
			{"nested groups", testNested},
			{"nested groups that do not count", testNotExpanded},
			{"nested groups of very many", testNestedBacklog},
			{"a change that has to be alone", testAlone},
			{"revisions of groups", testRevisions},
			{"pending members, twice", testPendingTwice},
			{"more than one transaction evaluates", testBacklog},
			{"the backlog is worked off while it grows", testBacklogGrows},
			{"scope", testScope},
			{"errors", testErrors},
			{"audit", testAudit},
			{"one thousand members by ten", testThousandMembers},
			{"one userName by eight", testOneUserName},
			{"rename and add at once", testRenameWhileAdding},
			{"nest, rename and add at once", testNestWhileAdding},
			{"delete users and groups at once", testLeaversAtOnce},
			{"create and add by name at once", testCreateWhilePending},
		} {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.test(t, s)
			})
		}
		t.Cleanup(func() { s.wantSound(noContext{t}) })
	})
}

// noContext is a test that is over, whose context has ended.
type noContext struct{ testing.TB }

func (noContext) Context() context.Context { return context.Background() }

func testTouched(t *testing.T, s *service) {
	n := s.tenant(t)
	users := n.users(t, 6)
	admins, others := n.group(t, "Admins", users[0]), n.group(t, "Others")
	before := n.versions(t)
	raised := func(what string, want ...directory.UserID) {
		t.Helper()
		after := n.versions(t)
		for _, id := range users {
			expected := before[id]
			if slices.Contains(want, id) {
				expected++
			}
			if after[id] != expected {
				t.Errorf("%s: version of %s = %d, want %d", what, id, after[id], expected)
			}
		}
		before = after
	}
	n.change(t, addMembers(admins, string(users[1]), string(users[2])))
	raised("two are added", users[1], users[2])
	n.wantRoles(t, users[1], "admin")
	n.change(t, addMembers(others, values(users)...))
	raised("a group without a rule")
	n.change(t, removeMembers(admins, string(users[0]), string(users[3])))
	raised("one is removed, and one who was no member", users[0])
	n.wantRoles(t, users[0], "member")
	n.change(t, putUser(users[4], func(u *directory.User) { u.DisplayName = "Dora" }))
	raised("a name that no entry has")
	n.change(t, putUser(users[4], func(u *directory.User) { u.Email = "dora@example.com" }))
	raised("an alias", users[4])
	n.change(t, renameGroup(others, "Engineers"))
	raised("a group gets a name that a rule has", users...)
	n.wantRoles(t, users[2], "admin", "developer")
}

func testRepetition(t *testing.T, s *service) {
	n := s.tenant(t)
	users := n.users(t, 3)
	g := n.group(t, "Engineering", users[0])
	for name, change := range map[string]func(*rolesync.Tx) error{
		"add":        addMembers(g, string(users[1])),
		"remove":     removeMembers(g, string(users[0])),
		"replace":    replaceMembers(g, string(users[1]), string(users[2])),
		"deactivate": setActive(users[2], false),
		"rename":     renameGroup(g, "engineering 2"),
		"pending":    addMembers(g, "nobody@example.com"),
	} {
		n.change(t, change)
		versions, members, pending := n.versions(t), n.members(t, g), n.pending(t)
		n.change(t, change)
		equal(t, name+", again: versions", n.versions(t), versions)
		equal(t, name+", again: members", n.members(t, g), members)
		equal(t, name+", again: pending", n.pending(t), pending)
	}
	n.change(t, deleteUser(users[0]))
	wantFault(t, n.try(deleteUser(users[0])), fault.NotFound)
	n.change(t, deleteGroup(g))
	wantFault(t, n.try(deleteGroup(g)), fault.NotFound)
}

func testDeactivation(t *testing.T, s *service) {
	n := s.tenant(t)
	u := n.user(t, "anna@example.com")
	g := n.group(t, "Admins", u)
	want := func(version, epoch int64, projection string) {
		t.Helper()
		a := n.assignment(t, u)
		if a.Version != version || a.Epoch != epoch || a.Deleted || !strings.HasPrefix(a.Projection, projection) {
			t.Errorf("assignment = version %d, epoch %d, %s; want %d, %d, %s…", a.Version, a.Epoch, a.Projection, version, epoch, projection)
		}
	}
	want(2, 1, `{"active":true,"role":"admin","roles":["admin"]`)
	nothing := `{"active":false,"role":"","roles":[],"permissions":[],"licenses":[],"entitlements":[]}`
	n.change(t, setActive(u, false))
	want(3, 2, nothing)
	n.change(t, removeMembers(g, string(u))) // facts go on being kept
	want(3, 2, nothing)
	n.change(t, putUser(u, func(u *directory.User) { u.Email = "a@example.com" }))
	want(4, 2, nothing)
	n.change(t, setActive(u, true))
	want(5, 2, `{"active":true,"role":"member"`)
	n.change(t, setActive(u, false))
	want(6, 3, nothing)

	born := newUser("inactive@example.com")
	born.Active = false
	n.change(t, func(tx *rolesync.Tx) error { tx.CreateUser(born); return nil })
	u = born.ID
	want(1, 1, nothing)
}

func testDeletion(t *testing.T, s *service) {
	n := s.tenant(t)
	u := newUser("anna@example.com")
	u.ExternalID = "00uA"
	n.change(t, func(tx *rolesync.Tx) error { tx.CreateUser(u); return nil })
	g := n.group(t, "Admins", u.ID)
	n.change(t, deleteUser(u.ID))

	a := n.assignment(t, u.ID)
	if !a.Deleted || a.Version != 3 || a.Epoch != 2 || len(a.Aliases) > 0 || len(rolesOf(t, a)) > 0 {
		t.Errorf("tombstone = %+v, want version 3, epoch 2, no aliases, no roles", a)
	}
	equal(t, "members", len(n.members(t, g)), 0)
	wantFault(t, n.try(setActive(u.ID, true)), fault.NotFound)

	again := u
	again.ID = directory.NewUserID()
	n.change(t, func(tx *rolesync.Tx) error { tx.CreateUser(again); return nil })
	if b := n.assignment(t, again.ID); b.Version != 1 || b.Epoch != 1 || b.Deleted {
		t.Errorf("assignment of the new user = %+v, want the first version", b)
	}
	n.wantRoles(t, again.ID, "member")
	equal(t, "the tombstone", n.assignment(t, u.ID), a)
}

func testRename(t *testing.T, s *service) {
	n := s.tenant(t)
	u := n.user(t, "anna@example.com")
	g := n.group(t, "Admins", u)
	rules := ruleSet
	rules.Rules = append(slices.Clone(rules.Rules), rules.Rules[0])
	rules.Rules[2].ID, rules.Rules[2].When.Group.Name, rules.Rules[2].When.Group.ID = "by-id", "", g
	for _, c := range []struct{ name, plain, byID string }{
		{"ADMINS", "admin", "admin"}, {"Engineering", "developer", "admin developer"}, {"Sales", "member", "admin"}, {" admins ", "admin", "admin"},
	} {
		n.change(t, renameGroup(g, c.name))
		if got := fmt.Sprint(rolesOf(t, n.assignment(t, u))); got != "["+c.plain+"]" {
			t.Errorf("roles in group %q = %s, want [%s]", c.name, got, c.plain)
		}
	}
	if _, err := n.PublishRules(t.Context(), n.by, rules, 1, ""); err != nil {
		t.Fatal(err)
	}
	n.workOff(t)
	n.change(t, renameGroup(g, "Sales"))
	version := n.assignment(t, u).Version
	n.wantRoles(t, u, "admin")
	n.change(t, renameGroup(g, "Marketing"))
	if got := n.assignment(t, u).Version; got != version {
		t.Errorf("a rename raised the version of a member by rule of id from %d to %d", version, got)
	}
	n.change(t, renameGroup(g, "Engineering"))
	n.wantRoles(t, u, "admin", "developer")

	other := n.group(t, "Taken")
	wantFault(t, n.try(renameGroup(other, "engineering")), fault.Conflict)
}

func testDeleteGroup(t *testing.T, s *service) {
	n := s.tenant(t)
	users := n.users(t, 3)
	g := n.group(t, "Admins", users[:2]...)
	n.change(t, addMembers(g, "later@example.com"))
	n.change(t, deleteGroup(g))
	for _, u := range users {
		n.wantRoles(t, u, "member")
	}
	equal(t, "versions", []int64{n.assignment(t, users[0]).Version, n.assignment(t, users[2]).Version}, []int64{3, 1})
	equal(t, "pending", n.pending(t), nil)
	later := n.user(t, "later@example.com")
	n.wantRoles(t, later, "member")
	n.group(t, "Admins", users[2]) // the name is free again
	n.wantRoles(t, users[2], "admin")
	n.wantRoles(t, users[0], "member")
}

func testScope(t *testing.T, s *service) {
	n := s.tenant(t)
	u := n.user(t, "anna@example.com")
	g := n.group(t, "Admins", u)
	sibling := tenant{s, n.by}
	sibling.by.Connection = directory.NewConnectionID()
	before := n.assignment(t, u)
	for name, other := range map[string]tenant{"another organization": s.tenant(t), "another connection": sibling} {
		for what, change := range map[string]func(*rolesync.Tx) error{
			"change a user":  setActive(u, false),
			"delete a user":  deleteUser(u),
			"delete unread":  func(tx *rolesync.Tx) error { return tx.DeleteUser(u) },
			"add a member":   addMembers(g, string(u)),
			"remove one":     removeMembers(g, string(u)),
			"replace all":    replaceMembers(g),
			"rename a group": renameGroup(g, "Sales"),
			"delete a group": deleteGroup(g),
			"delete group":   func(tx *rolesync.Tx) error { return tx.DeleteGroup(g) },
			"put unread":     func(tx *rolesync.Tx) error { tx.PutUser(directory.User{ID: u}); return nil },
			"put group":      func(tx *rolesync.Tx) error { tx.PutGroup(directory.Group{ID: g}); return nil },
		} {
			t.Run(name+": "+what, func(t *testing.T) { wantFault(t, other.try(change), fault.NotFound) })
		}
		own := other.group(t, "Own", u)
		equal(t, "members of a foreign id", len(other.members(t, own)), 0)
		wantFault(t, other.try(func(tx *rolesync.Tx) error {
			tx.TouchGroup(own)
			tx.AddMembers(g, []string{string(u)})
			return nil
		}), fault.NotFound)
	}
	unknown := tenant{s, rolesync.Author{Organization: directory.NewOrganizationID(), Connection: n.by.Connection}}
	wantFault(t, unknown.try(func(*rolesync.Tx) error { return nil }), fault.NotFound)
	equal(t, "the assignment after all", n.assignment(t, u), before)
	equal(t, "the members after all", n.members(t, g), []directory.UserID{u})
}

func testErrors(t *testing.T, s *service) {
	n := s.tenant(t)
	n.change(t, func(tx *rolesync.Tx) error { tx.CreateUser(newUser("taken@example.com")); return nil })
	g := n.group(t, "Admins")
	for name, c := range map[string]struct {
		change func(*rolesync.Tx) error
		kind   fault.Kind
	}{
		"a userName that is taken":   {func(tx *rolesync.Tx) error { tx.CreateUser(newUser("TAKEN@example.com")); return nil }, fault.Conflict},
		"a group name that is taken": {func(tx *rolesync.Tx) error { tx.CreateGroup(newGroup("admins")); return nil }, fault.Conflict},
		"a group that is not there":  {addMembers(directory.NewGroupID(), "x"), fault.NotFound},
		"a fault of the closure":     {func(*rolesync.Tx) error { return fault.New(fault.TooLarge, "too large") }, fault.TooLarge},
		"an error of the closure":    {func(*rolesync.Tx) error { return errBroken }, fault.Internal},
	} {
		t.Run(name, func(t *testing.T) {
			u := newUser("fresh@example.com")
			err := n.try(func(tx *rolesync.Tx) error {
				tx.CreateUser(u)
				tx.TouchGroup(g)
				tx.AddMembers(g, []string{string(u.ID), "pending@example.com"})
				return c.change(tx)
			})
			if c.kind == fault.Internal && !errors.Is(err, errBroken) || c.kind != fault.Internal && !fault.Is(err, c.kind) {
				t.Errorf("error = %v, want kind %s", err, c.kind)
			}
			_, err = n.Store.User(t.Context(), n.scope(), u.ID)
			wantFault(t, err, fault.NotFound)
			_, err = n.Store.Assignment(t.Context(), n.by.Organization, u.ID)
			wantFault(t, err, fault.NotFound)
			equal(t, "members", len(n.members(t, g)), 0)
			equal(t, "pending", n.pending(t), nil)
			entries, err := n.Store.AuditEntries(t.Context(), n.by.Organization, string(u.ID), "", 10)
			if err != nil || len(entries) > 0 {
				t.Errorf("audit of what was rolled back = %v, %v", entries, err)
			}
		})
	}
}

func testAudit(t *testing.T, s *service) {
	n := s.tenant(t)
	n.by.Name, n.by.Request = "connection conn_1", "req_42"
	u := n.user(t, "anna@example.com")
	g := n.group(t, "Admins", u)
	n.change(t, setActive(u, false))
	n.change(t, deleteUser(u))
	entries := func(target string) (list []string) {
		t.Helper()
		found, err := n.Store.AuditEntries(t.Context(), n.by.Organization, target, "", 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range slices.Backward(found) {
			if e.Actor != n.by.Name || e.Request != n.by.Request || e.At.IsZero() {
				t.Errorf("audit entry %+v, want actor, request and time", e)
			}
			list = append(list, e.Action+" "+string(e.Detail))
		}
		return list
	}
	for target, want := range map[string][]string{
		string(u): {
			`user.created {"active":true,"user_name":"anna@example.com"}`,
			`assignment.changed {"version":1,"activated":true,"role_after":"member","roles_gained":["member"],"roles_after":["member"],"permissions_gained":["app:use"]}`,
			`assignment.changed {"version":2,"role_before":"member","role_after":"admin","roles_gained":["admin"],"roles_lost":["member"],"roles_after":["admin"],"permissions_gained":["users:read","users:write"],"permissions_lost":["app:use"]}`,
			`user.changed {"active":false}`,
			`assignment.changed {"version":3,"deactivated":true,"role_before":"admin","roles_lost":["admin"],"permissions_lost":["users:read","users:write"]}`,
			`user.deleted {"user_name":"anna@example.com"}`,
		},
		string(g): {
			`group.created {"display_name":"Admins"}`,
			fmt.Sprintf(`group.members_added {"members":[%q]}`, u),
		},
	} {
		equal(t, "audit of "+target, entries(target), want)
	}
}
