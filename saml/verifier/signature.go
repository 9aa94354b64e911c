package verifier

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"math/big"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

// methods are the signature algorithms that are accepted: none with SHA-1, and none of a
// symmetric key. (RSASSA-PSS is not: goxmldsig does not know it.)
var methods = map[string]x509.SignatureAlgorithm{
	dsig.RSASHA256SignatureMethod:   x509.SHA256WithRSA,
	dsig.RSASHA384SignatureMethod:   x509.SHA384WithRSA,
	dsig.RSASHA512SignatureMethod:   x509.SHA512WithRSA,
	dsig.ECDSASHA256SignatureMethod: x509.ECDSAWithSHA256,
	dsig.ECDSASHA384SignatureMethod: x509.ECDSAWithSHA384,
	dsig.ECDSASHA512SignatureMethod: x509.ECDSAWithSHA512,
}

// digests are the digest algorithms that are accepted.
var digests = map[string]bool{
	"http://www.w3.org/2001/04/xmlenc#sha256":       true,
	"http://www.w3.org/2001/04/xmldsig-more#sha384": true,
	"http://www.w3.org/2001/04/xmlenc#sha512":       true,
}

// minRSABits is the least size of an RSA key.
const minRSABits = 2048

// signature returns the Signature of an element, or nil.
func signature(el *etree.Element) *etree.Element {
	return only(el, signatureSpace, "Signature")
}

// authenticate verifies the signature of an element, which must be detached from its
// parents (see inherit) and is changed, by one of the pinned certificates. It returns what
// was signed, read anew from the bytes whose digest was verified: from then on, nothing else
// may be read.
func authenticate(el *etree.Element, pinned []*x509.Certificate) (*etree.Element, *x509.Certificate, *Refusal) {
	sig := signature(el)
	if sig == nil {
		return nil, nil, refuse(Unsigned, "the %s is not signed", el.Tag)
	}
	id := text(el, "ID")
	method, refusal := inspect(sig, id)
	if refusal != nil {
		return nil, nil, refusal
	}
	claimed := claim(sig)
	for _, keyInfo := range children(sig, signatureSpace, "KeyInfo") {
		sig.RemoveChild(keyInfo)
	}
	// What is signed does not have the Signature in it, so that its place is free. In
	// front, goxmldsig finds it before it has walked past a thousand elements.
	el.InsertChildAt(0, sig)

	cert, refusal := choose(el, sig, method, pinned, claimed)
	if refusal != nil {
		return nil, nil, refusal
	}
	validation := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{cert}})
	// A certificate is a way to write down a key here: when it ends is not asked.
	validation.Clock = dsig.NewFakeClockAt(cert.NotBefore)
	verified, err := validation.Validate(el)
	if err != nil {
		return nil, nil, refuse(BadSignature, "the signature of the %s does not verify: %v%s", el.Tag, err, claimed.note(cert))
	}
	if !is(verified, name{el.NamespaceURI(), el.Tag}) || text(verified, "ID") != id {
		return nil, nil, refuse(BadSignature, "what is signed is not the %s", el.Tag)
	}
	return verified, cert, nil
}

// choose returns the certificate whose key verifies the signature over SignedInfo. With one
// certificate that is left to Validate, which does all of it again: here a stranger's
// signature costs little, however large the message and however many the certificates.
func choose(el, sig *etree.Element, method x509.SignatureAlgorithm, pinned []*x509.Certificate, claimed claimedCertificate) (*x509.Certificate, *Refusal) {
	value := only(sig, signatureSpace, "SignatureValue")
	written, _ := valueOf(value)
	raw, err := decodeBase64(written)
	if err != nil {
		return nil, refuse(BadSignature, "the SignatureValue of the %s is not Base64", el.Tag)
	}
	var candidates []*x509.Certificate
	var weak *Refusal
	for _, cert := range pinned {
		if refusal := fits(cert, method); refusal != nil {
			weak = refusal
			continue
		}
		candidates = append(candidates, cert)
	}
	switch {
	case len(candidates) == 0 && weak != nil:
		return nil, weak
	case len(candidates) == 0:
		return nil, refuse(BadSignature, "no certificate of the provider is known")
	case len(candidates) == 1:
		value.SetText(base64.StdEncoding.EncodeToString(encode(raw, candidates[0])))
		return candidates[0], nil
	}
	info := only(sig, signatureSpace, "SignedInfo").Copy()
	inherit(info, scope(sig))
	canonical, err := dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("").Canonicalize(info)
	if err != nil {
		return nil, refuse(BadSignature, "the SignedInfo of the %s has no canonical form: %v", el.Tag, err)
	}
	for _, cert := range candidates {
		if encoded := encode(raw, cert); cert.CheckSignature(method, canonical, encoded) == nil {
			value.SetText(base64.StdEncoding.EncodeToString(encoded))
			return cert, nil
		}
	}
	return nil, refuse(BadSignature, "none of the %d certificates of the provider verifies the signature of the %s%s", len(pinned), el.Tag, claimed.note(nil))
}

// valueOf is value, for an element that may be missing.
func valueOf(el *etree.Element) (string, bool) {
	if el == nil {
		return "", false
	}
	return value(el)
}

// fits refuses a certificate whose key is of another kind than the algorithm, or too weak.
func fits(cert *x509.Certificate, method x509.SignatureAlgorithm) *Refusal {
	isRSA := method == x509.SHA256WithRSA || method == x509.SHA384WithRSA || method == x509.SHA512WithRSA
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		if !isRSA {
			return refuse(BadAlgorithm, "the message is signed with %v, but the provider has an RSA key", method)
		}
		if key.N.BitLen() < minRSABits {
			return refuse(BadAlgorithm, "the RSA key of the provider has %d bits, and must have %d", key.N.BitLen(), minRSABits)
		}
	case *ecdsa.PublicKey:
		if isRSA {
			return refuse(BadAlgorithm, "the message is signed with %v, but the provider has an ECDSA key", method)
		}
		if key.Curve != elliptic.P256() && key.Curve != elliptic.P384() && key.Curve != elliptic.P521() {
			return refuse(BadAlgorithm, "the ECDSA key of the provider is on the curve %s", key.Curve.Params().Name)
		}
	default:
		return refuse(BadAlgorithm, "the key of the provider is neither RSA nor ECDSA")
	}
	return nil
}

// encode makes of an ECDSA signature, which XML has as r and s of the size of the key one
// after the other (RFC 4050, section 3.3), the ASN.1 that crypto/x509 wants. Signatures that
// are ASN.1 already, as some libraries write them, stay.
func encode(raw []byte, cert *x509.Certificate) []byte {
	key, ok := cert.PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return raw
	}
	size := (key.Curve.Params().BitSize + 7) / 8
	if len(raw) != 2*size {
		return raw
	}
	encoded, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(raw[:size]), new(big.Int).SetBytes(raw[size:])})
	if err != nil {
		return raw // which does not verify
	}
	return encoded
}

// claimedCertificate is what a message says that it is signed with. It never decides; it
// only tells an administrator which certificate is missing.
type claimedCertificate []byte

func claim(sig *etree.Element) claimedCertificate {
	el := sig.FindElement("./KeyInfo/X509Data/X509Certificate")
	if el == nil {
		return nil
	}
	written, _ := value(el)
	return claimedCertificate(written)
}

func (c claimedCertificate) note(known *x509.Certificate) string {
	if len(c) == 0 {
		return ""
	}
	der, err := decodeBase64(string(c))
	if err != nil || known != nil && known.Equal(&x509.Certificate{Raw: der}) {
		return ""
	}
	return "; the message names the certificate with the SHA-256 fingerprint " + fingerprint(der)
}

// fingerprint returns the SHA-256 fingerprint of a certificate in hexadecimal.
func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}
