package store

import (
	"context"

	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
)

// Connection is a connection with the tokens that open it.
type Connection struct {
	directory.Connection
	Tokens         []credential.Stored // oldest first
	SchemasVersion int64               // of its organization, see ExtensionSchemas
}

const selectConnection = `SELECT c.organization_id, c.id, c.kind, c.name, c.disabled, c.strict, c.rate_limit, c.rate_burst, c.created_at, COALESCE(o.schemas_version, 0),
		COALESCE(t.id, ''), t.digest, COALESCE(t.last_four, ''), COALESCE(t.created_at, 0), COALESCE(t.expires_at, 0)
	FROM connections AS c LEFT JOIN organizations AS o ON o.id = c.organization_id
	LEFT JOIN tokens AS t ON t.organization_id = c.organization_id AND t.connection_id = c.id`

// Connection returns one connection by its id alone, which is how a request names it:
// the organization of the request is the one found here. NotFound when there is none.
func (s *Store) Connection(ctx context.Context, id directory.ConnectionID) (Connection, error) {
	list := connectionList{}
	err := s.db.read(ctx, []statement{{
		sql:  same(selectConnection + ` WHERE c.id = $1 ORDER BY t.id`),
		args: []any{id},
		each: list.add,
	}})
	if err == nil && len(list) == 0 {
		err = fault.New(fault.NotFound, "there is no connection %q", id)
	}
	if err != nil {
		return Connection{}, err
	}
	return list[0], nil
}

// Connections returns the connections of an organization, oldest first.
func (s *Store) Connections(ctx context.Context, organization directory.OrganizationID) ([]Connection, error) {
	list := connectionList{}
	err := s.db.read(ctx, []statement{{
		sql:  same(selectConnection + ` WHERE c.organization_id = $1 ORDER BY c.id, t.id`),
		args: []any{organization},
		each: list.add,
	}})
	return list, err
}

type connectionList []Connection

// add reads one row: a connection, with one of its tokens or none.
func (l *connectionList) add(r row) error {
	var c Connection
	var t credential.Stored
	var created, tokenCreated, tokenExpires int64
	var digest []byte
	err := r.Scan(&c.Organization, &c.ID, &c.Kind, &c.Name, &c.Disabled, &c.Strict, &c.RateLimit, &c.RateBurst, &created, &c.SchemasVersion,
		&t.ID, &digest, &t.LastFour, &tokenCreated, &tokenExpires)
	if err != nil {
		return err
	}
	c.CreatedAt, t.CreatedAt, t.ExpiresAt = moment(created), moment(tokenCreated), moment(tokenExpires)
	copy(t.Digest[:], digest)
	if n := len(*l); n == 0 || (*l)[n-1].ID != c.ID {
		*l = append(*l, c)
	}
	if t.ID != "" {
		last := &(*l)[len(*l)-1]
		last.Tokens = append(last.Tokens, t)
	}
	return nil
}

// CreateConnection stores a new connection.
func (tx *Tx) CreateConnection(c directory.Connection) {
	tx.queue(statement{
		sql: same(`INSERT INTO connections (organization_id, id, kind, name, disabled, strict, rate_limit, rate_burst, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`),
		args: []any{tx.Organization, c.ID, c.Kind, c.Name, c.Disabled, c.Strict, c.RateLimit, c.RateBurst, micros(c.CreatedAt)},
	})
}

// CreateToken adds a token to the transaction's connection.
func (tx *Tx) CreateToken(t credential.Stored) {
	tx.queue(statement{
		sql:  same(`SELECT id FROM connections WHERE organization_id = $1 AND id = $2`),
		args: []any{tx.Organization, tx.Connection},
		each: func(row) error { return nil },
		done: func(found int64) error {
			if found == 0 {
				return fault.New(fault.NotFound, "there is no connection %q", tx.Connection)
			}
			return nil
		},
	})
	tx.queue(statement{
		sql: same(`INSERT INTO tokens (organization_id, connection_id, id, digest, last_four, created_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7)`),
		args: []any{tx.Organization, tx.Connection, t.ID, t.Digest[:], t.LastFour, micros(t.CreatedAt), micros(t.ExpiresAt)},
	})
}

// KeepTokens ends all but the newest n tokens of the transaction's connection.
func (tx *Tx) KeepTokens(n int) {
	tx.queue(statement{
		sql: same(`DELETE FROM tokens WHERE organization_id = $1 AND connection_id = $2 AND id NOT IN
			(SELECT id FROM tokens WHERE organization_id = $1 AND connection_id = $2 ORDER BY id DESC LIMIT $3)`),
		args: []any{tx.Organization, tx.Connection, n},
	})
}

// DeleteToken ends one token; NotFound, with the next flush, when there is none.
func (tx *Tx) DeleteToken(id string) {
	tx.queue(statement{
		sql:  same(`DELETE FROM tokens WHERE organization_id = $1 AND connection_id = $2 AND id = $3`),
		args: []any{tx.Organization, tx.Connection, id},
		done: func(deleted int64) error {
			if deleted == 0 {
				return fault.New(fault.NotFound, "there is no token %q", id)
			}
			return nil
		},
	})
}
