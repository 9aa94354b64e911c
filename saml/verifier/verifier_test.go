package verifier

import "testing"

func TestVerifyReadsASignedAssertion(t *testing.T) {
	idp := newSigner(t, providerKey())
	got := accept(t, respond(idp.sign(t, plainAssertion(3), "_assertion1")), expectation(idp.cert))
	t.Logf("%+v", got)
	got = accept(t, idp.sign(t, respond(plainAssertion(3)), "_response1"), expectation(idp.cert))
	got = accept(t, idp.sign(t, respond(idp.sign(t, plainAssertion(5000), "_assertion1")), "_response1"), expectation(idp.cert))
	ec := newSigner(t, ecdsaKey())
	got = accept(t, ec.sign(t, respond(ec.sign(t, plainAssertion(5000), "_assertion1")), "_response1"), expectation(idp.cert, ec.cert))
	_ = got
}
