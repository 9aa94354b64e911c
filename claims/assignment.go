package claims

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ErrDenied is what Require returns, wrapped in the permissions that are missing.
var ErrDenied = errors.New("access denied")

// ErrMalformed says that Redis holds something that is not of the contract's form.
var ErrMalformed = errors.New("malformed entry")

// Assignment is what one user has in one organization, as the service last stated
// it. The JSON keys stand in the order of the contract, "v" first, so that the
// service's script can compare versions without parsing the rest.
type Assignment struct {
	// Organization and Subject ("usr_…") say whose it is. They come from the key, not
	// from the JSON; Reader sets them.
	Organization string `json:"-"`
	Subject      string `json:"-"`

	// Version rises by one with each change of this assignment; the first is 1.
	Version int64 `json:"v"`
	// Epoch rises when access must end now; a token with a lower one is void.
	Epoch int64 `json:"epoch"`
	// Active is false for a deactivated or deleted user, who then has nothing.
	Active bool `json:"active"`
	// Role is the primary role: the highest-ranked of Roles, "" when there is none.
	Role string `json:"role"`
	// The lists are sorted and never nil once read or written.
	Roles        []string `json:"roles"`
	Permissions  []string `json:"permissions"`
	Licenses     []string `json:"licenses"`
	Entitlements []string `json:"entitlements"`
	// UpdatedAt is when this version was stated, in UTC.
	UpdatedAt time.Time `json:"updated_at"`
	// Aliases are the other names of the subject, as UserName, Email, ExternalID and
	// NameID make them.
	Aliases []string `json:"aliases"`
}

// MarshalJSON writes the JSON of the contract: every key, in order, an empty list as
// [], the time in UTC.
func (a Assignment) MarshalJSON() ([]byte, error) {
	type plain Assignment // without this method
	for _, list := range a.lists() {
		if *list == nil {
			*list = []string{}
		}
	}
	a.UpdatedAt = a.UpdatedAt.UTC()
	return json.Marshal(plain(a))
}

// UnmarshalJSON reads the JSON of the contract. It accepts keys that it does not know,
// for the sake of newer writers, but wants every one that it does, except "aliases"
// and "updated_at", which grant nothing. The error wraps ErrMalformed, and then a is
// unchanged. The lists of an inactive assignment are dropped.
func (a *Assignment) UnmarshalJSON(data []byte) error {
	var w struct {
		Version      *int64    `json:"v"`
		Epoch        *int64    `json:"epoch"`
		Active       *bool     `json:"active"`
		Role         *string   `json:"role"`
		Roles        []string  `json:"roles"`
		Permissions  []string  `json:"permissions"`
		Licenses     []string  `json:"licenses"`
		Entitlements []string  `json:"entitlements"`
		UpdatedAt    time.Time `json:"updated_at"`
		Aliases      []string  `json:"aliases"`
	}
	if err := json.Unmarshal(data, &w); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	switch {
	case w.Version == nil || *w.Version < 1:
		return fmt.Errorf("%w: v is not a version", ErrMalformed)
	case w.Epoch == nil || *w.Epoch < 0:
		return fmt.Errorf("%w: epoch is not an epoch", ErrMalformed)
	case w.Active == nil, w.Role == nil, w.Roles == nil, w.Permissions == nil, w.Licenses == nil, w.Entitlements == nil:
		return fmt.Errorf("%w: a key of the contract is missing", ErrMalformed)
	}
	read := Assignment{
		Organization: a.Organization, Subject: a.Subject,
		Version: *w.Version, Epoch: *w.Epoch, Active: *w.Active,
		Role: *w.Role, Roles: w.Roles, Permissions: w.Permissions, Licenses: w.Licenses, Entitlements: w.Entitlements,
		UpdatedAt: w.UpdatedAt, Aliases: w.Aliases,
	}
	if read.Aliases == nil {
		read.Aliases = []string{}
	}
	if !read.Active {
		// Fail closed: whatever a writer left here, an inactive user has nothing.
		read.Role, read.Roles, read.Permissions, read.Licenses, read.Entitlements = "", []string{}, []string{}, []string{}, []string{}
	}
	*a = read
	return nil
}

// lists points at every list of the assignment.
func (a *Assignment) lists() [5]*[]string {
	return [...]*[]string{&a.Roles, &a.Permissions, &a.Licenses, &a.Entitlements, &a.Aliases}
}

// Has reports whether the user is active and holds the permission ("billing:view").
// Permissions compare exactly; there are no wildcards.
func (a Assignment) Has(permission string) bool {
	return a.Active && slices.Contains(a.Permissions, permission)
}

// HasRole reports whether the user is active and holds the role, as primary or not.
func (a Assignment) HasRole(role string) bool {
	return a.Active && slices.Contains(a.Roles, role)
}

// Require returns nil when the user is active and holds every one of the permissions;
// otherwise an error that wraps ErrDenied and names what is missing. Without
// arguments it asks for an active user only.
func (a Assignment) Require(permissions ...string) error {
	if !a.Active {
		return fmt.Errorf("%w: the user is not active", ErrDenied)
	}
	missing := slices.DeleteFunc(slices.Clone(permissions), a.Has)
	if len(missing) > 0 {
		return fmt.Errorf("%w: missing %s", ErrDenied, strings.Join(missing, ", "))
	}
	return nil
}
