package adminapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rolesync/rolesync/internal/admin"
)

// Token is what is known of a connection's token, which is not the token itself.
type Token struct {
	ID        string    `json:"id" doc:"key_…"`
	LastFour  string    `json:"last_four" doc:"The end of the token, to tell it from others."`
	CreatedAt time.Time `json:"created_at" doc:"When it was made."`
	ExpiresAt time.Time `json:"expires_at,omitzero" doc:"When it ends; absent: never."`
	LastUsed  time.Time `json:"last_used_at,omitzero" doc:"When the identity provider used it last, to the minute; absent: never."`
}

func tokenOf(s admin.Token) Token {
	return Token{s.ID, s.LastFour, s.CreatedAt, s.ExpiresAt, s.LastUsedAt}
}

func tokensOf(stored []admin.Token) []Token {
	tokens := make([]Token, len(stored))
	for i, s := range stored {
		tokens[i] = tokenOf(s)
	}
	return tokens
}

// CreatedToken is a new token.
type CreatedToken struct {
	Token
	Secret  string `json:"token" doc:"The bearer token, rs_scim_…: shown here and never again."`
	SCIMURL string `json:"scim_url" doc:"What the identity provider is given as base URL."`
}

func (h *Handler) tokens(api huma.API) {
	const path = "/organizations/{organization}/connections/{connection}/tokens"
	absent := []int{http.StatusNotFound}

	type rotateInput struct {
		InConnection
		Body *struct {
			ExpiresAt time.Time `json:"expires_at,omitzero" doc:"When the token ends; without it, never."`
		} `nameHint:"NewToken"`
	}
	register(h, api, operation{
		method: http.MethodPost, path: path, id: "rotate-token", tag: "tokens", status: http.StatusCreated, problems: absent,
		summary:     "Make a new token of a connection",
		description: "The newest two tokens stay valid, so that the new one can be put into the identity provider while the old one still works; older ones end at once. The token is shown only here.",
	}, func(ctx context.Context, by admin.Actor, in *rotateInput) (*answer[CreatedToken], error) {
		var expires time.Time
		if in.Body != nil {
			expires = in.Body.ExpiresAt
		}
		stored, token, err := h.Admin.RotateToken(ctx, by, in.Organization, in.Connection, expires)
		return reply(CreatedToken{tokenOf(stored), token, h.SCIMURL(in.Connection)}), err
	})

	register(h, api, operation{
		method: http.MethodGet, path: path, id: "list-tokens", tag: "tokens", problems: absent,
		summary: "List the tokens of a connection", description: "Oldest first. Expired ones are listed until they are replaced or deleted.",
	}, func(ctx context.Context, by admin.Actor, in *InConnection) (*answer[list[Token]], error) {
		c, err := h.Admin.Connection(ctx, by, in.Organization, in.Connection)
		return listOf(admin.List[admin.Token]{Items: c.Tokens}, tokenOf), err
	})

	type deleteInput struct {
		InConnection
		Token string `path:"token" doc:"The id of a token, key_…"`
	}
	register(h, api, operation{
		method: http.MethodDelete, path: path + "/{token}", id: "delete-token", tag: "tokens", problems: absent,
		summary: "End a token", description: "At once. Without any token the identity provider is locked out until one is made.",
	}, func(ctx context.Context, by admin.Actor, in *deleteInput) (*nothing, error) {
		return nil, h.Admin.DeleteToken(ctx, by, in.Organization, in.Connection, in.Token)
	})
}
