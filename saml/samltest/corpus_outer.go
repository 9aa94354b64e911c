package samltest

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// outer adds what the response says of itself. Both parts are signed, so that each is
// refused for what it says.
func (c *corpus) outer() {
	said := func(name, note, codes string, edit func(r *Element)) {
		c.hostile(name, note, codes, func(m *Message) { m.Sign, m.Edit = SignBoth, edit })
	}
	destination := func(name, value string) {
		said("a Destination "+name, "SAML core 3.2.2", "destination", func(r *Element) { r.Set("Destination", value) })
	}
	acs := c.target.ACS
	destination("of another", "https://other.example/acs")
	destination("that is empty", "")
	destination("with a slash more", acs+"/")
	destination("with a query", acs+"?x=1")
	destination("with a fragment", acs+"#x")
	destination("that begins with ours", acs+".evil.example")
	destination("in upper case", strings.ToUpper(acs))
	destination("of plain HTTP", strings.Replace(acs, "https://", "http://", 1))
	destination("with a user before the host", strings.Replace(acs, "https://", "https://us@", 1))
	destination("that is only the path", "/saml/acs")
	said("no Destination in a signed response", "SAML bindings 3.5.5.2", "destination", func(r *Element) { r.Unset("Destination") })

	issuer := func(name, value string) {
		said("an issuer of the response "+name, "SAML profiles 4.1.4.2", "issuer", func(r *Element) { r.Find("Issuer").SetText(value) })
		said("an issuer of the assertion "+name, "SAML profiles 4.1.4.2", "issuer", func(r *Element) { r.Find("Assertion").Find("Issuer").SetText(value) })
	}
	own := c.provider.EntityID
	issuer("that is another", "https://other.example/idp")
	issuer("that is empty", "")
	issuer("that begins with the provider's", own+"/x")
	issuer("in upper case", strings.ToUpper(own))
	issuer("with a slash more", own+"/")
	said("no issuer of the assertion", "SAML core 2.3.3", "issuer", func(r *Element) { r.Find("Assertion").Replace(r.Find("Assertion").Find("Issuer")) })
	said("no issuer of a signed response", "SAML profiles 4.1.4.2", "issuer", func(r *Element) { r.Replace(r.Find("Issuer")) })
	said("two issuers of the assertion", "SAML core 2.3.3", "issuer", func(r *Element) {
		i := r.Find("Assertion").Find("Issuer")
		r.After(i, i.Clone().SetText("https://other.example/idp"))
	})
	said("two issuers of the response", "SAML core 3.2.2", "issuer", func(r *Element) {
		i := r.Find("Issuer")
		r.After(i, i.Clone())
	})
	said("an issuer of another format", "SAML profiles 4.1.4.2: entity or none", "issuer", func(r *Element) {
		r.Find("Assertion").Find("Issuer").Set("Format", EmailAddress)
	})

	status := func(name, note string, edit func(status *Element)) {
		said("the status "+name, note, "status", func(r *Element) { edit(r.Find("Status")) })
	}
	const namespace = "urn:oasis:names:tc:SAML:2.0:status:"
	status("Responder", "SAML core 3.2.2.2", func(s *Element) { s.Find("StatusCode").Set("Value", namespace+"Responder") })
	status("Responder, AuthnFailed", "SAML core 3.2.2.2", func(s *Element) {
		s.Find("StatusCode").Set("Value", namespace+"Responder").Append(parse(`<samlp:StatusCode Value="` + namespace + `AuthnFailed"/>`))
	})
	status("Requester, with Success within it", "a library that takes the last code", func(s *Element) {
		s.Find("StatusCode").Set("Value", namespace+"Requester").Append(parse(`<samlp:StatusCode Value="` + Success + `"/>`))
	})
	status("Success and a failure beside it", "a library that takes the first code", func(s *Element) {
		s.Append(parse(`<samlp:StatusCode Value="` + namespace + `Responder"/>`))
	})
	status("of an unknown name", "SAML core 3.2.2.2", func(s *Element) { s.Find("StatusCode").Set("Value", "urn:unknown") })
	status("that begins with Success", "SAML core 3.2.2.2", func(s *Element) { s.Find("StatusCode").Set("Value", Success+"ful") })
	status("in other letter case", "SAML core 3.2.2.2", func(s *Element) { s.Find("StatusCode").Set("Value", strings.ToLower(Success)) })
	status("without a code", "SAML core 3.2.2.1", func(s *Element) { s.Children = nil })
	status("with a code without a value", "SAML core 3.2.2.2", func(s *Element) { s.Find("StatusCode").Unset("Value") })
	said("no status", "SAML core 3.2.2", "status", func(r *Element) { r.Replace(r.Find("Status")) })
	said("two statuses", "SAML core 3.2.2", "status", func(r *Element) { r.After(r.Find("Status"), r.Find("Status").Clone()) })
	c.hostile("a failure without an assertion", "as providers send it, unsigned", "status", func(m *Message) {
		m.Sign = SignNothing
		m.Tamper = func(r *Element) {
			r.Find("StatusCode").Set("Value", namespace+"Responder")
			r.Replace(r.Find("Assertion"))
		}
	})
	c.hostile("a success without an assertion", "SAML profiles 4.1.4.2", "malformed", func(m *Message) {
		m.Sign = SignNothing
		m.Tamper = func(r *Element) {
			r.Replace(r.Find("Assertion"))
			Sign(r, r, c.provider.signing(Signature{}))
		}
	})

	version := func(name string, value string) {
		said("the response has version "+name, "SAML core 4.1.1", "version", func(r *Element) { r.Set("Version", value) })
		said("the assertion has version "+name, "SAML core 4.1.1", "version", func(r *Element) { r.Find("Assertion").Set("Version", value) })
	}
	version("1.1", "1.1")
	version("2", "2")
	version("that is empty", "")
	said("the response has no version", "SAML core 4.1.1", "version", func(r *Element) { r.Unset("Version") })
	said("the assertion has no version", "SAML core 4.1.1", "version", func(r *Element) { r.Find("Assertion").Unset("Version") })

	answers := func(name, value string) {
		said("InResponseTo of the response "+name, "SAML core 3.2.2", "in_response_to", func(r *Element) { r.Set("InResponseTo", value) })
		said("InResponseTo of the confirmation "+name, "SAML profiles 4.1.4.3", "in_response_to", func(r *Element) {
			r.Find("SubjectConfirmationData").Set("InResponseTo", value)
		})
	}
	answers("is another", "_another")
	answers("is empty", "")
	answers("is longer", c.target.RequestID+"0")
	answers("is in other letter case", strings.ToUpper(c.target.RequestID)+"X")
	said("no InResponseTo of the response", "SAML profiles 4.1.5: unsolicited", "in_response_to", func(r *Element) { r.Unset("InResponseTo") })
	said("no InResponseTo of the confirmation", "SAML profiles 4.1.4.3", "in_response_to", func(r *Element) {
		r.Find("SubjectConfirmationData").Unset("InResponseTo")
	})
	said("no InResponseTo at all", "SAML profiles 4.1.5: unsolicited", "in_response_to", func(r *Element) {
		r.Unset("InResponseTo").Find("SubjectConfirmationData").Unset("InResponseTo")
	})
	for _, where := range []string{"Response", "SubjectConfirmationData"} {
		k := c.hostile("unsolicited with InResponseTo of "+where, "SAML profiles 4.1.5", "in_response_to", func(m *Message) {
			m.RequestID, m.Sign = "", SignBoth
			m.Edit = func(r *Element) { r.Find(where).Set("InResponseTo", "_stolen") }
		})
		k.Unsolicited = true
	}
	k := c.hostile("unsolicited with an empty InResponseTo", "SAML profiles 4.1.5", "in_response_to", func(m *Message) {
		m.RequestID, m.Sign = "", SignBoth
		m.Edit = func(r *Element) { r.Set("InResponseTo", "") }
	})
	k.Unsolicited = true

	issued := func(name, value string) {
		said("the response was issued "+name, "SAML core 3.2.2", "issue_instant malformed", func(r *Element) { r.Set("IssueInstant", value) })
		said("the assertion was issued "+name, "SAML core 2.3.3", "issue_instant malformed", func(r *Element) {
			r.Find("Assertion").Set("IssueInstant", value)
		})
	}
	wrong := c.wrongTimes()
	for _, name := range slices.Sorted(maps.Keys(wrong)) {
		issued(name, wrong[name])
	}
	issued("in an hour, as its zone tells", c.now.UTC().Add(13*time.Hour).Format("2006-01-02T15:04:05")+"+12:00")
	issued("in the year 0", "0000-01-01T00:00:00Z")
	issued("in a year", Instant(c.now.AddDate(1, 0, 0)))
	issued("just after what the skew allows", Instant(c.now.Add(c.target.Skew+time.Second)))
	issued("a year ago", Instant(c.now.AddDate(-1, 0, 0)))
	said("the response has no time of issue", "SAML core 3.2.2", "issue_instant malformed", func(r *Element) { r.Unset("IssueInstant") })
	said("the assertion has no time of issue", "SAML core 2.3.3", "issue_instant malformed", func(r *Element) { r.Find("Assertion").Unset("IssueInstant") })
	said("the response has no ID", "SAML core 3.2.2", "malformed", func(r *Element) { r.Unset("ID") })
	for _, kind := range []string{"LogoutResponse", "ArtifactResponse", "AuthnRequest", "response"} {
		said("the root is a "+kind, "not a response", "malformed", func(r *Element) { r.Name = "samlp:" + kind })
	}
}

// wrongTimes returns what is no time as SAML writes it (core section 1.3.3), by name.
func (c *corpus) wrongTimes() map[string]string {
	at := c.now.UTC()
	return map[string]string{
		"at a time with a bad offset":    at.Format("2006-01-02T15:04:05") + "+25:00",
		"at a time with half an offset":  at.Format("2006-01-02T15:04:05") + "+02",
		"at a time with two zones":       at.Format("2006-01-02T15:04:05Z") + "+00:00",
		"at a time of a named zone":      at.Format("2006-01-02T15:04:05") + " UTC",
		"at a time with a space":         at.Format("2006-01-02 15:04:05Z"),
		"at a day":                       at.Format("2006-01-02Z"),
		"at a time in lower case":        at.Format("2006-01-02t15:04:05z"),
		"at a number of seconds":         at.Format("150405"),
		"in the year 10000":              "10000-01-01T00:00:00Z",
		"before Christ":                  "-2026-01-01T00:00:00Z",
		"on 30 February":                 "2026-02-30T00:00:00Z",
		"at a time that is empty":        "",
		"at a time with a point too few": at.Format("2006-01-02T15:04:05.Z"),
		"at a time with a comma":         at.Format("2006-01-02T15:04:05") + ",5Z",
	}
}
