package store

import (
	"context"

	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
)

// Connection is a connection with the credentials that open it.
type Connection struct {
	directory.Connection
	Tokens         []credential.Stored // made by an admin, oldest first
	Clients        []Client            // oldest first
	SchemasVersion int64               // of its organization, see ExtensionSchemas
}

// Connection returns one connection by its id alone, which is how a request names it:
// the organization of the request is the one found here. NotFound when there is none.
func (s *Store) Connection(ctx context.Context, id directory.ConnectionID) (Connection, error) {
	list, err := s.connections(ctx, ` WHERE c.id = $1`, id)
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
	return s.connections(ctx, ` WHERE c.organization_id = $1`, organization)
}

// connections reads connections, then their clients, then their tokens, in one round
// trip. Tokens of a client that was not found are left out, and so open nothing.
func (s *Store) connections(ctx context.Context, where string, arg any) ([]Connection, error) {
	list := connectionList{}
	err := s.db.read(ctx, []statement{
		{
			sql: same(`SELECT c.organization_id, c.id, c.kind, c.name, c.disabled, c.strict, c.rate_limit, c.rate_burst, c.created_at, COALESCE(g.schemas_version, 0)
				FROM connections AS c LEFT JOIN organizations AS g ON g.id = c.organization_id` + where + ` ORDER BY c.id`),
			args: []any{arg},
			each: list.addConnection,
		},
		{
			sql: same(`SELECT o.connection_id, '', o.id, o.digest, o.last_four, o.created_at, o.expires_at, o.last_used_at
				FROM connections AS c JOIN oauth_clients AS o ON o.organization_id = c.organization_id AND o.connection_id = c.id` +
				where + ` ORDER BY o.id`),
			args: []any{arg},
			each: list.addCredential(func(c *Connection, _ string, secret credential.Stored) {
				c.Clients = append(c.Clients, Client{Stored: secret})
			}),
		},
		{
			sql: same(`SELECT t.connection_id, t.client_id, t.id, t.digest, t.last_four, t.created_at, t.expires_at, t.last_used_at
				FROM connections AS c JOIN tokens AS t ON t.organization_id = c.organization_id AND t.connection_id = c.id` +
				where + ` ORDER BY t.id`),
			args: []any{arg},
			each: list.addCredential((*Connection).addToken),
		},
	})
	return list, err
}

type connectionList []Connection

func (l *connectionList) addConnection(r row) error {
	var c Connection
	var created int64
	if err := r.Scan(&c.Organization, &c.ID, &c.Kind, &c.Name, &c.Disabled, &c.Strict, &c.RateLimit, &c.RateBurst, &created, &c.SchemasVersion); err != nil {
		return err
	}
	c.CreatedAt = moment(created)
	*l = append(*l, c)
	return nil
}

// addCredential reads a row that begins with a connection and a client.
func (l *connectionList) addCredential(add func(c *Connection, client string, read credential.Stored)) func(row) error {
	return func(r row) error {
		var id directory.ConnectionID
		var client string
		var s credential.Stored
		var digest []byte
		var created, expires, used int64
		if err := r.Scan(&id, &client, &s.ID, &digest, &s.LastFour, &created, &expires, &used); err != nil {
			return err
		}
		s.CreatedAt, s.ExpiresAt, s.LastUsedAt = moment(created), moment(expires), moment(used)
		copy(s.Digest[:], digest)
		for i := range *l {
			if c := &(*l)[i]; c.ID == id {
				add(c, client, s)
			}
		}
		return nil
	}
}

func (c *Connection) addToken(client string, token credential.Stored) {
	if client == "" {
		c.Tokens = append(c.Tokens, token)
		return
	}
	for i := range c.Clients {
		if c.Clients[i].ID == client {
			c.Clients[i].Tokens = append(c.Clients[i].Tokens, token)
		}
	}
}

// CreateConnection stores a new connection.
func (tx *Tx) CreateConnection(c directory.Connection) {
	tx.queue(statement{
		sql: same(`INSERT INTO connections (organization_id, id, kind, name, disabled, strict, rate_limit, rate_burst, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`),
		args: []any{tx.Organization, c.ID, c.Kind, c.Name, c.Disabled, c.Strict, c.RateLimit, c.RateBurst, micros(c.CreatedAt)},
	})
}
