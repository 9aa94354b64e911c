package scim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/internal/testserver"
	"github.com/rolesync/rolesync/internal/traffic"
	"github.com/rolesync/rolesync/internal/web"
	"github.com/rolesync/rolesync/scim"
	rolesync "github.com/rolesync/rolesync/sync"
)

// service is the real thing, from the listener to the database.
type service struct {
	t       testing.TB
	url     string
	store   *store.Store
	engine  *rolesync.Engine
	writer  *rolesync.Writer
	redis   rolesync.Client
	handler *scim.Handler
	traffic *traffic.Recorder
	offset  atomic.Int64 // of the clock that tokens are checked by
}

// newService starts on a fresh SQLite file, or on the PostgreSQL database at url.
func newService(t testing.TB, url string) *service {
	t.Helper()
	if url == "" {
		url = "sqlite:" + filepath.Join(t.TempDir(), "scim.db")
	}
	ctx := context.Background()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	s := &service{t: t}
	var err error
	if s.store, err = store.Open(ctx, store.Options{URL: url, Log: log}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.store.Close() })
	if err := s.store.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	redis, err := rolesync.StartEmbedded()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { redis.Close() })
	if s.redis, err = rolesync.Dial(rolesync.RedisOptions{Addresses: []string{redis.Addr()}, Timeout: time.Second}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.redis.Close() })
	// Nothing runs the writer, unless a test does: SCIM does not wait for Redis.
	s.writer = rolesync.NewWriter(s.store, s.redis, "", log)
	s.engine = rolesync.New(rolesync.Options{Store: s.store, Writer: s.writer, Log: log})
	s.handler = &scim.Handler{Store: s.store, Engine: s.engine, Log: log, RequestID: web.RequestID, MaxBody: 1 << 20}
	s.handler.Now = func() time.Time { return directory.Now().Add(time.Duration(s.offset.Load())) }
	s.traffic = traffic.New(s.store, log) // whom tests tell when to store
	s.handler.Traffic = s.traffic
	router := mux.NewRouter()
	s.handler.Mount(router)
	server := httptest.NewServer(web.Wrap(router, log))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// databases runs a test on SQLite and, where it is installed, on PostgreSQL.
func databases(t *testing.T, test func(t *testing.T, s *service)) {
	t.Run("sqlite", func(t *testing.T) { test(t, newService(t, "")) })
	t.Run("postgres", func(t *testing.T) { test(t, newService(t, testserver.Database(t))) })
}

// tenant is a connection of an organization of its own, and a client with its token.
type tenant struct {
	*service
	organization directory.OrganizationID
	connection   directory.ConnectionID
	token        string
	base         string
}

func (s *service) newTenant() *tenant {
	s.t.Helper()
	tn := &tenant{service: s, organization: directory.NewOrganizationID(), connection: directory.NewConnectionID()}
	now := directory.Now()
	token, stored := credential.New(credential.SCIMToken, now, time.Time{})
	tn.token = token
	tn.transact(func(tx *store.Tx) {
		tx.CreateOrganization(directory.Organization{ID: tn.organization, Name: "Acme", CreatedAt: now})
		tx.CreateConnection(directory.Connection{ID: tn.connection, Kind: directory.SCIM, Name: "Okta", CreatedAt: now})
		tx.CreateToken(stored)
	})
	tn.base = s.url + "/scim/v2/" + string(tn.connection)
	return tn
}

func (tn *tenant) transact(change func(*store.Tx)) {
	tn.t.Helper()
	err := tn.store.Transact(context.Background(), store.Scope{Organization: tn.organization, Connection: tn.connection}, store.Facts,
		func(tx *store.Tx) error { change(tx); return nil })
	if err != nil {
		tn.t.Fatal(err)
	}
}

// response is an answer, read to its end.
type response struct {
	status int
	header http.Header
	text   string
	body   map[string]any
}

// at walks the body: names of members, and indexes of arrays as ints.
func (r response) at(path ...any) any {
	var v any = r.body
	for _, step := range path {
		switch at := v.(type) {
		case map[string]any:
			v = at[step.(string)]
		case []any:
			i, ok := step.(int)
			if !ok || i >= len(at) {
				return nil
			}
			v = at[i]
		default:
			return nil
		}
	}
	return v
}

func (r response) string(path ...any) string {
	s, _ := r.at(path...).(string)
	return s
}

func (r response) len(path ...any) int {
	list, _ := r.at(path...).([]any)
	return len(list)
}

// do sends a request with the tenant's token. Headers are pairs; an empty value
// leaves one out. It is safe in any goroutine.
func (tn *tenant) do(method, path, body string, headers ...string) response {
	if !strings.HasPrefix(path, "http") {
		path = tn.base + path
	}
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	request, err := http.NewRequest(method, path, reader)
	if err != nil {
		tn.t.Error(err)
		return response{}
	}
	request.Header.Set("Authorization", "Bearer "+tn.token)
	request.Header.Set("Content-Type", "application/scim+json")
	for i := 0; i < len(headers); i += 2 {
		request.Header.Del(headers[i])
		if headers[i+1] != "" {
			request.Header.Set(headers[i], headers[i+1])
		}
	}
	answer, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		tn.t.Error(err)
		return response{}
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		tn.t.Error(err)
	}
	r := response{status: answer.StatusCode, header: answer.Header, text: string(text)}
	if len(text) > 0 {
		decoder := json.NewDecoder(bytes.NewReader(text))
		if err := decoder.Decode(&r.body); err != nil {
			tn.t.Errorf("%s %s: the answer is not JSON: %v: %.200s", method, path, err, text)
		}
		if got := answer.Header.Get("Content-Type"); got != "application/scim+json" {
			tn.t.Errorf("%s %s: Content-Type %q", method, path, got)
		}
	}
	return r
}

// must is do for a request whose status is known.
func (tn *tenant) must(status int, method, path, body string, headers ...string) response {
	tn.t.Helper()
	r := tn.do(method, path, body, headers...)
	if r.status != status {
		tn.t.Fatalf("%s %s %.200s = %d %.300s, want %d", method, path, body, r.status, r.text, status)
	}
	return r
}

// fails expects a SCIM error, complete in form.
func (tn *tenant) fails(status int, scimType, detail, method, path, body string, headers ...string) response {
	tn.t.Helper()
	r := tn.do(method, path, body, headers...)
	if r.status != status || r.string("scimType") != scimType || !strings.Contains(r.string("detail"), detail) {
		tn.t.Errorf("%s %s %.200s = %d %.400s, want %d %s with %q", method, path, body, r.status, r.text, status, scimType, detail)
	}
	if r.string("schemas", 0) != "urn:ietf:params:scim:api:messages:2.0:Error" || r.string("status") != strconv.Itoa(r.status) {
		tn.t.Errorf("%s %s: malformed error %s", method, path, r.text)
	}
	return r
}

func (tn *tenant) user(name string) string {
	tn.t.Helper()
	return tn.must(201, "POST", "/Users", `{"userName":"`+name+`"}`).string("id")
}

func (tn *tenant) newGroup(name string, members ...string) string {
	tn.t.Helper()
	return tn.must(201, "POST", "/Groups", `{"displayName":"`+name+`","members":`+memberList(members...)+`}`).string("id")
}

func memberList(ids ...string) string {
	list := make([]map[string]string, len(ids))
	for i, id := range ids {
		list[i] = map[string]string{"value": id}
	}
	b, _ := json.Marshal(list)
	return string(b)
}

func patch(op, path, value string) string {
	p, _ := json.Marshal(path)
	b := `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"` + op + `"`
	if path != "" {
		b += `,"path":` + string(p)
	}
	if value != "" {
		b += `,"value":` + value
	}
	return b + `}]}`
}

func unmarshal(t testing.TB, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatal(err)
	}
}
