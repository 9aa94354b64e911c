package samltest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"maps"
	"math/big"
	"slices"
	"strings"
)

// keys adds signatures of others, and keys that a message brings with it.
func (c *corpus) keys() {
	foreign := Key(Quick2048, "corpus: foreign")
	certificate := SelfSigned(foreign, "samltest", c.now.AddDate(5, 0, 0))
	for _, sign := range []Scope{SignAssertion, SignResponse, SignBoth} {
		where := []string{"the assertion", "the response", "both"}[sign]
		c.hostile("a foreign key signs "+where, "its certificate in KeyInfo", "signature", func(m *Message) {
			m.Sign, m.Signature.Key, m.Signature.Certificates = sign, foreign, certificates(certificate)
		})
		c.hostile("a foreign key signs "+where+", with the provider's certificate", "KeyInfo is a hint", "signature", func(m *Message) {
			m.Sign, m.Signature.Key = sign, foreign
		})
		c.hostile("a foreign key signs "+where+", without KeyInfo", "KeyInfo is a hint", "signature", func(m *Message) {
			m.Sign, m.Signature.Key, m.Signature.WithoutKey = sign, foreign, true
		})
	}
	c.hostile("a foreign key with the provider's name and serial number", "a certificate that looks like the pinned one", "signature", func(m *Message) {
		m.Signature.Key = foreign
		m.Signature.Certificates = certificates(impostor(foreign, c.provider.Certificate()))
	})
	c.hostile("a foreign certificate beside the provider's", "which of two is used", "signature", func(m *Message) {
		m.Signature.Key = foreign
		m.Signature.Certificates = certificates(c.provider.Certificate(), certificate)
	})
	c.hostile("a certificate that the provider's key has signed", "the pinned key is not an authority", "signature", func(m *Message) {
		m.Signature.Key = foreign
		m.Signature.Certificates = certificates(issued(foreign, c.provider.Certificate(), c.provider), c.provider.Certificate())
	})
	info := func(name, note, text string) {
		c.hostile("a foreign key in "+name, note, "signature", func(m *Message) {
			m.Signature.Key = foreign
			m.Signature.Tamper = func(s *Element) { s.Find("KeyInfo").Children = []Node{parse(text)} }
		})
	}
	public := foreign.Public().(*rsa.PublicKey)
	value := `<ds:RSAKeyValue><ds:Modulus>` + base64.StdEncoding.EncodeToString(public.N.Bytes()) + `</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue>`
	info("KeyValue", "XML Signature 4.5.2", `<ds:KeyValue>`+value+`</ds:KeyValue>`)
	info("RetrievalMethod", "a key fetched from an address", `<ds:RetrievalMethod Type="http://www.w3.org/2000/09/xmldsig#rawX509Certificate" URI="http://169.254.169.254/key"/>`)
	info("KeyInfoReference", "XML Signature 1.1", `<dsig11:KeyInfoReference xmlns:dsig11="http://www.w3.org/2009/xmldsig11#" URI="http://127.0.0.1/key"/>`)
	info("DEREncodedKeyValue", "XML Signature 1.1", `<dsig11:DEREncodedKeyValue xmlns:dsig11="http://www.w3.org/2009/xmldsig11#">`+base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PublicKey(public))+`</dsig11:DEREncodedKeyValue>`)
	c.hostile("a certificate that is not base64", "an error that is not looked at", "signature", func(m *Message) {
		m.Signature.Key = foreign
		m.Signature.Tamper = func(s *Element) { s.Find("X509Certificate").SetText("*") }
	})
	c.hostile("nothing is signed", "no signature at all", "unsigned", func(m *Message) { m.Sign = SignNothing })
	c.hostile("the signature was removed", "no signature at all", "unsigned", func(m *Message) {
		m.Tamper = func(r *Element) {
			r.Replace(r.Find("Signature"))
			r.Find("NameID").SetText(intruder)
		}
	})
	c.hostile("the signature is a comment", "no signature at all", "unsigned", func(m *Message) {
		m.Tamper = func(r *Element) {
			s := r.Find("Signature")
			r.Replace(s, Comment(strings.ReplaceAll(s.String(), "--", "- -")))
		}
	})
	c.hostile("a Signature element without content", "an empty signature", "signature", func(m *Message) {
		m.Tamper = func(r *Element) { r.Find("Signature").Children = nil }
	})
	tampered := func(name string, tamper func(r *Element)) {
		c.hostile("changed after it was signed: "+name, "the digest does not fit", "signature", func(m *Message) { m.Tamper = tamper })
	}
	tampered("the NameID", func(r *Element) { r.Find("NameID").SetText(intruder) })
	tampered("a group", func(r *Element) {
		v := r.All("AttributeValue")
		v[len(v)-1].SetText(trophy)
	})
	tampered("a group was added", func(r *Element) {
		v := r.All("AttributeValue")
		r.After(v[len(v)-1], v[len(v)-1].Clone().SetText(trophy))
	})
	tampered("the audience", func(r *Element) { r.Find("Audience").SetText(c.target.EntityID + " ") })
	tampered("the end of its time", func(r *Element) { r.Find("Conditions").Set("NotOnOrAfter", Instant(c.now.Add(2*Life))) })
	tampered("the case of a letter", func(r *Element) { r.Find("NameID").SetText(strings.ToUpper(person)) })
	tampered("white space in the NameID", func(r *Element) { r.Find("NameID").SetText(person + " ") })
	tampered("an attribute was added", func(r *Element) { r.Find("NameID").Set("NameQualifier", "x") })
	c.hostile("changed after it was signed: the ID of the response", "the digest does not fit", "signature", func(m *Message) {
		m.Sign = SignBoth
		m.Tamper = func(r *Element) { r.Set("ID", NewID()) }
	})
	value2 := func(name, text string) {
		c.hostile("a signature value that is "+name, "XML Signature 4.3", "signature", func(m *Message) {
			m.Signature.Tamper = func(s *Element) { s.Find("SignatureValue").SetText(text) }
		})
	}
	value2("empty", "")
	value2("zero", base64.StdEncoding.EncodeToString(make([]byte, 256)))
	value2("one byte", "AA==")
	value2("not base64", "!!!")
	value2("very long", strings.Repeat("AAAA", 20000))
}

// impostor returns a certificate of a foreign key with the name, serial number and times of
// another.
func impostor(key crypto.Signer, of *x509.Certificate) *x509.Certificate {
	template := &x509.Certificate{SerialNumber: of.SerialNumber, Subject: of.Subject, NotBefore: of.NotBefore, NotAfter: of.NotAfter}
	return certified(template, template, key, key)
}

// issued returns a certificate of a foreign key that the provider's key has signed.
func issued(key crypto.Signer, issuer *x509.Certificate, p *Provider) *x509.Certificate {
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: issuer.Subject, NotBefore: issuer.NotBefore, NotAfter: issuer.NotAfter}
	return certified(template, issuer, key, p.Key)
}

// algorithms adds signatures that verify, by algorithms that do not count.
func (c *corpus) algorithms() {
	weak := func(name, note string, change func(s *Signature)) {
		c.hostile("signed with "+name, note, "algorithm", func(m *Message) { change(&m.Signature) })
	}
	weak("RSA-SHA1", "SHA-1 collides", func(s *Signature) { s.Method = RSASHA1 })
	weak("RSA-SHA1 over SHA-1", "SHA-1 collides", func(s *Signature) { s.Method, s.Digest = RSASHA1, SHA1 })
	weak("RSA-SHA256 over SHA-1", "SHA-1 collides", func(s *Signature) { s.Digest = SHA1 })
	weak("RSA-MD5", "MD5 collides", func(s *Signature) { s.Method, s.Digest = RSAMD5, MD5 })
	weak("RSA-SHA256 over MD5", "MD5 collides", func(s *Signature) { s.Digest = MD5 })
	c.hostile("the response signed with RSA-SHA1, the assertion soundly", "each signature counts", "algorithm", func(m *Message) {
		m.Tamper = func(r *Element) { Sign(r, r, c.provider.signing(Signature{Method: RSASHA1, Digest: SHA1})) }
	})
	secrets := map[string][]byte{
		"the certificate":                 c.provider.Certificate().Raw,
		"the certificate as PEM":          pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.provider.Certificate().Raw}),
		"the public key":                  c.provider.Certificate().RawSubjectPublicKeyInfo,
		"the public key as PEM":           pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: c.provider.Certificate().RawSubjectPublicKeyInfo}),
		"the base64 of the certificate":   []byte(Encode(c.provider.Certificate().Raw)),
		"nothing":                         {},
		"the provider's name in metadata": []byte(c.provider.EntityID),
	}
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		weak("HMAC of "+name, "algorithm confusion", func(s *Signature) { s.Method, s.Secret = HMACSHA256, secrets[name] })
	}
	weak("HMAC cut to one bit", "CVE-2009-0217: HMACOutputLength", func(s *Signature) {
		s.Method, s.Secret = HMACSHA1, []byte("guess")
		s.Info = func(info *Element) {
			info.Find("SignatureMethod").Append(parse(`<ds:HMACOutputLength>1</ds:HMACOutputLength>`))
		}
		s.Tamper = func(e *Element) { e.Find("SignatureValue").SetText("AA==") }
	})
	method := func(name, uri string) {
		weak("the method "+name, "algorithm confusion", func(s *Signature) {
			s.Tamper = func(e *Element) { e.Find("SignatureMethod").Set("Algorithm", uri) }
		})
	}
	method("none", "none")
	method("of no name", "")
	method("of an unknown name", "urn:unknown")
	method("of DSA", "http://www.w3.org/2000/09/xmldsig#dsa-sha1")
	method("of ECDSA with a key of RSA", ECDSASHA256)
	method("of RSA in upper case", strings.ToUpper(RSASHA256))
	c.hostile("signed with no method", "XML Signature 4.4.2", "signature", func(m *Message) {
		m.Signature.Info = func(info *Element) { info.Replace(info.Find("SignatureMethod")) }
	})
	small := Key(RSA1024, "corpus")
	certificate := SelfSigned(small, "small", c.now.AddDate(3, 0, 0))
	k := c.hostile("signed by a pinned key of 1,024 bits", "NIST SP 800-131A", "algorithm", func(m *Message) {
		m.Signature.Key, m.Signature.Certificates = small, certificates(certificate)
	})
	k.Certificates = certificates(certificate)

	curve := Key(P256, "corpus")
	certificate = SelfSigned(curve, "curve", c.now.AddDate(3, 0, 0))
	ecdsaCase := func(name, codes string, change func(s *Signature)) {
		k := c.hostile(name, "XML Signature 6.4.3", codes, func(m *Message) {
			m.Signature.Key, m.Signature.Certificates = curve, certificates(certificate)
			change(&m.Signature)
		})
		k.Certificates = certificates(certificate)
	}
	ecdsaCase("ECDSA as ASN.1 with a byte behind it", "signature", func(s *Signature) {
		s.DER = true
		s.Tamper = func(e *Element) {
			der, _ := base64.StdEncoding.DecodeString(e.Find("SignatureValue").Text())
			e.Find("SignatureValue").SetText(Encode(append(der, 0)))
		}
	})
	ecdsaCase("ECDSA with SHA-1", "algorithm", func(s *Signature) { s.Method = ECDSASHA1 })
	ecdsaCase("ECDSA of zeros", "signature", func(s *Signature) {
		s.Tamper = func(e *Element) { e.Find("SignatureValue").SetText(Encode(make([]byte, 64))) }
	})
	ecdsaCase("ECDSA of zero and the order", "signature", func(s *Signature) {
		order := curve.(*ecdsa.PrivateKey).Params().N.FillBytes(make([]byte, 32))
		s.Tamper = func(e *Element) { e.Find("SignatureValue").SetText(Encode(slices.Concat(order, order))) }
	})
	ecdsaCase("ECDSA of an odd length", "signature", func(s *Signature) {
		s.Tamper = func(e *Element) { e.Find("SignatureValue").SetText(Encode(make([]byte, 63))) }
	})
	ecdsaCase("ECDSA with zeros before each half", "signature", func(s *Signature) {
		s.Tamper = func(e *Element) {
			raw, _ := base64.StdEncoding.DecodeString(e.Find("SignatureValue").Text())
			zeros := make([]byte, 16)
			e.Find("SignatureValue").SetText(Encode(slices.Concat(zeros, raw[:32], zeros, raw[32:])))
		}
	})
	ecdsaCase("ECDSA of an empty value", "signature", func(s *Signature) {
		s.Tamper = func(e *Element) { e.Find("SignatureValue").SetText("") }
	})
	ecdsaCase("RSA with a key of ECDSA", "algorithm", func(s *Signature) {
		s.Tamper = func(e *Element) { e.Find("SignatureMethod").Set("Algorithm", RSASHA256) }
	})
}
