package samltest

import (
	"strings"
)

// What a message may be refused for when a signed part was moved, or a forged one put
// beside it: by its structure, or because what would be read is not what is signed.
const moved = "malformed duplicate_id signature"

// wrapping adds the eight ways of XML signature wrapping.
func (c *corpus) wrapping() {
	const note = "Somorovsky et al., On Breaking SAML (2012), as numbered by SAML Raider"
	wrap := func(name string, sign Scope, tamper func(r *Element)) {
		c.hostile(name, note, moved, func(m *Message) { m.Sign, m.Tamper = sign, tamper })
	}
	// become makes the root of the message a forged response.
	become := func(r *Element, change func(forged, signature, original *Element)) {
		original := r.Clone()
		forged := evil(r)
		signature := original.Find("Signature")
		original.Replace(signature)
		change(forged, signature, original)
		*r = *forged
	}
	wrap("wrapping 1: the signed response within the signature of a forged one", SignResponse, func(r *Element) {
		become(r, func(forged, signature, original *Element) {
			signature.Append(original)
			forged.After(forged.Find("Issuer"), signature)
		})
	})
	wrap("wrapping 2: the signed response before the signature of a forged one", SignResponse, func(r *Element) {
		become(r, func(forged, signature, original *Element) {
			forged.After(forged.Find("Issuer"), original, signature)
		})
	})
	wrap("wrapping 3: a forged assertion before the signed one", SignAssertion, func(r *Element) {
		a := r.Find("Assertion")
		r.Before(a, evil(a))
	})
	wrap("wrapping 3 reversed: a forged assertion behind the signed one", SignAssertion, func(r *Element) {
		a := r.Find("Assertion")
		r.After(a, evil(a))
	})
	wrap("wrapping 4: the signed assertion within a forged one", SignAssertion, func(r *Element) {
		a := r.Find("Assertion")
		r.Replace(a, evil(a).Append(a))
	})
	wrap("wrapping 5: a forged assertion with the signature, the signed one at the end", SignAssertion, func(r *Element) {
		a := r.Find("Assertion")
		signature := a.Find("Signature")
		forged := evil(a)
		a.Replace(signature)
		forged.After(forged.Find("Issuer"), signature)
		r.Replace(a, forged, a)
	})
	wrap("wrapping 6: the signed assertion within the signature of a forged one", SignAssertion, func(r *Element) {
		a := r.Find("Assertion")
		signature := a.Find("Signature")
		forged := evil(a)
		a.Replace(signature)
		forged.After(forged.Find("Issuer"), signature.Append(a))
		r.Replace(a, forged)
	})
	wrap("wrapping 7: the signed assertion within Extensions", SignAssertion, func(r *Element) {
		a := r.Find("Assertion")
		r.Replace(a, evil(a))
		r.Before(r.Find("Status"), (&Element{Name: "samlp:Extensions"}).Append(a))
	})
	wrap("wrapping 7 reversed: a forged assertion within Extensions", SignAssertion, func(r *Element) {
		r.Before(r.Find("Status"), (&Element{Name: "samlp:Extensions"}).Append(evil(r.Find("Assertion"))))
	})
	wrap("wrapping 8: the signed assertion within an Object of the signature of a forged one", SignAssertion, func(r *Element) {
		a := r.Find("Assertion")
		signature := a.Find("Signature")
		forged := evil(a)
		a.Replace(signature)
		forged.After(forged.Find("Issuer"), signature.Append((&Element{Name: "ds:Object"}).Append(a)))
		r.Replace(a, forged)
	})
	wrap("wrapping 8 reversed: a forged assertion within an Object of the signature", SignAssertion, func(r *Element) {
		a := r.Find("Assertion")
		a.Find("Signature").Append((&Element{Name: "ds:Object"}).Append(evil(a)))
	})
}

// newerWrapping adds forms that came later.
func (c *corpus) newerWrapping() {
	wrap := func(name, note, codes string, sign Scope, tamper func(r *Element)) {
		c.hostile(name, note, codes, func(m *Message) { m.Sign, m.Tamper = sign, tamper })
	}
	forge := func(r *Element) (signed, signature, forged *Element) {
		signed = r.Find("Assertion")
		return signed, signed.Find("Signature"), evil(signed)
	}
	within := func(name, note string, place func(r, signed *Element)) {
		wrap("the signed assertion within "+name, note, moved, SignAssertion, func(r *Element) {
			signed, _, forged := forge(r)
			r.Replace(signed, forged)
			place(r, signed)
		})
	}
	within("StatusDetail", "CVE-2024-45409, ruby-saml", func(r, a *Element) {
		r.Find("Status").Append((&Element{Name: "samlp:StatusDetail"}).Append(a))
	})
	within("StatusMessage", "CVE-2024-45409, ruby-saml", func(r, a *Element) {
		r.Find("Status").Append((&Element{Name: "samlp:StatusMessage"}).Append(a))
	})
	within("Advice of the forged one", "SAML core 2.6.1", func(r, a *Element) {
		r.After(r.Find("Conditions"), (&Element{Name: "saml:Advice"}).Append(a))
	})
	within("an AttributeValue of the forged one", "nested XML in a value", func(r, a *Element) {
		r.Find("AttributeValue").Children = []Node{a}
	})
	within("a SubjectConfirmationData of the forged one", "any content is allowed there", func(r, a *Element) {
		r.Find("SubjectConfirmationData").Append(a)
	})
	within("an element of nobody's", "an unknown element in the response", func(r, a *Element) {
		r.Append(parse(`<x:wrap xmlns:x="urn:x"/>`).Append(a))
	})
	within("another response within the response", "a message in a message", func(r, a *Element) {
		inner := r.Clone()
		inner.Replace(inner.Find("Assertion"), a)
		r.Append(inner)
	})
	wrap("the digest of the forged assertion in StatusDetail", "CVE-2024-45409: the digest is looked for in the whole document", moved, SignAssertion, func(r *Element) {
		a, signature, forged := forge(r)
		forged.Set("ID", a.Attr("ID"))
		value := parse(`<ds:DigestValue xmlns:ds="` + signatureNS + `"/>`).SetText(digest(SHA256, Canonical(r.Clone().Append(forged), forged, Exclusive)))
		forged.After(forged.Find("Issuer"), signature)
		r.Replace(a, forged)
		r.Find("Status").Append((&Element{Name: "samlp:StatusDetail"}).Append(value))
	})
	wrap("two assertions of the same ID, the forged one first", "duplicate IDs", moved, SignAssertion, func(r *Element) {
		a, _, forged := forge(r)
		r.Before(a, forged.Set("ID", a.Attr("ID")))
	})
	wrap("two assertions of the same ID, the forged one last", "duplicate IDs", moved, SignAssertion, func(r *Element) {
		a, _, forged := forge(r)
		r.After(a, forged.Set("ID", a.Attr("ID")))
	})
	for _, name := range []string{"Id", "id", "xml:id", "AssertionID"} {
		wrap("the signed element is found by "+name, "an attribute that some libraries take for an ID", moved, SignAssertion, func(r *Element) {
			a, signature, forged := forge(r)
			signature.Append((&Element{Name: "ds:Object"}).Append(a.Clone().Set(name, a.Attr("ID")).Unset("ID")))
			forged.Set("ID", a.Attr("ID"))
			forged.After(forged.Find("Issuer"), signature)
			r.Replace(a, forged)
		})
	}
	wrap("an attribute Id of the same value on another element", "an attribute that some libraries take for an ID", moved, SignAssertion, func(r *Element) {
		r.Find("Status").Set("Id", r.Find("Assertion").Attr("ID"))
		r.Find("NameID").SetText(intruder)
	})
	wrap("the ID of the response is that of the assertion", "duplicate IDs", "duplicate_id", SignAssertion, func(r *Element) {
		r.Set("ID", r.Find("Assertion").Attr("ID"))
	})
	wrap("IDs that differ in letter case, the forged one first", "IDs compared without case", moved, SignAssertion, func(r *Element) {
		a, signature, forged := forge(r)
		forged.Set("ID", strings.ToUpper(a.Attr("ID")))
		forged.After(forged.Find("Issuer"), signature.Clone())
		r.Before(a, forged)
	})
	wrap("the signature of the assertion is at the response", "the reference is not to the parent", moved, SignAssertion, func(r *Element) {
		a, signature, _ := forge(r)
		a.Replace(signature)
		r.After(r.Find("Issuer"), signature)
	})
	wrap("the signature of the response is at the assertion", "the reference is not to the parent", moved, SignResponse, func(r *Element) {
		signature := r.Find("Signature")
		r.Replace(signature)
		a := r.Find("Assertion")
		a.After(a.Find("Issuer"), signature)
	})
	wrap("the signature is deep within the assertion", "found anywhere below", moved, SignAssertion, func(r *Element) {
		a, signature, _ := forge(r)
		a.Replace(signature)
		a.Find("Subject").Append(signature)
	})
	wrap("the signature is in Extensions", "found anywhere below", moved, SignResponse, func(r *Element) {
		signature := r.Find("Signature")
		r.Replace(signature)
		r.Before(r.Find("Status"), (&Element{Name: "samlp:Extensions"}).Append(signature))
	})
	wrap("the signature is behind the status", "found anywhere in the response", moved, SignNothing, func(r *Element) {
		a := r.Find("Assertion")
		signature := Sign(r, a, c.provider.signing(Signature{}))
		a.Replace(signature)
		r.After(r.Find("Status"), signature)
	})
	wrap("two signatures of the assertion, the first of nobody", "the second is verified, the first is read", moved, SignAssertion, func(r *Element) {
		a, signature, _ := forge(r)
		other := signature.Clone()
		other.Find("SignatureValue").SetText("AAAA")
		a.Before(signature, other)
	})
	wrap("two sound signatures of the assertion", "exactly one is allowed (SAML core 5.4.1)", moved, SignAssertion, func(r *Element) {
		a, signature, _ := forge(r)
		a.After(signature, signature.Clone())
	})
	wrap("a forged response around the signed assertion, with a signature of nobody", "every signature that is there must verify", "signature", SignAssertion, func(r *Element) {
		Sign(r, r, Signature{Key: Key(Quick2048, "corpus: foreign"), Certificates: c.provider.Certificates})
	})
	wrap("a second assertion in a signed response", "exactly one is read", moved, SignNothing, func(r *Element) {
		a := r.Find("Assertion")
		r.After(a, a.Clone().Set("ID", NewID()))
		Sign(r, r, c.provider.signing(Signature{}))
	})
	wrap("a forged encrypted assertion beside the signed one", "mixed", moved, SignAssertion, func(r *Element) {
		a, _, forged := forge(r)
		encrypted := Encrypt(r.Clone().Append(forged), forged, Encryption{For: c.target.Decrypts})
		r.Before(a, encrypted)
	})
	wrap("the signed assertion, encrypted, beside a forged one", "mixed", moved, SignAssertion, func(r *Element) {
		a, _, forged := forge(r)
		r.After(a, Encrypt(r, a, Encryption{For: c.target.Decrypts}))
		r.Replace(a, forged)
	})
	wrap("a forged assertion, as the root", "not a response", "malformed", SignAssertion, func(r *Element) {
		*r = *evil(r.Find("Assertion"))
	})
	wrap("the signed assertion alone, as the root", "not a response", "malformed", SignAssertion, func(r *Element) {
		*r = *r.Find("Assertion")
	})
	wrap("the signed assertion in an element Response of another namespace", "names are compared without their namespace", "malformed", SignAssertion, func(r *Element) {
		for i := range r.Attributes {
			if r.Attributes[i].Name == "xmlns:samlp" {
				r.Attributes[i].Value, r.Attributes[i].Written = "urn:other", ""
			}
		}
	})
	wrap("a forged assertion of another namespace before the signed one", "names are compared without their namespace", moved, SignAssertion, func(r *Element) {
		a, _, forged := forge(r)
		rename(forged, "saml", "x")
		r.Before(a, forged.Set("xmlns:x", "urn:other"))
	})
	for _, name := range []string{"NameID", "Subject", "Conditions", "SubjectConfirmationData"} {
		c.hostile("a "+name+" of another namespace, signed", "names are compared without their namespace", "subject name_id conditions confirmation", func(m *Message) {
			m.Edit = func(r *Element) {
				e := r.Find("Assertion").Find(name)
				e.Name = "x:" + name
				e.Set("xmlns:x", "urn:other")
			}
		})
	}
	wrap("a namespace declared twice", "CVE-2025-25291 and 25292: parsers that differ", "malformed", SignAssertion, func(r *Element) {
		a := r.Find("Assertion")
		a.Attributes = append(a.Attributes, Attribute{Name: "xmlns:saml", Value: assertionNS})
	})
	wrap("an attribute twice under two prefixes", "attribute pollution: parsers that differ", "malformed signature", SignAssertion, func(r *Element) {
		a := r.Find("Assertion")
		a.Set("xmlns:p", "urn:p").Set("xmlns:q", "urn:p").Set("p:ID", "_1").Set("q:ID", "_2")
	})
	wrap("a namespaced ID on the signed element", "attribute pollution: the library that takes any attribute ID by its local name", "signature malformed", SignAssertion, func(r *Element) {
		a, signature, forged := forge(r)
		id := a.Attr("ID")
		forged.Attributes = append([]Attribute{{Name: "saml:ID", Value: id}}, forged.Attributes...)
		forged.After(forged.Find("Issuer"), signature)
		r.Replace(a, forged)
	})
	wrap("the prefix of SAML rebound around the values", "namespace pollution: the bytes are signed, their meaning is not", "signature", SignAssertion, func(r *Element) {
		r.Find("Subject").Set("xmlns:saml", "urn:other")
	})
	wrap("the declaration of the signature's prefix rebound above", "void canonicalisation (PortSwigger 2025): a relative namespace", "signature malformed", SignAssertion, func(r *Element) {
		r.Find("Assertion").Set("xmlns:ds", "1")
		r.Find("NameID").SetText(intruder)
	})
	wrap("SignedInfo with a relative namespace, whose canonical form is empty in libxml2", "void canonicalisation (PortSwigger 2025)", "signature malformed", SignNothing, func(r *Element) {
		a := r.Find("Assertion")
		Sign(r, a, c.provider.signing(Signature{Key: Key(Quick2048, "corpus: foreign"), Info: func(info *Element) { info.Set("xmlns:ns", "1") }}))
	})
}
