package saml

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/saml/verifier"
	rolesync "github.com/rolesync/rolesync/sync"
)

// identity is who signs in, as a verified assertion and the settings of the connection say.
type identity struct {
	login    rolesync.Login
	ignored  []string // sentences about values that were passed over
	unmapped []string // names of attributes that mean nothing here, sorted
}

// maxValue bounds a value, in bytes, as the engine does. What is longer is ignored and
// said; a NameID is refused.
const maxValue = 512

// The formats of a NameID that mean something here (SAML core §8.3).
const (
	formatPersistent   = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
	formatTransient    = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
	formatEmail        = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
	formatUnspecified  = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
	formatUnspecified2 = "urn:oasis:names:tc:SAML:2.0:nameid-format:unspecified"
)

// identify reads a verified assertion. Its error is a *refusal: the assertion is genuine
// and still names nobody whom the connection lets in.
func identify(a *verifier.Assertion, settings *directory.SAMLSettings, entityID string) (identity, error) {
	r := &reading{assertion: a, settings: settings, entityID: entityID, names: namesOf(settings.Attributes), named: map[string][]string{}}
	for _, attribute := range a.Attributes {
		r.named[attribute.Name] = append(r.named[attribute.Name], attribute.Values...)
	}
	login := rolesync.Login{JustInTime: settings.JustInTime, Domains: settings.EmailDomains, Message: a.ID, Usable: a.Usable}
	var err error
	if login.Subject, login.ExternalID, err = r.subject(); err != nil {
		return identity{}, err
	}
	// What the provider will call the person in a logout request, if not that.
	if key, err := r.nameKey(a.NameID); err == nil && key != login.Subject {
		login.SignOutAs = noted(key)
	}
	login.Email = r.email()
	if err = r.checkDomain(login.Email); err != nil {
		return identity{}, err
	}
	login.GivenName, login.FamilyName = r.first(r.names.GivenName), r.first(r.names.FamilyName)
	login.DisplayName = r.first(r.names.DisplayName)
	if full := strings.TrimSpace(login.GivenName + " " + login.FamilyName); login.DisplayName == "" && len(full) <= maxValue {
		login.DisplayName = full
	}
	if login.UserName = r.userName(login.Email, login.ExternalID); login.UserName == "" {
		return identity{}, noName("the assertion has nothing that could be the userName")
	}
	login.Fact, login.Groups = r.groups()
	return identity{login, r.ignored, r.unmapped()}, nil
}

// reading is an assertion that is being read.
type reading struct {
	assertion *verifier.Assertion
	settings  *directory.SAMLSettings
	entityID  string // ours
	names     directory.SAMLAttributes
	named     map[string][]string // the values of all attributes of a name, in order
	ignored   []string
}

// subject returns the key by which the connection knows the person from now on, and the
// provider's own id, if it is one that SCIM may know as externalId:
//
//	the connection's own ID attributes   and nothing else, if it has such a list
//	a persistent NameID
//	the usual ID attributes              Entra's object id, before a NameID that is a name
//	another NameID                       but a transient one, which is another at each login
//
// The key says which of them it is and what qualifies it, so that a value of one kind is
// never taken for the same value of another.
func (r *reading) subject() (key, externalID string, err error) {
	id := r.assertion.NameID
	own := len(r.settings.Attributes.ID) > 0
	if !own && id.Format == formatPersistent {
		key, err = r.nameKey(id)
		return key, strings.TrimSpace(id.Value), err
	}
	for _, name := range r.names.ID {
		values := r.values(name)
		if len(values) > 1 {
			return "", "", noName("the attribute %s, which names the person, has %d values", quote(name), len(values))
		}
		if len(values) == 1 {
			return joined("attribute", name, values[0]), values[0], nil
		}
	}
	if own {
		return "", "", noName("none of the attributes that name the person (%s) is there", some(r.names.ID))
	}
	key, err = r.nameKey(id)
	return key, "", err
}

// nameKey is the key of somebody whom the NameID names.
func (r *reading) nameKey(id verifier.NameID) (string, error) {
	value := strings.TrimSpace(id.Value)
	switch {
	case value == "":
		return "", noName("the NameID is empty")
	case len(value) > maxValue:
		return "", noName("the NameID has %d bytes; at most %d are possible", len(value), maxValue)
	case id.Format == formatTransient:
		return "", noName("the NameID %s is transient, which is another one at each login, and no attribute names the person", quote(value))
	case id.Format == formatPersistent:
		return r.qualified("persistent", id, value), nil
	case id.Format == formatEmail && directory.Disguised(value):
		return r.qualified("email", id, value), nil // as it is, or it would be somebody else's
	case id.Format == formatEmail, unspecified(id.Format) && isAddress(value):
		// Providers send the same address with and without its format, as their admins
		// have set it, or depending on where the login began.
		return r.qualified("email", id, directory.Fold(value)), nil
	case unspecified(id.Format):
		return r.qualified("unspecified", id, value), nil
	default:
		return r.qualified("format", id, id.Format, value), nil
	}
}

// noted is the key under which a NameID is remembered that is not who the person is, but
// what the provider will call the person in a logout request. It never signs anybody in.
func noted(key string) string { return joined("logout", key) }

func unspecified(format string) bool {
	return format == "" || format == formatUnspecified || format == formatUnspecified2
}

func noName(format string, args ...any) error {
	return &refusal{code: "name_id", detail: fmt.Sprintf(format, args...), authentic: true}
}

// qualified makes a key of a NameID, with its qualifiers as far as they are not what they
// are if left out: the provider and we (SAML core §8.3.7). With them the kind is another
// one: the provider may let people choose a value that reads like qualifiers and a value.
func (r *reading) qualified(kind string, id verifier.NameID, parts ...string) string {
	name, spName := id.NameQualifier, id.SPNameQualifier
	if name == r.settings.Provider.EntityID {
		name = ""
	}
	if spName == r.entityID {
		spName = ""
	}
	if name == "" && spName == "" {
		return joined(kind, parts...)
	}
	return joined("qualified "+kind, append([]string{name, spName}, parts...)...)
}

// maxKey is how long a key may be, in bytes, to be stored as it is: it is part of an index.
const maxKey = 512

// joined makes a key of parts, so that different ones never make the same, if those of a
// kind are always as many. No kind has the sign that tells a hash from a value.
func joined(kind string, parts ...string) string {
	var b strings.Builder
	b.WriteString(kind)
	for i, part := range parts {
		if i < len(parts)-1 {
			fmt.Fprintf(&b, ":%d", len(part)) // where it ends
		}
		b.WriteByte(':')
		b.WriteString(part)
	}
	if b.Len() <= maxKey {
		return b.String()
	}
	hash := sha256.Sum256([]byte(b.String()))
	return kind + "#sha256:" + hex.EncodeToString(hash[:])
}

// userName is what the provider calls the person: a NameID that is a name, else an
// attribute that is one, else the e-mail address, else the id. It is by what SCIM may know
// the person, before and afterwards. So a connection with domains has no say over a name
// that is no address of these, and nobody over what only compares like somebody's name.
func (r *reading) userName(email, externalID string) string {
	usable := func(name string) bool {
		switch {
		case name == "":
			return false
		case directory.Disguised(name):
			r.ignore("the userName %s was not taken: it compares as %s does", quote(name), quote(directory.Fold(name)))
			return false
		case len(r.settings.EmailDomains) > 0 && !(isAddress(name) && r.settings.Speaks(name)):
			r.ignore("the userName %s was not taken: it is no address of the connection's domains", quote(name))
			return false
		}
		return true
	}
	id := r.assertion.NameID
	name := strings.TrimSpace(id.Value)
	if id.Format != formatPersistent && id.Format != formatTransient && len(name) <= maxValue && usable(name) {
		return name
	}
	for _, name := range []string{r.first(userNames), email, externalID} {
		if usable(name) {
			return name
		}
	}
	return ""
}

// email is the person's address: that of an attribute, else a NameID that is one.
func (r *reading) email() string {
	for _, name := range r.names.Email {
		for _, value := range r.values(name) {
			if isAddress(value) {
				return value
			}
		}
	}
	id := r.assertion.NameID
	value := strings.TrimSpace(id.Value)
	// Okta states no format for an address.
	if (id.Format == formatEmail || unspecified(id.Format)) && len(value) <= maxValue && isAddress(value) {
		return value
	}
	return ""
}

// isAddress reports whether a value is an e-mail address, and a plain one: nothing in it
// means something to a mail program or on a page, it has one domain only, whoever looks for
// it, and it compares like no other.
func isAddress(value string) bool {
	_, ok := directory.DomainOf(value)
	return ok && strings.Count(value, "@") == 1 && !directory.Disguised(value) &&
		!strings.ContainsFunc(value, func(c rune) bool { return c <= ' ' || c == 0x7f || strings.ContainsRune(`<>()[],;:\"`, c) })
}

// checkDomain refuses an address that the connection may not speak for, and, where it has a
// list of domains, a person without an address: who cannot be checked is not let in.
func (r *reading) checkDomain(email string) error {
	allowed := r.settings.EmailDomains
	refuse := func(format string, args ...any) error {
		return &refusal{code: "email_domain", detail: fmt.Sprintf(format, args...), authentic: true}
	}
	switch {
	case len(allowed) == 0:
		return nil
	case email == "":
		return refuse("the assertion has no e-mail address (%s), and the connection lets in those of %s only", some(r.names.Email), some(allowed))
	case !r.settings.Speaks(email):
		return refuse("the e-mail address %s is of none of the connection's domains (%s)", quote(email), some(allowed))
	}
	return nil
}

// values returns what attributes of a name hold, in order, each once: trimmed, without
// what is blank or too long. More than a few are nobody's name, and left out.
func (r *reading) values(name string) []string {
	var values []string
	for _, value := range r.named[name] {
		if value = r.clean(name, value); value != "" && !slices.Contains(values, value) {
			values = append(values, value)
		}
		if len(values) == 16 {
			break
		}
	}
	return values
}

// unmapped returns the names of attributes that mean nothing here, sorted.
func (r *reading) unmapped() []string {
	var names []string
	for name := range r.named {
		if !reads(r.names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names[:min(len(names), store.MostUnmapped)]
}

// first returns the first value of the first attribute, in order of names, that has one.
func (r *reading) first(names []string) string {
	for _, name := range names {
		if values := r.values(name); len(values) > 0 {
			return values[0]
		}
	}
	return ""
}

// clean returns a value without white space around it; "" when it is not used.
func (r *reading) clean(name, value string) string {
	value = strings.TrimSpace(value)
	if len(value) > maxValue {
		r.ignore("a value of %s was ignored: it has %d bytes, at most %d are possible", name, len(value), maxValue)
		return ""
	}
	return value
}

// ignore says once what was passed over.
func (r *reading) ignore(format string, args ...any) {
	if sentence := fmt.Sprintf(format, args...); !slices.Contains(r.ignored, sentence) && len(r.ignored) < 20 {
		r.ignored = append(r.ignored, sentence)
	}
}

// quote shows at most 100 bytes of a value that came from outside.
func quote(s string) string {
	if len(s) > 100 {
		return fmt.Sprintf("%q…", s[:100])
	}
	return fmt.Sprintf("%q", s)
}

// some lists the first of many.
func some(list []string) string {
	const most = 5
	if len(list) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
	}
	return strings.Join(list, ", ")
}
