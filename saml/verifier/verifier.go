package verifier

import (
	"context"
	"crypto"
	"crypto/x509"
	"time"

	"github.com/beevik/etree"
)

// Expectation is what a response must fit. Nothing of it may come from the response itself,
// nor from what was posted with it.
type Expectation struct {
	Provider     string              // the entity ID that must have issued it
	Certificates []*x509.Certificate // those pinned; expired ones count too
	EntityID     string              // ours: the audience
	ACSURL       string              // ours: the destination and the recipient
	Keys         []crypto.Decrypter  // ours for decryption, RSA; any may fit
	// RequestID is the request that must be answered. It is empty for a login that began
	// at the provider, which needs Unsolicited: then nothing may claim to be an answer.
	RequestID   string
	Unsolicited bool
	Now         time.Time
	Skew        time.Duration // how far the provider's clock may be off; at most 5 minutes
	// AuthnContexts are the classes of which one must be stated. None: any will do.
	AuthnContexts []string
	// AuthnSince is when the person must have signed in, or later (minus Skew). Zero: ever.
	AuthnSince time.Time
	// WithoutAuthnStatement accepts an assertion without one, unless it is needed for
	// AuthnContexts or AuthnSince.
	WithoutAuthnStatement bool
}

// Assertion is what a provider said, verified.
type Assertion struct {
	ID, Issuer   string
	ResponseID   string // "" unless the Response was signed
	IssueInstant time.Time

	NameID              NameID
	SessionIndex        string
	AuthnInstant        time.Time // zero without an AuthnStatement
	SessionNotOnOrAfter time.Time // zero: unlimited
	AuthnContext        string

	// Usable is until when this assertion could be accepted again. Its ID must be
	// remembered until then.
	Usable     time.Time
	Attributes []Attribute // in the order of the assertion

	Encrypted bool
	SignedBy  string // the SHA-256 fingerprint of the certificate whose key verified, in hexadecimal
}

// NameID is how a provider names a person.
type NameID struct {
	Value, Format, NameQualifier, SPNameQualifier string
}

// Attribute is an attribute of a person, as it was stated: a Name may come more than once.
type Attribute struct {
	Name, FriendlyName, NameFormat string
	Values                         []string
}

// Verify returns what a response says, if it is what was expected. The message is XML, not
// Base64 (see Decode). The error is a *Refusal. That an assertion is used once only is left
// to the caller: see Assertion.ID and Usable.
func Verify(ctx context.Context, message []byte, e Expectation) (*Assertion, error) {
	r := &run{expected: e}
	var assertion *Assertion
	if refusal := r.guarded(ctx, func() (refusal *Refusal) {
		assertion, refusal = r.verify(message)
		return refusal
	}); refusal != nil {
		return nil, refusal
	}
	return assertion, nil
}

// run is one verification.
type run struct {
	expected Expectation
	report   *Report           // nil: stop at the first refusal, and note nothing
	by       *x509.Certificate // whose signature verified, once one has
	// malleable says that the assertion was decrypted, and that nothing has vouched for
	// the ciphertext: see errDecryption.
	malleable bool
}

// verify makes the checks in order (see the package's documentation).
func (r *run) verify(message []byte) (*Assertion, *Refusal) {
	response, refusal := r.receive(message)
	if refusal != nil {
		return nil, refusal
	}
	r.show(response, nil)
	signed := signature(response) != nil
	if refusal := r.outer(response, signed); refusal != nil {
		return nil, refusal
	}
	if signed {
		if response, refusal = r.authenticate("response_signature", response); refusal != nil {
			return nil, refusal
		}
		if refusal := r.outer(response, true); refusal != nil {
			return nil, refusal
		}
	}
	assertion, encrypted, refusal := r.assertion(response)
	if refusal != nil {
		return nil, refusal
	}
	if r.by == nil || signature(assertion) != nil {
		if assertion, refusal = r.authenticate("assertion_signature", assertion); refusal != nil {
			return nil, refusal
		}
	}
	if encrypted {
		// Not before: a report must not decrypt for whoever has a ciphertext.
		r.show(response, assertion)
	}
	verified, refusal := r.judge(response, assertion)
	if refusal != nil {
		return nil, refusal
	}
	verified.Encrypted = encrypted
	if signed {
		verified.ResponseID = text(response, "ID")
	}
	return verified, nil
}

// receive reads a response and refuses an expectation that would make later checks void.
func (r *run) receive(message []byte) (*etree.Element, *Refusal) {
	var response *etree.Element
	refusal := r.checks(check{"message", func() (string, *Refusal) {
		e := &r.expected
		switch {
		case e.Provider == "" || e.EntityID == "" || e.ACSURL == "":
			return "", refuse(Internal, "the expectation has no provider, entity ID or ACS URL")
		case e.RequestID != "" && e.Unsolicited:
			return "", refuse(Internal, "the expectation has a request, and has none")
		case e.RequestID == "" && !e.Unsolicited:
			return "", refuse(BadInResponseTo, "no request is known that this could answer, and the connection does not let a login begin at the provider")
		case e.Skew < 0 || e.Skew > maxSkew:
			return "", refuse(Internal, "the skew %v is not between 0 and %v", e.Skew, maxSkew)
		}
		g := newGuard(responseName)
		el, refusal := parse(message, nil, g)
		if refusal != nil {
			return "", refusal
		}
		response = el
		// A failure has no assertion; its status tells more than that.
		if only(el, protocolSpace, "Status") != nil {
			if _, refusal := status(el); refusal != nil {
				return "", nil
			}
		}
		return "", g.complete()
	}})
	return response, refusal
}

// authenticate verifies a signature and notes whose it was.
func (r *run) authenticate(name string, el *etree.Element) (*etree.Element, *Refusal) {
	verified, by, refusal := authenticate(el, r.expected.Certificates)
	if refusal != nil && r.malleable {
		name, refusal = "decryption", refuse(BadDecryption, "%v", errDecryption)
	}
	return verified, r.checks(check{name, func() (string, *Refusal) {
		if refusal != nil {
			return "", refusal
		}
		r.by = by
		return fingerprint(by.Raw), nil
	}})
}

// assertion returns the assertion of a response, decrypted, and ready to be taken out of it.
func (r *run) assertion(response *etree.Element) (el *etree.Element, encrypted bool, refusal *Refusal) {
	if el = only(response, assertionSpace, "Assertion"); el != nil {
		inherit(el, scope(response))
		return el, false, nil
	}
	refusal = r.checks(check{"decryption", func() (string, *Refusal) {
		sealed := only(response, assertionSpace, "EncryptedAssertion")
		if sealed == nil {
			return "", refuse(Malformed, "the Response has no Assertion")
		}
		opened, unchanged, refusal := decrypt(sealed, r.expected.Keys, r.expected.EntityID)
		if refusal != nil {
			return "", refusal
		}
		el, r.malleable = opened, r.by == nil && !unchanged
		return "", nil
	}})
	return el, true, refusal
}
