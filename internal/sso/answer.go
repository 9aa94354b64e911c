package sso

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/rolesync/rolesync/internal/fault"
)

// oauthError is an unsuccessful answer (RFC 6749 §5.2, RFC 6750 §3). Its description is
// ASCII without quotes and backslashes, as the RFCs have it.
type oauthError struct {
	Code        string `json:"error,omitempty"`
	Description string `json:"error_description"`

	status int
}

func (e oauthError) Error() string { return e.Code + ": " + e.Description }

func invalidRequest(description string) error {
	return oauthError{"invalid_request", description, http.StatusBadRequest}
}

func invalidGrant(description string) error {
	return oauthError{"invalid_grant", description, http.StatusBadRequest}
}

// invalidClient is one answer to an unknown client and to a wrong secret.
func invalidClient() error {
	return oauthError{"invalid_client", "this needs the id and the secret of an application, by Basic or in the body", http.StatusUnauthorized}
}

// invalidToken is one answer to every token that opens nothing (RFC 6750 §3.1).
func invalidToken() error {
	return oauthError{"invalid_token", "the access token is not valid: it is expired, or the person's access has ended", http.StatusUnauthorized}
}

// serve answers with what an endpoint returns, always in JSON that no cache may keep.
// Scheme is how the endpoint is authenticated to.
func (s *Service) serve(scheme, method string, do func(http.ResponseWriter, *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != method {
			w.Header().Set("Allow", method)
			reply(w, http.StatusMethodNotAllowed, oauthError{"invalid_request", "only " + method + " is possible here", 0})
			return
		}
		answer, err := do(w, r)
		if err != nil {
			s.fail(w, r, scheme, err)
			return
		}
		reply(w, http.StatusOK, answer)
	}
}

// fail answers with an error. What is our own failure is logged here, once; its text does
// not leave.
func (s *Service) fail(w http.ResponseWriter, r *http.Request, scheme string, err error) {
	e, ok := errors.AsType[oauthError](err)
	if !ok {
		e = oauthError{"server_error", "an internal error occurred", http.StatusInternalServerError}
		if fault.Is(err, fault.Unavailable) { // which §5.2 has no code for
			e = oauthError{"temporarily_unavailable", "try again later", http.StatusServiceUnavailable}
		}
	}
	challenge := scheme + ` realm="rolesync"`
	switch {
	case e.status == http.StatusUnauthorized && scheme == "Bearer" && e.Code != "":
		challenge += `, error="` + e.Code + `", error_description="` + e.Description + `"`
		w.Header().Set("WWW-Authenticate", challenge)
	case e.status == http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", challenge)
	case e.status == http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1")
	}
	if e.status >= 500 && !errors.Is(r.Context().Err(), context.Canceled) {
		s.Log.ErrorContext(r.Context(), "sso request failed", "error", err, "status", e.status, "request", s.requestID(r.Context()))
	}
	reply(w, e.status, e)
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that is gone needs no answer
}
