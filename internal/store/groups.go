package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
)

const groupColumns = `id, connection_id, kind, external_id, display_name, resource, created_at, modified_at, revision`

const selectGroup = `SELECT ` + groupColumns + ` FROM groups`

func scanGroup(r row, organization directory.OrganizationID) (directory.Group, error) {
	g := directory.Group{Organization: organization}
	var resource string
	var created, modified int64
	err := r.Scan(&g.ID, &g.Connection, &g.Kind, &g.ExternalID, &g.DisplayName, &resource, &created, &modified, &g.Revision)
	g.Resource = json.RawMessage(resource)
	g.CreatedAt, g.ModifiedAt = moment(created), moment(modified)
	return g, err
}

// Group returns one group of a connection; NotFound when there is none.
func (s *Store) Group(ctx context.Context, scope Scope, id directory.GroupID) (directory.Group, error) {
	group := &one[directory.Group]{}
	err := s.db.read(ctx, []statement{{
		sql:  same(selectGroup + ` WHERE organization_id = $1 AND connection_id = $2 AND id = $3`),
		args: []any{scope.Organization, scope.Connection, id},
		each: group.scan(func(r row) (directory.Group, error) { return scanGroup(r, scope.Organization) }),
	}})
	return group.orNotFound(err, "group", string(id))
}

// Group reads and locks one group of the transaction's connection.
func (tx *Tx) Group(id directory.GroupID) (directory.Group, error) {
	group := &one[directory.Group]{}
	tx.queue(statement{
		sql:  lockGroup,
		args: []any{tx.Organization, tx.Connection, id},
		each: group.scan(func(r row) (directory.Group, error) { return scanGroup(r, tx.Organization) }),
	})
	return group.orNotFound(tx.Flush(), "group", string(id))
}

// TouchGroup locks a group, raises its revision, and returns it with the next flush,
// which fails with NotFound when there is none.
func (tx *Tx) TouchGroup(id directory.GroupID, now time.Time) *Later[directory.Group] {
	later, group := &Later[directory.Group]{}, &one[directory.Group]{}
	tx.queue(statement{
		sql: same(`UPDATE groups SET revision = revision + 1, modified_at = $4 WHERE organization_id = $1 AND connection_id = $2 AND id = $3
			RETURNING ` + groupColumns),
		args: []any{tx.Organization, tx.Connection, id, micros(now)},
		each: group.scan(func(r row) (directory.Group, error) { return scanGroup(r, tx.Organization) }),
		done: func(int64) (err error) {
			later.value, err = group.orNotFound(nil, "group", string(id))
			return err
		},
	})
	return later
}

// CreateGroup stores a new group of a SCIM connection. A display name that is taken in
// the connection is a Conflict.
func (tx *Tx) CreateGroup(g directory.Group) {
	tx.queue(statement{
		sql: same(`INSERT INTO groups (organization_id, id, connection_id, kind, external_id, display_name, display_name_folded, resource, created_at, modified_at, revision)
			VALUES ($1, $2, $3, 'scim', $4, $5, $6, $7, $8, $9, $10)`),
		args: []any{tx.Organization, g.ID, tx.Connection, g.ExternalID, g.DisplayName, directory.Fold(g.DisplayName),
			string(g.Resource), micros(g.CreatedAt), micros(g.ModifiedAt), g.Revision},
		conflict: groupConflict(g),
		grows:    grown{groups: 1},
	})
}

// PutGroup replaces a group that Group has locked; NotFound, with the next flush, when
// the connection has none of that id.
func (tx *Tx) PutGroup(g directory.Group) {
	tx.queue(statement{
		sql: same(`UPDATE groups SET external_id = $4, display_name = $5, display_name_folded = $6, resource = $7, modified_at = $8, revision = $9
			WHERE organization_id = $1 AND connection_id = $2 AND id = $3`),
		args: []any{tx.Organization, tx.Connection, g.ID, g.ExternalID, g.DisplayName, directory.Fold(g.DisplayName),
			string(g.Resource), micros(g.ModifiedAt), g.Revision},
		conflict: groupConflict(g),
		done:     found("group", string(g.ID)),
	})
}

func groupConflict(g directory.Group) func(string) error {
	return func(string) error {
		return fault.New(fault.Conflict, "displayName %q belongs to another group of this connection", g.DisplayName)
	}
}

// DeleteGroup removes a group that Group has locked, with its members and those
// that were pending. If it is in groups, or groups are in it, the transaction must hold
// the lock Rules.
func (tx *Tx) DeleteGroup(id directory.GroupID) {
	for _, sql := range []string{
		`DELETE FROM memberships WHERE organization_id = $1 AND group_id = $2`,
		`DELETE FROM pending_members WHERE organization_id = $1 AND group_id = $2`,
		`DELETE FROM nested_groups WHERE organization_id = $1 AND group_id = $2`,
		`DELETE FROM nested_groups WHERE organization_id = $1 AND member_id = $2`,
		`DELETE FROM groups WHERE organization_id = $1 AND id = $2`,
	} {
		tx.queue(statement{sql: same(sql), args: []any{tx.Organization, id}})
	}
}
