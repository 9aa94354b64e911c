package saml

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/saml/verifier"
	rolesync "github.com/rolesync/rolesync/sync"
)

const (
	testProvider = "https://idp.example/metadata"
	testEntity   = "https://roles.example/saml/conn_1/metadata"
)

// says makes an attribute.
func says(name string, values ...string) verifier.Attribute {
	return verifier.Attribute{Name: name, Values: values}
}

func nameID(format, value string) verifier.NameID {
	return verifier.NameID{Format: format, Value: value}
}

// named is an assertion about a NameID.
func named(id verifier.NameID, attributes ...verifier.Attribute) *verifier.Assertion {
	return &verifier.Assertion{ID: "_1", NameID: id, Attributes: attributes}
}

func settingsWith(change func(*directory.SAMLSettings)) *directory.SAMLSettings {
	s := &directory.SAMLSettings{Provider: directory.IdentityProvider{EntityID: testProvider}, JustInTime: true}
	if change != nil {
		change(s)
	}
	return s
}

// A provider's assertion, as an admin gets it who has changed nothing there.
func TestIdentityOfProviders(t *testing.T) {
	tests := map[string]struct {
		assertion *verifier.Assertion
		settings  func(*directory.SAMLSettings)
		want      rolesync.Login
	}{
		"okta": {
			assertion: named(nameID(formatUnspecified, "anna@acme.example"),
				says("firstName", "Anna"), says("lastName", "Ek"), says("email", "anna@acme.example"), says("groups", "Everyone", "Admins")),
			want: rolesync.Login{
				Subject: "email:anna@acme.example", UserName: "anna@acme.example", Email: "anna@acme.example",
				GivenName: "Anna", FamilyName: "Ek", DisplayName: "Anna Ek", Fact: directory.Stated, Groups: []string{"Everyone", "Admins"},
			},
		},
		"okta without attributes": {
			assertion: named(nameID(formatUnspecified, "anna@acme.example")),
			want: rolesync.Login{
				Subject: "email:anna@acme.example", UserName: "anna@acme.example", Email: "anna@acme.example", Fact: directory.Absent,
			},
		},
		"entra": {
			assertion: named(nameID(formatEmail, "anna@acme.example"),
				says("http://schemas.microsoft.com/identity/claims/tenantid", "t"),
				says("http://schemas.microsoft.com/identity/claims/objectidentifier", "3f0c"),
				says("http://schemas.microsoft.com/identity/claims/displayname", "Anna Ek"),
				says(microsoft+"groups", "g1", "g2"),
				says(xmlsoap+"givenname", "Anna"), says(xmlsoap+"surname", "Ek"),
				says(xmlsoap+"emailaddress", "anna.ek@acme.example"), says(xmlsoap+"name", "anna@acme.example")),
			want: rolesync.Login{
				Subject: "attribute:61:http://schemas.microsoft.com/identity/claims/objectidentifier:3f0c", ExternalID: "3f0c",
				UserName: "anna@acme.example", Email: "anna.ek@acme.example",
				GivenName: "Anna", FamilyName: "Ek", DisplayName: "Anna Ek", Fact: directory.Stated, Groups: []string{"g1", "g2"},
				SignOutAs: "logout:email:anna@acme.example",
			},
		},
		"entra, in more than 150 groups": {
			assertion: named(nameID(formatPersistent, "kX9"), says(groupsLink, "https://graph.windows.net/…"), says(microsoft+"role", "admin")),
			want:      rolesync.Login{Subject: "persistent:kX9", ExternalID: "kX9", UserName: "kX9", Fact: directory.Partial},
		},
		"google": {
			assertion: named(nameID(formatEmail, "Anna@Acme.example"), says("Groups", "Engineering")),
			want: rolesync.Login{
				Subject: "email:anna@acme.example", UserName: "Anna@Acme.example", Email: "Anna@Acme.example", Fact: directory.Stated, Groups: []string{"Engineering"},
			},
		},
		"onelogin, groups in one value": {
			assertion: named(nameID(formatEmail, "a@acme.example"), says("memberOf", "Sales; Admins;;admins")),
			settings:  func(s *directory.SAMLSettings) { s.GroupSeparator = ";" },
			want: rolesync.Login{
				Subject: "email:a@acme.example", UserName: "a@acme.example", Email: "a@acme.example", Fact: directory.Stated, Groups: []string{"Sales", "Admins"},
			},
		},
		"keycloak, an attribute for each value": {
			assertion: named(nameID(formatPersistent, "G-1"), says("Role", "offline_access"), says("member", "/a/b"), says("Role", "admin")),
			want: rolesync.Login{
				Subject: "persistent:G-1", ExternalID: "G-1", UserName: "G-1", Fact: directory.Stated, Groups: []string{"offline_access", "/a/b", "admin"},
			},
		},
		"keycloak, its predefined mappers": {
			assertion: named(nameID(formatPersistent, "G-1"), says("urn:oid:1.2.840.113549.1.9.1", "anna@acme.example"),
				says("urn:oid:2.5.4.42", "Anna"), says("urn:oid:2.5.4.4", "Ek"), says("groups", "admins")),
			want: rolesync.Login{
				Subject: "persistent:G-1", ExternalID: "G-1", UserName: "anna@acme.example", Email: "anna@acme.example",
				GivenName: "Anna", FamilyName: "Ek", DisplayName: "Anna Ek", Fact: directory.Stated, Groups: []string{"admins"},
			},
		},
		"shibboleth, transient, known by an attribute": {
			assertion: named(nameID(formatTransient, "_x1"), says("urn:oid:1.3.6.1.4.1.5923.1.1.1.6", "anna@acme.example"),
				says("urn:oid:0.9.2342.19200300.100.1.3", "anna@acme.example"), says("urn:oid:1.3.6.1.4.1.5923.1.1.1.7", "urn:mace:acme:admin")),
			want: rolesync.Login{
				Subject: "attribute:32:urn:oid:1.3.6.1.4.1.5923.1.1.1.6:anna@acme.example", ExternalID: "anna@acme.example",
				UserName: "anna@acme.example", Email: "anna@acme.example", Fact: directory.Stated, Groups: []string{"urn:mace:acme:admin"},
			},
		},
		"adfs, distinguished names": {
			assertion: named(nameID("urn:oasis:names:tc:SAML:1.1:nameid-format:WindowsDomainQualifiedName", `ACME\anna`),
				says("http://schemas.xmlsoap.org/claims/Group", "CN=Admins,OU=Groups,DC=acme", `ACME\Domain Users`, "CN=admins,OU=Other,DC=acme")),
			settings: func(s *directory.SAMLSettings) { s.GroupCommonName = true },
			want: rolesync.Login{
				Subject:  `format:68:urn:oasis:names:tc:SAML:1.1:nameid-format:WindowsDomainQualifiedName:ACME\anna`,
				UserName: `ACME\anna`, Fact: directory.Stated, Groups: []string{"Admins", `ACME\Domain Users`},
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			who, err := identify(test.assertion, settingsWith(test.settings), testEntity)
			if err != nil {
				t.Fatal(err)
			}
			test.want.JustInTime, test.want.Message = true, "_1"
			if diff := cmp.Diff(test.want, who.login); diff != "" {
				t.Errorf("login (-want +got):\n%s", diff)
			}
		})
	}
}

func TestGroupFact(t *testing.T) {
	own := func(names ...string) func(*directory.SAMLSettings) {
		return func(s *directory.SAMLSettings) { s.Attributes.Groups = names }
	}
	separated := func(s *directory.SAMLSettings) { s.GroupSeparator = ";" }
	noneIfAbsent := func(s *directory.SAMLSettings) { s.AbsentGroupsMeanNone = true }
	tests := map[string]struct {
		attributes []verifier.Attribute
		settings   func(*directory.SAMLSettings)
		fact       directory.GroupFact
		groups     []string
	}{
		"no attribute":                            {fact: directory.Absent},
		"no attribute, where that means none":     {settings: noneIfAbsent, fact: directory.Empty},
		"the link, where no attribute means none": {attributes: []verifier.Attribute{says(groupsLink, "x")}, settings: noneIfAbsent, fact: directory.Partial},
		"an attribute in another case":            {attributes: []verifier.Attribute{says("GROUPS", "a")}, fact: directory.Absent},
		"an attribute without values":             {attributes: []verifier.Attribute{says("groups")}, fact: directory.Empty},
		"only blank values":                       {attributes: []verifier.Attribute{says("groups", " ", "\r\n", "")}, fact: directory.Empty},
		"only a value that is too long":           {attributes: []verifier.Attribute{says("groups", strings.Repeat("x", 513))}, fact: directory.Empty},
		"one without and one with values":         {attributes: []verifier.Attribute{says("groups"), says("Role", "a")}, fact: directory.Stated, groups: []string{"a"}},
		"several attributes, in order":            {attributes: []verifier.Attribute{says("Role", "b"), says("groups", "a", "B "), says("Role", "c")}, fact: directory.Stated, groups: []string{"b", "a", "c"}},
		"signs that mean something elsewhere":     {attributes: []verifier.Attribute{says("groups", "a\r\nb", "{x}:*..")}, fact: directory.Stated, groups: []string{"a\r\nb", "{x}:*.."}},
		"an own name instead of the usual":        {attributes: []verifier.Attribute{says("groups", "a"), says("teams", "b")}, settings: own("teams"), fact: directory.Stated, groups: []string{"b"}},
		"an own name that is not there":           {attributes: []verifier.Attribute{says("groups", "a")}, settings: own("teams"), fact: directory.Absent},
		"the link beside usual attributes":        {attributes: []verifier.Attribute{says("groups", "a"), says(groupsLink, "x")}, fact: directory.Partial},
		"the link beside an own attribute":        {attributes: []verifier.Attribute{says("teams", "a"), says(groupsLink, "x")}, settings: own("teams"), fact: directory.Stated, groups: []string{"a"}},
		"the link without the own attribute":      {attributes: []verifier.Attribute{says(groupsLink, "x")}, settings: own("teams"), fact: directory.Partial},
		"one value with the separator":            {attributes: []verifier.Attribute{says("groups", "a;b")}, settings: separated, fact: directory.Stated, groups: []string{"a", "b"}},
		"one long value with the separator":       {attributes: []verifier.Attribute{says("groups", strings.Repeat("x;", 1000))}, settings: separated, fact: directory.Stated, groups: []string{"x"}},
		"two values with the separator":           {attributes: []verifier.Attribute{says("groups", "a;b", "c")}, settings: separated, fact: directory.Stated, groups: []string{"a;b", "c"}},
		"one value of each of two attributes":     {attributes: []verifier.Attribute{says("Role", "a;b"), says("Role", "c")}, settings: separated, fact: directory.Stated, groups: []string{"a;b", "c"}},
		"a separator that the connection has not": {attributes: []verifier.Attribute{says("groups", "a;b")}, fact: directory.Stated, groups: []string{"a;b"}},
		"nothing but separators":                  {attributes: []verifier.Attribute{says("groups", ";;")}, settings: separated, fact: directory.Empty},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			who, err := identify(named(nameID(formatPersistent, "p"), test.attributes...), settingsWith(test.settings), testEntity)
			if err != nil {
				t.Fatal(err)
			}
			if who.login.Fact != test.fact || !cmp.Equal(who.login.Groups, test.groups) {
				t.Errorf("groups = %s %q, want %s %q", who.login.Fact, who.login.Groups, test.fact, test.groups)
			}
		})
	}
}

// Two people never have one key, whatever the provider puts where.
func TestSubjectsAreNotTakenForEachOther(t *testing.T) {
	qualified := func(name, sp, value string) verifier.NameID {
		return verifier.NameID{Format: formatPersistent, NameQualifier: name, SPNameQualifier: sp, Value: value}
	}
	people := map[string]*verifier.Assertion{
		"persistent":                  named(nameID(formatPersistent, "a")),
		"persistent in another case":  named(nameID(formatPersistent, "A")),
		"unspecified":                 named(nameID("", "a")),
		"an address":                  named(nameID(formatEmail, "a")),
		"another format":              named(nameID("urn:x", "a")),
		"of another provider":         named(qualified("https://other.example", "", "a")),
		"for another service":         named(qualified("", "https://other.example", "a")),
		"qualifier and value shifted": named(qualified("https://other.example:0", "", ":a")),
		"an attribute":                named(nameID("", "x"), says("eduPersonPrincipalName", "a")),
		"another attribute":           named(nameID("", "x"), says("urn:oasis:names:tc:SAML:attribute:subject-id", "a")),
		"what looks like a key":       named(nameID("", "persistent:a")),
		"what looks qualified":        named(nameID(formatPersistent, "21:https://other.example:0::a")),
		"another format, qualified":   named(verifier.NameID{Format: "urn:x", NameQualifier: "q", Value: "a"}),
		"what looks like that":        named(nameID("urn:x", "1:q:0::a")),
		"a long one":                  named(qualified(strings.Repeat("q", 600), "", "a")),
		"another long one":            named(qualified(strings.Repeat("q", 600), "", "b")),
		"another address":             named(nameID(formatEmail, "sam@acme.example"), says("uid", "x")),
		"an address that folds to it": named(nameID(formatEmail, "\u017fam@acme.example"), says("uid", "x")),
		"one too long to be kept":     named(nameID(formatPersistent, strings.Repeat("x", maxValue))),
		"what looks like its hash":    named(nameID(formatPersistent, "sha256:"+hashOf("persistent:"+strings.Repeat("x", maxValue)))),
	}
	keys := map[string]string{}
	for name, assertion := range people {
		who, err := identify(assertion, settingsWith(nil), testEntity)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		key := who.login.Subject
		if other := keys[key]; other != "" {
			t.Errorf("%s has the key %q of %s", name, key, other)
		}
		if len(key) > maxKey {
			t.Errorf("%s has a key of %d bytes", name, len(key))
		}
		keys[key] = name
	}
}

func hashOf(text string) string {
	hash := sha256.Sum256([]byte(text))
	return hex.EncodeToString(hash[:])
}

// What is left out of a NameID means the same as the default that is written out.
func TestSubjectWithDefaultQualifiers(t *testing.T) {
	plain := named(nameID(formatPersistent, "a"))
	full := named(verifier.NameID{Format: formatPersistent, NameQualifier: testProvider, SPNameQualifier: testEntity, Value: " a\n"})
	for _, assertion := range []*verifier.Assertion{plain, full} {
		who, err := identify(assertion, settingsWith(nil), testEntity)
		if err != nil || who.login.Subject != "persistent:a" {
			t.Errorf("subject = %q, %v, want persistent:a", who.login.Subject, err)
		}
	}
}

func TestIdentityRefused(t *testing.T) {
	domains := func(s *directory.SAMLSettings) { s.EmailDomains = []string{"acme.example"} }
	ownID := func(s *directory.SAMLSettings) { s.Attributes.ID = []string{"employee"} }
	tests := map[string]struct {
		assertion *verifier.Assertion
		settings  func(*directory.SAMLSettings)
		code, in  string
	}{
		"a transient name":                {named(nameID(formatTransient, "_1")), nil, "name_id", `"_1" is transient`},
		"a blank name":                    {named(nameID("", " \n")), nil, "name_id", "is empty"},
		"a name that is too long":         {named(nameID("", strings.Repeat("x", 513))), nil, "name_id", "513 bytes"},
		"two ids":                         {named(nameID("", "a"), says("eduPersonPrincipalName", "a", "b")), nil, "name_id", "has 2 values"},
		"two ids in two attributes":       {named(nameID("", "a"), says("eduPersonPrincipalName", "a"), says("eduPersonPrincipalName", "b")), nil, "name_id", "has 2 values"},
		"without the connection's own id": {named(nameID(formatPersistent, "a"), says("eduPersonPrincipalName", "a")), ownID, "name_id", "(employee)"},
		"an address of another domain":    {named(nameID(formatEmail, "anna@evil.example")), domains, "email_domain", "anna@evil.example"},
		"a subdomain":                     {named(nameID(formatEmail, "anna@x.acme.example")), domains, "email_domain", "acme.example"},
		"a domain that ends alike":        {named(nameID(formatEmail, "anna@evilacme.example")), domains, "email_domain", "acme.example"},
		"an address with two signs at":    {named(nameID(formatEmail, "anna@acme.example@evil.example")), domains, "email_domain", "no e-mail address"},
		"two signs at the other way":      {named(nameID(formatEmail, "anna@evil.example@acme.example")), domains, "email_domain", "no e-mail address"},
		"an address like another":         {named(nameID(formatEmail, "anna.\u212ask@acme.example")), domains, "email_domain", "no e-mail address"},
		"a name like another":             {named(nameID("", "anna.e\u212a")), nil, "name_id", "nothing that could be the userName"},
		"an address in brackets":          {named(nameID(formatEmail, "x@evil.example <anna@acme.example>")), domains, "email_domain", "no e-mail address"},
		"no address, with domains":        {named(nameID(formatPersistent, "a")), domains, "email_domain", "no e-mail address"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			who, err := identify(test.assertion, settingsWith(test.settings), testEntity)
			r, ok := errors.AsType[*refusal](err)
			if !ok || r.code != test.code || !strings.Contains(r.detail, test.in) || !r.authentic {
				t.Errorf("identify = %+v, %v, want %s with %q", who.login, err, test.code, test.in)
			}
		})
	}
}

// A userName decides whom SCIM takes the person for, so nobody gets one that is somebody
// else's: an address of a domain that the connection does not speak for, or a name that is
// another one to the provider and the same to us.
func TestUserNameOfSomebodyElse(t *testing.T) {
	tests := map[string]struct {
		assertion *verifier.Assertion
		domains   []string
		want      string
	}{
		"of the domain":                {named(nameID("", "a.ek@acme.example"), says("email", "anna@acme.example")), []string{"acme.example"}, "a.ek@acme.example"},
		"of another domain":            {named(nameID("", "ceo@other.example"), says("email", "anna@acme.example")), []string{"acme.example"}, "anna@acme.example"},
		"of another domain, as upn":    {named(nameID(formatPersistent, "x"), says(xmlsoap+"upn", "ceo@other.example"), says("email", "anna@acme.example")), []string{"acme.example"}, "anna@acme.example"},
		"of another domain, as id":     {named(nameID(formatPersistent, "ceo@other.example"), says("email", "anna@acme.example")), []string{"acme.example"}, "anna@acme.example"},
		"no address":                   {named(nameID("", "aek"), says("email", "anna@acme.example")), []string{"acme.example"}, "anna@acme.example"},
		"of a connection for any":      {named(nameID("", "ceo@other.example"), says("email", "anna@acme.example")), nil, "ceo@other.example"},
		"with a long s":                {named(nameID("", "\u017fam@acme.example"), says("email", "eve@acme.example")), nil, "eve@acme.example"},
		"with a ligature":              {named(nameID("", "o\ufb03ce"), says("email", "eve@acme.example")), nil, "eve@acme.example"},
		"not ASCII, and like nobody's": {named(nameID("", "M\u00fcller"), says("email", "m@acme.example")), nil, "M\u00fcller"},
	}
	for name, test := range tests {
		who, err := identify(test.assertion, settingsWith(func(s *directory.SAMLSettings) { s.EmailDomains = test.domains }), testEntity)
		if err != nil || who.login.UserName != test.want {
			t.Errorf("%s: userName = %q, %v; want %q", name, who.login.UserName, err, test.want)
		}
	}
}

func TestTrustedAddress(t *testing.T) {
	trusted := func(domains ...string) bool {
		who, err := identify(named(nameID(formatEmail, "Anna@ACME.example")), settingsWith(func(s *directory.SAMLSettings) { s.EmailDomains = domains }), testEntity)
		if err != nil {
			t.Fatal(err)
		}
		return directory.InDomains(who.login.Email, who.login.Domains)
	}
	if trusted() {
		t.Error("an address is trusted though the connection has no domains")
	}
	if !trusted("other.example", "acme.example") {
		t.Error("an address of a domain of the connection is not trusted")
	}
}

// SCIM adopts people by userName, so a connection that may speak for some domains only
// gives them no name of anybody else.
func TestUserNameWithinTheDomains(t *testing.T) {
	for name, want := range map[string]string{
		"ceo@corp.example":  "anna@acme.example",
		"ceo":               "anna@acme.example",
		"annA@acme.example": "annA@acme.example",
	} {
		who, err := identify(named(nameID("", name), says("email", "anna@acme.example"), says("uid", "ceo")),
			settingsWith(func(s *directory.SAMLSettings) { s.EmailDomains = []string{"acme.example"} }), testEntity)
		if err != nil || who.login.UserName != want {
			t.Errorf("with the NameID %q: userName %q, %v; want %q", name, who.login.UserName, err, want)
		}
	}
}

// What is passed over is told, so that an admin can see why a group is missing.
func TestIgnoredAndUnmapped(t *testing.T) {
	who, err := identify(named(nameID("", "a"), says("groups", "", strings.Repeat("x", 600), "a"), says("shoeSize", "43"), says("department", "x")), settingsWith(nil), testEntity)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"a blank value of the groups was ignored", "a value of the groups was ignored: it has 600 bytes, at most 512 are possible"}
	if diff := cmp.Diff(want, who.ignored); diff != "" {
		t.Errorf("ignored (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"department", "shoeSize"}, who.unmapped); diff != "" {
		t.Errorf("unmapped (-want +got):\n%s", diff)
	}
}
