package saml

import (
	"strings"
	"testing"
)

func TestCommonName(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"active directory":              {"CN=Domain Admins,CN=Users,DC=acme,DC=example", "Domain Admins"},
		"openldap":                      {"cn=admins,ou=groups,dc=acme,dc=example", "admins"},
		"the long descriptor":           {"commonName=admins,dc=acme", "admins"},
		"an oid":                        {"2.5.4.3=admins,dc=acme", "admins"},
		"nothing but a cn":              {"CN=admins", "admins"},
		"spaces around the signs":       {"CN = admins , OU = groups", "admins"},
		"an escaped comma":              {`CN=Admins\, EMEA,OU=Groups`, "Admins, EMEA"},
		"an escaped plus and backslash": {`CN=a\+b\\c,OU=Groups`, `a+b\c`},
		"a number sign in front":        {`CN=\#1 Fans,OU=Groups`, "#1 Fans"},
		"a space at the end that stays": {`CN=admins\ ,OU=Groups`, "admins "},
		"utf-8 byte by byte":            {`CN=Lu\C4\8Di\C4\87,OU=Groups`, "Lučić"},
		"utf-8 as it is":                {"CN=Büro,OU=Gruppen", "Büro"},
		"a carriage return, escaped":    {`CN=Before\0dAfter,O=Test`, "Before\rAfter"},
		"an equals sign in the value":   {"CN=a=b,OU=Groups", "a=b"},
		"several in one":                {"OU=Sales+CN=admins,DC=acme", "admins"},
		"the first of several":          {"CN=one+CN=two,DC=acme", "one"},
		"in hex":                        {"CN=#0C0661646D696E73,DC=acme", "admins"},
		"another attribute in hex":      {"CN=admins,1.3.6.1.4.1.1466.0=#04024869", "admins"},

		"a cn that is only the place": {"OU=Admins,CN=Users,DC=acme", ""},
		"no cn":                       {"OU=Admins,DC=acme", ""},
		"an empty cn":                 {"CN=,DC=acme", ""},
		"a name":                      {"Admins", ""},
		"a name with an equals sign":  {"a b=c", ""},
		"a path":                      {"/acme/admins", ""},
		"a urn":                       {"urn:mace:acme:CN=admins", ""},
		"the empty text":              {"", ""},
		"a comma at the end":          {"CN=admins,", ""},
		"a comma in front":            {",CN=admins", ""},
		"rubbish behind":              {"CN=admins,OU", ""},
		"a lone backslash":            {`CN=admins\`, ""},
		"half a hex pair":             {`CN=admins\4`, ""},
		"no hex pair":                 {`CN=admins\zz`, ""},
		"a quotation mark":            {`CN="admins, EMEA",DC=acme`, ""},
		"a semicolon":                 {"CN=admins;DC=acme", ""},
		"no utf-8":                    {`CN=\ff\fe,DC=acme`, ""},
		"odd hex":                     {"CN=#0C0,DC=acme", ""},
		"no hex":                      {"CN=#xyz,DC=acme", ""},
		"hex of no string":            {"CN=#020101,DC=acme", ""},
		"an oid with a leading zero":  {"2.05.4.3=admins", ""},
		"a number":                    {"2=admins", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, ok := commonName(test.text)
			if got != test.want || ok != (test.want != "") {
				t.Errorf("commonName(%q) = %q, %v, want %q", test.text, got, ok, test.want)
			}
		})
	}
}

func FuzzCommonName(f *testing.F) {
	for _, seed := range []string{"CN=a,OU=b", `CN=a\2C\, b+OU=#0C0161`, "=", "#", `\`, "a=#"} {
		f.Add(seed)
	}
	escape := strings.NewReplacer(`\`, `\\`, `,`, `\,`, `+`, `\+`, `"`, `\"`, `;`, `\;`, `<`, `\<`, `>`, `\>`, "\x00", `\00`, ` `, `\ `, `#`, `\#`)
	f.Fuzz(func(t *testing.T, text string) {
		name, ok := commonName(text)
		if !ok {
			return
		}
		again, ok := commonName("CN=" + escape.Replace(name) + ",DC=acme")
		if !ok || again != name {
			t.Errorf("%q has the CN %q, which written again is %q, %v", text, name, again, ok)
		}
	})
}
