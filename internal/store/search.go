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
	where := newConditions(Scope{Organization: q.Organization})
	if q.UserName != "" {
		where.equal("user_name_folded", folded(&q.UserName))
	}
	if q.Name != "" {
		where.args = append(where.args, q.Name, directory.Fold(q.Name))
		n := len(where.args)
		fmt.Fprintf(&where.sql, " AND (id = $%[1]d OR user_name_folded = $%[2]d OR lower(email) = lower($%[1]d) OR external_id = $%[1]d)", n-1, n)
	}
	n := len(where.args)
	users := []directory.User{}
	err := s.db.read(ctx, []statement{{
		sql:  same(fmt.Sprintf("%s%s AND id > $%d ORDER BY id LIMIT $%d", selectUser, where.sql.String(), n+1, n+2)),
		args: append(where.args, q.After, q.Limit),
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
