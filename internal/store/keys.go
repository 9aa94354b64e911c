package store

import (
	"context"

	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/fault"
)

// AdminKey is a key of the admin API.
type AdminKey struct {
	credential.Stored
	Name string
}

// AdminKeys returns all keys of the admin API, oldest first.
func (s *Store) AdminKeys(ctx context.Context) ([]AdminKey, error) {
	var keys []AdminKey
	err := s.db.read(ctx, []statement{{
		sql: same(`SELECT id, name, digest, last_four, created_at, expires_at FROM admin_keys ORDER BY id`),
		each: func(r row) error {
			var k AdminKey
			var digest []byte
			var created, expires int64
			if err := r.Scan(&k.ID, &k.Name, &digest, &k.LastFour, &created, &expires); err != nil {
				return err
			}
			copy(k.Digest[:], digest)
			k.CreatedAt, k.ExpiresAt = moment(created), moment(expires)
			keys = append(keys, k)
			return nil
		},
	}})
	return keys, err
}

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
