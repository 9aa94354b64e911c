package saml

import (
	"errors"
	"net/http"

	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/saml/verifier"
	rolesync "github.com/rolesync/rolesync/sync"
)

// refusal is why a request was not answered with what it asked for. Code and detail are
// for the admin of the connection; the person is told neither.
type refusal struct {
	code      string // short and stable, such as "cookie"
	detail    string // a sentence that names the offending value
	status    int    // of the page; 0: 403
	authentic bool   // the provider's signature was verified before
}

func (r *refusal) Error() string { return r.code + ": " + r.detail }

// refused turns any error into a refusal. What is our own failure has code "internal" or
// "unavailable" and a detail without internal text; failed says so, for the log.
func refused(err error) (r *refusal, failed bool) {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r, false
	}
	if v, ok := errors.AsType[*verifier.Refusal](err); ok {
		return ofVerifier(v), v.Code == "internal"
	}
	kind, message := fault.Public(err)
	_, behind := errors.AsType[verified](err)
	r = &refusal{detail: message, authentic: behind}
	switch kind {
	case fault.Unavailable:
		r.code, r.status, failed = "unavailable", http.StatusServiceUnavailable, true
	case fault.TooMany:
		r.code, r.status = "too_many", http.StatusTooManyRequests
	case fault.Internal:
		r.code, r.status, failed = "internal", http.StatusInternalServerError, true
	case fault.NotFound:
		r.code, r.status = "not_found", http.StatusNotFound
	default:
		r.code, r.status = "invalid", http.StatusBadRequest
	}
	return r, failed
}

func ofVerifier(v *verifier.Refusal) *refusal {
	r := &refusal{code: string(v.Code), detail: v.Detail, authentic: v.Authentic}
	switch r.code {
	case "internal": // what went wrong, maybe with a stack, is for our log alone
		r.status, r.detail = http.StatusInternalServerError, "an internal error occurred"
	case "busy":
		r.status = http.StatusServiceUnavailable
	case "too_large":
		r.status = http.StatusRequestEntityTooLarge
	case "malformed", "doctype", "duplicate_id":
		r.status = http.StatusBadRequest
	}
	return r
}

// ofLogin says in a sentence why the engine refused somebody whom the provider vouches for.
func ofLogin(code rolesync.Refusal, l rolesync.Login) *refusal {
	person := quote(l.UserName)
	sentence := map[rolesync.Refusal]string{
		rolesync.Replayed:     "the assertion " + quote(l.Message) + " was used before",
		rolesync.UserInactive: "the user " + person + " is deactivated",
		rolesync.UserUnknown:  "there is no user " + person + ", and the connection does not make one: " + notMade(l),
		rolesync.UserConflict: "the names of " + person + " belong to another user, whom the connection does not speak for",
		rolesync.LoginDenied:  "no rule gives " + person + " a role, and the organization's rules deny a login then",
	}[code]
	if sentence == "" {
		sentence = "the login of " + person + " was refused"
	}
	return &refusal{code: string(code), detail: sentence, authentic: true}
}

// notMade is why nobody is made a user by a first login.
func notMade(l rolesync.Login) string {
	if !l.JustInTime {
		return "just-in-time creation is off"
	}
	return "SCIM provides the users, and has not brought this one"
}
