package scim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	elimity "github.com/elimity-com/scim/errors"

	"github.com/rolesync/rolesync/internal/fault"
)

func TestErrorsReachTheClientAs(t *testing.T) {
	tests := []struct {
		err    error
		status int
		want   string // after the schemas
		logged bool
	}{
		{fault.New(fault.Invalid, "no"), 400, `"status":"400","scimType":"invalidValue","detail":"no"}`, false},
		{fault.New(fault.Unauthorized, "no"), 401, `"status":"401","detail":"no"}`, false},
		{fault.New(fault.Forbidden, "no"), 403, `"status":"403","detail":"no"}`, false},
		{fault.New(fault.NotFound, "no"), 404, `"status":"404","detail":"no"}`, false},
		{fault.New(fault.Conflict, "no"), 409, `"status":"409","scimType":"uniqueness","detail":"no"}`, false},
		{fault.New(fault.PreconditionFailed, "no"), 412, `"status":"412","detail":"no"}`, false},
		{fault.New(fault.TooLarge, "no"), 413, `"status":"413","detail":"no"}`, false},
		{fault.New(fault.TooMany, "no"), 429, `"status":"429","detail":"no"}`, false},
		{fmt.Errorf("put: %w", fault.Wrap(fault.Unavailable, errors.New("dial 10.0.0.7"), "later")), 503, `"status":"503","detail":"later"}`, true},
		{fmt.Errorf("put: %w", errors.New("column secret")), 500, `"status":"500","detail":"an internal error`, true},
		{fault.New(fault.Internal, "secret"), 500, `"status":"500","detail":"an internal error`, true},
		{fmt.Errorf("deep: %w", invalidPath("x %q", "y")), 400, `"status":"400","scimType":"invalidPath","detail":"x \"y\""}`, false},
	}
	for _, tt := range tests {
		var log strings.Builder
		h := &Handler{Log: slog.New(slog.NewTextHandler(&log, nil))}
		w := httptest.NewRecorder()
		h.fail(&call{Request: httptest.NewRequest("GET", "/", nil), w: w}, tt.err)
		want := `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],` + tt.want
		if got := w.Body.String(); w.Code != tt.status || !strings.HasPrefix(got, want) || strings.Contains(got, "secret") {
			t.Errorf("fail(%v) = %d %s, want %d %s", tt.err, w.Code, got, tt.status, want)
		}
		if strings.Contains(log.String(), tt.err.Error()) != tt.logged {
			t.Errorf("fail(%v) logged %q", tt.err, log.String())
		}
		if again := w.Header().Get("Retry-After"); (again == "1") != (tt.status == 503 || tt.status == 429) {
			t.Errorf("fail(%v): Retry-After %q", tt.err, again)
		}
	}
}

func TestACallerThatIsGoneIsNotLogged(t *testing.T) {
	var log strings.Builder
	h := &Handler{Log: slog.New(slog.NewTextHandler(&log, nil))}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	h.fail(&call{Request: httptest.NewRequest("GET", "/", nil).WithContext(ctx), w: w}, fmt.Errorf("read: %w", context.Canceled))
	if w.Code != 503 || log.Len() != 0 {
		t.Errorf("%d, log %q", w.Code, log.String())
	}
}

func TestQuoteShowsWholeRunes(t *testing.T) {
	for n := 120; n < 140; n++ {
		if got := quote(strings.Repeat("x", n%4) + strings.Repeat("é", n)); strings.Contains(got, `\x`) || strings.Contains(got, "\ufffd") {
			t.Errorf("quote cuts a rune: %s", got)
		}
	}
}

// The library answers 500 to all of these, and sends the client the error's own text.
func TestErrorsKeepTheirStatus(t *testing.T) {
	for _, tt := range []struct {
		err    error
		status int
		detail string
	}{
		{fault.New(fault.TooMany, "slower"), http.StatusTooManyRequests, "slower"},
		{fault.New(fault.Unavailable, "later"), http.StatusServiceUnavailable, "later"},
		{fault.New(fault.TooLarge, "smaller"), http.StatusRequestEntityTooLarge, "smaller"},
		{elimity.ScimError{Status: http.StatusConflict, Detail: "taken"}, http.StatusConflict, "taken"},
		{&elimity.ScimError{Status: http.StatusConflict, Detail: "taken"}, http.StatusConflict, "taken"},
		{fmt.Errorf("put user: %w", elimity.ScimError{Status: http.StatusConflict, Detail: "taken"}), http.StatusConflict, "taken"},
		{fmt.Errorf("put user: %w", &elimity.ScimError{Status: http.StatusConflict, Detail: "taken"}), http.StatusConflict, "taken"},
		{errors.New("password=hunter2"), http.StatusInternalServerError, "an internal error occurred; the log has its cause under this request's id"},
	} {
		if e := problem(tt.err); e.Status != tt.status || e.Detail != tt.detail {
			t.Errorf("problem(%v) = %d %q, want %d %q", tt.err, e.Status, e.Detail, tt.status, tt.detail)
		}
	}
}
