package verifier

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

func TestSignaturesThatAreAccepted(t *testing.T) {
	idp := newSigner(t, providerKey())
	stranger := newSigner(t, strangerKey())
	ec := newSigner(t, ecdsaKey())
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	reissued := certify(t, providerKey(), 2)
	big := plainAssertion(5000)
	inheriting := respond(replace(t, plainAssertion(2), "<saml:", "<", "</saml:", "</", `xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" `, ""))
	inheriting = replace(t, inheriting, `<samlp:Response `, `<samlp:Response xmlns="urn:oasis:names:tc:SAML:2.0:assertion" `)
	twice := replace(t, plainAssertion(2), `<saml:Subject>`, `<saml:Subject xmlns:xs="urn:other">`)
	rebound := replace(t, plainAssertion(2), `<saml:Conditions `, `<Conditions xmlns="urn:oasis:names:tc:SAML:2.0:assertion" `, `</saml:Conditions>`, `</Conditions>`)
	ecdsaInfo := swap(t, "rsa-sha256", "ecdsa-sha256")

	tests := []struct {
		name    string
		message string
		certs   []*x509.Certificate
	}{
		{"only the assertion is signed", respond(idp.sign(t, plainAssertion(2), "_assertion1")), []*x509.Certificate{idp.cert}},
		{"only the response is signed", idp.sign(t, respond(plainAssertion(2)), "_response1"), []*x509.Certificate{idp.cert}},
		{"both are signed", idp.sign(t, respond(idp.sign(t, plainAssertion(2), "_assertion1")), "_response1"), []*x509.Certificate{idp.cert}},
		{"both are signed, by two keys", stranger.sign(t, respond(idp.sign(t, plainAssertion(2), "_assertion1")), "_response1"), []*x509.Certificate{idp.cert, stranger.cert}},
		{"5,000 groups", respond(idp.sign(t, big, "_assertion1")), []*x509.Certificate{idp.cert}},
		{"5,000 groups, the signature behind them", respond(forge(t, providerKey(), big, "_assertion1", func(f *forgery) { f.last = true })), []*x509.Certificate{idp.cert}},
		{"5,000 groups in a signed response", idp.sign(t, respond(big), "_response1"), []*x509.Certificate{idp.cert}},
		{"the certificate was issued anew for the same key", respond(idp.sign(t, plainAssertion(2), "_assertion1")), []*x509.Certificate{reissued}},
		{"the second of three certificates", respond(idp.sign(t, plainAssertion(2), "_assertion1")), []*x509.Certificate{stranger.cert, idp.cert, ec.cert}},
		{"no KeyInfo, and two certificates", respond(forge(t, providerKey(), plainAssertion(2), "_assertion1", nil)), []*x509.Certificate{stranger.cert, idp.cert}},
		{"KeyInfo with only a name", respond(forge(t, providerKey(), plainAssertion(2), "_assertion1", func(f *forgery) { f.after = `<ds:KeyInfo><ds:KeyName>k</ds:KeyName></ds:KeyInfo>` })), []*x509.Certificate{idp.cert}},
		{"KeyInfo with rubbish", respond(forge(t, providerKey(), plainAssertion(2), "_assertion1", func(f *forgery) {
			f.after = `<ds:KeyInfo><ds:X509Data><ds:X509Certificate>!</ds:X509Certificate></ds:X509Data></ds:KeyInfo>`
		})), []*x509.Certificate{idp.cert}},
		{"an indented SignatureValue", respond(forge(t, providerKey(), plainAssertion(2), "_assertion1", func(f *forgery) { f.value = wrapped })), []*x509.Certificate{idp.cert}},
		{"ECDSA as r and s", respond(forge(t, ecdsaKey(), plainAssertion(2), "_assertion1", ecdsaInfo)), []*x509.Certificate{ec.cert}},
		{"ECDSA on P-521", respond(forge(t, p521, plainAssertion(2), "_assertion1", ecdsaInfo)), []*x509.Certificate{certify(t, p521, 3)}},
		{"ECDSA as ASN.1", respond(ec.sign(t, plainAssertion(2), "_assertion1")), []*x509.Certificate{idp.cert, ec.cert}},
		{"SHA-512", respond(idp.sign(t, plainAssertion(2), "_assertion1", func(c *dsig.SigningContext) { c.Hash = crypto.SHA512 })), []*x509.Certificate{idp.cert}},
		{"canonicalization that keeps prefixes", respond(forge(t, providerKey(), plainAssertion(2), "_assertion1", func(f *forgery) {
			doc := etree.NewDocument()
			if err := doc.ReadFromString(plainAssertion(2)); err != nil {
				t.Fatal(err)
			}
			f.info = replace(t, f.info, f.digest, digestOf(t, doc.Root(), "xs"), `<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#">`,
				`<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"><ec:InclusiveNamespaces xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="xs"></ec:InclusiveNamespaces>`)
		})), []*x509.Certificate{idp.cert}},
		{"an assertion that inherits the default namespace", idp.sign(t, inheriting, "_assertion1"), []*x509.Certificate{idp.cert}},
		{"a prefix that is bound twice", respond(idp.sign(t, twice, "_assertion1")), []*x509.Certificate{idp.cert}},
		{"a default namespace inside", idp.sign(t, respond(rebound), "_response1"), []*x509.Certificate{idp.cert}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := accept(t, test.message, expectation(test.certs...))
			if got.NameID.Value != "person-1" || len(got.Attributes) != 2 || got.Attributes[1].Values[1] != "group-0001" {
				t.Errorf("Verify = %+v, want person-1 with two attributes", got)
			}
		})
	}
}

func TestSignaturesThatAreRefused(t *testing.T) {
	idp := newSigner(t, providerKey())
	stranger := newSigner(t, strangerKey())
	ec := newSigner(t, ecdsaKey())
	small := newSigner(t, rsaKey(1024)())
	signed := func(edit func(*forgery)) string {
		return respond(forge(t, providerKey(), plainAssertion(2), "_assertion1", edit))
	}
	reference := signedInfo[strings.Index(signedInfo, "<ds:Reference"):strings.Index(signedInfo, "</ds:SignedInfo>")]
	good := respond(idp.sign(t, plainAssertion(2), "_assertion1"))

	tests := []struct {
		name    string
		message string
		certs   []*x509.Certificate
		want    Code
	}{
		{"nothing is signed", respond(plainAssertion(2)), nil, Unsigned},
		{"signed by a stranger", respond(stranger.sign(t, plainAssertion(2), "_assertion1")), nil, BadSignature},
		{"signed by a stranger, several certificates", respond(stranger.sign(t, plainAssertion(2), "_assertion1")), []*x509.Certificate{idp.cert, ec.cert, certify(t, providerKey(), 9)}, BadSignature},
		{"no certificate is known", good, []*x509.Certificate{}, BadSignature},
		{"the response by a stranger, the assertion by the provider", stranger.sign(t, good, "_response1"), nil, BadSignature},
		{"the response by the provider, the assertion by a stranger", idp.sign(t, respond(stranger.sign(t, plainAssertion(2), "_assertion1")), "_response1"), nil, BadSignature},
		{"a value was changed", replace(t, good, "person-1", "person-2"), nil, BadSignature},
		{"a group was added", replace(t, good, "</saml:Attribute></saml:AttributeStatement>", "<saml:AttributeValue>admin</saml:AttributeValue></saml:Attribute></saml:AttributeStatement>"), nil, BadSignature},
		{"two references", signed(func(f *forgery) {
			f.info = replace(t, f.info, "</ds:SignedInfo>", strings.NewReplacer("#ID", "#_response1", "DIGEST", f.digest).Replace(reference)+"</ds:SignedInfo>")
		}), nil, BadSignature},
		{"the same reference twice", signed(func(f *forgery) {
			f.info = replace(t, f.info, "</ds:SignedInfo>", strings.NewReplacer("#ID", "#_assertion1", "DIGEST", f.digest).Replace(reference)+"</ds:SignedInfo>")
		}), nil, BadSignature},
		{"no reference", signed(func(f *forgery) {
			f.info = f.info[:strings.Index(f.info, "<ds:Reference")] + "</ds:SignedInfo>"
		}), nil, BadSignature},
		{"an empty URI", signed(swap(t, `URI="#_assertion1"`, `URI=""`)), nil, BadSignature},
		{"another URI", signed(swap(t, `#_assertion1`, `#_response1`)), nil, BadSignature},
		{"an XPointer", signed(swap(t, `#_assertion1`, `#xpointer(id('_assertion1'))`)), nil, BadSignature},
		{"a URI with a prefix besides", signed(swap(t, `<ds:Reference URI`, `<ds:Reference xmlns:x="urn:x" URI`, `#_assertion1"`, `#_assertion1" x:URI="#_response1"`)), nil, BadSignature},
		{"no transforms", signed(swap(t, between(signedInfo, "<ds:Transforms>", "</ds:Transforms>"), "")), nil, BadSignature},
		{"only enveloped", signed(swap(t, `<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></ds:Transform>`, "")), nil, BadSignature},
		{"only canonicalization", signed(swap(t, `<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"></ds:Transform>`, "")), nil, BadSignature},
		{"an XPath transform", signed(swap(t, `xmldsig#enveloped-signature`, `xmldsig#xpath`)), nil, BadAlgorithm},
		{"inclusive canonicalization", signed(swap(t, `<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#">`, `<ds:Transform Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315">`)), nil, BadAlgorithm},
		{"SignedInfo canonicalized inclusively", signed(swap(t, `<ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#">`, `<ds:CanonicalizationMethod Algorithm="http://www.w3.org/2006/12/xml-c14n11">`)), nil, BadAlgorithm},
		{"HMAC", signed(swap(t, `xmldsig-more#rsa-sha256`, `xmldsig-more#hmac-sha256`)), nil, BadAlgorithm},
		{"no algorithm", signed(swap(t, `http://www.w3.org/2001/04/xmldsig-more#rsa-sha256`, ``)), nil, BadAlgorithm},
		{"RSA with SHA-1", signed(swap(t, `2001/04/xmldsig-more#rsa-sha256`, `2000/09/xmldsig#rsa-sha1`)), nil, BadAlgorithm},
		{"a digest with SHA-1", signed(func(f *forgery) {
			sum := sha1.Sum([]byte("x"))
			f.info = replace(t, f.info, "2001/04/xmlenc#sha256", "2000/09/xmldsig#sha1", f.digest, base64.StdEncoding.EncodeToString(sum[:]))
		}), nil, BadAlgorithm},
		{"an ECDSA algorithm for an RSA key", signed(swap(t, "rsa-sha256", "ecdsa-sha256")), nil, BadAlgorithm},
		{"an RSA algorithm for an ECDSA key", good, []*x509.Certificate{ec.cert}, BadAlgorithm},
		{"an RSA key of 1024 bits", respond(small.sign(t, plainAssertion(2), "_assertion1")), []*x509.Certificate{small.cert}, BadAlgorithm},
		{"a comment in the DigestValue", signed(swap(t, "<ds:DigestValue>", "<ds:DigestValue><!-- x -->")), nil, Malformed},
		{"two DigestValues", signed(swap(t, "</ds:DigestValue>", "</ds:DigestValue><ds:DigestValue>AA==</ds:DigestValue>")), nil, BadSignature},
		{"an Object in the signature", signed(func(f *forgery) { f.after = "<ds:Object>x</ds:Object>" }), nil, BadSignature},
		{"two SignatureValues", signed(func(f *forgery) { f.after = "<ds:SignatureValue>AA==</ds:SignatureValue>" }), nil, BadSignature},
		{"two SignedInfos", signed(func(f *forgery) { f.after = f.info }), nil, BadSignature},
		{"no SignatureValue", signed(func(f *forgery) { f.value = func([]byte) string { return "" } }), nil, BadSignature},
		{"a SignatureValue that is not Base64", signed(func(f *forgery) { f.value = func([]byte) string { return "!!!!" } }), nil, BadSignature},
		{"two signatures on the assertion", respond(idp.sign(t, idp.sign(t, plainAssertion(2), "_assertion1"), "_assertion1")), nil, Malformed},
		{"a signature in an attribute value", respond(replace(t, idp.sign(t, plainAssertion(2), "_assertion1"), "person@example.com", `<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"/>`)), nil, Malformed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			certs := test.certs
			if certs == nil {
				certs = []*x509.Certificate{idp.cert}
			}
			reject(t, test.message, expectation(certs...), test.want)
		})
	}
}

// between returns the part of a text from one mark to the end of another.
func between(text, from, to string) string {
	return text[strings.Index(text, from) : strings.Index(text, to)+len(to)]
}

func TestAMissingCertificateIsNamed(t *testing.T) {
	idp, stranger := newSigner(t, providerKey()), newSigner(t, strangerKey())
	refusal := reject(t, respond(stranger.sign(t, plainAssertion(1), "_assertion1")), expectation(idp.cert), BadSignature)
	if want := fingerprint(stranger.cert.Raw); !strings.Contains(refusal.Detail, want) {
		t.Errorf("Detail = %q, want it to name the certificate %s", refusal.Detail, want)
	}
	if refusal.Authentic {
		t.Error("a message of a stranger is called authentic")
	}
}

func TestPSSIsRefused(t *testing.T) {
	idp := newSigner(t, providerKey())
	sum := sha256.Sum256([]byte(signedInfo))
	pss, err := rsa.SignPSS(rand.Reader, providerKey(), crypto.SHA256, sum[:], nil)
	if err != nil {
		t.Fatal(err)
	}
	message := respond(forge(t, providerKey(), plainAssertion(1), "_assertion1", func(f *forgery) {
		f.info = replace(t, f.info, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1")
		f.value = func([]byte) string { return base64.StdEncoding.EncodeToString(pss) }
	}))
	reject(t, message, expectation(idp.cert), BadAlgorithm)
}
