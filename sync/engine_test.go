package sync_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/internal/testserver"
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
			{"pending members, twice", testPendingTwice},
			{"more than one transaction evaluates", testBacklog},
			{"the backlog is worked off while it grows", testBacklogGrows},
			{"scope", testScope},
			{"errors", testErrors},
			{"audit", testAudit},
			{"one thousand members by ten", testThousandMembers},
			{"one userName by eight", testOneUserName},
			{"rename and add at once", testRenameWhileAdding},
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
	g = n.group(t, "Admins", users[2]) // the name is free again
	n.wantRoles(t, users[2], "admin")
	n.wantRoles(t, users[0], "member")
	_ = g
}

func testReplace(t *testing.T, s *service) {
	n := s.tenant(t)
	users := n.users(t, 6)
	g := n.group(t, "Admins", users[:3]...)
	before := n.versions(t)
	n.change(t, replaceMembers(g, append(values(users[2:5]), string(users[2]), "x@example.com", "y@example.com")...))
	equal(t, "members", n.members(t, g), users[2:5])
	equal(t, "pending", n.pending(t), []string{"x@example.com", "y@example.com"})
	after := n.versions(t)
	for i, raised := range []int64{1, 1, 0, 1, 1, 0} {
		if got := after[users[i]] - before[users[i]]; got != raised {
			t.Errorf("version of user %d rose by %d, want %d", i, got, raised)
		}
	}
	n.change(t, replaceMembers(g, string(users[5]), "y@example.com"))
	equal(t, "members", n.members(t, g), users[5:])
	equal(t, "pending", n.pending(t), []string{"y@example.com"})
	n.change(t, replaceMembers(g))
	equal(t, "members", len(n.members(t, g)), 0)
	equal(t, "pending", n.pending(t), nil)
}

// A provider may name a member by what it knows: its own id, or the userName.
func testMembersByName(t *testing.T, s *service) {
	n := s.tenant(t)
	u, other := newUser("Anna@Example.com"), newUser("bert@example.com")
	u.ExternalID, other.ExternalID = "00uAbC", "00uaBc"
	n.change(t, func(tx *rolesync.Tx) error { tx.CreateUser(u); tx.CreateUser(other); return nil })
	g := n.group(t, "Admins")
	for _, name := range []string{string(u.ID), "00uAbC", "anna@example.com", "ANNA@EXAMPLE.COM"} {
		t.Run(name, func(t *testing.T) {
			for change, members := range map[string]struct {
				make func(directory.GroupID, ...string) func(*rolesync.Tx) error
				want []directory.UserID
			}{
				"added":    {addMembers, []directory.UserID{u.ID}},
				"replaced": {replaceMembers, []directory.UserID{u.ID}},
			} {
				for range 2 {
					n.change(t, members.make(g, name))
					equal(t, change, n.members(t, g), members.want)
					n.wantRoles(t, u.ID, "admin")
				}
				n.change(t, removeMembers(g, name))
				equal(t, "removed", len(n.members(t, g)), 0)
				n.wantRoles(t, u.ID, "member")
			}
			equal(t, "pending", n.pending(t), nil)
			n.wantRoles(t, other.ID, "member")
		})
	}
}

func testPending(t *testing.T, s *service) {
	for _, c := range []struct {
		situation            string
		value                string // as the provider names the member
		externalID, userName string // of the user who appears
		joins                bool
	}{
		{"by externalId", "00uAbC", "00uAbC", "anna@example.com", true},
		{"by externalId in other case", "00uABC", "00uAbC", "anna@example.com", false},
		{"by userName", "anna@example.com", "", "anna@example.com", true},
		{"by userName, the value in other case", "ANNA@Example.com", "", "anna@example.com", true},
		{"by userName, the user in other case", "anna@example.com", "", "Anna@EXAMPLE.com", true},
		{"by userName beyond ASCII", "ZOË@straße.example", "", "zoe\u0308@STRASSE.example", true},
		{"by nothing", "bert@example.com", "00uAbC", "anna@example.com", false},
	} {
		t.Run(c.situation, func(t *testing.T) {
			n := s.tenant(t)
			g, other := n.group(t, "Admins"), n.group(t, "Engineering")
			n.change(t, addMembers(g, c.value, "somebody else"))
			n.change(t, addMembers(other, c.value))
			for _, how := range []string{"created", "renamed"} {
				u := newUser(c.userName)
				u.ExternalID = c.externalID
				if how == "created" {
					n.change(t, func(tx *rolesync.Tx) error { tx.CreateUser(u); return nil })
				} else {
					n.change(t, addMembers(g, c.value))
					n.change(t, addMembers(other, c.value))
					u.UserName, u.ExternalID = "before@example.com", ""
					n.change(t, func(tx *rolesync.Tx) error { tx.CreateUser(u); return nil })
					n.wantRoles(t, u.ID, "member")
					n.change(t, putUser(u.ID, func(u *directory.User) { u.UserName, u.ExternalID = c.userName, c.externalID }))
				}
				if c.joins {
					n.wantRoles(t, u.ID, "admin", "developer")
					equal(t, how+": pending", n.pending(t), []string{"somebody else"})
				} else {
					n.wantRoles(t, u.ID, "member")
					equal(t, how+": pending", len(n.pending(t)), 3)
				}
				if got := n.assignment(t, u.ID).Version; how == "created" && got != 1 {
					t.Errorf("version of a new user = %d, want 1", got)
				}
				n.change(t, deleteUser(u.ID))
			}
		})
	}
}

// Of two changes of one member in one push, the later one counts, whatever names they use.
func testMembersByTwoNames(t *testing.T, s *service) {
	n := s.tenant(t)
	u := n.user(t, "anna@example.com")
	g := n.group(t, "Admins")
	id, name := []string{string(u)}, []string{"ANNA@example.com"}
	for _, values := range [][2][]string{{id, name}, {name, id}, {name, name}, {id, id}} {
		for range 2 {
			n.change(t, func(tx *rolesync.Tx) error { tx.RemoveMembers(g, values[0]); tx.AddMembers(g, values[1]); return nil })
			n.wantRoles(t, u, "admin")
		}
		for range 2 {
			n.change(t, func(tx *rolesync.Tx) error { tx.AddMembers(g, values[0]); tx.RemoveMembers(g, values[1]); return nil })
			n.wantRoles(t, u, "member")
		}
	}
	equal(t, "pending", n.pending(t), nil)
}

// One who is pending under two names, or in the same push as the user, joins once.
func testPendingTwice(t *testing.T, s *service) {
	n := s.tenant(t)
	g := n.group(t, "Admins")
	n.change(t, addMembers(g, "00uA", "anna@example.com", "ANNA@example.com"))
	u := newUser("Anna@example.com")
	u.ExternalID = "00uA"
	n.change(t, func(tx *rolesync.Tx) error { tx.CreateUser(u); return nil })
	equal(t, "members", n.members(t, g), []directory.UserID{u.ID})
	equal(t, "pending", n.pending(t), nil)

	both := newUser("both@example.com")
	n.change(t, func(tx *rolesync.Tx) error {
		tx.TouchGroup(g)
		tx.AddMembers(g, []string{"both@example.com"})
		tx.CreateUser(both)
		return nil
	})
	n.wantRoles(t, both.ID, "admin")
	equal(t, "pending", n.pending(t), nil)

	n.change(t, addMembers(g, "gone@example.com", "stays@example.com"))
	n.change(t, removeMembers(g, "gone@example.com"))
	equal(t, "pending after a removal", n.pending(t), []string{"stays@example.com"})
	n.wantRoles(t, n.user(t, "gone@example.com"), "member")
}

func testBacklog(t *testing.T, s *service) {
	n := s.tenant(t)
	users := n.users(t, rolesync.InlineLimit+20)
	g := n.group(t, "Everyone", users...)
	idle := n.user(t, "idle@example.com")
	all := func(what string, role string) {
		t.Helper()
		n.workOff(t)
		wrong := 0
		list, err := n.Store.Assignments(t.Context(), n.by.Organization, "", 10_000)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range list {
			want := role
			if a.User == idle {
				want = "member"
			}
			if got := fmt.Sprint(rolesOf(t, a)); got != "["+want+"]" {
				wrong++
			}
		}
		if wrong > 0 {
			t.Errorf("%s: %d of %d users have not the role %s", what, wrong, len(list), role)
		}
	}
	n.change(t, renameGroup(g, "Admins"))
	all("renamed", "admin")
	n.change(t, replaceMembers(g, string(idle)))
	n.workOff(t)
	n.wantRoles(t, users[0], "member")
	n.wantRoles(t, idle, "admin")
	n.change(t, replaceMembers(g, values(users)...))
	all("replaced", "admin")
	n.change(t, deleteGroup(g))
	all("deleted", "member")
	equal(t, "version of one who was in all", n.assignment(t, users[7]).Version, 5)
	equal(t, "version of one who was in one", n.assignment(t, idle).Version, 3)
}

// A group is renamed again and again while another worker works off the backlog of
// the rename before: in the end the last name counts for everybody.
func testBacklogGrows(t *testing.T, s *service) {
	n := s.tenant(t)
	users := n.users(t, rolesync.InlineLimit+100)
	g := n.group(t, "Everyone", users...)
	var done atomic.Bool
	together(3, func(worker int) {
		if worker > 0 {
			for !done.Load() {
				if err := n.WorkOff(t.Context()); err != nil {
					t.Error(err)
				}
			}
			return
		}
		rounds := 12
		if strings.HasPrefix(n.url, "sqlite:") {
			rounds = 3 // one writer at a time
		}
		for i := range rounds {
			if err := n.try(renameGroup(g, []string{"Admins", "Engineers", "Sales"}[i%3]+strings.Repeat(" ", i%2))); err != nil {
				t.Error(err)
			}
		}
		if err := n.try(renameGroup(g, "Admins")); err != nil {
			t.Error(err)
		}
		done.Store(true)
	})
	n.workOff(t)
	for _, u := range users {
		n.wantRoles(t, u, "admin")
	}
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
	taken := newUser("taken@example.com")
	taken.ExternalID = "00u1"
	n.change(t, func(tx *rolesync.Tx) error { tx.CreateUser(taken); return nil })
	g := n.group(t, "Admins")
	for name, c := range map[string]struct {
		change func(*rolesync.Tx) error
		kind   fault.Kind
	}{
		"a userName that is taken": {func(tx *rolesync.Tx) error { tx.CreateUser(newUser("TAKEN@example.com")); return nil }, fault.Conflict},
		"an externalId that is taken": {func(tx *rolesync.Tx) error {
			u := newUser("x@example.com")
			u.ExternalID = "00u1"
			tx.CreateUser(u)
			return nil
		}, fault.Conflict},
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

func testThousandMembers(t *testing.T, s *service) {
	n := s.tenant(t)
	users := n.users(t, 1000)
	g := n.group(t, "Admins")
	together(10, func(worker int) {
		for _, u := range users[worker*100 : worker*100+100] {
			if err := n.try(addMembers(g, string(u))); err != nil {
				t.Error(err)
			}
		}
	})
	equal(t, "members", n.members(t, g), users)
	for _, u := range users {
		n.wantRoles(t, u, "admin")
	}
}

func testOneUserName(t *testing.T, s *service) {
	n := s.tenant(t)
	for round := range 5 {
		var created, conflicts atomic.Int32
		together(8, func(int) {
			u := newUser(fmt.Sprintf("race%d@example.com", round))
			switch err := n.try(func(tx *rolesync.Tx) error { tx.CreateUser(u); return nil }); {
			case err == nil:
				created.Add(1)
			case fault.Is(err, fault.Conflict):
				conflicts.Add(1)
			default:
				t.Error(err)
			}
		})
		if created.Load() != 1 || conflicts.Load() != 7 {
			t.Errorf("%d were created and %d refused, want 1 and 7", created.Load(), conflicts.Load())
		}
	}
}

// Changes that name their members by id lock users in one order, so PostgreSQL never has
// to end one of them, which takes it a second.
func TestChangesByIDDoNotDeadlock(t *testing.T) {
	t.Parallel()
	s := newService(t, prepared(t, testserver.Database(t)), "")
	n := s.tenant(t)
	users := n.users(t, 30)
	groups := []directory.GroupID{n.group(t, "Admins"), n.group(t, "Engineering"), n.group(t, "Sales"), n.group(t, "Support")}
	together(8, func(worker int) {
		r := rand.New(rand.NewPCG(uint64(worker), 7))
		some := func() (members []string) {
			for range 1 + r.IntN(12) {
				members = append(members, string(pick(r, users)))
			}
			return members
		}
		for range 40 {
			group := groups[worker%4] // two workers each
			var change func(*rolesync.Tx) error
			switch r.IntN(8) {
			case 0:
				change = addMembers(group, some()...)
			case 1:
				change = removeMembers(group, some()...)
			case 2:
				change = renameGroup(group, fmt.Sprintf("%s %d", []string{"Eng", "Admins", "Sales"}[r.IntN(3)], worker%4))
			case 3:
				change = setActive(pick(r, users), r.IntN(3) > 0)
			case 4:
				add, remove := addMembers(group, some()...), removeMembers(group, some()...)
				change = func(tx *rolesync.Tx) error { return errors.Join(remove(tx), add(tx)) }
			default:
				change = replaceMembers(group, some()...)
			}
			if err := n.try(change); err != nil {
				t.Error(err)
			}
		}
	})
	if again := s.again.Load(); again > 0 {
		t.Errorf("%d transactions ran again", again)
	}
	s.wantSound(t)
}

func testRenameWhileAdding(t *testing.T, s *service) {
	n := s.tenant(t)
	users := n.users(t, 36)
	g := n.group(t, "Sales")
	together(4, func(worker int) {
		if worker == 0 {
			for i := range 18 {
				if err := n.try(renameGroup(g, []string{"Admins", "Engineers", "Sales"}[i%3])); err != nil {
					t.Error(err)
				}
			}
			if err := n.try(renameGroup(g, "Engineers")); err != nil {
				t.Error(err)
			}
			return
		}
		for _, u := range users[worker*12-12 : worker*12] {
			if err := n.try(addMembers(g, string(u))); err != nil {
				t.Error(err)
			}
			if err := n.try(putUser(u, func(u *directory.User) { u.Email = "x@example.com" })); err != nil {
				t.Error(err)
			}
		}
	})
	for _, u := range users {
		n.wantRoles(t, u, "developer")
	}
}

func testCreateWhilePending(t *testing.T, s *service) {
	n := s.tenant(t)
	const count = 24
	g, other := n.group(t, "Admins"), n.group(t, "Engineering")
	name := func(i int) string { return fmt.Sprintf("user%d@example.com", i) }
	together(4, func(worker int) {
		for i := range count {
			var err error
			switch worker {
			case 0:
				err = n.try(addMembers(g, strings.ToUpper(name(i))))
			case 1:
				err = n.try(addMembers(other, name(count-1-i), name(i)))
			case 2:
				err = n.try(func(tx *rolesync.Tx) error { tx.CreateUser(newUser(name(i))); return nil })
			case 3: // a deletion of the group that somebody waits for
				gone := newGroup(fmt.Sprintf("Gone %d", i))
				err = n.try(func(tx *rolesync.Tx) error {
					tx.CreateGroup(gone)
					tx.AddMembers(gone.ID, []string{name(i), name(i + 1)})
					return nil
				})
				if err == nil {
					err = n.try(deleteGroup(gone.ID))
				}
			}
			if err != nil {
				t.Errorf("worker %d, step %d: %v", worker, i, err)
			}
		}
	})
	equal(t, "pending", n.pending(t), nil)
	page, err := n.Store.Users(t.Context(), store.UserQuery{Scope: n.scope(), Limit: count + 1})
	if err != nil || len(page.Items) != count {
		t.Fatalf("Users = %d, %v", len(page.Items), err)
	}
	for _, u := range page.Items {
		n.wantRoles(t, u.ID, "admin", "developer")
	}
}
