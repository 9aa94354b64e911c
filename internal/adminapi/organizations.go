package adminapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rolesync/rolesync/internal/admin"
	"github.com/rolesync/rolesync/internal/directory"
)

// Organization is a customer, as the API shows it.
type Organization struct {
	ID        directory.OrganizationID `json:"id" doc:"org_…"`
	Name      string                   `json:"name" doc:"For people; need not be unique."`
	CreatedAt time.Time                `json:"created_at" doc:"When it was created."`
}

func organizationOf(o directory.Organization) Organization {
	return Organization{o.ID, o.Name, o.CreatedAt}
}

func (h *Handler) organizations(api huma.API) {
	type createInput struct {
		Body struct {
			Name string `json:"name" doc:"For people; 1 to 200 characters, need not be unique." example:"Acme"`
		} `nameHint:"NewOrganization"`
	}
	register(h, api, operation{
		method: http.MethodPost, path: "/organizations", id: "create-organization", tag: "organizations", status: http.StatusCreated,
		summary: "Create an organization", description: "It begins without connections and with the empty rule set, version 0.",
	}, func(ctx context.Context, by admin.Actor, in *createInput) (*created[Organization], error) {
		o, err := h.Admin.CreateOrganization(ctx, by, in.Body.Name)
		return &created[Organization]{Base + "/organizations/" + string(o.ID), organizationOf(o)}, err
	})

	type listInput struct{ Paging }
	register(h, api, operation{
		method: http.MethodGet, path: "/organizations", id: "list-organizations", tag: "organizations",
		summary: "List organizations", description: "Oldest first.",
	}, func(ctx context.Context, by admin.Actor, in *listInput) (*answer[list[Organization]], error) {
		organizations, err := h.Admin.Organizations(ctx, by, in.page())
		return listOf(organizations, organizationOf), err
	})

	register(h, api, operation{
		method: http.MethodGet, path: "/organizations/{organization}", id: "get-organization", tag: "organizations",
		summary: "Get an organization", problems: []int{http.StatusNotFound},
	}, func(ctx context.Context, by admin.Actor, in *InOrganization) (*answer[Organization], error) {
		o, err := h.Admin.Organization(ctx, by, in.Organization)
		return reply(organizationOf(o)), err
	})

	const authority = "/organizations/{organization}/group-authority"
	register(h, api, operation{
		method: http.MethodGet, path: authority, id: "get-group-authority", tag: "organizations", problems: []int{http.StatusNotFound},
		summary: "See whose groups count", description: "Those that SCIM pushes, those that SAML logins state, or both.",
	}, func(ctx context.Context, by admin.Actor, in *InOrganization) (*answer[GroupAuthority], error) {
		a, err := h.Admin.GroupAuthority(ctx, by, in.Organization)
		return reply(authorityOf(a)), err
	})
	type authorityInput struct {
		InOrganization
		Body struct {
			Set directory.Authority `json:"set" enum:"auto,scim,saml,union" doc:"auto: SCIM's once a SCIM connection has pushed a group, until then SAML's; union: both."`
		} `nameHint:"GroupAuthorityChange"`
	}
	register(h, api, operation{
		method: http.MethodPut, path: authority, id: "set-group-authority", tag: "organizations", problems: []int{http.StatusNotFound},
		summary: "Choose whose groups count", description: "Everyone in the organization is evaluated again, if that makes a difference.",
	}, func(ctx context.Context, by admin.Actor, in *authorityInput) (*answer[GroupAuthority], error) {
		a, err := h.Admin.SetGroupAuthority(ctx, by, in.Organization, in.Body.Set)
		return reply(authorityOf(a)), err
	})
}

// GroupAuthority says whose groups count.
type GroupAuthority struct {
	Set       directory.Authority `json:"set" enum:"auto,scim,saml,union" doc:"What was chosen; auto at first."`
	Effective directory.Authority `json:"effective" enum:"scim,saml,union" doc:"What that means now."`
}

func authorityOf(a admin.GroupAuthority) GroupAuthority { return GroupAuthority{a.Set, a.InEffect()} }
