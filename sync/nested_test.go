package sync_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/mapping"
	rolesync "github.com/rolesync/rolesync/sync"
)

// expanding makes a tenant with the usual rules, which count nested groups.
func (s *service) expanding(t tester) tenant {
	t.Helper()
	n := s.tenant(t)
	rules := ruleSet
	rules.ExpandNestedGroups = true
	if _, err := n.PublishRules(t.Context(), n.by, rules, rolesync.AnyVersion, "test"); err != nil {
		t.Fatal(err)
	}
	n.workOff(t)
	return n
}

func (n tenant) revision(t tester, group directory.GroupID) int64 {
	t.Helper()
	g, err := n.Store.Group(t.Context(), n.scope(), group)
	if err != nil {
		t.Fatal(err)
	}
	return g.Revision
}

func testNested(t *testing.T, s *service) {
	n := s.expanding(t)
	users := n.users(t, 3)
	bottom, middle, top := n.group(t, "Bottom", users[0]), n.group(t, "Middle", users[1]), n.group(t, "Admins", users[2])
	want := func(what string, roles ...mapping.RoleKey) {
		t.Helper()
		for i, role := range roles {
			if got := rolesOf(t, n.assignment(t, users[i])); len(got) != 1 || got[0] != role {
				t.Errorf("%s: roles of user %d = %v, want %s", what, i, got, role)
			}
		}
	}
	n.change(t, addMembers(top, string(middle)))
	want("middle is in top", "member", "admin", "admin")
	n.change(t, addMembers(middle, string(bottom)))
	want("bottom is in middle", "admin", "admin", "admin")
	n.change(t, renameGroup(top, "Engineers"))
	want("top is renamed", "developer", "developer", "developer")
	n.change(t, addMembers(bottom, string(top)))
	want("a circle", "developer", "developer", "developer")
	before := n.versions(t)
	n.change(t, addMembers(middle, string(bottom), string(users[1])))
	n.change(t, renameGroup(middle, "Middles"))
	equal(t, "versions after changes that change nothing", n.versions(t), before)
	n.change(t, replaceMembers(top, string(users[2])))
	want("middle is no more in top", "member", "member", "developer")
	n.change(t, renameGroup(middle, "Engineering"))
	want("middle is renamed", "developer", "developer", "developer")
	n.change(t, renameGroup(top, "Top"))
	want("top is renamed: middle is in it no more, but it is in bottom", "developer", "developer", "developer")
	n.change(t, deleteGroup(bottom))
	want("bottom is deleted", "member", "developer", "member")
	n.change(t, deleteGroup(middle))
	want("middle is deleted", "member", "member", "member")
	wantFault(t, n.try(addMembers(middle, string(top))), fault.NotFound)
	n.change(t, addMembers(top, string(middle)))
	equal(t, "pending: a group that is no more", n.pending(t), []string{string(middle)})
	n.change(t, removeMembers(top, string(middle)))
	equal(t, "pending", n.pending(t), nil)
}

func testNotExpanded(t *testing.T, s *service) {
	n := s.tenant(t)
	users := n.users(t, 2)
	nested, admins := n.group(t, "Nested", users[0]), n.group(t, "Admins", users[1])
	before := n.versions(t)
	n.change(t, addMembers(admins, string(nested)))
	equal(t, "versions", n.versions(t), before)
	n.change(t, renameGroup(admins, "Engineers"))
	n.wantRoles(t, users[0], "member")
	n.wantRoles(t, users[1], "developer")
	rules := ruleSet
	for _, expand := range []bool{true, false} {
		rules.ExpandNestedGroups = expand
		if _, err := n.PublishRules(t.Context(), n.by, rules, rolesync.AnyVersion, "test"); err != nil {
			t.Fatal(err)
		}
		n.workOff(t)
		n.wantRoles(t, users[0], map[bool]mapping.RoleKey{true: "developer", false: "member"}[expand])
		n.wantRoles(t, users[1], "developer")
	}
}

// What is nested may be more than one transaction evaluates, in one group or in many.
func testNestedBacklog(t *testing.T, s *service) {
	n := s.expanding(t)
	users := n.users(t, rolesync.InlineLimit+100)
	all := n.group(t, "All")
	for i := range 4 {
		part := n.group(t, fmt.Sprint("Part ", i), users[i*150:i*150+150]...)
		n.change(t, addMembers(all, string(part)))
	}
	top := n.group(t, "Admins")
	want := func(what string, role mapping.RoleKey) {
		t.Helper()
		n.workOff(t)
		for _, u := range []directory.UserID{users[0], users[299], users[len(users)-1]} {
			if got := rolesOf(t, n.assignment(t, u)); len(got) != 1 || got[0] != role {
				t.Errorf("%s: roles of %s = %v, want %s", what, u, got, role)
			}
		}
	}
	n.change(t, addMembers(top, string(all)))
	want("nested", "admin")
	n.change(t, renameGroup(top, "Engineers"))
	want("renamed", "developer")
	n.change(t, removeMembers(top, string(all)))
	want("no more nested", "member")
	n.change(t, addMembers(top, string(all)))
	n.change(t, deleteGroup(all))
	want("deleted", "member")
}

// Only a change of what is nested waits for the others of its organization.
func testAlone(t *testing.T, s *service) {
	n := s.expanding(t)
	u := n.user(t, "anna@example.com")
	nested, top := n.group(t, "Nested", u), n.group(t, "Admins", u)
	n.change(t, addMembers(top, string(nested)))
	lone := n.group(t, "Lone", u)
	for _, c := range []struct {
		situation string
		change    func(*rolesync.Tx) error
		runs      int
	}{
		{"a user is added", addMembers(top, string(u)), 1},
		{"members are replaced by the same", replaceMembers(top, string(u), string(nested)), 1},
		{"users are replaced", replaceMembers(top, string(nested)), 1},
		{"a group that is nested is renamed", renameGroup(nested, "Nested 2"), 1},
		{"a group that has nested ones is renamed", renameGroup(top, "Engineers"), 2},
		{"a nested group is added", addMembers(top, string(lone)), 2},
		{"a nested group is removed", removeMembers(top, string(lone)), 2},
		{"a group is deleted", deleteGroup(lone), 1},
		{"a group that is nested is deleted", deleteGroup(nested), 2},
		{"a group that had nested ones is deleted", deleteGroup(top), 1},
	} {
		t.Run(c.situation, func(t *testing.T) {
			runs := 0
			n.change(t, func(tx *rolesync.Tx) error { runs++; return c.change(tx) })
			equal(t, "runs", runs, c.runs)
		})
	}
	t.Run("the closure's own error", func(t *testing.T) {
		other, another := n.group(t, "Other"), n.group(t, "Another")
		err := n.try(func(tx *rolesync.Tx) error { return errors.Join(addMembers(other, string(another))(tx), errBroken) })
		if !errors.Is(err, errBroken) {
			t.Errorf("error = %v, want %v", err, errBroken)
		}
	})
}

// Whatever takes or gives a member raises the revision of the group, once for each group
// that is concerned and never of another.
func testRevisions(t *testing.T, s *service) {
	n := s.tenant(t)
	users := n.users(t, 2)
	child := n.group(t, "Child")
	groups := []directory.GroupID{n.group(t, "A", users...), n.group(t, "B", users[0]), n.group(t, "C"), n.group(t, "D")}
	n.change(t, addMembers(groups[3], string(child), "later@example.com", "00uLater"))
	n.change(t, addMembers(groups[2], "later@example.com"))
	before := make([]int64, len(groups))
	raised := func(what, want string) {
		t.Helper()
		got := ""
		for i, g := range groups {
			now := n.revision(t, g)
			got += fmt.Sprint(now - before[i])
			before[i] = now
		}
		if want != "" && got != want {
			t.Errorf("%s: revisions rose by %s, want %s", what, got, want)
		}
	}
	raised("", "")
	n.change(t, setActive(users[0], false))
	raised("a member is deactivated", "0000")
	n.change(t, deleteUser(users[0]))
	raised("a member is deleted", "1100")
	n.change(t, func(tx *rolesync.Tx) error { return tx.DeleteUser(users[1]) })
	raised("a member is deleted that nobody has read before", "1000")
	later := newUser("later@example.com")
	later.ExternalID = "00uLater"
	n.change(t, func(tx *rolesync.Tx) error { tx.CreateUser(later); return nil })
	raised("a pending member appears", "0011")
	n.change(t, deleteGroup(child))
	raised("a nested group is deleted", "0001")
	wantFault(t, n.try(deleteUser(users[0])), fault.NotFound)
	raised("a deletion fails", "0000")
}

// Nested groups come and go while their members do, and names change.
func testNestWhileAdding(t *testing.T, s *service) {
	n := s.expanding(t)
	users := n.users(t, 24)
	var groups []directory.GroupID
	for i := range 5 {
		groups = append(groups, n.group(t, fmt.Sprint("Group ", i)))
	}
	names := []string{"Admins", "Engineers", "Sales"}
	together(6, func(worker int) {
		r := rand.New(rand.NewPCG(uint64(worker), 11))
		for i := range 20 {
			group := pick(r, groups)
			var change func(*rolesync.Tx) error
			switch {
			case worker == 0 && i%2 == 0:
				change = addMembers(group, string(pick(r, groups)), string(pick(r, users)))
			case worker == 0:
				change = removeMembers(group, string(pick(r, groups)))
			case worker == 1:
				change = renameGroup(groups[i%5], fmt.Sprintf("%s %d", pick(r, names), i%5))
			case worker == 2:
				change = replaceMembers(group, string(pick(r, groups)), string(pick(r, users)), string(pick(r, users)))
			case worker == 3:
				change = removeMembers(group, string(pick(r, users)))
			default:
				change = addMembers(group, string(pick(r, users)))
			}
			if err := n.try(change); err != nil {
				t.Error(err)
			}
		}
	})
	n.change(t, addMembers(groups[0], string(groups[1]), string(groups[2])))
	n.change(t, renameGroup(groups[0], "Engineers"))
	n.change(t, addMembers(groups[2], string(users[0])))
	for _, role := range rolesOf(t, n.assignment(t, users[0])) {
		if role == "developer" {
			return
		}
	}
	t.Errorf("%s is not a developer", users[0])
}

// Users leave while they are added, and groups that they are in are deleted and renamed.
func testLeaversAtOnce(t *testing.T, s *service) {
	n := s.expanding(t)
	users := n.users(t, 20)
	kept := n.group(t, "Admins", users[:10]...)
	var groups []directory.GroupID
	for i := range 6 {
		groups = append(groups, n.group(t, fmt.Sprint("Engineers ", i), users[i:i+10]...))
	}
	together(4, func(worker int) {
		for i, u := range users {
			var err error
			switch worker {
			case 0:
				err = n.try(deleteUser(u))
			case 1:
				err = n.try(addMembers(kept, string(u), string(groups[i%6])))
			case 2:
				if i < 5 {
					err = n.try(deleteGroup(groups[i]))
				}
			case 3:
				err = n.try(renameGroup(kept, []string{"Admins", "Sales"}[i%2]))
			}
			if err != nil {
				t.Errorf("worker %d, step %d: %v", worker, i, err)
			}
		}
	})
	equal(t, "members of whom none exists", n.members(t, kept), []directory.UserID{})
}
