package admin_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rolesync/rolesync/internal/admin"
	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/saml/metadata"
)

// provider is an identity provider that publishes metadata, for a fetcher that finds it
// at https://idp.example.com.
type provider struct {
	mu       sync.Mutex
	document string // guarded by mu; "": it answers with an error
	asked    int    // guarded by mu
}

func (p *provider) publish(document string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.document = document
}

func (p *provider) requests() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

func (p *provider) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	if p.document == "" {
		http.Error(w, "maintenance", http.StatusServiceUnavailable)
		return
	}
	_, _ = io.WriteString(w, p.document)
}

const metadataURL = "https://idp.example.com/metadata"

// withSAML gives the use cases what SAML needs, a clock that the test moves, and a
// provider.
func withSAML(t *testing.T, s *admin.Service) (*provider, *time.Time) {
	t.Helper()
	p := &provider{}
	server := httptest.NewUnstartedServer(p)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	s.Metadata = &metadata.Fetcher{
		Roots: roots,
		Lookup: func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("8.8.8.8")}, nil
		},
		Dial: func(ctx context.Context, _ netip.AddrPort) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", server.Listener.Addr().String())
		},
	}
	var err error
	s.Sealer, err = credential.NewSealer([]credential.SealingKey{{ID: "test", Key: [32]byte{1}}})
	check(t, err)
	s.SAMLURLs = func(id directory.ConnectionID) admin.SAMLURLs {
		return admin.SAMLURLs{EntityID: "https://sync.example.com/" + string(id), Tests: "https://sync.example.com/test/"}
	}
	now := directory.Now()
	s.Now = func() time.Time { return now }
	return p, &now
}

func issued(tb testing.TB, name string, until time.Time) []byte {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(tb, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: until.AddDate(-5, 0, 0), NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	check(tb, err)
	return der
}

func document(attributes, sso string, certificates ...[]byte) string {
	var keys strings.Builder
	for _, der := range certificates {
		fmt.Fprintf(&keys, `<KeyDescriptor><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>%s</X509Certificate></X509Data></KeyInfo></KeyDescriptor>`,
			base64.StdEncoding.EncodeToString(der))
	}
	return `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" ` + attributes + `><IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">` +
		keys.String() + `<SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="` + sso + `"/></IDPSSODescriptor></EntityDescriptor>`
}

const entity = `entityID="https://idp.example.com"`

func text(s string) *string { return &s }

// samlTenant is an organization with one SAML connection.
func samlTenant(t *testing.T, s *admin.Service, change admin.SAMLChange) admin.Connection {
	t.Helper()
	o, err := s.CreateOrganization(t.Context(), by, "Acme")
	check(t, err)
	c, token, err := s.CreateConnection(t.Context(), by, o.ID, admin.NewConnection{Name: "ADFS", Kind: directory.SAML, SAML: change})
	check(t, err)
	if token != "" {
		t.Errorf("a SAML connection has the token %q", token)
	}
	return c
}

// audited returns the actions on a connection, oldest first.
func audited(t *testing.T, s *admin.Service, c admin.Connection) (actions []string, newest map[string]any) {
	t.Helper()
	entries, err := s.Store.AuditEntries(t.Context(), c.Organization, string(c.ID), "", 100)
	check(t, err)
	for _, e := range entries {
		actions = append([]string{e.Action}, actions...)
	}
	check(t, json.Unmarshal(entries[0].Detail, &newest))
	return actions, newest
}

func TestMetadataIsReadAgain(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *admin.Service) {
		ctx := t.Context()
		p, now := withSAML(t, s)
		one, two := issued(t, "one", now.AddDate(1, 0, 0)), issued(t, "two", now.AddDate(2, 0, 0))
		p.publish(document(entity, "https://idp.example.com/sso", one))
		c := samlTenant(t, s, admin.SAMLChange{MetadataURL: text(metadataURL)})
		if c.SAML.MetadataURL != metadataURL || !c.Fetched.At.Equal(*now) || c.Fetched.Next.Sub(*now) < 6*time.Hour || c.Fetched.Next.Sub(*now) > 24*time.Hour {
			t.Errorf("created: %+v, fetched %+v", c.SAML, c.Fetched)
		}
		var logged bytes.Buffer
		keepers := [2]*admin.Keeper{} // of two processes
		for i := range keepers {
			keepers[i] = &admin.Keeper{Admin: s, Log: slog.New(slog.NewTextHandler(&logged, nil))}
		}
		step := func() admin.Connection {
			t.Helper()
			before := p.requests()
			*now = now.Add(24 * time.Hour)
			var wait sync.WaitGroup
			for _, k := range keepers {
				wait.Go(func() {
					if err := k.RefreshDue(ctx); err != nil {
						t.Error(err)
					}
				})
			}
			wait.Wait()
			if n := p.requests() - before; n != 1 {
				t.Errorf("the provider was asked %d times, want once", n)
			}
			c, err := s.Store.Connection(ctx, c.ID)
			check(t, err)
			return c
		}
		check(t, keepers[0].RefreshDue(ctx))
		if n := p.requests(); n != 1 {
			t.Errorf("asked %d times before it was due", n)
		}

		if c = step(); c.SAMLRevision != 1 || !c.Fetched.At.Equal(*now) {
			t.Errorf("nothing new: revision %d, fetched %+v", c.SAMLRevision, c.Fetched)
		}
		p.publish(document(entity, "https://idp.example.com/new", two))
		if c = step(); c.SAMLRevision != 2 || len(c.SAML.Provider.Certificates) != 2 || c.SAML.Provider.SSORedirectURL != "https://idp.example.com/new" {
			t.Errorf("changed: revision %d, %+v", c.SAMLRevision, c.SAML.Provider)
		}
		actions, detail := audited(t, s, c)
		if got := strings.Join(actions, " "); got != "connection.created saml.metadata_changed" || len(detail["changes"].([]any)) != 2 {
			t.Errorf("audit: %s, %v", got, detail)
		}
		if c = step(); len(c.SAML.Provider.Certificates) != 1 {
			t.Errorf("absent twice: %+v", c.SAML.Provider)
		}

		for situation, broken := range map[string]string{
			"an error":          "",
			"another provider":  document(`entityID="https://evil.example"`, "https://evil.example/sso", one),
			"valid in the past": document(entity+` validUntil="2001-01-01T00:00:00Z"`, "https://idp.example.com/sso", one),
			"no XML":            "<html>",
		} {
			p.publish(broken)
			before := c.SAML.Provider
			c = step()
			if c.Fetched.Error == "" || !c.Fetched.Next.After(*now) || c.Fetched.Next.Sub(*now) > 6*time.Hour || c.Fetched.At.Equal(*now) {
				t.Errorf("%s: fetched %+v", situation, c.Fetched)
			}
			if len(c.SAML.Provider.Certificates) != 1 || c.SAML.Provider.SSORedirectURL != before.SSORedirectURL {
				t.Errorf("%s: it has changed what was known: %+v", situation, c.SAML.Provider)
			}
		}
		if actions, _ = audited(t, s, c); strings.Count(strings.Join(actions, " "), "saml.metadata_failed") != 1 {
			t.Errorf("audit of failures: %v, want one, when it began", actions)
		}
		if !strings.Contains(logged.String(), "was added") || !strings.Contains(logged.String(), "cannot be read") {
			t.Errorf("log:\n%s", logged.String())
		}
		health, err := s.Health(ctx, by, c.Organization, c.ID)
		check(t, err)
		if w := codes(health.Warnings); w != "metadata_failed no_application" || health.Metadata == nil || health.Metadata.Error == "" {
			t.Errorf("health: %s, %+v", w, health.Metadata)
		}
		_, _, err = s.RefreshSAML(ctx, by, c.Organization, c.ID)
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("by hand: %v", err)
		}
		p.publish(document(entity, "https://idp.example.com/new", two))
		c, changes, err := s.RefreshSAML(ctx, by, c.Organization, c.ID)
		if err != nil || len(changes) != 0 || c.Fetched.Error != "" || !c.Fetched.At.Equal(*now) {
			t.Errorf("by hand, again: %v, %v, %+v", changes, err, c.Fetched)
		}
	})
}

func codes(warnings []admin.Warning) string {
	var list []string
	for _, w := range warnings {
		list = append(list, w.Code)
	}
	return strings.Join(list, " ")
}

func TestWarningsOfExpiryComeOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *admin.Service) {
		ctx := t.Context()
		_, now := withSAML(t, s)
		begin, end := *now, now.Add(62*24*time.Hour).Truncate(time.Second)
		c := samlTenant(t, s, admin.SAMLChange{MetadataXML: text(document(entity, "https://idp.example.com/sso", issued(t, "one", end)))})
		samlTenant(t, s, admin.SAMLChange{}) // one without a provider is nothing to warn of
		var logged bytes.Buffer
		k := &admin.Keeper{Admin: s, Log: slog.New(slog.NewTextHandler(&logged, nil))}
		var warned []string
		for day := range 66 {
			*now = begin.Add(time.Duration(day) * 24 * time.Hour)
			for range 2 {
				before, _ := audited(t, s, c)
				check(t, k.WarnOfExpiry(ctx))
				if after, detail := audited(t, s, c); len(after) > len(before) {
					warned = append(warned, fmt.Sprint(detail["days_left"]))
				}
			}
		}
		if got := strings.Join(warned, " "); got != "59 29 6 0 -1" {
			t.Errorf("warned with %s days left, want 59 29 6 0 and once it has ended", got)
		}
		if n := strings.Count(logged.String(), "the certificate of an identity provider ends"); n != 5 {
			t.Errorf("logged %d times, want 5", n)
		}

		_, err := s.ChangeSAML(ctx, by, c.Organization, c.ID, admin.SAMLChange{Add: []string{admin.PEM(issued(t, "two", now.AddDate(0, 0, 20)))}})
		check(t, err)
		check(t, k.WarnOfExpiry(ctx))
		if _, detail := audited(t, s, c); fmt.Sprint(detail["days_left"]) == "-1" {
			t.Error("another certificate, which ends in 20 days, is not warned of")
		}
		_, err = s.ChangeSAML(ctx, by, c.Organization, c.ID, admin.SAMLChange{Add: []string{admin.PEM(issued(t, "three", now.AddDate(3, 0, 0)))}})
		check(t, err)
		before, _ := audited(t, s, c)
		check(t, k.WarnOfExpiry(ctx))
		if after, _ := audited(t, s, c); len(after) != len(before) {
			t.Errorf("there is a certificate for three years, and yet a warning: %v", after)
		}
	})
}

func TestNoSealingKey(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *admin.Service) {
		o, err := s.CreateOrganization(t.Context(), by, "Acme")
		check(t, err)
		_, _, err = s.CreateConnection(t.Context(), by, o.ID, admin.NewConnection{Name: "ADFS", Kind: directory.SAML})
		if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "ROLESYNC_SEALING_KEYS") {
			t.Errorf("without a sealing key: %v, want the setting to be named", err)
		}
		list, err := s.Connections(t.Context(), by, o.ID)
		if err != nil || len(list) != 0 {
			t.Errorf("connections: %v, %v", list, err)
		}
	})
}

func TestTwoAtOnceCannotTakeOneDomain(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *admin.Service) {
		withSAML(t, s)
		a, b := samlTenant(t, s, admin.SAMLChange{}), samlTenant(t, s, admin.SAMLChange{})
		domains := []string{"z.example", "a.example", "m.example"}
		results := make([]error, 2)
		var wait sync.WaitGroup
		for i, c := range []admin.Connection{a, b} {
			wait.Go(func() {
				_, results[i] = s.ChangeSAML(t.Context(), by, c.Organization, c.ID, admin.SAMLChange{EmailDomains: &domains})
			})
		}
		wait.Wait()
		if (results[0] == nil) == (results[1] == nil) || !fault.Is(errors.Join(results...), fault.Conflict) {
			t.Errorf("results: %v, want one success and one conflict", results)
		}
		for _, err := range results {
			if err != nil && (strings.Contains(err.Error(), string(a.ID)) || strings.Contains(err.Error(), string(a.Organization)) || strings.Contains(err.Error(), string(b.ID))) {
				t.Errorf("the refusal tells whose it is: %v", err)
			}
		}
	})
}

func TestAChangeThatComesTooLate(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *admin.Service) {
		withSAML(t, s)
		c := samlTenant(t, s, admin.SAMLChange{})
		skew, first := 10, c.SAMLRevision
		changed, err := s.ChangeSAML(t.Context(), by, c.Organization, c.ID, admin.SAMLChange{Revision: &first, ClockSkew: &skew})
		if err != nil || changed.SAMLRevision != first+1 {
			t.Fatalf("the first: revision %d, %v", changed.SAMLRevision, err)
		}
		skew = 20
		if _, err = s.ChangeSAML(t.Context(), by, c.Organization, c.ID, admin.SAMLChange{Revision: &first, ClockSkew: &skew}); !fault.Is(err, fault.PreconditionFailed) {
			t.Errorf("the second: %v", err)
		}
		skew = 10
		same, err := s.ChangeSAML(t.Context(), by, c.Organization, c.ID, admin.SAMLChange{ClockSkew: &skew})
		if err != nil || same.SAMLRevision != first+1 {
			t.Errorf("a change that is none: revision %d, %v", same.SAMLRevision, err)
		}
	})
}
