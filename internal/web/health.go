package web

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/gorilla/mux"
)

// State is one dependency's part of /readyz.
type State struct {
	Status string `json:"status"` // "ok", "degraded" or "unavailable"
	Reason string `json:"reason,omitempty"`
	Since  string `json:"since,omitempty"` // RFC 3339
}

// The states, from best to worst.
const (
	OK          = "ok"
	Degraded    = "degraded"    // requests are answered; something lags behind
	Unavailable = "unavailable" // requests cannot be answered
)

// Health serves GET /healthz (200 while the process lives) and GET /readyz: the state
// of each dependency, 503 when one is unavailable. Degraded is 200, since requests
// are answered all the same, and says why.
type Health struct {
	Checks map[string]func(context.Context) State
}

// Mount adds the routes.
func (h *Health) Mount(r *mux.Router) {
	r.Methods("GET", "HEAD").Path("/healthz").HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("ok\n")) // a prober that is gone needs no answer
	})
	r.Methods("GET", "HEAD").Path("/readyz").HandlerFunc(h.ready)
}

func (h *Health) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	answer := struct {
		Status string           `json:"status"`
		Checks map[string]State `json:"checks"`
	}{Status: OK, Checks: map[string]State{}}
	for name, check := range h.Checks {
		state := check(ctx)
		answer.Checks[name] = state
		if state.Status == Unavailable || answer.Status == OK {
			answer.Status = state.Status
		}
	}
	body, err := json.MarshalIndent(answer, "", "  ")
	if err != nil {
		http.Error(w, "an internal error occurred", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if answer.Status == Unavailable {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = w.Write(append(body, '\n')) // a prober that is gone needs no answer
}
