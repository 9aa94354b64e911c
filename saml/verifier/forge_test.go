package verifier

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

// forgery is a signature that a test makes by hand, so that every part of it can be wrong
// and the key of the provider still stands behind it.
type forgery struct {
	key    crypto.Signer
	digest string // of the element, in Base64
	info   string // SignedInfo, in its canonical form
	value  func(signature []byte) string
	after  string // what follows the SignatureValue
	last   bool   // put it at the end of the element, not behind the Issuer
}

const signedInfo = `<ds:SignedInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#">` +
	`<ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></ds:CanonicalizationMethod>` +
	`<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"></ds:SignatureMethod>` +
	`<ds:Reference URI="#ID">` +
	`<ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"></ds:Transform>` +
	`<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></ds:Transform></ds:Transforms>` +
	`<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"></ds:DigestMethod>` +
	`<ds:DigestValue>DIGEST</ds:DigestValue>` +
	`</ds:Reference></ds:SignedInfo>`

// forge signs the element with that ID. The edit changes the signature before it is made.
func forge(tb testing.TB, key crypto.Signer, document, id string, edit func(*forgery)) string {
	tb.Helper()
	doc := etree.NewDocument()
	if err := doc.ReadFromString(document); err != nil {
		tb.Fatal(err)
	}
	el := doc.FindElement("//*[@ID='" + id + "']")
	if el == nil {
		tb.Fatalf("no element has the ID %s", id)
	}
	f := &forgery{key: key, digest: digestOf(tb, el, ""), value: base64.StdEncoding.EncodeToString}
	f.info = strings.NewReplacer("#ID", "#"+id, "DIGEST", f.digest).Replace(signedInfo)
	if edit != nil {
		edit(f)
	}
	written := `<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#">` + f.info +
		`<ds:SignatureValue>` + f.value(signOctets(tb, f.key, []byte(f.info))) + `</ds:SignatureValue>` + f.after + `</ds:Signature>`

	tag := el.FullTag()
	start := strings.Index(document, "<"+tag)
	for !strings.HasPrefix(document[start:], "<"+tag) || !strings.Contains(document[start:start+strings.Index(document[start:], ">")], `ID="`+id+`"`) {
		start += 1 + strings.Index(document[start+1:], "<"+tag)
	}
	if f.last {
		end := start + strings.Index(document[start:], "</"+tag+">")
		return document[:end] + written + document[end:]
	}
	end := start + strings.Index(document[start:], "Issuer>")
	end += 1 + strings.Index(document[end+1:], "Issuer>") + len("Issuer>")
	return document[:end] + written + document[end:]
}

// digestOf returns the digest of an element, canonicalized exclusively, in Base64.
func digestOf(tb testing.TB, el *etree.Element, prefixList string) string {
	tb.Helper()
	detached := el.Copy()
	inherit(detached, scope(el))
	canonical, err := dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList(prefixList).Canonicalize(detached)
	if err != nil {
		tb.Fatal(err)
	}
	digest := sha256.Sum256(canonical)
	return base64.StdEncoding.EncodeToString(digest[:])
}

// signOctets signs with SHA-256: RSA by PKCS #1 v1.5, ECDSA as r and s.
func signOctets(tb testing.TB, key crypto.Signer, octets []byte) []byte {
	tb.Helper()
	sum := sha256.Sum256(octets)
	switch key := key.(type) {
	case *rsa.PrivateKey:
		signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
		if err != nil {
			tb.Fatal(err)
		}
		return signature
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
		if err != nil {
			tb.Fatal(err)
		}
		size := (key.Params().BitSize + 7) / 8
		return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
	}
	tb.Fatalf("no way to sign with %T", key)
	return nil
}

// swap returns an edit that replaces text in SignedInfo.
func swap(tb testing.TB, pairs ...string) func(*forgery) {
	return func(f *forgery) { f.info = replace(tb, f.info, pairs...) }
}

// wrapped writes Base64 as many providers do: in indented lines.
func wrapped(octets []byte) string {
	var b strings.Builder
	for line := base64.StdEncoding.EncodeToString(octets); line != ""; {
		n := min(64, len(line))
		fmt.Fprintf(&b, "\n      %s", line[:n])
		line = line[n:]
	}
	return b.String() + "\n    "
}
