package store

import (
	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/fault"
)

// Client is an OAuth client of a connection, known by its secret, with the access
// tokens that it was given. They end with it.
type Client struct {
	credential.Stored                     // its id, and what is kept of its secret
	Tokens            []credential.Stored // oldest first
}

// CreateClient adds a client to the transaction's connection. NotFound, with the next
// flush, when there is no such connection.
func (tx *Tx) CreateClient(secret credential.Stored) {
	tx.needConnection()
	tx.queue(statement{
		sql: same(`INSERT INTO oauth_clients (organization_id, connection_id, id, digest, last_four, created_at, expires_at, last_used_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, 0)`),
		args: []any{
			tx.Organization, tx.Connection, secret.ID, secret.Digest[:], secret.LastFour, micros(secret.CreatedAt), micros(secret.ExpiresAt),
		},
	})
}

// KeepClients ends all but the newest n clients of the transaction's connection.
func (tx *Tx) KeepClients(n int) {
	tx.queue(statement{
		sql: same(`DELETE FROM oauth_clients WHERE organization_id = $1 AND connection_id = $2 AND id NOT IN
			(SELECT id FROM oauth_clients WHERE organization_id = $1 AND connection_id = $2 ORDER BY id DESC LIMIT $3)`),
		args: []any{tx.Organization, tx.Connection, n},
	})
	tx.endOrphans()
}

// DeleteClient ends one client; NotFound, with the next flush, when there is none.
func (tx *Tx) DeleteClient(id string) {
	tx.queue(statement{
		sql:  same(`DELETE FROM oauth_clients WHERE organization_id = $1 AND connection_id = $2 AND id = $3`),
		args: []any{tx.Organization, tx.Connection, id},
		done: func(deleted int64) error {
			if deleted == 0 {
				return noClient(id)
			}
			return nil
		},
	})
	tx.endOrphans()
}

func noClient(id string) error { return fault.New(fault.NotFound, "there is no client %q", id) }

// endOrphans ends the access tokens of clients that are gone.
func (tx *Tx) endOrphans() {
	tx.queue(statement{
		sql: same(`DELETE FROM tokens WHERE organization_id = $1 AND connection_id = $2 AND client_id <> '' AND client_id NOT IN
			(SELECT id FROM oauth_clients WHERE organization_id = $1 AND connection_id = $2)`),
		args: []any{tx.Organization, tx.Connection},
	})
}

// CreateAccessToken gives a client of the transaction's connection a token, notes that
// it was used, and ends its tokens that have expired and all but the newest n others.
// NotFound, with the next flush, when there is no such client. Its row is locked first,
// so that of two at once neither outlives it, and no more than n are left.
func (tx *Tx) CreateAccessToken(client string, t credential.Stored, n int) {
	tx.queue(statement{
		sql: same(`UPDATE oauth_clients SET last_used_at = $4
			WHERE organization_id = $1 AND connection_id = $2 AND id = $3`),
		args: []any{tx.Organization, tx.Connection, client, micros(t.CreatedAt)},
		done: func(found int64) error {
			if found == 0 {
				return noClient(client)
			}
			return nil
		},
	})
	tx.insertToken(client, t)
	tx.queue(statement{
		sql: same(`DELETE FROM tokens WHERE organization_id = $1 AND connection_id = $2 AND client_id = $3 AND (expires_at <= $4 OR id NOT IN
			(SELECT id FROM tokens WHERE organization_id = $1 AND connection_id = $2 AND client_id = $3 ORDER BY id DESC LIMIT $5))`),
		args: []any{tx.Organization, tx.Connection, client, micros(t.CreatedAt), n},
	})
}
