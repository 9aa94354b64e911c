package sso

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/oauth"
)

// TokenTime is how long an access token opens /sso/userinfo.
const TokenTime = 10 * time.Minute

// tokenPrefix lets a secret scanner, and a person, tell what was leaked.
const tokenPrefix = "rs_sso_"

// sealContext keeps what was sealed for something else from being a token.
const sealContext = "sso access token"

// maxToken bounds what is opened, in bytes.
const maxToken = 1 << 10

// access is what is sealed into an access token.
type access struct {
	Client       string                   `json:"c"`
	Organization directory.OrganizationID `json:"o"`
	Connection   directory.ConnectionID   `json:"n"`
	User         directory.UserID         `json:"u"`
	Epoch        int64                    `json:"e"`
	Expires      int64                    `json:"x"` // Unix seconds
}

// tokenAnswer is a successful answer of the token endpoint (RFC 6749 §5.1).
type tokenAnswer struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"` // seconds
	Person
}

// give answers an exchange with the person and a token for asking again.
func (s *Service) give(client string, organization directory.OrganizationID, connection directory.ConnectionID, p Person) (tokenAnswer, error) {
	if err := s.Sealer.Ready(); err != nil {
		return tokenAnswer{}, err
	}
	text, err := json.Marshal(access{client, organization, connection, p.Profile.Sub, p.Assignment.Epoch, s.now().Add(TokenTime).Unix()})
	if err != nil {
		return tokenAnswer{}, err
	}
	token := tokenPrefix + base64.RawURLEncoding.EncodeToString(s.Sealer.Seal(text, sealContext))
	return tokenAnswer{token, "Bearer", int(TokenTime / time.Second), p}, nil
}

// userinfo serves GET /sso/userinfo: the person as the database has it now.
func (s *Service) userinfo(_ http.ResponseWriter, r *http.Request) (any, error) {
	token := bearer(r)
	if token == "" {
		// Without a token there is nothing to say about it (RFC 6750 §3.1).
		return nil, oauth.New("", "this needs an access token of /sso/token", http.StatusUnauthorized)
	}
	a, ok := s.open(token)
	if !ok {
		return nil, invalidToken()
	}
	_, err := s.application(r.Context(), a.Client)
	if fault.Is(err, fault.NotFound) { // it was deleted meanwhile
		return nil, invalidToken()
	}
	if err != nil {
		return nil, err
	}
	person, err := s.person(r.Context(), a.Organization, a.User, a.Connection)
	if fault.Is(err, fault.NotFound) || err == nil && !person.allowed(a.Epoch) {
		return nil, invalidToken()
	}
	if err != nil {
		return nil, err
	}
	return person, nil
}

// bearer returns the token of the one Authorization header; "" when there is none.
func bearer(r *http.Request) string {
	headers := r.Header.Values("Authorization")
	if len(headers) != 1 {
		return ""
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// open returns what a token says, if it is one of ours and has not expired.
func (s *Service) open(token string) (a access, ok bool) {
	encoded, ours := strings.CutPrefix(token, tokenPrefix)
	if !ours || len(token) > maxToken {
		return a, false
	}
	sealed, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return a, false
	}
	text, err := s.Sealer.Open(sealed, sealContext)
	if err != nil || json.Unmarshal(text, &a) != nil {
		return a, false
	}
	return a, s.now().Before(time.Unix(a.Expires, 0))
}
