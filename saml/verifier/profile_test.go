package verifier

import (
	"testing"
	"time"
)

// TestProfile signs each variant with the provider's key, so that nothing but the profile
// stands between it and an identity.
func TestProfile(t *testing.T) {
	idp := newSigner(t, providerKey())
	const (
		confirm      = `<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">`
		audience     = `<saml:AudienceRestriction><saml:Audience>` + testEntity + `</saml:Audience></saml:AudienceRestriction>`
		transport    = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
		otherContext = "urn:oasis:names:tc:SAML:2.0:ac:classes:X509"
	)
	plain := plainAssertion(2)
	confirmation := between(plain, "<saml:SubjectConfirmation ", "</saml:SubjectConfirmation>")
	conditions := between(plain, "<saml:Conditions ", "</saml:Conditions>")
	authn := between(plain, "<saml:AuthnStatement ", "</saml:AuthnStatement>")
	subject := between(plain, "<saml:Subject>", "</saml:Subject>")
	issued := `IssueInstant="` + at(0) + `"`
	data := `InResponseTo="` + testRequest + `" NotOnOrAfter="` + at(5*time.Minute) + `" Recipient="` + testACS + `"`

	tests := []struct {
		name   string
		swap   []string // in the assertion
		expect func(*Expectation)
		want   Code // "": accepted
	}{
		{name: "as it is"},
		{name: "another version", swap: []string{`Version="2.0"`, `Version="1.1"`}, want: BadVersion},
		{name: "another issuer", swap: []string{"<saml:Issuer>" + testProvider, "<saml:Issuer>https://other.example"}, want: BadIssuer},
		{name: "no issuer", swap: []string{"<saml:Issuer>" + testProvider + "</saml:Issuer>", ""}, want: BadIssuer},
		{name: "two issuers", swap: []string{"</saml:Issuer>", "</saml:Issuer><saml:Issuer>x</saml:Issuer>"}, want: BadIssuer},
		{name: "an issuer that is a person", swap: []string{"<saml:Issuer>", `<saml:Issuer Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">`}, want: BadIssuer},
		{name: "an issuer of the entity format", swap: []string{"<saml:Issuer>", `<saml:Issuer Format="urn:oasis:names:tc:SAML:2.0:nameid-format:entity">`}},
		{name: "issued in the future, within the skew", swap: []string{issued, `IssueInstant="` + at(time.Minute) + `"`}},
		{name: "issued in the future", swap: []string{issued, `IssueInstant="` + at(61*time.Second) + `"`}, want: BadIssueInstant},
		{name: "issued long ago, within the skew", swap: []string{issued, `IssueInstant="` + at(-359*time.Second) + `"`}},
		{name: "issued too long ago", swap: []string{issued, `IssueInstant="` + at(-360*time.Second) + `"`}, want: BadIssueInstant},
		{name: "issued at no time", swap: []string{issued, ""}, want: Malformed},
		{name: "issued at a time with fractions and an offset", swap: []string{issued, `IssueInstant="2026-03-01T13:00:00.1234567+01:00"`}},
		{name: "issued at a time without a zone", swap: []string{issued, `IssueInstant="2026-03-01T12:00:00"`}},
		{name: "issued at a time that is none", swap: []string{issued, `IssueInstant="yesterday"`}, want: Malformed},

		{name: "no subject", swap: []string{subject, ""}, want: BadSubject},
		{name: "two subjects", swap: []string{subject, subject + subject}, want: BadSubject},
		{name: "no NameID", swap: []string{between(plain, "<saml:NameID ", "</saml:NameID>"), ""}, want: BadNameID},
		{name: "two NameIDs", swap: []string{"</saml:NameID>", "</saml:NameID><saml:NameID>admin</saml:NameID>"}, want: BadNameID},
		{name: "an empty NameID", swap: []string{"person-1", ""}, want: BadNameID},
		{name: "a blank NameID", swap: []string{"person-1", " \n"}, want: BadNameID},
		{name: "a NameID with white space around it", swap: []string{"person-1", " person-1"}, want: BadNameID},
		{name: "a NameID with a line break in it", swap: []string{"person-1", "person&#10;1"}, want: BadNameID},
		{name: "a NameID with an element in it", swap: []string{"person-1", "person<x/>-1"}, want: BadNameID},
		{name: "an EncryptedID", swap: []string{"<saml:NameID ", "<saml:EncryptedID/><saml:NameID "}, want: BadNameID},

		{name: "no confirmation", swap: []string{confirmation, ""}, want: BadConfirmation},
		{name: "a confirmation without data", swap: []string{confirmation, confirm + "</saml:SubjectConfirmation>"}, want: BadConfirmation},
		{name: "holder of key", swap: []string{"cm:bearer", "cm:holder-of-key"}, want: BadConfirmation},
		{name: "sender vouches", swap: []string{"cm:bearer", "cm:sender-vouches"}, want: BadConfirmation},
		{name: "another recipient", swap: []string{`Recipient="` + testACS, `Recipient="` + testACS + "/"}, want: BadConfirmation},
		{name: "no recipient", swap: []string{` Recipient="` + testACS + `"`, ``}, want: BadConfirmation},
		{name: "a confirmation with NotBefore", swap: []string{"<saml:SubjectConfirmationData ", `<saml:SubjectConfirmationData NotBefore="` + at(-time.Hour) + `" `}, want: BadConfirmation},
		{name: "a confirmation that does not end", swap: []string{data, `InResponseTo="` + testRequest + `" Recipient="` + testACS + `"`}, want: BadConfirmation},
		{name: "a confirmation that ended, within the skew", swap: []string{data, `InResponseTo="` + testRequest + `" NotOnOrAfter="` + at(-59*time.Second) + `" Recipient="` + testACS + `"`}},
		{name: "a confirmation that ended", swap: []string{data, `InResponseTo="` + testRequest + `" NotOnOrAfter="` + at(-60*time.Second) + `" Recipient="` + testACS + `"`}, want: Expired},
		{name: "a confirmation of another request", swap: []string{testRequest, "_other"}, want: BadInResponseTo},
		{name: "a confirmation of no request", swap: []string{`InResponseTo="` + testRequest + `" `, ""}, want: BadInResponseTo},
		{name: "a second confirmation, for another", swap: []string{confirmation, confirmation + confirm + `<saml:SubjectConfirmationData Recipient="https://other.example"/></saml:SubjectConfirmation>`}},
		{name: "a first confirmation, by another method", swap: []string{confirmation, `<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:sender-vouches"/>` + confirmation}},
		{name: "two confirmation data", swap: []string{confirm, confirm + "<saml:SubjectConfirmationData/>"}, want: BadConfirmation},

		{name: "a confirmation with attributes of another standard", swap: []string{"<saml:SubjectConfirmationData ", `<saml:SubjectConfirmationData xmlns:z="urn:z" z:Recipient="https://other.example" z:NotOnOrAfter="2001-01-01T00:00:00Z" z:InResponseTo="_x" `}},
		{name: "no conditions", swap: []string{conditions, ""}, want: BadConditions},
		{name: "two conditions", swap: []string{conditions, conditions + conditions}, want: BadConditions},
		{name: "an unknown condition", swap: []string{audience, audience + "<saml:Condition/>"}, want: BadConditions},
		{name: "use once", swap: []string{audience, audience + "<saml:OneTimeUse/>"}},
		{name: "no proxies", swap: []string{audience, audience + `<saml:ProxyRestriction Count="0"/>`}},
		{name: "conditions that have not begun, within the skew", swap: []string{`NotBefore="` + at(-5*time.Minute), `NotBefore="` + at(time.Minute)}},
		{name: "conditions that have not begun", swap: []string{`NotBefore="` + at(-5*time.Minute), `NotBefore="` + at(61*time.Second)}, want: NotYetValid},
		{name: "conditions that ended", swap: []string{`" NotOnOrAfter="` + at(5*time.Minute) + `"><saml:Aud`, `" NotOnOrAfter="` + at(-time.Minute) + `"><saml:Aud`}, want: Expired},
		{name: "conditions without times", swap: []string{`<saml:Conditions NotBefore="` + at(-5*time.Minute) + `" NotOnOrAfter="` + at(5*time.Minute) + `">`, `<saml:Conditions>`}},

		{name: "no audience restriction", swap: []string{audience, ""}, want: BadAudience},
		{name: "no audience", swap: []string{audience, "<saml:AudienceRestriction/>"}, want: BadAudience},
		{name: "another audience", swap: []string{"<saml:Audience>" + testEntity, "<saml:Audience>" + testEntity + "2"}, want: BadAudience},
		{name: "several audiences, ours first", swap: []string{"</saml:Audience>", "</saml:Audience><saml:Audience>https://other.example</saml:Audience>"}},
		{name: "two restrictions, both with ours", swap: []string{audience, audience + audience}},
		{name: "two restrictions, one without ours", swap: []string{audience, audience + "<saml:AudienceRestriction><saml:Audience>https://other.example</saml:Audience></saml:AudienceRestriction>"}, want: BadAudience},

		{name: "no AuthnStatement", swap: []string{authn, ""}, want: BadAuthn},
		{name: "no AuthnStatement, which is allowed", swap: []string{authn, ""}, expect: func(e *Expectation) { e.WithoutAuthnStatement = true }},
		{name: "no AuthnStatement, which is allowed, but a context is asked for", swap: []string{authn, ""}, expect: func(e *Expectation) {
			e.WithoutAuthnStatement, e.AuthnContexts = true, []string{transport}
		}, want: BadAuthn},
		{name: "no AuthnInstant", swap: []string{`AuthnInstant="` + at(-time.Minute) + `" `, ""}, want: BadAuthn},
		{name: "signed in in the future", swap: []string{`AuthnInstant="` + at(-time.Minute), `AuthnInstant="` + at(2*time.Minute)}, want: BadAuthn},
		{name: "a session that ended", swap: []string{`SessionNotOnOrAfter="` + at(8*time.Hour), `SessionNotOnOrAfter="` + at(-time.Minute)}, want: Expired},
		{name: "signed in before it was asked for", expect: func(e *Expectation) { e.AuthnSince = testNow.Add(time.Second) }, want: BadAuthn},
		{name: "signed in before it was asked for, within the skew", expect: func(e *Expectation) { e.AuthnSince = testNow }},
		{name: "a context that was asked for", expect: func(e *Expectation) { e.AuthnContexts = []string{otherContext, transport} }},
		{name: "another context", expect: func(e *Expectation) { e.AuthnContexts = []string{otherContext} }, want: BadAuthnContext},

		{name: "an encrypted attribute", swap: []string{`<saml:Attribute Name="mail"`, `<saml:EncryptedAttribute/><saml:Attribute Name="mail"`}, want: BadDecryption},
		{name: "an attribute without a name", swap: []string{`Name="mail" `, ""}, want: Malformed},
		{name: "an element of another standard", swap: []string{authn, authn + `<x:Grant xmlns:x="urn:x"/>`}, want: Malformed},
		{name: "advice", swap: []string{conditions, conditions + "<saml:Advice><saml:AssertionIDRef>_x</saml:AssertionIDRef></saml:Advice>"}},
		{name: "an assertion in advice", swap: []string{conditions, conditions + "<saml:Advice><saml:Assertion ID='_x'/></saml:Advice>"}, want: Malformed},

		{name: "solicited, but unexpected", expect: func(e *Expectation) { e.RequestID, e.Unsolicited = "", true }, want: BadInResponseTo},
		{name: "no request is known", expect: func(e *Expectation) { e.RequestID = "" }, want: BadInResponseTo},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e := expectation(idp.cert)
			if test.expect != nil {
				test.expect(&e)
			}
			message := respond(idp.sign(t, replace(t, plain, test.swap...), "_assertion1"))
			if test.want == "" {
				accept(t, message, e)
				return
			}
			reject(t, message, e, test.want)
		})
	}
}

func TestUnsolicited(t *testing.T) {
	idp := newSigner(t, providerKey())
	e := expectation(idp.cert)
	e.RequestID, e.Unsolicited = "", true
	answer := ` InResponseTo="` + testRequest + `"`
	plain := replace(t, plainAssertion(1), answer, "")

	accept(t, replace(t, respond(idp.sign(t, plain, "_assertion1")), answer, ""), e)
	reject(t, respond(idp.sign(t, plain, "_assertion1")), e, BadInResponseTo)
	reject(t, replace(t, respond(idp.sign(t, plain, "_assertion1")), answer, ` InResponseTo=""`), e, BadInResponseTo)
	second := replace(t, plain, "</saml:Subject>", `<saml:SubjectConfirmation Method="x"><saml:SubjectConfirmationData InResponseTo="_x"/></saml:SubjectConfirmation></saml:Subject>`)
	reject(t, replace(t, respond(idp.sign(t, second, "_assertion1")), answer, ""), e, BadInResponseTo)
	reject(t, replace(t, respond(idp.sign(t, plain, "_assertion1")), answer, ""), expectation(idp.cert), BadInResponseTo)
}

func TestOuter(t *testing.T) {
	idp := newSigner(t, providerKey())
	signed := respond(idp.sign(t, plainAssertion(1), "_assertion1"))
	tests := []struct {
		name       string
		from, to   string
		want, both Code // with the assertion signed; with the response signed
	}{
		{name: "another version", from: `Version="2.0" IssueInstant="` + at(0) + `" Destination`, to: `Version="1.0" IssueInstant="` + at(0) + `" Destination`, want: BadVersion, both: BadVersion},
		{name: "no destination", from: ` Destination="` + testACS + `"`, to: "", want: "", both: BadDestination},
		{name: "an empty destination", from: ` Destination="` + testACS + `"`, to: ` Destination=""`, want: BadDestination, both: BadDestination},
		{name: "another destination", from: ` Destination="` + testACS + `"`, to: ` Destination="` + testACS + `?x"`, want: BadDestination, both: BadDestination},
		{name: "another issuer", from: testProvider + `</saml:Issuer><samlp:Status>`, to: `https://other.example</saml:Issuer><samlp:Status>`, want: BadIssuer, both: BadIssuer},
		{name: "another request", from: testRequest + `"><saml:Issuer xmlns`, to: `_other"><saml:Issuer xmlns`, want: BadInResponseTo, both: BadInResponseTo},
		{name: "no request", from: ` InResponseTo="` + testRequest + `"><saml:Issuer xmlns`, to: `><saml:Issuer xmlns`, want: BadInResponseTo, both: BadInResponseTo},
		{name: "issued in the future", from: `IssueInstant="` + at(0) + `" Destination`, to: `IssueInstant="` + at(time.Hour) + `" Destination`, want: BadIssueInstant, both: BadIssueInstant},
		{name: "issued long ago", from: `IssueInstant="` + at(0) + `" Destination`, to: `IssueInstant="` + at(-time.Hour) + `" Destination`, want: BadIssueInstant, both: BadIssueInstant},
		{name: "a failure", from: "status:Success", to: "status:Responder", want: BadStatus, both: BadStatus},
		{name: "no status", from: between(signed, "<samlp:Status>", "</samlp:Status>"), to: "", want: BadStatus, both: BadStatus},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if message := replace(t, signed, test.from, test.to); test.want == "" {
				accept(t, message, expectation(idp.cert))
			} else if refusal := reject(t, message, expectation(idp.cert), test.want); refusal.Authentic {
				t.Error("refused as authentic before any signature was looked at")
			}
			reject(t, idp.sign(t, replace(t, respond(plainAssertion(1)), test.from, test.to), "_response1"), expectation(idp.cert), test.both)
		})
	}
}

func TestAFailureOfTheProviderIsReported(t *testing.T) {
	message := replace(t, respond(""), `status:Success"/>`, `status:Responder"><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:AuthnFailed"/></samlp:StatusCode><samlp:StatusMessage>the person said no</samlp:StatusMessage>`)
	refusal := reject(t, message, expectation(newSigner(t, providerKey()).cert), BadStatus)
	const want = `the provider reports "urn:oasis:names:tc:SAML:2.0:status:Responder", "urn:oasis:names:tc:SAML:2.0:status:AuthnFailed", "the person said no"`
	if refusal.Detail != want {
		t.Errorf("Detail = %s, want %s", refusal.Detail, want)
	}
}

// TestUsableCoversEveryReplay moves the clock up to Usable with the largest skew: at each
// moment before, the assertion may still be accepted; from then on it must not be.
func TestUsableCoversEveryReplay(t *testing.T) {
	idp := newSigner(t, providerKey())
	message := respond(idp.sign(t, plainAssertion(1), "_assertion1"))
	e := expectation(idp.cert)
	usable := accept(t, message, e).Usable
	if want := testNow.Add(10 * time.Minute); !usable.Equal(want) {
		t.Fatalf("Usable = %v, want %v", usable, want)
	}
	e.Skew = maxSkew
	e.Now = usable.Add(-time.Second)
	accept(t, message, e)
	e.Now = usable
	if _, err := Verify(t.Context(), []byte(message), e); err == nil {
		t.Error("the assertion is accepted when its ID may be forgotten")
	}
}

// TestUsableCoversEveryConfirmation takes an assertion that answers two requests, for another
// time each.
func TestUsableCoversEveryConfirmation(t *testing.T) {
	idp := newSigner(t, providerKey())
	plain := plainAssertion(1)
	long := between(plain, "<saml:SubjectConfirmation ", "</saml:SubjectConfirmation>")
	short := replace(t, long, testRequest, "_request2", at(5*time.Minute), at(time.Second))
	message := respond(idp.sign(t, replace(t, plain, long, short+long), "_assertion1"))
	e := expectation(idp.cert)
	e.RequestID = "_request2"
	usable := accept(t, replace(t, message, testRequest+`"><saml:Issuer`, `_request2"><saml:Issuer`), e).Usable
	e = expectation(idp.cert)
	e.Now, e.Skew = usable, maxSkew
	if _, err := Verify(t.Context(), []byte(message), e); err == nil {
		t.Errorf("the assertion is accepted at %v for another request, when its ID may be forgotten", usable)
	}
}

func TestAttributesAreExact(t *testing.T) {
	idp := newSigner(t, providerKey())
	plain := replace(t, plainAssertion(0), `<saml:Attribute Name="groups" FriendlyName="Groups"></saml:Attribute>`,
		`<saml:Attribute Name="groups"><saml:AttributeValue> a&#13;&#10;b:*{}../ </saml:AttributeValue><saml:AttributeValue><![CDATA[<x>]]>&amp;y</saml:AttributeValue>`+
			`<saml:AttributeValue xsi:nil="true"/><saml:AttributeValue/><saml:AttributeValue><saml:NameID>n</saml:NameID></saml:AttributeValue>`+
			`<saml:AttributeValue>ad<saml:NameID>x</saml:NameID>min</saml:AttributeValue>`+
			`<saml:AttributeValue>ad<x/>min</saml:AttributeValue></saml:Attribute><saml:Attribute Name="groups"/>`)
	got := accept(t, idp.sign(t, respond(plain), "_response1"), expectation(idp.cert)).Attributes
	want := []string{" a\r\nb:*{}../ ", "<x>&y", "", "n"}
	if len(got) != 3 || got[2].Name != "groups" || got[2].Values != nil {
		t.Fatalf("Attributes = %+v, want mail, groups, and groups without values", got)
	}
	if len(got[1].Values) != len(want) {
		t.Fatalf("Values = %q, want %q", got[1].Values, want)
	}
	for i := range want {
		if got[1].Values[i] != want[i] {
			t.Errorf("value %d = %q, want %q", i, got[1].Values[i], want[i])
		}
	}
}
