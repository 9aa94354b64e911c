package verifier

import (
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestVerifyReturnsWhatWasSaid(t *testing.T) {
	idp := newSigner(t, providerKey())
	got := accept(t, respond(idp.sign(t, plainAssertion(2), "_assertion1")), expectation(idp.cert))
	want := &Assertion{
		ID:                  "_assertion1",
		Issuer:              testProvider,
		IssueInstant:        testNow,
		NameID:              NameID{Value: "person-1", Format: "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"},
		SessionIndex:        "_session1",
		AuthnInstant:        testNow.Add(-time.Minute),
		SessionNotOnOrAfter: testNow.Add(8 * time.Hour),
		AuthnContext:        "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport",
		Usable:              testNow.Add(10 * time.Minute),
		Attributes: []Attribute{
			{Name: "mail", NameFormat: "urn:oasis:names:tc:SAML:2.0:attrname-format:basic", Values: []string{"person@example.com"}},
			{Name: "groups", FriendlyName: "Groups", Values: []string{"group-0000", "group-0001"}},
		},
		SignedBy: fingerprint(idp.cert.Raw),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Verify (-want +got):\n%s", diff)
	}
	signed := accept(t, idp.sign(t, respond(plainAssertion(2)), "_response1"), expectation(idp.cert))
	want.ResponseID = "_response1"
	if diff := cmp.Diff(want, signed); diff != "" {
		t.Errorf("Verify of a signed Response (-want +got):\n%s", diff)
	}
}

// TestARefusalAfterTheSignatureIsAuthentic tells the provider's mistakes from strangers'.
func TestARefusalAfterTheSignatureIsAuthentic(t *testing.T) {
	idp := newSigner(t, providerKey())
	e := expectation(idp.cert)
	e.EntityID += "x"
	if refusal := reject(t, respond(idp.sign(t, plainAssertion(1), "_assertion1")), e, BadAudience); !refusal.Authentic {
		t.Error("a signed message is not called authentic")
	}
	if refusal := reject(t, respond(plainAssertion(1)), e, Unsigned); refusal.Authentic {
		t.Error("a message without signature is called authentic")
	}
}

// TestVerifyInParallel runs more verifications than there are slots, with clocks that
// differ, for the race detector to see.
func TestVerifyInParallel(t *testing.T) {
	idp := newSigner(t, providerKey())
	message := []byte(respond(idp.sign(t, plainAssertion(2), "_assertion1")))
	var wait sync.WaitGroup
	for i := range 4 * cap(slots) {
		wait.Go(func() {
			e := expectation(idp.cert)
			e.Now = testNow.Add(time.Duration(i) * time.Second)
			if _, err := Verify(t.Context(), message, e); err != nil {
				t.Errorf("Verify = %v, want it accepted", err)
			}
		})
	}
	wait.Wait()
}

func TestAnExpectationMustBeComplete(t *testing.T) {
	idp := newSigner(t, providerKey())
	message := respond(idp.sign(t, plainAssertion(1), "_assertion1"))
	for name, change := range map[string]func(*Expectation){
		"no provider":           func(e *Expectation) { e.Provider = "" },
		"no entity ID":          func(e *Expectation) { e.EntityID = "" },
		"no ACS URL":            func(e *Expectation) { e.ACSURL = "" },
		"a negative skew":       func(e *Expectation) { e.Skew = -1 },
		"too large a skew":      func(e *Expectation) { e.Skew = maxSkew + 1 },
		"a request and no need": func(e *Expectation) { e.Unsolicited = true },
	} {
		t.Run(name, func(t *testing.T) {
			e := expectation(idp.cert)
			change(&e)
			reject(t, message, e, Internal)
		})
	}
}
