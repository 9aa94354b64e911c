package verifier

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

// What the tests of this package agree on: who sends, who receives, and when.
const (
	testProvider = "https://idp.example/metadata"
	testEntity   = "https://sp.example/saml/conn_1/metadata"
	testACS      = "https://sp.example/saml/conn_1/acs"
	testLogout   = "https://sp.example/saml/conn_1/logout"
	testRequest  = "_request1"
)

var testNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// signer is a key of a provider, with a certificate of it.
type signer struct {
	key  crypto.Signer
	cert *x509.Certificate
}

func newSigner(tb testing.TB, key crypto.Signer) *signer {
	tb.Helper()
	return &signer{key, certify(tb, key, 1)}
}

// certify issues a certificate that ended long ago: when it ends must not matter.
func certify(tb testing.TB, key crypto.Signer, serial int64) *x509.Certificate {
	tb.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		Subject:      pkix.Name{CommonName: "idp.example"},
		NotBefore:    testNow.AddDate(-3, 0, 0),
		NotAfter:     testNow.AddDate(-1, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	return cert
}

func rsaKey(bits int) func() *rsa.PrivateKey {
	return sync.OnceValue(func() *rsa.PrivateKey {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			panic(err)
		}
		return key
	})
}

func fileKey(name string) func() *rsa.PrivateKey {
	return sync.OnceValue(func() *rsa.PrivateKey {
		written, err := os.ReadFile("testdata/" + name + ".pem")
		if err != nil {
			panic(err)
		}
		block, _ := pem.Decode(written)
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			panic(err)
		}
		return key.(*rsa.PrivateKey)
	})
}

// The keys of testdata are for these tests only. They are files, since fuzzing runs in several
// processes, which must agree on them.
var (
	providerKey = fileKey("provider")
	strangerKey = fileKey("stranger")
	ourKey      = fileKey("ours")
	ecdsaKey    = sync.OnceValue(func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			panic(err)
		}
		return key
	})
)

// sign signs the element with that ID in a document with goxmldsig, and puts the Signature
// behind its Issuer.
func (s *signer) sign(tb testing.TB, document, id string, options ...func(*dsig.SigningContext)) string {
	tb.Helper()
	context, err := dsig.NewSigningContext(s.key, [][]byte{s.cert.Raw})
	if err != nil {
		tb.Fatal(err)
	}
	context.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	if _, ok := s.key.(*ecdsa.PrivateKey); ok {
		if err := context.SetSignatureMethod(dsig.ECDSASHA256SignatureMethod); err != nil {
			tb.Fatal(err)
		}
	}
	for _, option := range options {
		option(context)
	}
	doc := etree.NewDocument()
	if err := doc.ReadFromString(document); err != nil {
		tb.Fatal(err)
	}
	el := doc.FindElement("//*[@ID='" + id + "']")
	if el == nil {
		tb.Fatalf("no element has the ID %s", id)
	}
	detached := el.Copy()
	inherit(detached, scope(el))
	sig, err := context.ConstructSignature(detached, true)
	if err != nil {
		tb.Fatal(err)
	}
	el.InsertChildAt(1, sig)
	doc.WriteSettings = etree.WriteSettings{CanonicalText: true, CanonicalAttrVal: true} // keeps CR
	written, err := doc.WriteToString()
	if err != nil {
		tb.Fatal(err)
	}
	return written
}

// replace replaces what must be in a text.
func replace(tb testing.TB, text string, pairs ...string) string {
	tb.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			tb.Fatalf("the message has no %q", pairs[i])
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}

func at(offset time.Duration) string { return testNow.Add(offset).Format(time.RFC3339) }

// plainAssertion is an assertion as most providers write it, without a signature.
func plainAssertion(groups int) string {
	var values strings.Builder
	for i := range groups {
		fmt.Fprintf(&values, `<saml:AttributeValue xsi:type="xs:string">group-%04d</saml:AttributeValue>`, i)
	}
	return `<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" ID="_assertion1" Version="2.0" IssueInstant="` + at(0) + `">` +
		`<saml:Issuer>` + testProvider + `</saml:Issuer>` +
		`<saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">person-1</saml:NameID>` +
		`<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData InResponseTo="` + testRequest + `" NotOnOrAfter="` + at(5*time.Minute) + `" Recipient="` + testACS + `"/></saml:SubjectConfirmation></saml:Subject>` +
		`<saml:Conditions NotBefore="` + at(-5*time.Minute) + `" NotOnOrAfter="` + at(5*time.Minute) + `"><saml:AudienceRestriction><saml:Audience>` + testEntity + `</saml:Audience></saml:AudienceRestriction></saml:Conditions>` +
		`<saml:AuthnStatement AuthnInstant="` + at(-time.Minute) + `" SessionIndex="_session1" SessionNotOnOrAfter="` + at(8*time.Hour) + `"><saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>` +
		`<saml:AttributeStatement><saml:Attribute Name="mail" NameFormat="urn:oasis:names:tc:SAML:2.0:attrname-format:basic"><saml:AttributeValue xsi:type="xs:string">person@example.com</saml:AttributeValue></saml:Attribute>` +
		`<saml:Attribute Name="groups" FriendlyName="Groups">` + values.String() + `</saml:Attribute></saml:AttributeStatement>` +
		`</saml:Assertion>`
}

// respond wraps an assertion in a response without a signature.
func respond(assertion string) string {
	return `<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_response1" Version="2.0" IssueInstant="` + at(0) + `" Destination="` + testACS + `" InResponseTo="` + testRequest + `">` +
		`<saml:Issuer xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">` + testProvider + `</saml:Issuer>` +
		`<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>` +
		assertion + `</samlp:Response>`
}

// expectation is what the messages of these tests fit.
func expectation(certs ...*x509.Certificate) Expectation {
	return Expectation{
		Provider:     testProvider,
		Certificates: certs,
		EntityID:     testEntity,
		ACSURL:       testACS,
		RequestID:    testRequest,
		Now:          testNow,
		Skew:         time.Minute,
	}
}

// accept fails the test unless the message is accepted.
func accept(tb testing.TB, message string, e Expectation) *Assertion {
	tb.Helper()
	assertion, err := Verify(tb.Context(), []byte(message), e)
	if err != nil {
		tb.Fatalf("Verify = %v, want it accepted", err)
	}
	return assertion
}

// reject fails the test unless the message is refused with that code.
func reject(tb testing.TB, message string, e Expectation, want Code) *Refusal {
	tb.Helper()
	assertion, err := Verify(tb.Context(), []byte(message), e)
	refusal, ok := errors.AsType[*Refusal](err)
	if !ok || assertion != nil {
		tb.Fatalf("Verify = %v, %v, want it refused as %s", assertion, err, want)
	}
	if refusal.Code != want {
		tb.Fatalf("Verify refused as %v, want %s", refusal, want)
	}
	return refusal
}
