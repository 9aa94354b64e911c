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

// alsoNamed selects the users of the organization $1 by a name, and by the same folded:
// each kind of name by its own index.
func alsoNamed(name, folded string) string {
	return `id IN (SELECT id FROM users WHERE organization_id = $1 AND id = ` + name + `
		UNION ALL SELECT id FROM users WHERE organization_id = $1 AND user_name_folded = ` + folded + `
		UNION ALL SELECT id FROM users WHERE organization_id = $1 AND email_folded = ` + folded + ` AND email_folded <> '' AND email_folded <> user_name_folded
		UNION ALL SELECT u.id FROM connections AS c CROSS JOIN users AS u
			WHERE c.organization_id = $1 AND u.organization_id = $1 AND u.connection_id = c.id AND u.external_id = ` + name + ` AND u.external_id <> '')`
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
		where += " AND " + alsoNamed(fmt.Sprintf("$%d", n-1), fmt.Sprintf("$%d", n))
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
