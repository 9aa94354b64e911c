package scim

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	elimity "github.com/elimity-com/scim/errors"
	"github.com/gorilla/mux"

	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/oauth"
	"github.com/rolesync/rolesync/internal/store"
)

// The token endpoint of a connection: OAuth 2.0 client credentials (RFC 6749 §4.4), for
// providers that ask for a token URL, a client id and a client secret instead of a
// token. A client authenticates by Basic or in the body (§2.3.1) and is given an opaque
// bearer token. There is one kind of access, so scope, like any parameter that is not
// known, is ignored (§3.2), and there are no refresh tokens (§4.4.3).

const (
	accessTokenTime = time.Hour
	maxAccessTokens = 20 // live ones of a client; the oldest ends
	maxTokenBody    = 64 // KiB
)

// accessToken is a successful answer (RFC 6749 §5.1).
type accessToken struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"` // seconds
}

// invalidClient is one answer to an unknown connection, an unknown client and a wrong
// secret.
func invalidClient() error {
	return oauth.New("invalid_client", "this needs the id and the secret of a client of this connection, by Basic or in the body", http.StatusUnauthorized)
}

// issueToken serves POST /scim/v2/{connection}/oauth/token.
func (h *Handler) issueToken(w http.ResponseWriter, r *http.Request) {
	c := &call{Request: r, w: w, handler: h}
	defer c.record()
	token, err := h.newAccessToken(c)
	if err != nil {
		h.failOAuth(c, err)
		return
	}
	oauth.Reply(w, http.StatusOK, token)
}

func (h *Handler) newAccessToken(c *call) (accessToken, error) {
	w, r := c.w, c.Request
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return accessToken{}, oauth.New("invalid_request", "only POST is possible here", http.StatusMethodNotAllowed)
	}
	form, err := oauth.ReadForm(w, r, maxTokenBody)
	if err == nil {
		err = oauth.NeedGrant(form, "client_credentials")
	}
	if err != nil {
		return accessToken{}, err
	}
	client, err := clientOf(r, form)
	if err != nil {
		return accessToken{}, err
	}
	connection, err := h.open(r, client)
	if fault.Is(err, fault.Unauthorized) {
		err = about{invalidClient(), scopeOf(err)}
	}
	if err == nil {
		c.connection = connection
	}
	if err == nil && connection.Disabled {
		err = oauth.New("unauthorized_client", "the connection is disabled: its users, groups and roles are frozen as they are", http.StatusBadRequest)
	}
	if err == nil {
		err = h.pace(w, r, connection)
	}
	if err != nil {
		return accessToken{}, err
	}
	return h.giveToken(r.Context(), connection, client.client)
}

// giveToken makes a token that ends no later than the client that it is for.
func (h *Handler) giveToken(ctx context.Context, c store.Connection, client string) (accessToken, error) {
	now := h.now()
	expires := now.Add(accessTokenTime)
	for _, known := range c.Clients {
		if end := known.ExpiresAt; known.ID == client && !end.IsZero() && end.Before(expires) {
			expires = end
		}
	}
	token, stored := credential.New(credential.AccessToken, now, expires)
	scope := store.Scope{Organization: c.Organization, Connection: c.ID}
	err := h.Store.Transact(ctx, scope, store.Facts, func(tx *store.Tx) error {
		tx.CreateAccessToken(client, stored, maxAccessTokens)
		return nil
	})
	if fault.Is(err, fault.NotFound) { // it was deleted meanwhile
		err = invalidClient()
	}
	return accessToken{token, "Bearer", int(expires.Sub(now) / time.Second)}, err
}

// clientOf returns the client's id and secret, from the one place where they are.
func clientOf(r *http.Request, form url.Values) (presented, error) {
	id, secret, err := oauth.Client(r, form, invalidClient())
	if err != nil {
		return presented{}, err
	}
	if _, err := directory.ParseClientID(id); err != nil {
		return presented{}, invalidClient()
	}
	return presented{id, credential.Hash(secret)}, nil
}

// failOAuth answers with an error. What is our own failure is logged here, once; its
// text does not leave.
func (h *Handler) failOAuth(c *call, err error) {
	w, r := c.w, c.Request
	e, ok := errors.AsType[oauth.Error](err)
	if !ok {
		e = oauth.New("server_error", "an internal error occurred", http.StatusInternalServerError)
		// These two are no codes of §5.2, which has none for them.
		switch kind, message := fault.Public(err); kind {
		case fault.TooMany:
			e = oauth.New("temporarily_unavailable", message, http.StatusTooManyRequests)
		case fault.Unavailable:
			e = oauth.New("temporarily_unavailable", "try again later", http.StatusServiceUnavailable)
		}
	}
	switch {
	case e.Status == http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Basic realm="SCIM"`)
	case e.Status == http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1")
	}
	if e.Status >= 500 && r.Context().Err() == nil {
		h.Log.ErrorContext(r.Context(), "access token not issued", "error", err, "status", e.Status,
			"connection", mux.Vars(r)["connection"], "request", h.requestID(r.Context()))
	}
	c.fails(elimity.ScimError{Status: e.Status, ScimType: elimity.ScimType(e.Code), Detail: e.Description}, err)
	oauth.Reply(w, e.Status, e)
}
