package interop

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// logoutByRedirect signs out at SimpleSAMLphp, which sends the browser with a request to
// every service of the session, and takes it back with the answer.
func logoutByRedirect(t *testing.T, w *world, p *provider) {
	c := w.connect(t, p, "logout", nil)
	c.logout(t, p.address+"/saml2/idp/SingleLogoutService.php?"+url.Values{"ReturnTo": {w.application.redirectURI}}.Encode(),
		func(end page) bool { return end.url.String() == w.application.redirectURI })
}

// logoutByPost has pysaml2 send the browser with a request in a form; what it makes of our
// answer, it writes on the last page.
func logoutByPost(t *testing.T, w *world, p *provider) {
	c := w.connect(t, p, "logout", nil)
	person := people()[0]
	c.logout(t, p.address+"/logout?"+url.Values{"sp": {c.url + "/metadata"}, "username": {person.Name}, "password": {person.Password}}.Encode(),
		func(end page) bool { return end.body == "logged out" })
}

// logout signs in, signs out at an address of the provider, and checks that access has
// ended, and that whoever signs in again has it again.
func (c *connection) logout(t *testing.T, address string, out func(end page) bool) {
	t.Helper()
	p := people()[0]
	b, a := newBrowser(t, p), c.ask()
	in := c.redeem(t, b, b.open(a.address), a.state, a.verifier)
	if status := c.userinfo(t, in.AccessToken); status != http.StatusOK {
		t.Fatalf("GET /sso/userinfo = %d before the logout, want 200", status)
	}
	before := c.epoch(t, in.Profile.Subject)
	if end := b.open(address); !out(end) {
		t.Errorf("the provider was left at %s with %d: %s\nthe way:\n%s\nfailures: %+v", end.url, end.status, end.body, strings.Join(b.visits, "\n"), c.failures(t))
	}
	c.epochRises(t, in.Profile.Subject, before)
	if status := c.userinfo(t, in.AccessToken); status != http.StatusUnauthorized {
		t.Errorf("GET /sso/userinfo = %d after the logout, want 401", status)
	}
	again := c.signIn(t, p)
	if again.Profile.Subject != in.Profile.Subject || again.Assignment.Epoch <= before {
		t.Errorf("signed in again as %s with epoch %d, want %s and more than %d", again.Profile.Subject, again.Assignment.Epoch, in.Profile.Subject, before)
	}
}
