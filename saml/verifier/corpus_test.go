package verifier_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolesync/rolesync/saml/samltest"
	"github.com/rolesync/rolesync/saml/verifier"
)

// The corpus must not shrink unnoticed.
const (
	minHostile = 550
	minLegal   = 140
)

// TestCorpus gives the verifier every message of the corpus: it refuses the hostile ones,
// each for a reason that the case names, and accepts the legal ones with what they state.
func TestCorpus(t *testing.T) {
	now := time.Date(2026, 11, 27, 9, 30, 0, 0, time.UTC)
	key := samltest.Key(samltest.RSA2048, "service")
	target := samltest.Target{
		EntityID:  "https://roles.example/saml/conn_1/metadata",
		ACS:       "https://roles.example/saml/conn_1/acs",
		RequestID: "_request5d41402abc4b2a76",
		Decrypts:  samltest.SelfSigned(key, "service", now.AddDate(2, 0, 0)),
		Skew:      time.Minute,
	}
	hostile, legal := 0, 0
	seen := map[string]bool{}
	for _, c := range samltest.Corpus(now, target) {
		if seen[c.Name] {
			t.Errorf("two cases are named %q", c.Name)
		}
		seen[c.Name] = true
		e := expectation(now, target, key.(*rsa.PrivateKey), c)
		if c.Legal {
			legal++
			t.Run("legal/"+c.Name, func(t *testing.T) { accepted(t, c, e) })
		} else {
			hostile++
			t.Run("hostile/"+c.Name, func(t *testing.T) { refused(t, c, e) })
		}
	}
	if hostile < minHostile || legal < minLegal {
		t.Errorf("the corpus has %d hostile and %d legal messages, want at least %d and %d", hostile, legal, minHostile, minLegal)
	}
}

func expectation(now time.Time, target samltest.Target, key crypto.Decrypter, c samltest.Case) verifier.Expectation {
	e := verifier.Expectation{
		Provider: c.Issuer, Certificates: c.Certificates,
		EntityID: target.EntityID, ACSURL: target.ACS, RequestID: target.RequestID,
		Keys: []crypto.Decrypter{key},
		Now:  now, Skew: target.Skew,
		AuthnContexts: c.AuthnContexts, AuthnSince: c.AuthnSince, WithoutAuthnStatement: c.WithoutAuthnStatement,
	}
	if c.Unsolicited {
		e.Unsolicited, e.RequestID = true, ""
	}
	return e
}

func accepted(t *testing.T, c samltest.Case, e verifier.Expectation) {
	got, err := verifier.Verify(t.Context(), c.Message, e)
	if err != nil {
		t.Fatalf("Verify: %v (%s)\n%.4000s", err, c.Note, c.Message)
	}
	if got.NameID.Value != c.NameID {
		t.Errorf("NameID = %q, want %q", got.NameID.Value, c.NameID)
	}
	if got.Issuer != c.Issuer {
		t.Errorf("Issuer = %q, want %q", got.Issuer, c.Issuer)
	}
	if !got.Usable.After(e.Now) {
		t.Errorf("Usable = %v, which is not after %v", got.Usable, e.Now)
	}
	var groups []string
	for _, a := range got.Attributes {
		if a.Name == c.GroupAttribute {
			groups = append(groups, a.Values...)
		}
	}
	if diff := cmp.Diff(slices.Concat([]string{}, c.Groups), slices.Concat([]string{}, groups)); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
	if !slices.ContainsFunc(c.Certificates, func(k *x509.Certificate) bool { return samltest.Fingerprint(k) == got.SignedBy }) {
		t.Errorf("SignedBy = %q, which is none of those pinned", got.SignedBy)
	}
	if r := verifier.Examine(t.Context(), c.Message, e); r.Refusal != nil {
		t.Errorf("Examine refuses what Verify accepts: %v", r.Refusal)
	}
}

func refused(t *testing.T, c samltest.Case, e verifier.Expectation) {
	got, err := verifier.Verify(t.Context(), c.Message, e)
	if err == nil {
		t.Fatalf("accepted for %q (%s)\n%.4000s", got.NameID.Value, c.Note, c.Message)
	}
	var refusal *verifier.Refusal
	if !errors.As(err, &refusal) {
		t.Fatalf("Verify: %v, which is not a refusal", err)
	}
	if len(c.Codes) == 0 || !slices.Contains(c.Codes, string(refusal.Code)) {
		t.Errorf("refused for %v, want one of %q (%s)\n%.2000s", refusal, c.Codes, c.Note, c.Message)
	}
	if refusal.Detail == "" {
		t.Error("the refusal has no detail")
	}
	if r := verifier.Examine(t.Context(), c.Message, e); r.Refusal == nil || r.Refusal.Code != refusal.Code {
		t.Errorf("Examine refuses for %v, Verify for %v", r.Refusal, refusal)
	}
}

// The corpus of logouts must not shrink unnoticed either.
const (
	minHostileLogouts = 65
	minLegalLogouts   = 18
)

// TestLogoutCorpus does the same with requests to log out.
func TestLogoutCorpus(t *testing.T) {
	now := time.Date(2026, 11, 27, 9, 30, 0, 0, time.UTC)
	const destination = "https://roles.example/saml/conn_1/logout"
	hostile, legal := 0, 0
	seen := map[string]bool{}
	for _, c := range samltest.LogoutCorpus(now, destination, time.Minute) {
		if seen[c.Name] {
			t.Errorf("two cases are named %q", c.Name)
		}
		seen[c.Name] = true
		e := verifier.LogoutExpectation{Provider: c.Issuer, Certificates: c.Certificates, LogoutURL: destination, Now: now, Skew: time.Minute}
		var got *verifier.LogoutRequest
		var err error
		if c.Message != nil {
			got, err = verifier.VerifyLogout(t.Context(), c.Message, e)
		} else {
			got, _, err = verifier.VerifyRedirectLogout(t.Context(), c.Query, e)
		}
		if c.Legal {
			legal++
			t.Run("legal/"+c.Name, func(t *testing.T) {
				if err != nil {
					t.Fatalf("%v (%s)\n%s%s", err, c.Note, c.Message, c.Query)
				}
				if got.NameID.Value != c.NameID || !slices.Equal(got.SessionIndexes, c.Sessions) {
					t.Errorf("logs out %q, sessions %q, want %q, %q", got.NameID.Value, got.SessionIndexes, c.NameID, c.Sessions)
				}
			})
			continue
		}
		hostile++
		t.Run("hostile/"+c.Name, func(t *testing.T) {
			var refusal *verifier.Refusal
			switch {
			case err == nil:
				t.Fatalf("accepted for %q (%s)\n%s%.2000s", got.NameID.Value, c.Note, c.Message, c.Query)
			case !errors.As(err, &refusal) || !slices.Contains(c.Codes, string(refusal.Code)):
				t.Errorf("refused for %v, want one of %q (%s)\n%s%.2000s", err, c.Codes, c.Note, c.Message, c.Query)
			}
		})
	}
	if hostile < minHostileLogouts || legal < minLegalLogouts {
		t.Errorf("the corpus has %d hostile and %d legal logouts, want at least %d and %d", hostile, legal, minHostileLogouts, minLegalLogouts)
	}
}
