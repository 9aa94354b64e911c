package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/internal/testserver"
)

// A PostgreSQL that is away makes every call Unavailable, soon, and changes nothing;
// when it is back, the same store works.
func TestPostgresAway(t *testing.T) {
	t.Parallel()
	server := testserver.Postgres(t)
	d := migrated(t, server.URL())
	n := d.tenant(t)
	u, g := n.user(t, "anna@example.com"), n.group(t, "Admins")
	calls := map[string]func(context.Context) error{
		"Ping": d.Ping,
		"User": func(ctx context.Context) error { return second(d.User(ctx, n.Scope, u.ID)) },
		"Users": func(ctx context.Context) error {
			return second(d.Users(ctx, store.Query{Scope: n.Scope, Limit: 1}))
		},
		"Connection":  func(ctx context.Context) error { return second(d.Connection(ctx, n.Connection)) },
		"Backlog":     func(ctx context.Context) error { return second(d.Backlog(ctx)) },
		"Unpublished": func(ctx context.Context) error { return second(d.Unpublished(ctx, directory.Now(), 0, "", "", 10)) },
		"MarkPublished": func(ctx context.Context) error {
			return d.MarkPublished(ctx, []store.Written{{Organization: n.Organization, User: u.ID, Version: 1}})
		},
		"Transact": func(ctx context.Context) error {
			return n.try(ctx, func(tx *store.Tx) error { tx.TouchGroup(g.ID, directory.Now()); return nil })
		},
	}
	for _, how := range []struct {
		name       string
		away, back func() error
	}{
		{"stopped", server.Stop, server.Start},
		{"killed", server.Kill, server.Start},
	} {
		t.Run(how.name, func(t *testing.T) {
			if err := how.away(); err != nil {
				t.Fatal(err)
			}
			for range 3 { // the first ones meet connections that were open before
				for name, call := range calls {
					ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
					start := time.Now()
					wantUnavailable(t, name, call(ctx))
					if took := time.Since(start); took > 8*time.Second {
						t.Errorf("%s took %v", name, took)
					}
					cancel()
				}
			}
			if err := how.back(); err != nil {
				t.Fatal(err)
			}
			for name, call := range calls {
				eventually(t, name+" works again", func() bool {
					err := call(t.Context())
					if err != nil {
						wantUnavailable(t, name, err)
					}
					return err == nil
				})
			}
		})
	}
	if got := must[directory.Group](t)(d.Group(t.Context(), n.Scope, g.ID)); got.Revision < 3 {
		t.Errorf("revision = %d, want one raised in each round", got.Revision)
	}
}

func wantUnavailable(t *testing.T, call string, err error) {
	t.Helper()
	if !fault.Is(err, fault.Unavailable) {
		t.Errorf("%s: %v, want Unavailable", call, err)
	}
}

// A server that goes away in the middle of a transaction: nothing of it is stored.
func TestPostgresKilledWithinATransaction(t *testing.T) {
	t.Parallel()
	server := testserver.Postgres(t)
	n := migrated(t, server.URL()).tenant(t)
	u := n.newUser("anna@example.com")
	err := n.try(t.Context(), func(tx *store.Tx) error {
		tx.CreateUser(u)
		if err := tx.Flush(); err != nil {
			return err
		}
		return server.Kill()
	})
	wantUnavailable(t, "Transact", err)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the database answers", func() bool { return n.Ping(t.Context()) == nil })
	wantFault(t, second(n.User(t.Context(), n.Scope, u.ID)), fault.NotFound)
}

// A caller's deadline holds while the server hangs, for reads and for waits.
func TestPostgresHangs(t *testing.T) {
	t.Parallel()
	server := testserver.Postgres(t)
	n := migrated(t, server.URL()).tenant(t)
	if err := server.Pause(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	together(20, func(int) {
		_, err := n.Store.Connection(ctx, n.Scope.Connection)
		wantUnavailable(t, "Connection", err)
	})
	if err := server.Resume(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the database answers", func() bool { return n.Ping(t.Context()) == nil })
	n.user(t, "after@example.com")
}

func TestWaitReady(t *testing.T) {
	t.Parallel()
	server := testserver.Postgres(t)
	d := opened(t, server.URL())
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := d.WaitReady(ctx); err == nil {
		t.Error("WaitReady of a server that is down gave no error")
	}
	ready := make(chan error, 1)
	go func() { ready <- d.WaitReady(t.Context()) }()
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	if err := <-ready; err != nil {
		t.Errorf("WaitReady of a server that came up: %v", err)
	}
}
