package sso

import (
	"net/http"
	"net/url"

	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/oauth"
	"github.com/rolesync/rolesync/internal/store"
)

const maxTokenBody = 16 // KiB

// exchange serves POST /sso/token: a code for the person behind it (RFC 6749 §4.1.3).
func (s *Service) exchange(w http.ResponseWriter, r *http.Request) (any, error) {
	form, err := oauth.ReadForm(w, r, maxTokenBody)
	if err != nil {
		return nil, err
	}
	client, err := s.authenticate(r, form)
	if err != nil {
		return nil, err
	}
	if err := oauth.NeedGrant(form, "authorization_code"); err != nil {
		return nil, err
	}
	code := form.Get("code")
	if code == "" {
		return nil, oauth.InvalidRequest("the parameter code is missing")
	}
	// From here on the code is used up, whatever is wrong with the rest.
	organization, g, err := s.take(r.Context(), code, client, form.Get("redirect_uri"), form.Get("code_verifier"))
	if err != nil {
		return nil, err
	}
	person, err := s.person(r.Context(), organization, g.User, g.Connection)
	if fault.Is(err, fault.NotFound) || err == nil && !person.allowed(g.Epoch) {
		return nil, invalidGrant("the person's access has ended")
	}
	if err != nil {
		return nil, err
	}
	return s.give(client.ID, organization, g.Connection, person)
}

// authenticate returns the application that presents its secret, by Basic or in the body
// (RFC 6749 §2.3.1).
func (s *Service) authenticate(r *http.Request, form url.Values) (store.Application, error) {
	var none store.Application
	id, secret, err := oauth.Client(r, form, invalidClient())
	if err != nil {
		return none, err
	}
	application, err := s.application(r.Context(), id)
	if fault.Is(err, fault.NotFound) {
		return none, invalidClient()
	}
	if err != nil {
		return none, err
	}
	digest, now, opens := credential.Hash(secret), s.now(), false
	for _, known := range application.Secrets {
		if known.MatchesDigest(digest, now) {
			opens = true // and the others are compared all the same
		}
	}
	if !opens {
		return none, invalidClient()
	}
	return application, nil
}
