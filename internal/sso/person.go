package sso

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/rolesync/rolesync/claims"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
)

// Person is who signed in and what the person may do, as the database has it.
type Person struct {
	Profile    Profile           `json:"profile"`
	Assignment claims.Assignment `json:"assignment"` // as it is in Redis, or will be
	Published  bool              `json:"published"`  // whether Redis is known to hold it
}

// allowed reports whether access that was given at an epoch has not ended since.
func (p Person) allowed(epoch int64) bool {
	return p.Assignment.Active && p.Assignment.Epoch <= epoch
}

// Profile is who signed in. Sub is the user's id, and the subject of the assignment.
type Profile struct {
	Sub          directory.UserID         `json:"sub"`
	Organization directory.OrganizationID `json:"organization"`
	Connection   directory.ConnectionID   `json:"connection"` // through which the person signed in
	UserName     string                   `json:"user_name"`
	Email        string                   `json:"email,omitempty"`
	DisplayName  string                   `json:"display_name,omitempty"`
	GivenName    string                   `json:"given_name,omitempty"`
	FamilyName   string                   `json:"family_name,omitempty"`
	ExternalID   string                   `json:"external_id,omitempty"` // the provider's own, where SCIM gave one
}

// person reads a user of any connection of the organization; NotFound when there is none.
func (s *Service) person(ctx context.Context, organization directory.OrganizationID, id directory.UserID, connection directory.ConnectionID) (Person, error) {
	assignment, err := s.Store.Assignment(ctx, organization, id)
	if err != nil {
		return Person{}, err
	}
	subjects, err := s.Store.Subjects(ctx, organization, []directory.UserID{id})
	if err != nil {
		return Person{}, err
	}
	person := Person{Published: assignment.Published >= assignment.Version}
	if person.Assignment, err = stated(assignment); err != nil {
		return Person{}, err
	}
	person.Profile = Profile{Sub: id, Organization: organization, Connection: connection}
	if len(subjects) == 0 { // deleted: the assignment is a tombstone
		return person, nil
	}
	// Its resource is read in the scope of the connection that owns the user.
	owner := store.Scope{Organization: organization, Connection: subjects[0].Facts.User.Connection}
	u, err := s.Store.User(ctx, owner, id)
	if err != nil {
		return Person{}, err
	}
	var resource struct {
		Name struct{ GivenName, FamilyName string }
	}
	_ = json.Unmarshal(u.Resource, &resource) // what does not fit is left out of a profile
	p := &person.Profile
	p.UserName, p.Email, p.DisplayName, p.ExternalID = u.UserName, u.Email, u.DisplayName, u.ExternalID
	p.GivenName, p.FamilyName = resource.Name.GivenName, resource.Name.FamilyName
	return person, nil
}

// stated puts an assignment into the form of the contract.
func stated(a store.Assignment) (claims.Assignment, error) {
	var p struct {
		Active       bool     `json:"active"`
		Role         string   `json:"role"`
		Roles        []string `json:"roles"`
		Permissions  []string `json:"permissions"`
		Licenses     []string `json:"licenses"`
		Entitlements []string `json:"entitlements"`
	}
	if err := json.Unmarshal([]byte(a.Projection), &p); err != nil {
		return claims.Assignment{}, fmt.Errorf("the assignment of %s: %w", a.User, err)
	}
	return claims.Assignment{
		Organization: string(a.Organization), Subject: string(a.User),
		Version: a.Version, Epoch: a.Epoch, Active: p.Active && !a.Deleted,
		Role: p.Role, Roles: p.Roles, Permissions: p.Permissions, Licenses: p.Licenses, Entitlements: p.Entitlements,
		UpdatedAt: a.UpdatedAt, Aliases: a.Aliases,
	}, nil
}
