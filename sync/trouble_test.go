package sync

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/internal/testserver"
)

// What Redis refused of one organization once stopped all that came after it in SQL.
func TestOneOrganizationThatRedisRefusesKeptTheOthersWaiting(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	s, err := store.Open(t.Context(), store.Options{URL: "sqlite:" + filepath.Join(t.TempDir(), "rolesync.db"), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	client, err := Dial(RedisOptions{Addresses: []string{testserver.Redis(t).Addr()}, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	w := NewWriter(s, client, "", log)
	e := New(Options{Store: s, Writer: w, Log: log})
	broken := Author{Organization: directory.NewOrganizationID(), Connection: directory.NewConnectionID(), Name: "test"}
	healthy := Author{Organization: directory.NewOrganizationID(), Connection: directory.NewConnectionID(), Name: "test"}
	create := func(by Author, users int) (last directory.UserID) {
		t.Helper()
		for done := 0; done < users; done += InlineLimit {
			err := e.Change(t.Context(), by, func(tx *Tx) error {
				for range min(users-done, InlineLimit) {
					last = directory.NewUserID()
					tx.CreateUser(directory.User{ID: last, UserName: string(last), Active: true, Resource: []byte(`{}`), Revision: 1})
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		return last
	}
	for _, by := range []Author{broken, healthy} {
		err := s.Transact(t.Context(), by.scope(), store.Facts, func(tx *store.Tx) error {
			tx.CreateOrganization(directory.Organization{ID: by.Organization, Name: "Acme", CreatedAt: directory.Now()})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		create(by, 1)
	}
	if err := w.writeAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := client.Set(t.Context(), w.sink.keys.Assignments(string(broken.Organization)), "no hash", 0).Err(); err != nil {
		t.Fatal(err)
	}

	create(broken, batchLimit+1)
	late := create(healthy, 1)
	if err := w.writeAll(t.Context()); err == nil {
		t.Error("nobody is told that Redis refuses an organization")
	}
	if err := w.writeAll(t.Context()); err == nil {
		t.Error("nobody is told any more that Redis refuses an organization")
	}
	if held, err := client.HExists(t.Context(), w.sink.keys.Assignments(string(healthy.Organization)), string(late)).Result(); err != nil || !held {
		t.Errorf("the healthy organization's user is in Redis: %v, %v", held, err)
	}
	left, err := s.Unpublished(t.Context(), directory.Now(), 0, "", "", 2*batchLimit)
	if err != nil || len(left) != batchLimit+1 {
		t.Errorf("%d assignments are unpublished, %v; want the %d that Redis refuses", len(left), err, batchLimit+1)
	}
	for _, a := range left {
		if a.Organization != broken.Organization {
			t.Errorf("%s of the healthy organization is unpublished", a.User)
		}
	}
}
