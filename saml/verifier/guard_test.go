package verifier

import (
	"fmt"
	"strings"
	"testing"

	"github.com/beevik/etree"
)

// wrap puts XML into a response that the guard accepts without it.
func wrap(inner string) string {
	return `<p:Response xmlns:p="` + protocolSpace + `" xmlns:a="` + assertionSpace + `" ID="r"><a:Assertion ID="a">` + inner + `</a:Assertion></p:Response>`
}

func guardMessage(message string) (*etree.Element, *Refusal) {
	g := newGuard(responseName)
	el, refusal := parse([]byte(message), nil, g)
	if refusal == nil {
		refusal = g.complete()
	}
	return el, refusal
}

func TestGuardAccepts(t *testing.T) {
	tests := []struct{ name, message, want string }{
		{"nothing special", wrap(""), wrap("")},
		{"an XML declaration", `<?xml version="1.0" encoding="utf-8" standalone='yes' ?>` + "\n" + wrap(""), wrap("")},
		{"a byte order mark", "\xEF\xBB\xBF" + wrap(""), wrap("")},
		{"a byte order mark and a declaration", "\xEF\xBB\xBF<?xml version='1.0'?>" + wrap(""), wrap("")},
		{"white space and comments around the root", "\n<!-- a --> \n" + wrap("") + "\n<!-- b -->\n", wrap("")},
		{"a comment between elements", wrap("<a:X><!-- c --><a:Y></a:Y></a:X>"), wrap("<a:X><a:Y></a:Y></a:X>")},
		{"an empty element", wrap("<x/>"), wrap("<x></x>")},
		{"single quotes", wrap("<x y='\"'/>"), wrap("<x y=\"&quot;\"></x>")},
		{"white space in tags", wrap("<x\n y = '1'\t></x >"), wrap(`<x y="1"></x>`)},
		{"references", wrap("&lt;&gt;&amp;&apos;&quot;&#65;&#x42;&#x1F600;"), wrap("&lt;&gt;&amp;'\"AB😀")},
		{"CDATA", wrap("<x>a<![CDATA[<b>]]>c</x>"), wrap("<x>a&lt;b&gt;c</x>")},
		{"an empty CDATA", wrap("<x><![CDATA[]]></x>"), wrap("<x></x>")},
		{"line breaks", wrap("<x>a\r\nb\rc&#13;d</x>"), wrap("<x>a\nb\nc&#xD;d</x>")},
		{"line breaks in an attribute", wrap("<x y='a\r\n\tb&#10;c'/>"), wrap(`<x y="a  b&#xA;c"></x>`)},
		{"a prefix bound twice", wrap(`<q:x xmlns:q="u:1"><q:y xmlns:q="u:2"/></q:x>`), wrap(`<q:x xmlns:q="u:1"><q:y xmlns:q="u:2"></q:y></q:x>`)},
		{"a default namespace, and none again", wrap(`<x xmlns="u:1"><y xmlns=""/></x>`), wrap(`<x xmlns="u:1"><y xmlns=""></y></x>`)},
		{"the attributes of XML and of schemas", wrap(`<x xmlns:xsi="` + instanceSpace + `" xml:lang="en" xml:base="https://x/" xsi:type="t" xsi:schemaLocation="a b"/>`), wrap(`<x xmlns:xsi="` + instanceSpace + `" xml:lang="en" xml:base="https://x/" xsi:type="t" xsi:schemaLocation="a b"></x>`)},
		{"xml declared as what it is is refused elsewhere, its use is not", wrap(`<x xml:id="i"/>`), wrap(`<x xml:id="i"></x>`)},
		{"an empty ID of another kind", wrap(`<x identity="r"/>`), wrap(`<x identity="r"></x>`)},
		{"many siblings that bind the same prefix", wrap(strings.Repeat(`<x xmlns:q="u"/>`, 5000)), wrap(strings.Repeat(`<x xmlns:q="u"></x>`, 5000))},
		{"as deep as may be", wrap(nest(maxDepth - 2)), wrap(nest(maxDepth - 2))},
		{"as many attributes as may be", wrap("<x" + many(maxAttributes, ` a%d="1"`) + "></x>"), wrap("<x" + many(maxAttributes, ` a%d="1"`) + "></x>")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			el, refusal := guardMessage(test.message)
			if refusal != nil {
				t.Fatalf("parse = %v, want it accepted", refusal)
			}
			if got := canonical(t, el); got != test.want {
				t.Errorf("parse = %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestGuardRefuses(t *testing.T) {
	tests := []struct {
		name, message string
		want          Code
	}{
		{"nothing", "", Malformed},
		{"no XML", "hello", Malformed},
		{"another root", `<a:Assertion xmlns:a="` + assertionSpace + `"/>`, Malformed},
		{"a root without a namespace", `<Response/>`, Malformed},
		{"two roots", wrap("") + wrap(""), Malformed},
		{"text behind the root", wrap("") + "x", Malformed},
		{"a document type", `<!DOCTYPE x [<!ENTITY e "x">]>` + wrap("&e;"), Doctype},
		{"a document type in small letters", `<!doctype x>` + wrap(""), Doctype},
		{"a document type inside", wrap(`<!DOCTYPE x>`), Doctype},
		{"CDATA outside of the root", `<![CDATA[x]]>` + wrap(""), Doctype},
		{"a processing instruction in front", `<?xml-stylesheet href="x"?>` + wrap(""), Malformed},
		{"a processing instruction inside", wrap("<?php x ?>"), Malformed},
		{"a second XML declaration", wrap("<?xml version='1.0'?>"), Malformed},
		{"an XML declaration behind a line break", "\n<?xml version='1.0'?>" + wrap(""), Malformed},
		{"XML 1.1", `<?xml version="1.1"?>` + wrap(""), Malformed},
		{"another encoding", `<?xml version="1.0" encoding="ISO-8859-1"?>` + wrap(""), Malformed},
		{"two encodings", `<?xml version="1.0" encoding="utf-8" encoding="utf-7"?>` + wrap(""), Malformed},
		{"UTF-16", "\xFE\xFF\x00<\x00x", Malformed},
		{"two byte order marks", "\xEF\xBB\xBF\xEF\xBB\xBF" + wrap(""), Malformed},
		{"octets that are not UTF-8", wrap("\xC0\x80"), Malformed},
		{"a surrogate", wrap("\xED\xA0\x80"), Malformed},
		{"a null", wrap("\x00"), Malformed},
		{"a control character", wrap("\x0B"), Malformed},
		{"no character", wrap("\uFFFE"), Malformed},
		{"a reference to null", wrap("&#0;"), Malformed},
		{"a reference to a surrogate", wrap("&#xD800;"), Malformed},
		{"a reference beyond Unicode", wrap("&#x110000;"), Malformed},
		{"a reference with a sign", wrap("&#+65;"), Malformed},
		{"a reference in large hexadecimal", wrap("&#X41;"), Malformed},
		{"an unknown entity", wrap("&nbsp;"), Malformed},
		{"an entity that does not end", wrap("&lt"), Malformed},
		{"an ampersand alone", wrap("a & b"), Malformed},
		{"]]> in text", wrap("a]]>b"), Malformed},
		{"a comment in a value", wrap("<x>ad<!-- -->min</x>"), Malformed},
		{"a comment before a value", wrap("<x><!-- -->admin</x>"), Malformed},
		{"a comment behind a value", wrap("<x>admin<!-- --></x>"), Malformed},
		{"a comment as a value", wrap("<x><!-- --></x>"), Malformed},
		{"a comment in a value with elements", wrap("<x><y/>a<!-- --></x>"), Malformed},
		{"a comment with -- in it", wrap("<x><y/><!-- -- --></x>"), Malformed},
		{"a comment that does not end", wrap("<!-- "), Malformed},
		{"a CDATA that does not end", wrap("<![CDATA["), Malformed},
		{"an element that does not end", `<p:Response xmlns:p="` + protocolSpace + `">`, Malformed},
		{"an element that ends as another", wrap("<x></y>"), Malformed},
		{"an element that ends with another prefix", wrap(`<p:x></a:x>`), Malformed},
		{"an end alone", wrap("") + "</x>", Malformed},
		{"an attribute twice", wrap(`<x y="1" y="2"/>`), Malformed},
		{"an attribute twice, by two prefixes", wrap(`<x xmlns:q="u" xmlns:r="u" q:y="1" r:y="2"/>`), Malformed},
		{"an attribute without a value", wrap(`<x y/>`), Malformed},
		{"an attribute without quotes", wrap(`<x y=1/>`), Malformed},
		{"an attribute with <", wrap(`<x y="<"/>`), Malformed},
		{"attributes without space between", wrap(`<x y="1"z="2"/>`), Malformed},
		{"a namespace with a line break, a space to some", wrap("<q:x xmlns:q='u:1\n'/>"), Malformed},
		{"a default namespace with a reference to a line break", wrap("<x xmlns='u:1&#10;'/>"), Malformed},
		{"an undeclared prefix", wrap(`<q:x/>`), Malformed},
		{"an undeclared prefix of an attribute", wrap(`<x q:y="1"/>`), Malformed},
		{"a prefix out of scope", wrap(`<x xmlns:q="u"/><q:y/>`), Malformed},
		{"a prefix bound to nothing", wrap(`<x xmlns:q=""/>`), Malformed},
		{"the prefix xml bound anew", wrap(`<x xmlns:xml="u"/>`), Malformed},
		{"the prefix xmlns bound", wrap(`<x xmlns:xmlns="u"/>`), Malformed},
		{"another prefix for xml", wrap(`<x xmlns:q="` + xmlSpace + `"/>`), Malformed},
		{"xml as the default namespace", wrap(`<x xmlns="` + xmlSpace + `"/>`), Malformed},
		{"xmlns as the default namespace", wrap(`<x xmlns="` + xmlnsSpace + `"/>`), Malformed},
		{"the element xmlns:x", wrap(`<xmlns:x/>`), Malformed},
		{"a name with two colons", wrap(`<a:b:c/>`), Malformed},
		{"a name that begins with a colon", wrap(`<:x/>`), Malformed},
		{"a name that ends with a colon", wrap(`<a:/>`), Malformed},
		{"a name that begins with a digit", wrap(`<1x/>`), Malformed},
		{"a name of other letters", wrap(`<é/>`), Malformed},
		{"an ID twice", wrap(`<x ID="a"/>`), DuplicateID},
		{"an ID twice, by other attributes", wrap(`<x Id="r"/>`), DuplicateID},
		{"an ID twice, by xml:id", wrap(`<x xml:id="r"/>`), DuplicateID},
		{"an ID with a prefix", wrap(`<x a:ID="b"/>`), Malformed},
		{"no assertion", `<p:Response xmlns:p="` + protocolSpace + `"/>`, Malformed},
		{"two assertions", replace(t, wrap(""), "</p:Response>", `<a:Assertion ID="b"/></p:Response>`), Malformed},
		{"an assertion and an encrypted one", replace(t, wrap(""), "</p:Response>", `<a:EncryptedAssertion/></p:Response>`), Malformed},
		{"an assertion in an assertion", wrap(`<a:Assertion ID="b"/>`), Malformed},
		{"an assertion in an extension", replace(t, wrap(""), "<a:Assertion", `<p:Extensions><a:Assertion`, "</a:Assertion>", "</a:Assertion></p:Extensions>"), Malformed},
		{"a response in a response", wrap(`<p:Response/>`), Malformed},
		{"a signature in a signature", wrap(`<Signature xmlns="` + signatureSpace + `"><Object><Signature/></Object></Signature>`), Malformed},
		{"two signatures", wrap(strings.Repeat(`<Signature xmlns="`+signatureSpace+`"/>`, 2)), Malformed},
		{"a signature in a subject", wrap(`<a:Subject><Signature xmlns="` + signatureSpace + `"/></a:Subject>`), Malformed},
		{"too deep", wrap(nest(maxDepth - 1)), TooLarge},
		{"too many elements", wrap(strings.Repeat("<x/>", maxElements)), TooLarge},
		{"too many pieces of text", wrap(strings.Repeat("a<![CDATA[b]]>", maxNodes/2)), TooLarge},
		{"too many attributes", wrap("<x" + many(maxAttributes+1, ` a%d="1"`) + "/>"), TooLarge},
		{"too many attributes in all", wrap(strings.Repeat("<x a='' b='' c='' d=''/>", maxAttributed/4)), TooLarge},
		{"too many prefixes", wrap(many(maxPrefixes+1, `<x xmlns:a%d="u"/>`)), TooLarge},
		{"a long name", wrap("<" + strings.Repeat("x", maxName+1) + "/>"), TooLarge},
		{"a long attribute", wrap(`<x y="` + strings.Repeat("x", maxAttribute+1) + `"/>`), TooLarge},
		{"a long message", wrap(strings.Repeat("x", MaxMessage)), TooLarge},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, refusal := guardMessage(test.message)
			if refusal == nil || refusal.Code != test.want {
				t.Errorf("parse = %v, want %s", refusal, test.want)
			}
		})
	}
}

func nest(depth int) string { return strings.Repeat("<x>", depth) + strings.Repeat("</x>", depth) }

func many(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// canonical writes an element with all of its declarations where they stood.
func canonical(tb testing.TB, el *etree.Element) string {
	tb.Helper()
	doc := etree.NewDocumentWithRoot(el.Copy())
	doc.WriteSettings = etree.WriteSettings{CanonicalText: true, CanonicalAttrVal: true, CanonicalEndTags: true}
	written, err := doc.WriteToString()
	if err != nil {
		tb.Fatal(err)
	}
	return written
}

func TestDecode(t *testing.T) {
	tests := []struct {
		name, value string
		want        Code // "": accepted
	}{
		{"in one line", "PHgvPg==", ""},
		{"in lines", " PHgv\r\n\tPg== \n", ""},
		{"empty", "", Malformed},
		{"white space", " \n", Malformed},
		{"without padding", "PHgvPg", Malformed},
		{"too much padding", "PHgvPg===", Malformed},
		{"bits after the end", "PHgvPh==", Malformed},
		{"the alphabet of URLs", "PHg_Pg==", Malformed},
		{"more after the padding", "PHgvPg==PHgv", Malformed},
		{"too long", strings.Repeat("A", (MaxMessage/3+1)*4), TooLarge},
		{"much too long", strings.Repeat(" ", 2*MaxMessage), TooLarge},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := Decode(test.value)
			if test.want == "" {
				if err != nil || string(got) != "<x/>" {
					t.Errorf("Decode = %q, %v, want <x/>", got, err)
				}
				return
			}
			if refusal, ok := err.(*Refusal); !ok || refusal.Code != test.want {
				t.Errorf("Decode = %v, want %s", err, test.want)
			}
		})
	}
}
