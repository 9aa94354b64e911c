package store

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
)

// The members come as one row: a hundred rows cost more than the hundred members. The
// nested groups stand apart from the users, so that each list is read along its index:
// PostgreSQL would sort the two together, and read a large group to its end for it.
const selectMembers = `SELECT (SELECT COALESCE(string_agg(member_id, ' '), '') FROM
		(SELECT member_id FROM nested_groups WHERE organization_id = $1 AND group_id = $2 AND member_id > $4 ORDER BY member_id LIMIT $3) AS n),
	COALESCE(string_agg(user_id, ' '), '') FROM
		(SELECT user_id FROM memberships WHERE organization_id = $1 AND group_id = $2 AND user_id > $4 ORDER BY user_id LIMIT $3) AS m`

// The same for each group of a list, $2; what follows names them g (id).
const selectMembersOf = `SELECT id, (SELECT COALESCE(string_agg(member_id, ' '), '') FROM
		(SELECT member_id FROM nested_groups WHERE organization_id = $1 AND group_id = g.id ORDER BY member_id LIMIT $3) AS n),
	(SELECT COALESCE(string_agg(user_id, ' '), '') FROM
		(SELECT user_id FROM memberships WHERE organization_id = $1 AND group_id = g.id ORDER BY user_id LIMIT $3) AS m) FROM `

// all stands for "no limit" in a LIMIT clause, on both databases.
const all = 1 << 40

// Members returns the members of a group, nested groups and users, in order of id, at
// most limit; 0 is all.
func (s *Store) Members(ctx context.Context, organization directory.OrganizationID, group directory.GroupID, limit int) ([]directory.MemberID, error) {
	return s.MembersAfter(ctx, organization, group, "", limit)
}

// MembersAfter returns the members of a group whose ids come after the given one, in
// order of id, at most limit; 0 is all. A large group can be read in portions by it.
func (s *Store) MembersAfter(ctx context.Context, organization directory.OrganizationID, group directory.GroupID, after directory.MemberID, limit int) ([]directory.MemberID, error) {
	members := []directory.MemberID{}
	err := s.db.read(ctx, []statement{membersOf(organization, group, after, limit, &members)})
	return members, err
}

// MembersOf returns the first members of several groups, by group, each in order of
// id and at most limit; 0 is all. It is one query. A group that has no members, or
// that is not of the organization, is left out.
func (s *Store) MembersOf(ctx context.Context, organization directory.OrganizationID, groups []directory.GroupID, limit int) (map[directory.GroupID][]directory.MemberID, error) {
	members := make(map[directory.GroupID][]directory.MemberID, len(groups))
	if limit == 0 {
		limit = all
	}
	err := s.db.read(ctx, []statement{{
		sql:  membersOfGroups,
		args: []any{organization, strs(groups), limit},
		each: func(r row) error {
			var group directory.GroupID
			var nested, users string
			if err := r.Scan(&group, &nested, &users); err != nil {
				return err
			}
			if list := memberIDs(nil, nested, users, limit); len(list) > 0 {
				members[group] = list
			}
			return nil
		},
	}})
	return members, err
}

// memberIDs appends the first members of two lists, as string_agg has made them, to an
// empty one. In order of id, all groups come before all users.
func memberIDs(list []directory.MemberID, nested, users string, limit int) []directory.MemberID {
	for _, ids := range []string{nested, users} {
		if ids == "" {
			continue
		}
		list = slices.Grow(list, strings.Count(ids, " ")+1)
		for id := range strings.FieldsSeq(ids) {
			list = append(list, directory.MemberID(id))
		}
	}
	return list[:min(len(list), limit)]
}

// Members returns, with the next flush, the members of a group, nested groups and
// users, at that point of the transaction, at most limit; 0 is all.
func (tx *Tx) Members(group directory.GroupID, limit int) *Later[[]directory.MemberID] {
	later := &Later[[]directory.MemberID]{}
	tx.queue(membersOf(tx.Organization, group, "", limit, &later.value))
	return later
}

func membersOf(organization directory.OrganizationID, group directory.GroupID, after directory.MemberID, limit int, into *[]directory.MemberID) statement {
	if limit == 0 {
		limit = all
	}
	return statement{
		sql:  same(selectMembers),
		args: []any{organization, group, limit, after},
		each: func(r row) error {
			var nested, users string
			if err := r.Scan(&nested, &users); err != nil {
				return err
			}
			*into = memberIDs((*into)[:0], nested, users, limit)
			return nil
		},
	}
}

// AddMembers makes those of the values that are users of the connection members of
// a locked group; the others, and those that are members already, change nothing. It
// locks the users, and returns them with the next flush, in order of id.
func (tx *Tx) AddMembers(group directory.GroupID, values []string) *Later[[]directory.UserID] {
	return tx.changeMembers(insertMembers, lockAndInsertMembers, group, values, grown{memberships: len(values)})
}

// RemoveMembers ends memberships of a locked group; absent ones change nothing. It
// locks those of the values that are users, and returns them with the next flush.
func (tx *Tx) RemoveMembers(group directory.GroupID, values []string) *Later[[]directory.UserID] {
	return tx.changeMembers(deleteMembers, lockAndDeleteMembers, group, values, grown{})
}

// changeMembers sends the change, where it needs a statement of its own, and then what
// locks and returns the users.
func (tx *Tx) changeMembers(change, lock text, group directory.GroupID, values []string, grows grown) *Later[[]directory.UserID] {
	later := &Later[[]directory.UserID]{}
	args := []any{tx.Organization, tx.Connection, group, values}
	tx.queue(statement{sql: change, args: args})
	tx.queue(statement{
		sql:   lock,
		args:  args,
		grows: grows,
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

// ForgetPending ends the wait of a locked group for members that are no users yet.
func (tx *Tx) ForgetPending(group directory.GroupID, values []string) {
	tx.queue(statement{sql: deletePending, args: []any{tx.Organization, group, values}})
}

// RemovePending forgets all pending members of a group.
func (tx *Tx) RemovePending(group directory.GroupID) {
	tx.queue(statement{sql: same(`DELETE FROM pending_members WHERE organization_id = $1 AND group_id = $2`), args: []any{tx.Organization, group}})
}

// Names is what a provider may call a user before it knows the user's id. An
// ExternalID compares as it is, a UserName without case; "" is no name.
type Names struct{ ExternalID, UserName string }

// PutPending keeps members of a locked group that are no users yet. What folds to
// nothing is nobody's name and is left out.
func (tx *Tx) PutPending(group directory.GroupID, values []string, now time.Time) {
	values = slices.DeleteFunc(slices.Clone(values), func(value string) bool { return directory.Fold(value) == "" })
	tx.queue(statement{
		sql:  insertPending,
		args: []any{tx.Organization, group, tx.Connection, micros(now), values, foldedAll(values)},
	})
}

// TakePending ends the wait of all groups for a user of these names, which the user has
// by now, and returns the groups, with the next flush: one more than once if it waits for
// several of the names. A value that is the externalId of another user is left to wait,
// be it this one's userName: it means the other one, too (see UsersNamed).
func (tx *Tx) TakePending(user directory.UserID, names Names) *Later[[]directory.GroupID] {
	later := &Later[[]directory.GroupID]{}
	tx.queue(statement{
		sql:  takePending,
		args: []any{tx.Organization, tx.Connection, directory.Fold(names.ExternalID), directory.Fold(names.UserName), names.ExternalID, user},
		each: func(r row) error {
			var id directory.GroupID
			if err := r.Scan(&id); err != nil {
				return err
			}
			later.value = append(later.value, id)
			return nil
		},
	})
	return later
}

// UsersNamed returns, with the next flush, the users of the connection whom the names
// mean, by name, in order of id: those whose externalId it is, else the one whose
// userName it is. A name that is nobody's is left out.
func (tx *Tx) UsersNamed(names []string) *Later[map[string][]directory.UserID] {
	later := &Later[map[string][]directory.UserID]{value: map[string][]directory.UserID{}}
	external, userName := map[string][]directory.UserID{}, map[string]directory.UserID{}
	tx.queue(statement{
		sql:  usersNamed,
		args: []any{tx.Organization, tx.Connection, names, foldedAll(names)},
		each: func(r row) error {
			var id directory.UserID
			var externalID, folded string
			if err := r.Scan(&id, &externalID, &folded); err != nil {
				return err
			}
			if externalID != "" {
				external[externalID] = append(external[externalID], id)
			}
			userName[folded] = id
			return nil
		},
		done: func(int64) error {
			for _, name := range names {
				if ids, ok := external[name]; ok {
					later.value[name] = ids
				} else if id, ok := userName[directory.Fold(name)]; ok {
					later.value[name] = []directory.UserID{id}
				}
			}
			return nil
		},
	})
	return later
}

func foldedAll(names []string) []string {
	folded := make([]string, len(names))
	for i, name := range names {
		folded[i] = directory.Fold(name)
	}
	return folded
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
