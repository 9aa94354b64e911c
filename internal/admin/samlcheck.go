package admin

import (
	"bytes"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/saml/metadata"
)

// Bounds of the settings of a SAML connection, in characters where nothing else is said.
const (
	maxAttributeName  = 256
	maxSeparator      = 8
	maxAuthnContext   = 256
	mostAuthnContexts = 10
)

// nameIDFormats are those that a provider may be asked for (SAML 2.0 core §8.3).
var nameIDFormats = []string{
	metadata.UnspecifiedNameID,
	"urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
	"urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
	"urn:oasis:names:tc:SAML:2.0:nameid-format:transient",
	"urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName",
	"urn:oasis:names:tc:SAML:1.1:nameid-format:WindowsDomainQualifiedName",
	"urn:oasis:names:tc:SAML:2.0:nameid-format:kerberos",
}

// apply makes a change of settings, which are the caller's own copy, and returns what
// changed, by the names that the API has for it. It decides only.
func apply(settings *directory.SAMLSettings, c SAMLChange, read source, now time.Time) (map[string]any, error) {
	a := &applier{settings: settings, changed: map[string]any{}}
	a.provider(c, read, now)
	setting(a, "idp_initiated", &settings.IDPInitiated, c.IDPInitiated)
	setting(a, "application", &settings.Application, c.Application)
	setting(a, "sign_requests", &settings.SignRequests, c.SignRequests)
	setting(a, "name_id_format", &settings.NameIDFormat, c.NameIDFormat)
	setting(a, "force_authn", &settings.ForceAuthn, c.ForceAuthn)
	setting(a, "without_authn_statement", &settings.WithoutAuthnStatement, c.WithoutAuthnStatement)
	setting(a, "group_separator", &settings.GroupSeparator, c.GroupSeparator)
	setting(a, "group_common_name", &settings.GroupCommonName, c.GroupCommonName)
	setting(a, "absent_groups_mean_none", &settings.AbsentGroupsMeanNone, c.AbsentGroupsMeanNone)
	setting(a, "just_in_time", &settings.JustInTime, c.JustInTime)
	if c.ClockSkew != nil {
		a.check(clockSkew(*c.ClockSkew))
		skew := directory.Seconds(*c.ClockSkew)
		setting(a, "clock_skew", &settings.ClockSkew, &skew)
	}
	if c.NameIDFormat != nil && *c.NameIDFormat != "" && !slices.Contains(nameIDFormats, *c.NameIDFormat) {
		a.check(fault.New(fault.Invalid, "name_id_format %q is not one of %s", first(*c.NameIDFormat), strings.Join(nameIDFormats, ", ")))
	}
	if c.GroupSeparator != nil {
		a.check(separator(*c.GroupSeparator))
	}
	if settings.IDPInitiated && settings.Application == "" {
		a.check(fault.New(fault.Invalid, "idp_initiated needs an application: where does a login lead that began at the provider?"))
	}
	if c.AuthnContexts != nil {
		a.list("authn_contexts", &settings.AuthnContexts, *c.AuthnContexts, authnContexts)
	}
	if c.EmailDomains != nil {
		a.list("email_domains", &settings.EmailDomains, *c.EmailDomains, emailDomains)
	}
	at := &settings.Attributes
	for _, l := range []struct {
		name  string
		field *[]string
		value *[]string
	}{
		{"attributes.id", &at.ID, c.Attributes.ID}, {"attributes.groups", &at.Groups, c.Attributes.Groups},
		{"attributes.email", &at.Email, c.Attributes.Email}, {"attributes.given_name", &at.GivenName, c.Attributes.GivenName},
		{"attributes.family_name", &at.FamilyName, c.Attributes.FamilyName}, {"attributes.display_name", &at.DisplayName, c.Attributes.DisplayName},
	} {
		if l.value != nil {
			a.list(l.name, l.field, *l.value, attributeNames)
		}
	}
	return a.changed, a.err
}

type applier struct {
	settings *directory.SAMLSettings
	changed  map[string]any
	err      error // the first
}

func (a *applier) check(err error) {
	if a.err == nil {
		a.err = err
	}
}

// setting sets a field to a value, if there is one, and notes whether that is a change.
func setting[T comparable](a *applier, name string, field, value *T) {
	if value == nil || *field == *value {
		return
	}
	*field = *value
	a.changed[name] = *value
}

// list sets a list that a function checks and brings into its form.
func (a *applier) list(name string, field *[]string, value []string, form func(name string, list []string) ([]string, error)) {
	value, err := form(name, value)
	a.check(err)
	if !slices.Equal(*field, value) {
		*field = value
		a.changed[name] = value
	}
}

// provider sets what is known of the identity provider: it is known completely or not at
// all, and who it is stays.
func (a *applier) provider(c SAMLChange, read source, now time.Time) {
	before := a.settings.Provider
	p := before
	p.Certificates = slices.Clone(before.Certificates)
	switch {
	case read.given && before.EntityID == "":
		p = read.document.Provider
	case read.given:
		merged, _, err := metadata.Merge(before, read.document.Provider, now)
		a.check(conflict(err))
		p = merged
	}
	url := c.MetadataURL
	if c.MetadataXML != nil {
		url = new(string) // from now on it is what was pasted
	}
	setting(a, "metadata_url", &a.settings.MetadataURL, url)
	if !read.given && (c.byHand() || c.EntityID != nil) {
		a.check(byHand(&p, c, a.settings.MetadataURL, now))
	}
	if p.EntityID != before.EntityID {
		a.changed["entity_id"] = p.EntityID
	}
	for _, u := range []struct{ name, before, after string }{
		{"sso_url", before.SSORedirectURL, p.SSORedirectURL}, {"sso_post_url", before.SSOPostURL, p.SSOPostURL},
		{"slo_url", before.SLORedirectURL, p.SLORedirectURL}, {"slo_post_url", before.SLOPostURL, p.SLOPostURL},
	} {
		if u.before != u.after {
			a.changed[u.name] = u.after
		}
	}
	if p.WantRequestsSigned != before.WantRequestsSigned {
		a.changed["want_requests_signed"] = p.WantRequestsSigned
	}
	if !slices.EqualFunc(before.Certificates, p.Certificates, func(x, y directory.ProviderCertificate) bool {
		return bytes.Equal(x.DER, y.DER) && x.Missing == y.Missing
	}) {
		a.changed["certificates"] = fingerprints(p.Certificates)
	}
	a.settings.Provider = p
}

// conflict turns the refusal of another provider's metadata into what it is here.
func conflict(err error) error {
	if err == nil {
		return nil
	}
	_, text := fault.Public(err)
	return fault.Wrap(fault.Conflict, err, "%s", text)
}

// byHand sets what an admin says of the provider himself.
func byHand(p *directory.IdentityProvider, c SAMLChange, metadataURL string, now time.Time) error {
	if c.EntityID != nil && *c.EntityID != p.EntityID {
		if p.EntityID != "" {
			return fault.New(fault.Conflict, "this connection belongs to %q, which stays; the provider %q needs another connection", first(p.EntityID), first(*c.EntityID))
		}
		p.EntityID = *c.EntityID
	}
	if !c.byHand() && p.Complete() {
		return nil // it only names who it is
	}
	if metadataURL != "" {
		return fault.New(fault.Conflict, `the provider is read from metadata_url, which would undo this; set metadata_url to "" first, or in the same change`)
	}
	if err := metadata.CheckEntityID(p.EntityID); err != nil {
		return err
	}
	for _, u := range []struct {
		name  string
		field *string
		value *string
	}{
		{"sso_url", &p.SSORedirectURL, c.SSORedirectURL}, {"sso_post_url", &p.SSOPostURL, c.SSOPostURL},
		{"slo_url", &p.SLORedirectURL, c.SLORedirectURL}, {"slo_post_url", &p.SLOPostURL, c.SLOPostURL},
	} {
		if u.value == nil {
			continue
		}
		if *u.value != "" {
			if err := metadata.CheckURL(u.name, *u.value); err != nil {
				return err
			}
		}
		*u.field = *u.value
	}
	if err := changeCertificates(p, c, now); err != nil {
		return err
	}
	switch {
	case p.SSORedirectURL == "" && p.SSOPostURL == "":
		return fault.New(fault.Invalid, "the provider needs an sso_url (HTTP-Redirect) or an sso_post_url (HTTP-POST)")
	case len(p.Certificates) == 0:
		return fault.New(fault.Invalid, "the provider needs at least one certificate; add the new one before the last one is removed")
	}
	return nil
}

func changeCertificates(p *directory.IdentityProvider, c SAMLChange, now time.Time) error {
	for _, fingerprint := range c.Remove {
		plain := strings.ToLower(strings.ReplaceAll(fingerprint, ":", ""))
		at := slices.IndexFunc(p.Certificates, func(c directory.ProviderCertificate) bool { return metadata.Fingerprint(c.DER) == plain })
		if at < 0 {
			return fault.New(fault.Invalid, "the provider has no certificate of the fingerprint %q (SHA-256, in hexadecimal)", first(fingerprint))
		}
		p.Certificates = slices.Delete(p.Certificates, at, at+1)
	}
	for _, text := range c.Add {
		certificates, err := metadata.Certificates(text, now)
		if err != nil {
			return err
		}
		for _, added := range certificates {
			if !slices.ContainsFunc(p.Certificates, func(c directory.ProviderCertificate) bool { return bytes.Equal(c.DER, added.DER) }) {
				p.Certificates = append(p.Certificates, added)
			}
		}
	}
	if len(p.Certificates) > directory.MaxCertificates {
		return fault.New(fault.Invalid, "the provider would have %d certificates; at most %d are allowed", len(p.Certificates), directory.MaxCertificates)
	}
	return nil
}

func clockSkew(seconds int) error {
	if seconds < 0 || seconds > int(directory.MaxClockSkew) {
		return fault.New(fault.Invalid, "clock_skew %d is not between 0 and %d seconds", seconds, directory.MaxClockSkew)
	}
	return nil
}

func separator(value string) error {
	if n := utf8.RuneCountInString(value); n > maxSeparator {
		return fault.New(fault.Invalid, "group_separator has %d characters; at most %d are allowed", n, maxSeparator)
	}
	if !storable(value) {
		return fault.New(fault.Invalid, "group_separator %q is no text", first(value))
	}
	return nil
}

func authnContexts(name string, list []string) ([]string, error) {
	return words(name, list, mostAuthnContexts, maxAuthnContext)
}

func attributeNames(name string, list []string) ([]string, error) {
	return words(name, list, directory.MaxAttributeNames, maxAttributeName)
}

// words checks names that are compared exactly. No names at all is nil.
func words(name string, list []string, most, longest int) ([]string, error) {
	if len(list) > most {
		return nil, fault.New(fault.Invalid, "%s has %d names; at most %d are allowed", name, len(list), most)
	}
	var out []string
	for _, word := range list {
		switch {
		case word == "" || strings.TrimSpace(word) != word || strings.ContainsFunc(word, unicode.IsControl) || !utf8.ValidString(word):
			return nil, fault.New(fault.Invalid, "%s %q is blank, or has spaces around it or control characters", name, first(word))
		case utf8.RuneCountInString(word) > longest:
			return nil, fault.New(fault.Invalid, "%s %q has more than %d characters", name, first(word), longest)
		case slices.Contains(out, word):
			return nil, fault.New(fault.Invalid, "%s %q is there twice", name, first(word))
		}
		out = append(out, word)
	}
	return out, nil
}

// emailDomains brings domains into the form in which they are compared, sorted.
func emailDomains(name string, list []string) ([]string, error) {
	if len(list) > directory.MaxEmailDomains {
		return nil, fault.New(fault.Invalid, "%s has %d domains; at most %d are allowed", name, len(list), directory.MaxEmailDomains)
	}
	var out []string
	for _, given := range list {
		domain, ok := directory.Domain(given)
		if !ok {
			return nil, fault.New(fault.Invalid, "%s %q is no domain name like acme.com; there are no wildcards, each domain is named", name, first(given))
		}
		out = append(out, domain)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}
