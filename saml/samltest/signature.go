package samltest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	_ "crypto/md5" // for what must be refused
	"crypto/rand"
	_ "crypto/sha1" // likewise
	"crypto/sha256"
	_ "crypto/sha512" // for SHA-384 and SHA-512
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// Signature says how an element is signed (XML Signature Syntax and Processing 1.1). The
// zero value is what nearly every provider does: the provider's key, RSA or ECDSA with
// SHA-256, exclusive canonicalisation, the certificate in KeyInfo, and the signature behind
// the issuer.
type Signature struct {
	Key          crypto.Signer       // nil: the provider's
	Certificates []*x509.Certificate // in KeyInfo; nil: the provider's
	WithoutKey   bool                // no KeyInfo
	Secret       []byte              // the key of HMAC

	Method    string   // of the signature; "": by the key, with SHA-256
	Digest    string   // "": SHA-256
	Canonical string   // of SignedInfo, and of the element unless Transforms say so; "": Exclusive
	Prefixes  []string // of InclusiveNamespaces in the transform of the element
	Prefix    string   // of the signature's own namespace; "": ds, "-": the default namespace
	DER       bool     // ECDSA as ASN.1, which is wrong

	// Digested is what is digested, when it is not the canonical form of the element.
	Digested func(root, element *Element) string
	// Info changes SignedInfo before it is signed.
	Info func(info *Element)
	// Tamper changes the signature after it was made.
	Tamper func(signature *Element)
	// Place puts the signature into the element; nil: behind its Issuer, or as the first child.
	Place func(element, signature *Element)
}

// Sign signs an element, which is in the document root, and returns the signature.
func Sign(root, element *Element, s Signature) *Element {
	s = s.filled()
	content := Canonical(root, element, s.Canonical, s.Prefixes...)
	if s.Digested != nil {
		content = s.Digested(root, element)
	}
	signature := s.element(element.Attr("ID"), digest(s.Digest, content))
	info := signature.Find("SignedInfo")
	if s.Info != nil {
		s.Info(info)
	}
	s.Place(element, signature)
	signed := Canonical(root, info, s.Canonical)
	signature.Find("SignatureValue").SetText(base64.StdEncoding.EncodeToString(s.value([]byte(signed))))
	if s.Tamper != nil {
		s.Tamper(signature)
	}
	return signature
}

func (s Signature) filled() Signature {
	if s.Method == "" {
		s.Method = RSASHA256
		if key, ok := s.Key.(*ecdsa.PrivateKey); ok {
			s.Method = map[int]string{384: ECDSASHA384, 521: ECDSASHA512}[key.Curve.Params().BitSize]
			if s.Method == "" {
				s.Method = ECDSASHA256
			}
		}
	}
	if s.Digest == "" {
		s.Digest = SHA256
	}
	if s.Canonical == "" {
		s.Canonical = Exclusive
	}
	switch s.Prefix {
	case "":
		s.Prefix = "ds:"
	case "-":
		s.Prefix = ""
	default:
		s.Prefix += ":"
	}
	if s.Place == nil {
		s.Place = behindIssuer
	}
	return s
}

func behindIssuer(element, signature *Element) {
	for _, child := range element.Elements() {
		if child.Local() == "Issuer" {
			element.After(child, signature)
			return
		}
	}
	element.Prepend(signature)
}

// element returns the signature without its value.
func (s Signature) element(id, digest string) *Element {
	declaration := "xmlns"
	if s.Prefix != "" {
		declaration += ":" + strings.TrimSuffix(s.Prefix, ":")
	}
	var inclusive, key string
	if len(s.Prefixes) > 0 {
		inclusive = `<ec:InclusiveNamespaces xmlns:ec="` + Exclusive + `" PrefixList="` + strings.Join(s.Prefixes, " ") + `"/>`
	}
	if !s.WithoutKey {
		for _, c := range s.Certificates {
			key += "<@X509Certificate>" + base64.StdEncoding.EncodeToString(c.Raw) + "</@X509Certificate>"
		}
		key = "<@KeyInfo><@X509Data>" + key + "</@X509Data></@KeyInfo>"
	}
	text := `<@Signature ` + declaration + `="` + signatureNS + `"><@SignedInfo>` +
		`<@CanonicalizationMethod Algorithm="` + s.Canonical + `"/><@SignatureMethod Algorithm="` + s.Method + `"/>` +
		`<@Reference URI="#` + id + `"><@Transforms><@Transform Algorithm="` + Enveloped + `"/>` +
		`<@Transform Algorithm="` + s.Canonical + `">` + inclusive + `</@Transform></@Transforms>` +
		`<@DigestMethod Algorithm="` + s.Digest + `"/><@DigestValue>` + digest + `</@DigestValue></@Reference>` +
		`</@SignedInfo><@SignatureValue/>` + key + `</@Signature>`
	return parse(strings.NewReplacer("<@", "<"+s.Prefix, "</@", "</"+s.Prefix).Replace(text))
}

// digest returns the digest of a text, in base64.
func digest(algorithm, text string) string {
	h := hashOf(algorithm).New()
	_, _ = h.Write([]byte(text)) // a hash does not fail
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// hashOf returns the hash of a signature's or digest's algorithm, by the end of its name.
func hashOf(algorithm string) crypto.Hash {
	hashes := map[string]crypto.Hash{"md5": crypto.MD5, "sha1": crypto.SHA1, "sha256": crypto.SHA256, "sha384": crypto.SHA384, "sha512": crypto.SHA512}
	_, name, _ := strings.Cut(algorithm, "#")
	parts := strings.Split(name, "-")
	hash, ok := hashes[parts[len(parts)-1]]
	if !ok {
		panic("samltest: no hash of " + algorithm)
	}
	return hash
}

func (s Signature) value(content []byte) []byte {
	if s.Secret != nil {
		mac := hmac.New(hashOf(s.Method).New, s.Secret)
		_, _ = mac.Write(content) // a hash does not fail
		return mac.Sum(nil)
	}
	signature, err := signature(s.Key, hashOf(s.Method), content, s.DER)
	if err != nil {
		panic(fmt.Errorf("samltest: sign with %s: %w", s.Method, err))
	}
	return signature
}

// signature signs content: RSA by PKCS #1 v1.5, ECDSA as r‖s (XML Signature section 6.4.3)
// or as ASN.1.
func signature(key crypto.Signer, hash crypto.Hash, content []byte, der bool) ([]byte, error) {
	h := hash.New()
	_, _ = h.Write(content) // a hash does not fail
	signed, err := key.Sign(rand.Reader, h.Sum(nil), hash)
	public, ok := key.Public().(*ecdsa.PublicKey)
	if !ok || err != nil || der {
		return signed, err
	}
	var pair struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(signed, &pair); err != nil {
		return nil, err
	}
	size := (public.Curve.Params().BitSize + 7) / 8
	return slices.Concat(pair.R.FillBytes(make([]byte, size)), pair.S.FillBytes(make([]byte, size))), nil
}

// Fingerprint returns the hex SHA-256 of a certificate.
func Fingerprint(c *x509.Certificate) string {
	return fmt.Sprintf("%x", sha256.Sum256(c.Raw))
}
