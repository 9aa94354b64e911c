package adminapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rolesync/rolesync/internal/admin"
)

// Client is what is known of an OAuth client of a connection, which is not its secret.
type Client struct {
	ID        string    `json:"client_id" doc:"cli_…"`
	LastFour  string    `json:"last_four" doc:"The end of the secret, to tell it from others."`
	CreatedAt time.Time `json:"created_at" doc:"When it was made."`
	ExpiresAt time.Time `json:"expires_at,omitzero" doc:"When it ends; absent: never."`
	LastUsed  time.Time `json:"last_used_at,omitzero" doc:"When it was given a token last; absent: never."`
}

func clientOf(c admin.Client) Client {
	return Client{c.ID, c.LastFour, c.CreatedAt, c.ExpiresAt, c.LastUsedAt}
}

// CreatedClient is a new client with its secret.
type CreatedClient struct {
	Client
	Secret   string `json:"client_secret" doc:"Its secret, rs_client_…: shown here and never again."`
	TokenURL string `json:"token_url" doc:"Where the identity provider gets its tokens (OAuth 2.0 client credentials, RFC 6749 §4.4)."`
	SCIMURL  string `json:"scim_url" doc:"What the identity provider is given as base URL."`
}

func (h *Handler) clients(api huma.API) {
	const path = "/organizations/{organization}/connections/{connection}/clients"
	absent := []int{http.StatusNotFound}

	type createInput struct {
		InConnection
		Body *struct {
			ExpiresAt time.Time `json:"expires_at,omitzero" doc:"When the client ends, and its tokens with it; without it, never."`
		} `nameHint:"NewClient"`
	}
	register(h, api, operation{
		method: http.MethodPost, path: path, id: "create-client", tag: "clients", status: http.StatusCreated, problems: absent,
		summary:     "Make a new OAuth client of a connection",
		description: "The newest two clients stay valid, so that the new one can be put into the identity provider while the old one still works; older ones end at once. The secret is shown only here.",
	}, func(ctx context.Context, by admin.Actor, in *createInput) (*answer[CreatedClient], error) {
		var expires time.Time
		if in.Body != nil {
			expires = in.Body.ExpiresAt
		}
		client, secret, err := h.Admin.CreateClient(ctx, by, in.Organization, in.Connection, expires)
		url := h.SCIMURL(in.Connection)
		return reply(CreatedClient{clientOf(client), secret, url + "/oauth/token", url}), err
	})

	register(h, api, operation{
		method: http.MethodGet, path: path, id: "list-clients", tag: "clients", problems: absent,
		summary: "List the OAuth clients of a connection", description: "Oldest first. Expired ones are listed until they are replaced or deleted.",
	}, func(ctx context.Context, by admin.Actor, in *InConnection) (*answer[list[Client]], error) {
		c, err := h.Admin.Connection(ctx, by, in.Organization, in.Connection)
		return listOf(admin.List[admin.Client]{Items: c.Clients}, clientOf), err
	})

	type deleteInput struct {
		InConnection
		Client string `path:"client" doc:"The id of a client, cli_…"`
	}
	register(h, api, operation{
		method: http.MethodDelete, path: path + "/{client}", id: "delete-client", tag: "clients", problems: absent,
		summary: "End an OAuth client", description: "At once, and with it the tokens that it was given.",
	}, func(ctx context.Context, by admin.Actor, in *deleteInput) (*nothing, error) {
		return nil, h.Admin.DeleteClient(ctx, by, in.Organization, in.Connection, in.Client)
	})
}
