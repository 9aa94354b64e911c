package mapping

import (
	"slices"

	"github.com/rolesync/rolesync/internal/directory"
)

// Assignment is what one user has in one organization. The lists that this package
// makes are never nil, so that they are [] in JSON.
type Assignment struct {
	Active       bool         `json:"active"`
	Role         RoleKey      `json:"role"`         // the primary one: the first of Roles, empty if there is none
	Roles        []RoleKey    `json:"roles"`        // by rank, highest first
	Permissions  []Permission `json:"permissions"`  // of the roles and granted beside them; sorted
	Licenses     []string     `json:"licenses"`     // sorted
	Entitlements []string     `json:"entitlements"` // sorted
	Sources      []Source     `json:"sources"`      // why; see Source
}

// Nothing is the assignment of an inactive or deleted user.
func Nothing() Assignment {
	return Assignment{
		Roles:        []RoleKey{},
		Permissions:  []Permission{},
		Licenses:     []string{},
		Entitlements: []string{},
		Sources:      []Source{},
	}
}

// Equal reports whether both give a user the same. Sources do not count: another
// group behind the same role changes nothing for a token issuer. A nil list equals an
// empty one.
func (a Assignment) Equal(b Assignment) bool {
	return a.Active == b.Active &&
		a.Role == b.Role &&
		slices.Equal(a.Roles, b.Roles) &&
		slices.Equal(a.Permissions, b.Permissions) &&
		slices.Equal(a.Licenses, b.Licenses) &&
		slices.Equal(a.Entitlements, b.Entitlements)
}

// MaxSources is how many sources an assignment keeps for one role or permission, the
// first by rule id and group id. More explain nothing more, and a rule for every group
// would otherwise fill the store with them.
const MaxSources = 100

// Source is one reason for one role, or for one permission that is granted beside the
// roles: a rule and a group that it matches, or the default role of the rule set. A
// permission that comes with a role has no source of its own: it has those of the role.
// Sources are ordered by role (highest first), then permission, then rule id, then
// group id. A role that Highest drops has none.
type Source struct {
	Role       RoleKey                `json:"role,omitempty"`
	Permission Permission             `json:"permission,omitempty"`
	Origin     Origin                 `json:"origin"`
	Rule       RuleID                 `json:"rule,omitempty"`
	Group      directory.GroupID      `json:"group,omitempty"`
	GroupName  string                 `json:"group_name,omitempty"` // as the connection stated it
	Connection directory.ConnectionID `json:"connection,omitempty"`
	// Via is the user's own group through which it is in Group, if it is not directly.
	Via     directory.GroupID `json:"via,omitempty"`
	ViaName string            `json:"via_name,omitempty"`
}

// Origin is the kind of a source.
type Origin string

// The kinds of source.
const (
	FromRule    Origin = "rule"
	FromDefault Origin = "default"
)
