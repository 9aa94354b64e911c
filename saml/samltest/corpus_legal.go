package samltest

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"
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

// legalKeys adds keys, certificates and algorithms that are sound.
func (c *corpus) legalKeys() {
	c.legal("the assertion is signed", "SAML profiles 4.1.4.2", func(*Message) {})
	c.legal("the response is signed", "SAML profiles 4.1.4.2", func(m *Message) { m.Sign = SignResponse })
	c.legal("both are signed", "SAML profiles 4.1.4.2", func(m *Message) { m.Sign = SignBoth })
	c.legal("signed without KeyInfo", "XML Signature 4.5", func(m *Message) { m.Signature.WithoutKey = true })
	c.legal("signed with the key's name only", "XML Signature 4.5.1", func(m *Message) {
		m.Signature.Tamper = func(s *Element) { s.Find("KeyInfo").Children = []Node{parse("<ds:KeyName>key 1</ds:KeyName>")} }
	})
	c.legal("signed with a KeyInfo that says more", "Keycloak and Google name the subject and the key", func(m *Message) {
		m.Signature.Tamper = func(s *Element) {
			s.Find("KeyInfo").Prepend(parse("<ds:KeyName>key 1</ds:KeyName>"))
			s.Find("X509Data").Prepend(parse("<ds:X509SubjectName>CN=samltest</ds:X509SubjectName>"))
		}
	})

	old, next := Key(RSA2048, "corpus: old"), Key(RSA2048, "corpus: next")
	expired := SelfSigned(old, "expired", c.now.AddDate(-1, 0, 0))
	reissued := SelfSigned(old, "re-issued", c.now.AddDate(9, 0, 0))
	other := SelfSigned(next, "next", c.now.AddDate(3, 0, 0))
	k := c.legal("signed by the key of an expired certificate", "what counts is the key", func(m *Message) {
		m.Signature.Key, m.Signature.Certificates = old, certificates(expired)
	})
	k.Certificates = certificates(expired)
	k = c.legal("signed with a certificate that was re-issued", "the same key, another certificate in KeyInfo", func(m *Message) {
		m.Signature.Key, m.Signature.Certificates = old, certificates(reissued)
	})
	k.Certificates = certificates(expired)
	for i, key := range []string{"first", "second"} {
		k = c.legal("two certificates are pinned, the "+key+" signs", "roll-over of keys", func(m *Message) {
			m.Signature.Key, m.Signature.WithoutKey = []crypto.Signer{old, next}[i], true
		})
		k.Certificates = certificates(reissued, other)
	}
	k = c.legal("the response and the assertion are signed by two pinned keys", "in the middle of a roll-over", func(m *Message) {
		m.Signature.Key, m.Signature.Certificates = old, certificates(reissued)
		m.Tamper = func(r *Element) {
			Sign(r, r, Signature{Key: next, Certificates: certificates(other)})
		}
	})
	k.Certificates = certificates(reissued, other)

	for _, kind := range []KeyKind{P256, P384, P521, RSA3072} {
		key := Key(kind, "corpus")
		certificate := SelfSigned(key, "corpus", c.now.AddDate(3, 0, 0))
		k = c.legal(fmt.Sprintf("signed by a key %s", kind), "XML Signature 6.4", func(m *Message) {
			m.Signature.Key, m.Signature.Certificates = key, certificates(certificate)
			m.Sign = SignBoth
		})
		k.Certificates = certificates(certificate)
	}
	curve := Key(P256, "corpus")
	k = c.legal("signed by a key P-256, the signature as ASN.1", "goxmldsig writes it so, against XML Signature 6.4.3", func(m *Message) {
		m.Signature.Key, m.Signature.DER = curve, true
		m.Signature.Certificates = certificates(SelfSigned(curve, "corpus", c.now.AddDate(3, 0, 0)))
	})
	k.Certificates = certificates(SelfSigned(curve, "corpus", c.now.AddDate(3, 0, 0)))
	c.legal("canonicalised with comments, of which there are none", "SAML core 5.4.3, 5.4.4: with or without", func(m *Message) {
		m.Sign, m.Signature.Canonical = SignBoth, ExclusiveWithComments
	})
	c.legal("signed with RSA-SHA384 and SHA-384", "XML Signature 6.4.2", func(m *Message) { m.Signature.Method, m.Signature.Digest = RSASHA384, SHA384 })
	c.legal("signed with RSA-SHA512 and SHA-512", "XML Signature 6.4.2", func(m *Message) { m.Signature.Method, m.Signature.Digest = RSASHA512, SHA512 })
	c.legal("signed with RSA-SHA512 over SHA-256", "XML Signature 6.4.2", func(m *Message) { m.Signature.Method = RSASHA512 })
	// "#default" is left out: goxmldsig does not honour it, and nobody is known to send it.
	for _, list := range []string{"xs", "xs xsi saml", "samlp ds nobody"} {
		c.legal("signed with InclusiveNamespaces "+list, "Exclusive XML Canonicalization 3", func(m *Message) {
			m.Sign = SignBoth
			m.Signature.Prefixes = strings.Fields(list)
			m.Edit = func(r *Element) {
				r.Set("xmlns:xs", "http://www.w3.org/2001/XMLSchema").Set("xmlns", "urn:default")
				r.Find("Assertion").Set("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance")
				for _, v := range r.All("AttributeValue") {
					v.Set("xsi:type", "xs:string")
				}
			}
		})
	}
	c.legal("signed with an empty InclusiveNamespaces", "Exclusive XML Canonicalization 3", func(m *Message) {
		m.Signature.Info = func(info *Element) {
			transforms := info.All("Transform")
			transforms[1].Append(parse(`<ec:InclusiveNamespaces xmlns:ec="` + Exclusive + `" PrefixList=""/>`))
		}
	})
}

func certificates(list ...*x509.Certificate) []*x509.Certificate { return list }

// legalEncrypted adds the sound ways to encrypt.
func (c *corpus) legalEncrypted() {
	for _, content := range []string{AES128CBC, AES192CBC, AES256CBC, AES128GCM, AES192GCM, AES256GCM} {
		_, name, _ := strings.Cut(content, "#")
		c.legal("encrypted with "+name, "XML Encryption 5.2", func(m *Message) {
			m.Encrypt = &Encryption{For: c.target.Decrypts, Content: content}
		})
	}
	keyed := func(name string, e Encryption) {
		c.legal("encrypted, its key "+name, "XML Encryption 5.5", func(m *Message) {
			e.For = c.target.Decrypts
			m.Encrypt = &e
		})
	}
	keyed("with OAEP that names SHA-1", Encryption{Digest: SHA1})
	keyed("with OAEP of SHA-256", Encryption{Digest: SHA256})
	keyed("with OAEP of SHA-256 and MGF1 of SHA-256", Encryption{Transport: OAEP11, Digest: SHA256, MGF: MGFSHA256})
	keyed("with OAEP of SHA-256 and MGF1 of SHA-1", Encryption{Transport: OAEP11, Digest: SHA256, MGF: MGFSHA1})
	keyed("with OAEP of version 1.1 and nothing said", Encryption{Transport: OAEP11})
	keyed("beside the data, found by a reference", Encryption{Beside: true})
	keyed("beside the data, found by nothing", Encryption{Beside: true, Tamper: func(e *Element) { e.Replace(e.Find("KeyInfo")) }})
	keyed("with line breaks in the base64", Encryption{Tamper: func(e *Element) {
		for _, v := range e.All("CipherValue") {
			v.SetText("\n" + wrapped(v.Text(), 76, "\n") + "\n")
		}
	}})
	keyed("for us, as it says", Encryption{Tamper: func(e *Element) { e.Find("EncryptedKey").Set("Recipient", c.target.EntityID) }})
	c.legal("encrypted, unsigned, in a signed response", "Shibboleth", func(m *Message) {
		m.Sign, m.Encrypt = SignResponse, &Encryption{For: c.target.Decrypts}
	})
	c.legal("encrypted, signed, in a signed response", "SAML profiles 4.1.4.2", func(m *Message) {
		m.Sign, m.Encrypt = SignBoth, &Encryption{For: c.target.Decrypts}
	})
	c.legal("encrypted with a declaration and white space around it", "the plaintext is a document of its own in some libraries", func(m *Message) {
		m.Encrypt = &Encryption{For: c.target.Decrypts, Plain: func(s string) string { return "\n" + s + "\n" }}
	})
	c.legal("encrypted with a prefix bound twice", "pysaml2", func(m *Message) {
		m.Encrypt = &Encryption{For: c.target.Decrypts, Plain: bindTwice}
	})
	c.legal("encrypted with 1,000 groups", "sizes of real directories", func(m *Message) {
		m.Groups = numbered(1000)
		m.Encrypt = &Encryption{For: c.target.Decrypts, Content: AES256GCM}
	})
}

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
