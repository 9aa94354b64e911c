package samltest

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"strings"
)

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

	old, next := Key(Quick2048, "corpus: old"), Key(Quick2048, "corpus: next")
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
