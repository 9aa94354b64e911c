package verifier

import (
	"bytes"
	"compress/flate"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

func logoutRequest() string {
	return `<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_logout1" Version="2.0" IssueInstant="` + at(0) + `" Destination="` + testLogout + `" NotOnOrAfter="` + at(2*time.Minute) + `">` +
		`<saml:Issuer>` + testProvider + `</saml:Issuer><saml:NameID SPNameQualifier="` + testEntity + `">person-1</saml:NameID>` +
		`<samlp:SessionIndex>_session1</samlp:SessionIndex><samlp:SessionIndex>_session2</samlp:SessionIndex></samlp:LogoutRequest>`
}

func logoutExpectation(certs ...*x509.Certificate) LogoutExpectation {
	return LogoutExpectation{Provider: testProvider, Certificates: certs, LogoutURL: testLogout, Now: testNow, Skew: time.Minute}
}

func codeOf(err error) Code {
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		return refusal.Code
	}
	return ""
}

func TestVerifyLogout(t *testing.T) {
	idp, stranger := newSigner(t, providerKey()), newSigner(t, strangerKey())
	tests := []struct {
		name string
		swap []string
		by   *signer
		want Code
	}{
		{name: "as it is"},
		{name: "of a stranger", by: stranger, want: BadSignature},
		{name: "another issuer", swap: []string{"<saml:Issuer>", "<saml:Issuer>x"}, want: BadIssuer},
		{name: "another destination", swap: []string{testLogout, testACS}, want: BadDestination},
		{name: "no destination", swap: []string{` Destination="` + testLogout + `"`, ""}, want: BadDestination},
		{name: "another version", swap: []string{`Version="2.0"`, `Version="1.1"`}, want: BadVersion},
		{name: "issued too long ago", swap: []string{`IssueInstant="` + at(0), `IssueInstant="` + at(-6*time.Minute)}, want: BadIssueInstant},
		{name: "issued in the future", swap: []string{`IssueInstant="` + at(0), `IssueInstant="` + at(2*time.Minute)}, want: BadIssueInstant},
		{name: "ended", swap: []string{`NotOnOrAfter="` + at(2*time.Minute), `NotOnOrAfter="` + at(-time.Minute)}, want: Expired},
		{name: "no NameID", swap: []string{between(logoutRequest(), "<saml:NameID ", "</saml:NameID>"), ""}, want: BadNameID},
		{name: "two NameIDs", swap: []string{"</saml:NameID>", "</saml:NameID><saml:NameID>x</saml:NameID>"}, want: BadNameID},
		{name: "an empty session", swap: []string{"_session1", ""}, want: Malformed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			by := idp
			if test.by != nil {
				by = test.by
			}
			plain := replace(t, logoutRequest(), test.swap...)
			got, err := VerifyLogout(t.Context(), []byte(by.sign(t, plain, "_logout1")), logoutExpectation(idp.cert))
			if code := codeOf(err); code != test.want {
				t.Fatalf("VerifyLogout = %v, want %q", err, test.want)
			}
			if test.want == "" && (got.NameID.Value != "person-1" || got.NameID.SPNameQualifier != testEntity || !slices.Equal(got.SessionIndexes, []string{"_session1", "_session2"}) ||
				got.ID != "_logout1" || !got.Usable.Equal(testNow.Add(7*time.Minute))) {
				t.Errorf("VerifyLogout = %+v", got)
			}
		})
	}
	for name, message := range map[string]string{
		"not signed":           logoutRequest(),
		"a response":           respond(plainAssertion(1)),
		"an assertion in it":   replace(t, logoutRequest(), "</samlp:LogoutRequest>", "<saml:Assertion/></samlp:LogoutRequest>"),
		"changed after it was": replace(t, idp.sign(t, logoutRequest(), "_logout1"), "person-1", "person-2"),
	} {
		if got, err := VerifyLogout(t.Context(), []byte(message), logoutExpectation(idp.cert)); err == nil {
			t.Errorf("%s: VerifyLogout = %+v, want it refused", name, got)
		}
	}
}

// redirect packs a message as the Redirect binding has it, and signs it.
func redirect(tb testing.TB, key crypto.Signer, algorithm, message, relayState string) string {
	tb.Helper()
	var packed bytes.Buffer
	writer, err := flate.NewWriter(&packed, flate.BestCompression)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := writer.Write([]byte(message)); err != nil {
		tb.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		tb.Fatal(err)
	}
	query := "SAMLRequest=" + url.QueryEscape(base64.StdEncoding.EncodeToString(packed.Bytes()))
	if relayState != "" {
		query += "&RelayState=" + url.QueryEscape(relayState)
	}
	query += "&SigAlg=" + url.QueryEscape(algorithm)
	return query + "&Signature=" + url.QueryEscape(base64.StdEncoding.EncodeToString(signOctets(tb, key, []byte(query))))
}

func TestVerifyRedirectLogout(t *testing.T) {
	const (
		rsa256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
		ec256  = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
	)
	idp, ec := newSigner(t, providerKey()), newSigner(t, ecdsaKey())
	good := redirect(t, providerKey(), rsa256, logoutRequest(), "state/1")
	reordered := strings.Split(good, "&")
	slices.Reverse(reordered)
	// A provider may escape as it likes: what is signed is what it sent.
	lower := func() string {
		query := strings.ReplaceAll(good[:strings.Index(good, "&Signature")], "%2F", "%2f")
		return query + "&Signature=" + url.QueryEscape(base64.StdEncoding.EncodeToString(signOctets(t, providerKey(), []byte(query))))
	}()
	tests := []struct {
		name, query string
		want        Code
	}{
		{"as it is", good, ""},
		{"in another order", strings.Join(reordered, "&"), ""},
		{"with small escapes", lower, ""},
		{"with a parameter of somebody else", "utm=1&" + good + "&x=%zz", ""},
		{"with ECDSA", redirect(t, ecdsaKey(), ec256, logoutRequest(), ""), ""},
		{"with its encoding", good + "&SAMLEncoding=" + url.QueryEscape(deflate), ""},
		{"with another encoding", good + "&SAMLEncoding=x", BadQuery},
		{"of a stranger", redirect(t, strangerKey(), rsa256, logoutRequest(), ""), BadSignature},
		{"with SHA-1", redirect(t, providerKey(), "http://www.w3.org/2000/09/xmldsig#rsa-sha1", logoutRequest(), ""), BadAlgorithm},
		{"with HMAC", redirect(t, providerKey(), "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256", logoutRequest(), ""), BadAlgorithm},
		{"not signed", good[:strings.Index(good, "&Signature")], Unsigned},
		{"without an algorithm", strings.Replace(good, "&SigAlg", "&NoAlg", 1), Unsigned},
		{"another RelayState", strings.Replace(good, "state%2F1", "state%2F2", 1), BadSignature},
		{"no RelayState", strings.Replace(good, "&RelayState=state%2F1", "", 1), BadSignature},
		{"escaped otherwise than it was signed", strings.Replace(good, "state%2F1", "state/1", 1), BadSignature},
		{"two requests", good + "&SAMLRequest=x", BadQuery},
		{"two requests, one escaped", good + "&SAML%52equest=x", BadQuery},
		{"two RelayStates", good + "&RelayState=x", BadQuery},
		{"two signatures", good + "&Signature=x", BadQuery},
		{"a response too", good + "&SAMLResponse=x", BadQuery},
		{"a bad escape", strings.Replace(good, "state%2F1", "state%2", 1), BadQuery},
		{"no request", "RelayState=x", BadQuery},
		{"nothing", "", BadQuery},
		{"a signature that is not Base64", good[:strings.Index(good, "&Signature")] + "&Signature=%21", BadSignature},
		{"too long", good + "&x=" + strings.Repeat("x", maxQuery), TooLarge},
		{"a bomb", redirect(t, providerKey(), rsa256, strings.Repeat(" ", 16<<20), ""), TooLarge},
		{"not DEFLATE", func() string {
			query := "SAMLRequest=AAAA&SigAlg=" + url.QueryEscape(rsa256)
			return query + "&Signature=" + url.QueryEscape(base64.StdEncoding.EncodeToString(signOctets(t, providerKey(), []byte(query))))
		}(), Malformed},
		{"signed inside too", redirect(t, providerKey(), rsa256, idp.sign(t, logoutRequest(), "_logout1"), ""), Malformed},
		{"another destination", redirect(t, providerKey(), rsa256, replace(t, logoutRequest(), testLogout, testACS), ""), BadDestination},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, state, err := VerifyRedirectLogout(t.Context(), test.query, logoutExpectation(idp.cert, ec.cert))
			if code := codeOf(err); code != test.want {
				t.Fatalf("VerifyRedirectLogout = %v, want %q", err, test.want)
			}
			if test.want == "" && got.NameID.Value != "person-1" {
				t.Errorf("VerifyRedirectLogout = %+v, want person-1", got)
			}
			if test.name == "as it is" && state != "state/1" {
				t.Errorf("RelayState = %q, want state/1", state)
			}
			if test.want == BadDestination {
				if refusal, ok := errors.AsType[*Refusal](err); !ok || !refusal.Authentic {
					t.Error("a refusal after the signature is not called authentic")
				}
			}
		})
	}
}
