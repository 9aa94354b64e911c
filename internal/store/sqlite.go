package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/rolesync/rolesync/internal/fault"
)

// sqliteDB is one file with one writing connection and several reading ones: with
// eight writers a commit waits up to seconds for the file's lock, with one it does
// not. Its connections prepare each statement once.
type sqliteDB struct {
	db      *sql.DB
	dsn     string
	writer  chan *sqliteConn // holds the one writing connection while it is free
	readers chan *sqliteConn
}

const sqliteReaders = 4

func openSQLite(ctx context.Context, options Options) (*sqliteDB, error) {
	path := strings.TrimPrefix(options.URL, "sqlite:")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("database folder: %w", err)
	}
	// It names people, so it is nobody else's to read, also in a folder that was
	// there before; the files beside it take over its mode.
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("database file: %w", err)
	}
	if err := file.Close(); err != nil {
		return nil, fmt.Errorf("database file: %w", err)
	}
	// Settings go into the DSN, so that every connection of the pool has them.
	// synchronous=FULL: an acknowledged change survives a power cut, too.
	dsn := (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: url.Values{
		"_pragma": {"journal_mode(WAL)", "synchronous(FULL)", "busy_timeout(10000)", "foreign_keys(ON)", "cache_size(-8000)", "temp_store(MEMORY)"},
	}.Encode()}).String()
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	s := &sqliteDB{db: db, dsn: dsn, writer: make(chan *sqliteConn, 1), readers: make(chan *sqliteConn, sqliteReaders)}
	for i := range sqliteReaders + 1 {
		conn, err := connect(ctx, db)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), db.Close())
		}
		c := &sqliteConn{conn: conn, prepared: map[string]*sql.Stmt{}}
		if i == 0 {
			s.writer <- c
		} else {
			s.readers <- c
		}
	}
	return s, nil
}

// connect opens a connection. A file that several processes open for the first time is
// switched to WAL by one of them, and SQLite lets the others fail rather than wait.
func connect(ctx context.Context, db *sql.DB) (*sql.Conn, error) {
	for attempt := 1; ; attempt++ {
		conn, err := db.Conn(ctx)
		busy, ok := errors.AsType[*sqlite.Error](err)
		if err == nil || !ok || busy.Code()&0xff != sqlite3.SQLITE_BUSY || attempt == migrateAttempts {
			return conn, err
		}
		time.Sleep(time.Duration(attempt) * 20 * time.Millisecond)
	}
}

func (s *sqliteDB) close() error {
	// Taking the connections waits for whoever still uses them.
	var errs []error
	for range sqliteReaders {
		errs = append(errs, (<-s.readers).close())
	}
	errs = append(errs, (<-s.writer).close(), s.db.Close())
	return errors.Join(errs...)
}

func (s *sqliteDB) migrations() (*sql.DB, string, string, error) {
	db, err := sql.Open("sqlite", s.dsn)
	return db, "sqlite3", "migrations/sqlite", err
}

func (s *sqliteDB) read(ctx context.Context, statements []statement) error {
	c, err := take(ctx, s.readers)
	if err != nil {
		return err
	}
	defer func() { s.readers <- c }()
	return c.run(ctx, statements)
}

func (s *sqliteDB) begin(ctx context.Context) (transaction, error) {
	c, err := take(ctx, s.writer)
	if err != nil {
		return nil, err
	}
	t := &sqliteTx{c: c, release: sync.OnceFunc(func() { s.writer <- c })}
	// Not interrupted by the caller, here and at COMMIT: a driver that stops waiting
	// does not say whether the statement took effect, and the connection outlives the
	// caller. The busy timeout bounds it.
	if err := c.exec(context.WithoutCancel(ctx), "BEGIN IMMEDIATE"); err != nil {
		t.rollback()
		return nil, sqliteFault(err)
	}
	return t, nil
}

func take(ctx context.Context, from chan *sqliteConn) (*sqliteConn, error) {
	select {
	case c := <-from:
		return c, nil
	case <-ctx.Done():
		return nil, fault.Wrap(fault.Unavailable, ctx.Err(), "the database is busy; nothing was changed, try again")
	}
}

type sqliteTx struct {
	c       *sqliteConn
	ended   bool
	release func()
}

func (t *sqliteTx) run(ctx context.Context, statements []statement) error {
	return t.c.run(ctx, statements)
}

func (t *sqliteTx) commit(ctx context.Context, statements []statement) error {
	if err := t.c.run(ctx, statements); err != nil {
		return err
	}
	if err := t.c.exec(context.WithoutCancel(ctx), "COMMIT"); err != nil {
		return sqliteFault(err)
	}
	t.ended = true
	t.release()
	return nil
}

func (t *sqliteTx) rollback() {
	if t.ended {
		return
	}
	t.ended = true
	// Ignored: it fails only when SQLite has rolled back by itself already.
	_ = t.c.exec(context.Background(), "ROLLBACK")
	t.release()
}

type sqliteConn struct {
	conn     *sql.Conn
	prepared map[string]*sql.Stmt
}

func (c *sqliteConn) close() error {
	for _, stmt := range c.prepared {
		_ = stmt.Close() // the connection goes away with it
	}
	return c.conn.Close()
}

func (c *sqliteConn) exec(ctx context.Context, sql string) error {
	stmt, err := c.prepare(ctx, sql)
	if err != nil {
		return err
	}
	_, err = stmt.ExecContext(ctx)
	return err
}

func (c *sqliteConn) prepare(ctx context.Context, text string) (*sql.Stmt, error) {
	if stmt, ok := c.prepared[text]; ok {
		return stmt, nil
	}
	stmt, err := c.conn.PrepareContext(ctx, text)
	if err != nil {
		return nil, fmt.Errorf("prepare %.60q: %w", text, err)
	}
	c.prepared[text] = stmt
	return stmt, nil
}

// statement prepares s, for this once or for good; done gives it back.
func (c *sqliteConn) statement(ctx context.Context, s *statement) (stmt *sql.Stmt, done func(), err error) {
	if !s.passing {
		stmt, err = c.prepare(ctx, s.sql.sqlite)
		return stmt, func() {}, err
	}
	if stmt, err = c.conn.PrepareContext(ctx, s.sql.sqlite); err != nil {
		return nil, nil, fmt.Errorf("prepare %.60q: %w", s.sql.sqlite, err)
	}
	return stmt, func() { _ = stmt.Close() }, nil // its answers have been read
}

func (c *sqliteConn) run(ctx context.Context, statements []statement) error {
	for i := range statements {
		if err := c.one(ctx, &statements[i]); err != nil {
			return sqliteFault(err)
		}
	}
	return nil
}

func (c *sqliteConn) one(ctx context.Context, s *statement) error {
	if s.sql.sqlite == "" {
		return nil // a lock that the single writer makes superfluous
	}
	stmt, done, err := c.statement(ctx, s)
	if err != nil {
		return err
	}
	defer done()
	args := sqliteArgs(s.args)
	if s.each == nil {
		result, err := stmt.ExecContext(ctx, args...)
		if err != nil {
			return sqliteConflict(err, s)
		}
		if s.done == nil {
			return nil
		}
		affected, err := result.RowsAffected()
		if err != nil {
			return err
		}
		return s.done(affected)
	}
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return sqliteConflict(err, s)
	}
	defer func() { _ = rows.Close() }() // Err below says what matters
	var n int64
	for rows.Next() {
		n++
		if err := s.each(rows); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return sqliteConflict(err, s)
	}
	if s.done != nil {
		return s.done(n)
	}
	return nil
}

func sqliteConflict(err error, s *statement) error {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok || s.conflict == nil || e.Code() != sqlite3.SQLITE_CONSTRAINT_UNIQUE {
		return err
	}
	// SQLite names the columns, not the index, and only in its text.
	for columns, index := range sqliteIndexes {
		if strings.Contains(e.Error(), columns) {
			return s.conflict(index)
		}
	}
	return err
}

// sqliteFault sorts what the driver says into what a caller can do about it.
func sqliteFault(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	e, ok := errors.AsType[*sqlite.Error](err)
	away := ok && (e.Code()&0xff == sqlite3.SQLITE_BUSY || e.Code()&0xff == sqlite3.SQLITE_FULL ||
		e.Code()&0xff == sqlite3.SQLITE_IOERR || e.Code()&0xff == sqlite3.SQLITE_INTERRUPT)
	if away || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return fault.Wrap(fault.Unavailable, err, "the database is not available; nothing was changed, try again")
	}
	return err
}
