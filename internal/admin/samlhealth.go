package admin

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/saml/metadata"
)

// The kinds of traffic of a SAML connection, besides store.KindAuth (messages of which
// nothing is known to come from the provider) and KindMetadata.
const (
	KindLogin         = "login"
	KindLogout        = "logout"
	KindTest          = "test"
	KindGroupsStated  = "groups.stated"
	KindGroupsAbsent  = "groups.absent"
	KindGroupsPartial = "groups.partial"
)

// CertificateHealth is about a certificate, of the provider or of a key of ours.
type CertificateHealth struct {
	Key         string // the id of the key; "" of the provider's
	Use         directory.KeyUse
	Active      bool // of a key
	Fingerprint string
	NotAfter    time.Time
	DaysLeft    int // whole days; below 0: it has expired
}

// Warning is what may break logins soon, or keeps them from what they are for.
type Warning struct {
	Code    string // snake_case, stable
	Message string // what it is, and what to do
}

// elsewhere are the codes of refusals that are about the person, the browser or the
// application, and say nothing of the connection.
var elsewhere = []string{
	"user_inactive", "user_unknown", "user_conflict", "login_denied", "email_domain",
	"replayed", "cookie", "relay_state", "method", "invalid_request", "application", "connection_disabled",
}

// unsigned are the codes of refusals that another certificate would mend.
var unsigned = []string{"signature", "unsigned", "issuer"}

// samlHealth adds what only SAML connections have, and says how logins go.
func (s *Service) samlHealth(ctx context.Context, h *Health, c Connection, scope store.Scope) error {
	failures, err := s.Store.Failures(ctx, scope, "", store.MostFailures)
	if err != nil {
		return err
	}
	applications, err := s.Store.Applications(ctx)
	if err != nil {
		return err
	}
	now := s.now()
	for _, known := range c.SAML.Provider.Certificates {
		h.Certificates = append(h.Certificates, CertificateHealth{
			Fingerprint: metadata.Fingerprint(known.DER), NotAfter: known.NotAfter, DaysLeft: daysLeft(known.NotAfter, now),
		})
	}
	for _, k := range c.Keys {
		h.Keys = append(h.Keys, CertificateHealth{
			Key: k.ID, Use: k.Use, Active: k.Active, Fingerprint: metadata.Fingerprint(k.Certificate), NotAfter: k.NotAfter, DaysLeft: daysLeft(k.NotAfter, now),
		})
	}
	if c.SAML.MetadataURL != "" {
		h.Metadata = &c.Fetched
	}
	h.Warnings = warnings(c, h, len(applications) > 0, s.Sealer.Ready(), now)
	h.Status, h.Reason = samlStatus(c, h, failures)
	return nil
}

// daysLeft rounds down, so that the last day is 0 and the first one afterwards -1.
func daysLeft(until, now time.Time) int {
	left := until.Sub(now)
	days := int(left / (24 * time.Hour))
	if left < 0 {
		days--
	}
	return days
}

// samlStatus says how logins go. Whether a person may sign in says nothing of the
// connection; that the newest message of all was nobody's does.
func samlStatus(c Connection, h *Health, failures []Failure) (Status, string) {
	var succeeded time.Time
	for _, k := range h.Kinds {
		if k.Kind == KindLogin || k.Kind == KindLogout {
			succeeded = later(succeeded, k.LastSuccess)
		}
	}
	var refused *Failure // the newest that is about a person
	for i, f := range failures {
		if !f.At.After(succeeded) {
			break
		}
		of := f.Kind == KindLogin || f.Kind == KindLogout || f.Kind == store.KindAuth
		switch {
		case of && !slices.Contains(elsewhere, f.Code):
			return Failing, samlReason(f, succeeded)
		case of && refused == nil:
			refused = &failures[i]
		}
	}
	switch {
	case refused != nil:
		what := refused.Kind
		if what == store.KindAuth {
			what = "message"
		}
		return Healthy, fmt.Sprintf("The newest %s, at %s, was refused for what has nothing to do with the connection (%s): %s.",
			what, refused.At.UTC().Format(time.RFC3339), refused.Code, strings.TrimRight(refused.Detail, "."))
	case !succeeded.IsZero():
		return Healthy, "The newest login succeeded."
	case !c.SAML.Provider.Complete():
		return NeverUsed, "No identity provider is set yet, so nobody can sign in: give this connection the provider's metadata."
	}
	return NeverUsed, "Nobody has signed in yet: give the identity provider the addresses of this connection, then make a test login."
}

func samlReason(f Failure, succeeded time.Time) string {
	since := "none has succeeded yet"
	if !succeeded.IsZero() {
		since = "the last that succeeded was at " + succeeded.UTC().Format(time.RFC3339)
	}
	at, detail := f.At.UTC().Format(time.RFC3339), strings.TrimRight(f.Detail, ".")
	if f.Kind == store.KindAuth {
		hint := ""
		if slices.Contains(unsigned, f.Code) {
			hint = "; unless a stranger tries, the provider has another certificate than this connection"
		}
		return fmt.Sprintf("The newest message, at %s, was refused before anything in it was known to be signed by the identity provider (%s): %s%s; %s.",
			at, f.Code, detail, hint, since)
	}
	return fmt.Sprintf("The newest %s, at %s, was refused (%s): %s; %s.", f.Kind, at, f.Code, detail, since)
}

// thresholds are how many days before its end a certificate is warned of.
var thresholds = []int{1, 7, 30, 60}

// threshold returns the smallest threshold that time left has reached; 0: none yet, -1:
// nothing is left.
func threshold(left time.Duration) int {
	if left < 0 {
		return -1
	}
	for _, days := range thresholds {
		if left <= time.Duration(days)*24*time.Hour {
			return days
		}
	}
	return 0
}

// warnings are in order of urgency.
func warnings(c Connection, h *Health, applications bool, sealed error, now time.Time) []Warning {
	var list []Warning
	warn := func(code, format string, args ...any) {
		list = append(list, Warning{code, fmt.Sprintf(format, args...)})
	}
	if sealed != nil {
		warn("no_sealing_key", "The keys of this connection cannot be opened, so nothing can be signed or decrypted: %s.", sealed)
	}
	if !c.SAML.Provider.Complete() {
		warn("no_provider", "No identity provider is set, so logins are refused: give this connection the provider's metadata.")
	}
	expiries(warn, c, now)
	for _, k := range h.Keys {
		if threshold(k.NotAfter.Sub(now)) != 0 {
			warn("key_expires", "The certificate of our key %s for %s ends on %s: make another key, give the provider our metadata anew, then delete this one.",
				k.Key, k.Use, k.NotAfter.UTC().Format(time.DateOnly))
		}
	}
	if h.Metadata != nil && h.Metadata.Error != "" {
		warn("metadata_failed", "The provider's metadata was read last at %s; since then: %s. What was known before stays in force.",
			h.Metadata.At.UTC().Format(time.RFC3339), strings.TrimRight(h.Metadata.Error, "."))
	}
	switch newest := h.newestGroups(); newest.Kind {
	case KindGroupsAbsent:
		warn("groups_absent", "The newest login, at %s, had no attribute for groups, so memberships stayed as they were: let the provider send one, or name it in attributes.groups.",
			newest.LastSuccess.UTC().Format(time.RFC3339))
	case KindGroupsPartial:
		warn("groups_partial", "The newest login, at %s, had too many groups for the provider to list, so memberships stayed as they were: let it send only groups that are assigned to the application, or provide groups by SCIM.",
			newest.LastSuccess.UTC().Format(time.RFC3339))
	}
	if !applications {
		warn("no_application", "No application is registered, so nobody has anything to sign in to.")
	}
	return list
}

// expiries warns of the provider's certificates. One that another outlasts is about to be
// exchanged, and is worth a word only when it could go.
func expiries(warn func(code, format string, args ...any), c Connection, now time.Time) {
	last := metadata.Expiry(c.SAML.Provider.Certificates)
	for _, known := range c.SAML.Provider.Certificates {
		left := known.NotAfter.Sub(now)
		name, end := metadata.Fingerprint(known.DER)[:16]+"…", known.NotAfter.UTC().Format(time.DateOnly)
		switch {
		case threshold(left) == 0:
		case left >= 0 && known.NotAfter.Equal(last):
			warn("certificate_expires", "The provider's certificate %s ends on %s, in %d days: %s.", name, end, daysLeft(known.NotAfter, now)+1, renew(c))
		case left < 0 && known.NotAfter.Equal(last):
			warn("certificate_expired", "The provider's certificate %s has ended on %s. Logins still work, since its key counts, but the provider may change it any time: %s.", name, end, renew(c))
		case left < 0:
			warn("certificate_superseded", "The provider's certificate %s has ended on %s and another one is known: remove it when the provider signs with the other one.", name, end)
		}
	}
}

func renew(c Connection) string {
	if c.SAML.MetadataURL != "" {
		return "a new one is taken over from metadata_url when the provider publishes it"
	}
	return "ask the customer's administrator for the next one and add it beside this one, or set metadata_url so that it comes by itself"
}

// newestGroups is what the newest login said of groups.
func (h *Health) newestGroups() (newest KindTraffic) {
	for _, k := range h.Kinds {
		switch k.Kind {
		case KindGroupsStated, KindGroupsAbsent, KindGroupsPartial:
			if k.LastSuccess.After(newest.LastSuccess) {
				newest = k
			}
		}
	}
	return newest
}
