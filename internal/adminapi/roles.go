package adminapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rolesync/rolesync/internal/admin"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/mapping"
)

func (h *Handler) roles(api huma.API) {
	register(h, api, operation{
		method: http.MethodGet, path: "/roles", id: "list-roles", tag: "roles",
		summary: "List the roles of the deployment", description: "Highest rank first, all at once. Every organization's rules may grant them.",
	}, func(ctx context.Context, by admin.Actor, _ *nothing) (*answer[list[mapping.Role]], error) {
		roles, err := h.Admin.Roles(ctx, by)
		return listOf(admin.List[mapping.Role]{Items: roles}, asItIs), err
	})

	type putInput struct {
		Key  mapping.RoleKey `path:"key" doc:"The key of the role: 1 to 64 of a-z, 0-9, _ and -." example:"billing"`
		Body struct {
			Key         mapping.RoleKey      `json:"key,omitempty" doc:"When it is there, the same as in the path."`
			Name        string               `json:"name" doc:"For people; 1 to 200 characters." example:"Billing"`
			Description string               `json:"description,omitempty" doc:"For people; at most 2000 characters."`
			Rank        int                  `json:"rank" doc:"Unique, 0 to 1000000: of several roles, the one of highest rank is the primary one." example:"40"`
			Permissions []mapping.Permission `json:"permissions,omitempty" nullable:"false" doc:"What it allows: resource:action." example:"[\"billing:view\"]"`
		} `nameHint:"RoleChange"`
	}
	register(h, api, operation{
		method: http.MethodPut, path: "/roles/{key}", id: "put-role", tag: "roles", problems: []int{http.StatusConflict},
		summary: "Create or change a role", description: "Everyone is evaluated again, in the background. Another role's rank is a 409.",
	}, func(ctx context.Context, by admin.Actor, in *putInput) (*answer[mapping.Role], error) {
		if in.Body.Key != "" && in.Body.Key != in.Key {
			return nil, fault.New(fault.Invalid, "key %s is not that of the path, %s; a key cannot be changed", quote(string(in.Body.Key)), quote(string(in.Key)))
		}
		role, err := h.Admin.PutRole(ctx, by, mapping.Role{
			Key: in.Key, Name: in.Body.Name, Description: in.Body.Description, Rank: in.Body.Rank, Permissions: in.Body.Permissions,
		})
		return reply(role), err
	})

	type deleteInput struct {
		Key mapping.RoleKey `path:"key" doc:"The key of a role."`
	}
	register(h, api, operation{
		method: http.MethodDelete, path: "/roles/{key}", id: "delete-role", tag: "roles", problems: []int{http.StatusNotFound, http.StatusConflict},
		summary: "Delete a role", description: "While rules of any organization refer to it that is a 409, which names them.",
	}, func(ctx context.Context, by admin.Actor, in *deleteInput) (*nothing, error) {
		return nil, h.Admin.DeleteRole(ctx, by, in.Key)
	})
}
