package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
)

// ConnectionByDomain returns the connection that an e-mail domain leads to, of whichever
// organization. NotFound when there is none. The domain is in the form that
// directory.Domain gives.
func (s *Store) ConnectionByDomain(ctx context.Context, domain string) (Connection, error) {
	list, err := s.connections(ctx, ` JOIN saml_domains AS d ON d.organization_id = c.organization_id AND d.connection_id = c.id WHERE d.domain = $1`, domain)
	if err == nil && len(list) == 0 {
		err = fault.New(fault.NotFound, "no connection has the domain %q", domain)
	}
	if err != nil {
		return Connection{}, err
	}
	return list[0], nil
}

// CreateSAML stores the settings of the transaction's connection, which is new, as
// revision 1. Its metadata is due at next; the zero time: not by itself.
func (tx *Tx) CreateSAML(settings directory.SAMLSettings, fetched SAMLFetch) error {
	document, err := json.Marshal(settings)
	if err != nil {
		return fmt.Errorf("settings of connection %s: %w", tx.Connection, err)
	}
	tx.queue(statement{
		sql: same(`INSERT INTO saml_connections (organization_id, connection_id, document, revision, fetched_at, fetch_error, next_fetch_at, warned_days)
			VALUES ($1, $2, $3, 1, $4, $5, $6, 0)`),
		args: []any{tx.Organization, tx.Connection, string(document), micros(fetched.At), fetched.Error, micros(fetched.Next)},
	})
	return nil
}

// PutSAML replaces the settings of the transaction's connection, whose revision it
// raises. PreconditionFailed, with the next flush, when the revision is not the given one.
func (tx *Tx) PutSAML(settings directory.SAMLSettings, revision int64) error {
	document, err := json.Marshal(settings)
	if err != nil {
		return fmt.Errorf("settings of connection %s: %w", tx.Connection, err)
	}
	tx.queue(statement{
		sql: same(`UPDATE saml_connections SET document = $3, revision = revision + 1
			WHERE organization_id = $1 AND connection_id = $2 AND revision = $4`),
		args: []any{tx.Organization, tx.Connection, string(document), revision},
		done: func(changed int64) error {
			if changed == 0 {
				return fault.New(fault.PreconditionFailed, "the settings of connection %q are not of revision %d any more", tx.Connection, revision)
			}
			return nil
		},
	})
	return nil
}

// PutSAMLFetch notes how reading the metadata went, and when it is due again.
func (tx *Tx) PutSAMLFetch(fetched SAMLFetch) {
	tx.queue(statement{
		sql: same(`UPDATE saml_connections SET fetched_at = $3, fetch_error = $4, next_fetch_at = $5
			WHERE organization_id = $1 AND connection_id = $2`),
		args: []any{tx.Organization, tx.Connection, micros(fetched.At), fetched.Error, micros(fetched.Next)},
	})
}

// SetSAMLDomains makes the e-mail domains of the transaction's connection just these.
// Conflict, with the next flush, when another connection, of any organization, has one of
// them; whose it is is not told.
func (tx *Tx) SetSAMLDomains(domains []string) {
	tx.queue(statement{
		sql:  same(`DELETE FROM saml_domains WHERE organization_id = $1 AND connection_id = $2`),
		args: []any{tx.Organization, tx.Connection},
	})
	for _, domain := range domains {
		tx.queue(statement{
			sql:  same(`INSERT INTO saml_domains (organization_id, domain, connection_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`),
			args: []any{tx.Organization, domain, tx.Connection},
			done: func(inserted int64) error {
				if inserted == 0 {
					return fault.New(fault.Conflict, "the domain %q leads to another connection already", domain)
				}
				return nil
			},
		})
	}
}

// CreateSAMLKey adds a key of ours to the transaction's connection.
func (tx *Tx) CreateSAMLKey(k directory.SAMLKey) {
	tx.needConnection()
	tx.queue(statement{
		sql: same(`INSERT INTO saml_keys (organization_id, connection_id, id, use, active, certificate, sealed, created_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`),
		args: []any{tx.Organization, tx.Connection, k.ID, k.Use, k.Active, k.Certificate, k.Sealed, micros(k.CreatedAt), micros(k.NotAfter)},
	})
}

// ActivateSAMLKey makes a key the one that signs, instead of the one before. NotFound,
// with the next flush, when there is no such key for signing.
func (tx *Tx) ActivateSAMLKey(id string) {
	tx.queue(statement{
		sql:  same(`UPDATE saml_keys SET active = (id = $3) WHERE organization_id = $1 AND connection_id = $2 AND use = $4`),
		args: []any{tx.Organization, tx.Connection, id, directory.Signing},
	})
	tx.queue(statement{
		sql:  same(`SELECT id FROM saml_keys WHERE organization_id = $1 AND connection_id = $2 AND id = $3 AND use = $4`),
		args: []any{tx.Organization, tx.Connection, id, directory.Signing},
		each: func(row) error { return nil },
		done: func(found int64) error {
			if found == 0 {
				return fault.New(fault.NotFound, "there is no key %q for signing", id)
			}
			return nil
		},
	})
}

// DeleteSAMLKey ends a key; NotFound, with the next flush, when there is none.
func (tx *Tx) DeleteSAMLKey(id string) {
	tx.queue(statement{
		sql:  same(`DELETE FROM saml_keys WHERE organization_id = $1 AND connection_id = $2 AND id = $3`),
		args: []any{tx.Organization, tx.Connection, id},
		done: func(deleted int64) error {
			if deleted == 0 {
				return fault.New(fault.NotFound, "there is no key %q", id)
			}
			return nil
		},
	})
}

// DueMetadata returns connections whose metadata is due, and puts each off until the
// given time, so that no other process takes it meanwhile.
func (s *Store) DueMetadata(ctx context.Context, now, until time.Time, limit int) ([]Scope, error) {
	var due []Scope
	err := s.Transact(ctx, Scope{}, Facts, func(tx *Tx) error {
		due = nil
		tx.queue(statement{
			sql:  takeDueMetadata,
			args: []any{micros(now), micros(until), limit},
			each: func(r row) error {
				var scope Scope
				err := r.Scan(&scope.Organization, &scope.Connection)
				due = append(due, scope)
				return err
			},
		})
		return nil
	})
	return due, err
}

// SAMLWarning is what a connection was warned of last: how many days its provider's
// certificate still had; 0: nothing.
type SAMLWarning struct {
	Scope
	Settings directory.SAMLSettings
	Days     int
}

// SAMLWarnings returns the SAML connections of all organizations after the given one, in
// order of organization and connection.
func (s *Store) SAMLWarnings(ctx context.Context, after Scope, limit int) ([]SAMLWarning, error) {
	var list []SAMLWarning
	err := s.db.read(ctx, []statement{{
		sql: same(`SELECT organization_id, connection_id, document, warned_days FROM saml_connections
			WHERE (organization_id, connection_id) > ($1, $2) ORDER BY organization_id, connection_id LIMIT $3`),
		args: []any{after.Organization, after.Connection, limit},
		each: func(r row) error {
			var w SAMLWarning
			var document string
			if err := r.Scan(&w.Organization, &w.Connection, &document, &w.Days); err != nil {
				return err
			}
			list = append(list, w)
			return json.Unmarshal([]byte(document), &list[len(list)-1].Settings)
		},
	}})
	return list, err
}

// WarnSAML notes of what the transaction's connection is warned. It answers, with the
// next flush, false when another process has noted something meanwhile.
func (tx *Tx) WarnSAML(before, days int) *Later[bool] {
	later := &Later[bool]{}
	tx.queue(statement{
		sql:  same(`UPDATE saml_connections SET warned_days = $4 WHERE organization_id = $1 AND connection_id = $2 AND warned_days = $3`),
		args: []any{tx.Organization, tx.Connection, before, days},
		done: func(changed int64) error { later.value = changed > 0; return nil },
	})
	return later
}
