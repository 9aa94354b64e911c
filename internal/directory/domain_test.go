package directory_test

import (
	"strings"
	"testing"

	"github.com/rolesync/rolesync/internal/directory"
)

func TestDomain(t *testing.T) {
	for name, want := range map[string]string{
		"acme.com":                      "acme.com",
		" ACME.com. ":                   "acme.com",
		"mail.x-1.co.uk":                "mail.x-1.co.uk",
		"München.de":                    "xn--mnchen-3ya.de",
		"xn--mnchen-3ya.de":             "xn--mnchen-3ya.de",
		"MU\u0308NCHEN.de":              "xn--mnchen-3ya.de",
		"例え。テスト":                        "xn--r8jz45g.xn--zckzah",
		"пример.испытание":              "xn--e1afmkfd.xn--80akhbyknj4f",
		"他们为什么不说中文.example":             "xn--ihqwcrb4cv8a8dqg056pqjye.example",
		"3年b組金八先生.example":              "xn--3b-ww4c5e180e575a65lsy2b.example",
		"ａｃｍｅ.com":                      "acme.com",
		strings.Repeat("a", 63) + ".b1": strings.Repeat("a", 63) + ".b1",
	} {
		if got, ok := directory.Domain(name); !ok || got != want {
			t.Errorf("Domain(%q) = %q, %v, want %q", name, got, ok, want)
		}
	}
	for situation, name := range map[string]string{
		"empty": "", "one label": "localhost", "a wildcard": "*.acme.com", "an address": "192.168.0.1", "an address of IPv6": "[::1]",
		"an e-mail address": "a@acme.com", "a URL": "https://acme.com", "a port": "acme.com:443", "an empty label": "acme..com", "a dot in front": ".acme.com",
		"a space": "ac me.com", "a hyphen in front": "-acme.com", "a hyphen at the end": "acme-.com", "an underscore": "a_b.com", "no UTF-8": "a\xff.com",
		"a long label": strings.Repeat("a", 64) + ".com", "a long name": strings.Repeat("a.", 150) + "com", "a very long name": strings.Repeat("ä.", 9000) + "com",
		"a long label that is not ASCII": strings.Repeat("ä", 64) + ".com", "a line end": "acme\n.com", "a NUL": "a\x00.com", "a dot alone": ".",
	} {
		if got, ok := directory.Domain(name); ok {
			t.Errorf("%s: Domain(%q) = %q, want none", situation, name, got)
		}
	}
}

func TestEmailDomains(t *testing.T) {
	none := directory.SAMLSettings{}
	some := directory.SAMLSettings{EmailDomains: []string{"acme.com", "xn--mnchen-3ya.de"}}
	for email, want := range map[string]bool{
		"anna@acme.com": true, "ANNA@ACME.COM": true, "anna@münchen.de": true, `"a@evil.com"@acme.com`: true,
		"anna@evil.com": false, "anna@acme.com.evil.com": false, "anna@mail.acme.com": false, "acme.com": false, "@acme.com": false, "": false,
		"anna@acme.com@evil.com": false,
	} {
		if got := some.Speaks(email); got != want {
			t.Errorf("Speaks(%q) = %v, want %v", email, got, want)
		}
		if !none.Speaks(email) {
			t.Errorf("without domains, Speaks(%q) = false", email)
		}
	}
}
