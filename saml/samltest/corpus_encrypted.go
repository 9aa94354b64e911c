package samltest

import (
	"bytes"
	"slices"
	"strings"
)

// encrypted adds what can be wrong with an encrypted assertion. Every failure to decrypt
// has the one code, so that nothing is learnt from it.
func (c *corpus) encrypted() {
	const codes = "decryption algorithm"
	foreign := SelfSigned(Key(Quick2048, "corpus: foreign"), "foreign", c.now.AddDate(5, 0, 0))
	with := func(name, note, codes string, e Encryption) {
		if e.For == nil {
			e.For = c.target.Decrypts
		}
		c.hostile("encrypted: "+name, note, codes, func(m *Message) { m.Encrypt = &e })
	}
	// Nothing is signed before these are decrypted. With CBC a refusal of its own would tell
	// whoever changed the ciphertext that it became XML (Jager and Somorovsky 2011).
	for _, content := range []string{AES256CBC, AES256GCM} {
		_, short, _ := strings.Cut(content, "#")
		told := func(code string) string {
			if content == AES256CBC {
				return "decryption"
			}
			return code
		}
		c.hostile("encrypted: unsigned in an unsigned response, "+short, "anybody can encrypt for us", told("unsigned"), func(m *Message) {
			m.Sign, m.Encrypt = SignNothing, &Encryption{For: c.target.Decrypts, Content: content}
		})
		c.hostile("encrypted: signed by a foreign key, "+short, "anybody can encrypt for us", told("signature"), func(m *Message) {
			m.Signature.Key = Key(Quick2048, "corpus: foreign")
			m.Encrypt = &Encryption{For: c.target.Decrypts, Content: content}
		})
		c.hostile("encrypted: changed within, after it was signed, "+short, "the digest does not fit", told("signature"), func(m *Message) {
			m.Encrypt = &Encryption{For: c.target.Decrypts, Content: content, Plain: func(s string) string { return strings.Replace(s, person, intruder, 1) }}
		})
	}
	c.hostile("encrypted: signed by a foreign key, in a soundly signed response", "every signature counts", "signature", func(m *Message) {
		m.Signature.Key = Key(Quick2048, "corpus: foreign")
		m.Encrypt = &Encryption{For: c.target.Decrypts}
		m.Tamper = func(r *Element) { Sign(r, r, c.provider.signing(Signature{})) }
	})
	c.hostile("encrypted: replaced in a signed response", "the digest does not fit", "signature", func(m *Message) {
		m.Sign, m.Encrypt = SignResponse, &Encryption{For: c.target.Decrypts}
		m.Tamper = func(r *Element) {
			forged := evil(shapedAssertion(c))
			r.Replace(r.Find("EncryptedAssertion"), Encrypt((&Element{Name: "samlp:Response"}).Append(forged), forged, Encryption{For: c.target.Decrypts}))
		}
	})
	with("for another's key", "wrong key", codes, Encryption{For: foreign})
	with("its key with RSA PKCS #1 v1.5", "Bleichenbacher 1998, Jager et al. 2012", codes, Encryption{Transport: RSA15})
	with("with 3DES", "SWEET32; crewjam/saml panics", codes, Encryption{Content: TripleDES})
	with("a key of the wrong length", "crypto/aes", codes, Encryption{Key: func(k []byte) []byte { return k[:16] }})
	with("an empty key", "crypto/aes", codes, Encryption{Key: func([]byte) []byte { return nil }})
	with("a key that is another", "padding or tag", codes, Encryption{Key: func(k []byte) []byte { return make([]byte, len(k)) }})
	cbc := func(name, note string, change func(b []byte) []byte) {
		with("CBC "+name, note, codes, Encryption{Content: AES128CBC, Cipher: change})
	}
	cbc("of no bytes", "crewjam/saml panics", func([]byte) []byte { return nil })
	cbc("of the vector only", "crewjam/saml panics", func(b []byte) []byte { return b[:16] })
	cbc("shorter than the vector", "crewjam/saml panics", func(b []byte) []byte { return b[:7] })
	cbc("of a ragged length", "crewjam/saml panics", func(b []byte) []byte { return b[:len(b)-3] })
	cbc("cut by a block", "padding", func(b []byte) []byte { return b[:len(b)-16] })
	for _, bit := range []int{1, 16, 128} {
		cbc("with its padding changed by "+map[int]string{1: "one", 16: "sixteen", 128: "a half"}[bit], "padding oracle: Jager and Somorovsky 2011", func(b []byte) []byte {
			b = bytes.Clone(b)
			b[len(b)-17] ^= byte(bit)
			return b
		})
	}
	cbc("with its first block changed", "malleable: Jager and Somorovsky 2011", func(b []byte) []byte {
		b = bytes.Clone(b)
		b[3] ^= 0x20
		return b
	})
	cbc("with blocks exchanged", "malleable: Jager and Somorovsky 2011", func(b []byte) []byte {
		b = bytes.Clone(b)
		return slices.Concat(b[:64], b[80:96], b[64:80], b[96:])
	})
	cbc("of random blocks", "padding oracle", func(b []byte) []byte { return bytes.Repeat([]byte{0x5a}, len(b)) })
	gcm := func(name string, change func(b []byte) []byte) {
		with("GCM "+name, "XML Encryption 5.2.4; crewjam/saml panics when it is short", codes, Encryption{Content: AES256GCM, Cipher: change})
	}
	gcm("of no bytes", func([]byte) []byte { return nil })
	gcm("shorter than the nonce", func(b []byte) []byte { return b[:5] })
	gcm("of the nonce only", func(b []byte) []byte { return b[:12] })
	gcm("shorter than nonce and tag", func(b []byte) []byte { return b[:20] })
	gcm("with a bit of the tag changed", func(b []byte) []byte {
		b = bytes.Clone(b)
		b[len(b)-1] ^= 1
		return b
	})
	gcm("with a bit of the text changed", func(b []byte) []byte {
		b = bytes.Clone(b)
		b[20] ^= 1
		return b
	})
	gcm("cut short", func(b []byte) []byte { return b[:len(b)-1] })
	with("GCM said to be CBC", "algorithm confusion", codes, Encryption{Content: AES256GCM, Tamper: func(e *Element) {
		e.Find("EncryptionMethod").Set("Algorithm", AES256CBC)
	}})
	with("CBC said to be GCM", "algorithm confusion", codes, Encryption{Content: AES256CBC, Tamper: func(e *Element) {
		e.Find("EncryptionMethod").Set("Algorithm", AES256GCM)
	}})

	plain := func(name, note string, change func(s string) string) {
		for _, content := range []string{AES128CBC, AES128GCM} {
			_, short, _ := strings.Cut(content, "#")
			c.hostile("encrypted: the plaintext is "+name+", "+short, note, "decryption", func(m *Message) {
				m.Sign = SignBoth
				m.Encrypt = &Encryption{For: c.target.Decrypts, Content: content, Plain: change}
			})
		}
	}
	plain("empty", "crewjam/saml panics", func(string) string { return "" })
	plain("white space", "no root", func(string) string { return "  \n" })
	plain("not XML", "no root", func(string) string { return "hello" })
	plain("cut off", "not well formed", func(s string) string { return s[:len(s)/2] })
	plain("another element", "not an assertion", func(string) string { return "<a/>" })
	plain("a response", "not an assertion", func(s string) string {
		return `<samlp:Response xmlns:samlp="` + protocolNS + `">` + s + `</samlp:Response>`
	})
	plain("two assertions", "exactly one is read", func(s string) string { return s + s })
	plain("two assertions in an element", "exactly one is read", func(s string) string { return "<a>" + s + s + "</a>" })
	plain("an assertion behind a document type", "the guard holds within too", func(s string) string { return "<!DOCTYPE a [<!ENTITY x 'y'>]>" + s })
	plain("an assertion behind an instruction", "the guard holds within too", func(s string) string { return "<?x?>" + s })
	plain("an assertion with a comment in the NameID", "the guard holds within too", func(s string) string {
		return strings.Replace(s, person+"<", intruder+"<!---->"+person+"<", 1)
	})
	plain("an assertion with a byte that is not UTF-8", "the guard holds within too", func(s string) string { return strings.Replace(s, ">staff<", ">\xff<", 1) })
	plain("an encrypted assertion", "encrypted twice", func(s string) string { return `<saml:EncryptedAssertion xmlns:saml="` + assertionNS + `"/>` })
	plain("an assertion in UTF-16", "the guard holds within too", func(s string) string { return "\xff\xfe" + strings.Join(strings.Split(s, ""), "\x00") + "\x00" })
	plain("deeper than allowed", "the guard holds within too", func(s string) string {
		return strings.Replace(s, ">staff<", ">"+strings.Repeat("<a>", 30)+strings.Repeat("</a>", 30)+"<", 1)
	})
	c.hostile("encrypted: an assertion within one, beside the signed one", "wrapping within the plaintext", "decryption", func(m *Message) {
		m.Encrypt = &Encryption{For: c.target.Decrypts, Plain: func(s string) string {
			signed := parse(s)
			signature := signed.Find("Signature")
			forged := evil(signed)
			signed.Replace(signature)
			return forged.After(forged.Find("Issuer"), signature.Append((&Element{Name: "ds:Object"}).Append(signed))).String()
		}}
	})

	shape := func(name, note string, tamper func(e *Element)) {
		with(name, note, codes, Encryption{Tamper: tamper})
	}
	shape("without its key", "XML Encryption 3.5", func(e *Element) { e.Replace(e.Find("EncryptedKey")) })
	shape("without its data", "SAML core 2.3.4", func(e *Element) { e.Children = nil })
	shape("without a method", "XML Encryption 3.2", func(e *Element) { e.Replace(e.Find("EncryptionMethod")) })
	shape("its key without a method", "XML Encryption 3.2", func(e *Element) { e.Find("EncryptedKey").Replace(e.Find("EncryptedKey").Find("EncryptionMethod")) })
	shape("by an unknown method", "XML Encryption 5.1", func(e *Element) { e.Find("EncryptionMethod").Set("Algorithm", "urn:unknown") })
	shape("its key by an unknown method", "XML Encryption 5.1", func(e *Element) {
		e.Find("EncryptedKey").Find("EncryptionMethod").Set("Algorithm", "urn:unknown")
	})
	shape("by no method, in clear", "algorithm confusion", func(e *Element) { e.Find("EncryptionMethod").Set("Algorithm", "none") })
	shape("a value that is not base64", "XML Encryption 3.3", func(e *Element) { e.All("CipherValue")[1].SetText("***") })
	shape("its key not base64", "XML Encryption 3.3", func(e *Element) { e.Find("CipherValue").SetText("***") })
	with("a value with a comment", "a value cut off at a comment", "malformed", Encryption{Tamper: func(e *Element) {
		v := e.All("CipherValue")[1]
		text := v.Text()
		v.Children = []Node{Text(text[:len(text)/2]), Comment(""), Text(text[len(text)/2:])}
	}})
	shape("a value by reference", "XML Encryption 3.3.1: a request of ours to another", func(e *Element) {
		e.All("CipherData")[1].Children = []Node{parse(`<xenc:CipherReference URI="http://169.254.169.254/"/>`)}
	})
	shape("its key by reference to an address", "XML Encryption 3.5.2: a request of ours to another", func(e *Element) {
		e.Replace(e.Find("EncryptedKey"), parse(`<ds:RetrievalMethod Type="http://www.w3.org/2001/04/xmlenc#EncryptedKey" URI="http://169.254.169.254/"/>`))
	})
	shape("its key by reference to nothing", "XML Encryption 3.5.2", func(e *Element) {
		e.Replace(e.Find("EncryptedKey"), parse(`<ds:RetrievalMethod Type="http://www.w3.org/2001/04/xmlenc#EncryptedKey" URI="#_missing"/>`))
	})
	shape("two data", "exactly one is read", func(e *Element) {
		second := e.Find("EncryptedData").Clone()
		second.Find("EncryptedKey").Unset("Id")
		e.Append(second)
	})
	shape("its key with HMAC for OAEP", "algorithm confusion", func(e *Element) {
		e.Find("EncryptedKey").Find("EncryptionMethod").Append(parse(`<ds:DigestMethod Algorithm="` + HMACSHA256 + `"/>`))
	})
	with("its key with OAEP of MD5", "MD5", codes, Encryption{Digest: MD5})
	c.hostile("encrypted: twice", "exactly one is read", moved, func(m *Message) {
		m.Encrypt = &Encryption{For: c.target.Decrypts}
		m.Tamper = func(r *Element) { r.Append(r.Find("EncryptedAssertion").Clone()) }
	})
	c.hostile("encrypted: beside the same assertion in clear", "mixed", moved, func(m *Message) {
		m.Tamper = func(r *Element) {
			a := r.Find("Assertion")
			r.After(a, Encrypt(r, a, Encryption{For: c.target.Decrypts}))
		}
	})
	c.hostile("encrypted: 64 keys", "work for nothing: each is tried with each of ours", codes, func(m *Message) {
		m.Encrypt = &Encryption{For: foreign, Tamper: func(e *Element) {
			key := e.Find("EncryptedKey").Unset("Id")
			for range 63 {
				e.After(key, key.Clone())
			}
		}}
	})
	c.hostile("encrypted: expired", "the profile holds within too", "expired", func(m *Message) {
		m.Encrypt = &Encryption{For: c.target.Decrypts}
		m.Edit = func(r *Element) { r.Find("Conditions").Set("NotOnOrAfter", Instant(c.now.Add(-Life*12))) }
	})
}

// shapedAssertion returns an unsigned assertion of a legal message.
func shapedAssertion(c *corpus) *Element {
	_, response := shaped(c.provider.filled(c.message()))
	return response.Find("Assertion")
}
