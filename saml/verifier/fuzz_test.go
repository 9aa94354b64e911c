package verifier

import (
	"bytes"
	"encoding/xml"
	"io"
	"strings"
	"testing"

	"github.com/beevik/etree"
)

// FuzzGuard compares our reader with encoding/xml: what ours accepts, that must read as the
// same elements, attributes and text.
func FuzzGuard(f *testing.F) {
	f.Add([]byte(respond(plainAssertion(3))))
	f.Add([]byte(wrap("<x y='a&#10;b'>a<![CDATA[<b>]]>&amp;c\r\n</x><!-- c --><q:x xmlns:q='u:1' q:y='1'/>")))
	f.Add([]byte("\xEF\xBB\xBF<?xml version='1.0'?>" + wrap(`<x xmlns="u:1"><y xmlns="" xml:lang="en"/></x>`)))
	f.Add([]byte(`<!DOCTYPE x>` + wrap("&e;")))
	f.Add([]byte(wrap("<q:x xmlns:q='u:1\n' q:y=''/>")))
	f.Fuzz(func(t *testing.T, message []byte) {
		el, refusal := parse(message, nil, newGuard(responseName))
		if refusal != nil {
			return
		}
		ours := etree.NewDocumentWithRoot(el)
		var written bytes.Buffer
		ours.WriteSettings = etree.WriteSettings{CanonicalText: true, CanonicalAttrVal: true, CanonicalEndTags: true}
		if _, err := ours.WriteTo(&written); err != nil {
			t.Fatal(err)
		}
		raw := tokens(t, bytes.TrimPrefix(message, []byte("\xEF\xBB\xBF")))
		again := tokens(t, written.Bytes())
		if raw != again {
			t.Fatalf("encoding/xml reads\n%s\nwe read\n%s", raw, again)
		}
	})
}

// tokens writes down what encoding/xml reads of a message. It keeps line breaks and tabs in
// attribute values, which XML makes spaces.
func tokens(t *testing.T, message []byte) string {
	t.Helper()
	decoder := xml.NewDecoder(bytes.NewReader(message))
	spaces := strings.NewReplacer("\n", " ", "\t", " ", "\r", " ")
	var b strings.Builder
	depth := 0
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			return b.String()
		}
		if err != nil {
			t.Fatalf("we read %q, and encoding/xml does not: %v", message, err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			depth++
			b.WriteString("\x00<" + token.Name.Space + " " + token.Name.Local)
			for _, a := range token.Attr {
				b.WriteString("\x00@" + a.Name.Space + " " + a.Name.Local + "=" + spaces.Replace(a.Value))
			}
			b.WriteString("\x00>")
		case xml.EndElement:
			depth--
			b.WriteString("\x00/")
		case xml.CharData:
			if depth > 0 {
				b.Write(token)
			}
		}
	}
}

// FuzzVerify changes messages that are signed. Whatever is accepted must name the person and
// the groups that were signed.
func FuzzVerify(f *testing.F) {
	idp := newSigner(f, providerKey())
	one := respond(idp.sign(f, plainAssertion(2), "_assertion1"))
	f.Add([]byte(one))
	f.Add([]byte(idp.sign(f, respond(plainAssertion(2)), "_response1")))
	f.Add([]byte(idp.sign(f, one, "_response1")))
	f.Add([]byte(respond(encrypted(f, idp.sign(f, plainAssertion(2), "_assertion1"), sealing{}))))
	f.Add([]byte(idp.sign(f, respond(encrypted(f, plainAssertion(2), sealing{cipher: "aes256-cbc"})), "_response1")))
	e := expectation(idp.cert)
	e.Keys = append(e.Keys, ourKey())
	f.Fuzz(func(t *testing.T, message []byte) {
		before := Panics()
		got, err := Verify(t.Context(), message, e)
		if Panics() != before {
			t.Fatalf("Verify panicked: %v", err)
		}
		if err != nil {
			return
		}
		if got.NameID.Value != "person-1" || len(got.Attributes) != 2 || len(got.Attributes[1].Values) != 2 || got.Attributes[1].Values[1] != "group-0001" {
			t.Fatalf("Verify = %+v, which nobody signed", got)
		}
	})
}
