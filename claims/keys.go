package claims

import "github.com/rolesync/rolesync/internal/directory"

// DefaultPrefix is what the keys begin with unless the service is configured
// otherwise (redis.prefix).
const DefaultPrefix = "rolesync"

// Keys names the Redis keys of an organization ("org_…"). The zero value uses
// DefaultPrefix.
type Keys struct {
	// Prefix must be the one the service writes with; "" is DefaultPrefix. It has no
	// braces: the first pair in a key decides its slot.
	Prefix string
}

// Assignments is the hash from subject to assignment.
func (k Keys) Assignments(org string) string { return k.key(org, "assignments") }

// Aliases is the hash from alias to subject.
func (k Keys) Aliases(org string) string { return k.key(org, "aliases") }

// Meta is the hash that says which generation of the projection this is.
func (k Keys) Meta(org string) string { return k.key(org, "meta") }

// Changes is the stream of changed assignments.
func (k Keys) Changes(org string) string { return k.key(org, "changes") }

func (k Keys) key(org, what string) string {
	prefix := k.Prefix
	if prefix == "" {
		prefix = DefaultPrefix
	}
	return prefix + ":{" + org + "}:" + what
}

const (
	userNamePrefix   = "user_name:"
	emailPrefix      = "email:"
	externalIDPrefix = "external_id:"
	nameIDPrefix     = "name_id:"
)

// UserName is the alias of a user by SCIM userName, which compares without regard to
// case. Like the other constructors it returns "", which is nobody's alias, when the
// name is empty.
func UserName(name string) string { return alias(userNamePrefix, directory.Fold(name)) }

// Email is the alias of a user by primary e-mail address, compared without regard to
// case. An address is not proof of identity: look up by one only when the identity
// provider that vouches for it belongs to the organization.
func Email(address string) string { return alias(emailPrefix, directory.Fold(address)) }

// ExternalID is the alias of a user by the provider's own id, the SCIM externalId. It
// is opaque and compares exactly (RFC 7643 §3.1, caseExact), so it is taken as it is.
func ExternalID(id string) string { return alias(externalIDPrefix, id) }

// NameID is the alias of a user by SAML NameID, folded: providers send addresses in
// it in any case. Two opaque ids that differ by case only make the alias ambiguous,
// which gives nothing to either.
func NameID(id string) string { return alias(nameIDPrefix, directory.Fold(id)) }

func alias(prefix, value string) string {
	if value == "" {
		return ""
	}
	return prefix + value
}
