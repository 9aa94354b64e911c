package store_test

import (
	"fmt"
	"testing"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
)

func testTallies(t *testing.T, d *database) {
	ctx, n := t.Context(), d.tenant(t)
	sibling := n.sibling(t)
	sibling.user(t, "another connection's")
	total := func() int {
		t.Helper()
		return must[store.Page[directory.User]](t)(d.Users(ctx, store.Query{Scope: n.Scope, Limit: 1})).Total
	}
	equal(t, "total of nobody", total(), 0)

	// So many that they are added up, more than once.
	users := make([]directory.User, 450)
	for i := range users {
		users[i] = n.newUser(fmt.Sprintf("user-%d", i))
	}
	for at := 0; at < len(users); at += 150 {
		n.change(t, func(tx *store.Tx) {
			for _, u := range users[at : at+150] {
				tx.CreateUser(u)
			}
		})
		equal(t, "total", total(), at+150)
		equal(t, "total, once more", total(), at+150)
	}
	for _, u := range users[:3] {
		n.change(t, func(tx *store.Tx) {
			if _, err := tx.User(u.ID); err != nil {
				t.Error(err)
			}
			tx.DeleteUser(u.ID)
		})
	}
	equal(t, "total after deletions", total(), 447)

	// A creation that is refused, or rolled back, counts for nothing.
	if err := n.try(ctx, func(tx *store.Tx) error { tx.CreateUser(n.newUser("USER-7")); return nil }); err == nil {
		t.Error("a second user-7 was created")
	}
	equal(t, "total after a refusal", total(), 447)
	tallied, counted, err := d.Recount(ctx, n.Scope)
	if err != nil || tallied != 447 || counted != 447 {
		t.Errorf("Recount = %d, %d, %v, want 447 and 447", tallied, counted, err)
	}

	raw := d.raw(t)
	if _, err := raw.ExecContext(ctx, `UPDATE user_tallies SET delta = delta + 5 WHERE connection_id = $1`, string(n.Connection)); err != nil {
		t.Fatal(err)
	}
	if tallied, counted, _ = d.Recount(ctx, n.Scope); tallied == counted {
		t.Error("Recount did not see a wrong tally")
	}
	if err := d.MendTally(ctx, n.Scope); err != nil {
		t.Fatal(err)
	}
	equal(t, "total after mending", total(), 447)
}
