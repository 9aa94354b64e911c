package admin

import (
	"context"
	"slices"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/mapping"
)

// SeenGroup is a group that a connection has pushed, and what the rules give to an
// active user for being in it, apart from all other groups. A group that no rule
// matches is unmapped: its lists are empty.
type SeenGroup struct {
	store.SeenGroup
	Rules       []mapping.RuleID     // that match it, in order of id
	Roles       []mapping.RoleKey    // that they grant, by rank
	Permissions []mapping.Permission // that they grant beside roles, sorted
}

// Groups lists the groups of all connections of an organization, oldest first.
func (s *Service) Groups(ctx context.Context, _ Actor, organization directory.OrganizationID, page Page) (List[SeenGroup], error) {
	var none List[SeenGroup]
	cursor, err := after(page, directory.ParseGroupID)
	if err != nil {
		return none, err
	}
	force, err := s.inForce(ctx, organization)
	if err != nil {
		return none, err
	}
	// Without the settings: highest would hide what a second rule grants, and a default
	// role is not given for the group.
	program, err := force.compile(mapping.RuleSet{Rules: force.RuleSet.Rules})
	if err != nil {
		return none, err
	}
	groups, err := s.Store.SeenGroups(ctx, organization, cursor, page.limit()+1)
	if err != nil {
		return none, err
	}
	seen := make([]SeenGroup, len(groups))
	for i, group := range groups {
		seen[i] = grantedBy(program, group)
	}
	return cut(seen, page.limit(), func(g SeenGroup) string { return string(g.ID) }), nil
}

func grantedBy(program *mapping.Program, group store.SeenGroup) SeenGroup {
	a := program.Evaluate(directory.Facts{
		User:   directory.User{Active: true},
		Groups: []directory.Membership{{Group: group.ID, Connection: group.Connection, DisplayName: group.DisplayName}},
	})
	seen := SeenGroup{SeenGroup: group, Rules: []mapping.RuleID{}, Roles: a.Roles, Permissions: []mapping.Permission{}}
	for _, source := range a.Sources {
		seen.Rules = append(seen.Rules, source.Rule)
		if source.Permission != "" {
			seen.Permissions = append(seen.Permissions, source.Permission)
		}
	}
	slices.Sort(seen.Rules)
	seen.Rules = slices.Compact(seen.Rules)
	seen.Permissions = slices.Compact(seen.Permissions)
	return seen
}
