package verifier

import (
	"context"
	"crypto"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

func outcomes(r Report) string {
	var b strings.Builder
	for _, c := range r.Checks {
		mark := "-"
		if c.Passed {
			mark = "+"
		} else if c.Skipped {
			mark = "?"
		}
		b.WriteString(mark + c.Name + " ")
	}
	return strings.TrimSpace(b.String())
}

func TestExamineReportsEveryCheck(t *testing.T) {
	idp := newSigner(t, providerKey())
	e := expectation(idp.cert)
	e.Keys = []crypto.Decrypter{ourKey()}
	plain := plainAssertion(1)
	sealed := respond(encrypted(t, idp.sign(t, plain, "_assertion1"), sealing{}))
	wrong := replace(t, plain, "<saml:Audience>", "<saml:Audience>x", "cm:bearer", "cm:sender-vouches")
	tests := []struct {
		name, message, want string
		code                Code
	}{
		{
			"accepted", respond(idp.sign(t, plain, "_assertion1")),
			"+message +version +destination +issuer +status +in_response_to +issue_instant +assertion_signature +assertion +assertion_issuer +assertion_issue_instant +name_id +confirmation +conditions +audience +authn_statement +second_opinion", "",
		},
		{
			"accepted, encrypted", sealed,
			"+message +version +destination +issuer +status +in_response_to +issue_instant +decryption +assertion_signature +assertion +assertion_issuer +assertion_issue_instant +name_id +confirmation +conditions +audience +authn_statement +second_opinion", "",
		},
		{
			"two things are wrong inside", idp.sign(t, respond(wrong), "_response1"),
			"+message +version +destination +issuer +status +in_response_to +issue_instant +response_signature +assertion +assertion_issuer +assertion_issue_instant +name_id -confirmation +conditions -audience +authn_statement ?second_opinion", BadConfirmation,
		},
		{
			"two things are wrong outside", replace(t, respond(plain), testACS+`" InResp`, `https://x" InResp`, "status:Success", "status:Requester"),
			"+message +version -destination +issuer -status +in_response_to +issue_instant ?assertion ?assertion_issuer ?assertion_issue_instant ?name_id ?confirmation ?conditions ?audience ?authn_statement ?second_opinion", BadDestination,
		},
		{
			"not XML", "x",
			"-message ?version ?destination ?issuer ?status ?in_response_to ?issue_instant ?assertion ?assertion_issuer ?assertion_issue_instant ?name_id ?confirmation ?conditions ?audience ?authn_statement ?second_opinion", Malformed,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := Examine(t.Context(), []byte(test.message), e)
			if o := outcomes(got); o != test.want {
				t.Errorf("Examine = %s\nwant %s", o, test.want)
			}
			if test.code == "" && (got.Refusal != nil || got.Assertion == nil) || test.code != "" && (got.Assertion != nil || got.Refusal == nil || got.Refusal.Code != test.code) {
				t.Errorf("Examine = %+v, %v, want %q", got.Assertion, got.Refusal, test.code)
			}
			_, err := Verify(t.Context(), []byte(test.message), e)
			if code := codeOf(err); code != test.code {
				t.Errorf("Verify = %v, but Examine = %q", err, test.code)
			}
		})
	}
	if message := Examine(t.Context(), []byte(sealed), e).Message; !strings.Contains(message, "\n      <saml:NameID") || strings.Contains(message, "EncryptedAssertion") {
		t.Errorf("Message = %s, want the decrypted assertion, indented", message)
	}
}

// TestAReportDecryptsForTheProviderOnly has an administrator examine the assertion of another,
// which he took out of a message that he could not read.
func TestAReportDecryptsForTheProviderOnly(t *testing.T) {
	theirs := newSigner(t, strangerKey()).sign(t, plainAssertion(1), "_assertion1")
	e := expectation(newSigner(t, providerKey()).cert)
	e.Keys = []crypto.Decrypter{ourKey()}
	for _, cipher := range []string{"aes256-gcm", "aes256-cbc"} {
		got := Examine(t.Context(), []byte(respond(encrypted(t, theirs, sealing{cipher: cipher}))), e)
		if got.Refusal == nil || strings.Contains(got.Message, "person-1") || !strings.Contains(got.Message, "EncryptedAssertion") {
			t.Errorf("%s: Examine = %v with the message %s, want it refused and still encrypted", cipher, got.Refusal, got.Message)
		}
	}
}

func TestBusy(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Verify(ctx, nil, Expectation{}); codeOf(err) != Busy {
		t.Errorf("Verify with an ended context = %v, want %s", err, Busy)
	}
	for range cap(slots) {
		slots <- struct{}{}
	}
	defer func() {
		for range cap(slots) {
			<-slots
		}
	}()
	ctx, cancel = context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := Verify(ctx, nil, Expectation{}); codeOf(err) != Busy {
		t.Errorf("Verify without a slot = %v, want %s", err, Busy)
	}
}

func TestAPanicIsARefusalAndCounted(t *testing.T) {
	before := Panics()
	r := &run{}
	refusal := r.guarded(t.Context(), func() *Refusal { panic("on purpose") })
	if refusal == nil || refusal.Code != Internal || !strings.Contains(refusal.Detail, "on purpose") || Panics() != before+1 {
		t.Errorf("guarded = %v with %d panics, want %s and one more than %d", refusal, Panics(), Internal, before)
	}
	if len(slots) != 0 {
		t.Errorf("%d slots are taken after a panic, want 0", len(slots))
	}
}

// TestTheSealAcceptsOnlyWhatWasVerified asks it about everything that a library gone wrong
// could ask about.
func TestTheSealAcceptsOnlyWhatWasVerified(t *testing.T) {
	parsed := func(message string) *etree.Element {
		doc := etree.NewDocument()
		if err := doc.ReadFromString(message); err != nil {
			t.Fatal(err)
		}
		return doc.Root()
	}
	plain := plainAssertion(1)
	plain = replace(t, plain, ` xsi:type="xs:string"`, "") // what is built has no such attributes
	for name, test := range map[string]struct {
		el   *etree.Element
		pass bool
	}{
		"the assertion":                       {parsed(plain), true},
		"with a declaration that is not used": {parsed(replace(t, plain, "<saml:Assertion ", `<saml:Assertion xmlns:unused="u" `)), true},
		"with another person":                 {parsed(replace(t, plain, "person-1", "person-2")), false},
		"with a comment":                      {parsed(replace(t, plain, "person-1", "per<!-- -->son-2")), false},
		"with another attribute":              {parsed(replace(t, plain, "<saml:Subject>", `<saml:Subject x="1">`)), false},
		"with another value":                  {parsed(replace(t, plain, testACS, testACS+"x")), false},
		"without an attribute":                {parsed(replace(t, plain, ` Recipient="`+testACS+`"`, "")), false},
		"with an attribute of a prefix":       {parsed(replace(t, plain, "<saml:Subject>", `<saml:Subject xml:lang="en">`)), false},
		"with an element more":                {parsed(replace(t, plain, "</saml:Subject>", `<saml:NameID>admin</saml:NameID></saml:Subject>`)), false},
		"with text between":                   {parsed(replace(t, plain, "<saml:Subject>", `x<saml:Subject>`)), false},
		"with another namespace":              {parsed(replace(t, plain, assertionSpace, assertionSpace+"x")), false},
		"the response around it":              {parsed(respond(plain)), false},
		"its subject":                         {parsed(plain).ChildElements()[1], false},
		"an element with the same ID":         {parsed(`<x ID="_assertion1"/>`), false},
	} {
		seal := &sealed{assertion: parsed(plain)}
		if err := seal.VerifySignature(&dsig.ValidationContext{}, test.el); (err == nil) != test.pass || seal.asked != 1 {
			t.Errorf("%s: VerifySignature = %v after %d questions, want it to pass: %v", name, err, seal.asked, test.pass)
		}
	}
}

// TestTheSecondOpinionJudges takes our own checks away, and finds that the library's are
// still there.
func TestTheSecondOpinionJudges(t *testing.T) {
	idp := newSigner(t, providerKey())
	e := expectation(idp.cert)
	parsed := func(assertion string) (*etree.Element, *statement) {
		response, refusal := parse([]byte(respond(assertion)), nil, newGuard(responseName))
		if refusal != nil {
			t.Fatal(refusal)
		}
		el := only(response, assertionSpace, "Assertion")
		inherit(el, scope(response))
		s, refusal := read(el)
		if refusal != nil {
			t.Fatal(refusal)
		}
		return response, s
	}
	for name, test := range map[string]struct {
		swap   []string
		change func(*Expectation)
		pass   bool
	}{
		"as it is":                           {pass: true},
		"another issuer":                     {swap: []string{"<saml:Issuer>", "<saml:Issuer>x"}},
		"another recipient":                  {swap: []string{`Recipient="`, `Recipient="x`}},
		"another audience":                   {swap: []string{"<saml:Audience>", "<saml:Audience>x"}, pass: false},
		"a confirmation that ended long ago": {swap: []string{`NotOnOrAfter="` + at(5*time.Minute) + `" Recipient`, `NotOnOrAfter="` + at(-time.Hour) + `" Recipient`}},
		"conditions of tomorrow":             {swap: []string{`NotBefore="` + at(-5*time.Minute), `NotBefore="` + at(24*time.Hour)}},
		"issued yesterday":                   {swap: []string{`IssueInstant="` + at(0), `IssueInstant="` + at(-24*time.Hour)}},
		"another request":                    {change: func(e *Expectation) { e.RequestID = "_other" }},
		"another address":                    {change: func(e *Expectation) { e.ACSURL += "x" }},
		"another provider":                   {change: func(e *Expectation) { e.Provider += "x" }},
	} {
		t.Run(name, func(t *testing.T) {
			response, s := parsed(replace(t, plainAssertion(1), test.swap...))
			changed := e
			if test.change != nil {
				test.change(&changed)
			}
			refusal := secondOpinion(&changed, response, s, &s.confirmations[0], idp.cert)
			if (refusal == nil) != test.pass {
				t.Errorf("secondOpinion = %v, want it to pass: %v", refusal, test.pass)
			}
		})
	}
}
