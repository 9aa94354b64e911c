package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
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

// Audit writes an entry of the transaction's organization, together with the others
// when the transaction commits.
func (tx *Tx) Audit(e AuditEntry) { tx.audits = append(tx.audits, e) }

// queueAudits turns the entries into one statement per auditsAtOnce of them, since a
// statement costs more than a row. The SQL is one of auditsAtOnce texts.
func (tx *Tx) queueAudits() {
	for entries := range slices.Chunk(tx.audits, auditsAtOnce) {
		args := make([]any, 0, 1+7*len(entries))
		args = append(args, tx.Organization)
		for _, e := range entries {
			args = append(args, e.ID, micros(e.At), e.Actor, e.Action, e.Target, e.Request, string(e.Detail))
		}
		tx.queue(statement{sql: insertAudits[len(entries)-1], args: args})
	}
	tx.audits = nil
}

const auditsAtOnce = 16

var insertAudits = func() (texts [auditsAtOnce]text) {
	var sql strings.Builder
	sql.WriteString("INSERT INTO audit (organization_id, id, at, actor, action, target, request, detail) VALUES")
	for i := range texts {
		if i > 0 {
			sql.WriteByte(',')
		}
		n := 7 * i
		fmt.Fprintf(&sql, " ($1, $%d, $%d, $%d, $%d, $%d, $%d, $%d)", n+2, n+3, n+4, n+5, n+6, n+7, n+8)
		texts[i] = same(sql.String())
	}
	return texts
}()

// AuditEntries returns entries of an organization that are older than the given one,
// newest first; with a target, only those about it. An empty id begins at the newest.
// An empty organization asks for what happened to the deployment: its roles and its
// admin keys.
func (s *Store) AuditEntries(ctx context.Context, organization directory.OrganizationID, target, before string, limit int) ([]AuditEntry, error) {
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
