package samltest

import (
	"encoding/base64"
	"strings"
)

// Metadata returns the provider's metadata: its certificates, and its endpoints below URL.
func (p *Provider) Metadata() []byte {
	var keys strings.Builder
	for _, c := range p.Certificates {
		keys.WriteString(`<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="` + signatureNS + `"><ds:X509Data><ds:X509Certificate>` +
			base64.StdEncoding.EncodeToString(c.Raw) + `</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>`)
	}
	endpoint := func(service, binding, at string) string {
		return `<md:` + service + ` Binding="urn:oasis:names:tc:SAML:2.0:bindings:` + binding + `" Location="` + quoted(p.URL+at) + `"/>`
	}
	signed := "false"
	if len(p.ServiceCertificates) > 0 {
		signed = "true"
	}
	return []byte(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" +
		`<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="` + quoted(p.EntityID) + `">` +
		`<md:IDPSSODescriptor WantAuthnRequestsSigned="` + signed + `" protocolSupportEnumeration="` + protocolNS + `">` +
		keys.String() +
		endpoint("SingleLogoutService", "HTTP-Redirect", "/slo") + endpoint("SingleLogoutService", "HTTP-POST", "/slo") +
		`<md:NameIDFormat>` + EmailAddress + `</md:NameIDFormat>` +
		endpoint("SingleSignOnService", "HTTP-Redirect", "/sso") + endpoint("SingleSignOnService", "HTTP-POST", "/sso") +
		`</md:IDPSSODescriptor></md:EntityDescriptor>` + "\n")
}
