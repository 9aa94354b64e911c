package samltest

import (
	"crypto/x509"
	"slices"
	"strings"
	"time"
)

// Target is the service provider that the messages of a corpus are for.
type Target struct {
	EntityID  string
	ACS       string
	RequestID string            // of the request that is answered
	Decrypts  *x509.Certificate // of the key that it decrypts with, RSA
	Skew      time.Duration     // how far the provider's clock may be off
}

// Case is a message of the corpus, and what it takes to judge it.
type Case struct {
	Name string
	Note string // where it comes from: a CVE, a paper, a section of a standard, a product
	// Message is a response, as XML.
	Message []byte
	// Legal messages are to be accepted, with this NameID and, in order, these values of
	// the attributes of this name.
	Legal          bool
	NameID         string
	GroupAttribute string
	Groups         []string
	// Codes are the reasons for which a hostile one may be refused, as package verifier
	// names them. None: any.
	Codes []string

	// What is expected of the message.
	Issuer                string
	Certificates          []*x509.Certificate // pinned
	Unsolicited           bool                // no request was sent
	AuthnContexts         []string
	AuthnSince            time.Time
	WithoutAuthnStatement bool
}

// What the messages state, and what the attackers want them to state.
const (
	person   = "anna@example.com"
	intruder = "admin@example.com"
	trophy   = "admins"
)

// Corpus returns messages that are to be refused and messages that are to be accepted, by
// a target whose clock says now. Each call makes new ones, with the keys of this process.
func Corpus(now time.Time, target Target) []Case {
	c := &corpus{now: now, target: target, provider: New("https://idp.example/saml/metadata")}
	c.shapes()
	c.legalSyntax()
	c.legalKeys()
	c.legalProfile()
	c.legalGroups()
	c.legalEncrypted()
	c.wrapping()
	c.newerWrapping()
	c.keys()
	c.algorithms()
	c.signedInfo()
	c.syntax()
	c.encodings()
	c.sizes()
	c.outer()
	c.subjects()
	c.conditions()
	c.statements()
	c.encrypted()
	c.tenants()
	return c.cases
}

// corpus collects cases.
type corpus struct {
	now      time.Time
	target   Target
	provider *Provider
	cases    []Case
}

// message returns a legal message.
func (c *corpus) message() Message {
	return Message{
		ACS: c.target.ACS, Audience: c.target.EntityID, RequestID: c.target.RequestID,
		NameID: person, Groups: []string{"staff", "billing"}, Now: c.now,
	}
}

// legal adds a message that is to be accepted, changed from the usual one.
func (c *corpus) legal(name, note string, change func(m *Message)) *Case {
	m := c.message()
	change(&m)
	k := c.add(name, note, m)
	k.Legal = true
	k.NameID = m.NameID
	k.GroupAttribute = GroupAttribute(m.Shape)
	k.Groups = m.Groups
	return k
}

// hostile adds a message that is to be refused, for one of the reasons named (in one
// string, by spaces).
func (c *corpus) hostile(name, note, codes string, change func(m *Message)) *Case {
	m := c.message()
	change(&m)
	k := c.add(name, note, m)
	k.Codes = strings.Fields(codes)
	return k
}

func (c *corpus) add(name, note string, m Message) *Case {
	c.cases = append(c.cases, Case{
		Name: name, Note: note, Message: c.provider.Response(m),
		Issuer: c.provider.EntityID, Certificates: slices.Clone(c.provider.Certificates),
	})
	return &c.cases[len(c.cases)-1]
}

// evil returns a copy of a signed assertion, or of a response with one in it, that states
// what an attacker wants and has no signature of its own.
func evil(signed *Element) *Element {
	e := signed.Clone()
	for _, s := range e.All("Signature") {
		e.Replace(s)
	}
	e.Set("ID", "_evil"+signed.Attr("ID"))
	if assertion := e.Find("Assertion"); assertion != e {
		assertion.Set("ID", "_evil"+assertion.Attr("ID"))
	}
	e.Find("NameID").SetText(intruder)
	values := e.All("AttributeValue")
	values[len(values)-1].SetText(trophy)
	return e
}
