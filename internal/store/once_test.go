package store_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
)

func testMessages(t *testing.T, d *database) {
	n := d.tenant(t)
	use := func(n tenant, id string) (fresh bool) {
		t.Helper()
		n.change(t, func(tx *store.Tx) {
			later := tx.UseMessage(id, directory.Now().Add(time.Hour))
			if err := tx.Flush(); err != nil {
				t.Error(err)
			}
			fresh = later.Get()
		})
		return fresh
	}
	if !use(n, "_1") || use(n, "_1") || !use(n, "_2") || !use(n.sibling(t), "_1") || !use(d.tenant(t), "_1") {
		t.Error("a message is not used once by each connection")
	}
	if err := n.try(t.Context(), func(tx *store.Tx) error { tx.UseMessage("_3", directory.Now()); return errBroken }); err == nil {
		t.Error("the transaction was stored")
	}
	if !use(n, "_3") {
		t.Error("a message counts as used that was rolled back")
	}
	for round := range 10 {
		var fresh atomic.Int32
		together(8, func(int) {
			if use(n, fmt.Sprint("race ", round)) {
				fresh.Add(1)
			}
		})
		equal(t, "transactions that were the first", fresh.Load(), 1)
	}
}

func testTakenOnce(t *testing.T, d *database) {
	n := d.tenant(t)
	now := directory.Now()
	ctx := t.Context()
	other, sibling := d.tenant(t), n.sibling(t)
	for _, kind := range []struct {
		name string
		put  func(id string, expires time.Time) error
		take func(by tenant, id string) (string, error)
	}{
		{"request", func(id string, expires time.Time) error {
			return d.CreateRequest(ctx, n.Scope, id, "document "+id, expires)
		},
			func(by tenant, id string) (string, error) { return d.TakeRequest(ctx, by.Scope, id, now) }},
		{"code", func(id string, expires time.Time) error {
			return n.try(ctx, func(tx *store.Tx) error { tx.CreateCode(id, "document "+id, expires); return nil })
		}, func(by tenant, id string) (string, error) { return d.TakeCode(ctx, by.Organization, id, now) }},
	} {
		for _, id := range []string{"a", "b", "race"} {
			if err := kind.put(id, now.Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
		if err := kind.put("expired", now); err != nil {
			t.Fatal(err)
		}
		if err := kind.put("a", now.Add(time.Hour)); err == nil {
			t.Errorf("a second %s of one id was stored", kind.name)
		}
		for what, by := range map[string]tenant{"another organization": other, "another connection": sibling} {
			if what == "another connection" && kind.name == "code" {
				continue // which are the organization's
			}
			if _, err := kind.take(by, "a"); !fault.Is(err, fault.NotFound) {
				t.Errorf("%s takes a %s: %v", what, kind.name, err)
			}
		}
		if document, err := kind.take(n, "a"); err != nil || document != "document a" {
			t.Errorf("take %s = %q, %v", kind.name, document, err)
		}
		for _, id := range []string{"a", "expired", "nobody's"} {
			_, err := kind.take(n, id)
			wantFault(t, err, fault.NotFound)
		}
		var taken atomic.Int32
		together(8, func(int) {
			if _, err := kind.take(n, "race"); err == nil {
				taken.Add(1)
			} else if !fault.Is(err, fault.NotFound) {
				t.Error(err)
			}
		})
		equal(t, kind.name+"s taken by eight", taken.Load(), 1)
		if document, err := kind.take(n, "b"); err != nil || document != "document b" {
			t.Errorf("take another %s = %q, %v", kind.name, document, err)
		}
	}
}

// What has expired goes, with a margin for other machines' clocks, and no more at once
// than is done soon.
func TestSweepExpired(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d *database) {
		n := d.tenant(t)
		now := directory.Now()
		const many = 1_200
		n.change(t, func(tx *store.Tx) {
			for i := range many {
				tx.UseMessage(fmt.Sprint(i), now.Add(-time.Hour))
			}
			tx.UseMessage("live", now.Add(time.Hour))
			tx.UseMessage("just now", now.Add(-time.Minute))
			tx.CreateCode("old", "", now.Add(-time.Hour))
			tx.CreateCode("live", "", now.Add(time.Hour))
		})
		for id, expires := range map[string]time.Time{"old": now.Add(-time.Hour), "live": now.Add(time.Hour)} {
			if err := d.CreateRequest(t.Context(), n.Scope, id, "", expires); err != nil {
				t.Fatal(err)
			}
		}
		sweeps := 0
		for more := true; more; sweeps++ {
			var err error
			if more, err = d.SweepExpired(t.Context(), now); err != nil {
				t.Fatal(err)
			}
		}
		equal(t, "sweeps", sweeps, 2)
		for table, want := range map[string]int{"saml_messages": 2, "sso_codes": 1, "saml_requests": 1} {
			var left int
			if err := d.raw(t).QueryRowContext(t.Context(), `SELECT count(*) FROM `+table).Scan(&left); err != nil || left != want {
				t.Errorf("%s has %d rows, %v; want %d", table, left, err, want)
			}
		}
	})
}
