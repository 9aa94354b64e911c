package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/rolesync/rolesync/internal/fault"
)

// postgres talks pgx natively: a slice of statements is one pipelined batch, with
// BEGIN in the first and COMMIT in the last, so that a whole change costs two
// round trips. Through database/sql each statement would cost one.
type postgres struct {
	pool   *pgxpool.Pool
	growth growth
}

func openPostgres(ctx context.Context, options Options) (*postgres, error) {
	config, err := pgxpool.ParseConfig(options.URL)
	if err != nil {
		// pgx redacts the password in this error.
		return nil, fmt.Errorf("database url: %w", err)
	}
	config.MaxConns = int32(max(options.MaxConnections, 4))
	config.MinIdleConns = 2
	config.MaxConnIdleTime = 5 * time.Minute
	config.ConnConfig.ConnectTimeout = 5 * time.Second
	config.ConnConfig.StatementCacheCapacity = 256
	defaults := map[string]string{
		"application_name":                    "rolesync",
		"default_transaction_isolation":       "read committed", // the locks below rely on it
		"lock_timeout":                        "10s",
		"statement_timeout":                   "60s",
		"idle_in_transaction_session_timeout": "30s",
		// Every statement is a look-up by key, so planning it again, or compiling it,
		// costs more than running it; and loops along an index are always right, also
		// when the plan was made while the tables were nearly empty.
		"plan_cache_mode":  "force_generic_plan",
		"enable_seqscan":   "off",
		"enable_hashjoin":  "off",
		"enable_mergejoin": "off",
		"random_page_cost": "1.1",
		// A query names its tables in the order in which to read them.
		"join_collapse_limit": "1",
		"jit":                 "off",
	}
	for key, value := range defaults {
		if _, given := config.ConnConfig.RuntimeParams[key]; !given {
			config.ConnConfig.RuntimeParams[key] = value
		}
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	p := &postgres{pool: pool}
	p.growth.analyze = p.analyze
	return p, nil
}

func (p *postgres) close() error {
	p.growth.stop()
	p.pool.Close()
	return nil
}

func (p *postgres) migrations() (*sql.DB, string, string, error) {
	config := p.pool.Config().ConnConfig.Copy()
	config.RuntimeParams["statement_timeout"] = "0" // one may have to rewrite a large table
	return stdlib.OpenDB(*config), "postgres", "migrations/postgres", nil
}

func (p *postgres) read(ctx context.Context, statements []statement) error {
	if slices.ContainsFunc(statements, func(s statement) bool { return s.passing }) {
		return p.readUnprepared(ctx, statements)
	}
	batch := &pgx.Batch{}
	for i := range statements {
		batch.Queue(statements[i].sql.postgres, statements[i].args...)
	}
	return postgresFault(drain(p.pool.SendBatch(ctx, batch), statements, 0))
}

// readUnprepared runs statements one after the other, and none of them is kept
// prepared in the place of one that comes all day.
func (p *postgres) readUnprepared(ctx context.Context, statements []statement) error {
	for i := range statements {
		s := &statements[i]
		// Planned for its values: the usual plans are made for look-ups by key.
		rows, err := p.pool.Query(ctx, s.sql.postgres, append([]any{pgx.QueryExecModeExec}, s.args...)...)
		if err == nil {
			err = each(rows, s)
		}
		if err != nil {
			return postgresFault(err)
		}
	}
	return nil
}

func (p *postgres) begin(ctx context.Context) (transaction, error) {
	conn, err := p.pool.Acquire(ctx)
	if err != nil {
		return nil, postgresFault(err)
	}
	return &postgresTx{conn: conn, growth: &p.growth}, nil
}

type postgresTx struct {
	conn   *pgxpool.Conn // nil once it was given back
	open   bool          // BEGIN was sent
	rows   grown         // that it inserts, about
	growth *growth
}

func (t *postgresTx) run(ctx context.Context, statements []statement) error {
	return t.send(ctx, statements, false)
}

func (t *postgresTx) commit(ctx context.Context, statements []statement) error {
	if err := t.send(ctx, statements, true); err != nil {
		if _, answered := errors.AsType[*pgconn.PgError](err); !answered && fault.Is(err, fault.Unavailable) {
			// The answer to COMMIT is lost, and with it whether there was one. Every
			// change may be repeated, so the caller is told to.
			err = fault.Wrap(fault.Unavailable, err, "the database went away while the change was being stored: all of it is stored, or nothing; try again")
		}
		return err
	}
	t.conn.Release()
	t.conn = nil
	t.growth.add(t.rows)
	return nil
}

func (t *postgresTx) send(ctx context.Context, statements []statement, commit bool) error {
	statements = slices.DeleteFunc(statements, func(s statement) bool { return s.sql.postgres == "" })
	batch := &pgx.Batch{}
	before := 0
	if !t.open {
		batch.Queue("begin")
		before, t.open = 1, true
	}
	for i := range statements {
		batch.Queue(statements[i].sql.postgres, statements[i].args...)
		t.rows = t.rows.plus(statements[i].grows)
	}
	if commit {
		batch.Queue("commit")
	}
	results := t.conn.SendBatch(ctx, batch)
	return postgresFault(drain(results, statements, before))
}

func (t *postgresTx) rollback() {
	if t.conn == nil {
		return
	}
	if t.open && !t.conn.Conn().IsClosed() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		// Ignored: a connection that cannot roll back is closed by its timeout, and
		// the server then rolls back by itself.
		_, _ = t.conn.Exec(ctx, "rollback")
		cancel()
	}
	t.conn.Release() // the pool closes a connection that is still in a transaction
	t.conn = nil
}

// drain hands every answer to its statement. The first error wins; the rest of the
// batch is read and dropped by Close, as the protocol demands.
func drain(results pgx.BatchResults, statements []statement, before int) (err error) {
	defer func() {
		// Close runs the answers nobody read, COMMIT among them: its error counts.
		if closing := results.Close(); err == nil {
			err = closing
		}
	}()
	for range before {
		if _, err := results.Exec(); err != nil {
			return err
		}
	}
	for i := range statements {
		if err := answer(results, &statements[i]); err != nil {
			return err
		}
	}
	return nil
}

func answer(results pgx.BatchResults, s *statement) error {
	rows, err := results.Query()
	if err != nil {
		return postgresConflict(err, s)
	}
	return each(rows, s)
}

// each hands the rows of an answer to its statement, and closes them.
func each(rows pgx.Rows, s *statement) error {
	for rows.Next() {
		if s.each == nil {
			continue
		}
		if err := s.each(rows); err != nil {
			rows.Close()
			return unreadable{err}
		}
	}
	rows.Close()
	if err := rows.Err(); err != nil {
		return postgresConflict(err, s)
	}
	if s.done != nil {
		return s.done(rows.CommandTag().RowsAffected())
	}
	return nil
}

func postgresConflict(err error, s *statement) error {
	if p, ok := errors.AsType[*pgconn.PgError](err); ok && p.Code == "23505" && s.conflict != nil {
		return s.conflict(p.ConstraintName)
	}
	return err
}

// unreadable is an error about a row that the server did send.
type unreadable struct{ error }

func (u unreadable) Unwrap() error { return u.error }

// errRetry marks an error after which the whole transaction may be run again: the
// database chose it as the victim of a deadlock, and nothing of it was stored.
var errRetry = errors.New("transaction was rolled back to resolve a deadlock")

// postgresFault sorts what the driver says into what a caller can do about it. All
// that means "the server is away, or too busy" is Unavailable.
func postgresFault(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	if _, ok := errors.AsType[unreadable](err); ok {
		return err // stored by somebody else, or by a bug: trying again is of no use
	}
	p, answered := errors.AsType[*pgconn.PgError](err)
	switch {
	case answered && (p.Code == "40P01" || p.Code == "40001"):
		return fmt.Errorf("%w: %w", errRetry, err)
	case answered && p.Code == "22021": // NUL, which JSON can say and text cannot hold
		return fault.Wrap(fault.Invalid, err, "a value holds a character that cannot be stored")
	case answered && p.Code == "54000": // an index entry above 2,704 bytes
		return fault.Wrap(fault.Invalid, err, "a value is too long to be stored")
	case !answered, // no answer: the connection failed, or the caller gave up
		p.Code[:2] == "08", // connection exception
		p.Code[:2] == "53", // insufficient resources, such as connections or disk
		p.Code[:2] == "57", // operator intervention: shutdown, cancelled, timed out
		p.Code == "55P03",  // lock_timeout
		p.Code == "25P03",  // idle_in_transaction_session_timeout
		p.Code == "25006":  // read-only: a standby that is about to be promoted
		return fault.Wrap(fault.Unavailable, err, "the database is not available; nothing was changed, try again")
	}
	return err
}
