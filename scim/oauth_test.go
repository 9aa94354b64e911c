package scim_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/mux"

	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
)

// newClient makes an OAuth client of the tenant's connection.
func (tn *tenant) newClient(expires time.Time) (id, secret string) {
	tn.t.Helper()
	secret, stored := credential.New(credential.ClientSecret, directory.Now(), expires)
	stored.ID = directory.NewClientID()
	tn.transact(func(tx *store.Tx) { tx.CreateClient(stored) })
	return stored.ID, secret
}

// granted is what the token endpoint answers.
type granted struct {
	status int
	header http.Header
	text   string

	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"`
	Error       string
	Description string `json:"error_description"`
}

// ask sends a form to a token endpoint, as an OAuth client does. Headers are pairs.
func ask(t testing.TB, method, endpoint, form string, headers ...string) granted {
	t.Helper()
	request, err := http.NewRequest(method, endpoint, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Content-Type" {
			request.Header.Del(headers[i])
		}
		request.Header.Add(headers[i], headers[i+1])
	}
	answer, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	g := granted{status: answer.StatusCode, header: answer.Header, text: string(text)}
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatalf("%s: %v in %s", endpoint, err, text)
	}
	for name, want := range map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store", "Pragma": "no-cache"} {
		if got := answer.Header.Get(name); got != want {
			t.Errorf("%s = %q, want %q (RFC 6749 §5.1)", name, got, want)
		}
	}
	return g
}

func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
}

func inBody(id, secret string) string {
	return url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}}.Encode()
}

func (tn *tenant) tokenURL() string { return tn.base + "/oauth/token" }

// grant gets a token, which must succeed.
func (tn *tenant) grant(id, secret string) string {
	tn.t.Helper()
	g := ask(tn.t, "POST", tn.tokenURL(), inBody(id, secret))
	if g.status != 200 {
		tn.t.Fatalf("no token: %d %s", g.status, g.text)
	}
	return g.AccessToken
}

// opens reports whether a bearer token opens the tenant's connection.
func (tn *tenant) opens(token string) bool {
	tn.t.Helper()
	status := tn.do("GET", "/Users?count=0", "", "Authorization", "Bearer "+token).status
	if status != 200 && status != 401 {
		tn.t.Errorf("a token is answered %d", status)
	}
	return status == 200
}

func TestClientIsGivenATokenThatWorksForAnHour(t *testing.T) {
	databases(t, func(t *testing.T, s *service) {
		tn, other := s.newTenant(), s.newTenant()
		id, secret := tn.newClient(time.Time{})
		var tokens []string
		for name, got := range map[string]granted{
			"by Basic":        ask(t, "POST", tn.tokenURL(), "grant_type=client_credentials", "Authorization", basic(id, secret)),
			"as Okta sends":   ask(t, "POST", tn.tokenURL(), "grant_type=client_credentials&scope=", "Authorization", "basic "+strings.TrimPrefix(basic(id, secret), "Basic ")),
			"in the body":     ask(t, "POST", tn.tokenURL(), inBody(id, secret)),
			"as Entra sends":  ask(t, "POST", tn.tokenURL(), inBody(id, secret)+"&scope=x+y&resource=z"),
			"with both names": ask(t, "POST", tn.tokenURL(), "grant_type=client_credentials&client_secret=&client_id="+id, "Authorization", basic(id, secret)),
		} {
			if got.status != 200 || got.TokenType != "Bearer" || got.ExpiresIn != 3600 || !strings.HasPrefix(got.AccessToken, credential.AccessToken) || len(got.AccessToken) < 40 {
				t.Errorf("%s: %d %s", name, got.status, got.text)
			}
			tokens = append(tokens, got.AccessToken)
		}
		for _, token := range tokens {
			if !tn.opens(token) || other.opens(token) {
				t.Error("the token does not open its connection, or another one")
			}
		}
		s.offset.Store(int64(time.Hour))
		for _, token := range tokens {
			if tn.opens(token) {
				t.Error("the token works after its time")
			}
		}
		if !tn.opens(tn.token) {
			t.Error("the connection's own token does not work beside")
		}
	})
}

func TestTokenEndsWithItsClient(t *testing.T) {
	s := newService(t, "")
	tn := s.newTenant()
	id, secret := tn.newClient(directory.Now().Add(90 * time.Second))
	g := ask(t, "POST", tn.tokenURL(), inBody(id, secret))
	if g.ExpiresIn < 80 || g.ExpiresIn > 90 {
		t.Errorf("a client that ends in 90 s is given a token for %d s", g.ExpiresIn)
	}
	s.offset.Store(int64(90 * time.Second))
	if tn.opens(g.AccessToken) {
		t.Error("the token outlives its client")
	}
	if g := ask(t, "POST", tn.tokenURL(), inBody(id, secret)); g.status != 401 {
		t.Errorf("an expired client is answered %d", g.status)
	}
}

func TestDeletedClientIsOutAtOnce(t *testing.T) {
	databases(t, func(t *testing.T, s *service) {
		tn := s.newTenant()
		id, secret := tn.newClient(time.Time{})
		kept, keptSecret := tn.newClient(time.Time{})
		ended, stays := tn.grant(id, secret), tn.grant(kept, keptSecret)
		if !tn.opens(ended) || !tn.opens(stays) {
			t.Fatal("a token does not work")
		}
		tn.transact(func(tx *store.Tx) { tx.DeleteClient(id) })
		// As another process, which still holds the client in memory.
		if g := ask(t, "POST", tn.tokenURL(), inBody(id, secret)); g.status != 401 || g.Error != "invalid_client" {
			t.Errorf("a deleted client is answered %d %s", g.status, g.text)
		}
		s.handler.Forget(tn.connection)
		if tn.opens(ended) {
			t.Error("a token of a deleted client works")
		}
		if !tn.opens(stays) || !tn.opens(tn.token) || !tn.opens(tn.grant(kept, keptSecret)) {
			t.Error("what was not deleted does not work")
		}

		third, thirdSecret := tn.newClient(time.Time{})
		tn.transact(func(tx *store.Tx) { tx.KeepClients(1) })
		s.handler.Forget(tn.connection)
		if tn.opens(stays) || !tn.opens(tn.grant(third, thirdSecret)) {
			t.Error("after a rotation, an old token works, or a new one does not")
		}
	})
}

func TestDisabledConnectionGivesNoToken(t *testing.T) {
	s := newService(t, "")
	tn := s.newTenant()
	id, secret := tn.newClient(time.Time{})
	token := tn.grant(id, secret)
	tn.transact(func(tx *store.Tx) { tx.DisableConnection() })
	s.handler.Forget(tn.connection)
	if g := ask(t, "POST", tn.tokenURL(), inBody(id, secret)); g.status != 400 || g.Error != "unauthorized_client" || !strings.Contains(g.Description, "disabled") {
		t.Errorf("answer = %d %s", g.status, g.text)
	}
	if g := ask(t, "POST", tn.tokenURL(), inBody(id, "wrong")); g.Error != "invalid_client" {
		t.Errorf("answer to a wrong secret = %d %s", g.status, g.text)
	}
	tn.fails(403, "", "frozen", "GET", "/Users", "", "Authorization", "Bearer "+token)
}

func TestTokenEndpointRefuses(t *testing.T) {
	s := newService(t, "")
	tn, other := s.newTenant(), s.newTenant()
	id, secret := tn.newClient(time.Time{})
	otherID, otherSecret := other.newClient(time.Time{})
	access := tn.grant(id, secret)
	good := inBody(id, secret)
	unknown := s.url + "/scim/v2/" + string(directory.NewConnectionID()) + "/oauth/token"
	description := regexp.MustCompile(`^[\x20-\x21\x23-\x5B\x5D-\x7E]+$`) // RFC 6749 §5.2
	refused := map[string]bool{}
	for _, tt := range []struct {
		name, url, form string
		headers         []string
		status          int
		code, names     string
	}{
		{"no credentials", tn.tokenURL(), "grant_type=client_credentials", nil, 401, "invalid_client", ""},
		{"an empty secret", tn.tokenURL(), inBody(id, ""), nil, 401, "invalid_client", ""},
		{"a wrong secret", tn.tokenURL(), inBody(id, secret+"x"), nil, 401, "invalid_client", ""},
		{"a wrong secret by Basic", tn.tokenURL(), "grant_type=client_credentials", []string{"Authorization", basic(id, "x")}, 401, "invalid_client", ""},
		{"a Basic that is none", tn.tokenURL(), "grant_type=client_credentials&client_id=" + id, []string{"Authorization", "Basic !"}, 401, "invalid_client", ""},
		{"a Basic with a bad escape", tn.tokenURL(), "grant_type=client_credentials", []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":%zz"))}, 401, "invalid_client", ""},
		{"an unknown client", tn.tokenURL(), inBody(directory.NewClientID(), secret), nil, 401, "invalid_client", ""},
		{"a malformed client", tn.tokenURL(), inBody("me", secret), nil, 401, "invalid_client", ""},
		{"another connection's client", tn.tokenURL(), inBody(otherID, otherSecret), nil, 401, "invalid_client", ""},
		{"a client's id, another's secret", tn.tokenURL(), inBody(id, otherSecret), nil, 401, "invalid_client", ""},
		{"a bearer token as secret", tn.tokenURL(), inBody(id, tn.token), nil, 401, "invalid_client", ""},
		{"an access token as secret", tn.tokenURL(), inBody(id, access), nil, 401, "invalid_client", ""},
		{"a bearer token", tn.tokenURL(), "grant_type=client_credentials", []string{"Authorization", "Bearer " + tn.token}, 401, "invalid_client", ""},
		{"a connection that does not exist", unknown, good, nil, 401, "invalid_client", ""},
		{"a connection whose id is malformed", s.url + "/scim/v2/conn_1/oauth/token", good, nil, 401, "invalid_client", ""},

		{"two ways at once", tn.tokenURL(), good, []string{"Authorization", basic(id, secret)}, 400, "invalid_request", "more than one way"},
		{"two headers", tn.tokenURL(), "grant_type=client_credentials", []string{"Authorization", basic(id, secret), "Authorization", basic(id, secret)}, 400, "invalid_request", "more than one way"},
		{"another client_id than that of Basic", tn.tokenURL(), "grant_type=client_credentials&client_id=" + otherID, []string{"Authorization", basic(id, secret)}, 400, "invalid_request", "client_id"},
		{"a parameter twice", tn.tokenURL(), good + "&client_id=" + id, nil, 400, "invalid_request", "client_id is repeated"},
		{"an unknown parameter twice", tn.tokenURL(), good + "&%22=1&%22=2", nil, 400, "invalid_request", "repeated"},
		{"no grant_type", tn.tokenURL(), "client_id=" + id + "&client_secret=" + secret, nil, 400, "invalid_request", "grant_type"},
		{"a password", tn.tokenURL(), "grant_type=password&username=a&password=b", []string{"Authorization", basic(id, secret)}, 400, "unsupported_grant_type", "password"},
		{"a grant_type that cannot be shown", tn.tokenURL(), "grant_type=%22%5C%0a%c3%a4", []string{"Authorization", basic(id, secret)}, 400, "unsupported_grant_type", "grant_type"},
		{"a secret in the URL", tn.tokenURL() + "?" + good, "", nil, 400, "invalid_request", "URL"},
		{"a bad escape", tn.tokenURL(), good + "&a=%zz", nil, 400, "invalid_request", "form"},
		{"a semicolon", tn.tokenURL(), good + ";a=b", nil, 400, "invalid_request", "form"},
		{"a large body", tn.tokenURL(), good + "&a=" + strings.Repeat("x", 64<<10), nil, 413, "invalid_request", "64 KiB"},
		{"JSON", tn.tokenURL(), `{"grant_type":"client_credentials"}`, []string{"Content-Type", "application/json"}, 400, "invalid_request", "Content-Type"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := ask(t, "POST", tt.url, tt.form, tt.headers...)
			if g.status != tt.status || g.Error != tt.code || !strings.Contains(g.Description, tt.names) || g.AccessToken != "" {
				t.Errorf("%d %s, want %d %s with %q", g.status, g.text, tt.status, tt.code, tt.names)
			}
			if !description.MatchString(g.Description) {
				t.Errorf("the description has signs that it may not have: %q", g.Description)
			}
			if challenge := g.header.Get("WWW-Authenticate"); (g.status == 401) != strings.HasPrefix(challenge, "Basic ") {
				t.Errorf("%d with WWW-Authenticate %q", g.status, challenge)
			}
			if g.status == 401 {
				refused[g.text] = true
			}
		})
	}
	if len(refused) != 1 {
		t.Errorf("refusals can be told apart: %v", refused)
	}
	if g := ask(t, "GET", tn.tokenURL(), ""); g.status != 405 || g.header.Get("Allow") != "POST" {
		t.Errorf("GET is answered %d, Allow %q", g.status, g.header.Get("Allow"))
	}
	if tn.opens(secret) || tn.opens(id) {
		t.Error("a client's secret is a bearer token, too")
	}
}

func TestAccessTokensAreFew(t *testing.T) {
	databases(t, func(t *testing.T, s *service) {
		tn := s.newTenant()
		id, secret := tn.newClient(time.Time{})
		tokens := func() int {
			t.Helper()
			c, err := s.store.Connection(t.Context(), tn.connection)
			if err != nil || len(c.Clients) != 1 || len(c.Tokens) != 1 {
				t.Fatalf("connection = %+v, %v", c, err)
			}
			if c.Clients[0].LastUsedAt.IsZero() {
				t.Error("the use of the client is not noted")
			}
			return len(c.Clients[0].Tokens)
		}
		first := tn.grant(id, secret)
		second := tn.grant(id, secret)
		for range 18 {
			tn.grant(id, secret)
		}
		if !tn.opens(first) {
			t.Error("the first of twenty tokens does not work")
		}
		last := tn.grant(id, secret)
		s.handler.Forget(tn.connection)
		if tn.opens(first) || !tn.opens(second) || !tn.opens(last) || tokens() != 20 {
			t.Errorf("of %d tokens the oldest works, or a newer one does not", tokens())
		}
		var clients sync.WaitGroup
		for range 8 {
			clients.Go(func() { tn.grant(id, secret) })
		}
		clients.Wait()
		if n := tokens(); n != 20 {
			t.Errorf("asking all at once leaves %d tokens, want 20", n)
		}
		s.offset.Store(int64(time.Hour + time.Second))
		tn.grant(id, secret)
		if n := tokens(); n != 1 {
			t.Errorf("%d tokens are kept, want the new one without the expired", n)
		}
	})
}

func TestUseOfATokenIsNoted(t *testing.T) {
	databases(t, func(t *testing.T, s *service) {
		tn := s.newTenant()
		used := func() time.Time {
			t.Helper()
			c, err := s.store.Connection(t.Context(), tn.connection)
			if err != nil {
				t.Fatal(err)
			}
			return c.Tokens[0].LastUsedAt
		}
		tn.fails(401, "", "", "GET", "/Users", "", "Authorization", "Bearer wrong")
		if !used().IsZero() {
			t.Error("a wrong token is noted as used")
		}
		began := directory.Now()
		tn.must(200, "GET", "/Users", "")
		first := used()
		if first.Before(began) || first.After(directory.Now()) {
			t.Errorf("last used at %s, want now", first)
		}
		s.offset.Store(int64(30 * time.Second))
		tn.must(200, "GET", "/Users", "")
		if diff := cmp.Diff(first, used()); diff != "" {
			t.Errorf("noted again within a minute:\n%s", diff)
		}
		s.offset.Store(int64(2 * time.Minute))
		tn.must(200, "GET", "/Users", "")
		if got := used().Sub(first); got < time.Minute {
			t.Errorf("two minutes later it is noted as %s later", got)
		}
	})
}

func TestTooManyRequestsAreToldSo(t *testing.T) {
	s := newService(t, "")
	s.handler.RateLimit, s.handler.RateBurst = 1, 3
	began := directory.Now() // time stands still, however long the requests take
	s.handler.Now = func() time.Time { return began.Add(time.Duration(s.offset.Load())) }
	tn, other := s.newTenant(), s.newTenant()
	id, secret := tn.newClient(time.Time{})
	tn.grant(id, secret)
	tn.must(200, "GET", "/Users", "")
	tn.must(404, "GET", "/Widgets", "")
	body := &unread{}
	for _, path := range []string{"/Users", "/Widgets", "/Groups"} {
		r := tn.fails(429, "", "limit of 1 requests a second, 3 at once", "GET", path, "")
		if got := r.header.Get("Retry-After"); got != "1" {
			t.Errorf("Retry-After = %q", got)
		}
	}
	request := httptest.NewRequest("POST", "/scim/v2/"+string(tn.connection)+"/Users", body)
	request.Header.Set("Authorization", "Bearer "+tn.token)
	router, w := mux.NewRouter(), httptest.NewRecorder()
	s.handler.Mount(router)
	if router.ServeHTTP(w, request); w.Code != 429 || body.read {
		t.Errorf("POST is answered %d, its body read: %t", w.Code, body.read)
	}
	g := ask(t, "POST", tn.tokenURL(), inBody(id, secret))
	if g.status != 429 || g.header.Get("Retry-After") != "1" || !strings.Contains(g.Description, "limit of 1 requests") {
		t.Errorf("the token endpoint answers %d %s", g.status, g.text)
	}
	tn.fails(401, "", "token", "GET", "/Users", "", "Authorization", "Bearer wrong") // nor does it cost a turn
	other.must(200, "GET", "/Users", "")
	s.offset.Store(int64(time.Second))
	tn.must(200, "GET", "/Users", "")
}

// unread is a body that tells whether it was read.
type unread struct{ read bool }

func (u *unread) Read([]byte) (int, error) {
	u.read = true
	return 0, io.EOF
}
