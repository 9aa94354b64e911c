package store

import "github.com/rolesync/rolesync/internal/fault"

// DisableConnection freezes the transaction's connection: its requests are refused,
// its facts stay. It changes nothing when that is so already. NotFound, with the next
// flush, when there is no such connection.
func (tx *Tx) DisableConnection() { tx.setDisabled(true) }

// EnableConnection ends what DisableConnection began, with the same errors.
func (tx *Tx) EnableConnection() { tx.setDisabled(false) }

func (tx *Tx) setDisabled(disabled bool) {
	tx.queue(statement{
		sql:  same(`UPDATE connections SET disabled = $3 WHERE organization_id = $1 AND id = $2`),
		args: []any{tx.Organization, tx.Connection, disabled},
		done: func(found int64) error {
			if found == 0 {
				return fault.New(fault.NotFound, "there is no connection %q", tx.Connection)
			}
			return nil
		},
	})
}
