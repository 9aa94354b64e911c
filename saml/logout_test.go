package saml_test

import (
	"crypto/x509"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/saml/samltest"
)

const (
	statusSuccess   = "urn:oasis:names:tc:SAML:2.0:status:Success"
	statusRequester = "urn:oasis:names:tc:SAML:2.0:status:Requester"
)

// withLogout gives the provider an address for our answers, on another host, where the
// test's browser stops.
func withLogout(post bool) func(*directory.SAMLSettings) {
	return func(s *directory.SAMLSettings) {
		if post {
			s.Provider.SLOPostURL = "https://idp.example/slo?x=1"
		} else {
			s.Provider.SLORedirectURL = "https://idp.example/slo?x=1"
		}
	}
}

// epoch waits until Redis says another epoch of a user than before, and returns it.
func (tn *tenant) epoch(t *testing.T, user string, before int64) int64 {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(10 * time.Second)
	for {
		if a, ok := tn.assignment(user); ok && a.Epoch != before {
			return a.Epoch
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("the epoch of %s stays %d", user, before)
		}
	}
}

// answered reads our answer, which must be signed.
func answered(t *testing.T, p page) samltest.Request {
	t.Helper()
	certificates := []*x509.Certificate{ourCertificate(directory.Signing)}
	var got samltest.Request
	var err error
	if p.location != nil {
		if !strings.HasPrefix(p.location.String(), "https://idp.example/slo?x=1&SAMLResponse=") {
			t.Fatalf("the answer goes to %s", p.location)
		}
		got, err = samltest.ReadRedirect(strings.TrimPrefix(p.location.RawQuery, "x=1&"), certificates)
	} else {
		action, fields := p.form(t)
		if action != "https://idp.example/slo?x=1" {
			t.Fatalf("the answer goes to %s", action)
		}
		r, _ := http.NewRequest("POST", action, strings.NewReader(fields.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		got, err = samltest.ReadRequest(r, certificates)
	}
	if err != nil || !got.Signed || got.Kind != "LogoutResponse" {
		t.Fatalf("the answer is %+v, %v", got, err)
	}
	return got
}

func TestLogoutRaisesTheEpoch(t *testing.T) {
	databases(t, func(t *testing.T, s *service) {
		app := s.newApplication()
		for name, way := range map[string]struct{ asksByPost, answersByPost bool }{
			"redirect, redirect": {false, false}, "redirect, post": {false, true}, "post, redirect": {true, false}, "post, post": {true, true},
		} {
			t.Run(name, func(t *testing.T) {
				tn := s.newTenant("acme-"+strings.ReplaceAll(name, ", ", "-"), withLogout(way.answersByPost))
				b := s.newBrowser()
				tk := s.exchange(app, tn.login(b, app).code(t))
				pending := tn.login(b, app).code(t) // which has not been exchanged
				user := string(tk.Profile.Sub)
				before, _ := tn.assignment(user)

				l := samltest.Logout{Destination: tn.base + "/logout", NameID: "anna@acme.example", ID: "_logout1"}
				ask := func() page {
					if !way.asksByPost {
						return b.get(tn.base + "/logout?" + tn.provider.LogoutQuery(l, `a"><b>&c=d`))
					}
					return b.post(tn.base+"/logout", url.Values{"SAMLRequest": {samltest.Encode(tn.provider.LogoutRequest(l))}, "RelayState": {`a"><b>&c=d`}})
				}
				got := answered(t, ask())
				if got.Status != statusSuccess || got.InResponseTo != "_logout1" || got.Issuer != tn.base+"/metadata" || got.RelayState != `a"><b>&c=d` {
					t.Errorf("answer = %+v", got)
				}
				if epoch := tn.epoch(t, user, before.Epoch); epoch != before.Epoch+1 {
					t.Errorf("epoch = %d, want one more than %d", epoch, before.Epoch)
				}
				if info := s.userinfo(tk.AccessToken); info.status != http.StatusUnauthorized || info.Error != "invalid_token" {
					t.Errorf("userinfo with a token from before = %+v", info)
				}
				if late := s.exchange(app, pending); late.Error != "invalid_grant" {
					t.Errorf("a code from before = %+v", late)
				}
				tn.refuses(t, ask(), "logout", "replayed")
				if again := s.exchange(app, tn.login(b, app).code(t)); again.Profile.Sub != tk.Profile.Sub || again.Assignment.Epoch != before.Epoch+1 {
					t.Errorf("the next login: %+v", again)
				}
			})
		}
	})
}

// Whom an attribute names is signed out by the NameID that came beside it.
func TestLogoutOfSomebodyWhomAnAttributeNames(t *testing.T) {
	s := newService(t, options{})
	tn, app := s.newTenant("entra", withLogout(false)), s.newApplication()
	object, name := "oid-1", "anna@acme.example"
	tn.answer = func(samltest.Request) samltest.Message {
		return samltest.Message{NameID: name, Attributes: []samltest.Claim{{Name: "http://schemas.microsoft.com/identity/claims/objectidentifier", Values: []string{object}}}}
	}
	b := s.newBrowser()
	tk := s.exchange(app, tn.login(b, app).code(t))
	signOut := func() samltest.Request {
		l := samltest.Logout{Destination: tn.base + "/logout", NameID: "anna@acme.example"}
		return answered(t, b.get(tn.base+"/logout?"+tn.provider.LogoutQuery(l, "")))
	}
	if got := signOut(); got.Status != statusSuccess {
		t.Errorf("answer = %+v", got)
	}
	tn.epoch(t, string(tk.Profile.Sub), tk.Assignment.Epoch)

	// The same person under another name: then the old one is another's.
	name = "anna.ek@acme.example"
	tk = s.exchange(app, tn.login(b, app).code(t))
	object, name = "oid-2", "anna@acme.example"
	other := s.exchange(app, tn.login(b, app).code(t))
	if other.Profile.Sub == tk.Profile.Sub {
		t.Fatal("two ids are one user")
	}
	signOut()
	tn.epoch(t, string(other.Profile.Sub), other.Assignment.Epoch)
	if a, _ := tn.assignment(string(tk.Profile.Sub)); a.Epoch != tk.Assignment.Epoch {
		t.Errorf("the epoch of the one who had the name before went from %d to %d", tk.Assignment.Epoch, a.Epoch)
	}
}

func TestLogoutRefused(t *testing.T) {
	s := newService(t, options{})
	tn, app := s.newTenant("acme", withLogout(false)), s.newApplication()
	stranger := samltest.New("https://stranger.example")
	b := s.newBrowser()
	tk := s.exchange(app, tn.login(b, app).code(t))
	good := samltest.Logout{Destination: tn.base + "/logout", NameID: "anna@acme.example"}
	query := func(change func(*samltest.Logout)) string {
		l := good
		change(&l)
		return tn.provider.LogoutQuery(l, "")
	}
	byPost := func(l samltest.Logout) page {
		return b.post(tn.base+"/logout", url.Values{"SAMLRequest": {samltest.Encode(tn.provider.LogoutRequest(l))}})
	}
	unsigned := good
	unsigned.Unsigned = true

	tn.refuses(t, b.get(tn.base+"/logout?"+query(func(l *samltest.Logout) { l.Unsigned = true })), "auth", "unsigned")
	tn.refuses(t, byPost(unsigned), "auth", "unsigned")
	tn.refuses(t, b.get(tn.base+"/logout?"+query(func(l *samltest.Logout) { l.Signature.Key = stranger.Key })), "auth", "signature")
	tn.refuses(t, b.get(tn.base+"/logout?"+query(func(l *samltest.Logout) { l.Destination = "https://other.example/logout" })), "logout", "destination")
	tn.refuses(t, b.get(tn.base+"/logout"), "auth", "query")
	tn.refuses(t, b.post(tn.base+"/logout", url.Values{"SAMLResponse": {"x"}}), "auth", "form")
	if a, _ := tn.assignment(string(tk.Profile.Sub)); a.Epoch != tk.Assignment.Epoch {
		t.Errorf("the epoch went from %d to %d", tk.Assignment.Epoch, a.Epoch)
	}

	unknown := answered(t, b.get(tn.base+"/logout?"+query(func(l *samltest.Logout) { l.NameID = "bo@acme.example" })))
	if unknown.Status != statusRequester || !strings.Contains(unknown.XML, "status:UnknownPrincipal") {
		t.Errorf("somebody who never signed in: %+v", unknown)
	}
	if f := tn.failures()[0]; f.Kind != "logout" || f.Code != "name_id" {
		t.Errorf("failure = %+v", f)
	}
	if long := answered(t, b.get(tn.base+"/logout?"+tn.provider.LogoutQuery(good, strings.Repeat("x", 81)))); long.RelayState != "" {
		t.Errorf("a RelayState of 81 bytes came back: %q", long.RelayState)
	}
	if exact := answered(t, b.get(tn.base+"/logout?"+tn.provider.LogoutQuery(good, strings.Repeat("x", 80)))); len(exact.RelayState) != 80 {
		t.Errorf("a RelayState of 80 bytes did not come back: %q", exact.RelayState)
	}
}

// A provider that has no address for answers: the person sees that it is done.
func TestLogoutWithoutAnAnswer(t *testing.T) {
	s := newService(t, options{})
	tn, app := s.newTenant("acme", nil), s.newApplication()
	b := s.newBrowser()
	tn.login(b, app).code(t)
	p := b.get(tn.base + "/logout?" + tn.provider.LogoutQuery(samltest.Logout{Destination: tn.base + "/logout", NameID: "anna@acme.example"}, ""))
	if p.status != http.StatusOK || !strings.Contains(p.text, "You are signed out") {
		t.Errorf("GET logout = %d %s", p.status, p.text)
	}
}
