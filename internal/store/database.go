package store

import (
	"context"
	"database/sql"
)

// row is the one row that a scan function is looking at.
type row interface {
	Scan(dest ...any) error
}

// text is one SQL statement. Most read the same on both databases; those that
// differ are gathered in dialect.go.
type text struct{ postgres, sqlite string }

func same(sql string) text { return text{sql, sql} }

// statement is SQL that has not been sent yet, and what to do with its answer.
type statement struct {
	sql  text
	args []any

	each func(row) error            // for every row; nil: the statement returns none
	done func(affected int64) error // after the last row; nil: nothing to check

	// passing says that a statement of these very words may never come again, so that
	// it is not worth keeping prepared: clients decide what a list is filtered by.
	passing bool

	// grows is about how many rows the statement inserts, where there may be many.
	grows grown

	// conflict makes the fault for a violated unique index, by the index's name.
	conflict func(index string) error
}

// database is what differs between PostgreSQL and SQLite: how statements reach the
// server. Both send a whole slice at once where they can.
type database interface {
	// read runs statements outside a transaction, in one round trip.
	read(ctx context.Context, statements []statement) error
	// begin starts a transaction; on PostgreSQL with the first run, not before.
	begin(ctx context.Context) (transaction, error)
	// migrations opens the database for the migration tool, which closes it.
	migrations() (db *sql.DB, dialect, folder string, err error)
	close() error
}

// transaction is one open transaction on one connection.
type transaction interface {
	run(ctx context.Context, statements []statement) error
	// commit runs the statements and commits, in one round trip. When it fails with
	// anything but a lost connection, nothing was stored.
	commit(ctx context.Context, statements []statement) error
	// rollback ends a transaction that was not committed; harmless afterwards.
	rollback()
}

// Later is the answer of a statement that is sent with the next round trip.
type Later[T any] struct {
	value T
}

// Get returns the answer; the zero value before the round trip was made.
func (l *Later[T]) Get() T { return l.value }
