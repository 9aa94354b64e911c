package adminapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/mapping"
)

func TestProblem(t *testing.T) {
	cause := errors.New("dial tcp 10.0.0.7:5432: connection refused")
	for _, test := range []struct {
		err    error
		status int
		header string
		logged bool
	}{
		{cause, 500, "", true},
		{fault.Wrap(fault.Internal, cause, "something"), 500, "", true},
		{fmt.Errorf("put group: %w", fault.Wrap(fault.Unavailable, cause, "try again")), 503, "Retry-After", true},
		{fault.Wrap(fault.Unauthorized, cause, "no"), 401, "WWW-Authenticate", false},
		{fault.Wrap(fault.Forbidden, cause, "no"), 403, "", false},
		{fault.Wrap(fault.NotFound, cause, "no"), 404, "", false},
		{fault.Wrap(fault.Conflict, cause, "no"), 409, "", false},
		{fault.Wrap(fault.PreconditionFailed, cause, "no"), 412, "", false},
		{fault.Wrap(fault.TooLarge, cause, "no"), 413, "", false},
		{fault.Wrap(fault.TooMany, cause, "no"), 429, "", false},
		{fault.Wrap(fault.Invalid, cause, "no"), 400, "", false},
	} {
		var log bytes.Buffer
		h := &Handler{Log: slog.New(slog.NewTextHandler(&log, nil)), RequestID: func(context.Context) string { return "req_7" }}
		p := h.problem(t.Context(), test.err)
		if p.Status != test.status || p.Title != http.StatusText(test.status) || p.Request != "req_7" {
			t.Errorf("problem(%v) = %+v, want status %d", test.err, p, test.status)
		}
		if strings.Contains(p.Detail, "10.0.0.7") {
			t.Errorf("problem(%v) tells the cause: %s", test.err, p.Detail)
		}
		if test.header != "" && p.header.Get(test.header) == "" {
			t.Errorf("problem(%v) has no %s", test.err, test.header)
		}
		lines := strings.Count(log.String(), "\n")
		if test.logged != (lines == 1) || test.logged && !(strings.Contains(log.String(), "10.0.0.7") && strings.Contains(log.String(), "req_7")) {
			t.Errorf("problem(%v) logs %q", test.err, log.String())
		}
	}
}

func TestProblemListsAtMostAThousandMistakes(t *testing.T) {
	h := &Handler{RequestID: func(context.Context) string { return "" }}
	problems := make(mapping.Problems, 5_000)
	for i := range problems {
		problems[i] = mapping.Problem{Path: fmt.Sprintf("rules[%d].id", i), Message: "wrong"}
	}
	p := h.problem(t.Context(), fmt.Errorf("publish: %w", problems))
	if len(p.Errors) != mostMistakes || p.Detail != "rules[0].id: wrong (and 4999 more)" || p.Status != http.StatusBadRequest {
		t.Errorf("%d mistakes, detail %q, status %d", len(p.Errors), p.Detail, p.Status)
	}
}
