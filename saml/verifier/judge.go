package verifier

import "github.com/beevik/etree"

// judge makes the checks of the profile on what was verified, and asks for the second
// opinion.
func (r *run) judge(response, el *etree.Element) (*Assertion, *Refusal) {
	e := &r.expected
	var s *statement
	if refusal := r.checks(check{"assertion", func() (string, *Refusal) {
		if refusal := versionTwo(el); refusal != nil {
			return "", refusal
		}
		var refusal *Refusal
		s, refusal = read(el)
		return text(el, "ID"), refusal
	}}); refusal != nil {
		return nil, refusal
	}
	var fitting *confirmation
	var current *authn
	if refusal := r.checks(
		check{"assertion_issuer", func() (string, *Refusal) {
			if s.issuer != e.Provider {
				return s.issuer, refuse(BadIssuer, "the Assertion is from %s, not %s", quote(s.issuer), quote(e.Provider))
			}
			return s.issuer, nil
		}},
		check{"assertion_issue_instant", func() (string, *Refusal) { return text(el, "IssueInstant"), e.issued(s.issueInstant) }},
		check{"name_id", func() (string, *Refusal) { return s.nameID.Value, nil }},
		check{"confirmation", func() (_ string, refusal *Refusal) {
			if fitting, refusal = e.confirm(s); refusal != nil {
				return "", refusal
			}
			return fitting.recipient, nil
		}},
		check{"conditions", func() (string, *Refusal) { return text(s.conditions.el, "NotOnOrAfter"), e.valid(&s.conditions) }},
		check{"audience", func() (string, *Refusal) { return e.EntityID, e.meant(&s.conditions) }},
		check{"authn_statement", func() (_ string, refusal *Refusal) {
			if current, refusal = e.signedIn(s); refusal != nil || current == nil {
				return "", refusal
			}
			return current.context, nil
		}},
	); refusal != nil {
		return nil, refusal
	}
	a := &Assertion{
		ID:           s.id,
		Issuer:       s.issuer,
		IssueInstant: s.issueInstant,
		NameID:       s.nameID,
		Usable:       usable(s),
		Attributes:   s.attributes,
		SignedBy:     fingerprint(r.by.Raw),
	}
	if current != nil {
		a.SessionIndex, a.AuthnContext = current.sessionIndex, current.context
		a.AuthnInstant, a.SessionNotOnOrAfter = current.instant, current.sessionNotOnOrAfter
	}
	if refusal := r.checks(check{"second_opinion", func() (string, *Refusal) {
		return "", secondOpinion(e, response, s, fitting, r.by)
	}}); refusal != nil {
		return nil, refusal
	}
	return a, nil
}
