package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
)

// Which groups are in which is changed only by a transaction that is alone in its
// organization (the lock Rules), so whoever holds a lock may rely on it.

// NestGroups makes those of the values that are groups of the connection members of
// another group of it; the others, and those that are members already, change nothing.
// No group becomes its own member.
func (tx *Tx) NestGroups(group directory.GroupID, values []string) *Later[[]directory.GroupID] {
	tx.queue(statement{sql: insertNested, args: []any{tx.Organization, tx.Connection, group, values}, grows: grown{nested: len(values)}})
	return tx.groupsAmong(values)
}

// UnnestGroups ends memberships of groups in a group; absent ones change nothing. Like
// NestGroups, it returns those of the values that are groups, with the next flush, in
// order of id.
func (tx *Tx) UnnestGroups(group directory.GroupID, values []string) *Later[[]directory.GroupID] {
	tx.queue(statement{sql: deleteNested, args: []any{tx.Organization, group, values}})
	return tx.groupsAmong(values)
}

func (tx *Tx) groupsAmong(values []string) *Later[[]directory.GroupID] {
	later := &Later[[]directory.GroupID]{}
	tx.queue(statement{sql: groupsAmong, args: []any{tx.Organization, tx.Connection, values}, each: collect(&later.value)})
	return later
}

// Nests reports, with the next flush, whether groups are in a group.
func (tx *Tx) Nests(group directory.GroupID) *Later[bool] {
	later := &Later[bool]{}
	tx.queue(statement{
		sql:  same(`SELECT EXISTS (SELECT 1 FROM nested_groups WHERE organization_id = $1 AND group_id = $2)`),
		args: []any{tx.Organization, group},
		each: func(r row) error { return r.Scan(&later.value) },
	})
	return later
}

// Parents returns, with the next flush, the groups that a group is in, in order of id.
func (tx *Tx) Parents(group directory.GroupID) *Later[[]directory.GroupID] {
	later := &Later[[]directory.GroupID]{}
	tx.queue(statement{
		sql:  same(`SELECT group_id FROM nested_groups WHERE organization_id = $1 AND member_id = $2 ORDER BY group_id`),
		args: []any{tx.Organization, group},
		each: collect(&later.value),
	})
	return later
}

// UsersBelow returns, with the next flush, the users in groups or in what is nested in
// them, in order of id, at most limit. Who is in several of these comes several times.
func (tx *Tx) UsersBelow(groups []directory.GroupID, limit int) *Later[[]directory.UserID] {
	later := &Later[[]directory.UserID]{}
	tx.queue(statement{
		sql:  usersBelow,
		args: []any{tx.Organization, strs(groups), directory.NestingDepth, limit},
		each: collect(&later.value),
	})
	return later
}

// StaleBelow puts all users in groups, or in what is nested in them, on the backlog.
func (tx *Tx) StaleBelow(groups []directory.GroupID, cause string) {
	tx.queue(statement{sql: insertStaleBelow, args: []any{tx.Organization, strs(groups), directory.NestingDepth, cause}})
}

// RaiseGroups locks groups of the organization, in order of id, and raises their
// revisions.
func (tx *Tx) RaiseGroups(groups []directory.GroupID, now time.Time) {
	tx.queue(statement{sql: raiseGroups, args: []any{tx.Organization, strs(groups), micros(now)}})
}

// RaiseGroupsOf does what RaiseGroups does to the groups of SCIM connections that a user
// is a member of, but for some, and returns them with the next flush.
func (tx *Tx) RaiseGroupsOf(user directory.UserID, except []directory.GroupID, now time.Time) *Later[[]directory.GroupID] {
	later := &Later[[]directory.GroupID]{}
	tx.queue(statement{sql: raiseGroupsOf, args: []any{tx.Organization, user, strs(except), micros(now)}, each: collect(&later.value)})
	return later
}

// collect appends the one column of each row.
func collect[T ~string](into *[]T) func(row) error {
	return func(r row) error {
		var value T
		err := r.Scan(&value)
		*into = append(*into, value)
		return err
	}
}

// UserGroups returns the groups of SCIM connections that each user is in, in order of
// group id: also those that it is in only through nested groups, if the organization's
// rules count them. A provider is not shown what another one states.
func (s *Store) UserGroups(ctx context.Context, organization directory.OrganizationID, users []directory.UserID) (map[directory.UserID][]directory.Membership, error) {
	groups := make(map[directory.UserID][]directory.Membership, len(users))
	args := []any{organization, strs(users), directory.NestingDepth}
	err := s.db.read(ctx, []statement{groupsOf(countedGroupsOfUsers, args, func(user directory.UserID, held []directory.Membership) {
		groups[user] = held
	})})
	return groups, err
}

// selectGroupsOf gives two kinds of rows in one statement, so that they go together: if
// a condition holds, which groups are in which, as far up as nesting is followed from the
// users' own groups; and then the users' own groups. That costs what is nested, however
// many the users are, and does not grow with the ways that lead to a group. Of the users'
// own groups, those are given for which another condition holds. CROSS JOIN has
// SQLite, too, read the tables in the order in which they are named.
func selectGroupsOf(users, condition, own string) string {
	return `WITH RECURSIVE own AS (SELECT user_id, group_id FROM memberships WHERE organization_id = $1 AND user_id ` + users + `),
	above (group_id, depth) AS (SELECT group_id, 0 FROM own WHERE ` + condition + `
		UNION SELECT n.group_id, a.depth + 1 FROM above AS a CROSS JOIN nested_groups AS n
			WHERE n.organization_id = $1 AND n.member_id = a.group_id AND a.depth < $3)
	SELECT '' AS user_id, n.member_id, g.id, g.connection_id, g.kind, g.display_name FROM (SELECT DISTINCT group_id FROM above WHERE depth < $3) AS a
		CROSS JOIN nested_groups AS n CROSS JOIN groups AS g
		WHERE n.organization_id = $1 AND n.member_id = a.group_id AND g.organization_id = $1 AND g.id = n.group_id
	UNION ALL
	SELECT o.user_id, '', g.id, g.connection_id, g.kind, g.display_name FROM own AS o CROSS JOIN groups AS g
		WHERE g.organization_id = $1 AND g.id = o.group_id AND ` + own + `
	ORDER BY 1, 2, 3`
}

// ifExpanded holds if the organization's rules count nested groups.
const ifExpanded = `(SELECT expands_nested_groups FROM organizations WHERE id = $1)`

// groupsOf makes the statement that reads the groups of users, and calls each with all
// of a user's, in order of group id. A user without groups is left out.
func groupsOf(sql text, args []any, each func(directory.UserID, []directory.Membership)) statement {
	nested := nesting{}
	var last directory.UserID
	var own []directory.Membership
	finish := func() {
		if last != "" {
			each(last, nested.spread(own))
		}
	}
	return statement{
		sql:  sql,
		args: args,
		each: func(r row) error {
			var user directory.UserID
			var member directory.GroupID
			var m directory.Membership
			if err := r.Scan(&user, &member, &m.Group, &m.Connection, &m.Kind, &m.DisplayName); err != nil {
				return err
			}
			if user == "" {
				nested[member] = append(nested[member], m)
				return nil
			}
			if user != last {
				finish()
				last, own = user, nil
			}
			own = append(own, m)
			return nil
		},
		done: func(int64) error { finish(); return nil },
	}
}

// nesting is, by group, the groups that it is in, in order of id.
type nesting map[directory.GroupID][]directory.Membership

// spread returns a user's own groups with those that they are in, up to NestingDepth
// steps, each once and by the shortest way. The list is in order of group id, before and
// after.
func (n nesting) spread(own []directory.Membership) []directory.Membership {
	if len(n) == 0 {
		return own
	}
	seen := make(map[directory.GroupID]bool, len(own))
	for _, m := range own {
		seen[m.Group] = true
	}
	all := own
	for step, from := 0, 0; step < directory.NestingDepth && from < len(all); step++ {
		reached := all[from:]
		from = len(all)
		for _, m := range reached {
			for _, above := range n[m.Group] {
				if !seen[above.Group] {
					seen[above.Group] = true
					above.Via = cmp.Or(m.Via, m.Group)
					all = append(all, above)
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b directory.Membership) int { return cmp.Compare(a.Group, b.Group) })
	return all
}
