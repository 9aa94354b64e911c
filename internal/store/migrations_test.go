package store_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/pressly/goose/v3"

	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/internal/testserver"
)

func TestMigrateAgainChangesNothing(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d *database) {
		n := d.tenant(t)
		u := n.user(t, "anna@example.com")
		before := schema(t, d)
		for range 2 {
			if err := d.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := opened(t, d.url).Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		equal(t, "schema", schema(t, d), before)
		if _, err := d.User(t.Context(), n.Scope, u.ID); err != nil {
			t.Error(err)
		}
	})
}

// migrateOnly makes this test binary a process that migrates and ends.
const migrateOnly = "ROLESYNC_TEST_MIGRATE"

func TestMigrateFromSeveralProcesses(t *testing.T) {
	if url := os.Getenv(migrateOnly); url != "" {
		s, err := store.Open(context.Background(), store.Options{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }() // the schema is committed
		if err := s.Migrate(context.Background()); err != nil {
			t.Fatal(err)
		}
		return
	}
	for name, url := range map[string]string{
		"sqlite":   "sqlite:" + filepath.Join(t.TempDir(), "rolesync.db"),
		"postgres": testserver.Database(t),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			together(4, func(int) {
				cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestMigrateFromSeveralProcesses$")
				cmd.Env = append(os.Environ(), migrateOnly+"="+url)
				if output, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%v\n%s", err, output)
				}
			})
			opened(t, url).tenant(t)
		})
	}
}

// Several stores of one process, all at once, many times: the gap between two
// processes is rarely hit.
func TestMigrateAtOnce(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		for range 3 {
			migrateAtOnce(t, "sqlite:"+filepath.Join(t.TempDir(), "rolesync.db"))
		}
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		migrateAtOnce(t, testserver.Database(t))
	})
}

func migrateAtOnce(t *testing.T, url string) {
	t.Helper()
	var stores [4]*store.Store
	for i := range stores {
		stores[i] = opened(t, url).Store
	}
	var ready sync.WaitGroup
	ready.Add(len(stores))
	together(len(stores), func(i int) {
		ready.Done()
		ready.Wait()
		if err := stores[i].Migrate(t.Context()); err != nil {
			t.Errorf("Migrate: %v", err)
		}
	})
}

func TestOpenRefusesAnUnknownDatabase(t *testing.T) {
	for _, url := range []string{"", "mysql://localhost/x", "rolesync.db"} {
		if _, err := store.Open(t.Context(), store.Options{URL: url}); err == nil {
			t.Errorf("Open(%q) gave no error", url)
		}
	}
	if _, err := store.Open(t.Context(), store.Options{URL: "postgres://u:hunter2@[::1/x"}); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("Open of a malformed URL = %v, want an error without the password", err)
	}
}

// A path is a path, not part of a URL.
func TestSQLitePathsWithSpecialCharacters(t *testing.T) {
	for _, name := range []string{"with space.db", "50%.db", "100%25.db", "a?b=c.db", "a#b.db", "ä.db", "a&_pragma=foreign_keys(0).db"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "new folder", name)
			migrated(t, "sqlite:"+path).tenant(t)
			if _, err := os.Stat(path); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestMigratedTellsAndChangesNothing(t *testing.T) {
	for name, url := range map[string]string{
		"sqlite":   "sqlite:" + filepath.Join(t.TempDir(), "rolesync.db"),
		"postgres": testserver.Database(t),
	} {
		t.Run(name, func(t *testing.T) {
			s, err := store.Open(t.Context(), store.Options{URL: url})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.Close() }() // it has nothing left to say
			for range 2 {
				if current, err := s.Migrated(t.Context()); current || err != nil {
					t.Errorf("Migrated = %v, %v on an empty database, want false", current, err)
				}
			}
			if err := s.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			if current, err := s.Migrated(t.Context()); !current || err != nil {
				t.Errorf("Migrated = %v, %v after Migrate, want true", current, err)
			}
		})
	}
}

// A service that is replaced by a newer one keeps what it has: the schema of the first
// release is brought up to date with users, groups and tokens in it.
func TestUpgradeKeepsWhatIsThere(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d *database) {
		n := d.tenant(t)
		u := n.newUser("anna@example.com")
		u.ExternalID = "00u1"
		g := n.group(t, "Admins")
		token := credential.Stored{ID: "tok_1", LastFour: "abcd", CreatedAt: directory.Now()}
		n.change(t, func(tx *store.Tx) {
			tx.CreateUser(u)
			tx.AddMembers(g.ID, []string{string(u.ID)})
			tx.CreateToken(token)
		})
		dialect, files := goose.DialectSQLite3, "migrations/sqlite"
		if d.postgres() {
			dialect, files = goose.DialectPostgres, "migrations/postgres"
		}
		provider, err := goose.NewProvider(dialect, d.raw(t), os.DirFS(files), goose.WithLogger(goose.NopLogger()))
		if err != nil {
			t.Fatal(err)
		}
		latest := schema(t, d)
		if _, err := provider.DownTo(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		s := opened(t, d.url)
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		equal(t, "schema", schema(t, d), latest)
		kept, err := s.User(t.Context(), n.Scope, u.ID)
		if err != nil || kept.ExternalID != u.ExternalID {
			t.Errorf("the user is %+v, %v", kept, err)
		}
		groups, err := s.UserGroups(t.Context(), n.Organization, []directory.UserID{u.ID})
		if err != nil || len(groups[u.ID]) != 1 {
			t.Errorf("the user is in %+v, %v", groups, err)
		}
		connection, err := s.Connection(t.Context(), n.Connection)
		if err != nil || len(connection.Tokens) != 1 || connection.Strict || connection.RateLimit != 0 {
			t.Errorf("the connection is %+v, %v", connection, err)
		}
	})
}
