package store

import (
	"context"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
)

const selectMembers = `SELECT user_id FROM memberships WHERE organization_id = $1 AND group_id = $2 ORDER BY user_id LIMIT $3`

// all stands for "no limit" in a LIMIT clause, on both databases.
const all = 1 << 40

// Members returns the members of a group in order of id, at most limit; 0 is all.
func (s *Store) Members(ctx context.Context, organization directory.OrganizationID, group directory.GroupID, limit int) ([]directory.UserID, error) {
	members := []directory.UserID{}
	err := s.db.read(ctx, []statement{membersOf(organization, group, limit, &members)})
	return members, err
}

// Members returns, with the next flush, the members of a group at that point of the
// transaction, at most limit; 0 is all.
func (tx *Tx) Members(group directory.GroupID, limit int) *Later[[]directory.UserID] {
	later := &Later[[]directory.UserID]{}
	tx.queue(membersOf(tx.Organization, group, limit, &later.value))
	return later
}

func membersOf(organization directory.OrganizationID, group directory.GroupID, limit int, into *[]directory.UserID) statement {
	if limit == 0 {
		limit = all
	}
	return statement{
		sql:  same(selectMembers),
		args: []any{organization, group, limit},
		each: func(r row) error {
			var id directory.UserID
			if err := r.Scan(&id); err != nil {
				return err
			}
			*into = append(*into, id)
			return nil
		},
	}
}

// LockUsers locks those of the values that are users of the connection, and returns
// them with the next flush, in order of id.
func (tx *Tx) LockUsers(values []string) *Later[[]directory.UserID] {
	later := &Later[[]directory.UserID]{}
	tx.queue(statement{
		sql:  lockUsers,
		args: []any{tx.Organization, tx.Connection, values},
		each: func(r row) error {
			var id directory.UserID
			if err := r.Scan(&id); err != nil {
				return err
			}
			later.value = append(later.value, id)
			return nil
		},
	})
	return later
}

// AddMembers makes those of the values that are users of the connection members of
// a locked group; the others, and those that are members already, change nothing.
func (tx *Tx) AddMembers(group directory.GroupID, values []string) {
	tx.queue(statement{sql: insertMembers, args: []any{tx.Organization, tx.Connection, group, values}})
}

// RemoveMembers ends memberships of a locked group, and forgets pending ones.
func (tx *Tx) RemoveMembers(group directory.GroupID, values []string) {
	tx.queue(statement{sql: deleteMembers, args: []any{tx.Organization, group, values}})
	tx.queue(statement{sql: deletePending, args: []any{tx.Organization, group, values}})
}

// RemovePending forgets all pending members of a group.
func (tx *Tx) RemovePending(group directory.GroupID) {
	tx.queue(statement{sql: same(`DELETE FROM pending_members WHERE organization_id = $1 AND group_id = $2`), args: []any{tx.Organization, group}})
}

// LockNames keeps others from creating a user, or a pending member, by these names
// until the transaction ends.
func (tx *Tx) LockNames(names []string) { tx.lockNames(names) }

// PutPending keeps members of a locked group that are no users yet.
func (tx *Tx) PutPending(group directory.GroupID, values []string, now time.Time) {
	tx.queue(statement{sql: insertPending, args: []any{tx.Organization, group, tx.Connection, micros(now), values}})
}

// LockPendingGroups locks the groups that wait for a user of one of these names.
func (tx *Tx) LockPendingGroups(names []string) (int, error) {
	groups, err := tx.groupIDs(pendingGroups, names)
	if err != nil || len(groups) == 0 {
		return 0, err
	}
	tx.queue(statement{sql: lockGroups, args: []any{tx.Organization, groups}})
	return len(groups), nil
}

// TakePending ends the wait of all groups for these names and returns the groups.
func (tx *Tx) TakePending(names []string) ([]directory.GroupID, error) {
	groups, err := tx.groupIDs(takePending, names)
	ids := make([]directory.GroupID, len(groups))
	for i, g := range groups {
		ids[i] = directory.GroupID(g)
	}
	return ids, err
}

func (tx *Tx) groupIDs(sql text, names []string) ([]string, error) {
	var groups []string
	tx.queue(statement{
		sql:  sql,
		args: []any{tx.Organization, tx.Connection, names},
		each: func(r row) error {
			var id string
			if err := r.Scan(&id); err != nil {
				return err
			}
			groups = append(groups, id)
			return nil
		},
	})
	err := tx.Flush()
	return groups, err
}

// PendingMember is a member that a provider named before it created the user.
type PendingMember struct {
	Group directory.GroupID
	Value string
	Since time.Time
}

// PendingMembers lists what a connection waits for, oldest group first.
func (s *Store) PendingMembers(ctx context.Context, scope Scope, limit int) ([]PendingMember, error) {
	var pending []PendingMember
	err := s.db.read(ctx, []statement{{
		sql: same(`SELECT group_id, value, created_at FROM pending_members WHERE organization_id = $1 AND connection_id = $2
			ORDER BY group_id, value LIMIT $3`),
		args: []any{scope.Organization, scope.Connection, limit},
		each: func(r row) error {
			var p PendingMember
			var since int64
			if err := r.Scan(&p.Group, &p.Value, &since); err != nil {
				return err
			}
			p.Since = moment(since)
			pending = append(pending, p)
			return nil
		},
	}})
	return pending, err
}
