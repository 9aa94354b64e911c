package verifier

import (
	"crypto"
	"strings"
	"testing"
)

func TestDecryption(t *testing.T) {
	idp := newSigner(t, providerKey())
	signed := idp.sign(t, plainAssertion(2), "_assertion1")
	const (
		sha256URI = "http://www.w3.org/2001/04/xmlenc#sha256"
		sha512URI = "http://www.w3.org/2001/04/xmlenc#sha512"
		mgf256    = "http://www.w3.org/2009/xmlenc11#mgf1sha256"
	)
	tests := []struct {
		name string
		s    sealing
	}{
		{"AES-128-CBC", sealing{cipher: "aes128-cbc"}},
		{"AES-192-CBC", sealing{cipher: "aes192-cbc"}},
		{"AES-256-CBC", sealing{cipher: "aes256-cbc"}},
		{"AES-128-GCM", sealing{cipher: "aes128-gcm"}},
		{"AES-192-GCM", sealing{cipher: "aes192-gcm"}},
		{"AES-256-GCM", sealing{cipher: "aes256-gcm"}},
		{"OAEP with SHA-256, its mask with SHA-1", sealing{digest: sha256URI, hash: crypto.SHA256}},
		{"OAEP 1.1 with SHA-256 and its mask too", sealing{transport: oaep11, digest: sha256URI, hash: crypto.SHA256, mask: mgf256, mgf: crypto.SHA256}},
		{"OAEP 1.1 with SHA-512, its mask with SHA-1", sealing{transport: oaep11, digest: sha512URI, hash: crypto.SHA512}},
		{"OAEP 1.1 with nothing named", sealing{transport: oaep11}},
		{"OAEP with a label", sealing{label: "for us"}},
		{"the key beside the data", sealing{beside: true}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e := expectation(idp.cert)
			e.Keys = []crypto.Decrypter{strangerKey(), ourKey()}
			for name, message := range map[string]string{
				"signed inside":  respond(encrypted(t, signed, test.s)),
				"signed outside": idp.sign(t, respond(encrypted(t, plainAssertion(2), test.s)), "_response1"),
			} {
				if got := accept(t, message, e); !got.Encrypted || got.NameID.Value != "person-1" {
					t.Errorf("%s: Verify = %+v, want person-1, encrypted", name, got)
				}
			}
		})
	}
}

func TestDecryptionInheritsNamespaces(t *testing.T) {
	idp := newSigner(t, providerKey())
	e := expectation(idp.cert)
	e.Keys = []crypto.Decrypter{ourKey()}
	// It was signed where the namespace was declared around it.
	whole := respond(replace(t, plainAssertion(2), ` xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"`, ""))
	whole = replace(t, whole, "<samlp:Response ", `<samlp:Response xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" `)
	signed := idp.sign(t, whole, "_assertion1")
	assertion := between(signed, "<saml:Assertion ", "</saml:Assertion>")
	accept(t, replace(t, signed, assertion, encrypted(t, assertion, sealing{})), e)
}

func TestDecryptionRefuses(t *testing.T) {
	idp := newSigner(t, providerKey())
	signed := idp.sign(t, plainAssertion(2), "_assertion1")
	good := encrypted(t, signed, sealing{})
	tests := []struct {
		name    string
		message string
		want    Code
	}{
		{"not signed at all", encrypted(t, plainAssertion(2), sealing{}), Unsigned},
		{"signed by a stranger", encrypted(t, newSigner(t, strangerKey()).sign(t, plainAssertion(2), "_assertion1"), sealing{}), BadSignature},
		{"RSA 1.5", encrypted(t, signed, sealing{transport: "http://www.w3.org/2001/04/xmlenc#rsa-1_5"}), BadAlgorithm},
		{"Triple-DES", replace(t, good, "http://www.w3.org/2009/xmlenc11#aes256-gcm", "http://www.w3.org/2001/04/xmlenc#tripledes-cbc"), BadAlgorithm},
		{"no algorithm", replace(t, good, "http://www.w3.org/2009/xmlenc11#aes256-gcm", ""), BadAlgorithm},
		{"an unknown digest", encrypted(t, signed, sealing{digest: "http://www.w3.org/2001/04/xmldsig-more#md5"}), BadAlgorithm},
		{"an unknown mask", encrypted(t, signed, sealing{transport: oaep11, mask: "urn:x"}), BadAlgorithm},
		{"no EncryptedData", `<x:EncryptedAssertion xmlns:x="` + assertionSpace + `"/>`, BadDecryption},
		{"no EncryptedKey", replace(t, good, between(good, "<e:EncryptedKey ", "</e:EncryptedKey>"), ""), BadDecryption},
		{"a CipherReference", replace(t, good, between(good, "<e:CipherValue>", "</e:CipherValue>"), `<e:CipherReference URI="https://x"/>`), BadDecryption},
		{"too many EncryptedKeys", replace(t, good, "</e:EncryptedKey>", "</e:EncryptedKey>"+strings.Repeat(`<e:EncryptedKey xmlns:e="`+encryptionSpace+`"/>`, maxEncryptedKeys)), BadDecryption},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e := expectation(idp.cert)
			e.Keys = []crypto.Decrypter{ourKey()}
			reject(t, respond(test.message), e, test.want)
		})
	}
	reject(t, respond(good), expectation(idp.cert), BadDecryption) // without a key of ours
}

// TestDecryptionFailsInOneWay spoils a message in every way that needs a secret to notice.
// The refusals must not differ by a byte.
func TestDecryptionFailsInOneWay(t *testing.T) {
	idp := newSigner(t, providerKey())
	signed := idp.sign(t, plainAssertion(2), "_assertion1")
	flip := func(at int) func([]byte) []byte {
		return func(octets []byte) []byte {
			octets[(at+len(octets))%len(octets)] ^= 1
			return octets
		}
	}
	cut := func(n int) func([]byte) []byte { return func(octets []byte) []byte { return octets[:n] } }
	tests := map[string]string{
		"a key for another":            encrypted(t, signed, sealing{recipient: &strangerKey().PublicKey}),
		"a spoiled key":                encrypted(t, signed, sealing{spoilKey: flip(40)}),
		"an empty key":                 encrypted(t, signed, sealing{spoilKey: cut(0)}),
		"a short key":                  encrypted(t, signed, sealing{spoilKey: cut(7)}),
		"a key of another size":        replace(t, encrypted(t, signed, sealing{cipher: "aes128-gcm"}), "aes128-gcm", "aes256-gcm"),
		"another digest":               encrypted(t, signed, sealing{digest: "http://www.w3.org/2001/04/xmlenc#sha256"}),
		"GCM: a spoiled octet":         encrypted(t, signed, sealing{spoil: flip(100)}),
		"GCM: a spoiled tag":           encrypted(t, signed, sealing{spoil: flip(-1)}),
		"GCM: empty":                   encrypted(t, signed, sealing{spoil: cut(0)}),
		"GCM: shorter than the nonce":  encrypted(t, signed, sealing{spoil: cut(5)}),
		"GCM: shorter than the tag":    encrypted(t, signed, sealing{spoil: cut(20)}),
		"GCM: nothing in it":           encrypted(t, "", sealing{}),
		"CBC: bad padding":             encrypted(t, signed, sealing{cipher: "aes128-cbc", spoil: flip(-17)}),
		"CBC: bad XML":                 encrypted(t, signed, sealing{cipher: "aes128-cbc", spoil: flip(100)}),
		"CBC: ragged":                  encrypted(t, signed, sealing{cipher: "aes128-cbc", spoil: func(o []byte) []byte { return o[:len(o)-3] }}),
		"CBC: only the vector":         encrypted(t, signed, sealing{cipher: "aes128-cbc", spoil: cut(16)}),
		"CBC: empty":                   encrypted(t, signed, sealing{cipher: "aes128-cbc", spoil: cut(0)}),
		"CBC: nothing in it":           encrypted(t, "", sealing{cipher: "aes128-cbc"}),
		"a response in it":             encrypted(t, respond(signed), sealing{}),
		"two assertions in it":         encrypted(t, signed+signed, sealing{}),
		"a document type in it":        encrypted(t, "<!DOCTYPE x>"+signed, sealing{}),
		"another element in it":        encrypted(t, "<x/>", sealing{}),
		"an encrypted assertion in it": encrypted(t, encrypted(t, signed, sealing{}), sealing{}),
	}
	// Whoever has the ciphertext of another, and guesses what is in its first block, makes
	// another block of it. Were he right, it is an assertion, which only is not signed.
	confirm := func(guess string) func([]byte) []byte {
		return func(octets []byte) []byte {
			return append(xor(xor(octets[:16], guess), "<x:Assertion/>\x01\x02"), octets[16:32]...)
		}
	}
	// With GCM the first block is m xor E(nonce, 2). He calls it CBC: of what he guesses to
	// be E(nonce, 2), CBC makes the nonce and 2.
	confuse := func(guess string) func([]byte) []byte {
		return func(octets []byte) []byte {
			counter := append(append([]byte(nil), octets[:12]...), 0, 0, 0, 2)
			return append(xor(counter, "<x:Assertion/>\x01\x02"), xor(octets[12:28], guess)...)
		}
	}
	// He lets the last byte of a second block be the padding: were it 16, all of it falls off.
	padded := func(octets []byte) []byte {
		first := xor(xor(octets[:16], "<saml:Assertion "), "<x:Assertion/>  ")
		return append(first, octets[16:48]...)
	}
	stranger := newSigner(t, strangerKey()).sign(t, plainAssertion(2), "_assertion1")
	tests["CBC: a wrong guess of a block"] = encrypted(t, signed, sealing{cipher: "aes128-cbc", spoil: confirm("<saml:Assertion_")})
	tests["CBC: a right guess of a block"] = encrypted(t, signed, sealing{cipher: "aes128-cbc", spoil: confirm("<saml:Assertion ")})
	tests["CBC: an assertion, and a block that falls off or not"] = encrypted(t, signed, sealing{cipher: "aes128-cbc", spoil: padded})
	tests["GCM called CBC: a wrong guess of a block"] = replace(t, encrypted(t, signed, sealing{cipher: "aes128-gcm", spoil: confuse("<saml:Assertion_")}), "2009/xmlenc11#aes128-gcm", "2001/04/xmlenc#aes128-cbc")
	tests["GCM called CBC: a right guess of a block"] = replace(t, encrypted(t, signed, sealing{cipher: "aes128-gcm", spoil: confuse("<saml:Assertion ")}), "2009/xmlenc11#aes128-gcm", "2001/04/xmlenc#aes128-cbc")
	tests["CBC: not signed"] = encrypted(t, plainAssertion(2), sealing{cipher: "aes128-cbc"})
	tests["CBC: signed by a stranger"] = encrypted(t, stranger, sealing{cipher: "aes128-cbc"})
	tests["CBC: changed after it was signed"] = encrypted(t, replace(t, signed, "person-1", "person-2"), sealing{cipher: "aes128-cbc"})
	var first, report string
	for name, message := range tests {
		t.Run(name, func(t *testing.T) {
			e := expectation(idp.cert)
			e.Keys = []crypto.Decrypter{ourKey()}
			refusal := reject(t, respond(message), e, BadDecryption)
			if first == "" {
				first = refusal.Detail
			}
			if refusal.Detail != first {
				t.Errorf("Detail = %q, want %q as for all others", refusal.Detail, first)
			}
			if got := outcomes(Examine(t.Context(), []byte(respond(message)), e)); report == "" {
				report = got
			} else if got != report {
				t.Errorf("Examine = %s\nwant %s, as for all others", got, report)
			}
		})
	}
}

// TestAnEncryptedAssertionIsForUs prefers the key that names us, and ignores the others.
func TestAnEncryptedAssertionIsForUs(t *testing.T) {
	idp := newSigner(t, providerKey())
	e := expectation(idp.cert)
	e.Keys = []crypto.Decrypter{ourKey()}
	good := encrypted(t, idp.sign(t, plainAssertion(1), "_assertion1"), sealing{})
	other := strings.Replace(between(good, "<e:EncryptedKey ", "</e:EncryptedKey>"), `Id="_key1"`, `Recipient="https://other.example"`, 1)
	message := replace(t, good, `Id="_key1"`, `Recipient="`+testEntity+`"`, "</e:EncryptedKey>", "</e:EncryptedKey>"+strings.Repeat(other, 5))
	accept(t, respond(message), e)
}

// xor returns the exclusive or of octets and a text of the same length.
func xor(octets []byte, text string) []byte {
	mixed := make([]byte, len(octets))
	for i := range octets {
		mixed[i] = octets[i] ^ text[i]
	}
	return mixed
}
