package store

import (
	"context"
	"fmt"

	"github.com/rolesync/rolesync/internal/directory"
)

// UserSearch selects users of an organization, whichever connection owns them. What
// is empty asks for nothing; all that is given must hold.
type UserSearch struct {
	Organization directory.OrganizationID
	UserName     string // compared through directory.Fold
	Name         string // an id, userName, e-mail or externalId, as in UserByAlias
	After        directory.UserID
	Limit        int
}

// SearchUsers returns the selected users after a given one, in order of id.
func (s *Store) SearchUsers(ctx context.Context, q UserSearch) ([]directory.User, error) {
	where, args := ` WHERE organization_id = $1 AND id > $2`, []any{q.Organization, q.After, q.Limit}
	if q.UserName != "" {
		args = append(args, directory.Fold(q.UserName))
		where += fmt.Sprintf(" AND user_name_folded = $%d", len(args))
	}
	if q.Name != "" {
		args = append(args, q.Name, directory.Fold(q.Name))
		n := len(args)
		where += fmt.Sprintf(" AND (id = $%[1]d OR user_name_folded = $%[2]d OR lower(email) = lower($%[1]d) OR external_id = $%[1]d)", n-1, n)
	}
	users := []directory.User{}
	err := s.db.read(ctx, []statement{{
		sql:  same(selectUser + where + ` ORDER BY id LIMIT $3`),
		args: args,
		each: func(r row) error {
			u, err := scanUser(r, q.Organization)
			users = append(users, u)
			return err
		},
	}})
	return users, err
}

// AnyUser returns one user of an organization, whichever connection owns it; NotFound
// when there is none.
func (s *Store) AnyUser(ctx context.Context, organization directory.OrganizationID, id directory.UserID) (directory.User, error) {
	user := &one[directory.User]{}
	err := s.db.read(ctx, []statement{{
		sql:  same(selectUser + ` WHERE organization_id = $1 AND id = $2`),
		args: []any{organization, id},
		each: user.scan(func(r row) (directory.User, error) { return scanUser(r, organization) }),
	}})
	return user.orNotFound(err, "user", string(id))
}
