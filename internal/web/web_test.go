package web_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/web"
)

// lines is a log that tests read back.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// with returns the records that have the message.
func (l *lines) with(t *testing.T, message string) []map[string]any {
	t.Helper()
	var found []map[string]any
	for line := range strings.Lines(l.String()) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatal(err)
		}
		if record["msg"] == message {
			found = append(found, record)
		}
	}
	return found
}

func logTo(l *lines, level slog.Level) *slog.Logger {
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: level}))
}

// serve runs a handler behind Wrap on a listener of its own.
func serve(t *testing.T, next http.Handler) (*httptest.Server, *lines) {
	t.Helper()
	log := &lines{}
	server := httptest.NewUnstartedServer(web.Wrap(next, logTo(log, slog.LevelDebug)))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	server.Start()
	t.Cleanup(server.Close)
	return server, log
}

func get(t *testing.T, server *httptest.Server, path string) (*http.Response, string, error) {
	t.Helper()
	answer, err := server.Client().Get(server.URL + path)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	return answer, string(body), err
}

func TestRequestID(t *testing.T) {
	long := strings.Repeat("x", 64)
	for _, test := range []struct {
		name, sent string
		taken      bool
	}{
		{"none", "", false},
		{"a proxy's UUID", "5f6c2a4e-7d0b-4a55-9d0e-3a3a1b8a2f10", true},
		{"one of ours", "req_06h00m66k1u39b3p7kuh3g5rlg", true},
		{"the longest", long, true},
		{"one too long", long + "x", false},
		{"with a line end, for the log", "a\nlevel=ERROR msg=forged", false},
		{"with a carriage return, for the answer", "a\r\nSet-Cookie: x=1", false},
		{"with NUL", "a\x00b", false},
		{"with an escape of a terminal", "\x1b[2J", false},
		{"with markup", "<script>alert(1)</script>", false},
		{"with quotes", `a"b`, false},
		{"with a space", "a b", false},
		{"with a letter beyond ASCII", "é", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var inside string
			handler := web.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { inside = web.RequestID(r.Context()) }), slog.New(slog.DiscardHandler))
			request := httptest.NewRequest("GET", "/", nil)
			if test.sent != "" {
				request.Header["X-Request-Id"] = []string{test.sent}
			}
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, request)
			got := recorder.Header().Get("X-Request-Id")
			if got != inside {
				t.Errorf("answered %q, but handlers know %q", got, inside)
			}
			if taken := got == test.sent; taken != test.taken {
				t.Errorf("X-Request-Id %q became %q, want it taken over: %v", test.sent, got, test.taken)
			}
			if !test.taken && !regexp.MustCompile(`^req_[0-9a-v]{26}$`).MatchString(got) {
				t.Errorf("the new id %q is not one of ours", got)
			}
		})
	}
	if id := web.RequestID(t.Context()); id != "" {
		t.Errorf("RequestID outside of a request = %q", id)
	}
}

func TestEveryAnswerHasSafeHeaders(t *testing.T) {
	server, _ := serve(t, http.NotFoundHandler())
	answer, _, err := get(t, server, "/nothing")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"} {
		if got := answer.Header.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
}

func TestPanicIsA500AndTheServiceLives(t *testing.T) {
	server, log := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/panic" {
			panic("secret detail")
		}
		_, _ = io.WriteString(w, "alive")
	}))
	answer, body, err := get(t, server, "/panic")
	if err != nil {
		t.Fatal(err)
	}
	id := answer.Header.Get("X-Request-Id")
	if answer.StatusCode != 500 || !strings.Contains(body, id) || strings.Contains(body, "secret") {
		t.Errorf("answered %d %q, want a 500 with the request id %s and nothing of the panic", answer.StatusCode, body, id)
	}
	if panics := log.with(t, "panic"); len(panics) != 1 || panics[0]["panic"] != "secret detail" || panics[0]["request"] != id {
		t.Errorf("logged %v, want the panic once, with its request", panics)
	}
	if _, body, err := get(t, server, "/"); err != nil || body != "alive" {
		t.Errorf("afterwards: %q, %v", body, err)
	}
}

// A chunked answer that just ends looks complete.
func TestPanicInTheMiddleDidNotCutTheAnswer(t *testing.T) {
	server, log := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"Resources":[`)
		_ = http.NewResponseController(w).Flush() // the client waits for the rest
		panic("half way")
	}))
	if _, body, err := get(t, server, "/"); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("read %q, %v, want %v", body, err, io.ErrUnexpectedEOF)
	}
	if panics := log.with(t, "panic"); len(panics) != 1 {
		t.Errorf("logged %d panics, want 1", len(panics))
	}
}

// A part of the service may answer a panic in its own form and let it go on.
func TestPanicAfterAnOwnAnswerLeavesTheAnswer(t *testing.T) {
	server, log := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, `{"status":"500"}`)
		panic("answered already")
	}))
	answer, body, err := get(t, server, "/")
	if err != nil || answer.StatusCode != 500 || body != `{"status":"500"}` {
		t.Errorf("answered %q, %v, want the handler's own answer", body, err)
	}
	if panics := log.with(t, "panic"); len(panics) != 1 {
		t.Errorf("logged %d panics, want 1", len(panics))
	}
}

func TestAbortedAnswerCameAsAnEmpty200(t *testing.T) {
	server, log := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	if answer, _, err := get(t, server, "/"); err == nil {
		t.Errorf("answered %d, want a cut connection", answer.StatusCode)
	}
	if panics := log.with(t, "panic"); len(panics) != 0 {
		t.Errorf("logged %v, want no panic: the handler meant it", panics)
	}
}

func TestLogLineNamesNobody(t *testing.T) {
	user := string(directory.NewUserID())
	router := mux.NewRouter().SkipClean(true).UseEncodedPath()
	router.Use(web.Routed)
	sub := router.PathPrefix("/api/{organization}").Subrouter()
	sub.Path("/users/{user:[^/.][^/]*}").HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	sub.Path("/panic/{user}").HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("x") })
	for _, test := range []struct{ name, sent, want string }{
		{"our ids are shown", "/api/" + user + "/users/" + user, "/api/" + user + "/users/" + user},
		{"an e-mail address is not", "/api/x/users/anna@example.com", "/api/{organization}/users/{user}"},
		{"nor an encoded one", "/api/x/users/anna%40example.com", "/api/{organization}/users/{user}"},
		{"nor what follows an id", "/api/x/users/" + user + "anna", "/api/{organization}/users/{user}"},
		{"nor a query", "/api/x/users/" + user + "?filter=userName+eq+%22anna%22", "/api/{organization}/users/" + user},
		{"nor a path that leads nowhere", "/anna@example.com", "(no route)"},
		{"nor a path that leads to a panic", "/api/x/panic/anna@example.com", "/api/{organization}/panic/{user}"},
	} {
		t.Run(test.name, func(t *testing.T) {
			log := &lines{}
			request := httptest.NewRequest("GET", test.sent, strings.NewReader("anna's body"))
			request.Header.Set("Authorization", "Bearer rs_scim_anna")
			request.Header.Set("Cookie", "anna")
			web.Wrap(router, logTo(log, slog.LevelDebug)).ServeHTTP(httptest.NewRecorder(), request)
			if strings.Contains(log.String(), "anna") {
				t.Errorf("the log names a person or a secret:\n%s", log)
			}
			records := append(log.with(t, "request"), log.with(t, "panic")...)
			if len(records) == 0 {
				t.Error("nothing was logged")
			}
			for _, record := range records {
				if record["path"] != test.want {
					t.Errorf("path = %q, want %q", record["path"], test.want)
				}
			}
		})
	}
}

func TestLogLine(t *testing.T) {
	for _, test := range []struct {
		name    string
		handler http.HandlerFunc
		level   string
		status  float64
		always  bool // also at the level info
	}{
		{"answered", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) }, "DEBUG", 201, false},
		{"without a word", func(http.ResponseWriter, *http.Request) {}, "DEBUG", 200, false},
		{"body only", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "x") }, "DEBUG", 200, false},
		{"the client's mistake", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, "DEBUG", 404, false},
		{"never supported", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotImplemented) }, "DEBUG", 501, false},
		{"unavailable", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, "WARN", 503, true},
		{"early hints first", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusBadGateway)
		}, "WARN", 502, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			for level, want := range map[slog.Level]bool{slog.LevelDebug: true, slog.LevelInfo: test.always} {
				log := &lines{}
				web.Wrap(test.handler, logTo(log, level)).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
				found := log.with(t, "request")
				if logged := len(found) == 1; logged != want {
					t.Fatalf("at level %v: %d lines, want one: %v", level, len(found), want)
				}
				if want && (found[0]["level"] != test.level || found[0]["status"] != test.status) {
					t.Errorf("logged %v, want %s %v", found[0], test.level, test.status)
				}
			}
		})
	}
}

func TestHandlersReachTheConnection(t *testing.T) {
	server, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))
	if answer, body, err := get(t, server, "/"); err != nil || answer.StatusCode != 200 {
		t.Errorf("set a deadline: %s, %v", body, err)
	}
}
