package web_test

import (
	"context"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/mux"

	"github.com/rolesync/rolesync/internal/web"
)

func health(checks map[string]web.State) *mux.Router {
	h := &web.Health{Checks: map[string]func(context.Context) web.State{}}
	for name, state := range checks {
		h.Checks[name] = func(context.Context) web.State { return state }
	}
	router := mux.NewRouter()
	h.Mount(router)
	return router
}

func TestReadyz(t *testing.T) {
	ok := web.State{Status: web.OK}
	behind := web.State{Status: web.Degraded, Reason: "assignments wait for Redis", Since: "2026-11-21T10:20:30Z"}
	away := web.State{Status: web.Unavailable, Reason: "the database does not answer"}
	for _, test := range []struct {
		name   string
		checks map[string]web.State
		status int
		body   string
	}{
		{"all is well", map[string]web.State{"database": ok, "redis": ok}, 200, `{
  "status": "ok",
  "checks": {
    "database": {
      "status": "ok"
    },
    "redis": {
      "status": "ok"
    }
  }
}
`},
		{"Redis is behind", map[string]web.State{"database": ok, "redis": behind}, 200, `{
  "status": "degraded",
  "checks": {
    "database": {
      "status": "ok"
    },
    "redis": {
      "status": "degraded",
      "reason": "assignments wait for Redis",
      "since": "2026-11-21T10:20:30Z"
    }
  }
}
`},
		{"no database, and Redis is behind", map[string]web.State{"database": away, "redis": behind}, 503, `{
  "status": "unavailable",
  "checks": {
    "database": {
      "status": "unavailable",
      "reason": "the database does not answer"
    },
    "redis": {
      "status": "degraded",
      "reason": "assignments wait for Redis",
      "since": "2026-11-21T10:20:30Z"
    }
  }
}
`},
	} {
		t.Run(test.name, func(t *testing.T) {
			for range 10 { // whatever the order of the checks
				recorder := httptest.NewRecorder()
				health(test.checks).ServeHTTP(recorder, httptest.NewRequest("GET", "/readyz", nil))
				if diff := cmp.Diff(test.body, recorder.Body.String()); recorder.Code != test.status || diff != "" {
					t.Fatalf("answered %d, want %d (-want +got):\n%s", recorder.Code, test.status, diff)
				}
				if got := recorder.Header().Get("Content-Type"); got != "application/json" {
					t.Errorf("Content-Type = %q", got)
				}
				if later := recorder.Header().Get("Retry-After"); (later != "") != (test.status == 503) {
					t.Errorf("Retry-After = %q with status %d", later, test.status)
				}
			}
		})
	}
}

func TestHealthz(t *testing.T) {
	router := health(map[string]web.State{"database": {Status: web.Unavailable}})
	for _, test := range []struct {
		method string
		status int
	}{{"GET", 200}, {"HEAD", 200}, {"POST", 405}} {
		recorder := httptest.NewRecorder()
		router.ServeHTTP(recorder, httptest.NewRequest(test.method, "/healthz", nil))
		if recorder.Code != test.status {
			t.Errorf("%s /healthz = %d, want %d: the process lives, whatever it depends on", test.method, recorder.Code, test.status)
		}
		if test.method == "GET" && recorder.Body.String() != "ok\n" {
			t.Errorf("body = %q", recorder.Body)
		}
	}
}
