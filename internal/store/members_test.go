package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
)

func contains(text, part string) bool { return strings.Contains(text, part) }

// members makes members of users.
func members(users ...directory.UserID) []directory.MemberID {
	list := make([]directory.MemberID, len(users))
	for i, id := range users {
		list[i] = directory.MemberID(id)
	}
	return list
}

func testMembers(t *testing.T, d *database) {
	ctx := t.Context()
	n := d.tenant(t)
	g := n.group(t, "Admins")
	users := make([]directory.UserID, 5)
	values := make([]string, len(users))
	for i := range users {
		users[i] = n.user(t, fmt.Sprintf("u%d@example.com", i)).ID
		values[i] = string(users[i])
	}
	foreign := n.sibling(t).user(t, "foreign@example.com")
	change := func(t *testing.T, change func(*store.Tx), want ...directory.UserID) {
		t.Helper()
		for range 2 { // each is idempotent
			var within *store.Later[[]directory.MemberID]
			n.change(t, func(tx *store.Tx) { change(tx); within = tx.Members(g.ID, 0) })
			got := must[[]directory.MemberID](t)(d.Members(ctx, n.Organization, g.ID, 0))
			equal(t, "Members", got, members(want...))
			equal(t, "Members within the transaction", append([]directory.MemberID{}, within.Get()...), members(want...))
		}
	}
	change(t, func(tx *store.Tx) { tx.AddMembers(g.ID, nil) })
	change(t, func(tx *store.Tx) { tx.AddMembers(g.ID, values[1:3]) }, users[1:3]...)
	change(t, func(tx *store.Tx) { tx.AddMembers(g.ID, values[:3]) }, users[:3]...)
	change(t, func(tx *store.Tx) { tx.AddMembers(g.ID, []string{"usr_x", "", `"`, string(foreign.ID)}) }, users[:3]...)
	change(t, func(tx *store.Tx) { tx.AddMembers(g.ID, values) }, users...)
	change(t, func(tx *store.Tx) { tx.RemoveMembers(g.ID, []string{values[4], "usr_x", string(foreign.ID)}) }, users[:4]...)
	n.change(t, func(tx *store.Tx) { tx.DeleteUser(users[3]) })
	change(t, func(*store.Tx) {}, users[:3]...)
	equal(t, "Members limited", must[[]directory.MemberID](t)(d.Members(ctx, n.Organization, g.ID, 2)), members(users[:2]...))

	equal(t, "MembersAfter", must[[]directory.MemberID](t)(d.MembersAfter(ctx, n.Organization, g.ID, directory.MemberID(users[0]), 1)), members(users[1]))
	equal(t, "MembersAfter the last", must[[]directory.MemberID](t)(d.MembersAfter(ctx, n.Organization, g.ID, directory.MemberID(users[2]), 0)), members())

	other := n.group(t, "Others")
	n.change(t, func(tx *store.Tx) { tx.AddMembers(other.ID, values[:1]) })
	of := []directory.GroupID{other.ID, n.group(t, "Nobody").ID, g.ID, "grp_x"}
	for limit, want := range map[int]map[directory.GroupID][]directory.MemberID{
		0: {g.ID: members(users[:3]...), other.ID: members(users[0])},
		2: {g.ID: members(users[:2]...), other.ID: members(users[0])},
	} {
		equal(t, "MembersOf", must[map[directory.GroupID][]directory.MemberID](t)(d.MembersOf(ctx, n.Organization, of, limit)), want)
	}
	equal(t, "MembersOf another organization",
		must[map[directory.GroupID][]directory.MemberID](t)(d.MembersOf(ctx, d.tenant(t).Organization, of, 0)), map[directory.GroupID][]directory.MemberID{})
	groups := must[map[directory.UserID][]directory.Membership](t)(d.UserGroups(ctx, n.Organization, users))
	equal(t, "UserGroups", groups, map[directory.UserID][]directory.Membership{
		users[0]: {{Group: g.ID, Connection: n.Connection, Kind: directory.SCIM, DisplayName: "Admins"}, {Group: other.ID, Connection: n.Connection, Kind: directory.SCIM, DisplayName: "Others"}},
		users[1]: {{Group: g.ID, Connection: n.Connection, Kind: directory.SCIM, DisplayName: "Admins"}},
		users[2]: {{Group: g.ID, Connection: n.Connection, Kind: directory.SCIM, DisplayName: "Admins"}},
	})
	var locked *store.Later[[]directory.UserID]
	n.change(t, func(tx *store.Tx) {
		locked = tx.AddMembers(g.ID, []string{values[2], "nobody", values[0], string(foreign.ID), values[3]})
	})
	equal(t, "users that AddMembers locked", locked.Get(), []directory.UserID{users[0], users[2]})
}

func testPendingMembers(t *testing.T, d *database) {
	ctx := t.Context()
	n := d.tenant(t)
	sibling := n.sibling(t)
	g, other, foreign := n.group(t, "Admins"), n.group(t, "Others"), sibling.group(t, "Admins")
	now := directory.Now()
	for range 2 {
		n.change(t, func(tx *store.Tx) {
			tx.PutPending(g.ID, []string{"00uAbC", "Zoë@Example.com", `it's "x" %`}, now)
			tx.PutPending(other.ID, []string{"00uAbC", "shared"}, now)
		})
		sibling.change(t, func(tx *store.Tx) { tx.PutPending(foreign.ID, []string{"00uAbC", "zoë@example.com"}, now) })
	}
	n.change(t, func(tx *store.Tx) {
		for _, userName := range []string{"one@example.com", "two@example.com"} {
			u := n.newUser(userName)
			u.ExternalID = "shared"
			tx.CreateUser(u)
		}
	})
	pending := func() (list []string) {
		t.Helper()
		for _, p := range must[[]store.PendingMember](t)(d.PendingMembers(ctx, n.Scope, 10)) {
			equal(t, "since", p.Since, now)
			list = append(list, string(p.Group)+" "+p.Value)
		}
		return list
	}
	in := func(g directory.Group, value string) string { return string(g.ID) + " " + value }
	equal(t, "PendingMembers", pending(), []string{in(g, "00uAbC"), in(g, "Zoë@Example.com"), in(g, `it's "x" %`), in(other, "00uAbC"), in(other, "shared")})

	for _, c := range []struct {
		situation string
		names     store.Names
		want      []directory.GroupID
	}{
		{"nobody's name", store.Names{ExternalID: "nobody", UserName: "nobody"}, nil},
		{"no name", store.Names{}, nil},
		{"an externalId in other case", store.Names{ExternalID: "00UABC"}, nil},
		{"a userName in other case, decomposed", store.Names{ExternalID: "x", UserName: "ZOE\u0308@example.com"}, []directory.GroupID{g.ID}},
		{"the same again", store.Names{UserName: "Zoë@Example.com"}, nil},
		{"an externalId that two users share", store.Names{ExternalID: "shared", UserName: "two@example.com"}, nil},
		{"a userName that is what two users share", store.Names{UserName: "Shared"}, nil},
		{"an externalId that two groups wait for", store.Names{ExternalID: "00uAbC", UserName: "abc@example.com"}, []directory.GroupID{g.ID, other.ID}},
	} {
		t.Run(c.situation, func(t *testing.T) {
			var taken *store.Later[[]directory.GroupID]
			n.change(t, func(tx *store.Tx) { taken = tx.TakePending(directory.NewUserID(), c.names) })
			got := taken.Get()
			slices.Sort(got)
			equal(t, "TakePending", got, c.want)
		})
	}
	equal(t, "PendingMembers after some were taken", pending(), []string{in(g, `it's "x" %`), in(other, "shared")})
	equal(t, "pending members of another connection", len(must[[]store.PendingMember](t)(d.PendingMembers(ctx, sibling.Scope, 10))), 2)

	n.change(t, func(tx *store.Tx) {
		tx.PutPending(g.ID, []string{"a", "b", "c", "", " "}, now)
		tx.ForgetPending(g.ID, []string{"b", `it's "x" %`, "nobody"})
	})
	equal(t, "PendingMembers after ForgetPending", pending(), []string{in(g, "a"), in(g, "c"), in(other, "shared")})
	n.change(t, func(tx *store.Tx) { tx.RemovePending(g.ID); tx.RemovePending(other.ID) })
	equal(t, "PendingMembers after RemovePending", pending(), nil)
}

func testUsersNamed(t *testing.T, d *database) {
	n := d.tenant(t)
	named := func(externalID, userName string) directory.UserID {
		t.Helper()
		u := n.newUser(userName)
		u.ExternalID = externalID
		n.change(t, func(tx *store.Tx) { tx.CreateUser(u) })
		return u.ID
	}
	anna, bert := named("00uA", "Anna@example.com"), named("00ua", "bert@example.com")
	carl := named("bert@example.com", "carl@example.com") // by another's userName
	foreign := n.sibling(t).user(t, "foreign@example.com")

	twin := named("00uT", "first@example.com")
	sharing := named("00uT", "second@example.com")

	var got *store.Later[map[string][]directory.UserID]
	names := []string{"00uA", "00ua", "00UA", "ANNA@example.com", "bert@example.com", "BERT@example.com", "", foreign.UserName, string(anna), "00uT"}
	n.change(t, func(tx *store.Tx) { got = tx.UsersNamed(names) })
	equal(t, "UsersNamed", got.Get(), map[string][]directory.UserID{
		"00uA": {anna}, "00ua": {bert}, "ANNA@example.com": {anna},
		"bert@example.com": {carl}, "BERT@example.com": {bert}, "00uT": {twin, sharing},
	})
}
