package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/rolesync/rolesync/internal/directory"
)

// AuditBefore returns entries of an organization that are older than the given one,
// newest first; with a target, only those about it. An empty id begins at the newest.
// An empty organization asks for what happened to the deployment: its roles and its
// admin keys.
func (s *Store) AuditBefore(ctx context.Context, organization directory.OrganizationID, target, before string, limit int) ([]AuditEntry, error) {
	entries := []AuditEntry{}
	err := s.db.read(ctx, []statement{{
		sql: same(`SELECT id, at, actor, action, target, request, detail FROM audit
			WHERE organization_id = $1 AND ($2 = '' OR target = $2) AND ($3 = '' OR id < $3) ORDER BY id DESC LIMIT $4`),
		args: []any{organization, target, before, limit},
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
