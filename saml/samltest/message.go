package samltest

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
	"time"
)

// Message says what a response is to state. What is left out is filled in by the provider:
// a legal message needs ACS, Audience, NameID and, unless nobody asked, RequestID.
type Message struct {
	Shape string // one of Shapes; "": "plain"

	ACS       string // Destination and Recipient
	Audience  string // our entity ID
	RequestID string // InResponseTo; "": there is none
	Issuer    string // "": the provider's entity ID
	ID        string // of the assertion; "": random

	NameID string
	Format string // of the NameID; "": emailAddress
	Email  string // "": the NameID
	Given  string // name; "": Anna
	Family string // name; "": Meyer
	Groups []string
	// Attributes come behind those of the shape.
	Attributes []Claim

	Now     time.Time // the provider's clock; zero: the time
	Context string    // AuthnContextClassRef; "": PasswordProtectedTransport
	Session string    // SessionIndex; "": as the ID

	Sign      Scope
	Signature Signature   // how it is signed
	Encrypt   *Encryption // nil: not at all

	Edit   func(response *Element)            // before it is signed
	Sealed func(response, assertion *Element) // after the assertion was signed, before it is encrypted
	Tamper func(response *Element)            // at the end
	Bytes  func(message string) string        // of the written message
}

// Claim is an attribute of an assertion.
type Claim struct {
	Name, FriendlyName, Format string
	Values                     []string
}

// Scope says what of a response is signed.
type Scope int

// What is signed.
const (
	SignAssertion Scope = iota
	SignResponse
	SignBoth
	SignNothing
)

// Life is for how long an assertion may be used after it was issued.
const Life = 5 * time.Minute

// Response returns the response that the message asks for. It panics when the message
// cannot be made: then the test is wrong.
func (p *Provider) Response(m Message) []byte {
	m = p.filled(m)
	prolog, response := shaped(m)
	if m.Edit != nil {
		m.Edit(response)
	}
	var assertion *Element
	if m.Sign == SignAssertion || m.Sign == SignBoth {
		assertion = response.Find("Assertion")
		Sign(response, assertion, m.Signature)
	}
	if m.Sealed != nil {
		m.Sealed(response, response.Find("Assertion"))
	}
	if m.Encrypt != nil {
		assertion = response.Find("Assertion")
		response.Replace(assertion, Encrypt(response, assertion, *m.Encrypt))
	}
	if m.Sign == SignResponse || m.Sign == SignBoth {
		Sign(response, response, m.Signature)
	}
	if m.Tamper != nil {
		m.Tamper(response)
	}
	text := prolog + response.String()
	if m.Bytes != nil {
		text = m.Bytes(text)
	}
	return []byte(text)
}

func (p *Provider) filled(m Message) Message {
	fill := func(value *string, otherwise string) {
		if *value == "" {
			*value = otherwise
		}
	}
	fill(&m.Shape, "plain")
	fill(&m.Issuer, p.EntityID)
	fill(&m.ID, NewID())
	fill(&m.Format, EmailAddress)
	fill(&m.Email, m.NameID)
	fill(&m.Given, "Anna")
	fill(&m.Family, "Meyer")
	fill(&m.Context, PasswordTLS)
	fill(&m.Session, m.ID)
	if m.Now.IsZero() {
		m.Now = time.Now()
	}
	m.Signature = dress(m.Shape, p.signing(m.Signature))
	return m
}

// signing fills in the provider's key and certificate.
func (p *Provider) signing(s Signature) Signature {
	if s.Key == nil {
		s.Key = p.Key
	}
	if s.Certificates == nil {
		s.Certificates = p.Certificates[:1]
	}
	return s
}

// NewID returns a random identifier, as SAML wants it: 128 bits that begin with a letter
// or an underscore.
func NewID() string {
	id := make([]byte, 16)
	_, _ = rand.Read(id) // crypto/rand does not fail
	return "_" + hex.EncodeToString(id)
}

// Instant returns a time as SAML writes it (core section 1.3.3).
func Instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// quoted returns a text as it stands in XML, within an element or an attribute.
func quoted(s string) string {
	var b strings.Builder
	escapeAttribute(&b, s)
	return strings.ReplaceAll(b.String(), ">", "&gt;")
}
