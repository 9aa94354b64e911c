package sync

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/rolesync/rolesync/claims"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/mapping"
)

// project renders what an assignment gives, without its reasons: the part of the
// entry in Redis that evaluation decides. Equal assignments render to equal bytes.
func project(a mapping.Assignment) string {
	text, err := json.Marshal(struct {
		Active       bool                 `json:"active"`
		Role         mapping.RoleKey      `json:"role"`
		Roles        []mapping.RoleKey    `json:"roles"`
		Permissions  []mapping.Permission `json:"permissions"`
		Licenses     []string             `json:"licenses"`
		Entitlements []string             `json:"entitlements"`
	}{a.Active, a.Role, a.Roles, a.Permissions, a.Licenses, a.Entitlements})
	if err != nil {
		panic(err) // strings and lists of strings always marshal
	}
	return string(text)
}

// entry renders the whole entry in Redis, in the order of package claims: the
// version first, so that the script finds it, the aliases last, so that nothing that
// an identity provider chose stands before them.
func entry(a store.Assignment) string {
	if len(a.Projection) < len("{}") { // it was tampered with: verify tells
		a.Projection = project(mapping.Nothing())
	}
	aliases := a.Aliases
	if aliases == nil {
		aliases = []string{}
	}
	list, err := json.Marshal(aliases)
	if err != nil {
		panic(err) // strings always marshal
	}
	b := make([]byte, 0, len(a.Projection)+len(list)+96)
	b = append(b, `{"v":`...)
	b = strconv.AppendInt(b, a.Version, 10)
	b = append(b, `,"epoch":`...)
	b = strconv.AppendInt(b, a.Epoch, 10)
	b = append(b, ',')
	b = append(b, a.Projection[1:len(a.Projection)-1]...)
	b = append(b, `,"updated_at":"`...)
	b = a.UpdatedAt.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","aliases":`...)
	b = append(b, list...)
	return string(append(b, '}'))
}

// aliasesOf is by what names an issuer may look a user up.
func aliasesOf(u directory.User) []string {
	var aliases []string
	for _, alias := range []string{claims.UserName(u.UserName), claims.Email(u.Email), claims.ExternalID(u.ExternalID)} {
		if alias != "" {
			aliases = append(aliases, alias)
		}
	}
	return aliases
}

// kindOf says in one word what a version states.
func kindOf(a store.Assignment) claims.Kind {
	switch {
	case a.Deleted:
		return claims.Deleted
	case len(a.Projection) > len(`{"active":true`) && a.Projection[:len(`{"active":true`)] == `{"active":true`:
		return claims.Assigned
	}
	return claims.Deactivated
}
