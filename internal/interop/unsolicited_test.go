package interop

import (
	"net/url"
	"strings"
	"testing"
)

// idpInitiated is where SimpleSAMLphp begins a login by itself, to a service provider.
func (c *connection) idpInitiated(relayState string) string {
	return c.provider.address + "/saml2/idp/SSOService.php?" + url.Values{"spentityid": {c.url + "/metadata"}, "RelayState": {relayState}}.Encode()
}

const elsewhere = "https://elsewhere.example.com/"

func unsolicitedRefused(t *testing.T, w *world, p *provider) {
	c := w.connect(t, p, "unsolicited", nil)
	c.refused(t, newBrowser(t, people()[0]).open(c.idpInitiated(elsewhere)), "unsolicited")
}

func unsolicitedAllowed(t *testing.T, w *world, p *provider) {
	c := w.connect(t, p, "allowed", map[string]any{"idp_initiated": true, "application": w.application.ID})
	b := newBrowser(t, people()[0])
	// Its RelayState is no address of ours: nobody goes there.
	got := c.redeem(t, b, b.open(c.idpInitiated(elsewhere)), "", "")
	c.check(t, people()[0], got)
}

// refused checks that a browser has ended at a page of ours that tells the person nothing
// but a reference, under which the connection's failures have the reason.
func (c *connection) refused(t *testing.T, end page, code string) {
	t.Helper()
	if !strings.HasPrefix(end.url.String(), c.url+"/") || end.status < 400 {
		t.Fatalf("the browser ended at %s with %d, want a refusal of ours:\n%s", end.url, end.status, end.body)
	}
	failures := c.failures(t)
	if len(failures) == 0 {
		t.Fatalf("the connection has no failures; the page is:\n%s", end.body)
	}
	newest := failures[0]
	reference := strings.ToUpper(newest.Request[max(0, len(newest.Request)-8):])
	if newest.Code != code || !strings.Contains(end.body, reference) {
		t.Errorf("the newest failure is %+v, want the code %s, and its reference %s on the page:\n%s", newest, code, reference, end.body)
	}
	if newest.Detail == "" || strings.Contains(end.body, newest.Detail) || strings.Contains(end.body, code) {
		t.Errorf("the page tells the reason (%s), which is not for the person:\n%s", newest.Detail, end.body)
	}
}
