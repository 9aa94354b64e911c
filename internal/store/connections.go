package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
)

// Connection is a connection with the credentials that open it or, of kind SAML, with
// its settings and keys.
type Connection struct {
	directory.Connection
	Tokens         []credential.Stored // made by an admin, oldest first
	Clients        []Client            // oldest first
	SchemasVersion int64               // of its organization, see ExtensionSchemas

	SAML         *directory.SAMLSettings // nil: it is of kind SCIM
	SAMLRevision int64                   // raised by one at each change of SAML
	Keys         []directory.SAMLKey     // oldest first
	Fetched      SAMLFetch               // of its provider's metadata
}

// SAMLFetch is about reading a provider's metadata from its address.
type SAMLFetch struct {
	At    time.Time // when it succeeded last; zero: never
	Error string    // of the newest attempt; "": it succeeded, or there was none
	Next  time.Time // zero: not by itself
}

// Connection returns one connection by its id alone, which is how a request names it:
// the organization of the request is the one found here. NotFound when there is none.
func (s *Store) Connection(ctx context.Context, id directory.ConnectionID) (Connection, error) {
	list, err := s.connections(ctx, ` WHERE c.id = $1`, id)
	if err == nil && len(list) == 0 {
		err = noConnection(id)
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

// connections reads connections in one round trip.
func (s *Store) connections(ctx context.Context, where string, args ...any) ([]Connection, error) {
	list := connectionList{}
	err := s.db.read(ctx, list.statements(where, args...))
	return list, err
}

// ReadConnection returns the transaction's connection, with the next flush; NotFound when
// there is none.
func (tx *Tx) ReadConnection() *Later[Connection] {
	later, list := &Later[Connection]{}, &connectionList{}
	statements := list.statements(` WHERE c.organization_id = $1 AND c.id = $2`, tx.Organization, tx.Connection)
	statements[len(statements)-1].done = func(int64) error {
		if len(*list) == 0 {
			return noConnection(tx.Connection)
		}
		later.value = (*list)[0]
		return nil
	}
	for _, statement := range statements {
		tx.queue(statement)
	}
	return later
}

func noConnection(id directory.ConnectionID) error {
	return fault.New(fault.NotFound, "there is no connection %q", id)
}

type connectionList []Connection

// statements read connections, then what belongs to them: clients before their tokens.
// Tokens of a client that was not found are left out, and so open nothing.
func (l *connectionList) statements(where string, args ...any) []statement {
	return []statement{
		{
			sql: same(`SELECT c.organization_id, c.id, c.kind, c.name, c.disabled, c.strict, c.rate_limit, c.rate_burst, c.created_at, COALESCE(g.schemas_version, 0),
					COALESCE(m.document, ''), COALESCE(m.revision, 0), COALESCE(m.fetched_at, 0), COALESCE(m.fetch_error, ''), COALESCE(m.next_fetch_at, 0)
				FROM connections AS c LEFT JOIN organizations AS g ON g.id = c.organization_id
				LEFT JOIN saml_connections AS m ON m.organization_id = c.organization_id AND m.connection_id = c.id` + where + ` ORDER BY c.id`),
			args: args,
			each: l.addConnection,
		},
		{
			sql: same(`SELECT o.connection_id, '', o.id, o.digest, o.last_four, o.created_at, o.expires_at, o.last_used_at
				FROM connections AS c JOIN oauth_clients AS o ON o.organization_id = c.organization_id AND o.connection_id = c.id` +
				where + ` ORDER BY o.id`),
			args: args,
			each: l.addCredential(func(c *Connection, _ string, secret credential.Stored) {
				c.Clients = append(c.Clients, Client{Stored: secret})
			}),
		},
		{
			sql: same(`SELECT t.connection_id, t.client_id, t.id, t.digest, t.last_four, t.created_at, t.expires_at, t.last_used_at
				FROM connections AS c JOIN tokens AS t ON t.organization_id = c.organization_id AND t.connection_id = c.id` +
				where + ` ORDER BY t.id`),
			args: args,
			each: l.addCredential((*Connection).addToken),
		},
		{
			sql: same(`SELECT k.connection_id, k.id, k.use, k.active, k.certificate, k.sealed, k.created_at, k.expires_at
				FROM connections AS c JOIN saml_keys AS k ON k.organization_id = c.organization_id AND k.connection_id = c.id` +
				where + ` ORDER BY k.id`),
			args: args,
			each: l.addKey,
		},
	}
}

func (l *connectionList) addConnection(r row) error {
	var c Connection
	var created, fetched, next int64
	var document string
	if err := r.Scan(&c.Organization, &c.ID, &c.Kind, &c.Name, &c.Disabled, &c.Strict, &c.RateLimit, &c.RateBurst, &created, &c.SchemasVersion,
		&document, &c.SAMLRevision, &fetched, &c.Fetched.Error, &next); err != nil {
		return err
	}
	c.CreatedAt, c.Fetched.At, c.Fetched.Next = moment(created), moment(fetched), moment(next)
	if document != "" {
		c.SAML = &directory.SAMLSettings{}
		if err := json.Unmarshal([]byte(document), c.SAML); err != nil {
			return fmt.Errorf("settings of connection %s: %w", c.ID, err)
		}
	}
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
		if c := l.find(id); c != nil {
			add(c, client, s)
		}
		return nil
	}
}

func (l *connectionList) addKey(r row) error {
	var id directory.ConnectionID
	var k directory.SAMLKey
	var created, expires int64
	if err := r.Scan(&id, &k.ID, &k.Use, &k.Active, &k.Certificate, &k.Sealed, &created, &expires); err != nil {
		return err
	}
	k.CreatedAt, k.NotAfter = moment(created), moment(expires)
	if c := l.find(id); c != nil {
		c.Keys = append(c.Keys, k)
	}
	return nil
}

func (l *connectionList) find(id directory.ConnectionID) *Connection {
	for i := range *l {
		if c := &(*l)[i]; c.ID == id {
			return c
		}
	}
	return nil
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

// CreateConnection stores a new connection. The transaction must hold the lock Rules when
// it is of kind SAML, since Basis tells of it.
func (tx *Tx) CreateConnection(c directory.Connection) {
	if c.Kind == directory.SAML {
		tx.queue(statement{sql: same(`UPDATE organizations SET saml = $2 WHERE id = $1`), args: []any{tx.Organization, true}})
	}
	tx.queue(statement{
		sql: same(`INSERT INTO connections (organization_id, id, kind, name, disabled, strict, rate_limit, rate_burst, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`),
		args: []any{tx.Organization, c.ID, c.Kind, c.Name, c.Disabled, c.Strict, c.RateLimit, c.RateBurst, micros(c.CreatedAt)},
	})
}
