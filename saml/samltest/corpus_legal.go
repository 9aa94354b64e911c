package samltest

import (
	"fmt"
	"slices"
	"strings"
)

// shapes adds what the products send, signed and encrypted as they do it.
func (c *corpus) shapes() {
	product := func(name string, change func(m *Message)) *Case {
		return c.legal(name, "the shape of the product", func(m *Message) {
			m.Shape, _, _ = strings.Cut(name, " ")
			change(m)
		})
	}
	encrypted := func(content string) *Encryption {
		return &Encryption{For: c.target.Decrypts, Content: content}
	}
	product("okta", func(m *Message) { m.Sign = SignBoth })
	product("okta encrypted", func(m *Message) { m.Sign = SignBoth; m.Encrypt = encrypted(AES256CBC) })
	product("entra", func(m *Message) {
		m.NameID, m.Format = "k3Rl0b0yqVQvZK9nqxTSo2PqQ", Persistent
		m.Groups = []string{"7f3c1c9e-52ae-4a0c-a2d5-6a8f8b5f0c11", "0b7a2f5d-0f6e-4a3e-9f3c-3a52a2d7a6b1"}
	})
	product("entra signs the response too", func(m *Message) { m.Sign = SignBoth })
	product("entra encrypted", func(m *Message) { m.Encrypt = encrypted(AES256CBC) })
	product("google", func(*Message) {})
	product("google signs the response", func(m *Message) { m.Sign = SignResponse })
	product("onelogin", func(m *Message) { m.Groups = []string{"staff;billing"} })
	product("adfs", func(m *Message) { m.Groups = []string{`EXAMPLE\Domain Users`, "CN=Staff,OU=Groups,DC=example,DC=com"} })
	product("adfs encrypted", func(m *Message) {
		m.Encrypt = encrypted(AES256CBC)
		m.Encrypt.Digest = SHA1
	})
	product("ping", func(m *Message) { m.Sign = SignResponse })
	product("keycloak", func(m *Message) {
		m.Sign = SignResponse
		m.Groups = []string{"/staff", "/staff/billing"}
	})
	product("keycloak signs both", func(m *Message) { m.Sign = SignBoth })
	product("keycloak encrypted", func(m *Message) { m.Sign = SignBoth; m.Encrypt = encrypted(AES256GCM) })
	product("shibboleth", func(m *Message) {
		m.Sign = SignResponse
		m.Encrypt = encrypted(AES128GCM)
		m.Encrypt.Digest = SHA1
		m.Groups = []string{"urn:mace:example.org:groups:staff"}
	})
	product("shibboleth version 3", func(m *Message) { m.Sign = SignResponse; m.Encrypt = encrypted(AES128CBC) })
	product("simplesamlphp", func(m *Message) { m.Sign = SignBoth })
	product("pysaml2", func(m *Message) { m.Sign = SignResponse })
	product("pysaml2 signs the assertion", func(*Message) {})
	product("pysaml2 encrypted", func(m *Message) {
		m.Sign = SignBoth
		m.Encrypt = encrypted(AES128CBC)
		m.Encrypt.Plain = bindTwice
	})
	product("auth0", func(*Message) {})
	product("auth0 encrypted", func(m *Message) { m.Encrypt = encrypted(AES256CBC) })
	product("samlify", func(*Message) {}).WithoutAuthnStatement = true
	product("samlify signs both", func(m *Message) { m.Sign = SignBoth }).WithoutAuthnStatement = true
	product("samlify encrypted", func(m *Message) { m.Encrypt = encrypted(AES256GCM) }).WithoutAuthnStatement = true
}

// bindTwice declares a namespace by a second prefix too, as pysaml2 does in what it encrypts.
func bindTwice(plaintext string) string {
	name, rest, _ := strings.Cut(plaintext, " ")
	return name + ` xmlns:encas0="` + assertionNS + `" xmlns:encas1="` + assertionNS + `" ` + rest
}

// legalSyntax adds the ways to write the same message.
func (c *corpus) legalSyntax() {
	const note = "XML 1.0 and Namespaces in XML 1.0"
	edited := func(name string, edit func(response *Element)) {
		c.legal("written with "+name, note, func(m *Message) { m.Edit = edit })
	}
	tampered := func(name string, tamper func(response *Element)) {
		c.legal("written, after it was signed, with "+name, note, func(m *Message) { m.Sign = SignBoth; m.Tamper = tamper })
	}
	edited("white space between all elements", func(r *Element) { indent(r, "\n  ") })
	edited("carriage returns between all elements", func(r *Element) { indentAs(r, Written{Text: "\r\n  ", Value: "\n  "}) })
	edited("comments between elements", func(r *Element) {
		r.Find("Assertion").Prepend(Comment(" an assertion "))
		r.Prepend(Comment(" a response "))
	})
	edited("a namespace that the assertion inherits", func(r *Element) { r.Find("Assertion").Unset("xmlns:saml") })
	edited("a default namespace that the assertion inherits", func(r *Element) {
		r.Set("xmlns", assertionNS)
		unprefix(r.Find("Assertion"))
	})
	edited("a default namespace on the assertion", func(r *Element) {
		unprefix(r.Find("Assertion"))
		r.Find("Assertion").Set("xmlns", assertionNS)
	})
	edited("the default namespace of the protocol, rebound by the assertion", func(r *Element) {
		r.Unset("xmlns:samlp").Set("xmlns", protocolNS)
		r.Name = "Response"
		r.Find("Status").Name, r.Find("StatusCode").Name = "Status", "StatusCode"
		unprefix(r.Find("Assertion"))
		r.Find("Assertion").Set("xmlns", assertionNS)
	})
	edited("one namespace bound to two prefixes", func(r *Element) {
		r.Find("Assertion").Set("xmlns:again", assertionNS)
		r.Find("Subject").Name = "again:Subject"
	})
	edited("a prefix bound again to the same namespace", func(r *Element) {
		for _, e := range r.Find("Assertion").Elements() {
			e.Set("xmlns:saml", assertionNS)
		}
	})
	edited("a prefix bound to other namespaces further down", func(r *Element) {
		for i, e := range r.All("AttributeValue") {
			e.Set("xmlns:x", fmt.Sprintf("https://example.com/%d", i)).Set("x:note", "kept")
		}
	})
	edited("other prefixes", func(r *Element) { rename(r, "saml", "a"); rename(r, "samlp", "p") })
	edited("declarations of namespaces that nothing uses", func(r *Element) {
		for i := range 10 {
			r.Find("Assertion").Set(fmt.Sprintf("xmlns:unused%d", i), fmt.Sprintf("urn:unused:%d", i))
		}
	})
	edited("attributes of the namespace xml", func(r *Element) {
		r.Find("Assertion").Set("xml:lang", "en")
		r.Find("AttributeValue").Set("xml:space", "preserve")
	})
	tampered("attributes in another order", func(r *Element) { each(r, func(e *Element) { slices.Reverse(e.Attributes) }) })
	tampered("single quotes", func(r *Element) {
		each(r, func(e *Element) {
			for i := range e.Attributes {
				e.Attributes[i].Written = "'" + quoted(e.Attributes[i].Value) + "'"
			}
		})
	})
	tampered("white space within the tags", func(r *Element) { each(r, func(e *Element) { e.Pad = "\n\t " }) })
	tampered("empty elements closed at once", func(r *Element) { each(r, func(e *Element) { e.Closed = true }) })
	tampered("empty elements closed by a tag", func(r *Element) { each(r, func(e *Element) { e.Closed = false }) })
	tampered("character references", func(r *Element) {
		r.Find("NameID").Children = []Node{Written{Text: references(person), Value: person}}
		for i, a := range r.Attributes {
			if a.Name == "Destination" {
				r.Attributes[i].Written = `"` + references(a.Value) + `"`
			}
		}
	})
	tampered("CDATA sections", func(r *Element) {
		r.Find("NameID").Children = []Node{Written{Text: "<![CDATA[anna]]>@<![CDATA[example.com]]>", Value: person}}
	})
	tampered("comments between elements", func(r *Element) {
		r.Find("Assertion").Prepend(Comment(" not signed, not read "))
		r.Append(Comment(" likewise "))
	})
	encoded := func(name string, text func(base64 string) Node) {
		c.legal("written with "+name, "XML Signature 4.3: xs:base64Binary", func(m *Message) {
			m.Sign = SignBoth
			m.Signature.Tamper = func(s *Element) {
				for _, e := range append(s.All("SignatureValue"), s.All("X509Certificate")...) {
					e.Children = []Node{text(e.Text())}
				}
			}
		})
	}
	encoded("line breaks in the base64", func(s string) Node { return Text("\n" + wrapped(s, 64, "\n") + "\n") })
	encoded("the line breaks of Java in the base64", func(s string) Node {
		return Written{Text: wrapped(s, 76, "&#13;\n"), Value: wrapped(s, 76, "\r\n")}
	})
	c.legal("written with an XML declaration", note, func(m *Message) {
		m.Bytes = func(s string) string { return `<?xml version="1.0" encoding="utf-8" standalone="yes"?>` + "\n" + s }
	})
	c.legal("written with white space and a comment around it", note, func(m *Message) {
		m.Bytes = func(s string) string { return "\n<!-- a response -->\n" + s + "\n<!-- its end -->\r\n" }
	})
}

// each calls a function for an element and all below it.
func each(e *Element, f func(*Element)) {
	f(e)
	for _, child := range e.Elements() {
		each(child, f)
	}
}

// indent puts white space before each element and before the end of those that have some.
func indent(e *Element, space string) { indentAs(e, Text(space)) }

func indentAs(e *Element, space Node) {
	children := e.Elements()
	if len(children) == 0 {
		return
	}
	e.Children = nil
	for _, child := range children {
		indentAs(child, space)
		e.Append(space, child)
	}
	e.Append(space)
}

// unprefix takes the prefix saml from an element and all below it.
func unprefix(e *Element) {
	e.Unset("xmlns:saml")
	each(e, func(e *Element) { e.Name = strings.TrimPrefix(e.Name, "saml:") })
}

// rename gives a prefix another name.
func rename(e *Element, from, to string) {
	each(e, func(e *Element) {
		if local, ok := strings.CutPrefix(e.Name, from+":"); ok {
			e.Name = to + ":" + local
		}
		for i := range e.Attributes {
			if e.Attributes[i].Name == "xmlns:"+from {
				e.Attributes[i].Name = "xmlns:" + to
			}
		}
	})
}

// references writes every character as a reference, decimal and hexadecimal by turns.
func references(s string) string {
	var b strings.Builder
	for i, r := range s {
		fmt.Fprintf(&b, []string{"&#%d;", "&#x%X;", "&#x0%x;"}[i%3], r)
	}
	return b.String()
}

func wrapped(s string, width int, newLine string) string {
	var lines []string
	for line := range slices.Chunk([]byte(s), width) {
		lines = append(lines, string(line))
	}
	return strings.Join(lines, newLine)
}
