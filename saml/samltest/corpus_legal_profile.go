package samltest

import (
	"fmt"
	"strings"
	"time"
)

// legalGroups adds amounts and kinds of groups.
func (c *corpus) legalGroups() {
	for _, n := range []int{0, 1, 150, 1000, 5000} {
		c.legal(fmt.Sprintf("%d groups", n), "sizes of real directories", func(m *Message) { m.Groups = numbered(n) })
	}
	c.legal("3500 groups, each an attribute", "Keycloak", func(m *Message) {
		m.Shape, m.Sign, m.Groups = "keycloak", SignResponse, numbered(3500)
	})
	c.legal("groups that are named oddly", "names are chosen by people", func(m *Message) {
		m.Groups = []string{
			"two\r\nlines", "carriage\rreturn", "tab\tbed", "a:b", "*", "{org}", "..", "../../etc", " space around ", "",
			`<script>alert("1")</script>`, "a&amp;b", "Überprüfung", "研究開発", "\u202egpj.exe", "e\u0301", "👩🏽‍💻", "\U0001F3F4\U000E0067\U000E0062\U000E007F", "\ufeffbom", "staff", "staff",
		}
	})
	c.legal("one group of 10,000 characters", "no limit is documented", func(m *Message) { m.Groups = []string{strings.Repeat("long ", 2000)} })
	k := c.legal("no attribute for groups", "SEMANTICS: absent", func(m *Message) {
		m.Edit = func(r *Element) {
			attributes := r.All("Attribute")
			r.Replace(attributes[len(attributes)-1])
		}
	})
	k.Groups = nil
	k = c.legal("no attributes", "SAML core 2.7.3 is optional", func(m *Message) {
		m.Edit = func(r *Element) { r.Replace(r.Find("AttributeStatement")) }
	})
	k.Groups = nil
	k = c.legal("too many groups to be listed", "Entra's groups.link", func(m *Message) {
		m.Shape, m.Groups = "entra", nil
		m.Attributes = []Claim{{Name: "http://schemas.microsoft.com/claims/groups.link", Values: []string{"https://graph.windows.net/5f0ca2f1/users/0d8ef0a5/getMemberObjects"}}}
	})
	k.Groups = nil
	values := func(name string, groups []string, edit func(values []*Element)) *Case {
		return c.legal("a value "+name, "SAML core 2.7.3.1.1", func(m *Message) {
			m.Groups = groups
			m.Edit = func(r *Element) {
				r.Set("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance").Set("xmlns:xs", "http://www.w3.org/2001/XMLSchema")
				edit(r.All("AttributeValue")[3:])
			}
		})
	}
	values("of type xs:string", []string{"a"}, func(v []*Element) { v[0].Set("xsi:type", "xs:string") })
	values("of type xs:anyType", []string{"a"}, func(v []*Element) { v[0].Set("xsi:type", "xs:anyType") })
	values("of type xs:integer", []string{"7"}, func(v []*Element) { v[0].Set("xsi:type", "xs:integer") })
	k = values("that is nil", []string{"", "b"}, func(v []*Element) { v[0].Set("xsi:nil", "true") })
	k.Groups = []string{"b"}
	values("split by CDATA", []string{"a]]>b"}, func(v []*Element) {
		v[0].Children = []Node{Written{Text: "<![CDATA[a]]]]><![CDATA[>b]]>", Value: "a]]>b"}}
	})
	c.legal("an attribute that holds a NameID", "eduPersonTargetedID, as Shibboleth sends it", func(m *Message) {
		m.Edit = func(r *Element) {
			r.Find("AttributeStatement").Prepend(parse(`<saml:Attribute Name="urn:oid:1.3.6.1.4.1.5923.1.1.1.10"><saml:AttributeValue><saml:NameID Format="` + Persistent + `">8f2e</saml:NameID></saml:AttributeValue></saml:Attribute>`))
		}
	})
	c.legal("groups in two statements", "SAML core 2.3.3 allows several", func(m *Message) {
		m.Groups = []string{"a", "b", "c"}
		m.Edit = func(r *Element) {
			statement := r.Find("AttributeStatement")
			second := statement.Clone()
			values := second.All("AttributeValue")
			second.Children = second.Children[len(second.Children)-1:]
			second.Find("Attribute").Children = []Node{values[len(values)-1]}
			groups := statement.Elements()[3]
			groups.Children = groups.Children[:2]
			r.After(statement, second)
		}
	})
}

func numbered(n int) []string {
	groups := make([]string, n)
	for i := range groups {
		groups[i] = fmt.Sprintf("Group %d", i+1)
	}
	return groups
}

// legalProfile adds what the web browser SSO profile leaves open.
func (c *corpus) legalProfile() {
	skew := c.target.Skew
	at := func(name string, edit func(r *Element)) {
		c.legal(name, "SAML profiles 4.1.4", func(m *Message) { m.Edit = edit })
	}
	audiences := func(list ...string) func(*Element) {
		return func(r *Element) {
			restriction := r.Find("AudienceRestriction")
			restriction.Children = nil
			for _, a := range list {
				restriction.Append((&Element{Name: "saml:Audience"}).SetText(a))
			}
		}
	}
	us := c.target.EntityID
	at("our audience is the first of three", audiences(us, "https://a.example", "https://b.example"))
	at("our audience is the second of three", audiences("https://a.example", us, "https://b.example"))
	at("our audience is the last of three", audiences("https://a.example", "https://b.example", us))
	at("two audience restrictions with ours in both", func(r *Element) {
		restriction := r.Find("AudienceRestriction")
		r.After(restriction, parse("<saml:AudienceRestriction><saml:Audience>https://a.example</saml:Audience><saml:Audience>"+quoted(us)+"</saml:Audience></saml:AudienceRestriction>"))
	})
	at("a confirmation for another holder comes first", func(r *Element) {
		r.Before(r.Find("SubjectConfirmation"), parse(`<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"><saml:SubjectConfirmationData><ds:KeyInfo xmlns:ds="`+signatureNS+`"><ds:KeyName>key</ds:KeyName></ds:KeyInfo></saml:SubjectConfirmationData></saml:SubjectConfirmation>`))
	})
	at("a bearer confirmation for another recipient comes first", func(r *Element) {
		own := r.Find("SubjectConfirmation")
		other := own.Clone()
		other.Find("SubjectConfirmationData").Set("Recipient", "https://other.example/acs")
		r.Before(own, other)
	})
	at("a bearer confirmation that is over comes last", func(r *Element) {
		own := r.Find("SubjectConfirmation")
		other := own.Clone()
		other.Find("SubjectConfirmationData").Set("NotOnOrAfter", Instant(c.now.Add(-time.Hour)))
		r.After(own, other)
	})
	at("a confirmation that names the address of the person", func(r *Element) { r.Find("SubjectConfirmationData").Set("Address", "192.0.2.1") })
	at("the condition OneTimeUse", func(r *Element) { r.Find("Conditions").Append(parse("<saml:OneTimeUse/>")) })
	at("the condition ProxyRestriction", func(r *Element) {
		r.Find("Conditions").Append(parse(`<saml:ProxyRestriction Count="0"><saml:Audience>https://a.example</saml:Audience></saml:ProxyRestriction>`))
	})
	at("conditions without times", func(r *Element) { r.Find("Conditions").Unset("NotBefore").Unset("NotOnOrAfter") })
	at("the provider's clock is ahead by the skew", func(r *Element) {
		ahead := Instant(c.now.Add(skew - time.Second))
		r.Set("IssueInstant", ahead)
		r.Find("Assertion").Set("IssueInstant", ahead)
		r.Find("Conditions").Set("NotBefore", ahead)
		r.Find("AuthnStatement").Set("AuthnInstant", ahead)
	})
	at("its time was over for less than the skew", func(r *Element) {
		end := Instant(c.now.Add(time.Second - skew))
		r.Find("Conditions").Set("NotOnOrAfter", end)
		r.Find("SubjectConfirmationData").Set("NotOnOrAfter", end)
		r.Find("AuthnStatement").Set("SessionNotOnOrAfter", end)
	})
	at("times without fractions of seconds", func(r *Element) { times(r, "2006-01-02T15:04:05Z") })
	at("times without a zone, which are UTC", func(r *Element) { times(r, "2006-01-02T15:04:05") })
	at("times with an offset", func(r *Element) {
		eachTime(r, func(t time.Time) string { return t.In(time.FixedZone("", 5*3600+1800)).Format(time.RFC3339) })
	})
	at("IDs that begin with a digit", func(r *Element) {
		r.Set("ID", "7f3c1c9e-52ae-4a0c-a2d5-6a8f8b5f0c11")
		r.Find("Assertion").Set("ID", "0b7a2f5d-0f6e-4a3e-9f3c-3a52a2d7a6b1")
	})
	at("one of two statements of a session that is over", func(r *Element) {
		own := r.Find("AuthnStatement")
		r.After(own, own.Clone().Set("SessionNotOnOrAfter", Instant(c.now.Add(-time.Hour))))
	})
	at("times in microseconds", func(r *Element) { times(r, "2006-01-02T15:04:05.000000Z") })
	at("times in units of 100 nanoseconds", func(r *Element) { times(r, "2006-01-02T15:04:05.0000000Z") })
	at("the session has no end", func(r *Element) { r.Find("AuthnStatement").Unset("SessionNotOnOrAfter") })
	at("the statement has no session index", func(r *Element) { r.Find("AuthnStatement").Unset("SessionIndex") })
	at("the person signed in long ago", func(r *Element) { r.Find("AuthnStatement").Set("AuthnInstant", Instant(c.now.Add(-9*time.Hour))) })
	at("no Destination, and only the assertion is signed", func(r *Element) { r.Unset("Destination") })
	at("no Issuer of the response, and only the assertion is signed", func(r *Element) { r.Replace(r.Find("Issuer")) })
	at("issuers with a format", func(r *Element) {
		for _, e := range r.All("Issuer") {
			e.Set("Format", "urn:oasis:names:tc:SAML:2.0:nameid-format:entity")
		}
	})
	at("success with a message", func(r *Element) { r.Find("Status").Append(parse("<samlp:StatusMessage>Welcome</samlp:StatusMessage>")) })
	at("a consent and extensions of the vendor's own", func(r *Element) {
		r.Set("Consent", "urn:oasis:names:tc:SAML:2.0:consent:obtained")
		r.Before(r.Find("Status"), parse(`<samlp:Extensions><v:Trace xmlns:v="https://vendor.example/">1</v:Trace></samlp:Extensions>`))
	})
	at("two statements of how the person signed in", func(r *Element) {
		own := r.Find("AuthnStatement")
		r.After(own, own.Clone())
	})
	named := func(name, nameID, format string) {
		c.legal("a NameID that is "+name, "SAML core 8.3", func(m *Message) { m.NameID, m.Format = nameID, format })
	}
	named("persistent", "k3Rl0b0yqVQvZK9n", Persistent)
	named("transient", "_ce3d2948b4cf20146dee0a0b3dd6f69b6cf86f62d7", Transient)
	named("unspecified", "E12345", Unspecified)
	named("in Unicode", "анна@пример.испытание", EmailAddress)
	named("in need of escapes", `a<b>&"c"'d'`, Unspecified)
	named("a distinguished name", `CN=Meyer\, Anna,OU=Staff,DC=example,DC=com`, "urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName")

	k := c.legal("nobody asked for it, and that is allowed", "SAML profiles 4.1.5", func(m *Message) { m.RequestID = "" })
	k.Unsolicited = true
	k = c.legal("the context of authentication that was asked for", "SAML core 3.3.2.2.1", func(m *Message) {
		m.Context = "urn:oasis:names:tc:SAML:2.0:ac:classes:X509"
	})
	k.AuthnContexts = []string{"urn:oasis:names:tc:SAML:2.0:ac:classes:MobileTwoFactorContract", "urn:oasis:names:tc:SAML:2.0:ac:classes:X509"}
	k = c.legal("the person signed in anew, as was asked for", "SAML core 3.4.1: ForceAuthn", func(*Message) {})
	k.AuthnSince = c.now.Add(-2 * time.Minute)
	k = c.legal("no statement of how the person signed in, and that is allowed", "samlify", func(m *Message) {
		m.Edit = func(r *Element) { r.Replace(r.Find("AuthnStatement")) }
	})
	k.WithoutAuthnStatement = true
}

// times writes every time of a message in a layout.
func times(r *Element, layout string) {
	eachTime(r, func(t time.Time) string { return t.Format(layout) })
}

func eachTime(r *Element, write func(t time.Time) string) {
	each(r, func(e *Element) {
		for i, a := range e.Attributes {
			if t, err := time.Parse(time.RFC3339Nano, a.Value); err == nil {
				e.Attributes[i] = Attribute{Name: a.Name, Value: write(t)}
			}
		}
	})
}
