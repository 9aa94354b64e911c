package admin

import (
	"context"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
)

// UserFilter selects users; what is empty asks for nothing.
type UserFilter struct {
	UserName string // without regard to case
	Name     string // exactly an id, userName, e-mail or externalId
}

// Users lists the users of all connections of an organization, oldest first.
func (s *Service) Users(ctx context.Context, _ Actor, organization directory.OrganizationID, filter UserFilter, page Page) (List[directory.User], error) {
	var none List[directory.User]
	cursor, err := after(page, directory.ParseUserID)
	if err != nil {
		return none, err
	}
	if err := s.known(ctx, organization); err != nil {
		return none, err
	}
	if !storable(filter.UserName) || !storable(filter.Name) {
		return List[directory.User]{Items: []directory.User{}}, nil
	}
	users, err := s.Store.SearchUsers(ctx, store.UserSearch{
		Organization: organization, UserName: filter.UserName, Name: filter.Name, After: cursor, Limit: page.limit() + 1,
	})
	return cut(users, page.limit(), func(u directory.User) string { return string(u.ID) }), err
}

// User returns one user of an organization by id, or by userName, e-mail or externalId
// when only one user has it; otherwise that is a Conflict.
func (s *Service) User(ctx context.Context, _ Actor, organization directory.OrganizationID, name string) (directory.User, error) {
	if id, err := directory.ParseUserID(name); err == nil {
		return s.Store.AnyUser(ctx, organization, id)
	}
	if !storable(name) {
		return directory.User{}, fault.New(fault.NotFound, "there is no user %q", first(name))
	}
	return s.Store.UserByAlias(ctx, organization, name)
}
