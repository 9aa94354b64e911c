package saml

import (
	"slices"

	"github.com/rolesync/rolesync/internal/directory"
)

// The names of attributes that are read unless the connection has its own list. They are
// exact: names of attributes are case-sensitive, and what only looks alike may be of
// another issuer.
//
//	Okta, OneLogin, Google   the short names, as an admin types them
//	Entra                    http://schemas.microsoft.com/…, http://schemas.xmlsoap.org/…
//	ADFS                     http://schemas.xmlsoap.org/…
//	Shibboleth, Ping         urn:oid:… of LDAP and eduPerson
//	Keycloak                 Role, member, and the X.500 names
var usualNames = directory.SAMLAttributes{
	Groups: []string{
		"groups", "Groups", "group", "memberOf", "member", "isMemberOf", "roles", "Role",
		microsoft + "groups", microsoft + "role", microsoft + "groupsid",
		"http://schemas.xmlsoap.org/claims/Group",
		"urn:oid:1.3.6.1.4.1.5923.1.5.1.1", // isMemberOf
		"urn:oid:1.3.6.1.4.1.5923.1.1.1.7", // eduPersonEntitlement
		"urn:oid:1.2.840.113556.1.2.102",   // memberOf
	},
	Email: []string{
		"email", "Email", "mail", "emailAddress", "User.email", "urn:oid:0.9.2342.19200300.100.1.3",
		"urn:oid:1.2.840.113549.1.9.1", // emailAddress of PKCS #9, which Keycloak's mapper "X500 email" sends
		xmlsoap + "emailaddress", xmlsoap + "upn",
	},
	GivenName:   []string{"firstName", "givenName", "User.FirstName", "urn:oid:2.5.4.42", xmlsoap + "givenname"},
	FamilyName:  []string{"lastName", "surname", "sn", "User.LastName", "urn:oid:2.5.4.4", xmlsoap + "surname"},
	DisplayName: []string{"displayName", "name", "cn", "urn:oid:2.16.840.1.113730.3.1.241", "http://schemas.microsoft.com/identity/claims/displayname", xmlsoap + "name"},
	ID: []string{
		"http://schemas.microsoft.com/identity/claims/objectidentifier",
		"urn:oasis:names:tc:SAML:attribute:subject-id",
		"urn:oasis:names:tc:SAML:attribute:pairwise-id",
		"urn:oid:1.3.6.1.4.1.5923.1.1.1.6", "eduPersonPrincipalName",
	},
}

const (
	microsoft = "http://schemas.microsoft.com/ws/2008/06/identity/claims/"
	xmlsoap   = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"

	// groupsLink is what Entra sends instead of more than 150 groups: where to ask for them.
	groupsLink = "http://schemas.microsoft.com/claims/groups.link"
)

// userNames are attributes that hold what a provider calls the person, for when the NameID
// does not.
var userNames = []string{xmlsoap + "upn", "urn:oid:1.3.6.1.4.1.5923.1.1.1.6", "eduPersonPrincipalName", "urn:oid:0.9.2342.19200300.100.1.1", "uid"}

// usedElsewhere are names that say nothing which could be mapped, though nothing reads them.
var usedElsewhere = []string{
	"http://schemas.microsoft.com/identity/claims/tenantid",
	"http://schemas.microsoft.com/identity/claims/identityprovider",
	"http://schemas.microsoft.com/claims/authnmethodsreferences",
	groupsLink,
}

// namesOf returns the names that a connection reads: its own lists, and the usual ones for
// what it has no list of.
func namesOf(own directory.SAMLAttributes) directory.SAMLAttributes {
	choose := func(own, usual []string) []string {
		if len(own) > 0 {
			return own
		}
		return usual
	}
	return directory.SAMLAttributes{
		ID:          choose(own.ID, usualNames.ID),
		Groups:      choose(own.Groups, usualNames.Groups),
		Email:       choose(own.Email, usualNames.Email),
		GivenName:   choose(own.GivenName, usualNames.GivenName),
		FamilyName:  choose(own.FamilyName, usualNames.FamilyName),
		DisplayName: choose(own.DisplayName, usualNames.DisplayName),
	}
}

// reads reports whether an attribute of that name has a meaning.
func reads(names directory.SAMLAttributes, name string) bool {
	for _, list := range [][]string{names.ID, names.Groups, names.Email, names.GivenName, names.FamilyName, names.DisplayName, userNames, usedElsewhere} {
		if slices.Contains(list, name) {
			return true
		}
	}
	return false
}
