package store

import (
	"context"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
)

// What is used once: messages of identity providers, which are remembered until they are
// of no use to anybody, and requests and codes, which are forgotten when they are taken.

// UseMessage remembers, until the transaction's end or for good, that a message of the
// transaction's connection was used, and returns, with the next flush, whether it was not
// used before. Whoever uses the same one at the same time is waited for.
func (tx *Tx) UseMessage(id string, until time.Time) *Later[bool] {
	later := &Later[bool]{}
	tx.queue(statement{
		sql:  same(`INSERT INTO saml_messages (organization_id, connection_id, id, expires_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`),
		args: []any{tx.Organization, tx.Connection, id, micros(until)},
		done: func(inserted int64) error { later.value = inserted == 1; return nil },
	})
	return later
}

// CreateCode stores a code that an application of the organization exchanges. The id is
// the code's hash.
func (tx *Tx) CreateCode(id, document string, expires time.Time) {
	tx.queue(statement{
		sql:  same(`INSERT INTO sso_codes (organization_id, id, document, expires_at) VALUES ($1, $2, $3, $4)`),
		args: []any{tx.Organization, id, document, micros(expires)},
	})
}

// TakeCode returns the document of a code and forgets it, durably: no second one gets it.
// NotFound when there is none, or not any more.
func (s *Store) TakeCode(ctx context.Context, organization directory.OrganizationID, id string, now time.Time) (document string, err error) {
	return s.take(ctx, "code", now, statement{
		sql:  same(`DELETE FROM sso_codes WHERE organization_id = $1 AND id = $2 RETURNING document, expires_at`),
		args: []any{organization, id},
	})
}

// CreateRequest stores a login that begins at a connection. The id is the hash of what
// the browser carries. A crash of the database may forget it: then the login begins again.
func (s *Store) CreateRequest(ctx context.Context, scope Scope, id, document string, expires time.Time) error {
	_, err := s.alone(ctx, statement{sql: asynchronousCommit}, statement{
		sql:  same(`INSERT INTO saml_requests (organization_id, connection_id, id, document, expires_at) VALUES ($1, $2, $3, $4, $5)`),
		args: []any{scope.Organization, scope.Connection, id, document, micros(expires)},
	})
	return err
}

// TakeRequest returns the document of a login that began, and forgets it. NotFound when
// there is none, or not any more. A crash of the database may bring it back: what it was
// the request of is a message, which is used once, durably.
func (s *Store) TakeRequest(ctx context.Context, scope Scope, id string, now time.Time) (document string, err error) {
	return s.take(ctx, "login request", now, statement{sql: asynchronousCommit}, statement{
		sql:  same(`DELETE FROM saml_requests WHERE organization_id = $1 AND connection_id = $2 AND id = $3 RETURNING document, expires_at`),
		args: []any{scope.Organization, scope.Connection, id},
	})
}

// take runs statements, the last of which deletes a row and returns its document and when
// it expires.
func (s *Store) take(ctx context.Context, kind string, now time.Time, statements ...statement) (string, error) {
	var document string
	var expires int64
	last := &statements[len(statements)-1]
	last.each = func(r row) error { return r.Scan(&document, &expires) }
	n, err := s.alone(ctx, statements...)
	switch {
	case err != nil:
		return "", err
	case n == 0 || !now.Before(moment(expires)):
		return "", fault.New(fault.NotFound, "there is no such %s, or it has expired or was used", kind)
	}
	return document, nil
}

// alone commits statements as a transaction that takes no locks of the organization, in
// one round trip, and returns how many rows the last one changed.
func (s *Store) alone(ctx context.Context, statements ...statement) (affected int64, err error) {
	tx, err := s.db.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer tx.rollback()
	statements[len(statements)-1].done = func(n int64) error { affected = n; return nil }
	err = tx.commit(ctx, statements)
	return affected, err
}

const (
	// sweptAtOnce bounds the rows of each table that one sweep deletes.
	sweptAtOnce = 1_000
	// sweepMargin is how long what has expired is kept: another machine's clock may be
	// behind ours, and still take what it remembers for usable.
	sweepMargin = 10 * time.Minute
)

// SweepExpired deletes what has expired, at most so much that it is done soon, and reports
// whether more is left.
func (s *Store) SweepExpired(ctx context.Context, now time.Time) (more bool, err error) {
	for _, table := range []struct{ name, key string }{
		{"saml_requests", "organization_id, connection_id, id"},
		{"saml_messages", "organization_id, connection_id, id"},
		{"saml_trials", "organization_id, connection_id, id"},
		{"sso_codes", "organization_id, id"},
	} {
		deleted, err := s.alone(ctx, statement{sql: asynchronousCommit}, statement{
			sql: text{
				postgres: sweep(table.name, table.key) + ` FOR UPDATE SKIP LOCKED)`,
				sqlite:   sweep(table.name, table.key) + `)`,
			},
			args: []any{micros(now.Add(-sweepMargin)), sweptAtOnce},
		})
		if err != nil {
			return false, err
		}
		more = more || deleted == sweptAtOnce
	}
	return more, nil
}

func sweep(table, key string) string {
	return `DELETE FROM ` + table + ` WHERE (` + key + `) IN (SELECT ` + key + ` FROM ` + table + ` WHERE expires_at < $1 ORDER BY expires_at LIMIT $2`
}
