package store

import (
	"context"

	"github.com/rolesync/rolesync/internal/directory"
)

// A list must say how many users there are in all (RFC 7644 §3.4.2, totalResults), and
// counting the rows of a large organization costs more than the page. A counter would
// make all changes of an organization wait for each other. So every change adds a row
// to user_tallies, and the number is their sum.

// tally notes that the transaction's connection has more users, or fewer.
func (tx *Tx) tally(delta int) { tx.tallyOf(tx.Connection, delta) }

func (tx *Tx) tallyOf(connection directory.ConnectionID, delta int) {
	tx.queue(statement{
		sql:  same(`INSERT INTO user_tallies (organization_id, connection_id, id, delta) VALUES ($1, $2, $3, $4)`),
		args: []any{tx.Organization, connection, directory.NewChangeID(), delta},
	})
}

// manyTallies is from how many rows on they are added up into one.
const manyTallies = 200

// tallied asks for the number of users of a connection, and of rows that it is the sum of.
func tallied(scope Scope, total, rows *int) statement {
	return statement{
		sql:  same(`SELECT CAST(COALESCE(sum(delta), 0) AS bigint), count(*) FROM user_tallies WHERE organization_id = $1 AND connection_id = $2`),
		args: []any{scope.Organization, scope.Connection},
		each: func(r row) error { return r.Scan(total, rows) },
	}
}

// addUp replaces the rows of a connection by their sum. Rows that are added meanwhile
// stay; of two that add up at once, the second finds the rows gone.
func (s *Store) addUp(ctx context.Context, scope Scope) error {
	return s.Transact(ctx, scope, Facts, func(tx *Tx) error {
		sum, rows := 0, 0
		tx.queue(statement{
			sql:  same(`DELETE FROM user_tallies WHERE organization_id = $1 AND connection_id = $2 RETURNING delta`),
			args: []any{tx.Organization, tx.Connection},
			each: func(r row) error {
				var delta int
				err := r.Scan(&delta)
				sum += delta
				rows++
				return err
			},
		})
		if err := tx.Flush(); err != nil || rows == 0 {
			return err
		}
		tx.tally(sum)
		return nil
	})
}

// Recount returns how many users a connection has, by the tallies and by counting: the
// same, unless something is wrong.
func (s *Store) Recount(ctx context.Context, scope Scope) (tallied, counted int, err error) {
	// One statement, so that no change comes between the two.
	err = s.db.read(ctx, []statement{{
		sql: same(`SELECT (SELECT CAST(COALESCE(sum(delta), 0) AS bigint) FROM user_tallies WHERE organization_id = $1 AND connection_id = $2),
			(SELECT count(*) FROM users WHERE organization_id = $1 AND connection_id = $2)`),
		args: []any{scope.Organization, scope.Connection},
		each: func(r row) error { return r.Scan(&tallied, &counted) },
	}})
	return tallied, counted, err
}

// MendTally makes the tally of a connection what counting says, while nothing changes.
func (s *Store) MendTally(ctx context.Context, scope Scope) error {
	return s.Transact(ctx, scope, Rules, func(tx *Tx) error {
		counted := 0
		tx.queue(statement{
			sql:  same(`SELECT count(*) FROM users WHERE organization_id = $1 AND connection_id = $2`),
			args: []any{tx.Organization, tx.Connection},
			each: func(r row) error { return r.Scan(&counted) },
		})
		tx.queue(statement{
			sql:  same(`DELETE FROM user_tallies WHERE organization_id = $1 AND connection_id = $2`),
			args: []any{tx.Organization, tx.Connection},
		})
		if err := tx.Flush(); err != nil {
			return err
		}
		tx.tally(counted)
		return nil
	})
}
