package saml

import (
	"fmt"
	"net/http"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/saml/verifier"
)

// maxRelayState is what SAML allows of a RelayState, in bytes (bindings §3.4.3, §3.5.3). A
// longer one is not sent back.
const maxRelayState = 80

// logout serves /saml/{connection}/logout: the provider, by way of the person's browser,
// has somebody signed out (SAML profiles §4.4, front channel). The request is verified,
// used once, raises the epoch of the user, so that every token issued before is void, and
// is answered.
//
// There is no session of ours to end, so a request ends all that was issued to the user,
// whichever SessionIndex it names: too much rather than too little. Whom we do not know we
// say so (status UnknownPrincipal, core §3.2.2.2): the request is authentic, so the
// provider is no stranger, and a failure to sign somebody out must not look like success.
func (h *Handler) logout(c *call) error {
	if err := c.find(); err != nil {
		return err
	}
	p := c.party
	if p.Disabled {
		return disabled(p)
	}
	asked, relayState, err := h.logoutRequest(c)
	if err != nil {
		return err
	}
	status, precise := statusSuccess, ""
	err = h.signOut(c, asked)
	switch {
	case fault.Is(err, fault.NotFound):
		status, precise = statusRequester, statusUnknownPrincipal
		c.record(&refusal{code: "name_id", authentic: true, status: http.StatusNotFound,
			detail: fmt.Sprintf("nobody has signed in through this connection as %s, who is to be signed out", quote(asked.NameID.Value))})
	case fault.Is(err, fault.Conflict):
		return &refusal{code: "replayed", authentic: true, detail: fmt.Sprintf("the logout request %s was used before", quote(asked.ID))}
	case err != nil:
		return authentic(err)
	default:
		c.record(nil)
	}
	return h.answerLogout(c, asked.ID, relayState, status, precise)
}

// logoutRequest reads and verifies the request, by whichever binding it came.
func (h *Handler) logoutRequest(c *call) (*verifier.LogoutRequest, string, error) {
	p := c.party
	expected := verifier.LogoutExpectation{
		Provider: p.SAML.Provider.EntityID, Certificates: p.certificates, LogoutURL: p.logoutURL,
		Now: h.now(), Skew: p.SAML.ClockSkew.Duration(),
	}
	if c.Method == http.MethodGet {
		return verifier.VerifyRedirectLogout(c.Context(), c.URL.RawQuery, expected)
	}
	form, err := readPosted(c, "SAMLRequest")
	if err != nil {
		return nil, "", err
	}
	message, err := verifier.Decode(form.message)
	if err != nil {
		return nil, "", err
	}
	asked, err := verifier.VerifyLogout(c.Context(), message, expected)
	return asked, form.relayState, err
}

// signOut raises the epoch of whoever signed in under the NameID; NotFound when nobody did.
func (h *Handler) signOut(c *call, asked *verifier.LogoutRequest) error {
	for _, subject := range signOutKeys(asked.NameID, c.party.SAML, c.party.entityID) {
		user, err := h.Engine.SignOut(c.Context(), c.author(), subject, asked.ID, asked.Usable)
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err == nil {
			h.Log.InfoContext(c.Context(), "signed out by the provider", "org", c.party.Organization, "user", user,
				"connection", c.party.ID, "request", h.requestID(c.Context()))
		}
		return err
	}
	return fault.New(fault.NotFound, "nobody is known by this NameID")
}

// answerLogout sends the browser back to the provider with a signed answer, by the binding
// that it has an address for, or says to the person that it is done.
func (h *Handler) answerLogout(c *call, inResponseTo, relayState, status, precise string) error {
	p := c.party
	provider := p.SAML.Provider
	if provider.SLORedirectURL == "" && provider.SLOPostURL == "" {
		title, text := "You are signed out", "You can close this page."
		if status != statusSuccess {
			title, text = "Nobody was signed out", "Nobody has signed in here under this name."
		}
		return show(c.w, http.StatusOK, quietPolicy, donePage, page{Title: title, Text: text})
	}
	signs, err := p.signerOf()
	if err != nil {
		return authentic(err)
	}
	if len(relayState) > maxRelayState {
		relayState = ""
	}
	if to := provider.SLORedirectURL; to != "" {
		location, err := redirectURL(to, "SAMLResponse", logoutResponse(p, to, inResponseTo, h.now(), status, precise), relayState, signs, nil)
		if err != nil {
			return authentic(err)
		}
		redirect(c.w, location)
		return nil
	}
	to := provider.SLOPostURL
	f, err := postForm(to, "SAMLResponse", logoutResponse(p, to, inResponseTo, h.now(), status, precise), relayState, signs)
	if err != nil {
		return authentic(err)
	}
	return showForm(c.w, f)
}

// signOutKeys are the subjects that a NameID may have signed in as: itself, or, where an
// attribute names the person, what was noted of the NameID beside it.
func signOutKeys(id verifier.NameID, settings *directory.SAMLSettings, entityID string) []string {
	r := &reading{settings: settings, entityID: entityID}
	key, err := r.nameKey(id)
	if err != nil { // it never named anybody
		return nil
	}
	return []string{key, noted(key)}
}
