package mapping

import "slices"

// Delta is what changes for a user between two assignments. Sources do not count. The
// lists are nil when nothing of their kind changes; gained and lost keep the order of
// the assignment they come from.
type Delta struct {
	Activated   bool `json:"activated,omitempty"`
	Deactivated bool `json:"deactivated,omitempty"`

	// The primary role, when it changes; empty for none.
	RoleBefore RoleKey `json:"role_before,omitempty"`
	RoleAfter  RoleKey `json:"role_after,omitempty"`

	RolesGained []RoleKey `json:"roles_gained,omitempty"`
	RolesLost   []RoleKey `json:"roles_lost,omitempty"`
	// RolesAfter is the roles afterwards, by rank, when they change: also when only
	// their ranks did, so that none is gained or lost.
	RolesAfter []RoleKey `json:"roles_after,omitempty"`

	PermissionsGained  []Permission `json:"permissions_gained,omitempty"`
	PermissionsLost    []Permission `json:"permissions_lost,omitempty"`
	LicensesGained     []string     `json:"licenses_gained,omitempty"`
	LicensesLost       []string     `json:"licenses_lost,omitempty"`
	EntitlementsGained []string     `json:"entitlements_gained,omitempty"`
	EntitlementsLost   []string     `json:"entitlements_lost,omitempty"`
}

// Diff returns what changes from before to after; before is the zero Assignment for a
// user who had none. Both must be as this package makes them: lists in order, without
// repetition. Diff(a, b) is empty exactly when a.Equal(b).
func Diff(before, after Assignment) Delta {
	d := Delta{
		Activated:   !before.Active && after.Active,
		Deactivated: before.Active && !after.Active,
	}
	if before.Role != after.Role {
		d.RoleBefore, d.RoleAfter = before.Role, after.Role
	}
	if !slices.Equal(before.Roles, after.Roles) {
		d.RolesAfter = slices.Clone(after.Roles)
	}
	d.RolesGained, d.RolesLost = gainedLost(before.Roles, after.Roles)
	d.PermissionsGained, d.PermissionsLost = gainedLost(before.Permissions, after.Permissions)
	d.LicensesGained, d.LicensesLost = gainedLost(before.Licenses, after.Licenses)
	d.EntitlementsGained, d.EntitlementsLost = gainedLost(before.Entitlements, after.Entitlements)
	return d
}

// Empty reports whether nothing changes.
func (d Delta) Empty() bool {
	return !d.Activated && !d.Deactivated && d.RoleBefore == d.RoleAfter &&
		len(d.RolesGained) == 0 && len(d.RolesLost) == 0 && len(d.RolesAfter) == 0 &&
		len(d.PermissionsGained) == 0 && len(d.PermissionsLost) == 0 &&
		len(d.LicensesGained) == 0 && len(d.LicensesLost) == 0 &&
		len(d.EntitlementsGained) == 0 && len(d.EntitlementsLost) == 0
}

// Apply returns before with the changes made: Diff(before, after).Apply(before) equals
// after. The result has no sources, as a delta does not know them.
func (d Delta) Apply(before Assignment) Assignment {
	after := Nothing()
	after.Active = (before.Active || d.Activated) && !d.Deactivated
	after.Role = before.Role
	if d.RoleBefore != d.RoleAfter {
		after.Role = d.RoleAfter
	}
	after.Roles = change(before.Roles, d.RolesGained, d.RolesLost)
	slices.SortStableFunc(after.Roles, func(a, b RoleKey) int {
		return slices.Index(d.RolesAfter, a) - slices.Index(d.RolesAfter, b)
	})
	after.Permissions = change(before.Permissions, d.PermissionsGained, d.PermissionsLost)
	slices.Sort(after.Permissions)
	after.Licenses = change(before.Licenses, d.LicensesGained, d.LicensesLost)
	slices.Sort(after.Licenses)
	after.Entitlements = change(before.Entitlements, d.EntitlementsGained, d.EntitlementsLost)
	slices.Sort(after.Entitlements)
	return after
}

// gainedLost returns what only after has, and what only before has.
func gainedLost[T comparable](before, after []T) (gained, lost []T) {
	return without(after, before), without(before, after)
}

// change returns a new list of what is not lost, and then what is gained.
func change[T comparable](list, gained, lost []T) []T {
	return slices.Concat([]T{}, without(list, lost), without(gained, list))
}

// without returns the elements of list that are not in other, in their order.
func without[T comparable](list, other []T) []T {
	if slices.Equal(list, other) {
		return nil // the usual case costs no memory
	}
	in := make(map[T]bool, len(other))
	for _, element := range other {
		in[element] = true
	}
	var rest []T
	for _, element := range list {
		if !in[element] {
			rest = append(rest, element)
		}
	}
	return rest
}
