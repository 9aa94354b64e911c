package adminapi_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/internal/traffic"
)

// TestProviderComesLater walks through how a connection is set up when the provider needs
// our addresses first, and is then given by hand.
func TestProviderComesLater(t *testing.T) {
	s := start(t)
	org := s.organization("Acme")
	c, path := s.saml(org, object{})
	if c.SAML.Provider != nil || c.SAML.ACSURL == "" || len(c.SAML.Keys) != 2 {
		t.Errorf("without a provider: %+v", c.SAML)
	}
	s.do("POST", path+"/saml/tests", nil).problem(http.StatusConflict).said(t, c.ID, "no identity provider")

	one, two := issued(t, "one", time.Now().AddDate(1, 0, 0)), issued(t, "two", time.Now().AddDate(2, 0, 0))
	change := func(settings object) samlConnection {
		t.Helper()
		return into[samlConnection](s.do("PATCH", path+"/saml", settings).want(200))
	}
	for missing, settings := range map[string]object{
		"entity_id":   {"sso_url": "https://idp.example.com/sso", "certificate": asPEM("CERTIFICATE", one)},
		"sso_url":     {"entity_id": "https://idp.example.com", "certificate": asPEM("CERTIFICATE", one)},
		"certificate": {"entity_id": "https://idp.example.com", "sso_url": "https://idp.example.com/sso"},
	} {
		s.do("PATCH", path+"/saml", settings).problem(http.StatusBadRequest).said(t, missing)
	}
	c = change(object{"entity_id": "https://idp.example.com", "sso_url": "https://idp.example.com/sso", "certificate": base64.StdEncoding.EncodeToString(one)})
	if p := c.SAML.Provider; p == nil || p.EntityID != "https://idp.example.com" || len(p.Certificates) != 1 || c.SAML.Revision != 2 {
		t.Errorf("by hand: %+v", c.SAML)
	}
	c = change(object{"certificate": asPEM("CERTIFICATE", two), "sso_post_url": "https://idp.example.com/post"})
	p := c.SAML.Provider
	if len(p.Certificates) != 2 || p.SSOPostURL != "https://idp.example.com/post" || p.SSOURL != "https://idp.example.com/sso" {
		t.Errorf("a second certificate: %+v", p)
	}
	colons := strings.ToUpper(p.Certificates[0].Fingerprint[:2]) + ":" + p.Certificates[0].Fingerprint[2:]
	c = change(object{"remove_certificates": []string{colons}, "sso_url": ""})
	if p := c.SAML.Provider; len(p.Certificates) != 1 || p.Certificates[0].Certificate != asPEM("CERTIFICATE", two) || p.SSOURL != "" {
		t.Errorf("the first one removed: %+v", p)
	}
	s.do("PATCH", path+"/saml", object{"remove_certificates": []string{c.SAML.Provider.Certificates[0].Fingerprint}}).problem(http.StatusBadRequest).said(t, "at least one certificate")
	s.do("PATCH", path+"/saml", object{"remove_certificates": []string{"abc"}}).problem(http.StatusBadRequest).said(t, "abc")
	s.do("PATCH", path+"/saml", object{"sso_post_url": ""}).problem(http.StatusBadRequest).said(t, "sso_url")
	s.do("PATCH", path+"/saml", object{"entity_id": "https://evil.example"}).problem(http.StatusConflict).said(t, "https://idp.example.com", "https://evil.example")
	s.do("PATCH", path+"/saml", object{"metadata_xml": idpMetadata("https://evil.example", one)}).problem(http.StatusConflict).said(t, "https://evil.example")
	s.do("POST", path+"/saml/refresh", nil).problem(http.StatusConflict).said(t, "metadata_url")
	c = change(object{"metadata_xml": idpMetadata("https://idp.example.com", one)})
	if p := c.SAML.Provider; len(p.Certificates) != 2 || p.Certificates[0].Missing != 1 || p.SSOPostURL != "" {
		t.Errorf("metadata instead: %+v, want both certificates, and what the metadata says", p)
	}
	if !s.forgot(c.ID) {
		t.Error("whoever holds the connection in memory was not told")
	}
	audit := string(s.do("GET", "/organizations/"+org+"/audit?target="+c.ID, nil).want(200).Body)
	for _, text := range []string{"saml.changed", "sso_post_url", "https://idp.example.com/post", p.Certificates[1].Fingerprint} {
		if !strings.Contains(audit, text) {
			t.Errorf("the audit does not name %s:\n%s", text, audit)
		}
	}
}

func TestSettingsOfSAML(t *testing.T) {
	s := start(t)
	org := s.organization("Acme")
	app := s.application("https://app.example.com/cb")
	c, path := s.saml(org, object{"just_in_time": false})
	settings := object{
		"idp_initiated": true, "application": app.ID, "sign_requests": true, "name_id_format": "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
		"force_authn": true, "authn_contexts": []string{"urn:oasis:names:tc:SAML:2.0:ac:classes:X509"}, "clock_skew": 300, "without_authn_statement": true,
		"attributes": object{"groups": []string{"http://schemas.xmlsoap.org/claims/Group", "memberOf"}, "id": []string{"uid"}}, "group_separator": "; ", "group_common_name": true, "absent_groups_mean_none": true,
		"email_domains": []string{"b.example", "A.example", "a.EXAMPLE."}, "just_in_time": true, "revision": 1,
	}
	changed := into[samlConnection](s.do("PATCH", path+"/saml", settings).want(200)).SAML
	if !changed.IDPInitiated || changed.Application != app.ID || !changed.SignRequests || changed.ClockSkew != 300 || !changed.JustInTime || changed.GroupSeparator != "; " ||
		changed.NameIDFormat != settings["name_id_format"] || changed.Revision != 2 {
		t.Errorf("changed: %+v", changed)
	}
	if diff := cmp.Diff(map[string][]string{"groups": {"http://schemas.xmlsoap.org/claims/Group", "memberOf"}, "id": {"uid"}}, changed.Attributes); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a.example", "b.example"}, changed.EmailDomains); diff != "" {
		t.Errorf("email_domains (-want +got):\n%s", diff)
	}
	stored, err := s.store.Connection(t.Context(), directory.ConnectionID(c.ID))
	check(t, err)
	if v := stored.SAML; !v.ForceAuthn || !v.WithoutAuthnStatement || !v.GroupCommonName || !v.AbsentGroupsMeanNone || !slices.Equal(v.AuthnContexts, []string{"urn:oasis:names:tc:SAML:2.0:ac:classes:X509"}) {
		t.Errorf("stored: %+v", v)
	}
	left := into[samlConnection](s.do("PATCH", path+"/saml", object{"attributes": object{"id": []string{}}, "clock_skew": 0}).want(200)).SAML
	if left.ClockSkew != 0 || left.Attributes["id"] != nil || len(left.Attributes["groups"]) != 2 || !left.IDPInitiated || len(left.EmailDomains) != 2 {
		t.Errorf("what was left out has changed: %+v", left)
	}
	same := into[samlConnection](s.do("PATCH", path+"/saml", object{}).want(200)).SAML
	if same.Revision != left.Revision {
		t.Errorf("a change of nothing has raised the revision to %d", same.Revision)
	}
	s.do("PATCH", path+"/saml", object{"revision": 1, "clock_skew": 5}).problem(http.StatusPreconditionFailed).said(t, "revision 3", "not 1")

	long := strings.Repeat("x", 300)
	many := func(n int, format string) (list []string) {
		for i := range n {
			list = append(list, fmt.Sprintf(format, i))
		}
		return list
	}
	for situation, c := range map[string]struct {
		settings object
		said     string
	}{
		"skew above":                   {object{"clock_skew": 301}, "301"},
		"skew below":                   {object{"clock_skew": -1}, "-1"},
		"skew no number":               {object{"clock_skew": "1m"}, "clock_skew"},
		"an unknown NameID format":     {object{"name_id_format": "persistent"}, "persistent"},
		"a wildcard":                   {object{"email_domains": []string{"*.acme.com"}}, "*.acme.com"},
		"an address for a domain":      {object{"email_domains": []string{"anna@acme.com"}}, "anna@acme.com"},
		"too many domains":             {object{"email_domains": many(101, "d%d.example")}, "101"},
		"a blank attribute":            {object{"attributes": object{"groups": []string{" "}}}, "attributes.groups"},
		"an attribute with spaces":     {object{"attributes": object{"email": []string{" mail"}}}, " mail"},
		"an attribute with a line end": {object{"attributes": object{"email": []string{"a\nb"}}}, "attributes.email"},
		"an attribute with a NUL":      {object{"attributes": object{"email": []string{"a\x00b"}}}, "attributes.email"},
		"a long attribute":             {object{"attributes": object{"given_name": []string{long}}}, "256"},
		"an attribute twice":           {object{"attributes": object{"family_name": []string{"sn", "sn"}}}, "sn"},
		"too many attributes":          {object{"attributes": object{"display_name": many(33, "a%d")}}, "33"},
		"an unknown attribute list":    {object{"attributes": object{"phone": []string{"x"}}}, "phone"},
		"too many contexts":            {object{"authn_contexts": many(11, "urn:%d")}, "11"},
		"a blank context":              {object{"authn_contexts": []string{""}}, "authn_contexts"},
		"a long separator":             {object{"group_separator": "123456789"}, "group_separator"},
		"a separator with a NUL":       {object{"group_separator": "\x00"}, "group_separator"},
		"an unknown application":       {object{"application": "cli_unknown"}, "cli_unknown"},
		"an application with a NUL":    {object{"application": "cli_\x00"}, "application"},
		"no application":               {object{"application": ""}, "idp_initiated"},
		"metadata twice":               {object{"metadata_xml": "<a/>", "metadata_url": "https://idp.example.com/"}, "metadata_url"},
		"metadata and by hand":         {object{"metadata_xml": "<a/>", "sso_url": "https://idp.example.com/"}, "by hand"},
		"metadata inside":              {object{"metadata_url": "https://169.254.169.254/latest/meta-data"}, "not public"},
		"metadata over http":           {object{"metadata_url": "http://idp.example.com/"}, "https"},
		"empty metadata":               {object{"metadata_xml": ""}, "no element"},
		"a login URL over http":        {object{"entity_id": "a", "sso_url": "http://idp.example.com/", "certificate": "x"}, "http://idp.example.com/"},
		"a script for a login URL":     {object{"entity_id": "a", "sso_url": "javascript:alert(1)", "certificate": "x"}, "javascript:"},
		"an unknown setting":           {object{"clock_skeww": 1}, "clock_skeww"},
	} {
		p := s.do("PATCH", path+"/saml", c.settings).problem(http.StatusBadRequest)
		if !strings.Contains(fmt.Sprint(p.Detail, p.Errors), c.said) {
			t.Errorf("%s: %s does not name %q", situation, p.Detail, c.said)
		}
	}
	if now := into[samlConnection](s.do("GET", path, nil)).SAML; now.Revision != left.Revision {
		t.Errorf("what was refused has changed something: revision %d", now.Revision)
	}

	other := s.organization("Other")
	_, theirs := s.saml(other, object{})
	p := s.do("PATCH", theirs+"/saml", object{"email_domains": []string{"A.example"}}).problem(http.StatusConflict)
	p.said(t, "a.example")
	if strings.Contains(p.Detail, c.ID) || strings.Contains(p.Detail, org) {
		t.Errorf("the refusal tells whose domain it is: %s", p.Detail)
	}
	s.do("POST", "/organizations/"+other+"/connections", object{"name": "x", "kind": "saml", "saml": object{"email_domains": []string{"b.example"}}}).problem(http.StatusConflict)
	if list := into[listed[named]](s.do("GET", "/organizations/"+other+"/connections", nil)).Items; len(list) != 1 {
		t.Errorf("a refused connection was made: %+v", list)
	}
}

// TestSecretsThatArePasted are not repeated, logged or kept.
func TestSecretsThatArePasted(t *testing.T) {
	s := start(t)
	org := s.organization("Acme")
	_, path := s.saml(org, object{"metadata_xml": idpMetadata("https://idp.example.com", issued(t, "idp", time.Now().AddDate(1, 0, 0)))})
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	check(t, err)
	secret := base64.StdEncoding.EncodeToString(der)
	for situation, body := range map[string]any{
		"for a certificate":       object{"certificate": asPEM("PRIVATE KEY", der)},
		"bare, for a certificate": object{"certificate": secret},
		"in the wrong field":      object{"private_key": secret},
		"of the wrong kind":       object{"certificate": []string{secret}},
		"in metadata":             object{"metadata_xml": "<a>" + secret + "</b>"},
		"in a URL":                object{"metadata_url": "https://user:" + secret[:40] + "@idp.example.com/"},
	} {
		got := s.do("PATCH", path+"/saml", body)
		got.problem(http.StatusBadRequest)
		if strings.Contains(string(got.Body), secret[20:40]) {
			t.Errorf("%s: the answer repeats it: %s", situation, got.Body)
		}
	}
	stored, err := s.store.Connections(t.Context(), directory.OrganizationID(org))
	check(t, err)
	everything := s.log.String()
	for _, at := range []string{"/organizations/" + org + "/connections", path, path + "/health", path + "/failures", "/organizations/" + org + "/audit", "/audit"} {
		everything += string(s.do("GET", at, nil).want(200).Body)
	}
	for _, k := range stored[0].Keys {
		plain, err := s.sealer.Open(k.Sealed, k.SealContext(stored[0].ID))
		check(t, err)
		private, err := x509.ParsePKCS8PrivateKey(plain)
		check(t, err)
		for what, bytes := range map[string][]byte{"sealed": k.Sealed, "plain": plain, "exponent": private.(*rsa.PrivateKey).D.Bytes()} {
			if strings.Contains(everything, base64.StdEncoding.EncodeToString(bytes)[8:40]) || strings.Contains(everything, fmt.Sprintf("%x", bytes)[:40]) {
				t.Errorf("key %s is shown, %s", k.ID, what)
			}
		}
	}
	if strings.Contains(everything, secret[20:40]) {
		t.Error("what was pasted is kept")
	}
}

func TestKeysOfSAML(t *testing.T) {
	s := start(t)
	org := s.organization("Acme")
	c, path := s.saml(org, object{})
	keys := path + "/saml/keys"
	signing, encryption := c.SAML.Keys[0], c.SAML.Keys[1]
	state := func() string {
		t.Helper()
		var list []string
		for _, k := range into[samlConnection](s.do("GET", path, nil).want(200)).SAML.Keys {
			list = append(list, fmt.Sprint(k.Use, " ", k.Active))
		}
		return strings.Join(list, ", ")
	}
	s.do("DELETE", keys+"/"+signing.ID, nil).problem(http.StatusConflict).said(t, signing.ID, "signs")
	s.do("DELETE", keys+"/"+encryption.ID, nil).problem(http.StatusConflict).said(t, encryption.ID, "last one for encryption")
	next := into[samlKey](s.do("POST", keys, object{"use": "signing"}).want(http.StatusCreated))
	if next.Active || next.Use != "signing" || next.Fingerprint == signing.Fingerprint || !strings.HasPrefix(next.Certificate, "-----BEGIN CERTIFICATE") {
		t.Errorf("a new key: %+v, want one that is announced and does not sign yet", next)
	}
	if got := state(); got != "signing true, encryption true, signing false" {
		t.Errorf("announced: %s", got)
	}
	for range 2 { // again changes nothing
		s.do("POST", keys+"/"+next.ID+"/activate", nil).want(200)
		if got := state(); got != "signing false, encryption true, signing true" {
			t.Errorf("activated: %s", got)
		}
	}
	s.do("DELETE", keys+"/"+next.ID, nil).problem(http.StatusConflict)
	s.do("DELETE", keys+"/"+signing.ID, nil).want(http.StatusNoContent)
	s.do("DELETE", keys+"/"+signing.ID, nil).problem(http.StatusNotFound).said(t, signing.ID)
	newer := into[samlKey](s.do("POST", keys, object{"use": "encryption"}).want(http.StatusCreated))
	if !newer.Active {
		t.Error("a new key for encryption is not in use")
	}
	s.do("POST", keys+"/"+newer.ID+"/activate", nil).problem(http.StatusConflict).said(t, newer.ID, "encryption")
	s.do("DELETE", keys+"/"+encryption.ID, nil).want(http.StatusNoContent)
	for range 3 {
		s.do("POST", keys, object{"use": "signing"}).want(http.StatusCreated)
	}
	s.do("POST", keys, object{"use": "signing"}).problem(http.StatusConflict).said(t, "4 keys for signing")
	s.do("POST", keys, object{"use": "both"}).problem(http.StatusBadRequest).said(t, "both")
	s.do("POST", keys, nil).problem(http.StatusBadRequest)
	s.do("POST", keys+"/key_1/activate", nil).problem(http.StatusNotFound).said(t, "key_1")
	actions := string(s.do("GET", "/organizations/"+org+"/audit?target="+c.ID, nil).want(200).Body)
	for action, want := range map[string]int{"saml.key_created": 5, "saml.key_activated": 1, "saml.key_deleted": 2} {
		if n := strings.Count(actions, `"`+action+`"`); n != want {
			t.Errorf("%s is in the audit %d times, want %d", action, n, want)
		}
	}
}

func TestTestLogins(t *testing.T) {
	s := start(t)
	org := s.organization("Acme")
	c, path := s.saml(org, object{"metadata_xml": idpMetadata("https://idp.example.com", issued(t, "idp", time.Now().AddDate(1, 0, 0)))})
	type trial struct {
		ID, URL, Status string
		Result          map[string]any
		ExpiresAt       time.Time `json:"expires_at"`
	}
	made := into[trial](s.do("POST", path+"/saml/tests", nil).want(http.StatusCreated))
	address, secret, found := strings.Cut(made.URL, "?secret=")
	if !found || address != "https://sync.example.com/saml/"+c.ID+"/test/"+made.ID || made.Status != "pending" || time.Until(made.ExpiresAt).Round(time.Minute) != time.Hour {
		t.Errorf("made: %+v", made)
	}
	audited := string(s.do("GET", "/organizations/"+org+"/audit?target="+c.ID, nil).want(200).Body)
	if !strings.Contains(audited, "saml.test_created") || !strings.Contains(audited, made.ID) || strings.Contains(audited, secret) {
		t.Errorf("the audit has %s", audited)
	}
	scope := scopeOf(org, c.ID)
	stored, err := s.store.Trial(t.Context(), scope, made.ID)
	check(t, err)
	if stored.Digest != credential.Hash(secret) || !strings.HasPrefix(secret, credential.TrialSecret) {
		t.Error("what is stored is not the hash of the secret")
	}
	at := path + "/saml/tests/" + made.ID
	pending := s.do("GET", at, nil).want(200)
	if got := into[trial](pending); got.Status != "pending" || got.Result != nil || got.URL != "" || strings.Contains(string(pending.Body), secret) {
		t.Errorf("pending: %s", pending.Body)
	}
	check(t, s.store.FinishTrial(t.Context(), scope, made.ID, `{"checks":[{"name":"signature","passed":true}]}`))
	done := into[trial](s.do("GET", at, nil).want(200))
	if diff := cmp.Diff(map[string]any{"checks": []any{map[string]any{"name": "signature", "passed": true}}}, done.Result); done.Status != "done" || diff != "" {
		t.Errorf("done: %s (-want +got):\n%s", done.Status, diff)
	}
	s.do("GET", path+"/saml/tests/test_1", nil).problem(http.StatusNotFound).said(t, "test_1")

	expired := store.Trial{ID: directory.NewTrialID(), CreatedAt: directory.Now().Add(-2 * time.Hour), ExpiresAt: directory.Now().Add(-time.Second)}
	check(t, s.store.Transact(t.Context(), scope, store.Facts, func(tx *store.Tx) error { tx.CreateTrial(expired); return nil }))
	s.do("GET", path+"/saml/tests/"+expired.ID, nil).problem(http.StatusNotFound).said(t, "expired")
	s.do("POST", path+"/disable", nil).want(200)
	s.do("POST", path+"/saml/tests", nil).want(http.StatusCreated) // to try it before people can
}

// TestSAMLOfOthers tries everything with an organization that it does not belong to, and
// with a connection of SCIM.
func TestSAMLOfOthers(t *testing.T) {
	s := start(t)
	org, other := s.organization("Acme"), s.organization("Other")
	c, path := s.saml(org, object{"metadata_xml": idpMetadata("https://idp.example.com", issued(t, "idp", time.Now().AddDate(1, 0, 0)))})
	mine, _ := s.saml(other, object{})
	scim := s.connection(other, "Okta")
	extra := into[samlKey](s.do("POST", path+"/saml/keys", object{"use": "encryption"}).want(201))
	test := into[named](s.do("POST", path+"/saml/tests", nil).want(201))
	before := into[samlConnection](s.do("GET", path, nil).want(200))
	for _, connection := range []string{c.ID, mine.ID, scim.ID} {
		base := "/organizations/" + other + "/connections/" + connection + "/saml"
		s.do("GET", base+"/tests/"+test.ID, nil).problem(http.StatusNotFound)
		s.do("DELETE", base+"/keys/"+extra.ID, nil).problem(http.StatusNotFound)
		s.do("POST", base+"/keys/"+extra.ID+"/activate", nil).problem(http.StatusNotFound)
		if connection == mine.ID {
			continue
		}
		s.do("PATCH", base, object{"clock_skew": 1}).problem(http.StatusNotFound).said(t, connection)
		s.do("POST", base+"/refresh", nil).problem(http.StatusNotFound)
		s.do("POST", base+"/keys", object{"use": "signing"}).problem(http.StatusNotFound)
		s.do("POST", base+"/tests", nil).problem(http.StatusNotFound)
	}
	s.do("GET", "/organizations/"+other+"/connections/"+c.ID+"/failures?reference=X", nil).problem(http.StatusNotFound)
	if diff := cmp.Diff(before, into[samlConnection](s.do("GET", path, nil).want(200))); diff != "" {
		t.Errorf("a stranger has changed it (-want +got):\n%s", diff)
	}
	for _, at := range []string{"/tokens", "/clients"} { // they would let SCIM in
		s.do("POST", path+at, nil).problem(http.StatusConflict).said(t, c.ID, "saml")
	}
}

func TestHealthOfSAML(t *testing.T) {
	s := start(t)
	org := s.organization("Acme")
	c, path := s.saml(org, object{})
	scope := scopeOf(org, c.ID)
	type seen struct {
		Status, Reason string
		Certificates   []struct {
			Fingerprint string
			DaysLeft    int `json:"days_left"`
		}
		Keys []struct {
			ID, Use  string
			Active   bool
			DaysLeft int `json:"days_left"`
		}
		Warnings []struct{ Code, Message string }
	}
	get := func() (h seen, codes string) {
		t.Helper()
		h = into[seen](s.do("GET", path+"/health", nil).want(200))
		for _, w := range h.Warnings {
			codes += w.Code + " "
		}
		return h, codes
	}
	h, codes := get()
	if h.Status != "never_used" || !strings.Contains(h.Reason, "No identity provider is set") || codes != "no_provider no_application " {
		t.Errorf("a new connection: %s: %s, warnings %s", h.Status, h.Reason, codes)
	}
	if len(h.Keys) != 2 || h.Keys[0].Use != "signing" || !h.Keys[0].Active || h.Keys[0].DaysLeft < 3640 {
		t.Errorf("keys: %+v", h.Keys)
	}

	s.application("https://app.example.com/cb")
	day := 24 * time.Hour
	gone, soon, later := issued(t, "gone", time.Now().Add(-36*time.Hour)), issued(t, "soon", time.Now().Add(20*day+time.Hour)), issued(t, "later", time.Now().Add(500*day))
	add := func(der []byte) object {
		return object{"entity_id": "https://idp.example.com", "sso_url": "https://idp.example.com/sso", "certificate": asPEM("CERTIFICATE", der)}
	}
	for _, step := range []struct {
		der  []byte
		want string
		said string
	}{
		{gone, "certificate_expired ", "Logins still work"},
		{soon, "certificate_superseded certificate_expires ", "has ended"},
		{later, "certificate_superseded ", "remove it"},
	} {
		s.do("PATCH", path+"/saml", add(step.der)).want(200)
		if h, codes = get(); codes != step.want || !strings.Contains(h.Warnings[0].Message, step.said) {
			t.Errorf("warnings: %s%v, want %s", codes, h.Warnings, step.want)
		}
	}
	if h.Status != "never_used" || !strings.Contains(h.Reason, "Nobody has signed in yet") || len(h.Certificates) != 3 || h.Certificates[0].DaysLeft != -2 || h.Certificates[1].DaysLeft != 20 {
		t.Errorf("before the first login: %s, %+v", h.Reason, h.Certificates)
	}

	at := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	for _, step := range []struct {
		kind, code string // a code: it failed
		status     string
		reason     string
		warnings   string
	}{
		{store.KindAuth, "signature", "failing", "The newest message, at 2026-03-01T10:01:00Z, was refused before anything in it was known to be signed by the identity provider (signature): it is so; unless a stranger tries, the provider has another certificate than this connection; none has succeeded yet.", ""},
		{"test", "", "failing", "The newest message, at 2026-03-01T10:01:00Z", ""},
		{"groups.stated", "", "failing", "The newest message", ""},
		{"login", "", "healthy", "The newest login succeeded.", ""},
		{"login", "audience", "failing", "The newest login, at 2026-03-01T10:05:00Z, was refused (audience): it is so; the last that succeeded was at 2026-03-01T10:04:00Z.", ""},
		{"login", "user_inactive", "failing", "The newest login, at 2026-03-01T10:05:00Z", ""},
		{"login", "", "healthy", "The newest login succeeded.", ""},
		{"login", "user_inactive", "healthy", "The newest login, at 2026-03-01T10:08:00Z, was refused for what has nothing to do with the connection (user_inactive): it is so.", ""},
		{"groups.absent", "", "healthy", "nothing to do with the connection", "groups_absent "},
		{"groups.partial", "", "healthy", "nothing to do with the connection", "groups_partial "},
		{"metadata", "metadata", "healthy", "nothing to do with the connection", "groups_partial "},
		{"groups.stated", "", "healthy", "nothing to do with the connection", ""},
		{"logout", "", "healthy", "The newest login succeeded.", ""},
		{store.KindAuth, "cookie", "healthy", "The newest message, at 2026-03-01T10:14:00Z, was refused for what has nothing to do with the connection (cookie)", ""},
		{"logout", "expired", "failing", "The newest logout, at 2026-03-01T10:15:00Z, was refused (expired)", ""},
	} {
		at = at.Add(time.Minute)
		q := traffic.Request{Scope: scope, Kind: step.kind, At: at}
		if step.code != "" {
			q.Failure = &traffic.Failure{Status: 403, Code: step.code, Detail: "it is so.", Method: "POST", Path: "/acs", Request: "req_06b5t6gq9p7v53kmh4fjrs2a80"}
		}
		s.seen.Record(q)
		h, codes := get()
		if h.Status != step.status || !strings.Contains(h.Reason, step.reason) || codes != "certificate_superseded "+step.warnings {
			t.Errorf("after %s %s:\n%s: %s, warnings %s, want\n%s: %s, warnings %s", step.kind, step.code, h.Status, h.Reason, codes, step.status, step.reason, step.warnings)
		}
	}

	s.seen.Record(traffic.Request{Scope: scope, Kind: "login", At: at.Add(time.Minute), Failure: &traffic.Failure{Code: "audience", Request: "req_06b5t6gq9p7v53kmh4fjother1"}})
	type failure struct{ Reference, Code, Request string }
	for reference, want := range map[string]int{"FJOTHER1": 1, "fjother1": 1, "%20FJOTHER1": 1, "JOTHER1": 0, "4FJOTHER1": 0, "FJOTHER2": 0} {
		got := into[listed[failure]](s.do("GET", path+"/failures?reference="+reference, nil).want(200)).Items
		if len(got) != want || want == 1 && (got[0].Reference != "FJOTHER1" || got[0].Code != "audience") {
			t.Errorf("reference %s: %+v, want %d", reference, got, want)
		}
	}
}

func TestGroupAuthority(t *testing.T) {
	s := start(t)
	org := s.organization("Acme")
	path := "/organizations/" + org + "/group-authority"
	type authority struct{ Set, Effective string }
	if got := into[authority](s.do("GET", path, nil).want(200)); got != (authority{"auto", "saml"}) {
		t.Errorf("at first: %+v", got)
	}
	c := s.connection(org, "Okta")
	s.facts(org, c.ID).group("Admins")
	if got := into[authority](s.do("GET", path, nil).want(200)); got != (authority{"auto", "scim"}) {
		t.Errorf("after SCIM has pushed a group: %+v", got)
	}
	for _, set := range []string{"union", "saml", "scim"} {
		if got := into[authority](s.do("PUT", path, object{"set": set}).want(200)); got != (authority{set, set}) {
			t.Errorf("set to %s: %+v", set, got)
		}
	}
	s.do("PUT", path, object{"set": "both"}).problem(http.StatusBadRequest).said(t, "both")
	s.do("PUT", path, object{}).problem(http.StatusBadRequest)
	if audit := string(s.do("GET", "/organizations/"+org+"/audit", nil).Body); strings.Count(audit, "authority.changed") != 3 {
		t.Errorf("audit:\n%s", audit)
	}
}

// A certificate with an RSA key that is too short, as some providers still have.
func TestShortKeyIsRefused(t *testing.T) {
	s := start(t)
	org := s.organization("Acme")
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	check(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	check(t, err)
	body := object{"name": "Old", "kind": "saml", "saml": object{"metadata_xml": idpMetadata("https://idp.example.com", der)}}
	s.do("POST", "/organizations/"+org+"/connections", body).problem(http.StatusBadRequest).said(t, "2048")
}
