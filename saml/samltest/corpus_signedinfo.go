package samltest

import (
	"maps"
	"slices"
	"strings"
)

// signedInfo adds tricks with what SignedInfo says.
func (c *corpus) signedInfo() {
	const codes = "signature algorithm malformed"
	// before changes SignedInfo and then signs it: the provider was talked into it.
	before := func(name, note string, info func(info *Element)) {
		c.hostile(name, note, codes, func(m *Message) { m.Signature.Info = info })
	}
	// after changes the message of an honest provider.
	after := func(name, note string, tamper func(r *Element)) {
		c.hostile(name, note, codes, func(m *Message) { m.Tamper = tamper })
	}
	after("two references, the second to the signed part, the first to the forged one", "CVE-2026-33487, goxmldsig", func(r *Element) {
		info := r.Find("SignedInfo")
		honest := info.Find("Reference")
		r.Find("NameID").SetText(intruder)
		forged := honest.Clone()
		forged.Find("DigestValue").SetText(digestOf(r))
		info.Before(honest, forged)
	})
	after("two references, the first to the signed part, the second to the forged one", "CVE-2026-33487, goxmldsig", func(r *Element) {
		info := r.Find("SignedInfo")
		honest := info.Find("Reference")
		r.Find("NameID").SetText(intruder)
		forged := honest.Clone()
		forged.Find("DigestValue").SetText(digestOf(r))
		info.After(honest, forged)
	})
	before("two references that both fit, signed", "one is allowed (SAML core 5.4.2)", func(info *Element) {
		info.Append(info.Find("Reference").Clone())
	})
	before("a second reference to another document, signed", "one is allowed (SAML core 5.4.2)", func(info *Element) {
		info.Append(info.Find("Reference").Clone().Set("URI", "http://127.0.0.1/"))
	})
	before("no reference, signed", "a signature over nothing", func(info *Element) { info.Replace(info.Find("Reference")) })
	after("two SignedInfo, the forged one first", "CVE-2025-29774, xml-crypto", func(r *Element) { c.twice(r, true) })
	after("two SignedInfo, the forged one last", "CVE-2025-29774, xml-crypto", func(r *Element) { c.twice(r, false) })
	after("a forged SignedInfo within the Object of the signature", "CVE-2025-29774, xml-crypto", func(r *Element) {
		signature := r.Find("Signature")
		r.Find("NameID").SetText(intruder)
		forged := signature.Find("SignedInfo").Clone()
		forged.Find("DigestValue").SetText(digestOf(r))
		signature.Prepend((&Element{Name: "ds:Object"}).Append(forged))
	})
	digests := func(name string, children func(honest, forged string) []Node) {
		after("a digest value "+name, "CVE-2025-29775, xml-crypto", func(r *Element) {
			value := r.Find("DigestValue")
			honest := value.Text()
			r.Find("NameID").SetText(intruder)
			value.Children = children(honest, digestOf(r))
		})
	}
	digests("with the forged digest in a comment before it", func(h, f string) []Node { return []Node{Comment(f), Text(h)} })
	digests("with a comment between the forged digest and the honest one", func(h, f string) []Node { return []Node{Text(f), Comment(" "), Text(h)} })
	digests("with the honest digest in a comment", func(h, f string) []Node { return []Node{Text(f), Comment(h)} })
	digests("with an instruction before it", func(h, f string) []Node { return []Node{Text(h), Instruction("x " + f)} })
	digests("with an element in it", func(h, f string) []Node { return []Node{Text(f), parse("<ds:x>" + h + "</ds:x>")} })
	digests("that is the forged one", func(_, f string) []Node { return []Node{Text(f)} })
	digests("that is empty", func(_, _ string) []Node { return nil })
	after("two digest values", "CVE-2025-29775, xml-crypto", func(r *Element) {
		value := r.Find("DigestValue")
		r.Find("NameID").SetText(intruder)
		r.Find("Reference").Before(value, value.Clone().SetText(digestOf(r)))
	})
	before("a comment within the digest value, signed", "what is digested has no comments", func(info *Element) {
		value := info.Find("DigestValue")
		value.Children = []Node{Comment("AAAA"), Text(value.Text())}
	})
	after("two signature values", "the second is verified", func(r *Element) {
		value := r.Find("SignatureValue")
		r.Find("Signature").Before(value, value.Clone().SetText("AAAA"))
	})

	c.hostile("a reference to the whole document, signed", `URI=""`, codes, func(m *Message) {
		m.Sign = SignResponse
		m.Signature.Info = func(info *Element) { info.Find("Reference").Set("URI", "") }
	})
	reference := func(name, note string, uri func(id string) string) {
		before("a reference "+name+", signed", note, func(info *Element) {
			r := info.Find("Reference")
			r.Set("URI", uri(strings.TrimPrefix(r.Attr("URI"), "#")))
		})
	}
	reference("by XPointer", "XML Signature 4.4.3.2", func(id string) string { return "#xpointer(id('" + id + "'))" })
	reference("to the root by XPointer", "XML Signature 4.4.3.2", func(string) string { return "#xpointer(/)" })
	reference("to the ID without #", "a file of that name", func(id string) string { return id })
	reference("to another ID", "not the parent", func(string) string { return "#_other" })
	reference("to an address", "a request of ours to another", func(string) string { return "http://169.254.169.254/latest/meta-data" })
	reference("to a file", "a file of ours", func(string) string { return "file:///etc/passwd" })
	reference("to an ID with an expression", "injection of XPath", func(id string) string { return "#" + id + "' or '1'='1" })
	reference("to the ID in other letter case", "IDs compared without case", func(id string) string { return "#" + strings.ToUpper(id) })
	reference("to nothing, by a bare #", "an empty fragment", func(string) string { return "#" })
	before("a reference without URI, signed", "XML Signature 4.4.3.1: known from the context", func(info *Element) { info.Find("Reference").Unset("URI") })
	c.hostile("the element that is signed has no ID", `a reference to "#"`, codes+" duplicate_id", func(m *Message) {
		m.Edit = func(r *Element) { r.Find("Assertion").Unset("ID") }
	})
	c.hostile("the element that is signed has an empty ID", `a reference to "#"`, codes+" duplicate_id", func(m *Message) {
		m.Edit = func(r *Element) { r.Find("Assertion").Set("ID", "") }
	})

	transform := func(name, note, text string) {
		before("the transform "+name+", signed", note, func(info *Element) {
			info.Find("Transforms").Append(parse(text))
		})
	}
	transform("XSLT", "code that the message brings", `<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"><xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:template match="/"><xsl:copy-of select="document('file:///etc/passwd')"/></xsl:template></xsl:stylesheet></ds:Transform>`)
	transform("XPath", "parts left out of the digest", `<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"><ds:XPath>not(ancestor-or-self::*[local-name()='NameID'])</ds:XPath></ds:Transform>`)
	transform("XPath filter 2.0", "parts left out of the digest", `<ds:Transform Algorithm="http://www.w3.org/2002/06/xmldsig-filter2"><f:XPath xmlns:f="http://www.w3.org/2002/06/xmldsig-filter2" Filter="subtract">//*[local-name()='NameID']</f:XPath></ds:Transform>`)
	transform("base64", "tags left out of the digest", `<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#base64"/>`)
	transform("of an unknown name", "not known", `<ds:Transform Algorithm="urn:unknown"/>`)
	transform("of no name", "not known", `<ds:Transform/>`)
	transform("enveloped twice", "exactly enveloped, then exclusive", `<ds:Transform Algorithm="`+Enveloped+`"/>`)
	transform("exclusive twice", "exactly enveloped, then exclusive", `<ds:Transform Algorithm="`+Exclusive+`"/>`)
	before("no transforms, signed", "exactly enveloped, then exclusive", func(info *Element) { info.Replace(info.Find("Transforms")) })
	before("only the transform enveloped, signed", "the default is inclusive canonicalisation", func(info *Element) {
		t := info.Find("Transforms")
		t.Children = t.Children[:1]
	})
	before("the transforms in the wrong order, signed", "exactly enveloped, then exclusive", func(info *Element) {
		t := info.Find("Transforms")
		t.Children[0], t.Children[1] = t.Children[1], t.Children[0]
	})
	before("1,000 transforms, signed", "work for nothing", func(info *Element) {
		t := info.Find("Transforms")
		for range 1000 {
			t.Append(t.Children[1])
		}
	})
	others := map[string]string{
		"inclusive":               Inclusive,
		"inclusive with comments": InclusiveWithComments,
		"inclusive 1.1":           Inclusive11,
	}
	for _, name := range slices.Sorted(maps.Keys(others)) {
		algorithm := others[name]
		c.hostile("canonicalised "+name, "SAML core 5.4.3, 5.4.4: exclusive, and comments do not count", codes, func(m *Message) {
			m.Signature.Canonical = algorithm
		})
		before("the transform is canonicalisation "+name+", signed", "SAML core 5.4.3, 5.4.4", func(info *Element) {
			info.All("Transform")[1].Set("Algorithm", algorithm)
		})
	}
	c.hostile("canonicalised with comments, of which there is one", "XML Signature 4.4.3.3: a reference to an ID leaves them out", codes, func(m *Message) {
		m.Signature.Canonical = ExclusiveWithComments
		m.Edit = func(r *Element) { r.Find("Assertion").Prepend(Comment(" signed ")) }
	})
	before("canonicalised by an unknown method, signed", "not known", func(info *Element) { info.Find("CanonicalizationMethod").Set("Algorithm", "urn:unknown") })
	before("no canonicalisation method, signed", "XML Signature 4.4.1", func(info *Element) { info.Replace(info.Find("CanonicalizationMethod")) })
	before("no digest method, signed", "XML Signature 4.4.3.5", func(info *Element) { info.Replace(info.Find("DigestMethod")) })
	before("an unknown digest method, signed", "not known", func(info *Element) { info.Find("DigestMethod").Set("Algorithm", "urn:unknown") })
	before("a manifest, signed", "XML Signature 4.4.3.1: the digest of a list of references", func(info *Element) {
		info.Find("Reference").Set("Type", "http://www.w3.org/2000/09/xmldsig#Manifest").Set("URI", "#_manifest")
	})
	after("SignedInfo of another namespace", "names are compared without their namespace", func(r *Element) {
		r.Find("SignedInfo").Set("xmlns:ds", "urn:other")
	})
	after("a Signature of another namespace", "names are compared without their namespace", func(r *Element) {
		r.Find("Signature").Unset("xmlns:ds").Set("xmlns:ds", "urn:other")
	})
}

// digestOf returns the digest of the assertion of a response without its signature.
func digestOf(r *Element) string {
	bare := r.Clone()
	for _, s := range bare.All("Signature") {
		bare.Replace(s)
	}
	return digest(SHA256, Canonical(bare, bare.Find("Assertion"), Exclusive))
}

// twice changes a response and puts a SignedInfo with its new digest beside the honest one.
func (c *corpus) twice(r *Element, first bool) {
	info := r.Find("SignedInfo")
	r.Find("NameID").SetText(intruder)
	forged := info.Clone()
	forged.Find("DigestValue").SetText(digestOf(r))
	if first {
		r.Find("Signature").Before(info, forged)
	} else {
		r.Find("Signature").After(info, forged)
	}
}
