package adminapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rolesync/rolesync/internal/admin"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/mapping"
)

// Group is a group that a connection has brought, and what the rules make of it.
type Group struct {
	ID          directory.GroupID      `json:"id" doc:"grp_…"`
	Connection  directory.ConnectionID `json:"connection" doc:"The connection that brought it: by SCIM, or in an assertion of SAML."`
	DisplayName string                 `json:"display_name" doc:"Its name, as the identity provider has it."`
	ExternalID  string                 `json:"external_id,omitempty" doc:"The identity provider's own id of it."`
	Members     int                    `json:"members" doc:"How many users are in it, without pending members and those of nested groups."`
	Mapped      bool                   `json:"mapped" doc:"Whether any rule matches it."`
	Rules       []mapping.RuleID       `json:"rules" nullable:"false" doc:"The rules that match it, sorted; paused ones do not."`
	Roles       []mapping.RoleKey      `json:"roles" nullable:"false" doc:"The roles that these grant, highest rank first."`
	Permissions []mapping.Permission   `json:"permissions" nullable:"false" doc:"The permissions that these grant beside roles, sorted."`
	CreatedAt   time.Time              `json:"created_at" doc:"When it was brought first."`
	ModifiedAt  time.Time              `json:"modified_at" doc:"When it, or who is in it, was changed last."`
}

func groupOf(g admin.SeenGroup) Group {
	return Group{
		ID: g.ID, Connection: g.Connection, DisplayName: g.DisplayName, ExternalID: g.ExternalID, Members: g.Members,
		Mapped: len(g.Rules) > 0, Rules: g.Rules, Roles: g.Roles, Permissions: g.Permissions,
		CreatedAt: g.CreatedAt, ModifiedAt: g.ModifiedAt,
	}
}

func (h *Handler) groups(api huma.API) {
	type listInput struct {
		InOrganization
		Paging
	}
	register(h, api, operation{
		method: http.MethodGet, path: "/organizations/{organization}/groups", id: "list-groups", tag: "groups", problems: []int{http.StatusNotFound},
		summary:     "List the groups seen",
		description: "All groups that the connections of the organization have brought, pushed by SCIM or stated in logins by SAML, oldest first, each with the rules that match it and what they give for being in this group alone.",
	}, func(ctx context.Context, by admin.Actor, in *listInput) (*answer[list[Group]], error) {
		groups, err := h.Admin.Groups(ctx, by, in.Organization, in.page())
		return listOf(groups, groupOf), err
	})
}
