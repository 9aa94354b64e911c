package saml

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/sso"
	"github.com/rolesync/rolesync/saml/verifier"
	rolesync "github.com/rolesync/rolesync/sync"
)

const (
	// maxForm bounds the body of a form, in bytes. A message of 1 MiB has 1.4 MB in base64,
	// of which a few signs are escaped.
	maxForm = 2 << 20
	// publishTime is how long a login waits for its assignment to be in Redis.
	publishTime = 3 * time.Second
)

// consume serves POST /saml/{connection}/acs, the assertion consumer service. The order
// is that of the package documentation: what costs little and refuses most comes first,
// nothing is believed before it is verified, and nothing has an effect before all is.
func (h *Handler) consume(c *call) error {
	if err := c.find(); err != nil {
		return err
	}
	posted, err := readPosted(c, "SAMLResponse")
	if err != nil {
		return err
	}
	began, err := h.began(c, posted.relayState)
	if err != nil {
		return err
	}
	if began != nil && began.Trial != "" {
		return h.finishTrial(c, posted.message, *began)
	}
	if c.party.Disabled {
		return disabled(c.party)
	}
	message, err := verifier.Decode(posted.message)
	if err != nil {
		return err
	}
	assertion, err := verifier.Verify(c.Context(), message, h.expectation(c.party, began))
	if err != nil {
		return err
	}
	asked, err := h.leadsTo(c, began)
	if err != nil {
		return err
	}
	who, err := identify(assertion, c.party.SAML, c.party.entityID)
	if err != nil {
		return err
	}
	return h.finish(c, who, asked)
}

// finish lets the person in: the facts and the code are stored in one transaction, then
// the browser goes to the application.
func (h *Handler) finish(c *call, who identity, asked sso.Request) error {
	c.unmapped = who.unmapped
	code := h.SSO.NewCode(c.party.Organization, c.party.ID, asked)
	login := who.login
	login.Code = &rolesync.NewCode{ID: code.ID, ExpiresAt: code.ExpiresAt, Document: func(in rolesync.LoggedIn) string {
		return code.Document(in.User.ID, in.Epoch)
	}}
	in, err := h.Engine.Login(c.Context(), c.author(), login)
	if err != nil {
		return authentic(err)
	}
	h.recordGroups(c, login.Fact)
	if in.Refused != "" {
		return ofLogin(in.Refused, login)
	}
	h.await(c, in)
	c.record(nil)
	redirect(c.w, h.SSO.Answer(asked, code.Value))
	return nil
}

// await waits until the assignment can be read in Redis, since the application will issue
// a token at once. It fails open: what is committed is right and the sweep will bring it
// to Redis, and the application is told, by "published", what it can rely on. A Redis that
// is away must not keep everybody out.
func (h *Handler) await(c *call, in rolesync.LoggedIn) {
	if in.Published {
		return
	}
	ctx, cancel := context.WithTimeout(c.Context(), publishTime)
	defer cancel()
	if err := h.Writer.Await(ctx, c.party.Organization, in.User.ID, in.Version); err != nil && c.Context().Err() == nil {
		h.Log.WarnContext(c.Context(), "login answered before its assignment was published", "error", err,
			"org", c.party.Organization, "user", in.User.ID, "connection", c.party.ID, "request", h.requestID(c.Context()))
	}
}

// posted is what a form holds.
type posted struct{ message, relayState string }

// readPosted reads a form that was posted to us, in which there is exactly one message, of
// that kind. Parameters in the URL are not read; those that would mean something are
// refused, and so is SAMLart: we call nobody on the word of a browser.
func readPosted(c *call, kind string) (posted, error) {
	refuse := func(status int, code, format string, args ...any) (posted, error) {
		return posted{}, &refusal{code: code, status: status, detail: fmt.Sprintf(format, args...)}
	}
	if media, _, err := mime.ParseMediaType(c.Header.Get("Content-Type")); err != nil || media != "application/x-www-form-urlencoded" {
		return refuse(http.StatusUnsupportedMediaType, "content_type", "the Content-Type %s is not application/x-www-form-urlencoded", quote(c.Header.Get("Content-Type")))
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.w, c.Body, maxForm))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return refuse(http.StatusRequestEntityTooLarge, "too_large", "the body is larger than %d bytes", maxForm)
	}
	if err != nil {
		return refuse(http.StatusBadRequest, "form", "the body could not be read to its end")
	}
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return refuse(http.StatusBadRequest, "form", "the body is not in the form application/x-www-form-urlencoded")
	}
	inURL, _ := url.ParseQuery(c.URL.RawQuery) // of a part that is malformed nothing is read
	for _, name := range []string{"SAMLResponse", "SAMLRequest", "RelayState", "SAMLart"} {
		if _, there := inURL[name]; there {
			return refuse(http.StatusBadRequest, "form", "the parameter %s belongs into the body, not into the URL", name)
		}
	}
	if _, there := values["SAMLart"]; there {
		return refuse(http.StatusBadRequest, "artifact", "the parameter SAMLart is there: the artifact binding is not supported")
	}
	if n := len(values[kind]); n != 1 || values.Get(kind) == "" {
		return refuse(http.StatusBadRequest, "form", "there has to be exactly one %s; there are %d", kind, n)
	}
	if n := len(values["RelayState"]); n > 1 {
		return refuse(http.StatusBadRequest, "form", "there may be one RelayState; there are %d", n)
	}
	return posted{values.Get(kind), values.Get("RelayState")}, nil
}

// began returns the login that the browser began here, and ends it; nil when none did and
// the connection lets the provider begin. A RelayState that has our form is ours, known or
// not: it never turns an answer into a login that nobody has asked for.
func (h *Handler) began(c *call, relayState string) (*request, error) {
	if oursRelayState(relayState) {
		r, err := h.take(c.Context(), c.party, relayState)
		if err != nil {
			return nil, err
		}
		return &r, h.sameBrowser(c.Request, r)
	}
	if !c.party.SAML.IDPInitiated {
		return nil, &refusal{code: "unsolicited", detail: fmt.Sprintf("the RelayState %s is none of ours: the login did not begin here, and the connection does not let it begin at the provider", quote(relayState))}
	}
	return nil, nil
}

// expectation is what the message has to be. A login that began at the provider is
// expected to answer nothing.
func (h *Handler) expectation(p *party, began *request) verifier.Expectation {
	e := verifier.Expectation{
		Provider: p.SAML.Provider.EntityID, Certificates: p.certificates,
		EntityID: p.entityID, ACSURL: p.acsURL, Keys: p.decrypts,
		Unsolicited: began == nil,
		Now:         h.now(), Skew: p.SAML.ClockSkew.Duration(),
		AuthnContexts: p.SAML.AuthnContexts, WithoutAuthnStatement: p.SAML.WithoutAuthnStatement,
	}
	if began != nil {
		e.RequestID = began.ID
	}
	switch {
	case p.SAML.ForceAuthn && began != nil:
		e.AuthnSince = began.At
	case p.SAML.ForceAuthn: // nobody has asked, so it is as fresh as if we had
		e.AuthnSince = e.Now.Add(-requestTime)
	}
	return e
}

// leadsTo returns the application that the person goes to.
func (h *Handler) leadsTo(c *call, began *request) (sso.Request, error) {
	if began != nil {
		return began.Asked, nil
	}
	asked, err := h.SSO.Unsolicited(c.Context(), c.party.SAML.Application)
	if fault.Is(err, fault.NotFound) {
		err = &refusal{code: "application", authentic: true,
			detail: fmt.Sprintf("the connection lets logins begin at the provider, and the application %s that they lead to does not exist or has no redirect URI", quote(c.party.SAML.Application))}
	}
	return asked, authentic(err)
}

// authentic marks a failure behind the verification, so that it is listed as one of a
// login.
func authentic(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*refusal](err); ok {
		return err
	}
	return verified{err}
}

// verified is a failure that came after the provider's signature was verified.
type verified struct{ error }

func (v verified) Unwrap() error { return v.error }

// recordGroups counts what logins state about groups, in the connection's health.
func (h *Handler) recordGroups(c *call, fact directory.GroupFact) {
	kinds := map[directory.GroupFact]string{
		directory.Stated: "groups.stated", directory.Empty: "groups.stated",
		directory.Absent: "groups.absent", directory.Partial: "groups.partial",
	}
	group := *c
	group.kind, group.unmapped = kinds[fact], nil
	group.record(nil)
}
