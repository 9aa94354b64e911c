package metadata

import (
	"fmt"
	"slices"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
)

// Absences is from how many documents in a row a certificate must be absent to go.
const Absences = 2

// Merge returns what is known of a provider after its newest metadata, and what changed
// as sentences. Endpoints are as the metadata has them. A certificate that is new is
// added; one that is absent stays until it was absent Absences times in a row. Neither
// argument is changed.
//
// Invalid when the metadata is that of another provider, or there were too many
// certificates: then everything stays.
func Merge(current, fetched directory.IdentityProvider, now time.Time) (directory.IdentityProvider, []string, error) {
	if fetched.EntityID != current.EntityID {
		return current, nil, fault.New(fault.Invalid, "the metadata is that of %q, but this connection belongs to %q; another provider needs another connection", first(fetched.EntityID), first(current.EntityID))
	}
	var changes []string
	merged := fetched
	merged.Certificates = nil
	for _, c := range current.Certificates {
		if find(fetched.Certificates, c.DER) >= 0 {
			c.Missing = 0
		} else if c.Missing++; c.Missing >= Absences {
			changes = append(changes, fmt.Sprintf("certificate %s, valid until %s, was removed: it is not in the metadata any more", short(c.DER), c.NotAfter.Format(time.DateOnly)))
			continue
		}
		merged.Certificates = append(merged.Certificates, c)
	}
	for _, c := range fetched.Certificates {
		if find(current.Certificates, c.DER) < 0 {
			c.AddedAt, c.Missing = now, 0
			merged.Certificates = append(merged.Certificates, c)
			changes = append(changes, fmt.Sprintf("certificate %s, valid until %s, was added", short(c.DER), c.NotAfter.Format(time.DateOnly)))
		}
	}
	if len(merged.Certificates) > directory.MaxCertificates {
		return current, nil, tooMany()
	}
	for _, e := range []struct{ name, before, after string }{
		{"the URL for login by redirect", current.SSORedirectURL, merged.SSORedirectURL},
		{"the URL for login by POST", current.SSOPostURL, merged.SSOPostURL},
		{"the URL for logout by redirect", current.SLORedirectURL, merged.SLORedirectURL},
		{"the URL for logout by POST", current.SLOPostURL, merged.SLOPostURL},
	} {
		switch {
		case e.before == e.after:
		case e.after == "":
			changes = append(changes, fmt.Sprintf("%s, %s, was removed", e.name, e.before))
		case e.before == "":
			changes = append(changes, fmt.Sprintf("%s is now %s", e.name, e.after))
		default:
			changes = append(changes, fmt.Sprintf("%s changed from %s to %s", e.name, e.before, e.after))
		}
	}
	if current.WantRequestsSigned != merged.WantRequestsSigned {
		changes = append(changes, map[bool]string{true: "it now wants login requests to be signed", false: "it no longer wants login requests to be signed"}[merged.WantRequestsSigned])
	}
	return merged, changes, nil
}

// Expiry returns when the last of the certificates ends, which is when the provider has
// none that is valid; the zero time when there are none.
func Expiry(certificates []directory.ProviderCertificate) time.Time {
	if len(certificates) == 0 {
		return time.Time{}
	}
	return slices.MaxFunc(certificates, func(a, b directory.ProviderCertificate) int { return a.NotAfter.Compare(b.NotAfter) }).NotAfter
}
