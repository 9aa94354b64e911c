package verifier

import (
	"time"

	"github.com/beevik/etree"
)

// rebuilt builds the message for the second opinion, of elements that were verified.
type rebuilt struct {
	offset time.Duration // how far to move all times; 0: leave them as they were written
}

// element copies an element with its attributes and the given children. Attributes of other
// namespaces are left out: the library would take x:Recipient for Recipient.
func (b *rebuilt) element(el *etree.Element, children ...*etree.Element) *etree.Element {
	made := &etree.Element{Space: el.Space, Tag: el.Tag}
	for _, attribute := range el.Attr {
		if attribute.Space == "" || attribute.Space == "xmlns" {
			made.Attr = append(made.Attr, attribute)
		}
	}
	for _, child := range children {
		if child != nil {
			made.AddChild(child)
		}
	}
	b.move(made)
	return made
}

// move moves the times of an element.
func (b *rebuilt) move(el *etree.Element) {
	if b.offset == 0 {
		return
	}
	for _, key := range [...]string{"IssueInstant", "NotBefore", "NotOnOrAfter"} {
		if at, there, refusal := instant(el, key); there && refusal == nil {
			el.CreateAttr(key, at.Add(b.offset).Format(time.RFC3339Nano))
		}
	}
}

// assertion builds the assertion, with an empty Signature, which makes the library ask for
// it to be verified.
func (b *rebuilt) assertion(e *Expectation, s *statement, c *confirmation) *etree.Element {
	mark := &etree.Element{Space: "mark", Tag: "Signature"}
	mark.CreateAttr("xmlns:mark", signatureSpace)

	subject := only(s.el, assertionSpace, "Subject")
	conditions := b.element(s.conditions.el, b.audience(s.conditions.el, e.EntityID))
	if !s.conditions.bounded {
		conditions.CreateAttr("NotOnOrAfter", c.notOnOrAfter.Add(b.offset).Format(time.RFC3339Nano))
	}
	return b.element(s.el,
		b.text(only(s.el, assertionSpace, "Issuer")),
		mark,
		b.element(subject,
			b.text(only(subject, assertionSpace, "NameID")),
			b.element(c.el, b.element(only(c.el, assertionSpace, "SubjectConfirmationData"))),
		),
		conditions,
	)
}

// audience builds the one restriction that names us, of the first that does. If none does,
// it is one that names nobody, which the library refuses: it would accept none at all.
func (b *rebuilt) audience(conditions *etree.Element, ours string) *etree.Element {
	for _, restriction := range children(conditions, assertionSpace, "AudienceRestriction") {
		for _, audience := range children(restriction, assertionSpace, "Audience") {
			if v, _ := value(audience); v == ours {
				return b.element(restriction, b.text(audience))
			}
		}
	}
	return &etree.Element{Space: conditions.Space, Tag: "AudienceRestriction"}
}

// response wraps the assertion as the response was.
func (b *rebuilt) response(e *Expectation, response, assertion *etree.Element) ([]byte, error) {
	made := &etree.Element{Space: "samlp", Tag: "Response"}
	made.CreateAttr("xmlns:samlp", protocolSpace)
	for _, key := range [...]string{"ID", "Version", "IssueInstant", "Destination", "InResponseTo"} {
		if v, there := attribute(response, key); there {
			made.CreateAttr(key, v)
		}
	}
	b.move(made)
	issuer := made.CreateElement("saml:Issuer")
	issuer.CreateAttr("xmlns:saml", assertionSpace)
	issuer.SetText(e.Provider)
	made.CreateElement("samlp:Status").CreateElement("samlp:StatusCode").CreateAttr("Value", success)
	made.AddChild(assertion)
	document := etree.NewDocumentWithRoot(made)
	document.WriteSettings = etree.WriteSettings{CanonicalText: true, CanonicalAttrVal: true, CanonicalEndTags: true}
	return document.WriteToBytes()
}

// text copies an element that has nothing but text.
func (b *rebuilt) text(el *etree.Element) *etree.Element {
	made := b.element(el)
	if v, _ := value(el); v != "" {
		made.SetText(v)
	}
	return made
}
