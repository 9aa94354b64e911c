package scim

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	filter "github.com/scim2/filter-parser/v2"
)

func TestParseFilter(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"one clause", `userName eq "bjensen"`, `userName eq "bjensen"`},
		{"an operator in capitals", `userName EQ "bjensen"`, `userName eq "bjensen"`},
		{"more spaces than needed", `  userName   eq   "a"  `, `userName eq "a"`},
		{"a sub-attribute", `name.familyName co "O'Malley"`, `name.familyName co "O'Malley"`},
		{"a URN in front", `urn:ietf:params:scim:schemas:core:2.0:User:userName sw "J"`, `urn:ietf:params:scim:schemas:core:2.0:User:userName sw "J"`},
		{"presence", `title pr`, `title pr`},
		{"and binds closer than or", `a pr or b pr and c pr`, `a pr or b pr and c pr`},
		{"parentheses", `(a pr or b pr) and c pr`, `(a pr or b pr) and c pr`},
		{"negation", `not (a pr)`, `not(a pr)`},
		{"negation without a space", `a pr and not(b pr)`, `a pr and not(b pr)`},
		{"an attribute called not", `not pr`, `not pr`},
		{"true, false, null", `a eq TRUE and b eq False and c eq null`, `a eq true and b eq false and c eq`},
		{"numbers", `a gt -1.5e3`, `a gt -1.5e3`},
		{"a value path", `emails[type eq "work" and value co "@example.com"] or ims[type eq "xmpp"]`, `emails[type eq "work" and value co "@example.com"] or ims[type eq "xmpp"]`},
		{"three clauses in a value path, which the library refuses", `emails[type eq "work" and value pr and primary eq true]`, `emails[type eq "work" and value pr and primary eq true]`},
		{"a value of an element, which entra asks for", `emails[type eq "work" or primary eq true].value eq "a" and title pr`,
			`emails[(type eq "work" or primary eq true) and value eq "a"] and title pr`},
		{"an escaped quotation mark", `a eq "x\"y"`, `a eq "x\"y"`},
		{"a lower-case escape, which the library refuses", `a eq "\u00e9"`, `a eq "é"`},
		{"nesting of 20", strings.Repeat("(", 20) + "a pr" + strings.Repeat(")", 20), `a pr`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, err := parseFilter(tt.in)
			if err != nil {
				t.Fatalf("parseFilter(%s) = %v", tt.in, err)
			}
			if got := strings.TrimSpace(show(e)); got != tt.want {
				t.Errorf("parseFilter(%s) = %s, want %s", tt.in, got, tt.want)
			}
		})
	}
}

func show(e filter.Expression) string {
	if s, ok := e.(interface{ String() string }); ok {
		return s.String()
	}
	return "?"
}

func TestParseFilterRefuses(t *testing.T) {
	for _, in := range []string{
		``, ` `, `userName`, `userName eq`, `userName eq `, `userName xx "a"`, `(((`, `userName eq "a" and`, `userName eq "a`,
		`eq "a"`, `userName eq "a")`, `(userName eq "a"`, `emails[type eq "work"`, `emails[type eq "work"]]`, `userName eq "a" xor title pr`,
		`title pr pr`, `userName eq a"b`, `not title pr and`, `userName eq 'a'`, `userName eq"a"`, `userName "a"`, `emails[]`,
		`emails[ims[type pr]]`, `a..b pr`, `a.b.c pr`, `1a pr`, `:a pr`, `a: pr`, `urn::a pr`, `$ pr`, `a eq 01`, `a eq "\x"`, "a eq \"\x00\"",
		`emails[type eq "work"].`, `emails[type eq "work"].value`, `emails[type eq "work"].value eq`, `emails[type eq "work"].a.b eq "x"`, `emails[type eq "work"]. value eq "x"`,
		`userName eq "a"; DROP TABLE users`,
		strings.Repeat("(", 21) + "a pr" + strings.Repeat(")", 21),
		strings.Repeat("(", 8000),
		strings.Repeat("a pr and ", 1000) + "a pr",
	} {
		if e, err := parseFilter(in); err == nil {
			t.Errorf("parseFilter(%.80q) = %s, want an error", in, show(e))
		}
	}
}

func TestParsePath(t *testing.T) {
	tests := []struct{ in, want string }{
		{`members`, `members`},
		{` members `, `members`},
		{`name.familyName`, `name.familyName`},
		{`members[value eq "2819c223"]`, `members[value eq "2819c223"]`},
		{`members [ value eq "2819c223" ]`, `members[value eq "2819c223"]`},
		{`addresses[type eq "work"].streetAddress`, `addresses[type eq "work"].streetAddress`},
		{`emails[type eq "work" or type eq "home" or primary eq true].value`, `emails[type eq "work" or type eq "home" or primary eq true].value`},
		{`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.$ref`, `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.$ref`},
		{`a[not (b pr)]`, `a[not(b pr)]`},
	}
	for _, tt := range tests {
		p, err := parsePath(tt.in)
		if err != nil || p.String() != tt.want {
			t.Errorf("parsePath(%s) = %s, %v, want %s", tt.in, p, err, tt.want)
		}
	}
	for _, in := range []string{``, `a b`, `noSuchAttribute[`, `a[b`, `a[b pr].`, `a[b pr].c.d`, `a[b pr]c`, `[a pr]`, `a.`, `.a`, `a[(b pr]`, strings.Repeat("a", 9000)} {
		if p, err := parsePath(in); err == nil {
			t.Errorf("parsePath(%.60q) = %s, want an error", in, p)
		}
	}
}

// FuzzParseFilter holds our reader against the library's: no input may crash ours,
// and where both accept, they agree. The library is not asked about deep nesting,
// which kills it, nor about escapes, which it does not decode.
func FuzzParseFilter(f *testing.F) {
	for _, seed := range []string{
		`userName eq "bjensen"`, `a pr and (b co "x" or not (c gt 5))`, `emails[type eq "work" and value co "@"].value`, `urn:a:2.0:User:x.y ne null`,
		`a[b pr and not (c eq true)]`, `a eq -1.5E+10`, `((((`, `a eq "\""`, `not(a pr)`, `a pr or b pr and c pr`, `members[value eq "x"]`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ours, err := parseFilter(s)
		path, pathErr := parsePath(s)
		if strings.Count(s, "(") > maxNesting || strings.ContainsRune(s, '\\') || len(s) > 200 {
			return
		}
		if err == nil {
			if theirs, err := filter.ParseFilterNumber([]byte(s)); err == nil && !cmp.Equal(theirs, ours) {
				t.Errorf("filter %q (-library +ours):\n%s", s, cmp.Diff(theirs, ours))
			}
		}
		if pathErr == nil {
			if theirs, err := filter.ParsePathNumber([]byte(s)); err == nil && !cmp.Equal(theirs, path) {
				t.Errorf("path %q (-library +ours):\n%s", s, cmp.Diff(theirs, path))
			}
		}
	})
}

func TestSelector(t *testing.T) {
	emails := userType.attributes.find("emails")
	element := func(s string) node {
		v, err := parseJSON(s)
		if err != nil {
			t.Fatal(err)
		}
		n, err := emails.single("emails", v)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	work := element(`{"type":"work","value":"Bjensen@example.com","primary":true}`)
	home := element(`{"type":"home","value":"babs@jensen.org"}`)
	tests := []struct {
		filter     string
		work, home bool
	}{
		{`type eq "work"`, true, false},
		{`type eq "WORK"`, true, false},
		{`TYPE ne "work"`, false, true},
		{`value co "EXAMPLE"`, true, false},
		{`value sw "b"`, true, true},
		{`value ew ".org"`, false, true},
		{`value gt "c"`, false, false},
		{`value ge "babs@jensen.org" and value lt "bb"`, false, true},
		{`value le "babs@jensen.org"`, false, true},
		{`primary eq true`, true, false},
		{`primary eq "True"`, true, false},
		{`primary ne true`, false, true},
		{`primary pr`, true, false},
		{`display pr`, false, false},
		{`display eq null`, true, true},
		{`type ne null`, true, true},
		{`display ne "x"`, true, true},
		{`display co "x"`, false, false},
		{`not (type eq "work")`, false, true},
		{`type eq "work" and value ew "example.com" and primary eq true`, true, false},
		{`type eq "home" or primary eq true`, true, true},
		{`type eq 5`, false, false},
	}
	for _, tt := range tests {
		e, err := parseFilter(tt.filter)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			name    string
			element *node
			want    bool
		}{{"work", &work, tt.work}, {"home", &home, tt.home}} {
			if held, err := emails.selector(e); err != nil || held(c.element) != c.want {
				t.Errorf("selector(%s) of the %s address: %v, want %v", tt.filter, c.name, err, c.want)
			}
		}
	}
	for _, in := range []string{`colour eq "red"`, `emails.type eq "work"`, `primary gt true`, `primary eq "maybe"`, `type gt null`, `type eq "x" or colour pr`} {
		e, err := parseFilter(in)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := emails.selector(e); err == nil {
			t.Errorf("selector(%s) found nothing wrong", in)
		}
	}
}
