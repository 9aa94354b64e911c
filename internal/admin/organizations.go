package admin

import (
	"context"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
)

// CreateOrganization adds a customer, with no connection and no rules. Names need not
// be unique: the id is what tells two apart.
func (s *Service) CreateOrganization(ctx context.Context, by Actor, name string) (directory.Organization, error) {
	name, err := line("name", name, MaxName)
	if err != nil {
		return directory.Organization{}, err
	}
	o := directory.Organization{ID: directory.NewOrganizationID(), Name: name, CreatedAt: s.now()}
	err = s.Store.Transact(ctx, store.Scope{Organization: o.ID}, store.Facts, func(tx *store.Tx) error {
		tx.CreateOrganization(o)
		return record(tx, by, o.CreatedAt, "organization.created", string(o.ID), map[string]any{"name": o.Name})
	})
	return o, err
}

// Organizations lists the customers, oldest first.
func (s *Service) Organizations(ctx context.Context, _ Actor, page Page) (List[directory.Organization], error) {
	cursor, err := after(page, directory.ParseOrganizationID)
	if err != nil {
		return List[directory.Organization]{}, err
	}
	organizations, err := s.Store.Organizations(ctx, cursor, page.limit()+1)
	return cut(organizations, page.limit(), func(o directory.Organization) string { return string(o.ID) }), err
}

// Organization returns one customer.
func (s *Service) Organization(ctx context.Context, _ Actor, id directory.OrganizationID) (directory.Organization, error) {
	return s.Store.Organization(ctx, id)
}

// GroupAuthority says whose groups count in an organization.
func (s *Service) GroupAuthority(ctx context.Context, _ Actor, organization directory.OrganizationID) (GroupAuthority, error) {
	return s.Store.GroupAuthority(ctx, organization)
}

// SetGroupAuthority chooses whose groups count. Everyone is evaluated again, if that makes
// a difference.
func (s *Service) SetGroupAuthority(ctx context.Context, by Actor, organization directory.OrganizationID, authority directory.Authority) (GroupAuthority, error) {
	if err := s.Engine.SetAuthority(ctx, by.author(organization), authority); err != nil {
		return GroupAuthority{}, err
	}
	return s.GroupAuthority(ctx, by, organization)
}

// known is a NotFound fault when there is no such organization: lists of an unknown
// organization are not empty, they do not exist.
func (s *Service) known(ctx context.Context, organization directory.OrganizationID) error {
	_, err := s.Store.Organization(ctx, organization)
	return err
}
