package sso_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/sso"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/internal/testserver"
	rolesync "github.com/rolesync/rolesync/sync"
)

const (
	issuer   = "https://roles.example"
	verifier = "0123456789-0123456789-0123456789-0123456789"
)

// world is a service, an organization with one user, and two applications.
type world struct {
	t            *testing.T
	url          string
	store        *store.Store
	engine       *rolesync.Engine
	service      *sso.Service
	offset       atomic.Int64 // of the clock
	organization directory.OrganizationID
	connection   directory.ConnectionID
	user         directory.UserID
	app, other   application
}

type application struct{ id, secret, redirect string }

func databases(t *testing.T, test func(t *testing.T, w *world)) {
	t.Run("sqlite", func(t *testing.T) { test(t, newWorld(t, "sqlite:"+filepath.Join(t.TempDir(), "sso.db"))) })
	t.Run("postgres", func(t *testing.T) { test(t, newWorld(t, testserver.Database(t))) })
}

func newWorld(t *testing.T, database string) *world {
	t.Helper()
	ctx := context.Background()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	w := &world{t: t, organization: directory.NewOrganizationID(), connection: directory.NewConnectionID(), user: directory.NewUserID()}
	var err error
	if w.store, err = store.Open(ctx, store.Options{URL: database, Log: log}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.store.Close() })
	if err := w.store.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	sealer, err := credential.NewSealer([]credential.SealingKey{{ID: "test"}})
	if err != nil {
		t.Fatal(err)
	}
	redis, err := rolesync.StartEmbedded()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { redis.Close() })
	client, err := rolesync.Dial(rolesync.RedisOptions{Addresses: []string{redis.Addr()}, Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	// Nothing runs the writer: what is published is not.
	w.engine = rolesync.New(rolesync.Options{Store: w.store, Writer: rolesync.NewWriter(w.store, client, "rolesync", log), Log: log})
	w.service = &sso.Service{
		Store: w.store, Log: log, Sealer: sealer, Issuer: issuer,
		Now: func() time.Time { return directory.Now().Add(time.Duration(w.offset.Load())) },
	}
	router := mux.NewRouter()
	w.service.Mount(router)
	server := httptest.NewServer(router)
	t.Cleanup(server.Close)
	w.url = server.URL

	now := directory.Now()
	w.transact(store.Scope{Organization: w.organization, Connection: w.connection}, func(tx *store.Tx) {
		tx.CreateOrganization(directory.Organization{ID: w.organization, Name: "Acme", CreatedAt: now})
		tx.CreateConnection(directory.Connection{ID: w.connection, Kind: directory.SCIM, Name: "Okta", CreatedAt: now})
	})
	w.change(func(tx *rolesync.Tx) error {
		tx.CreateUser(directory.User{
			ID: w.user, Organization: w.organization, Connection: w.connection, UserName: "anna", Email: "anna@acme.example", Active: true,
			Resource: []byte(`{"userName":"anna","name":{"givenName":"Anna","familyName":"Ek"}}`), CreatedAt: now, ModifiedAt: now, Revision: 1,
		})
		return nil
	})
	w.app, w.other = w.newApplication("https://app.example/cb"), w.newApplication("https://other.example/cb")
	return w
}

func (w *world) transact(scope store.Scope, change func(*store.Tx)) {
	w.t.Helper()
	err := w.store.Transact(context.Background(), scope, store.Facts, func(tx *store.Tx) error { change(tx); return nil })
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) change(do func(*rolesync.Tx) error) {
	w.t.Helper()
	by := rolesync.Author{Organization: w.organization, Connection: w.connection, Name: "test"}
	if err := w.engine.Change(context.Background(), by, do); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) setActive(active bool) {
	w.t.Helper()
	w.change(func(tx *rolesync.Tx) error {
		u, err := tx.User(w.user)
		u.Active, u.Revision = active, u.Revision+1
		tx.PutUser(u)
		return err
	})
}

func (w *world) newApplication(redirects ...string) application {
	w.t.Helper()
	secret, stored := credential.New(credential.ApplicationSecret, directory.Now(), time.Time{})
	a := application{directory.NewClientID(), secret, redirects[0]}
	w.transact(store.Scope{}, func(tx *store.Tx) {
		tx.CreateApplication(store.Application{ID: a.id, Name: "App", RedirectURIs: redirects, CreatedAt: directory.Now()})
		tx.CreateApplicationSecret(a.id, stored)
	})
	return a
}

func challenge(verifier string) string {
	hash := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(hash[:])
}

// code is a code of the application for the user, as a login stores one.
func (w *world) code(a application) string {
	w.t.Helper()
	r, err := w.service.Authorize(context.Background(), url.Values{
		"response_type": {"code"}, "client_id": {a.id}, "redirect_uri": {a.redirect},
		"code_challenge": {challenge(verifier)}, "code_challenge_method": {"S256"},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.keep(w.service.NewCode(w.organization, w.connection, r))
}

func (w *world) keep(c sso.Code) string {
	w.t.Helper()
	assignment, err := w.store.Assignment(context.Background(), w.organization, w.user)
	if err != nil {
		w.t.Fatal(err)
	}
	w.transact(store.Scope{Organization: w.organization}, func(tx *store.Tx) {
		tx.CreateCode(c.ID, c.Document(w.user, assignment.Epoch), c.ExpiresAt)
	})
	return c.Value
}

// answer is what either endpoint says.
type answer struct {
	status      int
	header      http.Header
	Error       string
	AccessToken string `json:"access_token"`
	Profile     sso.Profile
	Published   bool
	Assignment  json.RawMessage
}

func (w *world) do(r *http.Request) answer {
	w.t.Helper()
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = got.Body.Close() }()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	a := answer{status: got.StatusCode, header: got.Header}
	if err := json.Unmarshal(text, &a); err != nil {
		w.t.Fatalf("%s: %v", text, err)
	}
	if got.Header.Get("Cache-Control") != "no-store" || got.Header.Get("Content-Type") != "application/json" {
		w.t.Errorf("headers of %s: %v", text, got.Header)
	}
	return a
}

// form is the body of an exchange, with changes: a name and its value, "" for none.
func (a application) form(code string, changes ...string) url.Values {
	v := url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {a.redirect}, "code_verifier": {verifier},
		"client_id": {a.id}, "client_secret": {a.secret},
	}
	for i := 0; i < len(changes); i += 2 {
		v.Del(changes[i])
		if changes[i+1] != "" {
			v.Set(changes[i], changes[i+1])
		}
	}
	return v
}

func (w *world) post(body string, headers ...string) answer {
	w.t.Helper()
	r, err := http.NewRequest("POST", w.url+"/sso/token", strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return w.do(r)
}

func (w *world) userinfo(headers ...string) answer {
	w.t.Helper()
	r, err := http.NewRequest("GET", w.url+"/sso/userinfo", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return w.do(r)
}
