package samltest_test

import (
	"testing"

	"github.com/rolesync/rolesync/saml/samltest"
)

func canonical(t *testing.T, document, local, algorithm string, prefixes ...string) string {
	t.Helper()
	root, err := samltest.Parse(document)
	if err != nil {
		t.Fatal(err)
	}
	return samltest.Canonical(root, root.Find(local), algorithm, prefixes...)
}

// TestCanonicalPublished has the examples of the two recommendations.
func TestCanonicalPublished(t *testing.T) {
	const (
		// Exclusive XML Canonicalization 1.0, section 2.2.
		first  = `<n0:local xmlns:n0="foo:bar" xmlns:n3="ftp://example.org"><n1:elem2 xmlns:n1="http://example.net" xml:lang="en"><n3:stuff xmlns:n3="ftp://example.org"/></n1:elem2></n0:local>`
		second = `<n2:pdu xmlns:n1="http://example.com" xmlns:n2="http://foo.example" xml:lang="fr" xml:space="retain"><n1:elem2 xmlns:n1="http://example.net" xml:lang="en"><n3:stuff xmlns:n3="ftp://example.org"/></n1:elem2></n2:pdu>`
		both   = `<n1:elem2 xmlns:n1="http://example.net" xml:lang="en"><n3:stuff xmlns:n3="ftp://example.org"></n3:stuff></n1:elem2>`
		// Canonical XML 1.0, section 3.3, without its document type.
		tags = `<doc>
   <e1   />
   <e2   ></e2>
   <e3   name = "elem3"   id="elem3"   />
   <e5 a:attr="out" b:attr="sorted" attr2="all" attr="I'm"
      xmlns:b="http://www.ietf.org"
      xmlns:a="http://www.w3.org"
      xmlns="http://example.org"/>
   <e6 xmlns="" xmlns:a="http://www.w3.org">
      <e7 xmlns="http://www.ietf.org">
         <e8 xmlns="" xmlns:a="http://www.w3.org">
            <e9 xmlns="" xmlns:a="http://www.ietf.org"/>
         </e8>
      </e7>
   </e6>
</doc>`
		tagsCanonical = `<doc>
   <e1></e1>
   <e2></e2>
   <e3 id="elem3" name="elem3"></e3>
   <e5 xmlns="http://example.org" xmlns:a="http://www.w3.org" xmlns:b="http://www.ietf.org" attr="I'm" attr2="all" b:attr="sorted" a:attr="out"></e5>
   <e6 xmlns:a="http://www.w3.org">
      <e7 xmlns="http://www.ietf.org">
         <e8 xmlns="">
            <e9 xmlns:a="http://www.ietf.org"></e9>
         </e8>
      </e7>
   </e6>
</doc>`
		// Canonical XML 1.0, section 3.4, without its document type.
		characters = "<doc>\r\n" +
			`   <text>First line&#x0d;&#10;Second line</text>
   <value>&#x32;</value>
   <compute><![CDATA[value>"0" && value<"10" ?"valid":"error"]]></compute>
   <compute expr='value>"0" &amp;&amp; value&lt;"10" ?"valid":"error"'>valid</compute>
   <norm attr=' &apos;   &#x20;&#13;&#xa;&#9;   &apos; '/>
</doc>`
		charactersCanonical = `<doc>
   <text>First line&#xD;
Second line</text>
   <value>2</value>
   <compute>value&gt;"0" &amp;&amp; value&lt;"10" ?"valid":"error"</compute>
   <compute expr="value>&quot;0&quot; &amp;&amp; value&lt;&quot;10&quot; ?&quot;valid&quot;:&quot;error&quot;">valid</compute>
   <norm attr=" '    &#xD;&#xA;&#x9;   ' "></norm>
</doc>`
	)
	tests := []struct {
		name, document, local, algorithm string
		prefixes                         []string
		want                             string
	}{
		{"an element in one envelope", first, "elem2", samltest.Exclusive, nil, both},
		{"the element in another envelope", second, "elem2", samltest.Exclusive, nil, both},
		{"inclusive, an element in one envelope", `<n0:local xmlns:n0="foo:bar" xmlns:n3="ftp://example.org"><n1:elem2 xmlns:n1="http://example.net" xml:lang="en"><n3:stuff/></n1:elem2></n0:local>`, "elem2", samltest.Inclusive, nil,
			`<n1:elem2 xmlns:n0="foo:bar" xmlns:n1="http://example.net" xmlns:n3="ftp://example.org" xml:lang="en"><n3:stuff></n3:stuff></n1:elem2>`},
		{"a prefix that is to be included", first, "elem2", samltest.Exclusive, []string{"n0"},
			`<n1:elem2 xmlns:n0="foo:bar" xmlns:n1="http://example.net" xml:lang="en"><n3:stuff xmlns:n3="ftp://example.org"></n3:stuff></n1:elem2>`},
		{"start and end tags", tags, "doc", samltest.Inclusive, nil, tagsCanonical},
		{"characters and references", characters, "doc", samltest.Inclusive, nil, charactersCanonical},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := canonical(t, test.document, test.local, test.algorithm, test.prefixes...); got != test.want {
				t.Errorf("Canonical(%s) = %s\nwant %s", test.document, got, test.want)
			}
		})
	}
}

func TestCanonicalNamespaces(t *testing.T) {
	tests := []struct {
		name, document string
		prefixes       []string
		want           string
	}{
		{"a default namespace is inherited", `<r xmlns="urn:a"><x><y/></x></r>`, nil, `<x xmlns="urn:a"><y></y></x>`},
		{"a default namespace ends", `<r xmlns="urn:a"><x><y xmlns=""/></x></r>`, nil, `<x xmlns="urn:a"><y xmlns=""></y></x>`},
		{"a default namespace that nothing uses", `<r xmlns="urn:a" xmlns:p="urn:p"><p:x/></r>`, nil, `<p:x xmlns:p="urn:p"></p:x>`},
		{"a default namespace that is to be included", `<r xmlns="urn:a" xmlns:p="urn:p"><p:x/></r>`, []string{"#default"}, `<p:x xmlns="urn:a" xmlns:p="urn:p"></p:x>`},
		{"a prefix of an attribute", `<r xmlns:p="urn:p"><x p:a="1" b="2"/></r>`, nil, `<x xmlns:p="urn:p" b="2" p:a="1"></x>`},
		{"a prefix in a value is not used", `<r xmlns:p="urn:p"><x a="p:b"/></r>`, nil, `<x a="p:b"></x>`},
		{"a prefix bound again to the same", `<r xmlns:p="urn:p"><p:x><p:y xmlns:p="urn:p"/></p:x></r>`, nil, `<p:x xmlns:p="urn:p"><p:y></p:y></p:x>`},
		{"a prefix bound again to another", `<r xmlns:p="urn:p"><p:x><p:y xmlns:p="urn:q"/><p:z/></p:x></r>`, nil, `<p:x xmlns:p="urn:p"><p:y xmlns:p="urn:q"></p:y><p:z></p:z></p:x>`},
		{"attributes sorted by namespace, not by prefix", `<r xmlns:a="urn:z" xmlns:b="urn:y"><x a:m="1" b:n="2"/></r>`, nil, `<x xmlns:a="urn:z" xmlns:b="urn:y" b:n="2" a:m="1"></x>`},
		{"comments go, instructions stay", `<r><x><!-- c --><?p d?></x></r>`, nil, `<x><?p d?></x>`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := canonical(t, test.document, "x", samltest.Exclusive, test.prefixes...); got != test.want {
				t.Errorf("Canonical(%s) = %s\nwant %s", test.document, got, test.want)
			}
		})
	}
}

func TestCanonicalWithComments(t *testing.T) {
	const document = `<r><x>a<!-- c -->b</x></r>`
	if got, want := canonical(t, document, "x", samltest.ExclusiveWithComments), `<x>a<!-- c -->b</x>`; got != want {
		t.Errorf("Canonical(%s) = %s, want %s", document, got, want)
	}
}

func TestParseKeepsHowAMessageIsWritten(t *testing.T) {
	for _, text := range []string{
		`<a/>`, `<a></a>`, `<a b='1' c="2"/>`, `<a>x&#13;y&amp;z</a>`, `<a><![CDATA[<b>]]></a>`, `<a><!-- c --><?p d?> <b/></a>`,
		`<p:a xmlns:p="urn:p" p:b="&#x9;&lt;"/>`,
	} {
		root, err := samltest.Parse(text)
		if err != nil {
			t.Errorf("Parse(%s): %v", text, err)
			continue
		}
		if got := root.String(); got != text {
			t.Errorf("Parse(%s) is written %s", text, got)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{
		"", " ", "x", "<a>", "<a", "<a b>", "<a b=c/>", `<a b="1/>`, "</a>", "<a></b>", "<a/><b/>", "<a/>x", "<!DOCTYPE a><a/>",
		"<a>&b;</a>", "<a>&</a>", "<a>&#xZ;</a>", "<a>&#99999999;</a>", "<a><!-- </a>", "<a><![CDATA[</a>", "< a/>",
	} {
		if root, err := samltest.Parse(text); err == nil {
			t.Errorf("Parse(%s) = %s, want an error", text, root)
		}
	}
}
