package saml_test

import (
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/rolesync/rolesync/claims"
	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/sso"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/internal/testserver"
	"github.com/rolesync/rolesync/internal/traffic"
	"github.com/rolesync/rolesync/internal/web"
	"github.com/rolesync/rolesync/mapping"
	"github.com/rolesync/rolesync/saml"
	"github.com/rolesync/rolesync/saml/samltest"
	rolesync "github.com/rolesync/rolesync/sync"
)

// service is the real thing, from the listener to the database and Redis.
type service struct {
	t       testing.TB
	url     string // of the listener
	store   *store.Store
	redis   rolesync.Client
	engine  *rolesync.Engine
	writer  *rolesync.Writer
	handler *saml.Handler
	sso     *sso.Service
	sealer  *credential.Sealer
	traffic *traffic.Recorder
	log     *logBuffer
	offset  atomic.Int64 // of the clock of HTTP
}

// options of a service; the zero value is a fresh SQLite file and an embedded Redis.
type options struct {
	database, redis string // URL; address
	base            string // the public URL; "": that of the listener
	tls             bool
	still           bool // nothing carries assignments to Redis
	quiet           bool // nothing is logged, for a benchmark
}

var testSealer = sync.OnceValue(func() *credential.Sealer {
	sealer, err := credential.NewSealer([]credential.SealingKey{{ID: "test"}})
	if err != nil {
		panic(err)
	}
	return sealer
})

func newService(t testing.TB, o options) *service {
	t.Helper()
	if o.database == "" {
		o.database = "sqlite:" + filepath.Join(t.TempDir(), "saml.db")
	}
	s := &service{t: t, log: &logBuffer{}, sealer: testSealer()}
	log := slog.New(slog.NewTextHandler(io.MultiWriter(s.log, t.Output()), &slog.HandlerOptions{Level: slog.LevelDebug}))
	if o.quiet {
		log = slog.New(slog.DiscardHandler)
	}
	ctx, stop := context.WithCancel(context.Background())
	var err error
	if s.store, err = store.Open(ctx, store.Options{URL: o.database, Log: log}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.store.Close() })
	if err := s.store.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	if o.redis == "" {
		embedded, err := rolesync.StartEmbedded()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { embedded.Close() })
		o.redis = embedded.Addr()
	}
	if s.redis, err = rolesync.Dial(rolesync.RedisOptions{Addresses: []string{o.redis}, Timeout: time.Second}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.redis.Close() })
	s.writer = rolesync.NewWriter(s.store, s.redis, "rolesync", log)
	s.engine = rolesync.New(rolesync.Options{Store: s.store, Writer: s.writer, Log: log})
	s.traffic = traffic.New(s.store, log)

	var server *httptest.Server
	router := mux.NewRouter().SkipClean(true).UseEncodedPath()
	router.Use(web.Routed)
	server = httptest.NewUnstartedServer(web.Wrap(router, log))
	if o.tls {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	s.url = server.URL
	if o.base == "" {
		o.base = s.url
	}
	now := func() time.Time { return directory.Now().Add(time.Duration(s.offset.Load())) }
	s.sso = &sso.Service{Store: s.store, Log: log, Sealer: s.sealer, Issuer: o.base, Now: now, RequestID: web.RequestID}
	s.handler = &saml.Handler{
		Store: s.store, Engine: s.engine, Writer: s.writer, SSO: s.sso, Sealer: s.sealer, Log: log,
		BaseURL: o.base, Now: now, RequestID: web.RequestID, Traffic: s.traffic,
	}
	s.sso.Mount(router)
	s.handler.Mount(router)

	var running sync.WaitGroup
	running.Go(func() { s.engine.Run(ctx) })
	if !o.still {
		running.Go(func() { s.writer.Run(ctx) })
	}
	t.Cleanup(func() { stop(); running.Wait() })
	return s
}

// databases runs a test on SQLite and, where they are installed, on PostgreSQL with a real
// Redis.
func databases(t *testing.T, test func(t *testing.T, s *service)) {
	t.Run("sqlite", func(t *testing.T) { test(t, newService(t, options{})) })
	t.Run("postgres", func(t *testing.T) {
		test(t, newService(t, options{database: testserver.Database(t), redis: testserver.Redis(t).Addr()}))
	})
}

// transact changes what an admin would.
func (s *service) transact(scope store.Scope, lock store.Lock, change func(*store.Tx) error) {
	s.t.Helper()
	if err := s.store.Transact(context.Background(), scope, lock, change); err != nil {
		s.t.Fatal(err)
	}
}

// application is what people sign in to.
type application struct {
	id, secret, redirect string
}

func (s *service) newApplication(redirects ...string) *application {
	s.t.Helper()
	if len(redirects) == 0 {
		redirects = []string{"https://app.example/callback"}
	}
	secret, stored := credential.New(credential.ApplicationSecret, directory.Now(), time.Time{})
	a := &application{id: directory.NewClientID(), secret: secret, redirect: redirects[0]}
	s.transact(store.Scope{}, store.Facts, func(tx *store.Tx) error {
		tx.CreateApplication(store.Application{ID: a.id, Name: "App", RedirectURIs: redirects, CreatedAt: directory.Now()})
		tx.CreateApplicationSecret(a.id, stored)
		return nil
	})
	return a
}

// tenant is a SAML connection of an organization of its own, with its provider.
type tenant struct {
	*service
	organization directory.OrganizationID
	connection   directory.ConnectionID
	provider     *samltest.Provider
	base         string // of the connection, at the listener
	answer       func(samltest.Request) samltest.Message
}

// sharedProvider signs with one key for all tenants, as that of a provider with many.
func sharedProvider() *samltest.Provider { return samltest.New("https://idp.example") }

// newTenant makes a connection. The provider signs as who is named: two tenants may share
// one.
func (s *service) newTenant(name string, change func(*directory.SAMLSettings)) *tenant {
	s.t.Helper()
	tn := &tenant{service: s, organization: directory.NewOrganizationID(), connection: directory.NewConnectionID()}
	tn.provider = sharedProvider()
	tn.provider.EntityID = "https://" + name + ".idp.example/metadata"
	server := httptest.NewServer(tn.provider.Handler())
	s.t.Cleanup(server.Close)
	tn.provider.URL = server.URL
	tn.provider.Answer = func(r samltest.Request) samltest.Message {
		if tn.answer != nil {
			return tn.answer(r)
		}
		return samltest.Message{NameID: "anna@acme.example", Groups: []string{"Everyone", "Admins"}}
	}
	tn.base = s.url + "/saml/" + string(tn.connection)
	s.transact(store.Scope{Organization: tn.organization}, store.Rules, func(tx *store.Tx) error {
		tx.CreateOrganization(directory.Organization{ID: tn.organization, Name: name, CreatedAt: directory.Now()})
		return nil
	})
	tn.create(tn.connection, change)
	return tn
}

func (tn *tenant) scope() store.Scope {
	return store.Scope{Organization: tn.organization, Connection: tn.connection}
}

// create makes a SAML connection of the tenant, with keys of ours.
func (tn *tenant) create(id directory.ConnectionID, change func(*directory.SAMLSettings)) {
	tn.t.Helper()
	p := tn.provider
	settings := directory.SAMLSettings{
		Provider: directory.IdentityProvider{
			EntityID: p.EntityID, SSORedirectURL: p.URL + "/sso",
			Certificates: []directory.ProviderCertificate{{DER: p.Certificate().Raw}},
		},
		ClockSkew: directory.DefaultClockSkew, JustInTime: true,
	}
	if change != nil {
		change(&settings)
	}
	tn.transact(store.Scope{Organization: tn.organization, Connection: id}, store.Rules, func(tx *store.Tx) error {
		tx.CreateConnection(directory.Connection{ID: id, Kind: directory.SAML, Name: "Okta", CreatedAt: directory.Now()})
		if err := tx.CreateSAML(settings, store.SAMLFetch{}); err != nil {
			return err
		}
		tx.SetSAMLDomains(settings.EmailDomains)
		for _, use := range []directory.KeyUse{directory.Signing, directory.Encryption} {
			tx.CreateSAMLKey(tn.newKey(id, use))
		}
		return nil
	})
}

func ourKey(use directory.KeyUse) *rsa.PrivateKey {
	return samltest.Key(samltest.RSA2048, "ours "+string(use)).(*rsa.PrivateKey)
}

func ourCertificate(use directory.KeyUse) *x509.Certificate {
	return samltest.SelfSigned(ourKey(use), "rolesync", time.Now().AddDate(5, 0, 0))
}

func (tn *tenant) newKey(connection directory.ConnectionID, use directory.KeyUse) directory.SAMLKey {
	der, err := x509.MarshalPKCS8PrivateKey(ourKey(use))
	if err != nil {
		tn.t.Fatal(err)
	}
	k := directory.SAMLKey{ID: directory.NewKeyID(), Use: use, Active: use == directory.Signing, Certificate: ourCertificate(use).Raw, CreatedAt: directory.Now()}
	k.Sealed = tn.sealer.Seal(der, k.SealContext(connection))
	return k
}

// set changes the settings, as an admin would in this process.
func (tn *tenant) set(change func(*directory.SAMLSettings)) {
	tn.t.Helper()
	c, err := tn.store.Connection(context.Background(), tn.connection)
	if err != nil {
		tn.t.Fatal(err)
	}
	change(c.SAML)
	tn.transact(tn.scope(), store.Rules, func(tx *store.Tx) error { return tx.PutSAML(*c.SAML, c.SAMLRevision) })
	tn.handler.Forget(tn.connection)
}

// rules gives the members of Admins the role admin, and says what others get.
func (tn *tenant) rules(otherwise mapping.OnNoMatch) {
	tn.t.Helper()
	ctx := context.Background()
	role := mapping.Role{Key: "admin", Name: "Admin", Rank: 100, Permissions: []mapping.Permission{"billing:view"}}
	if err := tn.engine.PutRole(ctx, rolesync.Author{Name: "test"}, role); err != nil {
		tn.t.Fatal(err)
	}
	set := mapping.RuleSet{OnNoMatch: otherwise, Rules: []mapping.Rule{{
		ID: "admins", Name: "Admins are admins", When: mapping.Condition{Group: mapping.GroupMatcher{Name: "admins"}}, Grant: mapping.Grant{Roles: []mapping.RoleKey{"admin"}},
	}}}
	by := rolesync.Author{Organization: tn.organization, Name: "test"}
	if _, err := tn.engine.PublishRules(ctx, by, set, rolesync.AnyVersion, ""); err != nil {
		tn.t.Fatal(err)
	}
}

// failures returns what the admin of the connection sees, newest first.
func (tn *tenant) failures() []store.Failure {
	tn.t.Helper()
	if err := tn.traffic.Flush(context.Background()); err != nil {
		tn.t.Fatal(err)
	}
	list, err := tn.store.Failures(context.Background(), tn.scope(), "", 100)
	if err != nil {
		tn.t.Fatal(err)
	}
	return list
}

// assignment is what Redis says of a user; ok reports whether it says anything.
func (tn *tenant) assignment(user string) (a claims.Assignment, ok bool) {
	tn.t.Helper()
	text, err := tn.redis.HGet(context.Background(), "rolesync:{"+string(tn.organization)+"}:assignments", user).Result()
	if err != nil {
		return a, false
	}
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		tn.t.Fatal(err)
	}
	return a, true
}

// browser keeps cookies, follows redirects up to an application, and fills in no form by
// itself.
type browser struct {
	t      testing.TB
	client *http.Client
}

func (s *service) newBrowser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return &browser{s.t, &http.Client{Jar: jar, Timeout: 20 * time.Second, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if !strings.HasPrefix(r.URL.Host, "127.0.0.1:") {
			return http.ErrUseLastResponse
		}
		return nil
	}}}
}

// page is what a browser ends at.
type page struct {
	status   int
	url      *url.URL // where it is
	location *url.URL // where it would go, outside of this machine; nil: nowhere
	header   http.Header
	text     string
}

func (b *browser) read(r *http.Response, err error) page {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	p := page{status: r.StatusCode, url: r.Request.URL, header: r.Header, text: styleElement.ReplaceAllString(string(text), "")}
	if r.StatusCode >= 300 && r.StatusCode < 400 {
		if p.location, err = r.Location(); err != nil {
			b.t.Fatal(err)
		}
	}
	return p
}

func (b *browser) get(address string) page {
	b.t.Helper()
	return b.read(b.client.Get(address))
}

func (b *browser) post(address string, form url.Values) page {
	b.t.Helper()
	return b.read(b.client.PostForm(address, form))
}

var (
	styleElement = regexp.MustCompile(`(?s)<style>.*</style>`)
	formAction   = regexp.MustCompile(`<form[^>]* action="([^"]*)"`)
	formField    = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// form is what the page would post, and where.
func (p page) form(t testing.TB) (action string, fields url.Values) {
	t.Helper()
	found := formAction.FindStringSubmatch(p.text)
	if found == nil {
		t.Fatalf("there is no form on %s (%d):\n%s", p.url, p.status, p.text)
	}
	fields = url.Values{}
	for _, field := range formField.FindAllStringSubmatch(p.text, -1) {
		fields.Add(field[1], html.UnescapeString(field[2]))
	}
	return html.UnescapeString(found[1]), fields
}

// submit posts the form of a page.
func (b *browser) submit(p page) page {
	b.t.Helper()
	action, fields := p.form(b.t)
	return b.post(action, fields)
}

var referenceText = regexp.MustCompile(`<p class="reference">([0-9A-Z]{8})</p>`)

// reference is what an error page shows; "": it is none.
func (p page) reference() string {
	if found := referenceText.FindStringSubmatch(p.text); found != nil {
		return found[1]
	}
	return ""
}

const verifierText = "verifier-verifier-verifier-verifier-verifier-1"

func challengeOf(verifier string) string {
	hash := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(hash[:])
}

// asks is an authorization request of the application.
func (a *application) asks(change ...string) url.Values {
	v := url.Values{
		"response_type": {"code"}, "client_id": {a.id}, "redirect_uri": {a.redirect}, "state": {"st&te=1"},
		"code_challenge": {challengeOf(verifierText)}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(change); i += 2 {
		v.Del(change[i])
		if change[i+1] != "" {
			v.Set(change[i], change[i+1])
		}
	}
	return v
}

// begin opens the login address of the connection, up to the provider's page with the
// answer.
func (tn *tenant) begin(b *browser, a *application) page {
	tn.t.Helper()
	return b.get(tn.base + "/login?" + a.asks().Encode())
}

// login signs somebody in, up to the redirect to the application.
func (tn *tenant) login(b *browser, a *application) page {
	tn.t.Helper()
	return b.submit(tn.begin(b, a))
}

// code is what a page brings to the application.
func (p page) code(t testing.TB) string {
	t.Helper()
	if p.status != http.StatusSeeOther || p.location == nil || p.location.Query().Get("code") == "" {
		t.Fatalf("%s = %d to %v, want a code; %s", p.url, p.status, p.location, p.text)
	}
	return p.location.Query().Get("code")
}

// token is an answer of the token endpoint, or of userinfo.
type token struct {
	status           int
	header           http.Header
	Error            string
	ErrorDescription string `json:"error_description"`
	AccessToken      string `json:"access_token"`
	TokenType        string `json:"token_type"`
	ExpiresIn        int    `json:"expires_in"`
	Profile          sso.Profile
	Assignment       claims.Assignment
	Published        bool
}

func (s *service) ask(r *http.Request) token {
	s.t.Helper()
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	var tk token
	if err := json.Unmarshal(text, &tk); err != nil {
		// An error has no assignment.
		var failed struct {
			Error            string
			ErrorDescription string `json:"error_description"`
		}
		if err := json.Unmarshal(text, &failed); err != nil {
			s.t.Fatalf("%s: %v", text, err)
		}
		tk = token{Error: failed.Error, ErrorDescription: failed.ErrorDescription}
	}
	tk.status, tk.header = answer.StatusCode, answer.Header
	return tk
}

// exchange presents a code. The change is of the parameters, as in asks.
func (s *service) exchange(a *application, code string, change ...string) token {
	s.t.Helper()
	v := url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {a.redirect}, "code_verifier": {verifierText},
		"client_id": {a.id}, "client_secret": {a.secret},
	}
	for i := 0; i < len(change); i += 2 {
		v.Del(change[i])
		if change[i+1] != "" {
			v.Set(change[i], change[i+1])
		}
	}
	r, err := http.NewRequest("POST", s.url+"/sso/token", strings.NewReader(v.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return s.ask(r)
}

func (s *service) userinfo(accessToken string) token {
	s.t.Helper()
	r, err := http.NewRequest("GET", s.url+"/sso/userinfo", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if accessToken != "" {
		r.Header.Set("Authorization", "Bearer "+accessToken)
	}
	return s.ask(r)
}

type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder // guarded by mu
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
