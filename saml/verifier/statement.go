package verifier

import (
	"strings"
	"time"
	"unicode"

	"github.com/beevik/etree"
)

// statement is what an assertion says, before it is judged. It is read from verified bytes
// only.
type statement struct {
	el           *etree.Element
	version, id  string
	issuer       string
	issueInstant time.Time

	nameID        NameID
	confirmations []confirmation
	conditions    conditions
	authn         []authn
	attributes    []Attribute
}

// bearer is the confirmation method of browsers (profiles, section 3.3).
const bearer = "urn:oasis:names:tc:SAML:2.0:cm:bearer"

type confirmation struct {
	el                      *etree.Element
	method, recipient       string
	inResponseTo            string
	answers                 bool // InResponseTo is there
	notBefore, notOnOrAfter time.Time
	delayed, bounded        bool // NotBefore, NotOnOrAfter is there
}

type conditions struct {
	el                      *etree.Element
	notBefore, notOnOrAfter time.Time
	bounded                 bool       // NotOnOrAfter is there
	audiences               [][]string // of each AudienceRestriction
}

type authn struct {
	el                           *etree.Element
	instant, sessionNotOnOrAfter time.Time
	ending                       bool // SessionNotOnOrAfter is there
	sessionIndex, context        string
}

// read reads an assertion. It refuses one whose parts are not there as often as they must
// be, or that has parts which SAML does not know.
func read(el *etree.Element) (*statement, *Refusal) {
	s := &statement{el: el, version: text(el, "Version"), id: text(el, "ID")}
	var refusal *Refusal
	if s.issuer, refusal = readIssuer(el, true); refusal != nil {
		return nil, refusal
	}
	var there bool
	if s.issueInstant, there, refusal = instant(el, "IssueInstant"); refusal != nil {
		return nil, refusal
	} else if !there {
		return nil, refuse(Malformed, "the Assertion has no IssueInstant")
	}
	if !identifier(s.id) {
		return nil, refuse(Malformed, "%s is not an ID for an Assertion", quote(s.id))
	}
	if refusal := s.subject(el); refusal != nil {
		return nil, refusal
	}
	found := children(el, assertionSpace, "Conditions")
	if len(found) != 1 {
		return nil, refuse(BadConditions, "the Assertion has %d Conditions, not 1", len(found))
	}
	if refusal := s.conditions.read(found[0]); refusal != nil {
		return nil, refusal
	}
	for _, child := range el.ChildElements() {
		if child.NamespaceURI() != assertionSpace && !is(child, signatureName) {
			return nil, refuse(Malformed, "the Assertion has an unknown %s", quote(child.FullTag()))
		}
		switch child.Tag {
		case "Issuer", "Subject", "Conditions", "Advice", "Signature", "Statement", "AuthzDecisionStatement":
		case "AuthnStatement":
			refusal = s.authentication(child)
		case "AttributeStatement":
			refusal = s.attributeStatement(child)
		default:
			refusal = refuse(Malformed, "the Assertion has an unknown %s", quote(child.FullTag()))
		}
		if refusal != nil {
			return nil, refusal
		}
	}
	return s, nil
}

// readIssuer returns the Issuer of a message or assertion, "" if there is none and it may be
// missing.
func readIssuer(el *etree.Element, required bool) (string, *Refusal) {
	found := children(el, assertionSpace, "Issuer")
	if len(found) == 0 && !required {
		return "", nil
	}
	if len(found) != 1 {
		return "", refuse(BadIssuer, "the %s has %d Issuers, not 1", el.Tag, len(found))
	}
	issuer, ok := value(found[0])
	if !ok || issuer == "" {
		return "", refuse(BadIssuer, "the Issuer of the %s is empty, or not only text", el.Tag)
	}
	const entity = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"
	if format, ok := attribute(found[0], "Format"); ok && format != entity {
		return "", refuse(BadIssuer, "the Issuer of the %s has the format %s", el.Tag, quote(format))
	}
	return issuer, nil
}

func (s *statement) subject(el *etree.Element) *Refusal {
	found := children(el, assertionSpace, "Subject")
	if len(found) != 1 {
		return refuse(BadSubject, "the Assertion has %d Subjects, not 1", len(found))
	}
	var refusal *Refusal
	if s.nameID, refusal = readNameID(found[0]); refusal != nil {
		return refusal
	}
	for _, el := range children(found[0], assertionSpace, "SubjectConfirmation") {
		c := confirmation{el: el, method: text(el, "Method")}
		data := children(el, assertionSpace, "SubjectConfirmationData")
		if len(data) > 1 {
			return refuse(BadConfirmation, "a SubjectConfirmation has %d SubjectConfirmationData, not 1", len(data))
		}
		if len(data) == 1 {
			c.recipient = text(data[0], "Recipient")
			c.inResponseTo, c.answers = attribute(data[0], "InResponseTo")
			if c.notBefore, c.delayed, refusal = instant(data[0], "NotBefore"); refusal != nil {
				return refusal
			}
			if c.notOnOrAfter, c.bounded, refusal = instant(data[0], "NotOnOrAfter"); refusal != nil {
				return refusal
			}
		}
		s.confirmations = append(s.confirmations, c)
	}
	return nil
}

// maxNameID bounds a NameID. SAML itself bounds persistent ones to 256 characters.
const maxNameID = 1024

// readNameID returns the one NameID of a Subject or LogoutRequest. Its text is taken as it
// is; one that another system could read otherwise is refused.
func readNameID(el *etree.Element) (NameID, *Refusal) {
	if only(el, assertionSpace, "EncryptedID") != nil {
		return NameID{}, refuse(BadNameID, "the NameID is encrypted on its own: encrypt the whole assertion instead")
	}
	found := children(el, assertionSpace, "NameID")
	if len(found) != 1 {
		return NameID{}, refuse(BadNameID, "the %s has %d NameIDs, not 1", el.Tag, len(found))
	}
	v, ok := value(found[0])
	switch {
	case !ok:
		return NameID{}, refuse(BadNameID, "the NameID is not only text")
	case blank(v):
		return NameID{}, refuse(BadNameID, "the NameID is empty")
	case len(v) > maxNameID:
		return NameID{}, refuse(BadNameID, "the NameID has %d bytes, and may have %d", len(v), maxNameID)
	case strings.TrimSpace(v) != v || strings.ContainsFunc(v, unicode.IsControl):
		return NameID{}, refuse(BadNameID, "the NameID %s has white space around it, or control characters in it", quote(v))
	}
	return NameID{
		Value:           v,
		Format:          text(found[0], "Format"),
		NameQualifier:   text(found[0], "NameQualifier"),
		SPNameQualifier: text(found[0], "SPNameQualifier"),
	}, nil
}

// read reads Conditions. A condition that is not understood makes an assertion invalid
// (core, section 2.5.1.1). OneTimeUse says what we do anyway, and ProxyRestriction binds
// those who issue assertions themselves.
func (c *conditions) read(el *etree.Element) *Refusal {
	c.el = el
	var refusal *Refusal
	if c.notBefore, _, refusal = instant(el, "NotBefore"); refusal != nil {
		return refusal
	}
	if c.notOnOrAfter, c.bounded, refusal = instant(el, "NotOnOrAfter"); refusal != nil {
		return refusal
	}
	for _, child := range el.ChildElements() {
		switch {
		case is(child, name{assertionSpace, "AudienceRestriction"}):
			var audiences []string
			for _, audience := range children(child, assertionSpace, "Audience") {
				v, ok := value(audience)
				if !ok {
					return refuse(BadAudience, "an Audience is not only text")
				}
				audiences = append(audiences, v)
			}
			c.audiences = append(c.audiences, audiences)
		case is(child, name{assertionSpace, "OneTimeUse"}), is(child, name{assertionSpace, "ProxyRestriction"}):
		default:
			return refuse(BadConditions, "the Conditions have an unknown %s", quote(child.FullTag()))
		}
	}
	return nil
}

func (s *statement) authentication(el *etree.Element) *Refusal {
	a := authn{el: el, sessionIndex: text(el, "SessionIndex")}
	var there bool
	var refusal *Refusal
	if a.instant, there, refusal = instant(el, "AuthnInstant"); refusal != nil {
		return refusal
	} else if !there {
		return refuse(BadAuthn, "an AuthnStatement has no AuthnInstant")
	}
	if a.sessionNotOnOrAfter, a.ending, refusal = instant(el, "SessionNotOnOrAfter"); refusal != nil {
		return refusal
	}
	if context := only(el, assertionSpace, "AuthnContext"); context != nil {
		v, _ := valueOf(only(context, assertionSpace, "AuthnContextClassRef"))
		a.context = strings.Trim(v, " \t\r\n") // a URI, which has no white space
	}
	s.authn = append(s.authn, a)
	return nil
}

func (s *statement) attributeStatement(el *etree.Element) *Refusal {
	for _, child := range el.ChildElements() {
		if is(child, name{assertionSpace, "EncryptedAttribute"}) {
			return refuse(BadDecryption, "an attribute is encrypted on its own: encrypt the whole assertion instead")
		}
		if !is(child, name{assertionSpace, "Attribute"}) {
			return refuse(Malformed, "the AttributeStatement has an unknown %s", quote(child.FullTag()))
		}
		a := Attribute{Name: text(child, "Name"), FriendlyName: text(child, "FriendlyName"), NameFormat: text(child, "NameFormat")}
		if a.Name == "" {
			return refuse(Malformed, "an Attribute has no Name")
		}
		for _, el := range children(child, assertionSpace, "AttributeValue") {
			if v, ok := attributeValue(el); ok {
				a.Values = append(a.Values, v)
			}
		}
		s.attributes = append(s.attributes, a)
	}
	return nil
}

// attributeValue returns the exact text of an AttributeValue, and whether it has one: null
// (xsi:nil) is no value, and neither is XML, save a single NameID in it, as eduPerson has it.
func attributeValue(el *etree.Element) (string, bool) {
	for i := range el.Attr {
		a := &el.Attr[i]
		if a.Key == "nil" && a.Space != "" && (a.Value == "true" || a.Value == "1") && bound(el, a.Space) == instanceSpace {
			return "", false
		}
	}
	if v, ok := value(el); ok {
		return v, true
	}
	inner := el.ChildElements()
	if len(inner) != 1 || !is(inner[0], name{assertionSpace, "NameID"}) {
		return "", false
	}
	for _, token := range el.Child {
		if data, ok := token.(*etree.CharData); ok && !blank(data.Data) {
			return "", false
		}
	}
	return value(inner[0])
}
