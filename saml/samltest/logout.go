package samltest

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Logout says what a LogoutRequest is to state (core section 3.7.1).
type Logout struct {
	Destination string
	Issuer      string // "": the provider's entity ID
	ID          string // "": random
	NameID      string
	Format      string   // "": emailAddress
	Sessions    []string // SessionIndex
	Now         time.Time
	End         time.Time // NotOnOrAfter; zero: there is none

	Unsigned  bool
	Signature Signature
	Edit      func(request *Element)    // before it is signed
	Tamper    func(request *Element)    // at the end
	Escape    func(value string) string // in a query; nil: url.QueryEscape
}

// LogoutRequest returns the request as a form posts it, signed within.
func (p *Provider) LogoutRequest(l Logout) []byte {
	request := p.logout(l)
	if !l.Unsigned {
		Sign(request, request, p.signing(l.Signature))
	}
	if l.Tamper != nil {
		l.Tamper(request)
	}
	return []byte(request.String())
}

// LogoutQuery returns the request as the query of a redirect, signed as bindings section
// 3.4.4.1 has it: over the parameters in the order SAMLRequest, RelayState, SigAlg.
func (p *Provider) LogoutQuery(l Logout, relayState string) string {
	request := p.logout(l)
	if l.Tamper != nil {
		l.Tamper(request)
	}
	escape := l.Escape
	if escape == nil {
		escape = url.QueryEscape
	}
	query := "SAMLRequest=" + escape(Encode(Deflate([]byte(request.String()))))
	if relayState != "" {
		query += "&RelayState=" + escape(relayState)
	}
	if l.Unsigned {
		return query
	}
	s := p.signing(l.Signature).filled()
	query += "&SigAlg=" + escape(s.Method)
	return query + "&Signature=" + escape(base64.StdEncoding.EncodeToString(s.value([]byte(query))))
}

// LowerEscape escapes as .NET does, and so ADFS and Entra: with lower-case digits.
func LowerEscape(value string) string {
	escaped := []byte(url.QueryEscape(value))
	for i := range escaped {
		if escaped[i] == '%' {
			copy(escaped[i:], bytes.ToLower(escaped[i:i+3]))
		}
	}
	return string(escaped)
}

// Deflate compresses a message as the redirect binding has it (bindings section 3.4.4.1).
func Deflate(message []byte) []byte {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err == nil {
		_, err = w.Write(message)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(fmt.Errorf("samltest: deflate: %w", err)) // into memory: cannot be
	}
	return b.Bytes()
}

func (p *Provider) logout(l Logout) *Element {
	otherwise := func(value, fallback string) string {
		if value == "" {
			value = fallback
		}
		return quoted(value)
	}
	now := l.Now
	if now.IsZero() {
		now = time.Now()
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<samlp:LogoutRequest xmlns:samlp="%s" xmlns:saml="%s" ID="%s" Version="2.0" IssueInstant="%s" Destination="%s"`,
		protocolNS, assertionNS, otherwise(l.ID, NewID()), Instant(now), quoted(l.Destination))
	if !l.End.IsZero() {
		fmt.Fprintf(&b, ` NotOnOrAfter="%s"`, Instant(l.End))
	}
	fmt.Fprintf(&b, `><saml:Issuer>%s</saml:Issuer><saml:NameID Format="%s">%s</saml:NameID>`,
		otherwise(l.Issuer, p.EntityID), otherwise(l.Format, EmailAddress), quoted(l.NameID))
	for _, s := range l.Sessions {
		fmt.Fprintf(&b, `<samlp:SessionIndex>%s</samlp:SessionIndex>`, quoted(s))
	}
	b.WriteString(`</samlp:LogoutRequest>`)
	request := parse(b.String())
	if l.Edit != nil {
		l.Edit(request)
	}
	return request
}
