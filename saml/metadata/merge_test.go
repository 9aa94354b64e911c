package metadata

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
)

func TestMerge(t *testing.T) {
	a, b, c := issued(t, "a"), issued(t, "b"), issued(t, "c")
	later := now.AddDate(0, 0, 1)
	provider := func(certificates ...[]byte) directory.IdentityProvider {
		p := directory.IdentityProvider{EntityID: "idp", SSORedirectURL: "https://idp/sso"}
		for _, der := range certificates {
			p.Certificates = append(p.Certificates, directory.ProviderCertificate{DER: der, AddedAt: now, NotBefore: now, NotAfter: now.AddDate(1, 0, 0)})
		}
		return p
	}
	current := provider(a, b)
	before := provider(a, b)
	same, changes, err := Merge(current, provider(b, a), later)
	if err != nil || len(changes) != 0 || cmp.Diff(current, same) != "" {
		t.Errorf("nothing new: %v, %v, %v", same, changes, err)
	}

	once, changes, err := Merge(current, provider(b, c), later)
	if err != nil || len(changes) != 1 || !strings.Contains(changes[0], short(c)) || !strings.Contains(changes[0], "added") || !strings.Contains(changes[0], "2027-06-01") {
		t.Errorf("one added, one absent: %q, %v", changes, err)
	}
	if n := once.Certificates; len(n) != 3 || n[0].Missing != 1 || n[1].Missing != 0 || !n[2].AddedAt.Equal(later) || !n[0].AddedAt.Equal(now) {
		t.Errorf("one added, one absent: %+v", n)
	}
	back, changes, err := Merge(once, provider(a, b, c), later)
	if err != nil || len(changes) != 0 || back.Certificates[0].Missing != 0 {
		t.Errorf("it is back: %+v, %q, %v", back.Certificates, changes, err)
	}
	twice, changes, err := Merge(once, provider(b, c), later)
	if err != nil || len(changes) != 1 || !strings.Contains(changes[0], short(a)) || !strings.Contains(changes[0], "removed") || len(twice.Certificates) != 2 {
		t.Errorf("absent twice: %+v, %q, %v", twice.Certificates, changes, err)
	}
	if diff := cmp.Diff(before, current); diff != "" {
		t.Errorf("Merge has changed its argument (-want +got):\n%s", diff)
	}

	moved := provider(a, b)
	moved.SSORedirectURL, moved.SSOPostURL, moved.SLOPostURL, moved.WantRequestsSigned = "https://new/sso", "https://new/post", "https://new/slo", true
	got, changes, err := Merge(current, moved, later)
	want := []string{
		"the URL for login by redirect changed from https://idp/sso to https://new/sso", "the URL for login by POST is now https://new/post",
		"the URL for logout by POST is now https://new/slo", "it now wants login requests to be signed",
	}
	if diff := cmp.Diff(want, changes); err != nil || diff != "" || cmp.Diff(moved, got) != "" {
		t.Errorf("moved: %v (-want +got):\n%s", err, diff)
	}
	if _, changes, err := Merge(moved, provider(a, b), later); err != nil || len(changes) != 4 || changes[1] != "the URL for login by POST, https://new/post, was removed" {
		t.Errorf("moved back: %q, %v", changes, err)
	}

	other := provider(a)
	other.EntityID = "evil"
	if kept, _, err := Merge(current, other, later); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), `"evil"`) || cmp.Diff(current, kept) != "" {
		t.Errorf("another provider: %v", err)
	}
	full := provider()
	for range directory.MaxCertificates {
		full.Certificates = append(full.Certificates, directory.ProviderCertificate{DER: issued(t, "many")})
	}
	if kept, _, err := Merge(full, provider(a), later); !fault.Is(err, fault.Invalid) || cmp.Diff(full, kept) != "" {
		t.Errorf("a seventeenth certificate: %v", err)
	}
}

func TestExpiry(t *testing.T) {
	if !Expiry(nil).IsZero() {
		t.Error("no certificates have an end")
	}
	list := []directory.ProviderCertificate{{NotAfter: now}, {NotAfter: now.AddDate(0, 1, 0)}, {NotAfter: now.AddDate(0, 0, 1)}}
	if got := Expiry(list); !got.Equal(now.AddDate(0, 1, 0)) {
		t.Errorf("Expiry = %v, want that of the last", got)
	}
}
