package store_test

import (
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/internal/testserver"
)

// take takes users off the backlog, in a transaction of its own.
func (n tenant) take(t *testing.T, limit int) (users []directory.UserID, cause string) {
	t.Helper()
	err := n.try(t.Context(), func(tx *store.Tx) (err error) {
		users, cause, err = tx.TakeStale(limit)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(users)
	return users, cause
}

func (n tenant) advance(t *testing.T, limit int) (users []directory.UserID) {
	t.Helper()
	err := n.try(t.Context(), func(tx *store.Tx) (err error) {
		users, err = tx.AdvanceSweep(limit)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return users
}

// publish publishes the next version of the tenant's rules.
func (n tenant) publish(t *testing.T, version int64) {
	t.Helper()
	err := n.Transact(t.Context(), n.Scope, store.Rules, func(tx *store.Tx) error {
		return tx.PutRuleSet(store.RuleSetVersion{Version: version, CreatedAt: directory.Now()})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// users stores many users and returns their ids in order.
func (n tenant) users(t *testing.T, count int) []directory.UserID {
	t.Helper()
	ids := make([]directory.UserID, count)
	n.change(t, func(tx *store.Tx) {
		for i := range ids {
			u := n.newUser("")
			u.UserName = string(u.ID) + "@example.com"
			ids[i] = u.ID
			tx.CreateUser(u)
		}
	})
	return ids
}

func values(ids []directory.UserID) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = string(id)
	}
	return out
}

func testStaleUsers(t *testing.T, d *database) {
	ctx := t.Context()
	n, other := d.tenant(t), d.tenant(t)
	users := n.users(t, 1200)
	g := n.group(t, "Everyone")
	n.change(t, func(tx *store.Tx) { tx.AddMembers(g.ID, values(users)) })
	remaining := func(want int) {
		t.Helper()
		equal(t, "Remaining", must[int](t)(d.Remaining(ctx, n.Organization)), want)
		backlog := must[[]directory.OrganizationID](t)(d.Backlog(ctx))
		equal(t, "Backlog has the organization", slices.Contains(backlog, n.Organization), want > 0)
		equal(t, "Backlog has another organization", slices.Contains(backlog, other.Organization), false)
	}
	remaining(0)
	n.change(t, func(tx *store.Tx) { tx.StaleUsers(users[:10], "req_1") })
	remaining(10)
	n.change(t, func(tx *store.Tx) {
		tx.StaleBelow([]directory.GroupID{g.ID}, "req_2")
		tx.StaleUsers(append(users[:5:5], users[:5]...), "req_3")
	})
	remaining(1200)

	stolen, _ := other.take(t, 10)
	equal(t, "TakeStale of another organization", stolen, nil)
	var taken []directory.UserID
	for _, want := range []int{500, 500, 200, 0} {
		users, cause := n.take(t, 500)
		equal(t, "TakeStale", len(users), want)
		if want > 0 && cause == "" {
			t.Error("TakeStale gave no cause")
		}
		taken = append(taken, users...)
		remaining(1200 - len(taken))
	}
	slices.Sort(taken)
	equal(t, "all that were taken", taken, users)

	// A rollback puts them back.
	n.change(t, func(tx *store.Tx) { tx.StaleUsers(users[:3], "req_4") })
	_ = n.try(ctx, func(tx *store.Tx) error { _, _, _ = tx.TakeStale(10); return errBroken })
	remaining(3)

	// Two workers share the work.
	n.change(t, func(tx *store.Tx) { tx.StaleBelow([]directory.GroupID{g.ID}, "req_5") })
	var wg sync.WaitGroup
	shares := make([][]directory.UserID, 4)
	for i := range shares {
		wg.Go(func() {
			for {
				var share []directory.UserID
				err := n.try(ctx, func(tx *store.Tx) (err error) { share, _, err = tx.TakeStale(100); return err })
				if err != nil {
					t.Error(err)
				}
				if len(share) == 0 {
					return
				}
				shares[i] = append(shares[i], share...)
			}
		})
	}
	wg.Wait()
	all := slices.Concat(shares...)
	slices.Sort(all)
	equal(t, "what four workers took", all, users)
	remaining(0)
}

// A user who goes on the backlog again while a worker is about to take the old entry
// off was evaluated before the second change was visible.
func testStaleAgain(t *testing.T, d *database) {
	if !d.postgres() {
		t.Skip("one writer at a time")
	}
	n := d.tenant(t)
	users := n.users(t, 2)
	g := n.group(t, "Everyone")
	n.change(t, func(tx *store.Tx) { tx.AddMembers(g.ID, values(users)); tx.StaleUsers(users, "req_1") })
	for name, again := range map[string]func(tx *store.Tx){
		"by name":       func(tx *store.Tx) { tx.StaleUsers(users, "req_2") },
		"as the member": func(tx *store.Tx) { tx.StaleBelow([]directory.GroupID{g.ID}, "req_2") },
	} {
		t.Run(name, func(t *testing.T) {
			n.change(t, func(tx *store.Tx) { tx.StaleUsers(users, "req_1") })
			n.change(t, func(tx *store.Tx) {
				again(tx)
				if err := tx.Flush(); err != nil {
					t.Error(err)
				}
				taken, _ := n.take(t, 10) // sees nothing of this transaction's change
				equal(t, "TakeStale before the second change is committed", taken, nil)
			})
			taken, cause := n.take(t, 10)
			equal(t, "TakeStale after it", taken, users)
			equal(t, "cause", cause, "req_2")
		})
	}
}

func testSweep(t *testing.T, d *database) {
	ctx := t.Context()
	n := d.tenant(t)
	users := n.users(t, 7)
	remaining := func(want int) {
		t.Helper()
		equal(t, "Remaining", must[int](t)(d.Remaining(ctx, n.Organization)), want)
		equal(t, "Backlog has the organization", slices.Contains(must[[]directory.OrganizationID](t)(d.Backlog(ctx)), n.Organization), want > 0)
	}
	equal(t, "AdvanceSweep without one under way", n.advance(t, 3), nil)
	n.publish(t, 1)
	remaining(7)
	equal(t, "AdvanceSweep", n.advance(t, 3), users[:3])
	remaining(4)
	_ = n.try(ctx, func(tx *store.Tx) error { _, _ = tx.AdvanceSweep(3); return errBroken })
	equal(t, "AdvanceSweep after a rollback", n.advance(t, 3), users[3:6])

	// A publication meanwhile begins again.
	n.publish(t, 2)
	remaining(7)
	equal(t, "AdvanceSweep after a publication", n.advance(t, 6), users[:6])
	late := n.user(t, "late@example.com")
	equal(t, "AdvanceSweep", n.advance(t, 6), []directory.UserID{users[6], late.ID})
	equal(t, "AdvanceSweep at the end", n.advance(t, 6), nil)
	remaining(0)
	equal(t, "AdvanceSweep after the end", n.advance(t, 6), nil)
}

// What is on the backlog is there after the process has died.
func TestBacklogSurvivesTheProcess(t *testing.T) {
	for name, url := range map[string]func() string{
		"sqlite":   func() string { return "sqlite:" + filepath.Join(t.TempDir(), "rolesync.db") },
		"postgres": func() string { return testserver.Database(t) },
	} {
		t.Run(name, func(t *testing.T) {
			url := url()
			first, err := store.Open(t.Context(), store.Options{URL: url})
			if err != nil {
				t.Fatal(err)
			}
			if err := first.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			n := (&database{first, url}).tenant(t)
			users := n.users(t, 5)
			n.change(t, func(tx *store.Tx) { tx.StaleUsers(users[:2], "req_1") })
			n.publish(t, 1)
			equal(t, "AdvanceSweep", n.advance(t, 2), users[:2])
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}

			n = tenant{opened(t, url), n.Scope}
			equal(t, "Backlog", must[[]directory.OrganizationID](t)(n.Backlog(t.Context())), []directory.OrganizationID{n.Organization})
			taken, cause := n.take(t, 10)
			equal(t, "TakeStale", taken, users[:2])
			equal(t, "cause", cause, "req_1")
			equal(t, "AdvanceSweep", n.advance(t, 10), users[2:])
		})
	}
}
