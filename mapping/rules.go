package mapping

import "github.com/rolesync/rolesync/internal/directory"

// RuleSet is the rules of one organization with what holds for all of them.
type RuleSet struct {
	// Combine says which of the granted roles stay; empty means Union.
	Combine Combine `json:"combine,omitempty"`
	// DefaultRole is given to an active user whom no rule gives a role, if OnNoMatch
	// is GiveDefault.
	DefaultRole RoleKey `json:"default_role,omitempty"`
	// OnNoMatch says what an active user without a role gets; empty means GiveDefault
	// when there is a default role, else GiveNone.
	OnNoMatch OnNoMatch `json:"on_no_match,omitempty"`
	// ExpandNestedGroups makes a user's groups count that the user is in only through
	// nested groups (directory.Membership.Via). By default they do not.
	ExpandNestedGroups bool `json:"expand_nested_groups,omitempty"`
	// Rules are all tried; their order is for the reader.
	Rules []Rule `json:"rules"`
}

// Combine says which of the roles that rules grant a user keeps.
type Combine string

// The ways to combine.
const (
	Union   Combine = "union"   // all of them
	Highest Combine = "highest" // only the one of highest rank
)

// OnNoMatch says what happens to an active user who is left without a role.
type OnNoMatch string

// What a user without a role gets.
const (
	GiveDefault OnNoMatch = "default"    // the default role
	GiveNone    OnNoMatch = "none"       // no role
	DenyLogin   OnNoMatch = "deny_login" // no role, and a login is refused
)

// RuleID names a rule within its rule set: [a-z0-9][a-z0-9_-]{0,63}.
type RuleID string

// Rule grants something to every user who meets its condition. A paused rule is
// checked like any other but never matches.
type Rule struct {
	ID          RuleID    `json:"id"`
	Name        string    `json:"name,omitempty"`
	Description string    `json:"description,omitempty"`
	Paused      bool      `json:"paused,omitempty"`
	When        Condition `json:"when"`
	Grant       Grant     `json:"grant"`
}

// Condition is what must hold for a user: being in at least one group that Group
// matches.
type Condition struct {
	Group GroupMatcher `json:"group"`
}

// GroupMatcher selects groups by exactly one of ID, Name, Glob and Regexp (the
// package documentation has their meaning), and by Connection when it is set.
type GroupMatcher struct {
	ID         directory.GroupID      `json:"id,omitempty"`
	Name       string                 `json:"name,omitempty"`
	Glob       string                 `json:"glob,omitempty"`
	Regexp     string                 `json:"regexp,omitempty"`
	Connection directory.ConnectionID `json:"connection,omitempty"` // empty: any
}

// Grant is what a rule gives: roles of the catalog, and permissions beside them (which
// need not belong to any role). At least one; a repeated one counts once.
type Grant struct {
	Roles       []RoleKey    `json:"roles,omitempty"`
	Permissions []Permission `json:"permissions,omitempty"`
}
