package sso

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"

	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
)

const maxTokenBody = 16 << 10

// exchange serves POST /sso/token: a code for the person behind it (RFC 6749 §4.1.3).
func (s *Service) exchange(w http.ResponseWriter, r *http.Request) (any, error) {
	form, err := readForm(w, r)
	if err != nil {
		return nil, err
	}
	client, err := s.authenticate(r, form)
	if err != nil {
		return nil, err
	}
	switch grant := form.Get("grant_type"); grant {
	case "authorization_code":
	case "":
		return nil, invalidRequest("the parameter grant_type is missing; it is authorization_code")
	default:
		return nil, oauthError{"unsupported_grant_type", "the grant_type " + shown(grant) + " is not supported; it is authorization_code", http.StatusBadRequest}
	}
	code := form.Get("code")
	if code == "" {
		return nil, invalidRequest("the parameter code is missing")
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
		return nil, oauthError{"invalid_request", "the body is larger than 16 KiB", http.StatusRequestEntityTooLarge}
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
	return form, nil
}

// authenticate returns the application that presents its secret, by Basic or in the body
// (RFC 6749 §2.3.1).
func (s *Service) authenticate(r *http.Request, form url.Values) (store.Application, error) {
	var none store.Application
	id, secret := form.Get("client_id"), form.Get("client_secret")
	switch headers := r.Header.Values("Authorization"); {
	case len(headers) > 1, len(headers) == 1 && secret != "":
		return none, invalidRequest("the client authenticates in more than one way; do so by Basic or in the body")
	case len(headers) == 1:
		// Both are form-encoded before they are joined. Ours have no sign that this would
		// change, so clients that forget it are understood.
		name, password, basic := r.BasicAuth()
		name, nameErr := url.QueryUnescape(name)
		password, passwordErr := url.QueryUnescape(password)
		if !basic || nameErr != nil || passwordErr != nil {
			return none, invalidClient()
		}
		if id != "" && id != name {
			return none, invalidRequest("the parameter client_id is another than that of Basic")
		}
		id, secret = name, password
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

var plain = regexp.MustCompile(`^[A-Za-z0-9_.:/-]{1,64}$`)

// shown returns a value from outside as a description may hold it.
func shown(value string) string {
	if !plain.MatchString(value) {
		return "that was sent"
	}
	return value
}
