package interop

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rolesync/rolesync/claims"
	"github.com/rolesync/rolesync/internal/harness"
	"github.com/rolesync/rolesync/internal/testserver"
)

// A world is the built program on SQLite and a real Redis, with an application that people
// sign in to.
type world struct {
	service     *harness.Service
	first       *harness.Tenant // whose admin key and roles all organizations share
	redis       *testserver.RedisServer
	claims      *claims.Reader
	application application
}

// application is what people sign in to: a server of ours, at the address that the service
// sends them back to.
type application struct {
	ID          string `json:"client_id"`
	Secret      string `json:"client_secret"`
	redirectURI string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w, data := &world{redis: testserver.Redis(t)}, t.TempDir()
	binary, err := harness.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(data, "service.log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = log.Close()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name()) // it helps, if it is there
			t.Logf("the end of the service's log:\n%s", text[max(0, len(text)-8000):])
		}
	})
	w.service, err = harness.New(binary, log, "ROLESYNC_REDIS_URL="+w.redis.URL(), "ROLESYNC_DATA="+data)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.service.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.service.Stop)
	if w.first, err = harness.NewTenant(t.Context(), w.service, "Interop Inc."); err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{Addr: w.redis.Addr()})
	t.Cleanup(func() { _ = client.Close() })
	w.claims = claims.NewReader(client, claims.Keys{})

	callback := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(callback.Close)
	w.admin(t, "POST", "/applications", map[string]any{"name": "Interop", "redirect_uris": []string{callback.URL + "/callback"}}, &w.application)
	w.application.redirectURI = callback.URL + "/callback"
	return w
}

// admin makes a request to the admin API that has to succeed.
func (w *world) admin(t *testing.T, method, path string, body, into any) {
	t.Helper()
	var encoded []byte
	if body != nil {
		var err error
		if encoded, err = json.Marshal(body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.first.Admin(t.Context(), w.service, method, path, encoded, into); err != nil {
		t.Fatal(err)
	}
}

// A connection is one of kind SAML, with an organization of its own and a provider that
// trusts it.
type connection struct {
	*world
	*harness.Tenant // its organization, with a SCIM connection beside
	provider        *provider
	name            string // under which the provider keeps our metadata
	id              string
	url             string // of its pages: …/saml/conn_…
}

// connect makes an organization and its connection to a provider, as an administrator
// does: the provider's metadata goes here, ours goes there. The name is that under which
// the provider keeps ours: "signed", "encrypted".
func (w *world) connect(t *testing.T, p *provider, name string, settings map[string]any) *connection {
	t.Helper()
	tenant, err := harness.NewTenantLike(t.Context(), w.service, p.name+" "+name, w.first)
	if err != nil {
		t.Fatal(err)
	}
	saml := map[string]any{"metadata_xml": string(p.metadataXML(t)), "sign_requests": true}
	for _, more := range []map[string]any{p.settings, settings} {
		for setting, value := range more {
			saml[setting] = value
		}
	}
	var created struct {
		ID string `json:"id"`
	}
	w.admin(t, "POST", "/organizations/"+tenant.Organization+"/connections", map[string]any{"name": p.name, "kind": "saml", "saml": saml}, &created)
	c := &connection{world: w, Tenant: tenant, provider: p, name: name, id: created.ID, url: w.service.URL() + "/saml/" + created.ID}
	c.tellMetadata(t)
	return c
}

// tellMetadata gives the provider our metadata as it is now.
func (c *connection) tellMetadata(t *testing.T) {
	t.Helper()
	c.provider.trust(t, c.name, fetch(t, c.url+"/metadata"))
}

// path is that of the connection in the admin API.
func (c *connection) path() string {
	return "/organizations/" + c.Organization + "/connections/" + c.id
}

// attempt is a login that an application has asked for.
type attempt struct {
	state, verifier string
	address         string // where the browser begins
}

// ask makes an authorization request (RFC 6749 §4.1.1) with PKCE (RFC 7636).
func (c *connection) ask() attempt {
	a := attempt{state: rand.Text(), verifier: rand.Text() + rand.Text()}
	challenge := sha256.Sum256([]byte(a.verifier))
	a.address = c.url + "/login?" + url.Values{
		"response_type": {"code"}, "client_id": {c.application.ID}, "redirect_uri": {c.application.redirectURI}, "state": {a.state},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}.Encode()
	return a
}

// answer is what POST /sso/token gives for a code.
type answer struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	Profile     struct {
		Subject    string `json:"sub"`
		Email      string `json:"email"`
		GivenName  string `json:"given_name"`
		FamilyName string `json:"family_name"`
	} `json:"profile"`
	Assignment claims.Assignment `json:"assignment"`
	Published  bool              `json:"published"`
}

// redeem reads the code out of the address that the browser came back to, and exchanges
// it. The verifier is "" for a login that nobody had asked for.
func (c *connection) redeem(t *testing.T, b *browser, end page, state, verifier string) answer {
	t.Helper()
	query := end.url.Query()
	if !strings.HasPrefix(end.url.String(), c.application.redirectURI+"?") || query.Get("code") == "" {
		t.Fatalf("the browser ended at %s with status %d, want a code at %s:\n%s\nthe way:\n%s\nthe connection's failures: %+v",
			end.url, end.status, c.application.redirectURI, end.body, strings.Join(b.visits, "\n"), c.failures(t))
	}
	if query.Get("state") != state || query.Get("iss") != c.service.URL() {
		t.Errorf("the answer has state %q and iss %q, want %q and %q", query.Get("state"), query.Get("iss"), state, c.service.URL())
	}
	form := url.Values{"grant_type": {"authorization_code"}, "code": {query.Get("code")}, "redirect_uri": {c.application.redirectURI}}
	if verifier != "" {
		form.Set("code_verifier", verifier)
	}
	request, err := http.NewRequestWithContext(t.Context(), "POST", c.service.URL()+"/sso/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(c.application.ID, c.application.Secret)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("POST /sso/token = %s %s, %v", response.Status, body, err)
	}
	var a answer
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&a); err != nil {
		t.Fatalf("POST /sso/token = %s: %v", body, err)
	}
	return a
}

// epoch is that of a person in Redis.
func (c *connection) epoch(t *testing.T, subject string) int64 {
	t.Helper()
	a, err := c.claims.Assignment(t.Context(), c.Organization, subject)
	if err != nil {
		t.Fatal(err)
	}
	return a.Epoch
}

// epochRises waits until Redis has a higher epoch than before: the writer carries it there
// after the answer.
func (c *connection) epochRises(t *testing.T, subject string, before int64) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for c.epoch(t, subject) <= before {
		if time.Now().After(deadline) {
			t.Fatalf("the epoch of %s is still %d", subject, before)
		}
		select {
		case <-t.Context().Done():
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// userinfo is the status of an answer to an access token.
func (c *connection) userinfo(t *testing.T, token string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), "GET", c.service.URL()+"/sso/userinfo", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	return response.StatusCode
}

// A failure is a request of the connection that was refused.
type failure struct{ Kind, Code, Detail, Request string }

// failures are the newest ones, newest first. They are written behind the answer, so it
// waits until there is one if there has to be.
func (c *connection) failures(t *testing.T) []failure {
	t.Helper()
	var list struct {
		Items []failure `json:"items"`
	}
	deadline := time.Now().Add(5 * time.Second)
	for len(list.Items) == 0 && time.Now().Before(deadline) {
		c.admin(t, "GET", c.path()+"/failures", nil, &list)
		select {
		case <-t.Context().Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
	return list.Items
}
