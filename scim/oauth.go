package scim

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"time"

	elimity "github.com/elimity-com/scim/errors"
	"github.com/gorilla/mux"

	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
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
	maxTokenBody    = 64 << 10
)

// accessToken is a successful answer (RFC 6749 §5.1).
type accessToken struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"` // seconds
}

// oauthError is an unsuccessful one (RFC 6749 §5.2). Its description is ASCII without
// quotes and backslashes, as the RFC has it.
type oauthError struct {
	Code        string `json:"error"`
	Description string `json:"error_description"`

	status int
}

func (e oauthError) Error() string { return e.Code + ": " + e.Description }

func invalidRequest(description string) error {
	return oauthError{"invalid_request", description, http.StatusBadRequest}
}

// invalidClient is one answer to an unknown connection, an unknown client and a wrong
// secret.
func invalidClient() error {
	return oauthError{"invalid_client", "this needs the id and the secret of a client of this connection, by Basic or in the body", http.StatusUnauthorized}
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
	replyOAuth(w, http.StatusOK, token)
}

func (h *Handler) newAccessToken(c *call) (accessToken, error) {
	w, r := c.w, c.Request
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return accessToken{}, oauthError{"invalid_request", "only POST is possible here", http.StatusMethodNotAllowed}
	}
	form, err := readForm(w, r)
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
		err = oauthError{"unauthorized_client", "the connection is disabled: its users, groups and roles are frozen as they are", http.StatusBadRequest}
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

// readForm reads the parameters. One without a value is as if it were not there
// (RFC 6749 §3.2); none may come twice, nor in the URL, where logs would show it.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	if r.URL.RawQuery != "" {
		return nil, invalidRequest("parameters belong into the body, not into the URL")
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, invalidRequest("the Content-Type is not application/x-www-form-urlencoded")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxTokenBody))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, oauthError{"invalid_request", "the body is larger than 64 KiB", http.StatusRequestEntityTooLarge}
	}
	if err != nil {
		return nil, invalidRequest("the body could not be read to its end")
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, invalidRequest("the body is not in the form application/x-www-form-urlencoded")
	}
	for name, values := range form {
		if len(values) > 1 {
			return nil, invalidRequest("the parameter " + shown(name) + " is repeated")
		}
	}
	switch grant := form.Get("grant_type"); grant {
	case "":
		return nil, invalidRequest("the parameter grant_type is missing; it is client_credentials")
	case "client_credentials":
		return form, nil
	default:
		return nil, oauthError{"unsupported_grant_type", "the grant_type " + shown(grant) + " is not supported; it is client_credentials", http.StatusBadRequest}
	}
}

// clientOf returns the client's id and secret, from the one place where they are.
func clientOf(r *http.Request, form url.Values) (presented, error) {
	id, secret := form.Get("client_id"), form.Get("client_secret")
	switch headers := r.Header.Values("Authorization"); {
	case len(headers) > 1, len(headers) == 1 && secret != "":
		return presented{}, invalidRequest("the client authenticates in more than one way; do so by Basic or in the body")
	case len(headers) == 1:
		// Both are form-encoded before they are joined (RFC 6749 §2.3.1). Ours have no
		// sign that this would change, so clients that forget it are understood.
		name, password, basic := r.BasicAuth()
		name, nameErr := url.QueryUnescape(name)
		password, passwordErr := url.QueryUnescape(password)
		if !basic || nameErr != nil || passwordErr != nil {
			return presented{}, invalidClient()
		}
		if id != "" && id != name {
			return presented{}, invalidRequest("the parameter client_id is another than that of Basic")
		}
		id, secret = name, password
	}
	if _, err := directory.ParseClientID(id); err != nil || secret == "" {
		return presented{}, invalidClient()
	}
	return presented{id, credential.Hash(secret)}, nil
}

// failOAuth answers with an error. What is our own failure is logged here, once; its
// text does not leave.
func (h *Handler) failOAuth(c *call, err error) {
	w, r := c.w, c.Request
	e, ok := errors.AsType[oauthError](err)
	if !ok {
		e = oauthError{"server_error", "an internal error occurred", http.StatusInternalServerError}
		// These two are no codes of §5.2, which has none for them.
		switch kind, message := fault.Public(err); kind {
		case fault.TooMany:
			e = oauthError{"temporarily_unavailable", message, http.StatusTooManyRequests}
		case fault.Unavailable:
			e = oauthError{"temporarily_unavailable", "try again later", http.StatusServiceUnavailable}
		}
	}
	switch {
	case e.status == http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Basic realm="SCIM"`)
	case e.status == http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1")
	}
	if e.status >= 500 && r.Context().Err() == nil {
		h.Log.ErrorContext(r.Context(), "access token not issued", "error", err, "status", e.status,
			"connection", mux.Vars(r)["connection"], "request", h.requestID(r.Context()))
	}
	c.fails(elimity.ScimError{Status: e.status, ScimType: elimity.ScimType(e.Code), Detail: e.Description}, err)
	replyOAuth(w, e.status, e)
}

// replyOAuth answers with JSON that no cache may keep (RFC 6749 §5.1).
func replyOAuth(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that is gone needs no answer
}

var plain = regexp.MustCompile(`^[A-Za-z0-9_.:/-]{1,64}$`)

// shown returns a value from outside as a description may hold it.
func shown(value string) string {
	if !plain.MatchString(value) {
		return "that was sent"
	}
	return value
}
