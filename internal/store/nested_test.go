package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/mapping"
)

// nest puts groups into a group.
func (n tenant) nest(t *testing.T, group directory.Group, nested ...directory.Group) {
	t.Helper()
	n.change(t, func(tx *store.Tx) { tx.NestGroups(group.ID, groupValues(nested)) })
}

func groupValues(groups []directory.Group) []string {
	values := make([]string, len(groups))
	for i, g := range groups {
		values[i] = string(g.ID)
	}
	return values
}

// held describes the groups of a user as rules see them: "Finance", or "Finance via
// Finance EMEA".
func (n tenant) held(t *testing.T, user directory.UserID) (names []string) {
	t.Helper()
	subjects := must[[]store.Subject](t)(n.Subjects(t.Context(), n.Organization, []directory.UserID{user}))
	return describe(subjects[0].Facts.Groups)
}

func describe(groups []directory.Membership) (names []string) {
	for _, m := range groups {
		name := m.DisplayName
		if m.Via != "" {
			i := slices.IndexFunc(groups, func(own directory.Membership) bool { return own.Group == m.Via && own.Via == "" })
			name += " via " + groups[i].DisplayName
		}
		names = append(names, name)
	}
	return names
}

func testNestedGroups(t *testing.T, d *database) {
	ctx := t.Context()
	n := d.tenant(t)
	// A chain: each is in the next.
	chain := make([]directory.Group, 8)
	for i := range chain {
		chain[i] = n.group(t, fmt.Sprintf("G%d", i))
	}
	anna, bert := n.user(t, "anna@example.com").ID, n.user(t, "bert@example.com").ID
	foreign := n.sibling(t).group(t, "Foreign")
	n.change(t, func(tx *store.Tx) {
		tx.AddMembers(chain[0].ID, []string{string(anna)})
		tx.AddMembers(chain[3].ID, []string{string(anna), string(bert)})
	})
	for i := range chain[1:] {
		n.nest(t, chain[i+1], chain[i])
	}
	var known *store.Later[[]directory.GroupID]
	for range 2 { // it is idempotent
		n.change(t, func(tx *store.Tx) {
			known = tx.NestGroups(chain[7].ID, []string{string(foreign.ID), string(chain[7].ID), "grp_x", string(anna), string(chain[6].ID)})
		})
		equal(t, "values that are groups of the connection", known.Get(), []directory.GroupID{chain[6].ID, chain[7].ID})
		equal(t, "Members: a group is not its own", must[[]directory.MemberID](t)(d.Members(ctx, n.Organization, chain[7].ID, 0)), []directory.MemberID{directory.MemberID(chain[6].ID)})
	}
	n.nest(t, chain[3], chain[5]) // a circle

	inChain3 := []directory.MemberID{directory.MemberID(chain[2].ID), directory.MemberID(chain[5].ID), directory.MemberID(anna), directory.MemberID(bert)}
	equal(t, "Members", must[[]directory.MemberID](t)(d.Members(ctx, n.Organization, chain[3].ID, 0)), inChain3)
	equal(t, "Members limited", must[[]directory.MemberID](t)(d.Members(ctx, n.Organization, chain[3].ID, 3)), inChain3[:3])
	equal(t, "MembersAfter a group", must[[]directory.MemberID](t)(d.MembersAfter(ctx, n.Organization, chain[3].ID, inChain3[0], 2)), inChain3[1:3])
	equal(t, "MembersAfter a user", must[[]directory.MemberID](t)(d.MembersAfter(ctx, n.Organization, chain[3].ID, inChain3[2], 0)), inChain3[3:])
	equal(t, "MembersOf", must[map[directory.GroupID][]directory.MemberID](t)(d.MembersOf(ctx, n.Organization, []directory.GroupID{chain[3].ID, chain[1].ID}, 3)),
		map[directory.GroupID][]directory.MemberID{chain[3].ID: inChain3[:3], chain[1].ID: {directory.MemberID(chain[0].ID)}})

	equal(t, "groups, five steps up and by the shortest way", n.held(t, anna),
		[]string{"G0", "G1 via G0", "G2 via G0", "G3", "G4 via G3", "G5 via G3", "G6 via G3", "G7 via G3"})
	equal(t, "groups of another user", n.held(t, bert), []string{"G3", "G4 via G3", "G5 via G3", "G6 via G3", "G7 via G3"})
	n.change(t, func(tx *store.Tx) { tx.RemoveMembers(chain[3].ID, []string{string(anna)}) })
	equal(t, "groups, five steps up", n.held(t, anna), []string{"G0", "G1 via G0", "G2 via G0", "G3 via G0", "G4 via G0", "G5 via G0"})

	n.change(t, func(tx *store.Tx) { tx.StaleBelow([]directory.GroupID{chain[0].ID, chain[5].ID}, "req_1") })
	equal(t, "users that StaleBelow put on the backlog", must[int](t)(d.Remaining(ctx, n.Organization)), 2)

	counted := func() [][]string {
		groups := must[map[directory.UserID][]directory.Membership](t)(d.UserGroups(ctx, n.Organization, []directory.UserID{anna, bert}))
		return [][]string{describe(groups[anna]), describe(groups[bert])}
	}
	equal(t, "UserGroups", counted(), [][]string{{"G0"}, {"G3"}})
	for version, expand := range []bool{true, false} {
		n.change(t, func(tx *store.Tx) {
			_ = tx.PutRuleSet(store.RuleSetVersion{Version: int64(version + 1), RuleSet: mapping.RuleSet{ExpandNestedGroups: expand}})
		})
		equal(t, "UserGroups if rules say so", len(counted()[0]) == 6, expand)
	}

	below := func(limit int, groups ...directory.GroupID) []directory.UserID {
		var users *store.Later[[]directory.UserID]
		n.change(t, func(tx *store.Tx) { users = tx.UsersBelow(groups, limit) })
		return users.Get()
	}
	equal(t, "UsersBelow the first", below(10, chain[0].ID), []directory.UserID{anna})
	equal(t, "UsersBelow, five steps down", below(10, chain[5].ID), []directory.UserID{anna, bert})
	equal(t, "UsersBelow, six steps down", below(10, chain[6].ID), []directory.UserID{bert})
	equal(t, "UsersBelow several", below(10, chain[0].ID, chain[3].ID, foreign.ID), []directory.UserID{anna, bert})
	equal(t, "UsersBelow limited", len(below(1, chain[3].ID)), 1)

	kin := func(g directory.Group) string {
		var nests *store.Later[bool]
		var parents *store.Later[[]directory.GroupID]
		n.change(t, func(tx *store.Tx) { nests, parents = tx.Nests(g.ID), tx.Parents(g.ID) })
		return fmt.Sprint(nests.Get(), len(parents.Get()))
	}
	equal(t, "kin of the first", kin(chain[0]), "false 1")
	equal(t, "kin of one in two", kin(chain[5]), "true 2")
	equal(t, "kin of the last", kin(chain[7]), "true 0")

	n.change(t, func(tx *store.Tx) {
		known = tx.UnnestGroups(chain[1].ID, []string{string(chain[0].ID), string(chain[6].ID), "grp_x"})
	})
	equal(t, "values of UnnestGroups that are groups", known.Get(), []directory.GroupID{chain[0].ID, chain[6].ID})
	equal(t, "groups without the first step", n.held(t, anna), []string{"G0"})
	n.change(t, func(tx *store.Tx) { tx.DeleteGroup(chain[4].ID) })
	equal(t, "groups without a step", n.held(t, bert), []string{"G3"})
	equal(t, "Members of a group that contained a deleted one", must[[]directory.MemberID](t)(d.Members(ctx, n.Organization, chain[5].ID, 0)), []directory.MemberID{})
}

// However many ways lead around, a group counts once.
func testCircle(t *testing.T, d *database) {
	n := d.tenant(t)
	groups := make([]directory.Group, 12)
	var names []string
	for i := range groups {
		groups[i] = n.group(t, fmt.Sprintf("G%02d", i))
		names = append(names, groups[i].DisplayName+" via G05")
	}
	names[5] = "G05"
	for _, g := range groups {
		n.nest(t, g, groups...)
	}
	anna := n.user(t, "anna@example.com").ID
	n.change(t, func(tx *store.Tx) { tx.AddMembers(groups[5].ID, []string{string(anna)}) })
	equal(t, "groups", n.held(t, anna), names)
	var below *store.Later[[]directory.UserID]
	n.change(t, func(tx *store.Tx) { below = tx.UsersBelow([]directory.GroupID{groups[0].ID}, 10) })
	equal(t, "UsersBelow", below.Get(), []directory.UserID{anna})
}

func testRaisedGroups(t *testing.T, d *database) {
	n := d.tenant(t)
	groups := []directory.Group{n.group(t, "A"), n.group(t, "B"), n.group(t, "C"), n.group(t, "D")}
	anna := n.user(t, "anna@example.com").ID
	n.change(t, func(tx *store.Tx) {
		for _, g := range groups[:3] {
			tx.AddMembers(g.ID, []string{string(anna)})
		}
	})
	revisions := func() string {
		var list []string
		for _, g := range groups {
			now := must[directory.Group](t)(n.Group(t.Context(), n.Scope, g.ID))
			if now.Revision > 1 == now.ModifiedAt.Equal(g.ModifiedAt) {
				t.Errorf("revision %d, but modified at %s, created at %s", now.Revision, now.ModifiedAt, g.ModifiedAt)
			}
			list = append(list, fmt.Sprint(now.Revision))
		}
		return strings.Join(list, " ")
	}
	var raised *store.Later[[]directory.GroupID]
	n.change(t, func(tx *store.Tx) {
		raised = tx.RaiseGroupsOf(anna, []directory.GroupID{groups[1].ID}, directory.Now())
	})
	got := slices.Sorted(slices.Values(raised.Get()))
	equal(t, "groups that were raised", got, []directory.GroupID{groups[0].ID, groups[2].ID})
	equal(t, "revisions", revisions(), "2 1 2 1")
	n.change(t, func(tx *store.Tx) { raised = tx.RaiseGroupsOf(anna, nil, directory.Now()) })
	equal(t, "groups that were raised", len(raised.Get()), 3)
	n.change(t, func(tx *store.Tx) {
		tx.RaiseGroups([]directory.GroupID{groups[3].ID, groups[0].ID, "grp_x"}, directory.Now())
	})
	equal(t, "revisions", revisions(), "4 2 3 2")
	n.sibling(t).change(t, func(tx *store.Tx) { raised = tx.RaiseGroupsOf("usr_x", nil, directory.Now()) })
	equal(t, "groups of nobody", len(raised.Get()), 0)
}
