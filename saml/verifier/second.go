package verifier

import (
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/url"
	"sync"
	"time"

	"github.com/beevik/etree"
	crewjam "github.com/crewjam/saml"
	dsig "github.com/russellhaering/goxmldsig"
)

// setup sets what the library keeps for the whole process, once, to the largest that any
// connection may have: our own checks have judged by the connection's.
var setup = sync.OnceFunc(func() {
	crewjam.MaxClockSkew = maxSkew
	crewjam.MaxIssueDelay = maxAge + maxSkew
})

// secondOpinion asks crewjam's library whether it accepts the message too. It parses and
// judges with code of its own, so that a fault of ours must meet one of its to do harm.
//
// It does not get the message that came, since it reads text that was never verified,
// panics on about 990 elements, and refuses legal messages. It gets one that is built anew,
// of what was verified:
//
//	Response                  its attributes, our provider as Issuer, the status Success
//	  Assertion               its attributes and Issuer
//	    Subject               its NameID; the one confirmation that holds (it wants all to)
//	    Conditions            its times; ours as the one audience (it wants ours to be last)
//
// Statements are left out: it decides nothing by them. A Conditions without NotOnOrAfter,
// which it takes for one that ended in the year 1, gets that of the confirmation.
//
// The signature of this message is not verified by RSA once more. The library asks sealed
// instead, which accepts one Assertion only: that which was built here.
func secondOpinion(e *Expectation, response *etree.Element, s *statement, c *confirmation, by *x509.Certificate) *Refusal {
	setup()
	b := &rebuilt{}
	// The library has a clock of its own. Where ours is another, as in tests, the times
	// of the message are moved.
	if offset := crewjam.TimeNow().Sub(e.Now); offset.Abs() > 10*time.Second {
		b.offset = offset
	}
	assertion := b.assertion(e, s, c)
	message, err := b.response(e, response, assertion)
	if err != nil {
		return refuse(BadSecondOpinion, "the verified message has no form: %v", err)
	}
	acs, err := url.Parse(e.ACSURL)
	if err != nil {
		return refuse(Internal, "our ACS URL %s is not a URL", quote(e.ACSURL))
	}
	certificate := base64.StdEncoding.EncodeToString(by.Raw)
	verifier := &sealed{assertion: assertion}
	provider := &crewjam.ServiceProvider{
		EntityID:          e.EntityID,
		AcsURL:            *acs,
		IDPMetadata:       &crewjam.EntityDescriptor{EntityID: e.Provider},
		IDPCertificate:    &certificate,
		SignatureVerifier: verifier,
	}
	// Without a request, RequestID is empty, and so must every InResponseTo be. (The
	// library's own way to allow such logins would not look at them at all.)
	said, err := provider.ParseXMLResponse(message, []string{e.RequestID}, *acs)
	if err != nil {
		if private, ok := errors.AsType[*crewjam.InvalidResponseError](err); ok && private.PrivateErr != nil {
			err = private.PrivateErr
		}
		return refuse(BadSecondOpinion, "the library does not accept what we do: %s", quote(err.Error()))
	}
	switch {
	case verifier.asked != 1:
		return refuse(BadSecondOpinion, "the library asked for %d signatures, not 1", verifier.asked)
	case said.ID != s.id || said.Issuer.Value != s.issuer:
		return refuse(BadSecondOpinion, "the library read the assertion %s of %s, not %s of %s", quote(said.ID), quote(said.Issuer.Value), quote(s.id), quote(s.issuer))
	case said.Subject == nil || said.Subject.NameID == nil || said.Subject.NameID.Value != s.nameID.Value:
		return refuse(BadSecondOpinion, "the library read another NameID than %s", quote(s.nameID.Value))
	}
	return nil
}

// sealed verifies signatures for the library: an element passes if it is, in every name,
// namespace, attribute and text, the assertion that was built of verified content. So it
// cannot be talked into another element by an ID, a position, or a Signature somewhere; the
// library reads the element that it asks about; and that it asked exactly once is checked.
type sealed struct {
	assertion *etree.Element
	asked     int
}

func (v *sealed) VerifySignature(_ *dsig.ValidationContext, el *etree.Element) error {
	v.asked++
	if !same(el, v.assertion) {
		return errors.New("not the assertion that was verified")
	}
	return nil
}

// same reports whether two elements are the same, however their namespaces are declared. What
// rebuilt does not build is never the same: attributes with a prefix, text between elements.
func same(a, b *etree.Element) bool {
	if a.Tag != b.Tag || a.Space != b.Space || a.NamespaceURI() != b.NamespaceURI() || !covers(a, b) || !covers(b, a) {
		return false
	}
	textA, plainA := value(a)
	textB, plainB := value(b)
	if plainA || plainB {
		return plainA && plainB && textA == textB
	}
	if len(a.Child) != len(b.Child) {
		return false
	}
	for i := range a.Child {
		childA, okA := a.Child[i].(*etree.Element)
		childB, okB := b.Child[i].(*etree.Element)
		if !okA || !okB || !same(childA, childB) {
			return false
		}
	}
	return true
}

// covers reports whether an element has every attribute of another, save declarations.
func covers(a, b *etree.Element) bool {
	for i := range b.Attr {
		attr := &b.Attr[i]
		if attr.Space == "xmlns" || attr.Space == "" && attr.Key == "xmlns" {
			continue
		}
		if v, there := attribute(a, attr.Key); attr.Space != "" || !there || v != attr.Value {
			return false
		}
	}
	return true
}
