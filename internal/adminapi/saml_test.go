package adminapi_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// issued makes a certificate of an identity provider that ends at the given time, DER.
func issued(tb testing.TB, name string, until time.Time) []byte {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(tb, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: until,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	check(tb, err)
	return der
}

func asPEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// idpMetadata is what a provider says of itself.
func idpMetadata(entityID string, certificates ...[]byte) string {
	var keys strings.Builder
	for _, der := range certificates {
		fmt.Fprintf(&keys, `<KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>%s</X509Certificate></X509Data></KeyInfo></KeyDescriptor>`,
			base64.StdEncoding.EncodeToString(der))
	}
	return `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="` + entityID + `">
		<IDPSSODescriptor WantAuthnRequestsSigned="true" protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">` + keys.String() + `
		<SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example.com/sso"/></IDPSSODescriptor></EntityDescriptor>`
}

// samlConnection is a SAML connection as a client reads it.
type samlConnection struct {
	ID, Kind, Token string
	SCIMURL         string  `json:"scim_url"`
	Tokens          []named `json:"tokens"`
	SAML            struct {
		EntityID    string `json:"entity_id"`
		ACSURL      string `json:"acs_url"`
		LoginURL    string `json:"login_url"`
		LogoutURL   string `json:"logout_url"`
		MetadataURL string `json:"metadata_url"`
		Revision    int
		Provider    *struct {
			EntityID           string `json:"entity_id"`
			MetadataURL        string `json:"metadata_url"`
			FetchError         string `json:"fetch_error"`
			SSOURL             string `json:"sso_url"`
			SSOPostURL         string `json:"sso_post_url"`
			WantRequestsSigned bool   `json:"want_requests_signed"`
			Certificates       []struct {
				Fingerprint, Certificate string
				NotAfter                 time.Time `json:"not_after"`
				Missing                  int
			}
		}
		IDPInitiated   bool   `json:"idp_initiated"`
		Application    string `json:"application"`
		SignRequests   bool   `json:"sign_requests"`
		ClockSkew      int    `json:"clock_skew"`
		JustInTime     bool   `json:"just_in_time"`
		NameIDFormat   string `json:"name_id_format"`
		GroupSeparator string `json:"group_separator"`
		Attributes     map[string][]string
		AuthnContexts  []string `json:"authn_contexts"`
		EmailDomains   []string `json:"email_domains"`
		Keys           []samlKey
	}
}

type samlKey struct {
	ID, Use, Fingerprint, Certificate string
	Active                            bool
	NotAfter                          time.Time `json:"not_after"`
}

// saml makes a SAML connection and returns it with its path.
func (s *service) saml(organization string, settings object) (samlConnection, string) {
	s.tb.Helper()
	path := "/organizations/" + organization + "/connections"
	c := into[samlConnection](s.do("POST", path, object{"name": "ADFS", "kind": "saml", "saml": settings}).want(http.StatusCreated))
	return c, path + "/" + c.ID
}

func TestSAMLConnection(t *testing.T) {
	s := start(t)
	org := s.organization("Acme")
	der := issued(t, "idp", time.Now().AddDate(1, 0, 0))
	c, path := s.saml(org, object{"metadata_xml": idpMetadata("https://idp.example.com", der), "email_domains": []string{"ACME.com", "münchen.example"}})
	if c.Kind != "saml" || c.Token != "" || c.SCIMURL != "" || len(c.Tokens) != 0 {
		t.Errorf("a SAML connection has what belongs to SCIM: %+v", c)
	}
	base := "https://sync.example.com/saml/" + c.ID
	for what, pair := range map[string][2]string{
		"entity_id": {c.SAML.EntityID, base + "/metadata"}, "acs_url": {c.SAML.ACSURL, base + "/acs"}, "login_url": {c.SAML.LoginURL, base + "/login"},
		"logout_url": {c.SAML.LogoutURL, base + "/logout"}, "metadata_url": {c.SAML.MetadataURL, base + "/metadata"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s = %q, want %q", what, pair[0], pair[1])
		}
	}
	p := c.SAML.Provider
	if p == nil || p.EntityID != "https://idp.example.com" || p.SSOURL != "https://idp.example.com/sso" || !p.WantRequestsSigned || p.MetadataURL != "" ||
		len(p.Certificates) != 1 || p.Certificates[0].Certificate != asPEM("CERTIFICATE", der) || len(p.Certificates[0].Fingerprint) != 64 {
		t.Errorf("provider = %+v", p)
	}
	if c.SAML.Revision != 1 || c.SAML.ClockSkew != 60 || !c.SAML.JustInTime || c.SAML.SignRequests || c.SAML.IDPInitiated {
		t.Errorf("defaults: %+v", c.SAML)
	}
	if diff := cmp.Diff([]string{"acme.com", "xn--mnchen-3ya.example"}, c.SAML.EmailDomains); diff != "" {
		t.Errorf("email_domains (-want +got):\n%s", diff)
	}
	if len(c.SAML.Keys) != 2 || c.SAML.Keys[0].Use != "signing" || !c.SAML.Keys[0].Active || c.SAML.Keys[1].Use != "encryption" || !c.SAML.Keys[1].Active {
		t.Errorf("keys = %+v, want one that signs and one for encryption", c.SAML.Keys)
	}
	if diff := cmp.Diff(c, into[samlConnection](s.do("GET", path, nil).want(200))); diff != "" {
		t.Errorf("get (-created +got):\n%s", diff)
	}
	found, err := s.store.ConnectionByDomain(t.Context(), "acme.com")
	if err != nil || string(found.ID) != c.ID {
		t.Errorf("by domain: %v, %v", found.ID, err)
	}

	// The key that is stored belongs to the certificate that is shown, and to nothing else.
	for i, k := range found.Keys {
		plain, err := s.sealer.Open(k.Sealed, k.SealContext(found.ID))
		check(t, err)
		private, err := x509.ParsePKCS8PrivateKey(plain)
		check(t, err)
		block, _ := pem.Decode([]byte(c.SAML.Keys[i].Certificate))
		certificate, err := x509.ParseCertificate(block.Bytes)
		check(t, err)
		if key := private.(*rsa.PrivateKey); !key.PublicKey.Equal(certificate.PublicKey) || key.N.BitLen() != 2048 {
			t.Errorf("key %s does not belong to its certificate", k.ID)
		}
		if until := certificate.NotAfter; until.Before(time.Now().AddDate(9, 11, 0)) || !until.Equal(c.SAML.Keys[i].NotAfter) {
			t.Errorf("key %s ends %v", k.ID, until)
		}
		if _, err := s.sealer.Open(k.Sealed, found.Keys[1-i].SealContext(found.ID)); err == nil {
			t.Error("a key opens in the row of another")
		}
	}
}
