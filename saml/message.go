package saml

import (
	"strings"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
)

// The messages of ours are few and small, so they are written here, and in the form that
// exclusive canonicalization (https://www.w3.org/TR/xml-exc-c14n/) gives them: what is
// signed is what is written. Attributes stand in order of their names, a namespace is
// declared where it is first used, nothing is abbreviated.

const (
	protocolNS  = "urn:oasis:names:tc:SAML:2.0:protocol"
	assertionNS = "urn:oasis:names:tc:SAML:2.0:assertion"
	postBinding = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
)

// escapes are those of canonical XML §2.3, of texts and attributes alike: each may be
// written in the other's place without changing what is read, but not for a signature, so
// both are here.
var (
	textEscapes      = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#xD;")
	attributeEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", `"`, "&quot;", "\t", "&#x9;", "\n", "&#xA;", "\r", "&#xD;")
)

// message is a protocol message in two parts: a signature goes between them.
type message struct {
	id         string
	head, tail string // up to the end of Issuer, and what follows
}

func (m message) String() string { return m.head + m.tail }

// newMessageID returns an id of 160 random bits that begins as xs:ID must.
func newMessageID() string { return "_" + randomText(20) }

type attribute struct{ name, value string }

// open returns the start of a protocol message. The attributes are in order of names.
func open(name, issuer string, attributes ...attribute) string {
	var b strings.Builder
	b.WriteString(`<samlp:` + name + ` xmlns:samlp="` + protocolNS + `"`)
	for _, a := range attributes {
		if a.value != "" {
			b.WriteString(` ` + a.name + `="` + attributeEscapes.Replace(a.value) + `"`)
		}
	}
	b.WriteString(`><saml:Issuer xmlns:saml="` + assertionNS + `">` + textEscapes.Replace(issuer) + `</saml:Issuer>`)
	return b.String()
}

func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// authnRequest asks the provider to have somebody sign in (SAML core §3.4.1).
func authnRequest(p *party, destination string, r request) message {
	force := ""
	if r.Fresh {
		force = "true"
	}
	m := message{id: r.ID, head: open("AuthnRequest", p.entityID,
		attribute{"AssertionConsumerServiceURL", p.acsURL},
		attribute{"Destination", destination},
		attribute{"ForceAuthn", force},
		attribute{"ID", r.ID},
		attribute{"IssueInstant", instant(r.At)},
		attribute{"ProtocolBinding", postBinding},
		attribute{"Version", "2.0"},
	)}
	format := p.SAML.NameIDFormat
	if format == "" {
		format = formatUnspecified
	}
	var b strings.Builder
	b.WriteString(`<samlp:NameIDPolicy AllowCreate="true" Format="` + attributeEscapes.Replace(format) + `"></samlp:NameIDPolicy>`)
	if contexts := p.SAML.AuthnContexts; len(contexts) > 0 {
		b.WriteString(`<samlp:RequestedAuthnContext Comparison="exact">`)
		for _, context := range contexts {
			b.WriteString(`<saml:AuthnContextClassRef xmlns:saml="` + assertionNS + `">` + textEscapes.Replace(context) + `</saml:AuthnContextClassRef>`)
		}
		b.WriteString(`</samlp:RequestedAuthnContext>`)
	}
	b.WriteString(`</samlp:AuthnRequest>`)
	m.tail = b.String()
	return m
}

// The statuses of a response to a logout request (SAML core §3.2.2.2).
const (
	statusSuccess          = "urn:oasis:names:tc:SAML:2.0:status:Success"
	statusRequester        = "urn:oasis:names:tc:SAML:2.0:status:Requester"
	statusUnknownPrincipal = "urn:oasis:names:tc:SAML:2.0:status:UnknownPrincipal"
)

// logoutResponse answers a logout request (SAML core §3.7.2). The second status is more
// precise than the first; "": there is none.
func logoutResponse(p *party, destination, inResponseTo string, now time.Time, status, precise string) message {
	id := newMessageID()
	m := message{id: id, head: open("LogoutResponse", p.entityID,
		attribute{"Destination", destination},
		attribute{"ID", id},
		attribute{"InResponseTo", inResponseTo},
		attribute{"IssueInstant", instant(now)},
		attribute{"Version", "2.0"},
	)}
	inner := ""
	if precise != "" {
		inner = `<samlp:StatusCode Value="` + precise + `"></samlp:StatusCode>`
	}
	m.tail = `<samlp:Status><samlp:StatusCode Value="` + status + `">` + inner + `</samlp:StatusCode></samlp:Status></samlp:LogoutResponse>`
	return m
}

// wantsSignature reports whether requests are signed: the connection or the provider's
// metadata says so.
func wantsSignature(s *directory.SAMLSettings) bool {
	return s.SignRequests || s.Provider.WantRequestsSigned
}
