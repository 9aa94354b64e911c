package interop

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestLogoutAtTheProviderEndsAccess(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct {
		name    string
		product product
		// at is where the person signs out, at the provider.
		at func(c *connection, p person) string
		// out reports whether the provider took our answer for a good one.
		out func(c *connection, end page) bool
	}{
		{
			name: "by redirect", product: products[0],
			at: func(c *connection, _ person) string {
				return c.provider.address + "/saml2/idp/SingleLogoutService.php?" + url.Values{"ReturnTo": {c.application.redirectURI}}.Encode()
			},
			out: func(c *connection, end page) bool { return end.url.String() == c.application.redirectURI },
		},
		{
			name: "by POST", product: products[1],
			at: func(c *connection, p person) string {
				return c.provider.address + "/logout?" + url.Values{"sp": {c.url + "/metadata"}, "username": {p.Name}, "password": {p.Password}}.Encode()
			},
			out: func(_ *connection, end page) bool { return end.body == "logged out" },
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := w.connect(t, test.product.start(t), "signed", nil)
			p := people()[0]
			b, a := newBrowser(t, p), c.ask()
			in := c.redeem(t, b, b.open(a.address), a.state, a.verifier)
			if status := c.userinfo(t, in.AccessToken); status != http.StatusOK {
				t.Fatalf("GET /sso/userinfo = %d before the logout, want 200", status)
			}
			before := c.epoch(t, in.Profile.Subject)

			end := b.open(test.at(c, p))
			if !test.out(c, end) {
				t.Errorf("the provider was left at %s with %d: %s\nthe way:\n%s\nfailures: %+v", end.url, end.status, end.body, strings.Join(b.visits, "\n"), c.failures(t))
			}
			c.epochRises(t, in.Profile.Subject, before)
			if status := c.userinfo(t, in.AccessToken); status != http.StatusUnauthorized {
				t.Errorf("GET /sso/userinfo = %d after the logout, want 401", status)
			}

			// Whoever signs in again has access again.
			c.signIn(t, p)
		})
	}
}
