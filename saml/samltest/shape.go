package samltest

import (
	"bytes"
	"embed"
	"fmt"
	"path"
	"slices"
	"strings"
	"text/template"
	"time"
)

// shapeFiles holds unsigned responses in the manner of the products: their prefixes, where
// they declare them, the names of their attributes, white space. They are imitations, not
// recordings: what a product really sends, only a test with the product tells.
//
//go:embed shapes/*.xml
var shapeFiles embed.FS

var shapes = template.Must(template.New("shapes").ParseFS(shapeFiles, "shapes/*.xml"))

// Shapes returns the names of the shapes, sorted: "plain" and one for each product.
func Shapes() []string {
	var names []string
	for _, t := range shapes.Templates() {
		if path.Ext(t.Name()) == ".xml" {
			names = append(names, strings.TrimSuffix(t.Name(), ".xml"))
		}
	}
	slices.Sort(names)
	return names
}

// GroupAttribute returns the name of the attribute that carries the groups in a shape.
func GroupAttribute(shape string) string {
	switch shape {
	case "adfs", "auth0":
		return "http://schemas.xmlsoap.org/claims/Group"
	case "entra":
		return "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups"
	case "keycloak":
		return "Role"
	case "onelogin", "ping", "samlify":
		return "memberOf"
	case "pysaml2", "shibboleth":
		return "urn:oid:1.3.6.1.4.1.5923.1.5.1.1"
	default:
		return "groups"
	}
}

// dress fills in how a product writes its signatures.
func dress(shape string, s Signature) Signature {
	if s.Prefix == "" {
		s.Prefix = map[string]string{"auth0": "-", "entra": "-", "keycloak": "dsig", "pysaml2": "ns2"}[shape]
	}
	if s.Prefixes == nil && shape == "okta" {
		s.Prefixes = []string{"xs"}
	}
	return s
}

// shaped returns the response of a message in its shape, unsigned, and what stands before it.
func shaped(m Message) (prolog string, response *Element) {
	// Everything is put in as XML has it, so the shapes need no escaping of their own.
	data := map[string]any{
		"ID": quoted(m.ID), "ResponseID": "_r" + quoted(strings.TrimPrefix(m.ID, "_")),
		"Issuer": quoted(m.Issuer), "ACS": quoted(m.ACS), "Audience": quoted(m.Audience), "RequestID": quoted(m.RequestID),
		"NameID": quoted(m.NameID), "Format": quoted(m.Format), "Email": quoted(m.Email), "Given": quoted(m.Given), "Family": quoted(m.Family),
		"Context": quoted(m.Context), "Session": quoted(m.Session),
		"Now":    Instant(m.Now),
		"Second": m.Now.UTC().Truncate(time.Second).Format(time.RFC3339),
		"Start":  Instant(m.Now.Add(-Life)),
		"End":    Instant(m.Now.Add(Life)),
		"Night":  Instant(m.Now.Add(8 * time.Hour)),
	}
	groups := make([]string, len(m.Groups))
	for i, g := range m.Groups {
		groups[i] = quoted(g)
	}
	data["Groups"] = groups
	var b bytes.Buffer
	if err := shapes.ExecuteTemplate(&b, m.Shape+".xml", data); err != nil {
		panic(fmt.Errorf("samltest: %w", err))
	}
	text := b.String()
	if strings.HasPrefix(text, "<?xml") {
		prolog = text[:strings.Index(text, "?>")+2]
	}
	response = parse(text)
	addClaims(response, m.Attributes)
	return prolog, response
}

// addClaims adds attributes to the statement, named as the shape names its elements.
func addClaims(response *Element, claims []Claim) {
	if len(claims) == 0 {
		return
	}
	statement := response.Find("AttributeStatement")
	prefix := strings.TrimSuffix(statement.Name, "AttributeStatement")
	for _, c := range claims {
		attribute := &Element{Name: prefix + "Attribute"}
		attribute.Set("Name", c.Name)
		if c.FriendlyName != "" {
			attribute.Set("FriendlyName", c.FriendlyName)
		}
		if c.Format != "" {
			attribute.Set("NameFormat", c.Format)
		}
		for _, v := range c.Values {
			attribute.Append((&Element{Name: prefix + "AttributeValue"}).SetText(v))
		}
		statement.Append(attribute)
	}
}
