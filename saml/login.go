package saml

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/sso"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/saml/metadata"
)

// beginHere serves GET /saml/{connection}/login.
func (h *Handler) beginHere(c *call) error {
	if err := c.find(); err != nil {
		return err
	}
	return h.begin(c)
}

// beginAnywhere serves GET /login, for applications that know the person's organization or
// e-mail domain only.
func (h *Handler) beginAnywhere(c *call) error {
	id, err := h.lead(c)
	if err != nil {
		return err
	}
	if c.party, err = h.party(c.Context(), string(id)); err != nil {
		return err
	}
	return h.begin(c)
}

// lead returns the connection that exactly one of organization, domain and connection
// leads to.
func (h *Handler) lead(c *call) (id directory.ConnectionID, err error) {
	query := c.URL.Query()
	name, value := "", ""
	for _, parameter := range []string{"organization", "domain", "connection"} {
		values := query[parameter]
		if len(values) == 0 {
			continue
		}
		if name != "" || len(values) > 1 {
			return "", &refusal{code: "invalid_request", status: http.StatusBadRequest, detail: "more than one organization, domain or connection is named"}
		}
		name, value = parameter, values[0]
	}
	switch name {
	case "connection":
		return directory.ConnectionID(value), nil
	case "organization":
		organization, err := directory.ParseOrganizationID(value)
		if err != nil {
			return "", err
		}
		var list []store.Connection
		err = h.bounded(c.Context(), func() (err error) {
			list, err = h.Store.Connections(c.Context(), organization)
			return err
		})
		if err != nil {
			return "", err
		}
		return one(organization, list)
	case "domain":
		// An address leads where its domain does.
		domain, ok := directory.Domain(value[strings.LastIndexByte(value, '@')+1:])
		if !ok {
			return "", &refusal{code: "invalid_request", status: http.StatusBadRequest, detail: quote(value) + " is no domain"}
		}
		var found store.Connection
		err = h.bounded(c.Context(), func() (err error) {
			found, err = h.Store.ConnectionByDomain(c.Context(), domain)
			return err
		})
		return found.ID, err
	}
	return "", &refusal{code: "invalid_request", status: http.StatusBadRequest, detail: "neither organization nor domain nor connection is named"}
}

// one returns the only SAML connection of an organization that is not disabled. Which of
// several is meant only the application can say.
func one(organization directory.OrganizationID, list []store.Connection) (directory.ConnectionID, error) {
	var found []string
	for _, connection := range list {
		if connection.Kind == directory.SAML && !connection.Disabled {
			found = append(found, string(connection.ID))
		}
	}
	switch len(found) {
	case 0:
		return "", fault.New(fault.NotFound, "the organization %s has no SAML connection that is enabled", organization)
	case 1:
		return directory.ConnectionID(found[0]), nil
	}
	return "", &refusal{code: "invalid_request", status: http.StatusBadRequest,
		detail: fmt.Sprintf("the organization %s has several SAML connections; name one of them (%s)", organization, some(found))}
}

// begin checks what the application asks for and sends the browser to the provider.
func (h *Handler) begin(c *call) error {
	if c.party.Disabled {
		return disabled(c.party)
	}
	parameters, err := url.ParseQuery(c.URL.RawQuery)
	if err != nil {
		return &refusal{code: "invalid_request", status: http.StatusBadRequest, detail: "the query is not in the form of a query"}
	}
	asked, err := h.SSO.Authorize(c.Context(), parameters)
	if wrong, ok := errors.AsType[*sso.RequestError](err); ok {
		r := &refusal{code: wrong.Code, detail: wrong.Description, status: http.StatusBadRequest}
		if wrong.Redirect == "" {
			return r
		}
		c.record(r)
		redirect(c.w, wrong.Redirect)
		return nil
	}
	if err != nil {
		return err
	}
	return h.send(c, request{Asked: asked}, parameters.Get("login_hint"))
}

func disabled(p *party) error {
	return &refusal{code: "connection_disabled", detail: fmt.Sprintf("the connection %s is disabled: its users, groups and roles are frozen as they are", p.ID)}
}

// maxHint bounds a login_hint, in bytes; a longer one is no e-mail address.
const maxHint = 254

// send keeps the login and sends the browser to the provider, by HTTP-Redirect if the
// provider has an address for it, else by HTTP-POST. A hint of who signs in is passed on
// as the parameter login_hint, which Okta and Entra understand and others ignore.
func (h *Handler) send(c *call, r request, hint string) error {
	p := c.party
	browser := h.browser(c.Request)
	r.ID, r.Browser, r.At, r.Fresh = newMessageID(), hashed(browser), h.now(), p.SAML.ForceAuthn
	var signs *signer
	if wantsSignature(p.SAML) {
		var err error
		if signs, err = p.signerOf(); err != nil {
			return err
		}
	}
	provider := p.SAML.Provider
	if !provider.Complete() {
		return &refusal{code: "provider", detail: "the connection has no identity provider yet: its metadata is missing", status: http.StatusNotFound}
	}
	state, err := h.keep(c.Context(), p, r)
	if err != nil {
		return err
	}
	h.setCookie(c.w, browser)
	extra := url.Values{}
	if hint != "" && len(hint) <= maxHint {
		extra.Set("login_hint", hint)
	}
	if provider.SSORedirectURL != "" {
		location, err := redirectURL(provider.SSORedirectURL, "SAMLRequest", authnRequest(p, provider.SSORedirectURL, r), state, signs, extra)
		if err != nil {
			return err
		}
		redirect(c.w, location)
		return nil
	}
	f, err := postForm(provider.SSOPostURL, "SAMLRequest", authnRequest(p, provider.SSOPostURL, r), state, signs)
	if err != nil {
		return err
	}
	return showForm(c.w, f)
}

// metadata serves GET /saml/{connection}/metadata: what a provider is told of us. It holds
// no secret, and is there for a disabled connection too, which is set up or about to be.
func (h *Handler) metadata(c *call) error {
	if err := c.find(); err != nil {
		return err
	}
	p := c.party
	ours := metadata.ServiceProvider{
		EntityID: p.entityID, ACSURL: p.acsURL, NameIDFormat: p.SAML.NameIDFormat, SignRequests: wantsSignature(p.SAML),
		LogoutURL: p.logoutURL,
	}
	for _, k := range p.Keys {
		switch {
		// The one to be used comes first, since some providers read that only. For
		// encryption it is the newest: they have to leave the old one before it goes.
		case k.Use == directory.Encryption:
			ours.Encryption = append([][]byte{k.Certificate}, ours.Encryption...)
		case k.Active:
			ours.Signing = append([][]byte{k.Certificate}, ours.Signing...)
		default:
			ours.Signing = append(ours.Signing, k.Certificate)
		}
	}
	c.w.Header().Set("Content-Type", "application/samlmetadata+xml")
	_, _ = c.w.Write(ours.XML()) // a client that is gone needs no answer
	return nil
}
