package saml

import (
	"bytes"
	"compress/flate"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strings"

	"github.com/rolesync/rolesync/internal/fault"
)

const (
	signatureNS  = "http://www.w3.org/2000/09/xmldsig#"
	rsaSHA256    = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
	sha256Digest = "http://www.w3.org/2001/04/xmlenc#sha256"
	exclusive    = "http://www.w3.org/2001/10/xml-exc-c14n#"
	enveloped    = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
)

// signer is a key of ours that signs, with its certificate.
type signer struct {
	key         *rsa.PrivateKey
	certificate []byte // DER
}

func (s *signer) sign(text string) (string, error) {
	digest := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, s.key, crypto.SHA256, digest[:])
	return base64.StdEncoding.EncodeToString(signature), err
}

// enveloped returns a message with a signature behind its Issuer, where SAML has it (core
// §5.4). The message is in canonical form, and so is SignedInfo but for its namespace,
// which in the message is declared by the element around it.
func (s *signer) enveloped(m message) (string, error) {
	digest := sha256.Sum256([]byte(m.String()))
	info := `><ds:CanonicalizationMethod Algorithm="` + exclusive + `"></ds:CanonicalizationMethod>` +
		`<ds:SignatureMethod Algorithm="` + rsaSHA256 + `"></ds:SignatureMethod>` +
		`<ds:Reference URI="#` + m.id + `"><ds:Transforms>` +
		`<ds:Transform Algorithm="` + enveloped + `"></ds:Transform><ds:Transform Algorithm="` + exclusive + `"></ds:Transform>` +
		`</ds:Transforms><ds:DigestMethod Algorithm="` + sha256Digest + `"></ds:DigestMethod>` +
		`<ds:DigestValue>` + base64.StdEncoding.EncodeToString(digest[:]) + `</ds:DigestValue></ds:Reference></ds:SignedInfo>`
	value, err := s.sign(`<ds:SignedInfo xmlns:ds="` + signatureNS + `"` + info)
	if err != nil {
		return "", err
	}
	return m.head + `<ds:Signature xmlns:ds="` + signatureNS + `"><ds:SignedInfo` + info +
		`<ds:SignatureValue>` + value + `</ds:SignatureValue><ds:KeyInfo><ds:X509Data><ds:X509Certificate>` +
		base64.StdEncoding.EncodeToString(s.certificate) + `</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature>` + m.tail, nil
}

// redirectURL returns where the browser goes with a message by the binding HTTP-Redirect
// (bindings §3.4.4.1), signed if there is a signer. The kind is SAMLRequest or
// SAMLResponse; extra follows what is signed.
func redirectURL(destination, kind string, m message, relayState string, s *signer, extra url.Values) (string, error) {
	var deflated bytes.Buffer
	w, err := flate.NewWriter(&deflated, flate.DefaultCompression)
	if err != nil {
		return "", err
	}
	_, _ = w.Write([]byte(m.String())) // a buffer takes everything
	_ = w.Close()
	query := kind + "=" + url.QueryEscape(base64.StdEncoding.EncodeToString(deflated.Bytes()))
	if relayState != "" {
		query += "&RelayState=" + url.QueryEscape(relayState)
	}
	if s != nil {
		query += "&SigAlg=" + url.QueryEscape(rsaSHA256)
		signature, err := s.sign(query)
		if err != nil {
			return "", err
		}
		query += "&Signature=" + url.QueryEscape(signature)
	}
	if len(extra) > 0 {
		query += "&" + extra.Encode()
	}
	separator := "?"
	if strings.Contains(destination, "?") {
		separator = "&"
	}
	return destination + separator + query, nil
}

// form is a page that posts a message by itself (bindings §3.5.4).
type form struct {
	Action     string
	Kind       string // SAMLRequest or SAMLResponse
	Message    string // base64
	RelayState string
}

// postForm returns the form that takes a message to its destination by the binding
// HTTP-POST, signed if there is a signer.
func postForm(destination, kind string, m message, relayState string, s *signer) (form, error) {
	text := m.String()
	if s != nil {
		var err error
		if text, err = s.enveloped(m); err != nil {
			return form{}, err
		}
	}
	return form{destination, kind, base64.StdEncoding.EncodeToString([]byte(text)), relayState}, nil
}

// signerOf returns what signs for the connection.
func (p *party) signerOf() (*signer, error) {
	if p.signs == nil {
		return nil, fault.New(fault.Internal, "the connection %s has no key that signs, or it does not open", p.ID)
	}
	return p.signs, nil
}
