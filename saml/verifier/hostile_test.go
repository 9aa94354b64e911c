package verifier

import (
	"crypto"
	"fmt"
	"strings"
	"testing"
	"time"
)

// hostileMessages are messages of about 1 MiB that a stranger could send, each made to cost
// as much as it can in another way.
func hostileMessages(tb testing.TB) map[string]string {
	tb.Helper()
	stranger := newSigner(tb, strangerKey())
	fill := func(size int, format string) string {
		var b strings.Builder
		for i := 0; b.Len() < size; i++ {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	const size = MaxMessage - 16<<10
	plain := plainAssertion(1)
	inside := func(filler string) string {
		return respond(replace(tb, plain, "group-0000", filler))
	}
	group := `<saml:AttributeValue xsi:type="xs:string">` + strings.Repeat("g", 30) + `%d</saml:AttributeValue>`
	large := respond(replace(tb, plain, `<saml:AttributeValue xsi:type="xs:string">group-0000</saml:AttributeValue>`, fill(size, group)))
	signed := stranger.sign(tb, plain, "_assertion1")
	// Whoever has signed in once has a SignedInfo that verifies, and can put anything around it.
	genuine := newSigner(tb, providerKey()).sign(tb, plain, "_assertion1")
	around := func(filler string) string {
		return respond(replace(tb, genuine, `<saml:AttributeValue xsi:type="xs:string">group-0000</saml:AttributeValue>`, filler))
	}
	prefixes := func(n, elements int) string {
		var open, end strings.Builder
		for i := 0; i < n; i += 20 {
			open.WriteString("<saml:AttributeValue")
			for j := i; j < min(i+20, n); j++ {
				fmt.Fprintf(&open, ` xmlns:a%d="u"`, j)
			}
			open.WriteString(">")
			end.WriteString("</saml:AttributeValue>")
		}
		return open.String() + strings.Repeat("<saml:x/>", elements) + end.String()
	}
	sealed := encrypted(tb, strings.Repeat("x", size/2), sealing{})
	reference := between(signed, "<ds:Reference ", "</ds:Reference>")
	return map[string]string{
		"deep":                  inside(strings.Repeat("<x>", size/7) + strings.Repeat("</x>", size/7)),
		"many attributes":       inside("<x " + fill(size, `a%d="" `) + "/>"),
		"attributes in limits":  inside(fill(size, `<x a="" b="" c="" d="" e="" f="" g="" h="" i="" j="" k="" l="%d"/>`)),
		"many elements":         inside(strings.Repeat("<x/>", size/4)),
		"elements in limits":    large,
		"one text":              inside(strings.Repeat("x", size)),
		"many references":       inside(strings.Repeat("&amp;", size/5)),
		"many CDATA":            inside(strings.Repeat("<![CDATA[]]>", size/12)),
		"many comments":         inside(strings.Repeat("<!---->", size/7)),
		"many namespaces":       inside(fill(size, `<x xmlns:a%d="u"/>`)),
		"nested namespaces":     inside(fill(size, `<x xmlns:a%d="u">`)),
		"one prefix rebound":    inside(fill(size, `<x xmlns:a="u%d" a:b=""/>`)),
		"a long attribute":      inside(`<x y="` + strings.Repeat("y", size) + `"/>`),
		"many signatures":       replace(tb, respond(signed), "</ds:Signature>", "</ds:Signature>"+strings.Repeat(`<ds:Signature xmlns:ds="`+signatureSpace+`"/>`, size/64)),
		"signed references":     replace(tb, respond(signed), reference, strings.Repeat(reference, size/len(reference))),
		"a long SignatureValue": replace(tb, respond(signed), "<ds:SignatureValue>", "<ds:SignatureValue>"+strings.Repeat("AAAA", size/4)),
		"signed by a stranger":  respond(stranger.sign(tb, between(large, "<saml:Assertion ", "</saml:Assertion>"), "_assertion1")),
		"genuine, elements":     around(fill(size, group)),
		"genuine, prefixes":     around(prefixes(50, 2_500)),
		"genuine, both":         around(prefixes(50, 11_000)),
		"a long CipherValue":    respond(sealed),
		"many EncryptedKeys":    replace(tb, respond(encrypted(tb, plain, sealing{})), "</e:EncryptedKey>", "</e:EncryptedKey>"+strings.Repeat(`<e:EncryptedKey xmlns:e="`+encryptionSpace+`"/>`, size/70)),
		"large when decrypted":  respond(encrypted(tb, between(large, "<saml:Assertion ", "</saml:Assertion>")[:size*6/10], sealing{})),
		"a document type":       `<!DOCTYPE x [` + fill(size, `<!ENTITY e%d "x">`) + `]>` + respond(plain),
		"no XML":                strings.Repeat("x", size),
		"nothing but <":         strings.Repeat("<", size),
	}
}

func hostileExpectation(tb testing.TB) Expectation {
	tb.Helper()
	e := expectation()
	for serial := range int64(16) {
		e.Certificates = append(e.Certificates, certify(tb, providerKey(), serial+1))
	}
	e.Keys = []crypto.Decrypter{ourKey(), strangerKey()}
	return e
}

// TestHostileMessagesAreRefused bounds their time only roughly, since others may use the
// machine: see BenchmarkHostile.
func TestHostileMessagesAreRefused(t *testing.T) {
	e := hostileExpectation(t)
	for name, message := range hostileMessages(t) {
		t.Run(name, func(t *testing.T) {
			begun := time.Now()
			if got, err := Verify(t.Context(), []byte(message), e); err == nil {
				t.Fatalf("Verify = %+v, want it refused", got)
			}
			if took := time.Since(begun); took > 2*time.Second {
				t.Errorf("Verify took %v for %d bytes", took, len(message))
			}
		})
	}
}

// BenchmarkHostile refuses messages of about 1 MiB, with 16 certificates of a provider and two
// keys of ours. Each is to take less than 25 ms.
func BenchmarkHostile(b *testing.B) {
	e := hostileExpectation(b)
	for name, message := range hostileMessages(b) {
		octets := []byte(message)
		b.Run(strings.ReplaceAll(name, " ", "_"), func(b *testing.B) {
			defer processor(b)()
			for b.Loop() {
				if _, err := Verify(b.Context(), octets, e); err == nil {
					b.Fatal("accepted")
				}
			}
		})
	}
}
