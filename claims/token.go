package claims

import "slices"

// Claims is what an issuer puts into a token about the user's access. The names are
// those of the JSON; none of them is registered for another use (RFC 7519 §4.1).
//
//	org_id            string    the organization the rest holds for
//	role              string    the primary role, "" when there is none
//	roles             []string  all roles, sorted
//	permissions       []string  "resource:action", sorted
//	licenses          []string  product slugs, sorted
//	entitlements      []string  features, sorted
//	epoch             number    a verifier refuses a token whose epoch is lower than the current one
//	rolesync_version  number    version of the assignment that the token was made from
//
// The subject is not among them: "sub" is the issuer's own name for the user.
type Claims struct {
	OrganizationID string   `json:"org_id"`
	Role           string   `json:"role"`
	Roles          []string `json:"roles"`
	Permissions    []string `json:"permissions"`
	Licenses       []string `json:"licenses"`
	Entitlements   []string `json:"entitlements"`
	Epoch          int64    `json:"epoch"`
	Version        int64    `json:"rolesync_version"`
}

// Claims returns the claims of the assignment. For an inactive user they state no
// access at all; an issuer checks Active first and issues nothing.
func (a Assignment) Claims() Claims {
	c := Claims{OrganizationID: a.Organization, Epoch: a.Epoch, Version: a.Version,
		Roles: []string{}, Permissions: []string{}, Licenses: []string{}, Entitlements: []string{}}
	if a.Active {
		c.Role = a.Role
		c.Roles = append(c.Roles, a.Roles...)
		c.Permissions = append(c.Permissions, a.Permissions...)
		c.Licenses = append(c.Licenses, a.Licenses...)
		c.Entitlements = append(c.Entitlements, a.Entitlements...)
	}
	return c
}

// Map returns the claims by name, for token libraries that take a map.
func (c Claims) Map() map[string]any {
	return map[string]any{
		"org_id":           c.OrganizationID,
		"role":             c.Role,
		"roles":            slices.Clone(c.Roles),
		"permissions":      slices.Clone(c.Permissions),
		"licenses":         slices.Clone(c.Licenses),
		"entitlements":     slices.Clone(c.Entitlements),
		"epoch":            c.Epoch,
		"rolesync_version": c.Version,
	}
}
