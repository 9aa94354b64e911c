package metadata

import (
	"encoding/xml"
	"strings"
	"testing"

	crewjam "github.com/crewjam/saml"
	"github.com/google/go-cmp/cmp"
)

func TestServiceProvider(t *testing.T) {
	one, two, three := issued(t, "one"), issued(t, "two"), issued(t, "three")
	p := ServiceProvider{
		EntityID: `https://sync.example.com/saml/conn_1/metadata?a="<&>'`, ACSURL: "https://sync.example.com/acs", LogoutURL: "https://sync.example.com/logout",
		Signing: [][]byte{one, two}, Encryption: [][]byte{three}, SignRequests: true,
	}
	text := p.XML()
	for _, absent := range []string{"Artifact", "validUntil", "ResponseLocation"} {
		if strings.Contains(string(text), absent) {
			t.Errorf("it has %s:\n%s", absent, text)
		}
	}
	var got crewjam.EntityDescriptor
	if err := xml.Unmarshal(text, &got); err != nil {
		t.Fatalf("crewjam does not read it: %v\n%s", err, text)
	}
	if got.EntityID != p.EntityID || len(got.SPSSODescriptors) != 1 {
		t.Fatalf("read as %q with %d descriptors", got.EntityID, len(got.SPSSODescriptors))
	}
	d := got.SPSSODescriptors[0]
	if d.ProtocolSupportEnumeration != protocol || !*d.AuthnRequestsSigned || *d.WantAssertionsSigned {
		t.Errorf("descriptor: %+v", d)
	}
	var keys []string
	for _, k := range d.KeyDescriptors {
		keys = append(keys, k.Use+" "+k.KeyInfo.X509Data.X509Certificates[0].Data)
	}
	if diff := cmp.Diff([]string{"signing " + encoded(one), "signing " + encoded(two), "encryption " + encoded(three)}, keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	if methods := d.KeyDescriptors[2].EncryptionMethods; len(methods) != len(encryptionMethods) || methods[0].Algorithm != encryptionMethods[0] {
		t.Errorf("encryption methods: %v", methods)
	}
	if len(d.SingleLogoutServices) != 2 || d.SingleLogoutServices[0].Binding != bindingRedirect || d.SingleLogoutServices[1].Binding != bindingPost ||
		d.SingleLogoutServices[0].Location != p.LogoutURL {
		t.Errorf("logout: %+v", d.SingleLogoutServices)
	}
	if len(d.NameIDFormats) != 1 || string(d.NameIDFormats[0]) != UnspecifiedNameID {
		t.Errorf("NameID formats: %v", d.NameIDFormats)
	}
	if acs := d.AssertionConsumerServices; len(acs) != 1 || acs[0].Binding != bindingPost || acs[0].Location != p.ACSURL || acs[0].Index != 0 || !*acs[0].IsDefault {
		t.Errorf("assertion consumer services: %+v", acs)
	}

	// What the schema wants in this order (saml-schema-metadata-2.0.xsd).
	at := 0
	for _, element := range []string{"<md:KeyDescriptor", "<md:SingleLogoutService", "<md:NameIDFormat", "<md:AssertionConsumerService"} {
		next := strings.Index(string(text), element)
		if next < at {
			t.Errorf("%s stands in the wrong place", element)
		}
		at = next
	}
	persistent := ServiceProvider{EntityID: "e", ACSURL: "a", NameIDFormat: "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"}.XML()
	if !strings.Contains(string(persistent), "nameid-format:persistent<") || !strings.Contains(string(persistent), `AuthnRequestsSigned="false"`) || strings.Contains(string(persistent), "Logout") {
		t.Errorf("with less:\n%s", persistent)
	}
}
