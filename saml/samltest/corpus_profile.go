package samltest

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// profiled returns a function that adds a soundly signed assertion which says something
// wrong.
func (c *corpus) profiled(note string) func(name, codes string, edit func(a *Element)) {
	return func(name, codes string, edit func(a *Element)) {
		c.hostile(name, note, codes, func(m *Message) {
			m.Edit = func(r *Element) {
				r.Set("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance")
				edit(r.Find("Assertion"))
			}
		})
	}
}

// subjects adds subjects, names and confirmations that do not do.
func (c *corpus) subjects() {
	said := c.profiled("SAML core 2.4")
	said("no subject", "subject", func(a *Element) { a.Replace(a.Find("Subject")) })
	said("two subjects", "subject", func(a *Element) {
		s := a.Find("Subject")
		a.Before(s, s.Clone())
		a.Find("NameID").SetText(intruder)
	})
	said("a subject without anything", "name_id", func(a *Element) { a.Find("Subject").Children = nil })
	said("no NameID", "name_id", func(a *Element) { a.Replace(a.Find("NameID")) })
	said("a NameID that is empty", "name_id", func(a *Element) { a.Find("NameID").SetText("") })
	said("a NameID of white space", "name_id", func(a *Element) { a.Find("NameID").SetText(" \t\n ") })
	said("a NameID that is nil", "name_id", func(a *Element) { a.Find("NameID").SetText("").Set("xsi:nil", "true") })
	said("two NameIDs", "name_id", func(a *Element) {
		n := a.Find("NameID")
		a.After(n, n.Clone().SetText(intruder))
	})
	said("a NameID of another format beside the first", "name_id", func(a *Element) {
		n := a.Find("NameID")
		a.After(n, n.Clone().SetText("8f2e").Set("Format", Persistent))
	})
	said("a BaseID", "name_id", func(a *Element) {
		a.Replace(a.Find("NameID"), parse(`<saml:BaseID NameQualifier="x"/>`))
	})
	said("an EncryptedID", "name_id", func(a *Element) {
		a.Replace(a.Find("NameID"), parse(`<saml:EncryptedID><xenc:EncryptedData xmlns:xenc="`+encryptionNS+`"><xenc:CipherData><xenc:CipherValue>AAAA</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData></saml:EncryptedID>`))
	})
	said("an EncryptedID beside the NameID", "name_id", func(a *Element) {
		a.After(a.Find("NameID"), parse(`<saml:EncryptedID/>`))
	})
	said("a NameID in the confirmation only", "name_id", func(a *Element) {
		n := a.Find("NameID")
		a.Replace(n)
		a.Find("SubjectConfirmation").Prepend(n)
	})
	said("a NameID outside of the subject", "name_id", func(a *Element) {
		n := a.Find("NameID")
		a.Replace(n)
		a.Before(a.Find("Subject"), n)
	})

	confirmed := c.profiled("SAML profiles 4.1.4.2, 4.1.4.3")
	const codes = "confirmation"
	confirmed("no confirmation", codes, func(a *Element) { a.Replace(a.Find("SubjectConfirmation")) })
	for _, method := range []string{"holder-of-key", "sender-vouches", "Bearer"} {
		confirmed("a confirmation by "+method+" only", codes, func(a *Element) {
			a.Find("SubjectConfirmation").Set("Method", "urn:oasis:names:tc:SAML:2.0:cm:"+method)
		})
	}
	confirmed("a confirmation by the bearer method of SAML 1.0", codes, func(a *Element) {
		a.Find("SubjectConfirmation").Set("Method", "urn:oasis:names:tc:SAML:1.0:cm:bearer")
	})
	confirmed("a confirmation without a method", codes, func(a *Element) { a.Find("SubjectConfirmation").Unset("Method") })
	confirmed("a confirmation without data", codes, func(a *Element) { a.Find("SubjectConfirmation").Children = nil })
	confirmed("data of a confirmation twice", codes, func(a *Element) {
		d := a.Find("SubjectConfirmationData")
		a.After(d, d.Clone())
	})
	recipient := func(name, value string) {
		confirmed("a recipient "+name, codes, func(a *Element) { a.Find("SubjectConfirmationData").Set("Recipient", value) })
	}
	acs := c.target.ACS
	recipient("that is another", "https://other.example/acs")
	recipient("that is empty", "")
	recipient("with a slash more", acs+"/")
	recipient("with a query", acs+"?x=1")
	recipient("that begins with ours", acs+".evil.example")
	recipient("in upper case", strings.ToUpper(acs))
	recipient("that is our entity ID", c.target.EntityID)
	confirmed("no recipient", codes, func(a *Element) { a.Find("SubjectConfirmationData").Unset("Recipient") })
	confirmed("a confirmation that has a start", codes, func(a *Element) {
		a.Find("SubjectConfirmationData").Set("NotBefore", Instant(c.now.Add(-time.Minute)))
	})
	confirmed("a confirmation without an end", codes, func(a *Element) { a.Find("SubjectConfirmationData").Unset("NotOnOrAfter") })
	over := c.now.Add(-c.target.Skew)
	confirmed("a confirmation that is over", "expired", func(a *Element) {
		a.Find("SubjectConfirmationData").Set("NotOnOrAfter", Instant(over.Add(-time.Hour)))
	})
	confirmed("a confirmation that is over just now", "expired", func(a *Element) {
		a.Find("SubjectConfirmationData").Set("NotOnOrAfter", Instant(over))
	})
	wrong := c.wrongTimes()
	for _, name := range slices.Sorted(maps.Keys(wrong)) {
		confirmed("a confirmation that ends "+name, "malformed", func(a *Element) {
			a.Find("SubjectConfirmationData").Set("NotOnOrAfter", wrong[name])
		})
	}
	confirmed("what is right in two confirmations, in neither all", codes, func(a *Element) {
		own := a.Find("SubjectConfirmation")
		other := own.Clone()
		own.Find("SubjectConfirmationData").Set("Recipient", "https://other.example/acs")
		other.Find("SubjectConfirmationData").Set("NotOnOrAfter", Instant(over.Add(-time.Hour)))
		a.After(own, other)
	})
	confirmed("the holder of a key confirms for us, the bearer for another", codes, func(a *Element) {
		own := a.Find("SubjectConfirmation")
		other := own.Clone().Set("Method", "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key")
		own.Find("SubjectConfirmationData").Set("Recipient", "https://other.example/acs")
		a.After(own, other)
	})
}

// conditions adds audiences, times and conditions that do not do.
func (c *corpus) conditions() {
	said := c.profiled("SAML core 2.5")
	said("no conditions", "conditions", func(a *Element) { a.Replace(a.Find("Conditions")) })
	said("conditions twice", "conditions", func(a *Element) {
		k := a.Find("Conditions")
		a.After(k, k.Clone())
	})
	said("conditions twice, the first of them for another", "conditions", func(a *Element) {
		k := a.Find("Conditions")
		other := k.Clone()
		other.Find("Audience").SetText("https://other.example")
		a.Before(k, other)
	})
	said("a condition that nobody knows", "conditions", func(a *Element) {
		a.Find("Conditions").Append(parse(`<x:OnlyOnMondays xmlns:x="urn:x"/>`))
	})
	said("a condition of a type of its own", "conditions", func(a *Element) {
		a.Find("Conditions").Append(parse(`<saml:Condition xsi:type="x:OnlyOnMondays" xmlns:x="urn:x"/>`))
	})
	said("a condition in other letter case", "conditions", func(a *Element) { a.Find("Conditions").Append(parse(`<saml:onetimeuse/>`)) })

	us := c.target.EntityID
	audience := func(name string, list ...string) {
		said("the audience is "+name, "audience", func(a *Element) {
			r := a.Find("AudienceRestriction")
			r.Children = nil
			for _, text := range list {
				r.Append((&Element{Name: "saml:Audience"}).SetText(text))
			}
		})
	}
	audience("nobody")
	audience("empty", "")
	audience("another", "https://other.example/metadata")
	audience("two others", "https://a.example", "https://b.example")
	audience("ours and a slash", us+"/")
	audience("ours and a query", us+"?x")
	audience("one that ours begins with", us[:len(us)-1])
	audience("one that begins with ours", us+"2")
	audience("one that ends with ours", "x"+us)
	audience("ours in upper case", strings.ToUpper(us))
	audience("two, in one text with ours", us+" https://other.example")
	audience("our ACS", c.target.ACS)
	audience("a star", "*")
	audience("the provider", c.provider.EntityID)
	said("no audience restriction", "audience", func(a *Element) { a.Replace(a.Find("AudienceRestriction")) })
	for _, first := range []bool{true, false} {
		name := map[bool]string{true: "first", false: "second"}[first]
		said("two audience restrictions, ours is in the "+name, "audience", func(a *Element) {
			own := a.Find("AudienceRestriction")
			other := own.Clone()
			other.Find("Audience").SetText("https://other.example")
			if first {
				a.After(own, other)
			} else {
				a.Before(own, other)
			}
		})
	}
	said("our audience is in a ProxyRestriction only", "audience", func(a *Element) {
		a.Replace(a.Find("AudienceRestriction"), parse(`<saml:ProxyRestriction><saml:Audience>`+quoted(us)+`</saml:Audience></saml:ProxyRestriction>`))
	})

	skew := c.target.Skew
	over, soon := c.now.Add(-skew), c.now.Add(skew)
	said("its time was over an hour ago", "expired", func(a *Element) { a.Find("Conditions").Set("NotOnOrAfter", Instant(over.Add(-time.Hour))) })
	said("its time is over just now", "expired", func(a *Element) { a.Find("Conditions").Set("NotOnOrAfter", Instant(over)) })
	said("its time comes in an hour", "not_yet_valid", func(a *Element) { a.Find("Conditions").Set("NotBefore", Instant(soon.Add(time.Hour))) })
	said("its time comes a second too late", "not_yet_valid", func(a *Element) { a.Find("Conditions").Set("NotBefore", Instant(soon.Add(time.Second))) })
	said("its time ends before it begins", "conditions", func(a *Element) {
		a.Find("Conditions").Set("NotBefore", Instant(c.now.Add(skew/2))).Set("NotOnOrAfter", Instant(c.now.Add(-skew/2)))
	})
	// The wall clock says otherwise than the zone: a comparison of text is fooled.
	said("its time was over an hour ago, as its zone tells", "expired", func(a *Element) {
		a.Find("Conditions").Set("NotOnOrAfter", c.now.UTC().Add(11*time.Hour).Format("2006-01-02T15:04:05")+"+12:00")
	})
	said("its time comes in an hour, as its zone tells", "not_yet_valid", func(a *Element) {
		a.Find("Conditions").Set("NotBefore", c.now.UTC().Add(-10*time.Hour).Format("2006-01-02T15:04:05")+"-11:00")
	})
	said("its time was over an hour ago, without a zone", "expired", func(a *Element) {
		a.Find("Conditions").Set("NotOnOrAfter", c.now.UTC().Add(-time.Hour).Format("2006-01-02T15:04:05"))
	})
	said("its time is over in the year 0", "expired", func(a *Element) {
		a.Find("Conditions").Set("NotOnOrAfter", "0000-01-01T00:00:00Z")
	})
	wrong := c.wrongTimes()
	for _, name := range slices.Sorted(maps.Keys(wrong)) {
		said("its time begins "+name, "malformed", func(a *Element) { a.Find("Conditions").Set("NotBefore", wrong[name]) })
		said("its time ends "+name, "malformed", func(a *Element) { a.Find("Conditions").Set("NotOnOrAfter", wrong[name]) })
	}
}

// statements adds statements of authentication and attributes that do not do.
func (c *corpus) statements() {
	said := c.profiled("SAML core 2.7, profiles 4.1.4.2")
	said("no statement of how the person signed in", "authn_statement", func(a *Element) { a.Replace(a.Find("AuthnStatement")) })
	said("no time of the sign-in", "authn_statement", func(a *Element) { a.Find("AuthnStatement").Unset("AuthnInstant") })
	said("a sign-in in the future", "authn_statement", func(a *Element) {
		a.Find("AuthnStatement").Set("AuthnInstant", Instant(c.now.Add(time.Hour)))
	})
	said("a session that is over", "expired", func(a *Element) {
		a.Find("AuthnStatement").Set("SessionNotOnOrAfter", Instant(c.now.Add(-time.Hour)))
	})
	said("a session that is over just now", "expired", func(a *Element) {
		a.Find("AuthnStatement").Set("SessionNotOnOrAfter", Instant(c.now.Add(-c.target.Skew)))
	})
	said("two sessions that are over", "expired", func(a *Element) {
		s := a.Find("AuthnStatement")
		s.Set("SessionNotOnOrAfter", Instant(c.now.Add(-time.Hour)))
		a.After(s, s.Clone())
	})
	said("a session without a time that can be read", "malformed", func(a *Element) {
		a.Find("AuthnStatement").Set("SessionNotOnOrAfter", "never")
	})
	k := c.hostile("another context of authentication than those asked for", "SAML core 3.3.2.2.1", "authn_context", func(*Message) {})
	k.AuthnContexts = []string{"urn:oasis:names:tc:SAML:2.0:ac:classes:X509"}
	k = c.hostile("a context that begins with the one asked for", "SAML core 3.3.2.2.1", "authn_context", func(m *Message) { m.Context = PasswordTLS + "2" })
	k.AuthnContexts = []string{PasswordTLS}
	k = c.hostile("no context of authentication though one was asked for", "SAML core 3.3.2.2.1", "authn_context authn_statement", func(m *Message) {
		m.Edit = func(r *Element) { r.Replace(r.Find("AuthnContext")) }
	})
	k.AuthnContexts = []string{PasswordTLS}
	k = c.hostile("no statement though a context was asked for", "SAML core 3.3.2.2.1", "authn_context authn_statement", func(m *Message) {
		m.Edit = func(r *Element) { r.Replace(r.Find("AuthnStatement")) }
	})
	k.AuthnContexts, k.WithoutAuthnStatement = []string{PasswordTLS}, true
	k = c.hostile("a sign-in before the one that was forced", "SAML core 3.4.1: ForceAuthn", "authn_statement", func(m *Message) {
		m.Edit = func(r *Element) { r.Find("AuthnStatement").Set("AuthnInstant", Instant(c.now.Add(-time.Hour))) }
	})
	k.AuthnSince = c.now.Add(-2 * time.Minute)
	k = c.hostile("no statement of when the person signed in though it was forced", "SAML core 3.4.1: ForceAuthn", "authn_statement", func(m *Message) {
		m.Edit = func(r *Element) { r.Replace(r.Find("AuthnStatement")) }
	})
	k.AuthnSince, k.WithoutAuthnStatement = c.now.Add(-2*time.Minute), true

	nested := func(name string, what func(a *Element) Node) {
		said("a value that holds "+name, "malformed duplicate_id", func(a *Element) { a.Find("AttributeValue").Children = []Node{what(a)} })
	}
	nested("an assertion", func(a *Element) Node { return evil(a) })
	nested("an encrypted assertion", func(*Element) Node { return parse("<saml:EncryptedAssertion/>") })
	nested("a signature", func(*Element) Node { return parse(`<ds:Signature xmlns:ds="` + signatureNS + `"/>`) })
	nested("an element with the assertion's ID", func(a *Element) Node { return parse("<x/>").Set("ID", a.Attr("ID")) })
	said("an attribute without a name", "malformed", func(a *Element) { a.Find("Attribute").Unset("Name") })
	said("an encrypted attribute", "decryption", func(a *Element) {
		a.Find("AttributeStatement").Append(parse("<saml:EncryptedAttribute/>"))
	})
}

// tenants adds messages that the provider has made for another customer of ours, who uses
// the same provider and the same key.
func (c *corpus) tenants() {
	const note = "two organizations with one provider: one Entra tenant, say"
	other := func(s string) string {
		at := strings.LastIndex(s[:len(s)-1], "/")
		return s[:at] + "-2" + s[at:]
	}
	c.hostile("a message for another tenant", note, "destination", func(m *Message) {
		m.ACS, m.Audience, m.RequestID = other(m.ACS), other(m.Audience), "_other"
	})
	c.hostile("a message for another tenant, unsolicited", note, "destination", func(m *Message) {
		m.ACS, m.Audience, m.RequestID = other(m.ACS), other(m.Audience), ""
	})
	c.cases[len(c.cases)-1].Unsolicited = true
	c.hostile("a message for another tenant, in a response for us", note, "confirmation", func(m *Message) {
		acs := m.ACS
		m.ACS, m.Audience = other(m.ACS), other(m.Audience)
		m.Tamper = func(r *Element) { r.Set("Destination", acs) }
	})
	c.hostile("a message for another tenant, to our address", note, "audience", func(m *Message) { m.Audience = other(m.Audience) })
	c.hostile("a message for another tenant, for our audience", note, "destination", func(m *Message) { m.ACS = other(m.ACS) })
	c.hostile("a message for another tenant, encrypted for us", note, "audience", func(m *Message) {
		m.Audience = other(m.Audience)
		m.Encrypt = &Encryption{For: c.target.Decrypts}
	})
	c.hostile("a message for another tenant, encrypted for it", note, "decryption", func(m *Message) {
		m.Audience = other(m.Audience)
		m.Encrypt = &Encryption{For: SelfSigned(Key(Quick2048, "corpus: foreign"), "other", c.now.AddDate(1, 0, 0))}
	})
}
