package store

import "github.com/rolesync/rolesync/internal/fault"

// CreateAdminKey stores a key of the admin API, in the transaction of its audit. Keys
// belong to the deployment, so the scope is empty.
func (tx *Tx) CreateAdminKey(k AdminKey) {
	tx.queue(statement{
		sql:  same(`INSERT INTO admin_keys (id, name, digest, last_four, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)`),
		args: []any{k.ID, k.Name, k.Digest[:], k.LastFour, micros(k.CreatedAt), micros(k.ExpiresAt)},
	})
}

// DeleteAdminKey ends a key of the admin API, in the transaction of its audit;
// NotFound, with the next flush, when there is none.
func (tx *Tx) DeleteAdminKey(id string) {
	tx.queue(statement{
		sql:  same(`DELETE FROM admin_keys WHERE id = $1`),
		args: []any{id},
		done: func(deleted int64) error {
			if deleted == 0 {
				return fault.New(fault.NotFound, "there is no admin key %q", id)
			}
			return nil
		},
	})
}
