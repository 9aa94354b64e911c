package saml_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/internal/testserver"
	"github.com/rolesync/rolesync/mapping"
	"github.com/rolesync/rolesync/saml/samltest"
	rolesync "github.com/rolesync/rolesync/sync"
)

// refuses checks that somebody was turned away: the page tells a reference and nothing
// else, and the admin finds it with the code.
func (tn *tenant) refuses(t *testing.T, p page, kind, code string) store.Failure {
	t.Helper()
	if p.status < 400 || p.location != nil || p.reference() == "" {
		t.Fatalf("%s = %d to %v, want a page with a reference:\n%s", p.url, p.status, p.location, p.text)
	}
	failures := tn.failures()
	i := slices.IndexFunc(failures, func(f store.Failure) bool { return strings.HasSuffix(strings.ToUpper(f.Request), p.reference()) })
	if i < 0 {
		t.Fatalf("the reference %s is not among the failures: %+v", p.reference(), failures)
	}
	f := failures[i]
	if f.Kind != kind || f.Code != code || f.Status != p.status {
		t.Errorf("failure = %s %s %d (%s), want %s %s %d", f.Kind, f.Code, f.Status, f.Detail, kind, code, p.status)
	}
	for _, secret := range []string{f.Detail, string(tn.connection), string(tn.organization)} {
		if strings.Contains(p.text, secret) {
			t.Errorf("the page tells %q:\n%s", secret, p.text)
		}
	}
	if policy := p.header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "script-src") || strings.Contains(p.text, "<script") {
		t.Errorf("the page of an error has the policy %q", policy)
	}
	return f
}

// unsolicited is a message of a login that begins at the provider.
func (tn *tenant) unsolicited(m samltest.Message) url.Values {
	if m.ACS == "" {
		m.ACS = tn.base + "/acs"
	}
	if m.Audience == "" {
		m.Audience = tn.base + "/metadata"
	}
	if m.NameID == "" {
		m.NameID = "anna@acme.example"
	}
	return url.Values{"SAMLResponse": {samltest.Encode(tn.provider.Response(m))}}
}

// idpInitiated lets logins begin at the provider and lead to an application.
func idpInitiated(a *application) func(*directory.SAMLSettings) {
	return func(s *directory.SAMLSettings) { s.IDPInitiated, s.Application = true, a.id }
}

func TestLoginThatBeginsAtTheProvider(t *testing.T) {
	s := newService(t, options{})
	app := s.newApplication("https://app.example/callback?x=1", "https://app.example/other")
	open, closed := s.newTenant("open", idpInitiated(app)), s.newTenant("closed", nil)
	b := s.newBrowser()

	form := open.unsolicited(samltest.Message{})
	form.Set("RelayState", "https://evil.example/")
	arrived := b.post(open.base+"/acs", form)
	code := arrived.code(t)
	if got := arrived.location.String(); !strings.HasPrefix(got, "https://app.example/callback?x=1&code=") || strings.Contains(got, "evil") || strings.Contains(got, "state=") {
		t.Errorf("the browser arrives at %s", got)
	}
	if tk := s.exchange(app, code); tk.Error != "invalid_grant" {
		t.Errorf("with a verifier that nobody asked for: %+v, want invalid_grant", tk)
	}
	code = b.post(open.base+"/acs", open.unsolicited(samltest.Message{})).code(t)
	if tk := s.exchange(app, code, "code_verifier", ""); tk.status != http.StatusOK {
		t.Errorf("without a verifier: %+v", tk)
	}

	closed.refuses(t, b.post(closed.base+"/acs", closed.unsolicited(samltest.Message{})), store.KindAuth, "unsolicited")
	open.refuses(t, b.post(open.base+"/acs", open.unsolicited(samltest.Message{RequestID: "_1"})), "auth", "in_response_to")

	// Its own answer, whose login was taken already, is none that begins at the provider.
	begun := open.begin(b, app)
	action, fields := begun.form(t)
	b.post(action, fields).code(t)
	again := open.unsolicited(samltest.Message{})
	again.Set("RelayState", fields.Get("RelayState"))
	open.refuses(t, b.post(action, again), "auth", "relay_state")

	open.set(func(settings *directory.SAMLSettings) { settings.Application = directory.NewClientID() })
	open.refuses(t, b.post(open.base+"/acs", open.unsolicited(samltest.Message{})), "login", "application")
}

func TestReplay(t *testing.T) {
	t.Run("sqlite, the same process", func(t *testing.T) {
		s := newService(t, options{})
		replay(t, s, s)
	})
	t.Run("postgres, the other replica", func(t *testing.T) {
		o := options{database: testserver.Database(t), redis: testserver.Redis(t).Addr()}
		s := newService(t, o)
		o.base = s.url
		replay(t, s, newService(t, o))
	})
}

// replay posts to a service what another one has accepted.
func replay(t *testing.T, s, other *service) {
	app := s.newApplication()
	tn := s.newTenant("acme", idpInitiated(app))
	elsewhere := func(address string) string { return strings.Replace(address, s.url, other.url, 1) }
	b := s.newBrowser()

	form := tn.unsolicited(samltest.Message{})
	b.post(tn.base+"/acs", form).code(t)
	before := len(tn.failures())
	p := b.post(elsewhere(tn.base+"/acs"), form)
	if err := other.traffic.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	tn.refuses(t, p, "login", "replayed")
	if n := len(tn.failures()); n != before+1 {
		t.Errorf("%d failures, want one more than %d", n, before)
	}

	// One that begins here: its login is gone, whichever process took it.
	action, fields := tn.begin(b, app).form(t)
	b.post(action, fields).code(t)
	p = b.post(elsewhere(action), fields)
	if err := other.traffic.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	tn.refuses(t, p, "auth", "relay_state")

	// A login that begins in one process ends in the other.
	action, fields = tn.begin(b, app).form(t)
	code := b.post(elsewhere(action), fields).code(t)
	if tk := s.exchange(app, code); tk.status != http.StatusOK {
		t.Errorf("exchange = %+v", tk)
	}
}

// Somebody has another's browser post the answer of a login of theirs.
func TestLoginCSRF(t *testing.T) {
	s := newService(t, options{})
	tn, app := s.newTenant("acme", nil), s.newApplication()
	attacker, victim := s.newBrowser(), s.newBrowser()

	action, fields := tn.begin(attacker, app).form(t)
	tn.refuses(t, victim.post(action, fields), "auth", "cookie")
	tn.refuses(t, attacker.post(action, fields), "auth", "relay_state") // it was taken

	action, fields = tn.begin(attacker, app).form(t)
	tn.begin(victim, app) // who then has a cookie, of a login of its own
	tn.refuses(t, victim.post(action, fields), "auth", "cookie")

	// The attacker's assertion, with the RelayState of the victim.
	_, theirs := tn.begin(attacker, app).form(t)
	action, own := tn.begin(victim, app).form(t)
	theirs.Set("RelayState", own.Get("RelayState"))
	tn.refuses(t, victim.post(action, theirs), "auth", "in_response_to")
}

// Two tabs of one browser do not disturb each other.
func TestTwoLoginsOfOneBrowser(t *testing.T) {
	s := newService(t, options{})
	tn, app := s.newTenant("acme", nil), s.newApplication()
	b := s.newBrowser()
	first, second := tn.begin(b, app), tn.begin(b, app)
	b.submit(first).code(t)
	b.submit(second).code(t)
}

// Two organizations use one provider, with one key and one entity id.
func TestTenantsThatShareAProvider(t *testing.T) {
	s := newService(t, options{})
	app := s.newApplication()
	one, two := s.newTenant("shared", idpInitiated(app)), s.newTenant("shared", idpInitiated(app))
	if !bytes.Equal(one.provider.Certificate().RawSubjectPublicKeyInfo, two.provider.Certificate().RawSubjectPublicKeyInfo) {
		t.Fatal("the providers do not share a key")
	}
	for name, way := range map[string][2]*tenant{"one to two": {one, two}, "two to one": {two, one}} {
		t.Run(name, func(t *testing.T) {
			from, to := way[0], way[1]
			b := s.newBrowser()
			to.refuses(t, b.post(to.base+"/acs", from.unsolicited(samltest.Message{})), "auth", "destination")
			to.refuses(t, b.post(to.base+"/acs", from.unsolicited(samltest.Message{ACS: to.base + "/acs"})), "login", "audience")

			// An answer to a login of one, at the other.
			_, fields := from.begin(b, app).form(t)
			to.refuses(t, b.post(to.base+"/acs", fields), "auth", "relay_state")
			// With the RelayState of a login of the other.
			_, fields = from.begin(b, app).form(t)
			_, own := to.begin(b, app).form(t)
			fields.Set("RelayState", own.Get("RelayState"))
			to.refuses(t, b.post(to.base+"/acs", fields), "auth", "destination")
			// And the rightful one works.
			b.post(to.base+"/acs", to.unsolicited(samltest.Message{})).code(t)
		})
	}
}

func TestFormsThatAreRefused(t *testing.T) {
	s := newService(t, options{})
	app := s.newApplication()
	tn := s.newTenant("acme", idpInitiated(app))
	b := s.newBrowser()
	good := tn.unsolicited(samltest.Message{}).Encode()
	send := func(method, path, kind, body string) page {
		t.Helper()
		r, err := http.NewRequest(method, tn.base+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", kind)
		return b.read(b.client.Do(r))
	}
	const form = "application/x-www-form-urlencoded"
	for name, test := range map[string]struct {
		page   page
		status int
	}{
		"GET":                           {b.get(tn.base + "/acs?" + good), 405},
		"PUT":                           {send("PUT", "/acs", form, good), 405},
		"a query":                       {send("POST", "/acs?SAMLResponse=x", form, good), 400},
		"a RelayState in the query":     {send("POST", "/acs?RelayState=x", form, good), 400},
		"SAMLart in the query":          {send("POST", "/acs?SAMLart=x", form, good), 400},
		"SAMLart":                       {send("POST", "/acs", form, good+"&SAMLart=AAQAA"), 400},
		"an empty SAMLart":              {send("POST", "/acs", form, "SAMLart=&"+good), 400},
		"nothing":                       {send("POST", "/acs", form, ""), 400},
		"two responses":                 {send("POST", "/acs", form, good+"&"+good), 400},
		"two, one of them empty":        {send("POST", "/acs", form, "SAMLResponse=&"+good), 400},
		"an empty response":             {send("POST", "/acs", form, "SAMLResponse="), 400},
		"two relay states":              {send("POST", "/acs", form, good+"&RelayState=a&RelayState=b"), 400},
		"an odd percent sign":           {send("POST", "/acs", form, good+"&a=%zz"), 400},
		"a semicolon":                   {send("POST", "/acs", form, good+";a=b"), 400},
		"multipart":                     {send("POST", "/acs", "multipart/form-data; boundary=x", good), 415},
		"no content type":               {send("POST", "/acs", "", good), 415},
		"JSON":                          {send("POST", "/acs", "application/json", `{"SAMLResponse":"x"}`), 415},
		"no base64":                     {send("POST", "/acs", form, "SAMLResponse=%3CResponse/%3E"), 400},
		"no XML":                        {send("POST", "/acs", form, "SAMLResponse=aGVsbG8="), 400},
		"a body that is too large":      {send("POST", "/acs", form, "SAMLResponse="+strings.Repeat("A", 2<<20)), 413},
		"a message that is too large":   {send("POST", "/acs", form, "SAMLResponse="+strings.Repeat("A", 1_500_000)), 413},
		"a RelayState of ours, made up": {send("POST", "/acs", form, good+"&RelayState=rs_"+strings.Repeat("A", 22)), 400},
	} {
		t.Run(name, func(t *testing.T) {
			if test.page.status != test.status {
				t.Errorf("status = %d, want %d", test.page.status, test.status)
			}
			if test.page.reference() == "" || test.page.location != nil {
				t.Errorf("there is no page with a reference, but %s", test.page.text)
			}
		})
	}
	// Of strangers' failures the newest are kept, apart from those of the provider.
	tn.refuses(t, send("POST", "/acs", form, good+"&"+good), "auth", "form")
	tn.refuses(t, send("POST", "/acs", form, good+"&SAMLart=AAQAA"), "auth", "artifact")
	tn.refuses(t, b.get(tn.base+"/acs?"+good), "auth", "method")
	tn.refuses(t, send("POST", "/acs", form, "SAMLResponse="+strings.Repeat("A", 2<<20)), "auth", "too_large")
	b.post(tn.base+"/acs", tn.unsolicited(samltest.Message{})).code(t)
}

// The paths of nobody tell nothing.
func TestUnknownConnections(t *testing.T) {
	s := newService(t, options{})
	tn := s.newTenant("acme", nil)
	scim := directory.NewConnectionID()
	tn.transact(store.Scope{Organization: tn.organization, Connection: scim}, store.Rules, func(tx *store.Tx) error {
		tx.CreateConnection(directory.Connection{ID: scim, Kind: directory.SCIM, Name: "SCIM", CreatedAt: directory.Now()})
		return nil
	})
	b := s.newBrowser()
	for name, id := range map[string]string{
		"unknown": string(directory.NewConnectionID()), "of kind scim": string(scim), "no id": "conn_x", "dots": "..", "encoded": "%2e%2e%2f",
	} {
		for _, path := range []string{"/login", "/metadata", "/logout", "/test/x", "/acs"} {
			p := page{}
			if address := s.url + "/saml/" + id + path; path == "/acs" {
				p = b.post(address, url.Values{"SAMLResponse": {"x"}})
			} else {
				p = b.get(address)
			}
			if p.status != http.StatusNotFound || p.reference() == "" {
				t.Errorf("%s%s = %d %s", name, path, p.status, p.text)
			}
		}
	}
}

func TestPeopleWhoAreRefused(t *testing.T) {
	databases(t, func(t *testing.T, s *service) {
		app := s.newApplication()

		t.Run("without a role, where the rules deny that", func(t *testing.T) {
			tn := s.newTenant("denies", nil)
			tn.rules(mapping.DenyLogin)
			tn.answer = func(samltest.Request) samltest.Message {
				return samltest.Message{NameID: "anna@acme.example", Groups: []string{"Nobodies"}}
			}
			f := tn.refuses(t, tn.login(s.newBrowser(), app), "login", "login_denied")
			if !strings.Contains(f.Detail, "anna@acme.example") {
				t.Errorf("detail = %s", f.Detail)
			}
			tn.answer = nil
			tn.login(s.newBrowser(), app).code(t)
		})
		t.Run("unknown, where nobody is made", func(t *testing.T) {
			tn := s.newTenant("known", func(settings *directory.SAMLSettings) { settings.JustInTime = false })
			f := tn.refuses(t, tn.login(s.newBrowser(), app), "login", "user_unknown")
			if !strings.Contains(f.Detail, "just-in-time creation is off") {
				t.Errorf("detail = %s", f.Detail)
			}
		})
		t.Run("known by SCIM, and deactivated there", func(t *testing.T) {
			tn := s.newTenant("provisioned", nil)
			tn.rules(mapping.GiveNone)
			scim := directory.NewConnectionID()
			tn.transact(store.Scope{Organization: tn.organization, Connection: scim}, store.Rules, func(tx *store.Tx) error {
				tx.CreateConnection(directory.Connection{ID: scim, Kind: directory.SCIM, Name: "SCIM", CreatedAt: directory.Now()})
				return nil
			})
			by := rolesync.Author{Organization: tn.organization, Connection: scim, Name: "test"}
			now := directory.Now()
			u := directory.User{
				ID: directory.NewUserID(), Organization: tn.organization, Connection: scim, UserName: "Anna@Acme.example", Active: true,
				Resource: []byte(`{"userName":"Anna@Acme.example"}`), CreatedAt: now, ModifiedAt: now, Revision: 1,
			}
			if err := s.engine.Change(context.Background(), by, func(tx *rolesync.Tx) error { tx.CreateUser(u); return nil }); err != nil {
				t.Fatal(err)
			}
			tk := s.exchange(app, tn.login(s.newBrowser(), app).code(t))
			if tk.Profile.Sub != u.ID || !tk.Assignment.HasRole("admin") {
				t.Errorf("token = %+v, want the user of SCIM, who is admin by the group of SAML", tk)
			}
			tn.answer = func(samltest.Request) samltest.Message { return samltest.Message{NameID: "bo@acme.example"} }
			f := tn.refuses(t, tn.login(s.newBrowser(), app), "login", "user_unknown")
			if !strings.Contains(f.Detail, "SCIM provides the users") || strings.Contains(f.Detail, "just-in-time") {
				t.Errorf("detail = %s", f.Detail)
			}

			if err := s.engine.Change(context.Background(), by, func(tx *rolesync.Tx) error {
				known, err := tx.User(u.ID)
				known.Active, known.Revision, known.ModifiedAt = false, known.Revision+1, tx.Now()
				tx.PutUser(known)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			tn.answer = nil
			tn.refuses(t, tn.login(s.newBrowser(), app), "login", "user_inactive")
			if again := s.userinfo(tk.AccessToken); again.status != http.StatusUnauthorized {
				t.Errorf("userinfo of somebody who was deactivated = %+v", again)
			}
		})
		t.Run("of another domain", func(t *testing.T) {
			tn := s.newTenant("domains", func(settings *directory.SAMLSettings) { settings.EmailDomains = []string{"acme.example"} })
			tn.answer = func(samltest.Request) samltest.Message { return samltest.Message{NameID: "anna@evil.example"} }
			tn.refuses(t, tn.login(s.newBrowser(), app), "login", "email_domain")
		})
		t.Run("at a disabled connection", func(t *testing.T) {
			tn := s.newTenant("disabled", nil)
			b := s.newBrowser()
			begun := tn.begin(b, app)
			tn.transact(tn.scope(), store.Rules, func(tx *store.Tx) error { tx.DisableConnection(); return nil })
			tn.handler.Forget(tn.connection)
			tn.refuses(t, tn.begin(s.newBrowser(), app), "auth", "connection_disabled")
			tn.refuses(t, b.submit(begun), "auth", "connection_disabled")
		})
		t.Run("at a connection that another process disabled, when the clock was set back", func(t *testing.T) {
			tn := s.newTenant("clock", nil)
			if p := tn.begin(s.newBrowser(), app); p.status >= 400 {
				t.Fatalf("a login begins with %d", p.status)
			}
			tn.transact(tn.scope(), store.Rules, func(tx *store.Tx) error { tx.DisableConnection(); return nil })
			s.offset.Add(int64(-time.Hour))
			defer s.offset.Add(int64(time.Hour))
			tn.refuses(t, tn.begin(s.newBrowser(), app), "auth", "connection_disabled")
		})
		t.Run("by a stranger's key", func(t *testing.T) {
			tn := s.newTenant("keys", idpInitiated(app))
			stranger := samltest.New("https://stranger.example")
			form := tn.unsolicited(samltest.Message{Signature: samltest.Signature{Key: stranger.Key}})
			tn.refuses(t, s.newBrowser().post(tn.base+"/acs", form), "auth", "signature")
		})
	})
}

// An authorization request that names no known place to go to goes nowhere.
func TestNoOpenRedirect(t *testing.T) {
	s := newService(t, options{})
	tn, app := s.newTenant("acme", nil), s.newApplication("https://app.example/callback", "https://app.example/b?x=1")
	b := s.newBrowser()
	for _, redirect := range []string{
		"https://evil.example/", "https://app.example/callback/", "https://app.example/callback/../evil", "https://app.example/callback?x=1",
		"https://app.example/callback#x", "https://app.example.evil.example/callback", "https://app.example@evil.example/callback",
		"https://APP.example/callback", "HTTPS://app.example/callback", "http://app.example/callback", "https://app.example:443/callback",
		"https://app.example/callback%00", "https://app.example/callback ", " https://app.example/callback", "//app.example/callback",
		"/callback", "javascript:alert(1)", "https://app.example/b", "https://app.example/b?x=1&y=2", `https://app.example\@evil.example/callback`,
	} {
		p := b.get(tn.base + "/login?" + app.asks("redirect_uri", redirect).Encode())
		if p.status != http.StatusBadRequest || p.location != nil || p.reference() == "" {
			t.Errorf("redirect_uri %q = %d to %v", redirect, p.status, p.location)
		}
	}
	for name, query := range map[string]url.Values{
		"no client":        app.asks("client_id", ""),
		"unknown client":   app.asks("client_id", directory.NewClientID()),
		"no redirect_uri":  app.asks("redirect_uri", ""),
		"two redirect_uri": {"response_type": {"code"}, "client_id": {app.id}, "redirect_uri": {app.redirect, app.redirect}},
		"two clients":      {"response_type": {"code"}, "client_id": {app.id, app.id}, "redirect_uri": {app.redirect}},
	} {
		p := b.get(tn.base + "/login?" + query.Encode())
		if p.status != http.StatusBadRequest || p.location != nil || p.reference() == "" {
			t.Errorf("%s = %d to %v", name, p.status, p.location)
		}
	}
}

// What else is wrong with a request is told to the application.
func TestFaultsOfAuthorizationRequests(t *testing.T) {
	s := newService(t, options{})
	tn, app := s.newTenant("acme", nil), s.newApplication()
	b := s.newBrowser()
	for name, test := range map[string]struct {
		query url.Values
		code  string
	}{
		"no response_type":      {app.asks("response_type", ""), "invalid_request"},
		"the implicit flow":     {app.asks("response_type", "token"), "unsupported_response_type"},
		"no challenge":          {app.asks("code_challenge", ""), "invalid_request"},
		"the method plain":      {app.asks("code_challenge_method", "plain"), "invalid_request"},
		"no method":             {app.asks("code_challenge_method", ""), "invalid_request"},
		"a short challenge":     {app.asks("code_challenge", "abc"), "invalid_request"},
		"a padded challenge":    {app.asks("code_challenge", strings.Repeat("A", 42)+"="), "invalid_request"},
		"a state that is large": {app.asks("state", strings.Repeat("x", 1025)), "invalid_request"},
	} {
		p := b.get(tn.base + "/login?" + test.query.Encode())
		if p.status != http.StatusSeeOther || p.location == nil {
			t.Errorf("%s = %d %s", name, p.status, p.text)
			continue
		}
		got := p.location.Query()
		if p.location.Host != "app.example" || got.Get("error") != test.code || got.Get("error_description") == "" || got.Get("iss") != s.url || got.Has("code") {
			t.Errorf("%s leads to %s, want %s", name, p.location, test.code)
		}
		if want := test.query.Get("state"); len(want) < 1000 && got.Get("state") != want {
			t.Errorf("%s: state = %q, want %q", name, got.Get("state"), want)
		}
	}
}

// Logs have neither codes nor states, neither assertions nor names.
func TestLogsKeepSecrets(t *testing.T) {
	s := newService(t, options{})
	tn, app := s.newTenant("acme", nil), s.newApplication()
	b := s.newBrowser()
	begun := tn.begin(b, app)
	_, fields := begun.form(t)
	arrived := b.submit(begun)
	tk := s.exchange(app, arrived.code(t))
	s.userinfo(tk.AccessToken)
	for name, secret := range map[string]string{
		"code": arrived.code(t), "RelayState": fields.Get("RelayState"), "assertion": fields.Get("SAMLResponse"), "token": tk.AccessToken,
		"state": "st&te", "name": "anna@acme", "secret": app.secret, "challenge": challengeOf(verifierText), "verifier": verifierText,
	} {
		if strings.Contains(s.log.String(), secret) || strings.Contains(s.log.String(), url.QueryEscape(secret)) {
			t.Errorf("the log has the %s", name)
		}
	}
	if !strings.Contains(s.log.String(), "/acs") {
		t.Error("the log does not have the request at all")
	}
}

// The cookie of a service that browsers reach by https.
func TestCookie(t *testing.T) {
	plain := newService(t, options{})
	secure := newService(t, options{base: "https://roles.example"})
	for name, test := range map[string]struct {
		s    *service
		want string
	}{
		"http":  {plain, "rolesync_login=%s; Path=/; Max-Age=900; HttpOnly"},
		"https": {secure, "__Host-rolesync_login=%s; Path=/; Max-Age=900; HttpOnly; Secure; SameSite=None"},
	} {
		t.Run(name, func(t *testing.T) {
			tn, app := test.s.newTenant("acme", nil), test.s.newApplication()
			r, err := http.NewRequest("GET", tn.base+"/login?"+app.asks().Encode(), nil)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = answer.Body.Close()
			cookies := answer.Cookies()
			if len(cookies) != 1 || len(cookies[0].Value) != 43 {
				t.Fatalf("cookies = %v", cookies)
			}
			if got, want := answer.Header.Get("Set-Cookie"), fmt.Sprintf(test.want, cookies[0].Value); got != want {
				t.Errorf("Set-Cookie: %s\nwant        %s", got, want)
			}
		})
	}
}
