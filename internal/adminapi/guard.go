package adminapi

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humamux"
	"github.com/gorilla/mux"

	"github.com/rolesync/rolesync/internal/admin"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
)

// humaContext gives the embedded field a name that does not hide the method Context.
type humaContext = huma.Context

// exchange is one request on its way through huma, after it has passed the guard.
type exchange struct {
	humaContext
	ctx    context.Context
	params map[string]string // of the path, decoded and checked
	status int               // of a problem, which may differ from huma's; 0: as huma says
}

func (e *exchange) Context() context.Context { return e.ctx }

// Unwrap lets the adapter find its own context.
func (e *exchange) Unwrap() huma.Context { return e.humaContext }

// Param returns a decoded parameter of the path; the adapter's is as it was sent.
func (e *exchange) Param(name string) string { return e.params[name] }

func (e *exchange) SetStatus(status int) {
	if e.status != 0 {
		status = e.status
	}
	e.humaContext.SetStatus(status)
}

type actorKey struct{}

// actorOf returns who makes the request; the guard has put it there.
func actorOf(ctx context.Context) admin.Actor {
	actor, _ := ctx.Value(actorKey{}).(admin.Actor)
	return actor
}

// guard lets a request with a valid admin key and a well-formed URL through to huma.
func (h *Handler) guard(ctx huma.Context, next func(huma.Context)) {
	r, w := humamux.Unwrap(ctx)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	actor, err := h.authenticate(r)
	if err != nil {
		h.refuse(w, r, h.problem(r.Context(), err))
		return
	}
	params, err := pathParameters(r)
	if err == nil {
		err = checkQuery(r)
	}
	if err != nil {
		h.refuse(w, r, h.problem(r.Context(), err))
		return
	}
	next(&exchange{humaContext: ctx, ctx: context.WithValue(r.Context(), actorKey{}, actor), params: params})
}

func (h *Handler) authenticate(r *http.Request) (admin.Actor, error) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return admin.Actor{}, fault.New(fault.Unauthorized, "an admin key is required: Authorization: Bearer rs_admin_…")
	}
	scheme, key, found := strings.Cut(values[0], " ")
	if !found || !strings.EqualFold(scheme, "Bearer") {
		return admin.Actor{}, fault.New(fault.Unauthorized, "the Authorization header must be: Bearer rs_admin_…")
	}
	return h.Admin.Authenticate(r.Context(), strings.TrimSpace(key), h.RequestID(r.Context()))
}

// pathParameters decodes what the router took from the path as it was sent. An id that
// cannot be one does not exist.
func pathParameters(r *http.Request) (map[string]string, error) {
	vars := mux.Vars(r)
	params := make(map[string]string, len(vars))
	for name, sent := range vars {
		value, err := url.PathUnescape(sent)
		if err != nil || !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
			return nil, fault.New(fault.NotFound, "there is no %s %s", name, quote(sent))
		}
		switch name {
		case "organization":
			_, err = directory.ParseOrganizationID(value)
		case "connection":
			_, err = directory.ParseConnectionID(value)
		}
		if err != nil {
			return nil, err
		}
		params[name] = value
	}
	return params, nil
}

// checkQuery refuses what would silently be no filter: a malformed pair, which net/url
// drops, an empty value, and all but the first of several.
func checkQuery(r *http.Request) error {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return fault.New(fault.Invalid, "the query %s is malformed: %s", quote(r.URL.RawQuery), err)
	}
	for name, values := range query {
		switch {
		case len(values) > 1:
			return fault.New(fault.Invalid, "query parameter %s is given %d times", quote(name), len(values))
		case values[0] == "":
			return fault.New(fault.Invalid, "query parameter %s is empty; leave it out to ask for nothing", quote(name))
		}
	}
	return nil
}
