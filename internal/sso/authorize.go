package sso

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rolesync/rolesync/internal/fault"
)

// Request is an authorization request that was found to be in order: who asked, and where
// the answer goes.
type Request struct {
	Client      string `json:"client"`
	RedirectURI string `json:"redirect_uri"` // one that is registered
	State       string `json:"state,omitempty"`
	// Challenge is the code challenge of PKCE, by S256. "": the login began at the identity
	// provider, nobody has asked.
	Challenge string `json:"challenge,omitempty"`
}

// Bounds of an authorization request, in bytes.
const (
	maxState       = 1 << 10
	challengeBytes = 43 // base64url of a SHA-256
)

// RequestError is an authorization request that was refused.
type RequestError struct {
	Code        string // of RFC 6749 §4.1.2.1
	Description string // what is wrong, for whoever wrote the application

	// Redirect is where the browser goes with it. "": nowhere, for who asked is not known.
	Redirect string
}

func (e *RequestError) Error() string { return e.Code + ": " + e.Description }

// Authorize checks the parameters of an authorization request. Its error is a
// *RequestError, or one of the store.
func (s *Service) Authorize(ctx context.Context, parameters url.Values) (Request, error) {
	refuse := func(format string, args ...any) error {
		return &RequestError{Code: "invalid_request", Description: fault.New(fault.Invalid, format, args...).Message}
	}
	for _, name := range []string{"client_id", "redirect_uri"} {
		switch values := parameters[name]; {
		case len(values) == 0 || values[0] == "":
			return Request{}, refuse("the parameter %s is missing", name)
		case len(values) > 1:
			return Request{}, refuse("the parameter %s is repeated", name)
		}
	}
	r := Request{Client: parameters.Get("client_id"), RedirectURI: parameters.Get("redirect_uri")}
	application, err := s.application(ctx, r.Client)
	if fault.Is(err, fault.NotFound) {
		return Request{}, refuse("there is no application %s", quote(r.Client))
	}
	if err != nil {
		return Request{}, err
	}
	if !slices.Contains(application.RedirectURIs, r.RedirectURI) {
		return Request{}, refuse("the redirect_uri %s is not registered for the application %s", quote(r.RedirectURI), r.Client)
	}
	return s.asked(r, parameters)
}

// asked reads the rest of a request. What is wrong with it is told to the application.
func (s *Service) asked(r Request, parameters url.Values) (Request, error) {
	refuse := func(code, format string, args ...any) (Request, error) {
		e := &RequestError{Code: code, Description: fault.New(fault.Invalid, format, args...).Message}
		e.Redirect = s.redirect(r, url.Values{"error": {code}, "error_description": {ascii(e.Description)}})
		return Request{}, e
	}
	names := []string{"response_type", "state", "code_challenge", "code_challenge_method"}
	for _, name := range names {
		if len(parameters[name]) > 1 {
			return refuse("invalid_request", "the parameter %s is repeated", name)
		}
	}
	state := parameters.Get("state")
	if len(state) > maxState {
		return refuse("invalid_request", "the parameter state has %d bytes; at most %d are possible", len(state), maxState)
	}
	if !utf8.ValidString(state) {
		return refuse("invalid_request", "the parameter state is not UTF-8")
	}
	r.State = state
	challenge, method := parameters.Get("code_challenge"), parameters.Get("code_challenge_method")
	switch kind := parameters.Get("response_type"); {
	case kind == "":
		return refuse("invalid_request", "the parameter response_type is missing; it is code")
	case kind != "code":
		return refuse("unsupported_response_type", "the response_type %s is not supported; it is code", quote(kind))
	case challenge == "":
		return refuse("invalid_request", "the parameter code_challenge is missing (RFC 7636)")
	case method != "S256":
		return refuse("invalid_request", "the code_challenge_method %s is not supported; it is S256", quote(method))
	case len(challenge) != challengeBytes || strings.Trim(challenge, base64URL) != "":
		return refuse("invalid_request", "the code_challenge is not the base64url of a SHA-256, %d signs without padding", challengeBytes)
	}
	r.Challenge = challenge
	return r, nil
}

const base64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// Unsolicited returns the request that nobody has made: that of a login which began at the
// identity provider and leads to an application, at the first of its redirect URIs.
// NotFound when there is no such application, or none.
func (s *Service) Unsolicited(ctx context.Context, client string) (Request, error) {
	application, err := s.application(ctx, client)
	if err != nil {
		return Request{}, err
	}
	if len(application.RedirectURIs) == 0 {
		return Request{}, fault.New(fault.NotFound, "the application %s has no redirect URI", client)
	}
	return Request{Client: client, RedirectURI: application.RedirectURIs[0]}, nil
}

// Answer returns where the browser goes with a code (RFC 6749 §4.1.2).
func (s *Service) Answer(r Request, code string) string {
	return s.redirect(r, url.Values{"code": {code}})
}

// redirect adds to the redirect URI of a request, which may have a query of its own.
func (s *Service) redirect(r Request, answer url.Values) string {
	if r.State != "" {
		answer.Set("state", r.State)
	}
	answer.Set("iss", s.Issuer)
	separator := "?"
	switch base, query, found := strings.Cut(r.RedirectURI, "?"); {
	case found && query == "":
		return base + "?" + answer.Encode()
	case found:
		separator = "&"
	}
	return r.RedirectURI + separator + answer.Encode()
}
