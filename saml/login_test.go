package saml_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/mapping"
	"github.com/rolesync/rolesync/saml/samltest"
)

func TestLoginBringsRoles(t *testing.T) {
	databases(t, func(t *testing.T, s *service) {
		tn, app := s.newTenant("acme", nil), s.newApplication()
		tn.rules(mapping.GiveNone)

		arrived := tn.login(s.newBrowser(), app)
		code := arrived.code(t)
		got := arrived.location.Query()
		if arrived.location.Host != "app.example" || got.Get("state") != "st&te=1" || got.Get("iss") != s.url {
			t.Errorf("the browser arrives at %s", arrived.location)
		}
		tk := s.exchange(app, code)
		if tk.status != http.StatusOK || tk.TokenType != "Bearer" || tk.ExpiresIn != 600 || !tk.Published {
			t.Fatalf("token = %+v", tk)
		}
		if p := tk.Profile; p.Email != "anna@acme.example" || p.UserName != "anna@acme.example" || p.Organization != tn.organization ||
			p.Connection != tn.connection || p.GivenName != "Anna" || p.FamilyName != "Meyer" {
			t.Errorf("profile = %+v", p)
		}
		stated, ok := tn.assignment(string(tk.Profile.Sub))
		if !ok || !stated.Has("billing:view") || !stated.HasRole("admin") {
			t.Errorf("Redis says %+v, %v", stated, ok)
		}
		stated.Organization, stated.Subject = "", ""
		tk.Assignment.UpdatedAt = stated.UpdatedAt // of the same instant, written otherwise
		if diff := cmp.Diff(stated, tk.Assignment); diff != "" {
			t.Errorf("the token answer differs from Redis (-redis +token):\n%s", diff)
		}
		info := s.userinfo(tk.AccessToken)
		if info.status != http.StatusOK || info.Profile != tk.Profile || !info.Assignment.HasRole("admin") {
			t.Errorf("userinfo = %+v", info)
		}

		// The next login takes the role away.
		tn.answer = func(samltest.Request) samltest.Message {
			return samltest.Message{NameID: "anna@acme.example", Groups: []string{"Everyone"}}
		}
		again := s.exchange(app, tn.login(s.newBrowser(), app).code(t))
		if again.Profile.Sub != tk.Profile.Sub || len(again.Assignment.Roles) != 0 {
			t.Errorf("after the group was left: %+v", again)
		}
		if failures := tn.failures(); len(failures) != 0 {
			t.Errorf("failures = %+v", failures)
		}
	})
}

func TestLoginByOrganizationAndDomain(t *testing.T) {
	s := newService(t, options{})
	tn := s.newTenant("acme", func(settings *directory.SAMLSettings) { settings.EmailDomains = []string{"acme.example"} })
	app := s.newApplication()
	for name, lead := range map[string]url.Values{
		"organization":         {"organization": {string(tn.organization)}},
		"domain":               {"domain": {"ACME.example"}},
		"an address":           {"domain": {"anna@acme.example"}},
		"connection":           {"connection": {string(tn.connection)}},
		"an empty parameter":   {"connection": {string(tn.connection)}, "x": {""}},
		"a hint for the login": {"domain": {"acme.example"}, "login_hint": {"anna@acme.example"}},
	} {
		t.Run(name, func(t *testing.T) {
			query := app.asks()
			for key, values := range lead {
				query[key] = values
			}
			b := s.newBrowser()
			begun := b.get(s.url + "/login?" + query.Encode())
			if got, want := begun.url.Query().Get("login_hint"), lead.Get("login_hint"); got != want {
				t.Errorf("login_hint = %q, want %q", got, want)
			}
			b.submit(begun).code(t)
		})
	}
	another := directory.NewConnectionID()
	tn.create(another, nil)
	for name, lead := range map[string]url.Values{
		"nothing":                          {},
		"an unknown domain":                {"domain": {"other.example"}},
		"no domain":                        {"domain": {"acme"}},
		"an unknown organization":          {"organization": {string(directory.NewOrganizationID())}},
		"no organization":                  {"organization": {"' OR 1=1"}},
		"an organization with two of them": {"organization": {string(tn.organization)}},
		"two ways":                         {"organization": {string(tn.organization)}, "connection": {string(tn.connection)}},
		"two connections":                  {"connection": {string(tn.connection), string(another)}},
		"an unknown connection":            {"connection": {string(directory.NewConnectionID())}},
	} {
		t.Run(name, func(t *testing.T) {
			query := app.asks()
			for key, values := range lead {
				query[key] = values
			}
			got := s.newBrowser().get(s.url + "/login?" + query.Encode())
			if got.status < 400 || got.status >= 500 || got.reference() == "" {
				t.Errorf("GET /login = %d %s", got.status, got.text)
			}
		})
	}
}

// What a connection insists on reaches the verifier, and what it lets pass does.
func TestSettingsThatDecideOverAnAnswer(t *testing.T) {
	s := newService(t, options{})
	app := s.newApplication()
	signedIn := func(ago time.Duration) func(*samltest.Element) {
		return func(response *samltest.Element) {
			response.Find("AuthnStatement").Set("AuthnInstant", samltest.Instant(time.Now().Add(-ago)))
		}
	}
	silent := func(response *samltest.Element) {
		assertion := response.Find("Assertion")
		assertion.Replace(assertion.Find("AuthnStatement"))
	}
	type settings = directory.SAMLSettings
	for name, test := range map[string]struct {
		set    func(*settings)
		answer samltest.Message
		code   string // "": let in
	}{
		"a sign-in of before":                    {func(*settings) {}, samltest.Message{Edit: signedIn(time.Hour)}, ""},
		"a sign-in of before, force_authn":       {func(c *settings) { c.ForceAuthn = true }, samltest.Message{Edit: signedIn(time.Hour)}, "authn_statement"},
		"a fresh sign-in, force_authn":           {func(c *settings) { c.ForceAuthn = true }, samltest.Message{}, ""},
		"other means":                            {func(c *settings) { c.AuthnContexts = []string{"urn:x"} }, samltest.Message{}, "authn_context"},
		"one of the means":                       {func(c *settings) { c.AuthnContexts = []string{"urn:x", "urn:y"} }, samltest.Message{Context: "urn:y"}, ""},
		"no word of how":                         {func(*settings) {}, samltest.Message{Edit: silent}, "authn_statement"},
		"no word of how, allowed":                {func(c *settings) { c.WithoutAuthnStatement = true }, samltest.Message{Edit: silent}, ""},
		"no word of how, allowed, force_authn":   {func(c *settings) { c.WithoutAuthnStatement, c.ForceAuthn = true, true }, samltest.Message{Edit: silent}, "authn_statement"},
		"a clock that is two minutes ahead":      {func(*settings) {}, samltest.Message{Now: time.Now().Add(2 * time.Minute)}, "issue_instant"},
		"two minutes ahead, three are tolerated": {func(c *settings) { c.ClockSkew = 180 }, samltest.Message{Now: time.Now().Add(2 * time.Minute)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			tn := s.newTenant("acme", test.set)
			tn.answer = func(samltest.Request) samltest.Message {
				test.answer.NameID = "anna@acme.example"
				return test.answer
			}
			arrived := tn.login(s.newBrowser(), app)
			if test.code == "" {
				arrived.code(t)
				return
			}
			if f := tn.failures(); len(f) != 1 || f[0].Code != test.code || arrived.status != 403 {
				t.Errorf("%d with the failures %+v, want %s", arrived.status, f, test.code)
			}
		})
	}

	// Nobody has asked, so it is as fresh as if we had.
	tn := s.newTenant("portal", func(c *settings) { idpInitiated(app)(c); c.ForceAuthn = true })
	b := s.newBrowser()
	b.post(tn.base+"/acs", tn.unsolicited(samltest.Message{Edit: signedIn(10 * time.Minute)})).code(t)
	tn.refuses(t, b.post(tn.base+"/acs", tn.unsolicited(samltest.Message{Edit: signedIn(time.Hour)})), "login", "authn_statement")
}

// What we send, as a provider reads it that verifies with our certificate.
func TestRequestsAreSigned(t *testing.T) {
	s := newService(t, options{})
	app := s.newApplication()
	for name, post := range map[string]bool{"redirect": false, "post": true} {
		t.Run(name, func(t *testing.T) {
			tn := s.newTenant("acme-"+name, func(settings *directory.SAMLSettings) {
				settings.SignRequests, settings.ForceAuthn = true, true
				settings.AuthnContexts = []string{samltest.PasswordTLS, `urn:x:"<&>'`}
				settings.NameIDFormat = samltest.EmailAddress
				if post {
					settings.Provider.SSOPostURL, settings.Provider.SSORedirectURL = settings.Provider.SSORedirectURL+"?a=%22&b=1", ""
				} else {
					settings.Provider.SSORedirectURL += "?a=%22&b=1"
				}
			})
			tn.provider.ServiceCertificates = append(tn.provider.ServiceCertificates, ourCertificate(directory.Signing))
			var asked samltest.Request
			tn.answer = func(r samltest.Request) samltest.Message {
				asked = r
				return samltest.Message{NameID: "anna@acme.example"}
			}
			b := s.newBrowser()
			begun := tn.begin(b, app)
			if post {
				if policy := begun.header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "script-src 'sha256-") {
					t.Errorf("Content-Security-Policy = %q", policy)
				}
				begun = b.submit(begun)
			}
			b.submit(begun).code(t)
			if !asked.Signed || !asked.ForceAuthn || asked.Format != samltest.EmailAddress || asked.ACS != tn.base+"/acs" || asked.Issuer != tn.base+"/metadata" {
				t.Errorf("request = %+v", asked)
			}
			if diff := cmp.Diff([]string{samltest.PasswordTLS, `urn:x:"<&>'`}, asked.Contexts); diff != "" {
				t.Errorf("contexts (-want +got):\n%s", diff)
			}
			if !strings.HasPrefix(asked.RelayState, "rs_") || len(asked.RelayState) != 25 {
				t.Errorf("RelayState = %q", asked.RelayState)
			}
		})
	}
}

func TestEncryptedAssertion(t *testing.T) {
	s := newService(t, options{})
	tn, app := s.newTenant("acme", nil), s.newApplication()
	tn.rules(mapping.GiveNone)
	tn.answer = func(samltest.Request) samltest.Message {
		return samltest.Message{
			NameID: "anna@acme.example", Groups: []string{"Admins"}, Sign: samltest.SignBoth,
			Encrypt: &samltest.Encryption{For: ourCertificate(directory.Encryption)},
		}
	}
	tk := s.exchange(app, tn.login(s.newBrowser(), app).code(t))
	if !tk.Assignment.HasRole("admin") {
		t.Errorf("assignment = %+v", tk.Assignment)
	}
}

func TestMetadataOfOurs(t *testing.T) {
	s := newService(t, options{})
	tn := s.newTenant("acme", nil)
	got := s.newBrowser().get(tn.base + "/metadata")
	for _, part := range []string{`entityID="` + tn.base + `/metadata"`, tn.base + "/acs", tn.base + "/logout", "X509Certificate"} {
		if !strings.Contains(got.text, part) {
			t.Errorf("the metadata has no %s:\n%s", part, got.text)
		}
	}
	if got.status != http.StatusOK || got.header.Get("Content-Type") != "application/samlmetadata+xml" || strings.Contains(got.text, "Artifact") {
		t.Errorf("GET metadata = %d %s %s", got.status, got.header.Get("Content-Type"), got.text)
	}
}
