package mapping

import (
	"strings"

	"github.com/rolesync/rolesync/internal/fault"
)

// The limits that Compile enforces, so that one organization's rules cannot use up
// the memory or the time of all. Lengths are in characters (code points).
const (
	MaxRoles         = 1_000     // roles in a catalog
	MaxRules         = 5_000     // rules in a rule set
	MaxPermissions   = 1_000     // permissions of one role, or of one grant
	MaxPatternLength = 512       // a group name, glob or regexp in a matcher
	MaxRank          = 1_000_000 // the highest rank; the lowest is 0
	maxKeyLength     = 64        // a role key, a rule id, each half of a permission
)

// RoleKey names a role to programs: [a-z0-9][a-z0-9_-]{0,63}.
type RoleKey string

// ParseRoleKey checks the form of a key that came from outside. It returns a
// fault.Invalid that names the value.
func ParseRoleKey(s string) (RoleKey, error) {
	if !validKey(s, "_-") {
		return "", fault.New(fault.Invalid, "%s %s", quote(s), wantKey)
	}
	return RoleKey(s), nil
}

// Permission is one thing that a user may do: "resource:action", where each half is
// [a-z0-9][a-z0-9._-]{0,63}. There are no wildcards: a permission means itself only.
type Permission string

// ParsePermission checks the form of a permission that came from outside. It returns
// a fault.Invalid that names the value.
func ParsePermission(s string) (Permission, error) {
	resource, action, ok := strings.Cut(s, ":")
	if !ok || !validKey(resource, "._-") || !validKey(action, "._-") {
		return "", fault.New(fault.Invalid, "%s %s", quote(s), wantPermission)
	}
	return Permission(s), nil
}

// What a malformed key is told; the value stands before it.
const (
	wantKey        = "must be 1 to 64 of a-z, 0-9, _ and -, and begin with a letter or digit"
	wantPermission = "must be resource:action, each half 1 to 64 of a-z, 0-9, ., _ and -, beginning with a letter or digit"
)

// Role is a named set of permissions. Ranks are unique in a catalog: of several
// roles, the one with the highest rank is the primary one.
type Role struct {
	Key         RoleKey      `json:"key"`
	Name        string       `json:"name"`
	Description string       `json:"description,omitempty"`
	Rank        int          `json:"rank"`
	Permissions []Permission `json:"permissions,omitempty"`
}

// Catalog is the roles that an organization's rules may grant, in any order.
type Catalog struct {
	Roles []Role `json:"roles"`
}

// validKey reports whether s is 1 to 64 lower-case letters, digits and characters of
// extra, and begins with a letter or digit.
func validKey(s, extra string) bool {
	if s == "" || len(s) > maxKeyLength {
		return false
	}
	for i := range len(s) {
		c := s[i]
		plain := 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
		if !plain && (i == 0 || strings.IndexByte(extra, c) < 0) {
			return false
		}
	}
	return true
}
