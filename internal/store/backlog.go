package store

import (
	"context"

	"github.com/rolesync/rolesync/internal/directory"
)

// The backlog is who has to be evaluated again because of a change that touched too
// many users for one transaction: single users as rows of stale_users, and whole
// organizations as a cursor that walks over their users. Both survive a crash.

// StaleUsers puts users on the backlog.
func (tx *Tx) StaleUsers(users []directory.UserID, cause string) {
	tx.queue(statement{sql: insertStale, args: []any{tx.Organization, strs(users), cause}})
}

// StaleEveryone puts all users of the transaction's organization on the backlog.
func (tx *Tx) StaleEveryone() {
	tx.queue(statement{sql: same(`UPDATE organizations SET sweep_cursor = '' WHERE id = $1`), args: []any{tx.Organization}})
}

// Backlog returns the organizations that have users to evaluate again.
func (s *Store) Backlog(ctx context.Context) ([]directory.OrganizationID, error) {
	var organizations []directory.OrganizationID
	err := s.db.read(ctx, []statement{{
		// The first row of each organization, found by jumping along the index
		// rather than by reading all of it.
		sql: same(`WITH RECURSIVE stale (id) AS (
				SELECT (SELECT min(organization_id) FROM stale_users)
				UNION ALL
				SELECT (SELECT min(organization_id) FROM stale_users WHERE organization_id > stale.id) FROM stale WHERE stale.id IS NOT NULL)
			SELECT id FROM stale WHERE id IS NOT NULL
			UNION SELECT id FROM organizations WHERE sweep_cursor IS NOT NULL
			ORDER BY 1`),
		each: func(r row) error {
			var id directory.OrganizationID
			if err := r.Scan(&id); err != nil {
				return err
			}
			organizations = append(organizations, id)
			return nil
		},
	}})
	return organizations, err
}

// Remaining counts the users of an organization that have yet to be evaluated again.
func (s *Store) Remaining(ctx context.Context, organization directory.OrganizationID) (n int, err error) {
	err = s.db.read(ctx, []statement{{
		sql: same(`SELECT (SELECT count(*) FROM stale_users WHERE organization_id = $1)
			+ (SELECT count(*) FROM organizations AS o JOIN users AS u ON u.organization_id = o.id AND u.id > o.sweep_cursor
				WHERE o.id = $1)`),
		args: []any{organization},
		each: func(r row) error { return r.Scan(&n) },
	}})
	return n, err
}

// TakeStale takes up to limit users off the backlog, locks them, and returns them with
// the cause of the last of them. Those that somebody else has locked are passed over:
// their change is about to put them on the backlog again, or they are left for later.
func (tx *Tx) TakeStale(limit int) (users []directory.UserID, cause string, err error) {
	tx.queue(statement{
		sql:  takeStale,
		args: []any{tx.Organization, limit},
		each: func(r row) error {
			var id directory.UserID
			if err := r.Scan(&id, &cause); err != nil {
				return err
			}
			users = append(users, id)
			return nil
		},
	})
	err = tx.Flush()
	return users, cause, err
}

// AdvanceSweep moves the organization's cursor over its next users and returns them;
// none when the walk is over or none is under way.
func (tx *Tx) AdvanceSweep(limit int) (users []directory.UserID, err error) {
	cursor := &one[string]{}
	tx.queue(statement{
		sql:  lockSweep,
		args: []any{tx.Organization},
		each: cursor.scan(func(r row) (c string, err error) { err = r.Scan(&c); return c, err }),
	})
	if err := tx.Flush(); err != nil || !cursor.found {
		return nil, err
	}
	tx.queue(statement{
		sql:  same(`SELECT id FROM users WHERE organization_id = $1 AND id > $2 ORDER BY id LIMIT $3`),
		args: []any{tx.Organization, cursor.value, limit},
		each: func(r row) error {
			var id directory.UserID
			if err := r.Scan(&id); err != nil {
				return err
			}
			users = append(users, id)
			return nil
		},
	})
	if err := tx.Flush(); err != nil {
		return nil, err
	}
	if len(users) == 0 {
		tx.queue(statement{sql: same(`UPDATE organizations SET sweep_cursor = NULL WHERE id = $1`), args: []any{tx.Organization}})
		return nil, nil
	}
	tx.queue(statement{sql: same(`UPDATE organizations SET sweep_cursor = $2 WHERE id = $1`), args: []any{tx.Organization, users[len(users)-1]}})
	return users, nil
}
