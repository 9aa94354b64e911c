package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
)

// AuditEntry says who did what, because of which request. It is written in the
// transaction of what it tells, so there is none without the other.
type AuditEntry struct {
	ID      string // sorts by time
	At      time.Time
	Actor   string // "connection conn_…", "admin key key_…", "rolesync"
	Action  string // "user.created", "assignment.changed", …
	Target  string // the id of the user, group, … it happened to
	Request string // the id of the request that caused it
	Detail  json.RawMessage
}

// Audit writes an entry of the transaction's organization.
func (tx *Tx) Audit(e AuditEntry) {
	tx.queue(statement{
		sql:  same(`INSERT INTO audit (organization_id, id, at, actor, action, target, request, detail) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`),
		args: []any{tx.Organization, e.ID, micros(e.At), e.Actor, e.Action, e.Target, e.Request, string(e.Detail)},
	})
}

// AuditEntries returns an organization's newest entries, newest first; with a
// target, only those about it.
func (s *Store) AuditEntries(ctx context.Context, organization directory.OrganizationID, target string, limit int) ([]AuditEntry, error) {
	entries := []AuditEntry{}
	err := s.db.read(ctx, []statement{{
		sql: same(`SELECT id, at, actor, action, target, request, detail FROM audit
			WHERE organization_id = $1 AND ($2 = '' OR target = $2) ORDER BY id DESC LIMIT $3`),
		args: []any{organization, target, limit},
		each: func(r row) error {
			var e AuditEntry
			var at int64
			var detail string
			if err := r.Scan(&e.ID, &at, &e.Actor, &e.Action, &e.Target, &e.Request, &detail); err != nil {
				return fmt.Errorf("audit: %w", err)
			}
			e.At, e.Detail = moment(at), json.RawMessage(detail)
			entries = append(entries, e)
			return nil
		},
	}})
	return entries, err
}
