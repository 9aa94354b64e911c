package store

import (
	"context"
	"encoding/json"

	"github.com/rolesync/rolesync/internal/directory"
)

// SeenGroup is a group with the number of its members.
type SeenGroup struct {
	directory.Group
	Members int
}

// SeenGroups returns the groups of all connections of an organization after the given
// one, in order of id.
func (s *Store) SeenGroups(ctx context.Context, organization directory.OrganizationID, after directory.GroupID, limit int) ([]SeenGroup, error) {
	groups := []SeenGroup{}
	err := s.db.read(ctx, []statement{{
		sql: same(`SELECT ` + groupColumns + `,
				(SELECT count(*) FROM memberships AS m WHERE m.organization_id = groups.organization_id AND m.group_id = groups.id)
			FROM groups WHERE organization_id = $1 AND id > $2 ORDER BY id LIMIT $3`),
		args: []any{organization, after, limit},
		each: func(r row) error {
			g := SeenGroup{Group: directory.Group{Organization: organization}}
			var resource string
			var created, modified int64
			if err := r.Scan(&g.ID, &g.Connection, &g.Kind, &g.ExternalID, &g.DisplayName, &resource, &created, &modified, &g.Revision, &g.Members); err != nil {
				return err
			}
			g.Resource = json.RawMessage(resource)
			g.CreatedAt, g.ModifiedAt = moment(created), moment(modified)
			groups = append(groups, g)
			return nil
		},
	}})
	return groups, err
}

// GroupNames returns the groups of an organization after the given one, in order of
// id, as rules see them.
func (s *Store) GroupNames(ctx context.Context, organization directory.OrganizationID, after directory.GroupID, limit int) ([]directory.Membership, error) {
	var groups []directory.Membership
	err := s.db.read(ctx, []statement{{
		sql:  same(`SELECT id, connection_id, kind, display_name FROM groups WHERE organization_id = $1 AND id > $2 ORDER BY id LIMIT $3`),
		args: []any{organization, after, limit},
		each: func(r row) error {
			var m directory.Membership
			if err := r.Scan(&m.Group, &m.Connection, &m.Kind, &m.DisplayName); err != nil {
				return err
			}
			groups = append(groups, m)
			return nil
		},
	}})
	return groups, err
}

// WaitingMember is a pending member with the name of the group that waits for it.
type WaitingMember struct {
	PendingMember
	GroupName string
}

// WaitingMembers returns what a connection waits for after the given member of the
// given group, in order of group and value.
func (s *Store) WaitingMembers(ctx context.Context, scope Scope, group directory.GroupID, value string, limit int) ([]WaitingMember, error) {
	waiting := []WaitingMember{}
	err := s.db.read(ctx, []statement{{
		sql: same(`SELECT p.group_id, p.value, p.created_at, COALESCE(g.display_name, '')
			FROM pending_members AS p LEFT JOIN groups AS g ON g.organization_id = p.organization_id AND g.id = p.group_id
			WHERE p.organization_id = $1 AND p.connection_id = $2 AND (p.group_id, p.value) > ($3, $4)
			ORDER BY p.group_id, p.value LIMIT $5`),
		args: []any{scope.Organization, scope.Connection, group, value, limit},
		each: func(r row) error {
			var w WaitingMember
			var since int64
			if err := r.Scan(&w.Group, &w.Value, &since, &w.GroupName); err != nil {
				return err
			}
			w.Since = moment(since)
			waiting = append(waiting, w)
			return nil
		},
	}})
	return waiting, err
}
