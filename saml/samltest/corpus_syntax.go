package samltest

import (
	"fmt"
	"strings"
	"unicode/utf16"
)

// syntax adds what XML has and a SAML message must not: document types, instructions,
// comments in values, and text that is not well formed.
func (c *corpus) syntax() {
	written := func(name, note, codes string, change func(s string) string) {
		c.hostile(name, note, codes, func(m *Message) { m.Sign, m.Bytes = SignBoth, change })
	}
	doctype := func(name, note, subset string, change func(s string) string) {
		written(name, note, "doctype", func(s string) string {
			if change != nil {
				s = change(s)
			}
			return "<!DOCTYPE samlp:Response" + subset + ">" + s
		})
	}
	named := func(entity string) func(s string) string {
		return func(s string) string { return strings.Replace(s, ">"+person+"<", ">"+entity+"<", 1) }
	}
	const external = "XXE, CWE-611"
	doctype("a document type without anything", "SAML core 1.3: no document type", "", nil)
	doctype("a document type with an external subset", external, ` SYSTEM "http://127.0.0.1/x.dtd"`, nil)
	doctype("a document type with a public identifier", external, ` PUBLIC "-//W3C//DTD XHTML 1.0//EN" "http://127.0.0.1/x.dtd"`, nil)
	doctype("an entity for the NameID", external, ` [<!ENTITY who "`+person+`">]`, named("&who;"))
	doctype("an external entity of a file", external, ` [<!ENTITY who SYSTEM "file:///etc/passwd">]`, named("&who;"))
	doctype("an external entity of an address", external, ` [<!ENTITY who SYSTEM "http://169.254.169.254/">]`, named("&who;"))
	doctype("a parameter entity", external, ` [<!ENTITY % x SYSTEM "http://127.0.0.1/x"> %x;]`, nil)
	doctype("billion laughs", "CWE-776", ` [`+laughs(10)+`]`, named("&l9;"))
	doctype("quadratic blow-up", "CWE-776", ` [<!ENTITY a "`+strings.Repeat("a", 10000)+`">]`, named(strings.Repeat("&a;", 1000)))
	doctype("a default for an attribute", "attributes that are not written", ` [<!ATTLIST saml:Assertion ID CDATA "_x">]`, nil)
	doctype("another attribute made the ID", "references by declared IDs", ` [<!ATTLIST saml:NameID Format ID #IMPLIED>]`, nil)
	doctype("a comment and an instruction in a document type", external, ` [<!-- > --><?x ]> ?>]`, nil)
	written("a document type behind the root", "not well formed", "doctype", func(s string) string { return s + "<!DOCTYPE x>" })
	written("a document type in lower case", "not well formed", "doctype", func(s string) string { return "<!doctype x>" + s })
	written("a document type within the root", "not well formed", "doctype", func(s string) string {
		return strings.Replace(s, "<samlp:Status>", "<!DOCTYPE x><samlp:Status>", 1)
	})
	written("an element declaration within the root", "not well formed", "doctype", func(s string) string {
		return strings.Replace(s, "<samlp:Status>", "<!ELEMENT x ANY><samlp:Status>", 1)
	})
	written("an entity that nothing declares", "not well formed", "malformed", named("&who;"))
	written("an entity of HTML", "a lenient parser", "malformed", named("anna&nbsp;meyer"))
	written("an ampersand alone", "a lenient parser", "malformed", named("anna & co"))
	written("a reference to a character that XML has not", "XML 1.0 2.2", "malformed", named("anna&#0;@example.com"))
	written("a reference to a surrogate", "XML 1.0 2.2", "malformed", named("anna&#xD800;@example.com"))
	written("a reference beyond Unicode", "XML 1.0 2.2", "malformed", named("anna&#x110000;@example.com"))
	written("a reference that overflows", "XML 1.0 2.2", "malformed", named("anna&#99999999999999999999;@example.com"))

	// Both forms of a message with a comment have the same signature: exclusive
	// canonicalisation leaves comments out. What counts is that nothing is cut off.
	values := []struct{ name, element, value string }{
		{"the NameID", "NameID", person}, {"a value", "AttributeValue", person},
		{"the issuer", "Issuer", c.provider.EntityID}, {"the audience", "Audience", c.target.EntityID},
		{"the context", "AuthnContextClassRef", PasswordTLS},
	}
	for _, v := range values {
		split := func(name, note string, between Node) {
			c.hostile(name+" in "+v.name, note, "malformed", func(m *Message) {
				m.Tamper = func(r *Element) {
					e := r.Find("Assertion").Find(v.element)
					e.Children = []Node{Text(v.value[:4]), between, Text(v.value[4:])}
				}
			})
		}
		split("a comment", "CVE-2017-11427 and others: a value cut off at a comment (Duo 2018)", Comment(""))
		split("a comment with text", "CVE-2017-11427 and others: a value cut off at a comment (Duo 2018)", Comment(" "+intruder+" "))
	}
	c.hostile("a comment before the NameID's text", "CVE-2017-11427 and others", "malformed", func(m *Message) {
		m.Tamper = func(r *Element) { r.Find("NameID").Prepend(Comment("x")) }
	})
	c.hostile("a comment behind the NameID's text", "CVE-2017-11427 and others", "malformed", func(m *Message) {
		m.NameID = intruder + ".evil.example"
		m.Tamper = func(r *Element) {
			r.Find("NameID").Children = []Node{Text(intruder), Comment(""), Text(".evil.example")}
		}
	})
	instruct := func(name string, place func(r *Element)) {
		c.hostile("an instruction "+name, "instructions are signed, and read by nobody", "malformed", func(m *Message) { m.Edit = place })
	}
	instruct("in the NameID", func(r *Element) {
		r.Find("NameID").Children = []Node{Text("anna"), Instruction("x"), Text("@example.com")}
	})
	instruct("in a group", func(r *Element) {
		v := r.All("AttributeValue")
		v[3].Prepend(Instruction("x y"))
	})
	instruct("between elements", func(r *Element) { r.Find("Assertion").Prepend(Instruction("x")) })
	written("an instruction before the root", "xml-stylesheet loads a document", "malformed", func(s string) string {
		return `<?xml-stylesheet href="http://127.0.0.1/x.xsl"?>` + s
	})
	written("an instruction behind the root", "instructions are read by nobody", "malformed", func(s string) string { return s + "<?x?>" })
	c.hostile("an element in the NameID", "SAML core 2.2.2: its content is text", "name_id", func(m *Message) {
		m.Edit = func(r *Element) {
			r.Find("NameID").Children = []Node{Text("anna"), parse("<x>@evil</x>"), Text("@example.com")}
		}
	})
	c.hostile("an element in the audience", "SAML core 2.5.1.4: its content is text", "audience", func(m *Message) {
		m.Edit = func(r *Element) { r.Find("Audience").Prepend(parse("<x>1</x>")) }
	})

	broken := func(name string, change func(s string) string) { written(name, "not well formed", "malformed", change) }
	broken("an empty message", func(string) string { return "" })
	broken("only white space", func(string) string { return " \n" })
	broken("text that is not XML", func(string) string { return "SAMLResponse" })
	broken("JSON", func(string) string { return `{"Response":{}}` })
	broken("a message that ends early", func(s string) string { return s[:len(s)-20] })
	broken("a message that ends within a tag", func(s string) string { return s[:strings.Index(s, "<saml:Assertion ")+30] })
	broken("two roots", func(s string) string { return s + s })
	broken("a second root", func(s string) string { return s + "<x/>" })
	broken("an end tag too many", func(s string) string { return s + "</samlp:Response>" })
	broken("text before the root", func(s string) string { return "x" + s })
	broken("text behind the root", func(s string) string { return s + "x" })
	broken("a NUL behind the root", func(s string) string { return s + "\x00" })
	written("CDATA behind the root", "not well formed", "malformed doctype", func(s string) string { return s + "<![CDATA[ ]]>" })
	broken("end tags in the wrong order", func(s string) string {
		return strings.Replace(s, "</saml:NameID>", "</saml:Subject>", 1)
	})
	broken("an end tag with another prefix", func(s string) string {
		return strings.Replace(s, "</saml:NameID>", "</samlp:NameID>", 1)
	})
	broken("an attribute twice", func(s string) string {
		return strings.Replace(s, `Version="2.0"`, `Version="2.0" Version="2.0"`, 1)
	})
	broken("an ID twice on the assertion", func(s string) string {
		return strings.Replace(s, "<saml:Assertion ", `<saml:Assertion ID="_1" `, 1)
	})
	broken("an attribute without quotes", func(s string) string { return strings.Replace(s, `Version="2.0"`, `Version=2.0`, 1) })
	broken("an attribute without a value", func(s string) string { return strings.Replace(s, `Version="2.0"`, `Version`, 1) })
	broken("attributes without space between", func(s string) string { return strings.Replace(s, `" Version="2.0"`, `"Version="2.0"`, 1) })
	broken("a < in an attribute", func(s string) string { return strings.Replace(s, `Version="2.0"`, `Version="2.0<"`, 1) })
	broken("a ]]> in text", func(s string) string { return strings.Replace(s, ">staff<", ">st]]>aff<", 1) })
	broken("a -- in a comment", func(s string) string { return strings.Replace(s, "<samlp:Status>", "<!-- -- --><samlp:Status>", 1) })
	broken("a prefix that nothing declares", func(s string) string { return strings.Replace(s, "<samlp:Status>", "<samlp:Status><x:y></x:y>", 1) })
	broken("a prefix declared as nothing", func(s string) string {
		return strings.Replace(s, "<samlp:Status>", `<samlp:Status xmlns:x="">`, 1)
	})
	broken("the prefix xml bound to another namespace", func(s string) string {
		return strings.Replace(s, "<samlp:Status>", `<samlp:Status xmlns:xml="urn:x">`, 1)
	})
	broken("the prefix xmlns declared", func(s string) string {
		return strings.Replace(s, "<samlp:Status>", `<samlp:Status xmlns:xmlns="urn:x">`, 1)
	})
	broken("a name with two colons", func(s string) string {
		return strings.Replace(strings.Replace(s, "<saml:NameID ", "<saml:a:NameID ", 1), "</saml:NameID>", "</saml:a:NameID>", 1)
	})
	broken("an attribute name with an empty prefix", func(s string) string { return strings.Replace(s, ` Version="2.0"`, ` :Version="2.0"`, 1) })
	broken("a control character", func(s string) string { return strings.Replace(s, ">staff<", ">st\x01aff<", 1) })
	broken("a NUL in the NameID", func(s string) string { return strings.Replace(s, person+"<", intruder+"\x00"+person+"<", 1) })
	broken("an XML declaration that is not at the start", func(s string) string { return " <?xml version=\"1.0\"?>" + s })
	broken("two XML declarations", func(s string) string { return "<?xml version=\"1.0\"?><?xml version=\"1.0\"?>" + s })
	broken("XML 1.1", func(s string) string { return "<?xml version=\"1.1\"?>" + s })
	broken("a space before the name of an element", func(s string) string { return strings.Replace(s, "<samlp:Status>", "< samlp:Status>", 1) })
}

// laughs declares entities, each ten times the one before.
func laughs(n int) string {
	var b strings.Builder
	b.WriteString(`<!ENTITY l0 "ha">`)
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, `<!ENTITY l%d "%s">`, i, strings.Repeat(fmt.Sprintf("&l%d;", i-1), 10))
	}
	return b.String()
}

// encodings adds messages that are not UTF-8, or say so.
func (c *corpus) encodings() {
	encoded := func(name, note string, change func(s string) string) {
		c.hostile(name, note, "malformed", func(m *Message) { m.Bytes = change })
	}
	wide := func(s string, big bool) string {
		var b strings.Builder
		for _, unit := range utf16.Encode([]rune(s)) {
			if big {
				b.WriteByte(byte(unit >> 8))
			}
			b.WriteByte(byte(unit))
			if !big {
				b.WriteByte(byte(unit >> 8))
			}
		}
		return b.String()
	}
	declared := func(encoding, s string) string { return `<?xml version="1.0" encoding="` + encoding + `"?>` + s }
	const note = "parsers that differ in the encoding that they take"
	encoded("UTF-16, little-endian", note, func(s string) string { return wide("\ufeff"+declared("UTF-16", s), false) })
	encoded("UTF-16, big-endian", note, func(s string) string { return wide("\ufeff"+declared("UTF-16", s), true) })
	encoded("UTF-16 without a mark", note, func(s string) string { return wide(s, false) })
	encoded("UTF-32", note, func(s string) string { return wide(wide("\ufeff"+s, false), false) })
	encoded("UTF-7 declared", "a < written as +ADw-", func(s string) string {
		return declared("UTF-7", strings.Replace(s, ">staff<", ">+ADw-x/+AD4-<", 1))
	})
	encoded("Latin-1 declared, and used", note, func(s string) string {
		return declared("ISO-8859-1", strings.Replace(s, ">staff<", ">\xfcber<", 1))
	})
	encoded("Latin-1 declared, and not used", note, func(s string) string { return declared("ISO-8859-1", s) })
	encoded("UTF-16 declared, and UTF-8 used", note, func(s string) string { return declared("UTF-16", s) })
	encoded("EBCDIC declared", note, func(s string) string { return declared("IBM037", s) })
	encoded("an encoding that nobody knows", note, func(s string) string { return declared("x-unknown", s) })
	bad := func(name, bytes string) {
		encoded("bytes that are not UTF-8: "+name, "Unicode 3.9", func(s string) string { return strings.Replace(s, ">staff<", ">"+bytes+"<", 1) })
	}
	bad("a lone byte", "\xff")
	bad("an overlong <", "\xc0\xbc")
	bad("an overlong NUL", "\xc0\x80")
	bad("a surrogate", "\xed\xa0\x80")
	bad("beyond Unicode", "\xf4\x90\x80\x80")
	bad("a character cut off", "\xe2\x82")
	bad("a character that XML has not", "\uffff")
}

// sizes adds messages over each limit of the guard. All are signed, and otherwise legal.
func (c *corpus) sizes() {
	large := func(name string, edit func(r *Element)) {
		c.hostile(name, "limits of the guard", "too_large", func(m *Message) { m.Edit = edit })
	}
	large("a message of more than 1 MiB, in one value", func(r *Element) { r.Find("AttributeValue").SetText(strings.Repeat("a", 1<<20)) })
	large("a message of more than 1 MiB, in many values", func(r *Element) {
		a := r.Find("Attribute")
		v := a.Find("AttributeValue").SetText(strings.Repeat("a", 100))
		for range 10000 {
			a.Children = append(a.Children, v)
		}
	})
	large("12,001 elements", func(r *Element) {
		a := r.Find("Attribute")
		v := a.Find("AttributeValue").SetText("a")
		for range 12001 {
			a.Children = append(a.Children, v)
		}
	})
	large("a depth of 25", func(r *Element) { r.Find("AttributeValue").Children = []Node{nested(25)} })
	large("a depth of 10,000", func(r *Element) { r.Find("AttributeValue").Children = []Node{nested(10000)} })
	large("25 attributes", func(r *Element) {
		for i := range 25 {
			r.Find("AttributeValue").Set(fmt.Sprintf("a%d", i), "x")
		}
	})
	large("10,000 attributes", func(r *Element) {
		v := r.Find("AttributeValue")
		for i := range 10000 {
			v.Attributes = append(v.Attributes, Attribute{Name: fmt.Sprintf("a%d", i), Value: "x"})
		}
	})
	large("65 prefixes", func(r *Element) {
		for i, e := range append(r.All("AttributeValue"), r.All("Attribute")...) {
			for j := range 10 {
				e.Set(fmt.Sprintf("xmlns:p%dx%d", i, j), "urn:x")
			}
		}
	})
	c.hostile("a message of 1 MiB that is not closed", "limits of the guard", "too_large", func(m *Message) {
		m.Bytes = func(string) string { return strings.Repeat("<a>", 350000) }
	})
	c.hostile("a tag of 1 MiB", "limits of the guard", "too_large", func(m *Message) {
		m.Bytes = func(string) string { return "<" + strings.Repeat("a", 1000000) + "/>" }
	})
	c.hostile("an attribute of 900 kB", "limits of the guard", "too_large signature", func(m *Message) {
		m.Tamper = func(r *Element) { r.Set("Consent", strings.Repeat("a", 900000)).Find("NameID").SetText(intruder) }
	})
	c.hostile("a comment of 900 kB and a foreign key", "limits of the guard", "too_large signature", func(m *Message) {
		m.Signature.Key = Key(Quick2048, "corpus: foreign")
		m.Tamper = func(r *Element) { r.Prepend(Comment(strings.Repeat("a ", 450000))) }
	})
	c.hostile("5,000 groups and a foreign key", "crewjam/saml panics on many elements", "signature", func(m *Message) {
		m.Groups = numbered(5000)
		m.Signature.Key = Key(Quick2048, "corpus: foreign")
	})
}

func nested(depth int) *Element {
	root := &Element{Name: "a"}
	for e := root; depth > 1; depth-- {
		child := &Element{Name: "a"}
		e.Children = []Node{child}
		e = child
	}
	return root
}
