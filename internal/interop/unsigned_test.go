package interop

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"
)

// refusesUnsigned sends the provider a request without a signature, for a service provider
// that signs. What the logins of this package prove of our requests, they prove because of
// this: a provider that did not check signatures would let them in as well.
func refusesUnsigned(t *testing.T, p *provider) {
	arrived := false
	service := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		arrived = arrived || r.FormValue("SAMLResponse") != ""
	}))
	defer service.Close()
	_, certificate, err := keyPair()
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(certificate)
	p.trust(t, "unsigned", fmt.Appendf(nil, serviceProvider, service.URL, base64.StdEncoding.EncodeToString(block.Bytes)))
	request := fmt.Sprintf(authnRequest, time.Now().UTC().Format(time.RFC3339), p.sso(t), service.URL)
	end := newBrowser(t, people()[0]).open(p.sso(t) + "?SAMLRequest=" + url.QueryEscape(deflated(t, request)))
	if arrived {
		t.Errorf("the provider answered it; the browser ended at %s", end.url)
	}
}

const serviceProvider = `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="%[1]s/metadata">
<SPSSODescriptor AuthnRequestsSigned="true" WantAssertionsSigned="true" protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
<KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>%[2]s</X509Certificate></X509Data></KeyInfo></KeyDescriptor>
<AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="%[1]s/acs" index="0"/>
</SPSSODescriptor></EntityDescriptor>`

const authnRequest = `<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ` +
	`ID="_1" Version="2.0" IssueInstant="%[1]s" Destination="%[2]s" AssertionConsumerServiceURL="%[3]s/acs" ` +
	`ProtocolBinding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"><saml:Issuer>%[3]s/metadata</saml:Issuer></samlp:AuthnRequest>`

// deflated is a message as the Redirect binding carries it (SAML bindings, 3.4.4.1).
func deflated(tb testing.TB, message string) string {
	tb.Helper()
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.DefaultCompression)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := w.Write([]byte(message)); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(packed.Bytes())
}
