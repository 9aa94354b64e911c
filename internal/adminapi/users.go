package adminapi

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rolesync/rolesync/internal/admin"
	"github.com/rolesync/rolesync/internal/directory"
)

// User is a person as a connection states them.
type User struct {
	ID          directory.UserID       `json:"id" doc:"usr_…; the subject in Redis."`
	Connection  directory.ConnectionID `json:"connection" doc:"The connection that the user belongs to."`
	UserName    string                 `json:"user_name" doc:"Unique in the organization, without regard to case."`
	DisplayName string                 `json:"display_name,omitempty" doc:"For people."`
	Email       string                 `json:"email,omitempty" doc:"The primary e-mail address."`
	ExternalID  string                 `json:"external_id,omitempty" doc:"The identity provider's own id of the user."`
	Active      bool                   `json:"active" doc:"Whether the user may have anything at all."`
	CreatedAt   time.Time              `json:"created_at" doc:"When the user was brought first."`
	ModifiedAt  time.Time              `json:"modified_at" doc:"When the user was changed last."`
	Resource    json.RawMessage        `json:"resource,omitempty" doc:"The SCIM resource as it is stored, with all that SCIM does not show; only when one user is asked for."`
}

func userOf(u directory.User) User {
	return User{
		ID: u.ID, Connection: u.Connection, UserName: u.UserName, DisplayName: u.DisplayName, Email: u.Email,
		ExternalID: u.ExternalID, Active: u.Active, CreatedAt: u.CreatedAt, ModifiedAt: u.ModifiedAt,
	}
}

// InUser is the path of what belongs to a user.
type InUser struct {
	InOrganization
	User string `path:"user" doc:"The id of a user, usr_…, or exactly the userName, e-mail or externalId of one." example:"anna@example.com"`
}

func (h *Handler) users(api huma.API) {
	const path = "/organizations/{organization}/users"
	ambiguous := []int{http.StatusNotFound, http.StatusConflict}

	type listInput struct {
		InOrganization
		UserName string `query:"user_name" doc:"Only the user of this name, without regard to case."`
		Q        string `query:"q" doc:"Only users of whom this is exactly the id, userName, e-mail or externalId."`
		Paging
	}
	register(h, api, operation{
		method: http.MethodGet, path: path, id: "list-users", tag: "users", problems: []int{http.StatusNotFound},
		summary: "List users", description: "Those of all connections of the organization, oldest first.",
	}, func(ctx context.Context, by admin.Actor, in *listInput) (*answer[list[User]], error) {
		users, err := h.Admin.Users(ctx, by, in.Organization, admin.UserFilter{UserName: in.UserName, Name: in.Q}, in.page())
		return listOf(users, userOf), err
	})

	register(h, api, operation{
		method: http.MethodGet, path: path + "/{user}", id: "get-user", tag: "users", problems: ambiguous,
		summary: "Get a user", description: "A name that several users have is a 409.",
	}, func(ctx context.Context, by admin.Actor, in *InUser) (*answer[User], error) {
		u, err := h.Admin.User(ctx, by, in.Organization, in.User)
		user := userOf(u)
		user.Resource = u.Resource
		return reply(user), err
	})

	register(h, api, operation{
		method: http.MethodGet, path: path + "/{user}/assignment", id: "get-assignment", tag: "users", problems: ambiguous,
		summary:     "Get what a user has, and why",
		description: "What is in force, how much of it is in Redis, and the evaluation behind it with its reasons. A deleted user is found by id: deleted is true, and there is nothing.",
	}, func(ctx context.Context, by admin.Actor, in *InUser) (*answer[Assignment], error) {
		a, err := h.Admin.Assignment(ctx, by, in.Organization, in.User)
		return reply(assignmentOf(a)), err
	})
}
