package store_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/internal/testserver"
)

var errBroken = errors.New("the closure gave up")

func testRollback(t *testing.T, d *database) {
	ctx := t.Context()
	n := d.tenant(t)
	taken := n.user(t, "taken@example.com")
	for name, fail := range map[string]func(tx *store.Tx) error{
		"an error before anything was sent": func(*store.Tx) error { return errBroken },
		"an error after a flush": func(tx *store.Tx) error {
			return errors.Join(tx.Flush(), errBroken)
		},
		"a conflict in the flush": func(tx *store.Tx) error {
			tx.CreateUser(n.newUser(taken.UserName))
			return tx.Flush()
		},
		"a conflict with the commit": func(tx *store.Tx) error {
			tx.CreateUser(n.newUser(taken.UserName))
			return nil
		},
		"a conflict that the closure passes over": func(tx *store.Tx) error {
			tx.CreateUser(n.newUser(taken.UserName))
			if tx.Flush() == nil {
				t.Error("Flush gave no conflict")
			}
			return nil
		},
		"what is not found with the commit": func(tx *store.Tx) error {
			tx.TouchGroup("grp_none", directory.Now())
			return nil
		},
		"what is not found, passed over": func(tx *store.Tx) error {
			tx.TouchGroup("grp_none", directory.Now())
			_ = tx.Flush()
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			u, g := n.newUser(name+"@example.com"), n.newGroup(name)
			err := n.try(ctx, func(tx *store.Tx) error {
				tx.CreateGroup(g)
				tx.CreateUser(u)
				tx.AddMembers(g.ID, []string{string(u.ID)})
				tx.PutPending(g.ID, []string{name}, directory.Now())
				tx.Audit(store.AuditEntry{ID: directory.NewChangeID(), Target: name, Detail: []byte(`{}`)})
				return fail(tx)
			})
			if err == nil {
				t.Fatal("Transact gave no error")
			}
			if strings.HasPrefix(name, "an error") && !errors.Is(err, errBroken) {
				t.Errorf("error = %v, want the closure's own", err)
			}
			wantFault(t, second(d.User(ctx, n.Scope, u.ID)), fault.NotFound)
			wantFault(t, second(d.Group(ctx, n.Scope, g.ID)), fault.NotFound)
			equal(t, "members", len(must[[]directory.MemberID](t)(d.Members(ctx, n.Organization, g.ID, 0))), 0)
			equal(t, "pending members", len(must[[]store.PendingMember](t)(d.PendingMembers(ctx, n.Scope, 10))), 0)
			equal(t, "audit", len(must[[]store.AuditEntry](t)(d.AuditEntries(ctx, n.Organization, name, "", 10))), 0)
		})
	}
	t.Run("a panic", func(t *testing.T) {
		u := n.newUser("panic@example.com")
		func() {
			defer func() { _ = recover() }()
			_ = n.try(ctx, func(tx *store.Tx) error {
				tx.CreateUser(u)
				_ = tx.Flush()
				panic("bug")
			})
		}()
		wantFault(t, second(d.User(ctx, n.Scope, u.ID)), fault.NotFound)
		n.user(t, "after@example.com")
	})
}

func testRaces(t *testing.T, d *database) {
	ctx := t.Context()
	n := d.tenant(t)
	t.Run("one userName created by eight", func(t *testing.T) {
		var created, conflicts atomic.Int32
		together(8, func(int) {
			u := n.newUser("race@example.com")
			switch err := n.try(ctx, func(tx *store.Tx) error { tx.CreateUser(u); return nil }); {
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
	})
	t.Run("members added to one group by eight", func(t *testing.T) {
		g, users := n.group(t, "Everyone"), n.users(t, 80)
		together(8, func(worker int) {
			for _, id := range users[worker*10 : worker*10+10] {
				err := n.try(ctx, func(tx *store.Tx) error {
					tx.TouchGroup(g.ID, directory.Now())
					tx.AddMembers(g.ID, []string{string(id)})
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
		equal(t, "Members", must[[]directory.MemberID](t)(d.Members(ctx, n.Organization, g.ID, 0)), members(users...))
		equal(t, "Revision", must[directory.Group](t)(d.Group(ctx, n.Scope, g.ID)).Revision, 81)
	})
	t.Run("users deleted while they are added", func(t *testing.T) {
		g, users := n.group(t, "Leavers"), n.users(t, 60)
		together(2, func(worker int) {
			for _, id := range users {
				change := func(tx *store.Tx) error {
					tx.TouchGroup(g.ID, directory.Now())
					tx.AddMembers(g.ID, []string{string(id)})
					return nil
				}
				if worker == 1 {
					change = func(tx *store.Tx) error {
						if _, err := tx.User(id); err != nil {
							return err
						}
						tx.DeleteUser(id)
						return nil
					}
				}
				if err := n.try(ctx, change); err != nil {
					t.Error(err)
				}
			}
		})
		equal(t, "Members of whom none exists", must[[]directory.MemberID](t)(d.Members(ctx, n.Organization, g.ID, 0)), members())
	})
	t.Run("marks and changes of the same assignments", func(t *testing.T) {
		users := n.users(t, 20)
		for _, id := range users {
			n.assignment(t, id)
		}
		together(4, func(worker int) {
			for version := int64(2); version < 12; version++ {
				if worker == 0 {
					err := n.try(ctx, func(tx *store.Tx) error {
						tx.LockAnyUsers(users)
						for _, id := range users {
							tx.PutAssignment(store.Assignment{Organization: n.Organization, User: id, Version: version, Projection: "{}"})
						}
						return nil
					})
					if err != nil {
						t.Error(err)
					}
					continue
				}
				page, err := d.Assignments(ctx, n.Organization, "", 100)
				if err != nil {
					t.Error(err)
				}
				written := make([]store.Written, len(page))
				for i, a := range page { // backwards, so that marks meet
					written[len(page)-1-i] = store.Written{Organization: a.Organization, User: a.User, Version: a.Version}
				}
				if err := d.MarkPublished(ctx, written); err != nil {
					t.Error(err)
				}
			}
		})
		for _, a := range must[[]store.Assignment](t)(d.Assignments(ctx, n.Organization, "", 100)) {
			if a.Version != 11 || a.Published > a.Version {
				t.Errorf("assignment of %s has version %d, published %d; want 11 and no more", a.User, a.Version, a.Published)
			}
		}
	})
}

// PostgreSQL keeps all advisory locks in one table of about 64 for each connection: a
// group with very many unknown members must not need one for each of them.
func TestVeryManyNamesCanBeLocked(t *testing.T) {
	d := migrated(t, testserver.Database(t))
	n := d.tenant(t)
	names := make([]string, 100_000)
	for i := range names {
		names[i] = fmt.Sprintf("user%d@example.com", i)
	}
	locked, release := make(chan struct{}), make(chan struct{})
	done := make(chan error, 2)
	go func() {
		done <- n.try(t.Context(), func(tx *store.Tx) error {
			tx.LockNames(names)
			if err := tx.Flush(); err != nil {
				close(locked)
				return err
			}
			close(locked)
			<-release
			return nil
		})
	}()
	<-locked
	// It keeps out whoever wants one of them, and nobody of another organization.
	d.tenant(t).change(t, func(tx *store.Tx) { tx.LockNames(names[:1]) })
	go func() {
		done <- n.try(t.Context(), func(tx *store.Tx) error { tx.LockNames([]string{"USER5@example.com"}); return tx.Flush() })
	}()
	db := d.raw(t)
	eventually(t, "the other transaction waits", func() bool {
		var waiting int
		err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`).Scan(&waiting)
		return err == nil && waiting == 1
	})
	close(release)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// together runs a function in some goroutines at once and waits for them.
func together(workers int, work func(worker int)) {
	var wg sync.WaitGroup
	for worker := range workers {
		wg.Go(func() { work(worker) })
	}
	wg.Wait()
}

// Two changes that lock the same users the other way round: PostgreSQL ends one of
// them, which must run again by itself.
func TestDeadlockIsRetried(t *testing.T) {
	n := migrated(t, testserver.Database(t)).tenant(t)
	users := n.users(t, 2)
	var runs atomic.Int32
	var both sync.WaitGroup // both hold their first lock
	both.Add(2)
	together(2, func(worker int) {
		first := sync.OnceFunc(func() { both.Done(); both.Wait() })
		err := n.try(t.Context(), func(tx *store.Tx) error {
			runs.Add(1)
			if _, err := tx.User(users[worker]); err != nil {
				return err
			}
			first()
			u, err := tx.User(users[1-worker])
			if err != nil {
				return err
			}
			u.Revision++
			tx.PutUser(u)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	if got := runs.Load(); got < 3 {
		t.Errorf("the closures ran %d times, so no deadlock was retried: the test tests nothing", got)
	}
	for _, id := range users {
		if u := must[directory.User](t)(n.User(t.Context(), n.Scope, id)); u.Revision != 2 {
			t.Errorf("revision of %s = %d, want 2", id, u.Revision)
		}
	}
}

// A transaction that fails gives its connection back, in whatever way it fails.
func TestFailuresDoNotUseUpConnections(t *testing.T) {
	for name, url := range map[string]string{
		"sqlite":   "sqlite:" + filepath.Join(t.TempDir(), "rolesync.db"),
		"postgres": testserver.Database(t),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := store.Open(t.Context(), store.Options{URL: url, MaxConnections: 4, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.Close() }() // only errors were made
			if err := s.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			n := (&database{s, url}).tenant(t)
			n.user(t, "taken@example.com")
			together(8, func(worker int) {
				for i := range 125 {
					ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
					var err error
					switch i % 6 {
					case 0:
						err = n.try(ctx, func(*store.Tx) error { return errBroken })
					case 1:
						err = n.try(ctx, func(tx *store.Tx) error { return errors.Join(errBroken, tx.Flush()) })
					case 2:
						err = n.try(ctx, func(tx *store.Tx) error { tx.CreateUser(n.newUser("taken@example.com")); return nil })
					case 3:
						err = n.try(ctx, func(tx *store.Tx) error { _, err := tx.User("usr_none"); return err })
					case 4:
						cancel()
						_, err = s.Users(ctx, store.Query{Scope: n.Scope, Limit: 10})
					case 5:
						func() {
							defer func() { err = fmt.Errorf("%v", recover()) }()
							_ = n.try(ctx, func(tx *store.Tx) error { _ = tx.Flush(); panic("bug") })
						}()
					}
					cancel()
					if err == nil {
						t.Errorf("worker %d: failure %d did not fail", worker, i)
					}
				}
			})
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			// Four at once, each holding its connection until all have one.
			held := 4
			if name == "sqlite" {
				held = 1
			}
			var all sync.WaitGroup
			all.Add(held)
			together(held, func(worker int) {
				err := n.try(ctx, func(tx *store.Tx) error {
					tx.CreateUser(n.newUser(fmt.Sprintf("u%d@example.com", worker)))
					err := tx.Flush()
					all.Done()
					all.Wait()
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A caller who goes away in the middle leaves no transaction open on the connection
// that the next one gets, and no interrupt that hits the next one.
func TestCancelledCallersLeaveNothingBehind(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d *database) {
		n := d.tenant(t)
		g, users := n.group(t, "Everyone"), n.users(t, 200)
		n.change(t, func(tx *store.Tx) { tx.AddMembers(g.ID, values(users)) })
		var written []store.Written
		for _, id := range users {
			written = append(written, store.Written{Organization: n.Organization, User: id, Version: 1})
		}
		n.change(t, func(tx *store.Tx) {
			for _, id := range users {
				tx.CreateAssignment(store.Assignment{Organization: n.Organization, User: id, Version: 1, Projection: "{}"})
			}
		})
		var cancelled atomic.Int32
		together(4, func(worker int) {
			for i := range 100 {
				ctx, cancel := context.WithCancel(t.Context())
				var wg sync.WaitGroup
				wg.Go(func() {
					for range i * 10 { // some moment later
						_ = ctx.Err()
					}
					cancel()
				})
				var err error
				if worker%2 == 0 {
					err = d.MarkPublished(ctx, written)
				} else {
					_, err = d.Subjects(ctx, n.Organization, users)
				}
				wg.Wait()
				if err != nil {
					cancelled.Add(1)
					if !fault.Is(err, fault.Unavailable) {
						t.Errorf("a cancelled call: %v, want Unavailable", err)
					}
				}
				if err := d.MarkPublished(t.Context(), written[:1]); err != nil {
					t.Errorf("the next write: %v", err)
				}
				if _, err := d.Subjects(t.Context(), n.Organization, users[:2]); err != nil {
					t.Errorf("the next read: %v", err)
				}
			}
		})
		if cancelled.Load() == 0 {
			t.Error("no call was cancelled in time: the test tests nothing")
		}
		n.user(t, "after@example.com")
	})
}
