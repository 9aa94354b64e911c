package samltest

import (
	"bytes"
	"compress/flate"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"strings"
)

// Request is a message of a service provider: an AuthnRequest, a LogoutRequest or a
// LogoutResponse.
type Request struct {
	Kind       string // the local name of its element
	ID         string
	Issuer     string
	ACS        string // AssertionConsumerServiceURL
	Format     string // of NameIDPolicy
	Contexts   []string
	ForceAuthn bool
	RelayState string
	Signed     bool // by one of the certificates
	// Status is the code of a LogoutResponse, InResponseTo what it answers.
	Status, InResponseTo string
	XML                  string
}

// ReadRequest reads what a service provider has sent: by redirect (bindings section 3.4)
// or by a form (section 3.5). With certificates, it must be signed by the key of one.
func ReadRequest(r *http.Request, certificates []*x509.Certificate) (Request, error) {
	if r.Method == http.MethodGet {
		return ReadRedirect(r.URL.RawQuery, certificates)
	}
	if err := r.ParseForm(); err != nil {
		return Request{}, fmt.Errorf("samltest: %w", err)
	}
	value := r.PostForm.Get("SAMLRequest") + r.PostForm.Get("SAMLResponse")
	message, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return Request{}, fmt.Errorf("samltest: base64 of the form: %w", err)
	}
	request, root, err := readRequest(string(message), r.PostForm.Get("RelayState"))
	if err != nil {
		return Request{}, err
	}
	return request.checked(certificates, func(c *x509.Certificate) error { return verifyElement(root, c) })
}

// ReadRedirect reads the query of a redirect.
func ReadRedirect(rawQuery string, certificates []*x509.Certificate) (Request, error) {
	values, err := url.ParseQuery(rawQuery)
	if err != nil {
		return Request{}, fmt.Errorf("samltest: query: %w", err)
	}
	deflated, err := base64.StdEncoding.DecodeString(values.Get("SAMLRequest") + values.Get("SAMLResponse"))
	if err != nil {
		return Request{}, fmt.Errorf("samltest: base64 of the query: %w", err)
	}
	message, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(deflated)), 1<<20))
	if err != nil {
		return Request{}, fmt.Errorf("samltest: inflate the query: %w", err)
	}
	request, _, err := readRequest(string(message), values.Get("RelayState"))
	if err != nil {
		return Request{}, err
	}
	return request.checked(certificates, func(c *x509.Certificate) error { return verifyQuery(rawQuery, values, c) })
}

func (r Request) checked(certificates []*x509.Certificate, verify func(*x509.Certificate) error) (Request, error) {
	var failed error
	for _, c := range certificates {
		err := verify(c)
		if err == nil {
			r.Signed = true
			return r, nil
		}
		failed = errors.Join(failed, err)
	}
	return r, failed
}

func readRequest(text, relayState string) (Request, *Element, error) {
	root, err := Parse(text)
	if err != nil {
		return Request{}, nil, err
	}
	if v := root.Attr("Version"); v != "2.0" {
		return Request{}, nil, fmt.Errorf("samltest: Version %q of <%s>", v, root.Name)
	}
	r := Request{
		Kind: root.Local(), ID: root.Attr("ID"), ACS: root.Attr("AssertionConsumerServiceURL"),
		ForceAuthn: root.Attr("ForceAuthn") == "true" || root.Attr("ForceAuthn") == "1",
		RelayState: relayState, InResponseTo: root.Attr("InResponseTo"), XML: text,
	}
	if e := root.find("Issuer"); e != nil {
		r.Issuer = e.Text()
	}
	if e := root.find("NameIDPolicy"); e != nil {
		r.Format = e.Attr("Format")
	}
	if e := root.find("StatusCode"); e != nil {
		r.Status = e.Attr("Value")
	}
	for _, e := range root.All("AuthnContextClassRef") {
		r.Contexts = append(r.Contexts, e.Text())
	}
	return r, root, nil
}

// verifyQuery checks the signature of a redirect, over the parameters as they were sent.
func verifyQuery(rawQuery string, values url.Values, c *x509.Certificate) error {
	raw := map[string]string{}
	for pair := range strings.SplitSeq(rawQuery, "&") {
		name, _, _ := strings.Cut(pair, "=")
		raw[name] = pair
	}
	var signed []string
	for _, name := range []string{"SAMLRequest", "SAMLResponse", "RelayState", "SigAlg"} {
		if pair, ok := raw[name]; ok {
			signed = append(signed, pair)
		}
	}
	value, err := base64.StdEncoding.DecodeString(values.Get("Signature"))
	if err != nil {
		return fmt.Errorf("samltest: Signature of the query: %w", err)
	}
	return verify(c, values.Get("SigAlg"), strings.Join(signed, "&"), value)
}

// verifyElement checks the enveloped signature of a message: one reference, to the message.
func verifyElement(root *Element, c *x509.Certificate) error {
	signature := root.find("Signature")
	if parent, _ := root.parent(signature); signature == nil || parent != root {
		return errors.New("samltest: the message has no signature")
	}
	info, reference := signature.Find("SignedInfo"), signature.Find("Reference")
	if uri := reference.Attr("URI"); uri != "#"+root.Attr("ID") {
		return fmt.Errorf("samltest: the signature refers to %q", uri)
	}
	var prefixes []string
	if e := reference.find("InclusiveNamespaces"); e != nil {
		prefixes = strings.Fields(e.Attr("PrefixList"))
	}
	bare := root.Clone()
	bare.Replace(bare.Find("Signature"))
	content := Canonical(bare, bare, Exclusive, prefixes...)
	method := reference.Find("DigestMethod").Attr("Algorithm")
	if got, want := digest(method, content), strings.Join(strings.Fields(reference.Find("DigestValue").Text()), ""); got != want {
		return fmt.Errorf("samltest: the digest is %s, not %s", got, want)
	}
	value, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(signature.Find("SignatureValue").Text()), ""))
	if err != nil {
		return fmt.Errorf("samltest: SignatureValue: %w", err)
	}
	canonical := info.Find("CanonicalizationMethod").Attr("Algorithm")
	return verify(c, info.Find("SignatureMethod").Attr("Algorithm"), Canonical(root, info, canonical), value)
}

func verify(c *x509.Certificate, method, content string, value []byte) error {
	var hash crypto.Hash
	switch method {
	case RSASHA256, ECDSASHA256, RSASHA384, ECDSASHA384, RSASHA512, ECDSASHA512:
		hash = hashOf(method)
	default:
		return fmt.Errorf("samltest: signature method %q", method)
	}
	h := hash.New()
	_, _ = h.Write([]byte(content)) // a hash does not fail
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, hash, h.Sum(nil), value)
	case *ecdsa.PublicKey:
		half := len(value) / 2
		if !ecdsa.Verify(key, h.Sum(nil), new(big.Int).SetBytes(value[:half]), new(big.Int).SetBytes(value[half:])) {
			return errors.New("samltest: the ECDSA signature is wrong")
		}
		return nil
	default:
		return fmt.Errorf("samltest: a key %T does not verify", key)
	}
}
