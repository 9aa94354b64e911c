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
	"runtime/debug"
	"strings"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
)

type requestKey struct{}

// RequestID returns the id of the request that the context belongs to, or "".
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}

// Wrap gives every request an id (X-Request-Id: the caller's, if it is a plain one,
// else a new one), answers 500 to a panic, and writes one log line: an error for 5xx,
// debug for the rest. Neither query strings nor bodies are logged, as they may hold
// names of people.
func Wrap(next http.Handler, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := requestID(r)
		header := w.Header()
		header.Set("X-Request-Id", id)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Cache-Control", "no-store")
		started := time.Now()
		recorder := &recorder{ResponseWriter: w}
		r = r.WithContext(context.WithValue(r.Context(), requestKey{}, id))
		defer func() {
			if p := recover(); p != nil && p != http.ErrAbortHandler {
				log.Error("panic", "panic", p, "request", id, "method", r.Method, "path", r.URL.Path, "stack", string(debug.Stack()))
				if recorder.status == 0 {
					http.Error(recorder, "an internal error occurred; request "+id, http.StatusInternalServerError)
				}
			}
			level := slog.LevelDebug
			if recorder.status >= 500 && recorder.status != http.StatusNotImplemented {
				level = slog.LevelWarn
			}
			if log.Enabled(r.Context(), level) {
				log.Log(r.Context(), level, "request", "request", id, "method", r.Method, "path", r.URL.Path,
					"status", recorder.status, "took", time.Since(started).Round(time.Microsecond))
			}
		}()
		next.ServeHTTP(recorder, r)
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
	if r.status == 0 {
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
