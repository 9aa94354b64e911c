package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
)

//go:embed migrations/*/*.sql
var migrations embed.FS

// Options say where the database is.
type Options struct {
	URL            string // "postgres://…", or "sqlite:PATH"
	MaxConnections int    // of the PostgreSQL pool; at least 4
	Log            *slog.Logger
}

// Store is the one owner of the database. It is safe for concurrent use.
type Store struct {
	db  database
	log *slog.Logger
}

// Open prepares the connections. On PostgreSQL it does not wait for the server: use
// Ping. On SQLite it creates the file and its folder.
func Open(ctx context.Context, options Options) (*Store, error) {
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	var db database
	var err error
	switch scheme, _, _ := strings.Cut(options.URL, ":"); scheme {
	case "postgres", "postgresql":
		db, err = openPostgres(ctx, options)
	case "sqlite":
		db, err = openSQLite(ctx, options)
	default:
		return nil, fault.New(fault.Invalid, "a database url begins with postgres: or sqlite:, not %q", scheme)
	}
	if err != nil {
		return nil, err
	}
	return &Store{db: db, log: options.Log}, nil
}

// Close waits for reads and transactions under way, then closes the connections.
func (s *Store) Close() error { return s.db.close() }

// Migrate brings the schema to what this program expects. Several processes may call
// it at once. It never steps back.
func (s *Store) Migrate(ctx context.Context) error {
	provider, dialect, err := s.provider()
	if err != nil {
		return err
	}
	defer func() { _ = provider.Close() }() // all that it did is committed
	if dialect == "postgres" {
		unlock, err := s.lockMigrations(ctx)
		if err != nil {
			return err
		}
		defer unlock()
	}
	results, err := provider.Up(ctx)
	for attempt := 1; err != nil && dialect != "postgres" && attempt < migrateAttempts; attempt++ {
		// SQLite has no lock for this, so another process may have done the same step at
		// the same time. Then this one was rolled back, and the next look finds it done.
		s.log.Warn("migrates again", "attempt", attempt, "error", err)
		time.Sleep(time.Duration(attempt) * 20 * time.Millisecond)
		results, err = provider.Up(ctx)
	}
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	for _, result := range results {
		s.log.Info("migrated", "source", result.Source.Path, "took", result.Duration)
	}
	return nil
}

// Migrated reports whether the schema is what this program expects, and changes nothing.
func (s *Store) Migrated(ctx context.Context) (bool, error) {
	provider, _, err := s.provider()
	if err != nil {
		return false, err
	}
	defer func() { _ = provider.Close() }() // it has only read
	pending, err := provider.HasPending(ctx)
	if err != nil {
		return false, fmt.Errorf("look at the schema: %w", err)
	}
	return !pending, nil
}

// provider opens the migration tool on a connection of its own, which its Close closes.
func (s *Store) provider() (provider *goose.Provider, dialect string, err error) {
	db, dialect, folder, err := s.db.migrations()
	if err != nil {
		return nil, "", fmt.Errorf("migrations: %w", err)
	}
	files, err := fs.Sub(migrations, folder)
	if err == nil {
		provider, err = goose.NewProvider(goose.Dialect(dialect), db, files, goose.WithLogger(goose.NopLogger()))
	}
	if err != nil {
		return nil, "", errors.Join(fmt.Errorf("migrations: %w", err), db.Close())
	}
	return provider, dialect, nil
}

// migrateAttempts bounds how often a migration of SQLite is tried.
const migrateAttempts = 10

// lockMigrations makes other processes wait while this one migrates, however long.
func (s *Store) lockMigrations(ctx context.Context) (unlock func(), err error) {
	tx, err := s.db.begin(ctx)
	if err != nil {
		return nil, err
	}
	if err := tx.run(ctx, []statement{{sql: patience}, {sql: lockMigration}}); err != nil {
		tx.rollback()
		return nil, fmt.Errorf("lock migrations: %w", err)
	}
	return tx.rollback, nil
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	return s.db.read(ctx, []statement{{sql: same(`SELECT 1`), each: func(row) error { return nil }}})
}

// WaitReady waits until the database answers, at most until ctx ends.
func (s *Store) WaitReady(ctx context.Context) error {
	for {
		err := s.Ping(ctx)
		if err == nil {
			return nil
		}
		s.log.Warn("the database does not answer yet", "error", err)
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// micros and moment convert a time to and from what is stored; the zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func moment(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

// strs turns ids into the plain strings that the drivers know as lists.
func strs[T ~string](ids []T) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = string(id)
	}
	return out
}

// Scope is the part of the database that a reader or a transaction may touch: one
// organization and, for what an identity provider does, one connection of it.
type Scope struct {
	Organization directory.OrganizationID
	Connection   directory.ConnectionID
}
