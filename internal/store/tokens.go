package store

import (
	"context"
	"time"

	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/fault"
)

// CreateToken adds a token to the transaction's connection. NotFound, with the next
// flush, when there is no such connection.
func (tx *Tx) CreateToken(t credential.Stored) {
	tx.needConnection()
	tx.insertToken("", t)
}

// needConnection fails the next flush with NotFound when the connection does not exist.
func (tx *Tx) needConnection() {
	tx.queue(statement{
		sql:  same(`SELECT id FROM connections WHERE organization_id = $1 AND id = $2`),
		args: []any{tx.Organization, tx.Connection},
		each: func(row) error { return nil },
		done: func(found int64) error {
			if found == 0 {
				return noConnection(tx.Connection)
			}
			return nil
		},
	})
}

func (tx *Tx) insertToken(client string, t credential.Stored) {
	tx.queue(statement{
		sql: same(`INSERT INTO tokens (organization_id, connection_id, id, digest, last_four, created_at, expires_at, client_id)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`),
		args: []any{tx.Organization, tx.Connection, t.ID, t.Digest[:], t.LastFour, micros(t.CreatedAt), micros(t.ExpiresAt), client},
	})
}

// KeepTokens ends all but the newest n tokens of the transaction's connection that an
// admin made.
func (tx *Tx) KeepTokens(n int) {
	tx.queue(statement{
		sql: same(`DELETE FROM tokens WHERE organization_id = $1 AND connection_id = $2 AND client_id = '' AND id NOT IN
			(SELECT id FROM tokens WHERE organization_id = $1 AND connection_id = $2 AND client_id = '' ORDER BY id DESC LIMIT $3)`),
		args: []any{tx.Organization, tx.Connection, n},
	})
}

// DeleteToken ends one token that an admin made; NotFound, with the next flush, when
// there is none.
func (tx *Tx) DeleteToken(id string) {
	tx.queue(statement{
		sql:  same(`DELETE FROM tokens WHERE organization_id = $1 AND connection_id = $2 AND client_id = '' AND id = $3`),
		args: []any{tx.Organization, tx.Connection, id},
		done: func(deleted int64) error {
			if deleted == 0 {
				return fault.New(fault.NotFound, "there is no token %q", id)
			}
			return nil
		},
	})
}

// TokenUsed notes when a token that an admin made was used, unless a later use is noted
// already. A token that is gone is no error.
func (s *Store) TokenUsed(ctx context.Context, scope Scope, id string, at time.Time) error {
	return s.Transact(ctx, scope, Facts, func(tx *Tx) error {
		tx.queue(statement{
			sql: same(`UPDATE tokens SET last_used_at = $4
				WHERE organization_id = $1 AND connection_id = $2 AND client_id = '' AND id = $3 AND last_used_at < $4`),
			args: []any{tx.Organization, tx.Connection, id, micros(at)},
		})
		return nil
	})
}
