package metadata

import (
	"encoding/base64"
	"encoding/xml"
	"strings"
)

// ServiceProvider is what we say of ourselves to one identity provider.
type ServiceProvider struct {
	EntityID, ACSURL, LogoutURL string
	// Certificates (DER) of all live keys. More than one of a use: they are exchanged.
	// The one that signs comes first, since some providers read the first only.
	Signing, Encryption [][]byte
	NameIDFormat        string // "": any
	SignRequests        bool
}

// encryptionMethods are those that we decrypt, best first (XML Encryption 1.1 §5).
var encryptionMethods = []string{
	"http://www.w3.org/2009/xmlenc11#aes256-gcm",
	"http://www.w3.org/2009/xmlenc11#aes128-gcm",
	"http://www.w3.org/2001/04/xmlenc#aes256-cbc",
	"http://www.w3.org/2001/04/xmlenc#aes128-cbc",
	"http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p",
}

// UnspecifiedNameID is the format that leaves the choice to the provider.
const UnspecifiedNameID = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"

// XML returns the metadata, an EntityDescriptor in the order that the schema asks for
// (SAML 2.0 metadata §2.4.4). It has no validUntil, since connections are set up once and
// providers would stop on that day; no ArtifactResolutionService, since artifacts are not
// accepted; and it does not ask for signed assertions, since several providers sign the
// response around them only.
func (p ServiceProvider) XML() []byte {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n")
	b.WriteString(`<md:EntityDescriptor xmlns:md="` + namespace + `" xmlns:ds="http://www.w3.org/2000/09/xmldsig#"` + attr("entityID", p.EntityID) + ">\n")
	signed := map[bool]string{true: "true", false: "false"}[p.SignRequests]
	b.WriteString(`  <md:SPSSODescriptor` + attr("AuthnRequestsSigned", signed) + ` WantAssertionsSigned="false"` + attr("protocolSupportEnumeration", protocol) + ">\n")
	for _, der := range p.Signing {
		keyDescriptor(&b, "signing", der, nil)
	}
	for _, der := range p.Encryption {
		keyDescriptor(&b, "encryption", der, encryptionMethods)
	}
	if p.LogoutURL != "" {
		for _, binding := range []string{bindingRedirect, bindingPost} {
			b.WriteString(`    <md:SingleLogoutService` + attr("Binding", binding) + attr("Location", p.LogoutURL) + "/>\n")
		}
	}
	format := p.NameIDFormat
	if format == "" {
		format = UnspecifiedNameID
	}
	b.WriteString(`    <md:NameIDFormat>` + text(format) + "</md:NameIDFormat>\n")
	b.WriteString(`    <md:AssertionConsumerService` + attr("Binding", bindingPost) + attr("Location", p.ACSURL) + ` index="0" isDefault="true"/>` + "\n")
	b.WriteString("  </md:SPSSODescriptor>\n</md:EntityDescriptor>\n")
	return []byte(b.String())
}

func keyDescriptor(b *strings.Builder, use string, der []byte, methods []string) {
	b.WriteString(`    <md:KeyDescriptor` + attr("use", use) + ">\n      <ds:KeyInfo><ds:X509Data><ds:X509Certificate>")
	b.WriteString(base64.StdEncoding.EncodeToString(der))
	b.WriteString("</ds:X509Certificate></ds:X509Data></ds:KeyInfo>\n")
	for _, method := range methods {
		b.WriteString(`      <md:EncryptionMethod` + attr("Algorithm", method) + "/>\n")
	}
	b.WriteString("    </md:KeyDescriptor>\n")
}

func attr(name, value string) string { return " " + name + `="` + text(value) + `"` }

// text escapes what stands in an element or between double quotes.
func text(value string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(value)) // a Builder does not fail
	return b.String()
}
