package saml

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/sso"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/internal/traffic"
	rolesync "github.com/rolesync/rolesync/sync"
)

// Handler serves SAML 2.0 for all connections of all organizations. Store, Engine, Writer,
// SSO, BaseURL and Log are required. It is safe for concurrent use, and is not to be
// copied.
type Handler struct {
	Store  *store.Store
	Engine *rolesync.Engine
	Writer *rolesync.Writer
	SSO    *sso.Service
	Sealer *credential.Sealer // opens our keys; nil: none opens
	Log    *slog.Logger

	// BaseURL is the address that browsers and providers know this server by, without a
	// slash at its end. Entity ids and addresses begin with it, and with nothing that a
	// request says.
	BaseURL string

	Now       func() time.Time             // nil: directory.Now
	RequestID func(context.Context) string // nil: requests have no id
	Traffic   *traffic.Recorder            // of what was answered; nil: nobody wants it

	parties parties
}

// Mount adds the routes. The router must match paths as they were encoded and clean none,
// as package scim has it.
func (h *Handler) Mount(r *mux.Router) {
	route := func(path, kind string, serve func(*call) error, methods ...string) {
		r.Path(path).HandlerFunc(h.serve(kind, serve, methods))
	}
	route("/saml/{connection}/acs", "login", h.consume, http.MethodPost)
	route("/saml/{connection}/login", "login", h.beginHere, http.MethodGet)
	route("/saml/{connection}/logout", "logout", h.logout, http.MethodGet, http.MethodPost)
	route("/saml/{connection}/metadata", "metadata", h.metadata, http.MethodGet, http.MethodHead)
	route("/saml/{connection}/test/{trial}", "test", h.beginTrial, http.MethodGet)
	route("/login", "login", h.beginAnywhere, http.MethodGet)
}

// call is one request.
type call struct {
	*http.Request
	w       http.ResponseWriter
	handler *Handler
	kind    string // of the traffic
	party   *party // nil: none is known yet

	unmapped []string // names of attributes that mean nothing here
}

// serve answers a request with what the function does, and with a page that tells nothing
// when it fails.
func (h *Handler) serve(kind string, do func(*call) error, methods []string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c := &call{Request: r, w: w, handler: h, kind: kind}
		if err := c.possible(methods); err != nil {
			h.fail(c, err)
			return
		}
		if err := do(c); err != nil {
			h.fail(c, err)
		}
	}
}

// possible refuses other methods than those of the route.
func (c *call) possible(methods []string) error {
	for _, method := range methods {
		if c.Method == method {
			return nil
		}
	}
	c.w.Header().Set("Allow", strings.Join(methods, ", "))
	_ = c.find() // if there is such a connection, its admin is told
	return &refusal{code: "method", detail: c.Method + " is not possible here; possible is " + strings.Join(methods, ", "), status: http.StatusMethodNotAllowed}
}

// find reads the connection that the path names.
func (c *call) find() (err error) {
	c.party, err = c.handler.party(c.Context(), mux.Vars(c.Request)["connection"])
	return err
}

// fail answers with the page, records the reason for the admin of the connection, and logs
// what is our own failure, or nobody else's business.
func (h *Handler) fail(c *call, err error) {
	r, failed := refused(err)
	switch {
	case errors.Is(c.Context().Err(), context.Canceled):
		// The browser is gone: nobody's failure.
	case failed:
		h.Log.ErrorContext(c.Context(), "saml request failed", "error", err, "connection", c.connection(), "request", h.requestID(c.Context()))
	case c.party == nil:
		h.Log.InfoContext(c.Context(), "saml request refused", "code", r.code, "detail", r.detail, "request", h.requestID(c.Context()))
	}
	c.record(r)
	status := r.status
	if status == 0 {
		status = http.StatusForbidden
	}
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		c.w.Header().Set("Retry-After", "2")
	}
	title := "Signing in did not work"
	if c.kind == "logout" {
		title = "Signing out did not work"
	}
	p := page{Title: title, Reference: directory.Reference(h.requestID(c.Context()))}
	if err := show(c.w, status, quietPolicy, errorPage, p); err != nil {
		h.Log.ErrorContext(c.Context(), "page not rendered", "error", err, "request", h.requestID(c.Context()))
		http.Error(c.w, title, http.StatusInternalServerError)
	}
}

// record hands the request to whoever keeps the traffic; nil: it went well. What no
// signature of the provider stands behind is anybody's, and so of kind auth.
func (c *call) record(r *refusal) {
	if c.party == nil {
		return
	}
	h := c.handler
	q := traffic.Request{Scope: c.party.scope(), Kind: c.kind, At: h.now()}
	if r == nil || r.authentic {
		q.Unmapped = c.unmapped
	}
	if r != nil {
		if !r.authentic {
			q.Kind = store.KindAuth
		}
		q.Failure = &traffic.Failure{
			Status: r.status, Code: r.code, Detail: r.detail, Method: c.Method, Path: c.place(), Request: h.requestID(c.Context()),
		}
		if q.Failure.Status == 0 {
			q.Failure.Status = http.StatusForbidden
		}
	}
	h.Traffic.Record(q)
}

// place is the route behind the connection, without what was asked for.
func (c *call) place() string {
	template, err := mux.CurrentRoute(c.Request).GetPathTemplate()
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(template, "/saml/{connection}")
}

func (c *call) connection() directory.ConnectionID {
	if c.party == nil {
		return ""
	}
	return c.party.ID
}

// author is who answers for a change: the connection.
func (c *call) author() rolesync.Author {
	return rolesync.Author{
		Organization: c.party.Organization,
		Connection:   c.party.ID,
		Name:         "connection " + string(c.party.ID),
		Request:      c.handler.requestID(c.Context()),
	}
}

func (h *Handler) now() time.Time {
	if h.Now == nil {
		return directory.Now()
	}
	return h.Now()
}

func (h *Handler) requestID(ctx context.Context) string {
	if h.RequestID == nil {
		return ""
	}
	return h.RequestID(ctx)
}
