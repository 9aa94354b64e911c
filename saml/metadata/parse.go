package metadata

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
)

// Bounds of a metadata document. Those of whole federations are larger; their members
// have addresses of their own.
const (
	MaxSize     = 5 << 20
	maxDepth    = 32
	maxElements = 200_000
	maxEntityID = 1024 // characters (SAML 2.0 core §8.3.6)
	maxURL      = 2048
)

const (
	namespace       = "urn:oasis:names:tc:SAML:2.0:metadata"
	protocol        = "urn:oasis:names:tc:SAML:2.0:protocol"
	bindingRedirect = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
	bindingPost     = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
)

// Document is what metadata says of one identity provider.
type Document struct {
	Provider   directory.IdentityProvider // its certificates as added at the given time
	ValidUntil time.Time                  // zero: without an end
	CacheFor   time.Duration              // how long it may be kept before it is read again; 0: not said
}

// Parse reads metadata. When it describes several identity providers, entityID chooses
// one; otherwise it may be "", and if not, must be the provider's. Every failure is an
// Invalid fault that names the value.
func Parse(data []byte, entityID string, now time.Time) (Document, error) {
	if len(data) > MaxSize {
		return Document{}, fault.New(fault.Invalid, "the metadata is larger than %d bytes", MaxSize)
	}
	if err := guard(data); err != nil {
		return Document{}, err
	}
	entities, err := providers(data)
	if err != nil {
		return Document{}, err
	}
	chosen, err := choose(entities, entityID)
	if err != nil {
		return Document{}, err
	}
	return chosen.document(now)
}

// guard refuses what no metadata needs, before anything of it is kept.
func guard(data []byte) error {
	decoder := newDecoder(data)
	depth, elements := 0, 0
	for {
		token, err := decoder.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return noXML(err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			depth++
			elements++
			if depth > maxDepth {
				return fault.New(fault.Invalid, "the metadata is nested deeper than %d elements", maxDepth)
			}
			if elements > maxElements {
				return fault.New(fault.Invalid, "the metadata has more than %d elements", maxElements)
			}
		case xml.EndElement:
			depth--
		case xml.Directive:
			return fault.New(fault.Invalid, "the metadata has a DOCTYPE, which is not allowed")
		case xml.ProcInst:
			if t.Target != "xml" {
				return fault.New(fault.Invalid, "the metadata has a processing instruction %q, which is not allowed", first(t.Target))
			}
		}
	}
	if elements == 0 {
		return fault.New(fault.Invalid, "the metadata is not XML: it has no element")
	}
	return nil
}

func newDecoder(data []byte) *xml.Decoder {
	decoder := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	decoder.CharsetReader = func(charset string, _ io.Reader) (io.Reader, error) {
		return nil, errors.New("the encoding " + first(charset) + " is not understood, only UTF-8")
	}
	return decoder
}

func noXML(err error) error {
	return fault.New(fault.Invalid, "the metadata is not well-formed XML: %s", first(strings.TrimPrefix(err.Error(), "XML syntax error on ")))
}

// entity is an EntityDescriptor with the validity of the groups around it.
type entity struct {
	ID         string `xml:"entityID,attr"`
	ValidUntil string `xml:"validUntil,attr"`
	CacheFor   string `xml:"cacheDuration,attr"`
	Roles      []role `xml:"urn:oasis:names:tc:SAML:2.0:metadata IDPSSODescriptor"`
	outer      []validity
}

type validity struct{ until, cache string }

// role is an IDPSSODescriptor.
type role struct {
	Protocols          string     `xml:"protocolSupportEnumeration,attr"`
	ValidUntil         string     `xml:"validUntil,attr"`
	CacheFor           string     `xml:"cacheDuration,attr"`
	WantRequestsSigned string     `xml:"WantAuthnRequestsSigned,attr"`
	Keys               []key      `xml:"urn:oasis:names:tc:SAML:2.0:metadata KeyDescriptor"`
	SSO                []endpoint `xml:"urn:oasis:names:tc:SAML:2.0:metadata SingleSignOnService"`
	SLO                []endpoint `xml:"urn:oasis:names:tc:SAML:2.0:metadata SingleLogoutService"`
}

type key struct {
	Use          string   `xml:"use,attr"`
	Certificates []string `xml:"http://www.w3.org/2000/09/xmldsig# KeyInfo>X509Data>X509Certificate"`
}

type endpoint struct {
	Binding          string `xml:"Binding,attr"`
	Location         string `xml:"Location,attr"`
	ResponseLocation string `xml:"ResponseLocation,attr"`
}

// providers returns the entities that are identity providers of SAML 2.0, with the role
// that makes them so.
func providers(data []byte) ([]entity, error) {
	decoder := newDecoder(data)
	var found []entity
	var around []validity // of the EntitiesDescriptors that are open
	total := 0
	for root := true; ; root = false {
		token, err := nextElement(decoder)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, noXML(err)
		}
		start, ok := token.(xml.StartElement)
		switch {
		case !ok:
			around = around[:len(around)-1] // only groups are entered
		case start.Name.Space == namespace && start.Name.Local == "EntitiesDescriptor":
			around = append(around, validity{attribute(start, "validUntil"), attribute(start, "cacheDuration")})
		case start.Name.Space == namespace && start.Name.Local == "EntityDescriptor":
			total++
			e := entity{outer: append([]validity(nil), around...)}
			if err := decoder.DecodeElement(&e, &start); err != nil {
				return nil, noXML(err)
			}
			if e.keepSAML2() {
				found = append(found, e)
			}
		case root:
			return nil, fault.New(fault.Invalid, "this is no SAML metadata: it begins with the element %q, not EntityDescriptor or EntitiesDescriptor of %s", first(start.Name.Local), namespace)
		default:
			if err := decoder.Skip(); err != nil {
				return nil, noXML(err)
			}
		}
	}
	if len(found) == 0 {
		return nil, fault.New(fault.Invalid, "the metadata describes no identity provider of SAML 2.0 (of %d entities, none has an IDPSSODescriptor for it); a service provider's metadata is not what is needed here", total)
	}
	return found, nil
}

// nextElement passes over everything but the starts and ends of elements.
func nextElement(decoder *xml.Decoder) (xml.Token, error) {
	for {
		token, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		switch token.(type) {
		case xml.StartElement, xml.EndElement:
			return token, nil
		}
	}
}

func attribute(start xml.StartElement, name string) string {
	for _, a := range start.Attr {
		if a.Name.Space == "" && a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// keepSAML2 keeps the roles that speak SAML 2.0, and reports whether there are any. ADFS
// describes others beside them.
func (e *entity) keepSAML2() bool {
	var roles []role
	for _, r := range e.Roles {
		for p := range strings.FieldsSeq(r.Protocols) {
			if p == protocol {
				roles = append(roles, r)
				break
			}
		}
	}
	e.Roles = roles
	return len(roles) > 0
}

func choose(entities []entity, id string) (entity, error) {
	if id == "" && len(entities) == 1 {
		return entities[0], nil
	}
	for _, e := range entities {
		if e.ID == id && id != "" {
			return e, nil
		}
	}
	var names []string
	for _, e := range entities[:min(len(entities), 10)] {
		names = append(names, first(e.ID))
	}
	list := strings.Join(names, ", ")
	if len(entities) > len(names) {
		list += ", …"
	}
	if id == "" {
		return entity{}, fault.New(fault.Invalid, "the metadata describes %d identity providers; choose one by its entity_id: %s", len(entities), list)
	}
	return entity{}, fault.New(fault.Invalid, "the metadata does not describe the identity provider %q, but %s", first(id), list)
}

// document checks an entity and turns it into what we keep.
func (e entity) document(now time.Time) (Document, error) {
	if err := CheckEntityID(e.ID); err != nil {
		return Document{}, err
	}
	d := Document{Provider: directory.IdentityProvider{EntityID: e.ID}}
	r := e.Roles[0]
	for _, v := range append(e.outer, validity{e.ValidUntil, e.CacheFor}, validity{r.ValidUntil, r.CacheFor}) {
		if err := d.restrict(v); err != nil {
			return Document{}, err
		}
	}
	if !d.ValidUntil.IsZero() && !now.Before(d.ValidUntil) {
		return Document{}, fault.New(fault.Invalid, "the metadata was valid until %s; the identity provider must publish it anew", d.ValidUntil.Format(time.RFC3339))
	}
	p := &d.Provider
	p.WantRequestsSigned = r.WantRequestsSigned == "true" || r.WantRequestsSigned == "1"
	var err error
	if p.SSORedirectURL, p.SSOPostURL, err = locations(r.SSO, "SingleSignOnService", endpoint.request); err != nil {
		return Document{}, err
	}
	if p.SSORedirectURL == "" && p.SSOPostURL == "" {
		return Document{}, fault.New(fault.Invalid, "the metadata of %q has no SingleSignOnService for HTTP-Redirect or HTTP-POST", first(e.ID))
	}
	if p.SLORedirectURL, p.SLOPostURL, err = locations(r.SLO, "SingleLogoutService", endpoint.answer); err != nil {
		return Document{}, err
	}
	if p.Certificates, err = r.certificates(now); err != nil {
		return Document{}, err
	}
	return d, nil
}

func (e endpoint) request() string { return e.Location }

// answer is where a response goes: elsewhere only when that is said (SAML 2.0 metadata
// §2.2.2).
func (e endpoint) answer() string {
	if e.ResponseLocation != "" {
		return e.ResponseLocation
	}
	return e.Location
}

// locations returns the first location of each binding that we speak.
func locations(endpoints []endpoint, name string, of func(endpoint) string) (redirect, post string, err error) {
	for _, e := range endpoints {
		at := &redirect
		switch {
		case e.Binding == bindingPost:
			at = &post
		case e.Binding != bindingRedirect:
			continue
		}
		if *at != "" {
			continue
		}
		location := strings.TrimSpace(of(e))
		if err := CheckURL(name, location); err != nil {
			return "", "", err
		}
		*at = location
	}
	return redirect, post, nil
}

// CheckEntityID refuses what is no entity ID: a URI of at most 1024 characters, which
// must not have spaces around it since it is compared exactly.
func CheckEntityID(id string) error {
	switch {
	case id == "":
		return fault.New(fault.Invalid, "entity_id is empty: the identity provider's entity ID (its issuer) is needed")
	case len(id) > maxEntityID:
		return fault.New(fault.Invalid, "entity_id has more than %d characters", maxEntityID)
	case strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r == 0x7f || r == 0xfffd }):
		return fault.New(fault.Invalid, "entity_id %q has spaces or control characters", first(id))
	}
	return nil
}

// CheckURL refuses an address that a browser must not be sent to with a login request:
// it is https, or http on this very machine, for trying things out.
func CheckURL(name, address string) error {
	if len(address) > maxURL {
		return fault.New(fault.Invalid, "the URL of %s has more than %d characters", name, maxURL)
	}
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "":
		return fault.New(fault.Invalid, "the URL of %s, %q, is not one of the form https://host/path", name, first(address))
	case u.Scheme != "https" && (u.Scheme != "http" || !Loopback(u.Hostname())):
		return fault.New(fault.Invalid, "the URL of %s, %q, is not https", name, first(address))
	case u.User != nil:
		return fault.New(fault.Invalid, "the URL of %s, on %q, has a user name or a password in it", name, first(u.Host))
	case u.Fragment != "" || strings.HasSuffix(address, "#"):
		return fault.New(fault.Invalid, "the URL of %s, %q, has a fragment", name, first(address))
	}
	return nil
}

// Loopback reports whether a host is always the machine of whoever asks for it
// (RFC 6761 §6.3 for the name).
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// first shows at most 200 bytes of a value that came from outside.
func first(value string) string {
	if len(value) > 200 {
		return value[:200] + "…"
	}
	return value
}
