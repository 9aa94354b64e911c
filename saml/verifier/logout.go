package verifier

import (
	"context"
	"crypto/x509"
	"time"

	"github.com/beevik/etree"
)

// LogoutExpectation is what a LogoutRequest of a provider must fit.
type LogoutExpectation struct {
	Provider     string              // the entity ID that must have issued it
	Certificates []*x509.Certificate // those pinned; expired ones count too
	LogoutURL    string              // ours: the destination
	Now          time.Time
	Skew         time.Duration // at most 5 minutes
}

// LogoutRequest is a verified request to end sessions.
type LogoutRequest struct {
	ID, Issuer string
	NameID     NameID
	// SessionIndexes are the sessions that end. None: all of the person.
	SessionIndexes []string
	// Usable is until when the request could be accepted again.
	Usable time.Time
}

// VerifyLogout returns a LogoutRequest that came by the POST binding, where its signature is
// in the XML. The message is XML, not Base64 (see Decode). The error is a *Refusal.
func VerifyLogout(ctx context.Context, message []byte, e LogoutExpectation) (*LogoutRequest, error) {
	r := &run{}
	var request *LogoutRequest
	if refusal := r.guarded(ctx, func() *Refusal {
		el, refusal := parse(message, nil, newGuard(logoutName))
		if refusal != nil {
			return refusal
		}
		// Judged before the signature to spare the work, and again by what was signed.
		if _, refusal := e.judge(el); refusal != nil {
			return refusal
		}
		verified, by, refusal := authenticate(el, e.Certificates)
		if refusal != nil {
			return refusal
		}
		r.by = by
		request, refusal = e.judge(verified)
		return refusal
	}); refusal != nil {
		return nil, refusal
	}
	return request, nil
}

// judge makes the checks of a LogoutRequest (core, section 3.7.1).
func (e *LogoutExpectation) judge(el *etree.Element) (*LogoutRequest, *Refusal) {
	if e.Provider == "" || e.LogoutURL == "" || e.Skew < 0 || e.Skew > maxSkew {
		return nil, refuse(Internal, "the expectation has no provider or logout URL, or a skew that is not between 0 and %v", maxSkew)
	}
	if refusal := versionTwo(el); refusal != nil {
		return nil, refusal
	}
	if _, refusal := destination(el, e.LogoutURL, true); refusal != nil {
		return nil, refusal
	}
	issuer, refusal := readIssuer(el, true)
	if refusal != nil {
		return nil, refusal
	}
	if issuer != e.Provider {
		return nil, refuse(BadIssuer, "the LogoutRequest is from %s, not %s", quote(issuer), quote(e.Provider))
	}
	request := &LogoutRequest{ID: text(el, "ID"), Issuer: issuer}
	if !identifier(request.ID) {
		return nil, refuse(Malformed, "%s is not an ID for a LogoutRequest", quote(request.ID))
	}
	if request.Usable, refusal = e.times(el); refusal != nil {
		return nil, refusal
	}
	if request.NameID, refusal = readNameID(el); refusal != nil {
		return nil, refusal
	}
	for _, index := range children(el, protocolSpace, "SessionIndex") {
		v, ok := value(index)
		if !ok || v == "" {
			return nil, refuse(Malformed, "a SessionIndex is empty, or not only text")
		}
		request.SessionIndexes = append(request.SessionIndexes, v)
	}
	return request, nil
}

// times judges the times of a LogoutRequest, and returns until when it is usable.
func (e *LogoutExpectation) times(el *etree.Element) (time.Time, *Refusal) {
	clock := Expectation{Now: e.Now, Skew: e.Skew}
	issued, there, refusal := instant(el, "IssueInstant")
	if refusal == nil && !there {
		refusal = refuse(Malformed, "the LogoutRequest has no IssueInstant")
	}
	if refusal == nil {
		refusal = clock.issued(issued)
	}
	if refusal != nil {
		return time.Time{}, refusal
	}
	until := issued.Add(maxAge)
	ends, bounded, refusal := instant(el, "NotOnOrAfter")
	if refusal != nil {
		return time.Time{}, refusal
	}
	if bounded {
		if clock.over(ends) {
			return time.Time{}, refuse(Expired, "the LogoutRequest ended at %s, and it is %s", stamp(ends), stamp(e.Now))
		}
		if ends.Before(until) {
			until = ends
		}
	}
	return until.Add(maxSkew), nil
}
