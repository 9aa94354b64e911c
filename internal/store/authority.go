package store

import (
	"context"

	"github.com/rolesync/rolesync/internal/directory"
)

// GroupAuthority says whose groups count in an organization.
type GroupAuthority struct {
	Set        directory.Authority // what an admin chose
	SCIMGroups bool                // a SCIM connection has pushed a group, once; it may be gone
}

// InEffect returns what the choice means: never AuthorityAuto.
func (a GroupAuthority) InEffect() directory.Authority {
	switch {
	case a.Set != directory.AuthorityAuto:
		return a.Set
	case a.SCIMGroups:
		return directory.AuthoritySCIM
	}
	return directory.AuthoritySAML
}

const selectAuthority = `SELECT group_authority, scim_groups FROM organizations WHERE id = $1`

func scanAuthority(r row) (a GroupAuthority, err error) {
	err = r.Scan(&a.Set, &a.SCIMGroups)
	return a, err
}

// GroupAuthority returns whose groups count in an organization; NotFound when there is
// no such organization.
func (s *Store) GroupAuthority(ctx context.Context, organization directory.OrganizationID) (GroupAuthority, error) {
	authority := &one[GroupAuthority]{}
	err := s.db.read(ctx, []statement{{sql: same(selectAuthority), args: []any{organization}, each: authority.scan(scanAuthority)}})
	return authority.orNotFound(err, "organization", string(organization))
}

// SetAuthority chooses whose groups count. The transaction must hold the lock Rules; who
// is to be evaluated again is its affair.
func (tx *Tx) SetAuthority(authority directory.Authority) {
	tx.queue(statement{
		sql:  same(`UPDATE organizations SET group_authority = $2 WHERE id = $1`),
		args: []any{tx.Organization, authority},
	})
}

// SetSCIMGroups remembers that a SCIM connection has pushed a group, and returns, with
// the next flush, whether SAML connections have stated any. The transaction must hold the
// lock Rules.
func (tx *Tx) SetSCIMGroups() *Later[bool] {
	later := &Later[bool]{}
	tx.queue(statement{sql: same(`UPDATE organizations SET scim_groups = $2 WHERE id = $1`), args: []any{tx.Organization, true}})
	tx.queue(statement{
		sql: same(`SELECT EXISTS (SELECT 1 FROM connections AS c CROSS JOIN groups AS g
			WHERE c.organization_id = $1 AND c.kind = 'saml' AND g.organization_id = $1 AND g.connection_id = c.id)`),
		args: []any{tx.Organization},
		each: func(r row) error { return r.Scan(&later.value) },
	})
	return later
}
