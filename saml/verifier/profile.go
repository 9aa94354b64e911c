package verifier

import (
	"slices"
	"strings"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
)

// maxAge is how old a message may be when it arrives, besides the skew: the browser carries
// it at once.
const maxAge = 5 * time.Minute

// maxSkew is the largest skew that a connection may have. What must be remembered of a
// message is remembered for so long, whatever the connection's skew is later set to.
const maxSkew = time.Duration(directory.MaxClockSkew) * time.Second

// issued judges an IssueInstant.
func (e *Expectation) issued(at time.Time) *Refusal {
	switch {
	case !e.Now.Before(at.Add(maxAge + e.Skew)):
		return refuse(BadIssueInstant, "it was issued at %s, more than %v before %s", stamp(at), maxAge+e.Skew, stamp(e.Now))
	case at.After(e.Now.Add(e.Skew)):
		return refuse(BadIssueInstant, "it was issued at %s, in the future of %s", stamp(at), stamp(e.Now))
	}
	return nil
}

// over reports whether a time that is not to be reached is, with the skew.
func (e *Expectation) over(notOnOrAfter time.Time) bool {
	return !e.Now.Before(notOnOrAfter.Add(e.Skew))
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// confirm returns the bearer confirmation that holds for us (profiles, section 4.1.4.2).
// One must; others may be for others. Of several, the one that holds longest is returned.
func (e *Expectation) confirm(s *statement) (*confirmation, *Refusal) {
	if len(s.confirmations) == 0 {
		return nil, refuse(BadConfirmation, "the Subject has no SubjectConfirmation")
	}
	var best *confirmation
	var first *Refusal
	for i := range s.confirmations {
		c := &s.confirmations[i]
		if e.RequestID == "" && c.answers {
			return nil, refuse(BadInResponseTo, "a SubjectConfirmation answers the request %s, but none was made", quote(c.inResponseTo))
		}
		if refusal := e.holds(c); refusal != nil {
			if first == nil {
				first = refusal
			}
			continue
		}
		if best == nil || c.notOnOrAfter.After(best.notOnOrAfter) {
			best = c
		}
	}
	if best == nil {
		return nil, first
	}
	return best, nil
}

func (e *Expectation) holds(c *confirmation) *Refusal {
	switch {
	case c.method != bearer:
		return refuse(BadConfirmation, "the SubjectConfirmation has the method %s, not bearer", quote(c.method))
	case c.recipient != e.ACSURL:
		return refuse(BadConfirmation, "the SubjectConfirmation is for the recipient %s, not %s", quote(c.recipient), quote(e.ACSURL))
	case c.delayed:
		return refuse(BadConfirmation, "the SubjectConfirmation has a NotBefore, which bearers may not have")
	case !c.bounded:
		return refuse(BadConfirmation, "the SubjectConfirmation has no NotOnOrAfter")
	case e.RequestID != "" && c.inResponseTo != e.RequestID:
		return refuse(BadInResponseTo, "the SubjectConfirmation answers the request %s, not %s", quote(c.inResponseTo), quote(e.RequestID))
	case e.over(c.notOnOrAfter):
		return refuse(Expired, "the SubjectConfirmation ended at %s, and it is %s", stamp(c.notOnOrAfter), stamp(e.Now))
	}
	return nil
}

// valid judges the times of Conditions.
func (e *Expectation) valid(c *conditions) *Refusal {
	switch {
	case c.notBefore.After(e.Now.Add(e.Skew)):
		return refuse(NotYetValid, "the Conditions begin at %s, and it is %s", stamp(c.notBefore), stamp(e.Now))
	case c.bounded && e.over(c.notOnOrAfter):
		return refuse(Expired, "the Conditions ended at %s, and it is %s", stamp(c.notOnOrAfter), stamp(e.Now))
	case c.bounded && !c.notBefore.Before(c.notOnOrAfter): // core, section 2.5.1.2
		return refuse(BadConditions, "the Conditions begin at %s, and end at %s", stamp(c.notBefore), stamp(c.notOnOrAfter))
	}
	return nil
}

// meant judges the audiences: there must be a restriction, and every one must name us.
func (e *Expectation) meant(c *conditions) *Refusal {
	if len(c.audiences) == 0 {
		return refuse(BadAudience, "the Conditions have no AudienceRestriction")
	}
	for _, audiences := range c.audiences {
		if !slices.Contains(audiences, e.EntityID) {
			return refuse(BadAudience, "the assertion is for the audience %s, not %s", quote(strings.Join(audiences, " ")), quote(e.EntityID))
		}
	}
	return nil
}

// signedIn returns the AuthnStatement that counts: the first that is recent enough, still
// running, and of a context that was asked for. It returns nil if there is none and there
// need not be.
func (e *Expectation) signedIn(s *statement) (*authn, *Refusal) {
	if len(s.authn) == 0 {
		if e.WithoutAuthnStatement && len(e.AuthnContexts) == 0 && e.AuthnSince.IsZero() {
			return nil, nil
		}
		return nil, refuse(BadAuthn, "the Assertion has no AuthnStatement")
	}
	var first *Refusal
	for i := range s.authn {
		refusal := e.counts(&s.authn[i])
		if refusal == nil {
			return &s.authn[i], nil
		}
		if first == nil {
			first = refusal
		}
	}
	return nil, first
}

func (e *Expectation) counts(a *authn) *Refusal {
	switch {
	case a.instant.After(e.Now.Add(e.Skew)):
		return refuse(BadAuthn, "the person signed in at %s, in the future of %s", stamp(a.instant), stamp(e.Now))
	case a.ending && e.over(a.sessionNotOnOrAfter):
		return refuse(Expired, "the session at the provider ended at %s, and it is %s", stamp(a.sessionNotOnOrAfter), stamp(e.Now))
	case !e.AuthnSince.IsZero() && a.instant.Before(e.AuthnSince.Add(-e.Skew)):
		return refuse(BadAuthn, "the person signed in at %s, but was to sign in anew after %s", stamp(a.instant), stamp(e.AuthnSince))
	case len(e.AuthnContexts) > 0 && !slices.Contains(e.AuthnContexts, a.context):
		return refuse(BadAuthnContext, "the person signed in by %s, not by %s", quote(a.context), quote(strings.Join(e.AuthnContexts, " ")))
	}
	return nil
}

// usable returns until when the assertion could be accepted once more, with any skew, and in
// answer to any request: by each of its confirmations. After that its ID need not be
// remembered.
func usable(s *statement) time.Time {
	until := s.issueInstant.Add(maxAge)
	var confirmed time.Time
	for i := range s.confirmations {
		if c := &s.confirmations[i]; c.notOnOrAfter.After(confirmed) {
			confirmed = c.notOnOrAfter
		}
	}
	if confirmed.Before(until) {
		until = confirmed
	}
	if s.conditions.bounded && s.conditions.notOnOrAfter.Before(until) {
		until = s.conditions.notOnOrAfter
	}
	return until.Add(maxSkew)
}
