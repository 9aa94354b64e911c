package store

// DisableConnection freezes the transaction's connection: its requests are refused,
// its facts stay. It changes nothing when that is so already. NotFound, with the next
// flush, when there is no such connection.
func (tx *Tx) DisableConnection() { tx.setOfConnection("disabled", true) }

// EnableConnection ends what DisableConnection began, with the same errors.
func (tx *Tx) EnableConnection() { tx.setOfConnection("disabled", false) }

// ConnectionChange is what is to be changed of a connection; nil is left as it is.
type ConnectionChange struct {
	Name      *string
	Strict    *bool
	RateLimit *int
	RateBurst *int
}

// ChangeConnection changes the transaction's connection, with the errors of
// DisableConnection. What is nil it does not even write, so that changes of different
// settings at once do not undo each other.
func (tx *Tx) ChangeConnection(c ConnectionChange) {
	if c.Name != nil {
		tx.setOfConnection("name", *c.Name)
	}
	if c.Strict != nil {
		tx.setOfConnection("strict", *c.Strict)
	}
	if c.RateLimit != nil {
		tx.setOfConnection("rate_limit", *c.RateLimit)
	}
	if c.RateBurst != nil {
		tx.setOfConnection("rate_burst", *c.RateBurst)
	}
}

func (tx *Tx) setOfConnection(column string, value any) {
	tx.queue(statement{
		sql:  same(`UPDATE connections SET ` + column + ` = $3 WHERE organization_id = $1 AND id = $2`),
		args: []any{tx.Organization, tx.Connection, value},
		done: func(found int64) error {
			if found == 0 {
				return noConnection(tx.Connection)
			}
			return nil
		},
	})
}
