package metadata

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
)

var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// self makes a certificate that a key signs itself.
func self(tb testing.TB, name string, until time.Time, key crypto.Signer) []byte {
	tb.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name}, NotBefore: now.AddDate(-2, 0, 0), NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}
	return der
}

var (
	rsa2048 = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })
	p256    = sync.OnceValues(func() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) })
)

func issued(tb testing.TB, name string) []byte {
	tb.Helper()
	key, err := p256()
	if err != nil {
		tb.Fatal(err)
	}
	return self(tb, name, now.AddDate(1, 0, 0), key)
}

func encoded(der []byte) string { return base64.StdEncoding.EncodeToString(der) }

// okta is metadata as Okta has it, with what stands in the place of some parts.
const okta = `<?xml version="1.0" encoding="UTF-8"?><md:EntityDescriptor entityID="http://www.okta.com/exk1" xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata">` +
	`<md:IDPSSODescriptor WantAuthnRequestsSigned="false" protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">` +
	`<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>
CERT
</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>` +
	`<md:NameIDFormat>urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress</md:NameIDFormat>` +
	`<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://acme.okta.com/post"/>` +
	`<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://acme.okta.com/redirect?a=1&amp;b=2"/>` +
	`</md:IDPSSODescriptor></md:EntityDescriptor>`

// adfs is metadata as AD FS and Entra have it: a signature, roles of other protocols, and
// certificates for encryption in front.
const adfs = "\ufeff" + `<EntityDescriptor ID="_1" entityID="https://sts.windows.net/1/" xmlns="urn:oasis:names:tc:SAML:2.0:metadata"><Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignedInfo/>` +
	`<KeyInfo><X509Data><X509Certificate>OTHER</X509Certificate></X509Data></KeyInfo></Signature>` +
	`<RoleDescriptor xsi:type="fed:SecurityTokenServiceType" protocolSupportEnumeration="http://docs.oasis-open.org/wsfed/federation/200706" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:fed="http://docs.oasis-open.org/wsfed/federation/200706">` +
	`<KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>OTHER</X509Certificate></X509Data></KeyInfo></KeyDescriptor></RoleDescriptor>` +
	`<SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://x/" index="0"/></SPSSODescriptor>` +
	`<IDPSSODescriptor WantAuthnRequestsSigned="true" protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">` +
	`<KeyDescriptor use="encryption"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>OTHER</X509Certificate></X509Data></KeyInfo></KeyDescriptor>` +
	`<KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>CERT</X509Certificate></X509Data></KeyInfo></KeyDescriptor>` +
	`<KeyDescriptor><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>NEXT</X509Certificate></X509Data><X509Data><X509Certificate>CERT</X509Certificate></X509Data></KeyInfo></KeyDescriptor>` +
	`<SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://login/logout" ResponseLocation="https://login/answer"/>` +
	`<SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:SOAP" Location="http://inside/soap"/>` +
	`<SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://login/first"/>` +
	`<SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://login/second"/>` +
	`</IDPSSODescriptor></EntityDescriptor>`

func TestParse(t *testing.T) {
	one, two, other := issued(t, "one"), issued(t, "two"), issued(t, "other")
	fill := strings.NewReplacer("CERT", encoded(one), "NEXT", encoded(two), "OTHER", encoded(other))

	got, err := Parse([]byte(fill.Replace(okta)), "", now)
	if err != nil {
		t.Fatal(err)
	}
	p := got.Provider
	if p.EntityID != "http://www.okta.com/exk1" || p.SSORedirectURL != "https://acme.okta.com/redirect?a=1&b=2" || p.SSOPostURL != "https://acme.okta.com/post" ||
		p.SLORedirectURL+p.SLOPostURL != "" || p.WantRequestsSigned || !p.Complete() {
		t.Errorf("okta: %+v", p)
	}
	if c := p.Certificates; len(c) != 1 || string(c[0].DER) != string(one) || !c[0].AddedAt.Equal(now) || !c[0].NotAfter.Equal(now.AddDate(1, 0, 0)) {
		t.Errorf("okta: certificates %+v", p.Certificates)
	}

	if got, err = Parse([]byte(fill.Replace(adfs)), "https://sts.windows.net/1/", now); err != nil {
		t.Fatal(err)
	}
	p = got.Provider
	if p.SSORedirectURL != "https://login/first" || p.SLORedirectURL != "https://login/answer" || p.SLOPostURL != "" || !p.WantRequestsSigned {
		t.Errorf("adfs: %+v", p)
	}
	if c := p.Certificates; len(c) != 2 || string(c[0].DER) != string(one) || string(c[1].DER) != string(two) {
		t.Errorf("adfs: %d certificates, want the two for signing", len(p.Certificates))
	}
}

func TestParseChoosesOneOfSeveral(t *testing.T) {
	one := strings.NewReplacer("CERT", encoded(issued(t, "one")), `<?xml version="1.0" encoding="UTF-8"?>`, "").Replace(okta)
	group := func(ids ...string) string {
		var b strings.Builder
		b.WriteString(`<EntitiesDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" validUntil="2026-07-01T00:00:00Z" cacheDuration="PT8H"><EntitiesDescriptor validUntil="2026-06-20T00:00:00+02:00">`)
		for _, id := range ids {
			b.WriteString(strings.Replace(one, "http://www.okta.com/exk1", id, 1))
		}
		b.WriteString(`</EntitiesDescriptor><EntityDescriptor entityID="a service"><SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"/></EntityDescriptor></EntitiesDescriptor>`)
		return b.String()
	}
	got, err := Parse([]byte(group("a")), "", now)
	if err != nil || got.Provider.EntityID != "a" || got.CacheFor != 8*time.Hour || !got.ValidUntil.Equal(time.Date(2026, 6, 19, 22, 0, 0, 0, time.UTC)) {
		t.Errorf("the only provider of a group: %+v, %v", got, err)
	}
	many := strings.Split("a,b,c,d,e,f,g,h,i,j,k,l", ",")
	if got, err := Parse([]byte(group(many...)), "k", now); err != nil || got.Provider.EntityID != "k" {
		t.Errorf("chosen: %q, %v", got.Provider.EntityID, err)
	}
	for id, want := range map[string]string{"": "12 identity providers; choose one by its entity_id: a, b, c, d, e, f, g, h, i, j, …", "A": `"A", but a, b`, "a service": `"a service"`} {
		if _, err := Parse([]byte(group(many...)), id, now); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("entity %q: %v, want %q", id, err, want)
		}
	}
	_, err = Parse([]byte(one), "another", now)
	wantInvalid(t, "another provider than the one", err, `"another"`, "http://www.okta.com/exk1")
}

func wantInvalid(t *testing.T, situation string, err error, texts ...string) {
	t.Helper()
	if !fault.Is(err, fault.Invalid) {
		t.Errorf("%s: %v, want an invalid fault", situation, err)
		return
	}
	_, message := fault.Public(err)
	for _, text := range texts {
		if !strings.Contains(message, text) {
			t.Errorf("%s: %q does not name %q", situation, message, text)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	good := strings.Replace(okta, "CERT", encoded(issued(t, "one")), 1)
	with := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(good) }
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	broken := issued(t, "broken")
	broken = broken[:len(broken)-1]
	certificate := func(der []byte) string { return strings.Replace(okta, "CERT", encoded(der), 1) }
	var many strings.Builder
	for range directory.MaxCertificates + 1 {
		many.WriteString(`<md:KeyDescriptor><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>` + encoded(issued(t, "one of many")) + `</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>`)
	}
	redirect := "https://acme.okta.com/redirect"
	for situation, c := range map[string]struct{ xml, want string }{
		"nothing":                      {"", "no element"},
		"text":                         {"hello", "no element"},
		"HTML":                         {"<html><body><p>404</body></html>", "html"},
		"another root":                 {"<html/>", `"html"`},
		"SAML 1":                       {strings.ReplaceAll(good, "2.0:metadata", "1.0:metadata"), "EntityDescriptor"},
		"a service provider":           {with("IDPSSODescriptor", "SPSSODescriptor"), "IDPSSODescriptor"},
		"a provider of SAML 1.1":       {with("urn:oasis:names:tc:SAML:2.0:protocol", "urn:oasis:names:tc:SAML:1.1:protocol"), "SAML 2.0"},
		"an end without a start":       {good + "</x>", "XML"},
		"an element that is not ended": {strings.TrimSuffix(good, "</md:EntityDescriptor>"), "XML"},
		"a DOCTYPE":                    {with(`"UTF-8"?>`, `"UTF-8"?><!DOCTYPE x [<!ENTITY a "b">]>`), "DOCTYPE"},
		"an entity":                    {with("https://acme.okta.com/post", "https://&a;/"), "XML"},
		"a processing instruction":     {with(`"UTF-8"?>`, `"UTF-8"?><?xml-stylesheet href="x"?>`), "xml-stylesheet"},
		"another encoding":             {with("UTF-8", "UTF-7"), "UTF-7"},
		"too deep":                     {strings.Repeat("<a>", 33) + strings.Repeat("</a>", 33), "deeper than 32"},
		"too many elements":            {"<a>" + strings.Repeat("<a/>", maxElements) + "</a>", "more than 200000"},
		"too large":                    {"<a>" + strings.Repeat(" ", MaxSize) + "</a>", "larger than 5242880"},
		"no entity ID":                 {with(`entityID="http://www.okta.com/exk1"`, ""), "entity_id is empty"},
		"a long entity ID":             {with("http://www.okta.com/exk1", strings.Repeat("x", 1025)), "1024"},
		"an entity ID with a space":    {with("http://www.okta.com/exk1", "a b"), `"a b"`},
		"no login":                     {with("SingleSignOnService", "SingleLogoutService"), "SingleSignOnService"},
		"login by other bindings":      {with("bindings:HTTP-POST", "bindings:SOAP", "bindings:HTTP-Redirect", "bindings:PAOS"), "HTTP-Redirect or HTTP-POST"},
		"login over http":              {with(redirect, "http://acme.okta.com/redirect"), "http://acme.okta.com/redirect"},
		"a script":                     {with(redirect, "javascript:alert(1)//"), "javascript"},
		"no host":                      {with(redirect, "https:///x"), "https:///x"},
		"a path alone":                 {with(redirect, "/sso"), "/sso"},
		"a password":                   {with(redirect, "https://u:secret@acme.okta.com/"), "password"},
		"a fragment":                   {with(redirect, "https://acme.okta.com/#x"), "fragment"},
		"a long URL":                   {with(redirect, "https://acme.okta.com/"+strings.Repeat("x", 2048)), "2048"},
		"no certificate":               {with("KeyDescriptor", "Other"), "no signing certificate"},
		"a certificate to encrypt for": {with(`use="signing"`, `use="encryption"`), "no signing certificate"},
		"no base64":                    {strings.Replace(okta, "CERT", "***", 1), "base64"},
		"a certificate cut short":      {certificate(broken), "cannot be read"},
		"RSA of 1024 bits":             {certificate(self(t, "weak", now.AddDate(1, 0, 0), weak)), "2048"},
		"Ed25519":                      {certificate(self(t, "ed", now.AddDate(1, 0, 0), ed)), "Ed25519"},
		"P-224":                        {certificate(self(t, "p224", now.AddDate(1, 0, 0), p224)), "P-256"},
		"17 certificates":              {with("<md:NameIDFormat>", many.String()+"<md:NameIDFormat>"), "at most 16"},
		"valid in the past":            {with("<md:IDPSSODescriptor", `<md:IDPSSODescriptor validUntil="2026-05-31T00:00:00Z"`), "valid until 2026-05-31"},
		"valid in the past, around":    {with("entityID", `validUntil="2026-06-01T12:00:00" entityID`), "valid until 2026-06-01"},
		"no time":                      {with("entityID", `validUntil="soon" entityID`), `"soon"`},
		"no duration":                  {with("entityID", `cacheDuration="6 hours" entityID`), `"6 hours"`},
	} {
		_, err := Parse([]byte(c.xml), "", now)
		wantInvalid(t, situation, err, c.want)
		if err != nil && (strings.Contains(err.Error(), "secret") || len(err.Error()) > 1000) {
			t.Errorf("%s: %v", situation, err)
		}
	}
	if _, err := Parse([]byte(good), "", now); err != nil {
		t.Errorf("the metadata that all of these were made from: %v", err)
	}
	local := with(redirect, "http://127.0.0.1:8081/sso", "https://acme.okta.com/post", "http://localhost/post")
	if _, err := Parse([]byte(local), "", now); err != nil {
		t.Errorf("a provider on the person's own machine: %v", err)
	}
}

func TestAnUnusableCertificateBesideOthers(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	strong, err := rsa2048()
	if err != nil {
		t.Fatal(err)
	}
	usable := self(t, "expired", now.AddDate(-1, 0, 0), strong)
	xml := strings.NewReplacer("CERT", encoded(self(t, "weak", now, weak)), "NEXT", encoded(usable), "OTHER", "***").Replace(adfs)
	got, err := Parse([]byte(xml), "", now)
	if err != nil || len(got.Provider.Certificates) != 1 || string(got.Provider.Certificates[0].DER) != string(usable) {
		t.Errorf("Parse = %+v, %v, want the one that is usable, though it has expired", got.Provider.Certificates, err)
	}
}

func TestCertificates(t *testing.T) {
	one, two := issued(t, "one"), issued(t, "two")
	block := func(kind string, der []byte) string {
		return "-----BEGIN " + kind + "-----\r\n" + encoded(der) + "\r\n-----END " + kind + "-----\r\n"
	}
	for situation, c := range map[string]struct {
		text string
		want int
	}{
		"PEM":                    {block("CERTIFICATE", one), 1},
		"PEM with text before":   {"subject=/CN=x\n" + block("CERTIFICATE", one), 1},
		"two":                    {block("CERTIFICATE", one) + block("CERTIFICATE", two), 2},
		"the same twice":         {block("CERTIFICATE", one) + block("CERTIFICATE", one), 1},
		"base64":                 {encoded(one), 1},
		"base64 in lines":        {encoded(one)[:76] + "\r\n\t " + encoded(one)[76:] + "\n", 1},
		"17 of them":             {strings.Repeat(block("CERTIFICATE", one), 17), 1},
		"a private key":          {block("PRIVATE KEY", []byte("secret")), 0},
		"an RSA private key":     {block("RSA PRIVATE KEY", []byte("secret")), 0},
		"a key beside":           {block("CERTIFICATE", one) + block("EC PRIVATE KEY", []byte("secret")), 0},
		"a request":              {block("CERTIFICATE REQUEST", one), 0},
		"damaged PEM":            {block("CERTIFICATE", one)[:200], 0},
		"damaged, behind a good": {block("CERTIFICATE", one) + block("CERTIFICATE", two)[:200], 0},
		"nothing":                {"", 0},
		"a fingerprint":          {Fingerprint(one), 0},
		"too large":              {strings.Repeat("A", MaxSize+1), 0},
	} {
		got, err := Certificates(c.text, now)
		if c.want == 0 {
			wantInvalid(t, situation, err)
			if err != nil && strings.Contains(err.Error(), encoded([]byte("secret"))) {
				t.Errorf("%s: the error repeats it: %v", situation, err)
			}
			continue
		}
		if err != nil || len(got) != c.want || string(got[0].DER) != string(one) {
			t.Errorf("%s: %d certificates, %v, want %d", situation, len(got), err, c.want)
		}
	}
}

func TestDSAIsNotUsable(t *testing.T) {
	if err := usable(&x509.Certificate{PublicKeyAlgorithm: x509.DSA}); err == nil || !strings.Contains(err.Error(), "DSA") {
		t.Errorf("usable = %v", err)
	}
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"PT6H": 6 * time.Hour, "P1D": 24 * time.Hour, "P1Y2M3DT4H5M6.5S": (365+60+3)*24*time.Hour + 4*time.Hour + 5*time.Minute + 6*time.Second,
		"PT0S": time.Second, "P999999Y": 1 << 62, " PT1S ": time.Second,
		"": 0, "P": 0, "PT": 0, "P1DT": 0, "-PT1H": 0, "1H": 0, "PT1.5H": 0, "P1H": 0, "PT99999999999S": 0,
	} {
		got, err := duration(text)
		if (err == nil) != (want != 0) || err == nil && got/1024 != want/1024 {
			t.Errorf("duration(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
}

func TestSchedule(t *testing.T) {
	for situation, c := range map[string]struct {
		document Document
		from, to time.Duration
	}{
		"nothing said":               {Document{}, 9*time.Hour + 36*time.Minute, 12 * time.Hour},
		"to be kept for a minute":    {Document{CacheFor: time.Minute}, 4*time.Hour + 48*time.Minute, 6 * time.Hour},
		"to be kept for a year":      {Document{CacheFor: 365 * 24 * time.Hour}, 19*time.Hour + 12*time.Minute, 24 * time.Hour},
		"valid for eight more hours": {Document{ValidUntil: now.Add(8 * time.Hour)}, 3*time.Hour + 12*time.Minute, 4 * time.Hour},
		"valid for a minute":         {Document{ValidUntil: now.Add(time.Minute)}, 24 * time.Minute, 30 * time.Minute},
	} {
		if got := Next(c.document, now, 0).Sub(now); got != c.to {
			t.Errorf("%s: read again after %v at the latest, want %v", situation, got, c.to)
		}
		if got := Next(c.document, now, 1).Sub(now); got != c.from {
			t.Errorf("%s: read again after %v at the earliest, want %v", situation, got, c.from)
		}
	}
	for ago, want := range map[time.Duration]time.Duration{time.Hour: 30 * time.Minute, 26 * time.Hour: 30 * time.Minute, 32 * time.Hour: 2 * time.Hour, 1000 * time.Hour: 6 * time.Hour} {
		if got := Retry(now.Add(-ago), now, 0).Sub(now); got != want {
			t.Errorf("last read %v ago: tried again after %v, want %v", ago, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	one := issued(f, "one")
	fill := strings.NewReplacer("CERT", encoded(one), "NEXT", encoded(one), "OTHER", encoded(one))
	f.Add([]byte(fill.Replace(okta)))
	f.Add([]byte(fill.Replace(adfs)))
	f.Add([]byte(`<EntitiesDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata"/>`))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := Parse(data, "", now)
		if err == nil && !got.Provider.Complete() {
			t.Errorf("accepted, but not complete: %+v", got.Provider)
		}
		if err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("refused without a reason to show: %v", err)
		}
	})
}
