package adminapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rolesync/rolesync/internal/admin"
)

// AdminKey is what is known of an admin key, which is not the key itself.
type AdminKey struct {
	ID        string    `json:"id" doc:"key_…; the audit names the actor by it."`
	Name      string    `json:"name" doc:"For people."`
	LastFour  string    `json:"last_four" doc:"The end of the key, to tell it from others."`
	CreatedAt time.Time `json:"created_at" doc:"When it was made."`
	ExpiresAt time.Time `json:"expires_at,omitzero" doc:"When it ends; absent: never."`
}

func adminKeyOf(k admin.AdminKey) AdminKey {
	return AdminKey{k.ID, k.Name, k.LastFour, k.CreatedAt, k.ExpiresAt}
}

// CreatedAdminKey is a new admin key.
type CreatedAdminKey struct {
	AdminKey
	Key string `json:"key" doc:"The admin key, rs_admin_…: shown here and never again."`
}

func (h *Handler) adminKeys(api huma.API) {
	const tag = "admin keys"
	type createInput struct {
		Body struct {
			Name      string    `json:"name" doc:"For people; 1 to 200 characters." example:"terraform"`
			ExpiresAt time.Time `json:"expires_at,omitzero" doc:"When the key ends; without it, never."`
		} `nameHint:"NewAdminKey"`
	}
	register(h, api, operation{
		method: http.MethodPost, path: "/admin-keys", id: "create-admin-key", tag: tag, status: http.StatusCreated,
		summary: "Create an admin key", description: "It may do all that this API offers. It is shown only here.",
	}, func(ctx context.Context, by admin.Actor, in *createInput) (*answer[CreatedAdminKey], error) {
		stored, key, err := h.Admin.CreateAdminKey(ctx, by, in.Body.Name, in.Body.ExpiresAt)
		return reply(CreatedAdminKey{adminKeyOf(stored), key}), err
	})

	register(h, api, operation{
		method: http.MethodGet, path: "/admin-keys", id: "list-admin-keys", tag: tag,
		summary: "List the admin keys", description: "Oldest first, all at once, expired ones too.",
	}, func(ctx context.Context, by admin.Actor, _ *nothing) (*answer[list[AdminKey]], error) {
		keys, err := h.Admin.AdminKeys(ctx, by)
		return listOf(admin.List[admin.AdminKey]{Items: keys}, adminKeyOf), err
	})

	type deleteInput struct {
		Key string `path:"key" doc:"The id of an admin key, key_…"`
	}
	register(h, api, operation{
		method: http.MethodDelete, path: "/admin-keys/{key}", id: "delete-admin-key", tag: tag, problems: []int{http.StatusNotFound},
		summary: "End an admin key", description: "Also the one that asks. It takes effect at once in the process that answers, and within two seconds in others.",
	}, func(ctx context.Context, by admin.Actor, in *deleteInput) (*nothing, error) {
		return nil, h.Admin.DeleteAdminKey(ctx, by, in.Key)
	})
}
