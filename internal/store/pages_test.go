package store_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
)

// hostile are names that would end or widen a condition that is not an argument.
var hostile = []string{`it's`, `100%`, `%`, `_`, `a"b`, `a\b`, `' OR '1'='1`, `$1`, `?1`, `[x]*`, `{"a"}`, "two words", `ä€😀`}

func equals(column store.Column, value string) store.Condition {
	return store.Compare{Column: column, Value: value}
}

func testPagesOfUsers(t *testing.T, d *database) {
	n := d.tenant(t)
	var users []directory.User
	n.change(t, func(tx *store.Tx) {
		for i, name := range hostile {
			u := n.newUser(name + fmt.Sprint(i))
			u.ExternalID, u.DisplayName = "X"+name, "N"+name
			tx.CreateUser(u)
			users = append(users, u)
		}
	})
	n.sibling(t).user(t, "foreign@example.com")
	d.tenant(t).user(t, users[0].UserName)

	page := func(q store.Query) store.Page[directory.User] {
		t.Helper()
		q.Scope = n.Scope
		return must[store.Page[directory.User]](t)(d.Users(t.Context(), q))
	}
	total := len(users)
	for _, c := range []struct {
		situation     string
		offset, limit int
		want          []directory.User
	}{
		{"all", 0, 100, users},
		{"the first", 0, 3, users[:3]},
		{"in the middle", 4, 3, users[4:7]},
		{"the last, cut short", total - 2, 5, users[total-2:]},
		{"beyond the end", total, 5, nil},
		{"far beyond the end", 1 << 40, 5, nil},
		{"only the count", 0, 0, nil},
	} {
		t.Run(c.situation, func(t *testing.T) {
			equal(t, "Users", page(store.Query{Offset: c.offset, Limit: c.limit}), store.Page[directory.User]{Items: c.want, Total: total})
		})
	}
	for i, u := range users {
		t.Run("filter for "+hostile[i], func(t *testing.T) {
			want := store.Page[directory.User]{Items: []directory.User{u}, Total: 1}
			id, nobody := string(u.ID), "nobody"
			equal(t, "userName", page(store.Query{Where: equals(store.Name, u.UserName), Limit: 10}), want)
			equal(t, "externalId", page(store.Query{Where: equals(store.ExternalID, u.ExternalID), Limit: 10}), want)
			equal(t, "id", page(store.Query{Where: equals(store.ID, id), Limit: 10}), want)
			equal(t, "all of them", page(store.Query{Where: store.All{equals(store.ID, id), equals(store.Name, u.UserName), equals(store.ExternalID, u.ExternalID)}, Limit: 10}), want)
			equal(t, "one that does not hold", page(store.Query{Where: store.All{equals(store.ID, id), equals(store.ExternalID, nobody)}, Limit: 10}), store.Page[directory.User]{})
			equal(t, "the count alone", page(store.Query{Where: equals(store.ID, id)}), store.Page[directory.User]{Total: 1})
			equal(t, "a page after it", page(store.Query{Where: equals(store.Name, u.UserName), Offset: 1, Limit: 10}), store.Page[directory.User]{Total: 1})
		})
	}
	t.Run("case", func(t *testing.T) {
		equal(t, "userName", page(store.Query{Where: equals(store.Name, "A\"B4"), Limit: 10}).Total, 1)
		equal(t, "externalId", page(store.Query{Where: equals(store.ExternalID, `xa"b`), Limit: 10}).Total, 0)
	})
	t.Run("an empty externalId is nobody's", func(t *testing.T) {
		n.user(t, "without@example.com")
		equal(t, "externalId", page(store.Query{Where: equals(store.ExternalID, ""), Limit: 10}).Total, 0)
	})
}

func testPagesOfGroups(t *testing.T, d *database) {
	n := d.tenant(t)
	var groups []directory.Group
	n.change(t, func(tx *store.Tx) {
		for _, name := range hostile {
			g := n.newGroup(name)
			g.ExternalID = "X"
			tx.CreateGroup(g)
			groups = append(groups, g)
		}
	})
	n.sibling(t).group(t, hostile[0])
	page := func(q store.Query) store.Page[directory.Group] {
		t.Helper()
		q.Scope = n.Scope
		return must[store.Page[directory.Group]](t)(d.Groups(t.Context(), q))
	}
	id := string(groups[3].ID)
	equal(t, "Groups", page(store.Query{Offset: 2, Limit: 2}), store.Page[directory.Group]{Items: groups[2:4], Total: len(groups)})
	equal(t, "externalId", page(store.Query{Where: equals(store.ExternalID, "X"), Limit: 2}), store.Page[directory.Group]{Items: groups[:2], Total: len(groups)})
	equal(t, "id", page(store.Query{Where: equals(store.ID, id), Limit: 2}), store.Page[directory.Group]{Items: groups[3:4], Total: 1})
	for i, g := range groups {
		t.Run("filter for "+hostile[i], func(t *testing.T) {
			name := " " + g.DisplayName // compares folded
			equal(t, "displayName", page(store.Query{Where: equals(store.Name, name), Limit: 10}), store.Page[directory.Group]{Items: []directory.Group{g}, Total: 1})
		})
	}
}

func testUserByAlias(t *testing.T, d *database) {
	n := d.tenant(t)
	u := n.newUser("Anna@example.com")
	u.Email, u.ExternalID = "Anna.Smith@example.com", "00uA"
	other := n.newUser("bert@example.com")
	other.Email = "anna.smith@Example.com"
	n.change(t, func(tx *store.Tx) { tx.CreateUser(u) })
	for _, name := range []string{string(u.ID), "anna@EXAMPLE.com", "anna.smith@example.COM", "00uA"} {
		equal(t, "UserByAlias("+name+")", must[directory.User](t)(d.UserByAlias(t.Context(), n.Organization, name)), u)
	}
	for _, name := range []string{"00ua", "nobody", "%", ""} {
		_, err := d.UserByAlias(t.Context(), n.Organization, name)
		wantFault(t, err, fault.NotFound)
	}
	n.change(t, func(tx *store.Tx) { tx.CreateUser(other) })
	_, err := d.UserByAlias(t.Context(), n.Organization, "anna.smith@example.com")
	wantFault(t, err, fault.Conflict)
}

// Text that a database cannot keep is the caller's mistake, never a failure of ours,
// and stores nothing.
func testText(t *testing.T, d *database) {
	n := d.tenant(t)
	long := make([]byte, 10_000)
	for i := range long {
		long[i] = "0123456789abcdef"[rand.IntN(16)] // it would be compressed otherwise
	}
	for situation, name := range map[string]string{"a NUL": "a\x00b", "no UTF-8": "a\xffb", "too long for an index": string(long)} {
		t.Run(situation, func(t *testing.T) {
			ctx := t.Context()
			g := n.group(t, situation)
			u := n.newUser(name)
			for call, err := range map[string]error{
				"CreateUser":  n.try(ctx, func(tx *store.Tx) error { tx.CreateUser(u); return nil }),
				"CreateGroup": n.try(ctx, func(tx *store.Tx) error { tx.CreateGroup(n.newGroup(name)); return nil }),
				"PutPending":  n.try(ctx, func(tx *store.Tx) error { tx.PutPending(g.ID, []string{name}, directory.Now()); return nil }),
				"AddMembers":  n.try(ctx, func(tx *store.Tx) error { tx.AddMembers(g.ID, []string{name}); return nil }),
				"User":        second(d.User(ctx, n.Scope, directory.UserID(name))),
				"Users":       second(d.Users(ctx, store.Query{Scope: n.Scope, Where: equals(store.ExternalID, name), Limit: 1})),
			} {
				if err != nil && !slices.Contains([]fault.Kind{fault.Invalid, fault.NotFound}, fault.KindOf(err)) {
					t.Errorf("%s: %v, want no error or Invalid", call, err)
				}
			}
		})
	}
}
