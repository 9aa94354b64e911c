package samltest_test

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rolesync/rolesync/saml/samltest"
)

// authnRequest returns a request of ours, with all that a provider reads of one.
func authnRequest(id string) string {
	return `<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="` + id + `" Version="2.0" IssueInstant="2026-11-27T09:30:00Z"` +
		` ForceAuthn="true" AssertionConsumerServiceURL="https://roles.example/acs"><saml:Issuer xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">https://roles.example/metadata</saml:Issuer>` +
		`<samlp:NameIDPolicy Format="` + samltest.Persistent + `"/><samlp:RequestedAuthnContext><saml:AuthnContextClassRef xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">` + samltest.PasswordTLS + `</saml:AuthnContextClassRef></samlp:RequestedAuthnContext></samlp:AuthnRequest>`
}

func signedQuery(t *testing.T, key crypto.Signer, parameter, message, relayState string) string {
	t.Helper()
	query := parameter + "=" + url.QueryEscape(samltest.Encode(samltest.Deflate([]byte(message)))) + "&RelayState=" + url.QueryEscape(relayState) + "&SigAlg=" + url.QueryEscape(samltest.RSASHA256)
	sum := sha256.Sum256([]byte(query))
	signature, err := key.Sign(nil, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return query + "&Signature=" + url.QueryEscape(base64.StdEncoding.EncodeToString(signature))
}

func serve(t *testing.T, p *samltest.Provider) string {
	t.Helper()
	server := httptest.NewServer(p.Handler())
	t.Cleanup(server.Close)
	return server.URL
}

func fetch(t *testing.T, method, address string, form url.Values) (int, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }() // it was read
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, body
}

// answered reads the page of /sso and the response in it.
func answered(t *testing.T, status int, page []byte) (action, relayState string, response *samltest.Element) {
	t.Helper()
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, page)
	}
	action, fields, err := samltest.ReadForm(page)
	if err != nil {
		t.Fatal(err)
	}
	message, err := base64.StdEncoding.DecodeString(fields.Get("SAMLResponse"))
	if err != nil {
		t.Fatal(err)
	}
	response, err = samltest.Parse(string(message))
	if err != nil {
		t.Fatal(err)
	}
	return action, fields.Get("RelayState"), response
}

func TestProviderAnswersARedirect(t *testing.T) {
	service := samltest.Key(samltest.Quick2048, "service")
	p := samltest.New("https://idp.example/metadata")
	p.ServiceCertificates = []*x509.Certificate{samltest.SelfSigned(service, "service", time.Now().AddDate(1, 0, 0))}
	var seen samltest.Request
	p.Answer = func(r samltest.Request) samltest.Message {
		seen = r
		return samltest.Message{NameID: "anna", Groups: []string{"staff"}}
	}
	query := signedQuery(t, service, "SAMLRequest", authnRequest("_r1"), `a&"b`)
	address := serve(t, p)
	status, page := fetch(t, http.MethodGet, address+"/sso?"+query, nil)
	action, relayState, response := answered(t, status, page)
	if action != "https://roles.example/acs" || relayState != `a&"b` {
		t.Errorf("the form goes to %q with %q", action, relayState)
	}
	if !seen.Signed || !seen.ForceAuthn || seen.Issuer != "https://roles.example/metadata" || !slices.Equal(seen.Contexts, []string{samltest.PasswordTLS}) {
		t.Errorf("the request was read as %+v", seen)
	}
	name := response.Find("NameID")
	if got := response.Attr("InResponseTo"); got != "_r1" || name.Text() != "anna" || name.Attr("Format") != samltest.Persistent {
		t.Errorf("the response is %s", response)
	}
	if got := response.Find("Audience").Text(); got != "https://roles.example/metadata" {
		t.Errorf("the audience is %q", got)
	}

	for name, query := range map[string]string{
		"another relay state": strings.Replace(query, "RelayState=a", "RelayState=b", 1),
		"no signature":        query[:strings.Index(query, "&SigAlg")],
		"another key":         signedQuery(t, samltest.Key(samltest.Quick2048, "other"), "SAMLRequest", authnRequest("_r1"), "x"),
		"another message":     signedQuery(t, service, "SAMLRequest", strings.Replace(authnRequest("_r1"), "AuthnRequest", "LogoutRequest", 2), "x"),
		"no request":          "",
	} {
		if status, page := fetch(t, http.MethodGet, address+"/sso?"+query, nil); status != http.StatusBadRequest {
			t.Errorf("with %s: status %d: %s", name, status, page)
		}
	}
}

func TestProviderAnswersAForm(t *testing.T) {
	service := samltest.Key(samltest.RSA2048, "service")
	p := samltest.New("https://idp.example/metadata")
	p.ServiceCertificates = []*x509.Certificate{samltest.SelfSigned(service, "service", time.Now().AddDate(1, 0, 0))}
	address := serve(t, p)
	request, err := samltest.Parse(authnRequest("_r2"))
	if err != nil {
		t.Fatal(err)
	}
	samltest.Sign(request, request, samltest.Signature{Key: service})
	status, page := fetch(t, http.MethodPost, address+"/sso", url.Values{"SAMLRequest": {samltest.Encode([]byte(request.String()))}, "RelayState": {"state"}})
	_, relayState, response := answered(t, status, page)
	if relayState != "state" || response.Attr("InResponseTo") != "_r2" {
		t.Errorf("answered with %q and %s", relayState, response)
	}
	request.Set("ForceAuthn", "false")
	if status, page := fetch(t, http.MethodPost, address+"/sso", url.Values{"SAMLRequest": {samltest.Encode([]byte(request.String()))}}); status != http.StatusBadRequest {
		t.Errorf("with a changed request: status %d: %s", status, page)
	}
}

func TestProviderHearsOfALogout(t *testing.T) {
	p := samltest.New("https://idp.example/metadata")
	var heard samltest.Request
	p.LoggedOut = func(r samltest.Request) { heard = r }
	answer := `<samlp:LogoutResponse xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_1" Version="2.0" InResponseTo="_2"><samlp:Status><samlp:StatusCode Value="` + samltest.Success + `"/></samlp:Status></samlp:LogoutResponse>`
	status, page := fetch(t, http.MethodPost, serve(t, p)+"/slo", url.Values{"SAMLResponse": {samltest.Encode([]byte(answer))}})
	if status != http.StatusOK || heard.Status != samltest.Success || heard.InResponseTo != "_2" {
		t.Errorf("status %d: %s, heard %+v", status, page, heard)
	}
}

func TestProviderShowsItsMetadata(t *testing.T) {
	p := samltest.New("https://idp.example/a&b")
	p.URL = "https://idp.example/x"
	p.Certificates = append(p.Certificates, samltest.SelfSigned(samltest.Key(samltest.P256, "next"), "next", time.Now()))
	status, body := fetch(t, http.MethodGet, serve(t, p)+"/metadata", nil)
	if status != http.StatusOK || !bytes.Equal(body, p.Metadata()) {
		t.Fatalf("status %d: %s", status, body)
	}
	root, err := samltest.Parse(string(body))
	if err != nil {
		t.Fatal(err)
	}
	if got := root.Attr("entityID"); got != p.EntityID {
		t.Errorf("entityID = %q, want %q", got, p.EntityID)
	}
	if got := len(root.All("X509Certificate")); got != 2 {
		t.Errorf("%d certificates, want 2", got)
	}
	if got := root.Find("SingleSignOnService").Attr("Location"); got != "https://idp.example/x/sso" {
		t.Errorf("SingleSignOnService at %q", got)
	}
}

func TestLogoutIsSigned(t *testing.T) {
	p := samltest.New("https://idp.example/metadata")
	pinned := []*x509.Certificate{p.Certificate()}
	l := samltest.Logout{Destination: "https://roles.example/logout", NameID: "anna", Sessions: []string{"_s1", "_s2"}, End: time.Now().Add(time.Minute)}
	for name, escape := range map[string]func(string) string{"upper case": nil, "lower case": samltest.LowerEscape} {
		l.Escape = escape
		r, err := samltest.ReadRedirect(p.LogoutQuery(l, "state+/="), pinned)
		if err != nil || !r.Signed || r.Kind != "LogoutRequest" || r.RelayState != "state+/=" {
			t.Errorf("by redirect, escapes in %s: %+v, %v", name, r, err)
		}
	}
	posted := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/slo", strings.NewReader(url.Values{"SAMLRequest": {samltest.Encode(p.LogoutRequest(l))}}.Encode()))
	posted.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if r, err := samltest.ReadRequest(posted, pinned); err != nil || !r.Signed {
		t.Errorf("by form: %+v, %v", r, err)
	}
	l.Unsigned = true
	if r, err := samltest.ReadRedirect(p.LogoutQuery(l, ""), pinned); err == nil {
		t.Errorf("unsigned: %+v is accepted", r)
	}
}

// A quick key makes the very signatures that crypto/rsa verifies, with every hash.
func TestQuickKeySigns(t *testing.T) {
	key := samltest.Key(samltest.Quick2048, "quick")
	public := key.Public().(*rsa.PublicKey)
	if bits := public.N.BitLen(); bits != 2048 {
		t.Errorf("the key has %d bits", bits)
	}
	for _, hash := range []crypto.Hash{crypto.MD5, crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		h := hash.New()
		_, _ = h.Write([]byte("message"))
		digest := h.Sum(nil)
		signature, err := key.Sign(nil, digest, hash)
		if err != nil {
			t.Errorf("%v: %v", hash, err)
			continue
		}
		if err := rsa.VerifyPKCS1v15(public, hash, digest, signature); err != nil {
			t.Errorf("%v: %v", hash, err)
		}
	}
	if _, err := key.Sign(nil, []byte("short"), crypto.SHA256); err == nil {
		t.Error("a digest that is too short is signed")
	}
}

func TestResponsesAreAllDifferent(t *testing.T) {
	p := samltest.New("https://idp.example/metadata")
	responses := p.Responses(make([]samltest.Message, 40))
	seen := map[string]bool{}
	for _, r := range responses {
		root, err := samltest.Parse(string(r))
		if err != nil {
			t.Fatal(err)
		}
		seen[root.Find("Assertion").Attr("ID")] = true
	}
	if len(seen) != len(responses) {
		t.Errorf("%d IDs in %d responses", len(seen), len(responses))
	}
}
