package sso

import (
	"context"
	"errors"
	"net/http"

	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/oauth"
)

func invalidGrant(description string) error {
	return oauth.New("invalid_grant", description, http.StatusBadRequest)
}

// invalidClient is one answer to an unknown client and to a wrong secret.
func invalidClient() error {
	return oauth.New("invalid_client", "this needs the id and the secret of an application, by Basic or in the body", http.StatusUnauthorized)
}

// invalidToken is one answer to every token that opens nothing (RFC 6750 §3.1).
func invalidToken() error {
	return oauth.New("invalid_token", "the access token is not valid: it is expired, or the person's access has ended", http.StatusUnauthorized)
}

// serve answers with what an endpoint returns, always in JSON that no cache may keep.
// Scheme is how the endpoint is authenticated to.
func (s *Service) serve(scheme, method string, do func(http.ResponseWriter, *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != method {
			w.Header().Set("Allow", method)
			oauth.Reply(w, http.StatusMethodNotAllowed, oauth.New("invalid_request", "only "+method+" is possible here", 0))
			return
		}
		answer, err := do(w, r)
		if err != nil {
			s.fail(w, r, scheme, err)
			return
		}
		oauth.Reply(w, http.StatusOK, answer)
	}
}

// fail answers with an error. What is our own failure is logged here, once; its text does
// not leave.
func (s *Service) fail(w http.ResponseWriter, r *http.Request, scheme string, err error) {
	e, ok := errors.AsType[oauth.Error](err)
	if !ok {
		e = oauth.New("server_error", "an internal error occurred", http.StatusInternalServerError)
		if fault.Is(err, fault.Unavailable) { // which §5.2 has no code for
			e = oauth.New("temporarily_unavailable", "try again later", http.StatusServiceUnavailable)
		}
	}
	challenge := scheme + ` realm="rolesync"`
	switch {
	case e.Status == http.StatusUnauthorized && scheme == "Bearer" && e.Code != "":
		challenge += `, error="` + e.Code + `", error_description="` + e.Description + `"`
		w.Header().Set("WWW-Authenticate", challenge)
	case e.Status == http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", challenge)
	case e.Status == http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1")
	}
	if e.Status >= 500 && !errors.Is(r.Context().Err(), context.Canceled) {
		s.Log.ErrorContext(r.Context(), "sso request failed", "error", err, "status", e.Status, "request", s.requestID(r.Context()))
	}
	oauth.Reply(w, e.Status, e)
}
