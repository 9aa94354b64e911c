package app

import (
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rolesync/rolesync/claims"
	"github.com/rolesync/rolesync/config"
	"github.com/rolesync/rolesync/internal/admin"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/testserver"
	"github.com/rolesync/rolesync/mapping"
	"github.com/rolesync/rolesync/saml/samltest"
)

// samlWorld is a SAML connection that an admin has made, and an application.
type samlWorld struct {
	*running
	organization directory.OrganizationID
	connection   directory.ConnectionID
	provider     *samltest.Provider
	client       string
	secret       string
}

func newSAMLWorld(t *testing.T, r *running) *samlWorld {
	t.Helper()
	ctx, by := t.Context(), admin.Actor{Name: "test"}
	w := &samlWorld{running: r, provider: samltest.New("https://idp.example/metadata")}
	server := httptest.NewServer(w.provider.Handler())
	t.Cleanup(server.Close)
	w.provider.URL = server.URL
	w.provider.Answer = func(samltest.Request) samltest.Message {
		return samltest.Message{NameID: "anna@acme.example", Groups: []string{"Admins"}}
	}
	o, err := r.Admin.CreateOrganization(ctx, by, "Acme")
	if err != nil {
		t.Fatal(err)
	}
	w.organization = o.ID
	metadata := string(w.provider.Metadata())
	c, _, err := r.Admin.CreateConnection(ctx, by, o.ID, admin.NewConnection{Name: "Okta", Kind: directory.SAML, SAML: admin.SAMLChange{MetadataXML: &metadata}})
	if err != nil {
		t.Fatal(err)
	}
	w.connection = c.ID
	application, secret, err := r.Admin.CreateApplication(ctx, by, "App", []string{"https://app.example/callback"}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	w.client, w.secret = application.ID, secret
	if _, err := r.Admin.PutRole(ctx, by, mapping.Role{Key: "admin", Name: "Admin", Rank: 10}); err != nil {
		t.Fatal(err)
	}
	rules := mapping.RuleSet{Rules: []mapping.Rule{{
		ID: "admins", When: mapping.Condition{Group: mapping.GroupMatcher{Name: "Admins"}}, Grant: mapping.Grant{Roles: []mapping.RoleKey{"admin"}},
	}}}
	if _, err := r.Admin.PublishRules(ctx, by, o.ID, rules, 0, ""); err != nil {
		t.Fatal(err)
	}
	return w
}

var (
	formAction = regexp.MustCompile(`<form[^>]* action="([^"]*)"`)
	formField  = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

func newClient(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, Timeout: 20 * time.Second, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host == "app.example" {
			return http.ErrUseLastResponse
		}
		return nil
	}}
}

func read(t *testing.T, r *http.Response, err error) (*http.Response, string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r, string(text)
}

// begin signs in at the provider and returns what its page would post to us.
func (w *samlWorld) begin(t *testing.T, client *http.Client) (action string, fields url.Values) {
	t.Helper()
	query := url.Values{
		"organization": {string(w.organization)}, "response_type": {"code"}, "client_id": {w.client}, "redirect_uri": {"https://app.example/callback"},
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"}, // RFC 7636, appendix B
	}
	answer, err := client.Get(w.BaseURL + "/login?" + query.Encode())
	_, text := read(t, answer, err)
	found := formAction.FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("the provider answers: %s", text)
	}
	fields = url.Values{}
	for _, field := range formField.FindAllStringSubmatch(text, -1) {
		fields.Set(field[1], html.UnescapeString(field[2]))
	}
	return html.UnescapeString(found[1]), fields
}

// exchange presents the code that the browser brought, at any process.
func (w *samlWorld) exchange(t *testing.T, r *running, arrived *http.Response) (tk struct {
	Assignment claims.Assignment
	Published  bool
}) {
	t.Helper()
	location, err := arrived.Location()
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.PostForm(r.LocalURL()+"/sso/token", url.Values{
		"grant_type": {"authorization_code"}, "code": {location.Query().Get("code")}, "redirect_uri": {"https://app.example/callback"},
		"code_verifier": {"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"}, "client_id": {w.client}, "client_secret": {w.secret},
	})
	answer, text := read(t, answer, err)
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("exchange = %d %s", answer.StatusCode, text)
	}
	if err := json.Unmarshal([]byte(text), &tk); err != nil {
		t.Fatal(err)
	}
	return tk
}

// As an admin sets it up: a login brings a role, and a refusal is found by its reference.
func TestSAMLFromTheAdminToTheRole(t *testing.T) {
	w := newSAMLWorld(t, start(t, settings(t)))
	client := newClient(t)
	action, fields := w.begin(t, client)
	answer, err := client.PostForm(action, fields)
	arrived, _ := read(t, answer, err)
	if tk := w.exchange(t, w.running, arrived); !tk.Published || !tk.Assignment.HasRole("admin") {
		t.Errorf("token = %+v", tk)
	}

	answer, err = client.PostForm(action, fields)
	refused, text := read(t, answer, err)
	failures, err := w.Admin.Failures(t.Context(), admin.Actor{Name: "test"}, w.organization, w.connection, "", admin.Page{})
	if err != nil || len(failures.Items) != 1 {
		t.Fatalf("failures = %+v, %v", failures, err)
	}
	f := failures.Items[0]
	if reference := strings.ToUpper(f.Request[len(f.Request)-8:]); refused.StatusCode != http.StatusBadRequest || !strings.Contains(text, reference) || f.Code != "relay_state" {
		t.Errorf("the page %d does not have %s of %+v:\n%s", refused.StatusCode, reference, f, text)
	}
	for _, secret := range []string{fields.Get("SAMLResponse"), fields.Get("RelayState"), "anna@acme", w.secret, "E9Melhoa2Owv"} {
		if strings.Contains(w.log.String(), secret) {
			t.Errorf("the log has %.40q", secret)
		}
	}
	// What an admin changes holds at once.
	if _, err := w.Admin.DisableConnection(t.Context(), admin.Actor{Name: "test"}, w.organization, w.connection); err != nil {
		t.Fatal(err)
	}
	answer, err = client.Get(w.BaseURL + "/saml/" + string(w.connection) + "/login")
	if disabled, _ := read(t, answer, err); disabled.StatusCode != http.StatusForbidden {
		t.Errorf("a login at the disabled connection = %d", disabled.StatusCode)
	}
}

// Two processes on one database and one Redis: a login begins in one, ends in the other,
// its code is exchanged in the first, and nothing of it works twice anywhere.
func TestSAMLOverTwoReplicas(t *testing.T) {
	c := settings(t)
	c.SealingKeys = config.NewSecret("k1:" + strings.Repeat("A", 43) + "=")
	c.Database.URL = config.NewSecret(testserver.Database(t))
	c.Redis.Addresses = []string{testserver.Redis(t).Addr()}
	first := start(t, c)
	w := newSAMLWorld(t, first)
	c.Data, c.PublicURL = t.TempDir(), first.BaseURL
	second := start(t, c)
	elsewhere := strings.NewReplacer(first.LocalURL(), second.LocalURL())

	client := newClient(t)
	action, fields := w.begin(t, client)
	answer, err := client.PostForm(elsewhere.Replace(action), fields)
	arrived, _ := read(t, answer, err)
	if tk := w.exchange(t, first, arrived); !tk.Published || !tk.Assignment.HasRole("admin") {
		t.Errorf("token = %+v", tk)
	}
	for name, address := range map[string]string{"the first": action, "the second": elsewhere.Replace(action)} {
		answer, err := client.PostForm(address, fields)
		if again, _ := read(t, answer, err); again.StatusCode != http.StatusBadRequest {
			t.Errorf("the same answer at %s = %d", name, again.StatusCode)
		}
	}
}
