package sync_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rolesync/rolesync/internal/directory"
	rolesync "github.com/rolesync/rolesync/sync"
)

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
