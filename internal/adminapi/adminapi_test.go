package adminapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/rolesync/rolesync/internal/admin"
	"github.com/rolesync/rolesync/internal/adminapi"
	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/internal/traffic"
	rolesync "github.com/rolesync/rolesync/sync"
)

// service is the API on a real database and engine, over real HTTP.
type service struct {
	*httptest.Server
	tb     testing.TB
	store  *store.Store
	engine *rolesync.Engine
	seen   *traffic.Recorder
	sealer *credential.Sealer
	key    string
	log    *logBuffer

	mu        sync.Mutex
	forgotten []directory.ConnectionID // guarded by mu
}

func start(tb testing.TB) *service {
	tb.Helper()
	s := &service{tb: tb, log: &logBuffer{}}
	log := slog.New(slog.NewTextHandler(s.log, nil))
	ctx := context.Background()
	var err error
	s.store, err = store.Open(ctx, store.Options{URL: "sqlite:" + filepath.Join(tb.TempDir(), "test.db")})
	check(tb, err)
	tb.Cleanup(func() { check(tb, s.store.Close()) })
	check(tb, s.store.Migrate(ctx))

	redis, err := rolesync.StartEmbedded()
	check(tb, err)
	tb.Cleanup(redis.Close)
	client, err := rolesync.Dial(rolesync.RedisOptions{Addresses: []string{redis.Addr()}, Timeout: time.Second})
	check(tb, err)
	tb.Cleanup(func() { _ = client.Close() })
	writer := rolesync.NewWriter(s.store, client, "", log)
	s.engine = rolesync.New(rolesync.Options{Store: s.store, Writer: writer, Log: log})
	running, stop := context.WithCancel(ctx)
	var wait sync.WaitGroup
	wait.Go(func() { writer.Run(running) })
	tb.Cleanup(func() { stop(); wait.Wait() })

	token, stored := credential.New(credential.AdminKey, directory.Now(), time.Time{})
	check(tb, s.store.Transact(ctx, store.Scope{}, store.Facts, func(tx *store.Tx) error {
		tx.CreateAdminKey(store.AdminKey{Stored: stored, Name: "test"})
		return nil
	}))
	s.key = token

	s.seen = traffic.New(s.store, log)
	s.sealer, err = credential.NewSealer([]credential.SealingKey{{ID: "test", Key: [32]byte{1}}})
	check(tb, err)
	var requests atomic.Int64
	handler := &adminapi.Handler{
		Admin:     &admin.Service{Store: s.store, Engine: s.engine, Traffic: s.seen, Forget: s.forget, Sealer: s.sealer, SAMLURLs: samlURLs},
		Log:       log,
		RequestID: func(context.Context) string { return fmt.Sprintf("req_%d", requests.Add(1)) },
		SCIMURL:   func(id directory.ConnectionID) string { return "https://sync.example.com/scim/v2/" + string(id) },
	}
	router := mux.NewRouter().SkipClean(true).UseEncodedPath()
	handler.Mount(router)
	s.Server = httptest.NewServer(router)
	tb.Cleanup(s.Close)
	return s
}

func samlURLs(id directory.ConnectionID) admin.SAMLURLs {
	base := "https://sync.example.com/saml/" + string(id)
	return admin.SAMLURLs{
		EntityID: base + "/metadata", ACS: base + "/acs", Login: base + "/login", Logout: base + "/logout", Metadata: base + "/metadata", Tests: base + "/test/",
	}
}

func (s *service) forget(id directory.ConnectionID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgotten = append(s.forgotten, id)
}

func (s *service) forgot(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.forgotten, directory.ConnectionID(id))
}

// answer is what the API said.
type answer struct {
	tb     testing.TB
	asked  string
	Status int
	Header http.Header
	Body   []byte
}

// do sends a request with the admin key. A body is sent as it is when it is a string,
// otherwise as JSON; headers are pairs of name and value.
func (s *service) do(method, path string, body any, headers ...string) answer {
	s.tb.Helper()
	var content io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		content = strings.NewReader(b)
	default:
		encoded, err := json.Marshal(b)
		check(s.tb, err)
		content = bytes.NewReader(encoded)
	}
	r, err := http.NewRequest(method, s.URL+adminapi.Base+path, content)
	check(s.tb, err)
	r.Header.Set("Authorization", "Bearer "+s.key)
	if content != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for pair := range slices.Chunk(headers, 2) {
		r.Header.Set(pair[0], pair[1])
		if pair[1] == "" {
			r.Header.Del(pair[0])
		}
	}
	response, err := s.Client().Do(r)
	check(s.tb, err)
	defer func() { _ = response.Body.Close() }()
	read, err := io.ReadAll(response.Body)
	check(s.tb, err)
	return answer{s.tb, method + " " + path, response.StatusCode, response.Header, read}
}

// want fails the test unless the status is as given, and returns the answer.
func (a answer) want(status int) answer {
	a.tb.Helper()
	if a.Status != status {
		a.tb.Fatalf("%s = %d, want %d\n%s", a.asked, a.Status, status, a.Body)
	}
	return a
}

// into reads the body as JSON.
func into[T any](a answer) T {
	a.tb.Helper()
	var v T
	if err := json.Unmarshal(a.Body, &v); err != nil {
		a.tb.Fatalf("%s: %v\n%s", a.asked, err, a.Body)
	}
	return v
}

// problem is an RFC 9457 problem as a client reads it.
type problem struct {
	Title, Detail, Request string
	Status                 int
	Errors                 []struct{ Path, Message string }
}

// problem checks the form of a refusal, with the given status, and returns it.
func (a answer) problem(status int) problem {
	a.tb.Helper()
	a.want(status)
	if got := a.Header.Get("Content-Type"); got != "application/problem+json" {
		a.tb.Errorf("%s: Content-Type %q, want application/problem+json", a.asked, got)
	}
	p := into[problem](a)
	if p.Status != status || p.Title != http.StatusText(status) || p.Detail == "" || p.Request == "" {
		a.tb.Errorf("%s: incomplete problem: %s", a.asked, a.Body)
	}
	return p
}

// said fails the test unless the refusal names all of the texts.
func (p problem) said(tb testing.TB, texts ...string) {
	tb.Helper()
	for _, text := range texts {
		if !strings.Contains(p.Detail, text) {
			tb.Errorf("the detail %q does not name %q", p.Detail, text)
		}
	}
}

type object = map[string]any

type listed[T any] struct {
	Items []T
	Next  string
}

type named struct {
	ID, Name, Token, Key string
	SCIMURL              string `json:"scim_url"`
	Disabled             bool
	LastFour             string    `json:"last_four"`
	CreatedAt            time.Time `json:"created_at"`
	ExpiresAt            time.Time `json:"expires_at"`
	Tokens               []named
}

func (s *service) organization(name string) string {
	s.tb.Helper()
	return into[named](s.do("POST", "/organizations", object{"name": name}).want(201)).ID
}

func (s *service) connection(organization, name string) named {
	s.tb.Helper()
	return into[named](s.do("POST", "/organizations/"+organization+"/connections", object{"name": name}).want(201))
}

func (s *service) roles() {
	s.tb.Helper()
	for key, rank := range map[string]int{"admin": 90, "developer": 50, "member": 10} {
		s.do("PUT", "/roles/"+key, object{"name": key, "rank": rank, "permissions": []string{key + ":do"}}).want(200)
	}
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
