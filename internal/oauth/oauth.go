// Package oauth is what token endpoints of OAuth 2.0 have in common (RFC 6749): how a
// request is read, how a client says who it is, and the shape of an error. What is granted,
// and to whom, it does not know.
package oauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
)

// Error is an unsuccessful answer (RFC 6749 §5.2, RFC 6750 §3). Its description is ASCII
// without quotes and backslashes, as the RFCs have it.
type Error struct {
	Code        string `json:"error,omitempty"`
	Description string `json:"error_description"`
	Status      int    `json:"-"` // of HTTP
}

func (e Error) Error() string { return e.Code + ": " + e.Description }

// New returns an error.
func New(code, description string, status int) Error { return Error{code, description, status} }

// InvalidRequest is the error of a request that is not as it has to be.
func InvalidRequest(description string) error {
	return New("invalid_request", description, http.StatusBadRequest)
}

// ReadForm reads the parameters, from a body of at most so many KiB. One without a value is
// as if it were not there (RFC 6749 §3.2); none may come twice, nor in the URL, where logs
// would show it. The error is an Error.
func ReadForm(w http.ResponseWriter, r *http.Request, most int64) (url.Values, error) {
	if r.URL.RawQuery != "" {
		return nil, InvalidRequest("parameters belong into the body, not into the URL")
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, InvalidRequest("the Content-Type is not application/x-www-form-urlencoded")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most<<10))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, Error{"invalid_request", fmt.Sprintf("the body is larger than %d KiB", most), http.StatusRequestEntityTooLarge}
	}
	if err != nil {
		return nil, InvalidRequest("the body could not be read to its end")
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, InvalidRequest("the body is not in the form application/x-www-form-urlencoded")
	}
	for name, values := range form {
		if len(values) > 1 {
			return nil, InvalidRequest("the parameter " + shown(name) + " is repeated")
		}
	}
	return form, nil
}

// NeedGrant refuses every grant_type but one.
func NeedGrant(form url.Values, only string) error {
	switch grant := form.Get("grant_type"); grant {
	case only:
		return nil
	case "":
		return InvalidRequest("the parameter grant_type is missing; it is " + only)
	default:
		return Error{"unsupported_grant_type", "the grant_type " + shown(grant) + " is not supported; it is " + only, http.StatusBadRequest}
	}
}

// Client returns the id and the secret that a client presents, by Basic or in the body (RFC
// 6749 §2.3.1), from the one place where they are. Wrong is the error of what can be nobody's.
func Client(r *http.Request, form url.Values, wrong error) (id, secret string, err error) {
	id, secret = form.Get("client_id"), form.Get("client_secret")
	switch headers := r.Header.Values("Authorization"); {
	case len(headers) > 1, len(headers) == 1 && secret != "":
		return "", "", InvalidRequest("the client authenticates in more than one way; do so by Basic or in the body")
	case len(headers) == 1:
		// Both are form-encoded before they are joined. Ours have no sign that this would
		// change, so clients that forget it are understood.
		name, password, basic := r.BasicAuth()
		name, nameErr := url.QueryUnescape(name)
		password, passwordErr := url.QueryUnescape(password)
		if !basic || nameErr != nil || passwordErr != nil {
			return "", "", wrong
		}
		if id != "" && id != name {
			return "", "", InvalidRequest("the parameter client_id is another than that of Basic")
		}
		id, secret = name, password
	}
	if secret == "" {
		return "", "", wrong
	}
	return id, secret, nil
}

// Reply answers with JSON that no cache may keep (RFC 6749 §5.1).
func Reply(w http.ResponseWriter, status int, body any) {
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
