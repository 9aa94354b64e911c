package sync

import (
	"cmp"
	"encoding/json"

	"github.com/rolesync/rolesync/internal/directory"
)

// resource is a user of a SAML connection as SCIM would have it (RFC 7643 §4.1).
type resource struct {
	ExternalID  string         `json:"externalId,omitempty"`
	UserName    string         `json:"userName"`
	Name        *resourceName  `json:"name,omitempty"`
	DisplayName string         `json:"displayName,omitempty"`
	Emails      []resourceMail `json:"emails,omitempty"`
	Active      bool           `json:"active"`
}

type resourceName struct {
	FamilyName string `json:"familyName,omitempty"`
	GivenName  string `json:"givenName,omitempty"`
}

type resourceMail struct {
	Value   string `json:"value"`
	Primary bool   `json:"primary"`
}

// applied returns the user with what the login states of the names; what it does not
// state stays as it was.
func (l *Login) applied(u directory.User) directory.User {
	u.UserName = cmp.Or(l.UserName, u.UserName)
	u.Email = cmp.Or(l.Email, u.Email)
	u.DisplayName = cmp.Or(l.DisplayName, u.DisplayName)
	u.ExternalID = cmp.Or(l.ExternalID, u.ExternalID)
	var former resource
	_ = json.Unmarshal(u.Resource, &former) // there is none, or it is as it was made here
	r := resource{ExternalID: u.ExternalID, UserName: u.UserName, DisplayName: u.DisplayName, Active: u.Active}
	name := resourceName{FamilyName: l.FamilyName, GivenName: l.GivenName}
	if former.Name != nil {
		name = resourceName{cmp.Or(name.FamilyName, former.Name.FamilyName), cmp.Or(name.GivenName, former.Name.GivenName)}
	}
	if name != (resourceName{}) {
		r.Name = &name
	}
	if u.Email != "" {
		r.Emails = []resourceMail{{u.Email, true}}
	}
	text, err := json.Marshal(r)
	if err != nil {
		panic(err) // strings always marshal
	}
	u.Resource = text
	return u
}
