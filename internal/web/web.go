// Package web is what every HTTP request passes through, whatever it is for: an id,
// a log line, a recovered panic, safe headers. It also serves the service's own
// state under /healthz and /readyz.
//
// It knows nothing of SCIM or the admin API: each of them limits its own bodies and
// writes errors in its own form.
package web

import (
	"context"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/rolesync/rolesync/internal/directory"
)

// request is what the middleware knows of a request.
type request struct {
	id     string
	routed *http.Request // as the router passed it on; nil: no route took it
}

type requestKey struct{}

// RequestID returns the id of the request that the context belongs to, or "".
func RequestID(ctx context.Context) string {
	if known, ok := ctx.Value(requestKey{}).(*request); ok {
		return known.id
	}
	return ""
}

// Routed is a middleware of the router inside Wrap. It tells Wrap which route a
// request took: without it, the log has no paths.
func Routed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if known, ok := r.Context().Value(requestKey{}).(*request); ok {
			known.routed = r
		}
		next.ServeHTTP(w, r)
	})
}

// Wrap gives every request an id (X-Request-Id: the caller's, if it is a plain one,
// else a new one), answers 500 to a panic, and writes one log line: a warning for
// 5xx, debug for the rest. What may name a person is not logged: neither bodies nor
// query strings, and of the path only our own ids beside what the route says.
//
// A panic after the answer has begun cuts the connection, so that nobody takes half
// an answer for a whole one, unless the handler has answered with a 5xx itself.
func Wrap(next http.Handler, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		known := &request{id: requestID(r)}
		header := w.Header()
		header.Set("X-Request-Id", known.id)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Cache-Control", "no-store")
		started := time.Now()
		recorder := &recorder{ResponseWriter: w}
		defer func() {
			p := recover()
			cut := p != nil && recorder.status != 0 && recorder.status < 500
			switch {
			case p == nil:
			case p == http.ErrAbortHandler: // a handler's way to cut the connection itself
				cut = true
			default:
				log.Error("panic", "panic", p, "request", known.id, "method", r.Method, "path", known.path(), "stack", string(debug.Stack()))
				if recorder.status == 0 {
					http.Error(recorder, "an internal error occurred; request "+known.id, http.StatusInternalServerError)
				}
			}
			if recorder.status == 0 && !cut {
				recorder.status = http.StatusOK // what net/http answers for a handler that is silent
			}
			level := slog.LevelDebug
			if recorder.status >= 500 && recorder.status != http.StatusNotImplemented {
				level = slog.LevelWarn
			}
			if log.Enabled(r.Context(), level) {
				log.Log(r.Context(), level, "request", "request", known.id, "method", r.Method, "path", known.path(),
					"status", recorder.status, "took", time.Since(started).Round(time.Microsecond))
			}
			if cut {
				panic(http.ErrAbortHandler)
			}
		}()
		next.ServeHTTP(recorder, r.WithContext(context.WithValue(r.Context(), requestKey{}, known)))
	})
}

// ours are the ids that package directory makes, which name nobody outside.
var ours = regexp.MustCompile(`^[a-z]+_[0-9a-v]{26}$`)

// variable is a variable of a route's template, with or without a pattern.
var variable = regexp.MustCompile(`\{([^:{}]+)[^{}]*\}`)

// path is the template of the route with the ids that were asked for:
// "/api/v1/organizations/org_…/users/{user}", where the user was given by name.
func (k *request) path() string {
	route := (*mux.Route)(nil)
	if k.routed != nil {
		route = mux.CurrentRoute(k.routed)
	}
	if route == nil {
		return "(no route)"
	}
	template, err := route.GetPathTemplate()
	if err != nil {
		return "(no route)"
	}
	vars := mux.Vars(k.routed)
	return variable.ReplaceAllStringFunc(template, func(part string) string {
		name := variable.FindStringSubmatch(part)[1]
		if value := vars[name]; ours.MatchString(value) {
			return value
		}
		return "{" + name + "}"
	})
}

// requestID takes over an id that a proxy has given, as long as it can do no harm in
// a log, in the audit or in Redis.
func requestID(r *http.Request) string {
	id := r.Header.Get("X-Request-Id")
	if id == "" || len(id) > 64 || strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "" {
		return directory.NewRequestID()
	}
	return id
}

// recorder remembers the status for the log.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= 200 { // what is below announces another one
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
