package sso

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
)

// CodeTime is how long a code can be exchanged.
const CodeTime = time.Minute

// Code is a fresh code, and what is to be stored of it.
type Code struct {
	Value     string // for the application; it is kept nowhere
	ID        string // its hash
	ExpiresAt time.Time

	grant grant
}

// grant is what a code, once it is exchanged, gives, and to whom.
type grant struct {
	Request
	Connection directory.ConnectionID `json:"connection"`
	User       directory.UserID       `json:"user"`
	Epoch      int64                  `json:"epoch"` // of the user's assignment at the login
}

// NewCode returns the code that answers a request, for somebody who signs in through a
// connection.
func (s *Service) NewCode(organization directory.OrganizationID, connection directory.ConnectionID, r Request) Code {
	var secret [32]byte
	_, _ = rand.Read(secret[:]) // never fails: crypto/rand crashes the program instead
	// The organization is in front, because codes are stored by organization.
	value := string(organization) + "." + base64.RawURLEncoding.EncodeToString(secret[:])
	return Code{
		Value: value, ID: codeID(value), ExpiresAt: s.now().Add(CodeTime),
		grant: grant{Request: r, Connection: connection},
	}
}

// Document is what is stored with the code once it is known who signed in. The epoch is
// that of the user's assignment: if it has risen when the code is exchanged, access has
// ended meanwhile.
func (c Code) Document(user directory.UserID, epoch int64) string {
	c.grant.User, c.grant.Epoch = user, epoch
	text, err := json.Marshal(c.grant)
	if err != nil {
		panic(err) // strings always marshal
	}
	return string(text)
}

func codeID(code string) string {
	digest := credential.Hash(code)
	return hex.EncodeToString(digest[:])
}

// take uses up a code that a client presents. There is one answer to what is no code, what
// was one, and one of another client or for another redirect URI. One that was sent to a
// redirect URI which is gone by now is not valid, either: others may read what is sent there.
func (s *Service) take(ctx context.Context, code string, client store.Application, redirectURI, verifier string) (directory.OrganizationID, grant, error) {
	name, _, _ := strings.Cut(code, ".")
	organization, err := directory.ParseOrganizationID(name)
	if err != nil || len(code) > 128 {
		return "", grant{}, invalidGrant("the code is not valid")
	}
	document, err := s.Store.TakeCode(ctx, organization, codeID(code), s.now())
	if fault.Is(err, fault.NotFound) {
		return "", grant{}, invalidGrant("the code is not valid: it is unknown, was used, or is older than a minute")
	}
	if err != nil {
		return "", grant{}, err
	}
	var g grant
	if err := json.Unmarshal([]byte(document), &g); err != nil {
		return "", grant{}, err
	}
	switch {
	case g.Client != client.ID:
		return "", grant{}, invalidGrant("the code was given to another client")
	case g.RedirectURI != redirectURI:
		return "", grant{}, invalidGrant("the redirect_uri is not the one that the code was sent to")
	case !slices.Contains(client.RedirectURIs, g.RedirectURI):
		return "", grant{}, invalidGrant("the redirect_uri is not registered any more")
	case g.Challenge == "" && verifier != "":
		return "", grant{}, invalidGrant("the login had no code_challenge, so there can be no code_verifier")
	case g.Challenge != "" && !answers(g.Challenge, verifier):
		return "", grant{}, invalidGrant("the code_verifier does not answer the code_challenge")
	}
	return organization, g, nil
}

// answers reports whether a verifier is that of a challenge (RFC 7636 §4.6).
func answers(challenge, verifier string) bool {
	if n := len(verifier); n < 43 || n > 128 {
		return false
	}
	hash := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(hash[:])), []byte(challenge)) == 1
}
