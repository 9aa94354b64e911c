package store

import (
	"context"
	"encoding/json"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
)

const userColumns = `id, connection_id, external_id, user_name, display_name, email, active, resource, created_at, modified_at, revision`

const selectUser = `SELECT ` + userColumns + ` FROM users`

func scanUser(r row, organization directory.OrganizationID) (directory.User, error) {
	u := directory.User{Organization: organization}
	var resource string
	var created, modified int64
	err := r.Scan(&u.ID, &u.Connection, &u.ExternalID, &u.UserName, &u.DisplayName, &u.Email, &u.Active, &resource, &created, &modified, &u.Revision)
	u.Resource = json.RawMessage(resource)
	u.CreatedAt, u.ModifiedAt = moment(created), moment(modified)
	return u, err
}

// User returns one user of a connection; NotFound when there is none.
func (s *Store) User(ctx context.Context, scope Scope, id directory.UserID) (directory.User, error) {
	user := &one[directory.User]{}
	err := s.db.read(ctx, []statement{{
		sql:  same(selectUser + ` WHERE organization_id = $1 AND connection_id = $2 AND id = $3`),
		args: []any{scope.Organization, scope.Connection, id},
		each: user.scan(func(r row) (directory.User, error) { return scanUser(r, scope.Organization) }),
	}})
	return user.orNotFound(err, "user", string(id))
}

// User reads and locks one user of the transaction's connection.
func (tx *Tx) User(id directory.UserID) (directory.User, error) {
	user := &one[directory.User]{}
	tx.queue(statement{
		sql:  lockUser,
		args: []any{tx.Organization, tx.Connection, id},
		each: user.scan(func(r row) (directory.User, error) { return scanUser(r, tx.Organization) }),
	})
	return user.orNotFound(tx.Flush(), "user", string(id))
}

// CreateUser stores a new user with its own id. A userName that is taken in the
// organization is a Conflict.
func (tx *Tx) CreateUser(u directory.User) {
	tx.queue(statement{
		sql: same(`INSERT INTO users (organization_id, id, connection_id, external_id, user_name, user_name_folded, display_name, email, email_folded, active, resource, created_at, modified_at, revision)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`),
		args: []any{tx.Organization, u.ID, tx.Connection, u.ExternalID, u.UserName, directory.Fold(u.UserName), u.DisplayName, u.Email, directory.Fold(u.Email), u.Active,
			string(u.Resource), micros(u.CreatedAt), micros(u.ModifiedAt), u.Revision},
		conflict: userConflict(u),
		grows:    grown{users: 1},
	})
	tx.tally(+1)
}

// PutUser replaces a user that User has locked; NotFound, with the next flush, when
// the connection has none of that id.
func (tx *Tx) PutUser(u directory.User) {
	tx.queue(statement{
		sql: same(`UPDATE users SET external_id = $4, user_name = $5, user_name_folded = $6, display_name = $7, email = $8, email_folded = $9, active = $10, resource = $11, modified_at = $12, revision = $13
			WHERE organization_id = $1 AND connection_id = $2 AND id = $3`),
		args: []any{tx.Organization, tx.Connection, u.ID, u.ExternalID, u.UserName, directory.Fold(u.UserName), u.DisplayName, u.Email, directory.Fold(u.Email), u.Active,
			string(u.Resource), micros(u.ModifiedAt), u.Revision},
		conflict: userConflict(u),
		done:     found("user", string(u.ID)),
	})
}

// found makes a statement that must have changed its row fail with NotFound.
func found(kind, id string) func(int64) error {
	return func(affected int64) error {
		if affected == 0 {
			return notFound(kind, id)
		}
		return nil
	}
}

func notFound(kind, id string) error {
	return fault.New(fault.NotFound, "there is no %s %q", kind, id)
}

func userConflict(u directory.User) func(string) error {
	return func(string) error {
		return fault.New(fault.Conflict, "userName %q belongs to another user of this organization", u.UserName)
	}
}

// DeleteUser removes a user that User has locked, with all memberships and the subjects
// of SAML connections that it was; NotFound, with
// the next flush, when the connection has none of that id.
func (tx *Tx) DeleteUser(id directory.UserID) {
	tx.queue(statement{
		sql:  same(`DELETE FROM memberships WHERE organization_id = $1 AND user_id = $2`),
		args: []any{tx.Organization, id},
	})
	tx.queue(statement{
		sql:  same(`DELETE FROM saml_identities WHERE organization_id = $1 AND user_id = $2`),
		args: []any{tx.Organization, id},
	})
	tx.queue(statement{
		sql:  same(`DELETE FROM users WHERE organization_id = $1 AND connection_id = $2 AND id = $3`),
		args: []any{tx.Organization, tx.Connection, id},
		done: found("user", string(id)),
	})
	tx.tally(-1)
}

// one collects the single row of a look-up.
type one[T any] struct {
	value T
	found bool
}

func (o *one[T]) scan(read func(row) (T, error)) func(row) error {
	return func(r row) (err error) {
		o.value, err = read(r)
		o.found = true
		return err
	}
}

func (o *one[T]) orNotFound(err error, kind, id string) (T, error) {
	if err == nil && !o.found {
		err = notFound(kind, id)
	}
	return o.value, err
}
