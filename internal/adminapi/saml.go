package adminapi

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rolesync/rolesync/internal/admin"
	"github.com/rolesync/rolesync/internal/directory"
)

// SAMLChange is what a SAML connection is given. What is left out stays as it is.
type SAMLChange struct {
	Revision *int64 `json:"revision,omitempty" nullable:"false" doc:"Refuse the change (412) unless the settings are of this revision."`

	// The identity provider: by its metadata, as XML or by its address, or by hand.
	MetadataXML        *string  `json:"metadata_xml,omitempty" nullable:"false" doc:"The identity provider's metadata. It is not read again: it ends metadata_url."`
	MetadataURL        *string  `json:"metadata_url,omitempty" nullable:"false" doc:"Where the identity provider's metadata is: https, at a public address. It is read now, and again every 6 to 24 hours. Empty: not any more."`
	EntityID           *string  `json:"entity_id,omitempty" nullable:"false" doc:"The identity provider's entity ID, also called issuer: by hand, or to choose one of several in the metadata. Once it is set it stays."`
	SSOURL             *string  `json:"sso_url,omitempty" nullable:"false" doc:"By hand: where login requests go by HTTP-Redirect."`
	SSOPostURL         *string  `json:"sso_post_url,omitempty" nullable:"false" doc:"By hand: where login requests go by HTTP-POST, when there is no sso_url."`
	SLOURL             *string  `json:"slo_url,omitempty" nullable:"false" doc:"By hand: where answers to logout requests go by HTTP-Redirect."`
	SLOPostURL         *string  `json:"slo_post_url,omitempty" nullable:"false" doc:"By hand: where they go by HTTP-POST."`
	Certificate        string   `json:"certificate,omitempty" doc:"By hand: a certificate of the identity provider to add, PEM (one or several) or bare base64. RSA of at least 2048 bits, or ECDSA."`
	RemoveCertificates []string `json:"remove_certificates,omitempty" nullable:"false" doc:"By hand: fingerprints of certificates to remove."`

	IDPInitiated          *bool                `json:"idp_initiated,omitempty" nullable:"false" doc:"Let logins begin at the provider; needs an application."`
	Application           *string              `json:"application,omitempty" nullable:"false" doc:"The application, cli_…, that such logins lead to, at the first of its redirect URIs."`
	SignRequests          *bool                `json:"sign_requests,omitempty" nullable:"false" doc:"Sign login requests also when the provider's metadata does not ask for it."`
	NameIDFormat          *string              `json:"name_id_format,omitempty" nullable:"false" doc:"The URI of the NameID format to ask for; empty: unspecified." example:"urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"`
	ForceAuthn            *bool                `json:"force_authn,omitempty" nullable:"false" doc:"Ask for a fresh sign-in, and insist on it."`
	AuthnContexts         *[]string            `json:"authn_contexts,omitempty" nullable:"false" doc:"The authentication context classes to ask for and to insist on; none: any."`
	ClockSkew             *int                 `json:"clock_skew,omitempty" nullable:"false" doc:"How many seconds the provider's clock may be off, 0 to 300; 60 at first."`
	WithoutAuthnStatement *bool                `json:"without_authn_statement,omitempty" nullable:"false" doc:"Accept assertions that do not say how the person signed in."`
	Attributes            SAMLAttributesChange `json:"attributes,omitzero" doc:"The names of the attributes to read, exactly as the provider sends them."`
	GroupSeparator        *string              `json:"group_separator,omitempty" nullable:"false" doc:"Split a group attribute that has exactly one value; empty: do not."`
	GroupCommonName       *bool                `json:"group_common_name,omitempty" nullable:"false" doc:"Of a group value that is a distinguished name, take the CN."`
	AbsentGroupsMeanNone  *bool                `json:"absent_groups_mean_none,omitempty" nullable:"false" doc:"Take an assertion without any group attribute for one of somebody without groups, as Okta and Google send it; else it leaves the groups as they were. Only for a provider that is set up to send groups: it takes the roles of everybody else."`
	EmailDomains          *[]string            `json:"email_domains,omitempty" nullable:"false" doc:"The e-mail domains that the provider may speak for, each belonging to one connection of the deployment; they also find the connection at login. None: any, and none is found."`
	JustInTime            *bool                `json:"just_in_time,omitempty" nullable:"false" doc:"Make a user of a person who signs in for the first time, unless SCIM provides the users; true at first."`
}

// SAMLAttributesChange are names of attributes. An empty list means the usual names.
type SAMLAttributesChange struct {
	ID          *[]string `json:"id,omitempty" nullable:"false" doc:"What names the person, instead of the NameID."`
	Groups      *[]string `json:"groups,omitempty" nullable:"false" doc:"The groups."`
	Email       *[]string `json:"email,omitempty" nullable:"false" doc:"The e-mail address."`
	GivenName   *[]string `json:"given_name,omitempty" nullable:"false" doc:"The given name."`
	FamilyName  *[]string `json:"family_name,omitempty" nullable:"false" doc:"The family name."`
	DisplayName *[]string `json:"display_name,omitempty" nullable:"false" doc:"The name to show."`
}

func (c *SAMLChange) change() admin.SAMLChange {
	change := admin.SAMLChange{
		Revision: c.Revision, MetadataXML: c.MetadataXML, MetadataURL: c.MetadataURL, EntityID: c.EntityID,
		SSORedirectURL: c.SSOURL, SSOPostURL: c.SSOPostURL, SLORedirectURL: c.SLOURL, SLOPostURL: c.SLOPostURL, Remove: c.RemoveCertificates,
		IDPInitiated: c.IDPInitiated, Application: c.Application, SignRequests: c.SignRequests,
		NameIDFormat: c.NameIDFormat, ForceAuthn: c.ForceAuthn, AuthnContexts: c.AuthnContexts, ClockSkew: c.ClockSkew,
		WithoutAuthnStatement: c.WithoutAuthnStatement, Attributes: admin.SAMLAttributes(c.Attributes), GroupSeparator: c.GroupSeparator,
		GroupCommonName: c.GroupCommonName, AbsentGroupsMeanNone: c.AbsentGroupsMeanNone, EmailDomains: c.EmailDomains, JustInTime: c.JustInTime,
	}
	if c.Certificate != "" {
		change.Add = []string{c.Certificate}
	}
	return change
}

// SAML is what only SAML connections have. The first five are what the customer's IT
// admin needs.
type SAML struct {
	EntityID    string `json:"entity_id" doc:"Our entity ID, also called audience or SP entity ID."`
	ACSURL      string `json:"acs_url" doc:"Where the provider sends assertions: assertion consumer service, reply URL, single sign-on URL."`
	LoginURL    string `json:"login_url" doc:"Where a login begins."`
	LogoutURL   string `json:"logout_url" doc:"Where the provider sends logout requests: single logout URL."`
	MetadataURL string `json:"metadata_url" doc:"Our metadata, for providers that read it."`

	Revision              int64          `json:"revision" doc:"Raised by one at each change."`
	Provider              *Provider      `json:"provider,omitempty" doc:"The identity provider; absent: none is set yet, so logins are refused."`
	IDPInitiated          bool           `json:"idp_initiated" doc:"Whether logins may begin at the provider."`
	Application           string         `json:"application,omitempty" doc:"The application that such logins lead to."`
	SignRequests          bool           `json:"sign_requests" doc:"Whether login requests are signed also when the provider does not ask for it."`
	NameIDFormat          string         `json:"name_id_format,omitempty" doc:"The NameID format that is asked for; absent: unspecified."`
	ForceAuthn            bool           `json:"force_authn" doc:"Whether a fresh sign-in is asked for and insisted on."`
	AuthnContexts         []string       `json:"authn_contexts" nullable:"false" doc:"The authentication context classes that are insisted on."`
	ClockSkew             int            `json:"clock_skew" doc:"How many seconds the provider's clock may be off."`
	WithoutAuthnStatement bool           `json:"without_authn_statement" doc:"Whether assertions are accepted that do not say how the person signed in."`
	Attributes            SAMLAttributes `json:"attributes" doc:"The names of the attributes that are read instead of the usual ones."`
	GroupSeparator        string         `json:"group_separator,omitempty" doc:"What a group attribute with exactly one value is split at."`
	GroupCommonName       bool           `json:"group_common_name" doc:"Whether the CN of distinguished names is taken."`
	AbsentGroupsMeanNone  bool           `json:"absent_groups_mean_none" doc:"Whether an assertion without any group attribute takes all groups away."`
	EmailDomains          []string       `json:"email_domains" nullable:"false" doc:"The e-mail domains that the provider may speak for."`
	JustInTime            bool           `json:"just_in_time" doc:"Whether a person who signs in for the first time becomes a user."`
	Keys                  []Key          `json:"keys" nullable:"false" doc:"Our keys, oldest first. All are announced in our metadata."`
}

// Provider is what is known of an identity provider.
type Provider struct {
	EntityID           string        `json:"entity_id" doc:"Its entity ID. It stays."`
	MetadataURL        string        `json:"metadata_url,omitempty" doc:"Where its metadata is read again; absent: it is not."`
	FetchedAt          time.Time     `json:"fetched_at,omitzero" doc:"When that succeeded last; absent: never."`
	FetchError         string        `json:"fetch_error,omitempty" doc:"Why it failed last; absent: it did not."`
	NextFetchAt        time.Time     `json:"next_fetch_at,omitzero" doc:"When it is read next; absent: not by itself."`
	SSOURL             string        `json:"sso_url,omitempty" doc:"Where login requests go by HTTP-Redirect."`
	SSOPostURL         string        `json:"sso_post_url,omitempty" doc:"Where they go by HTTP-POST."`
	SLOURL             string        `json:"slo_url,omitempty" doc:"Where answers to logout requests go by HTTP-Redirect."`
	SLOPostURL         string        `json:"slo_post_url,omitempty" doc:"Where they go by HTTP-POST."`
	WantRequestsSigned bool          `json:"want_requests_signed" doc:"Whether its metadata asks for signed login requests."`
	Certificates       []Certificate `json:"certificates" nullable:"false" doc:"Those whose keys sign, oldest first. An expired one still counts."`
}

// Certificate is one of an identity provider.
type Certificate struct {
	Fingerprint string    `json:"fingerprint" doc:"The SHA-256 of it in hexadecimal."`
	PEM         string    `json:"certificate" doc:"It, as PEM."`
	AddedAt     time.Time `json:"added_at" doc:"When it came to be known."`
	NotBefore   time.Time `json:"not_before" doc:"From when it is valid."`
	NotAfter    time.Time `json:"not_after" doc:"Until when it is valid."`
	Missing     int       `json:"missing,omitempty" doc:"From how many metadata in a row it was absent; it goes at the second."`
}

// SAMLAttributes are names of attributes.
type SAMLAttributes struct {
	ID          []string `json:"id,omitempty" nullable:"false" doc:"What names the person."`
	Groups      []string `json:"groups,omitempty" nullable:"false" doc:"The groups."`
	Email       []string `json:"email,omitempty" nullable:"false" doc:"The e-mail address."`
	GivenName   []string `json:"given_name,omitempty" nullable:"false" doc:"The given name."`
	FamilyName  []string `json:"family_name,omitempty" nullable:"false" doc:"The family name."`
	DisplayName []string `json:"display_name,omitempty" nullable:"false" doc:"The name to show."`
}

// Key is the public part of a key of ours.
type Key struct {
	ID          string           `json:"id" doc:"key_…"`
	Use         directory.KeyUse `json:"use" enum:"signing,encryption" doc:"What it is for."`
	Active      bool             `json:"active" doc:"Whether it is the one that signs; of those for encryption, all are."`
	Fingerprint string           `json:"fingerprint" doc:"The SHA-256 of its certificate in hexadecimal."`
	PEM         string           `json:"certificate" doc:"Its certificate, as PEM."`
	CreatedAt   time.Time        `json:"created_at" doc:"When it was made."`
	NotAfter    time.Time        `json:"not_after" doc:"Until when its certificate is valid."`
}

func keyOf(k directory.SAMLKey) Key {
	return Key{k.ID, k.Use, k.Active, admin.Fingerprint(k.Certificate), admin.PEM(k.Certificate), k.CreatedAt, k.NotAfter}
}

func (h *Handler) samlOf(c admin.Connection) *SAML {
	s := c.SAML
	if s == nil {
		return nil
	}
	urls := h.Admin.SAMLURLs(c.ID)
	shown := &SAML{
		EntityID: urls.EntityID, ACSURL: urls.ACS, LoginURL: urls.Login, LogoutURL: urls.Logout, MetadataURL: urls.Metadata,
		Revision: c.SAMLRevision, IDPInitiated: s.IDPInitiated, Application: s.Application, SignRequests: s.SignRequests, NameIDFormat: s.NameIDFormat,
		ForceAuthn: s.ForceAuthn, AuthnContexts: notNil(s.AuthnContexts), ClockSkew: int(s.ClockSkew), WithoutAuthnStatement: s.WithoutAuthnStatement,
		Attributes: SAMLAttributes(s.Attributes), GroupSeparator: s.GroupSeparator, GroupCommonName: s.GroupCommonName,
		AbsentGroupsMeanNone: s.AbsentGroupsMeanNone,
		EmailDomains:         notNil(s.EmailDomains), JustInTime: s.JustInTime, Keys: make([]Key, len(c.Keys)),
	}
	for i, k := range c.Keys {
		shown.Keys[i] = keyOf(k)
	}
	if p := s.Provider; p.EntityID != "" {
		shown.Provider = &Provider{
			EntityID: p.EntityID, MetadataURL: s.MetadataURL, FetchedAt: c.Fetched.At, FetchError: c.Fetched.Error, NextFetchAt: c.Fetched.Next,
			SSOURL: p.SSORedirectURL, SSOPostURL: p.SSOPostURL, SLOURL: p.SLORedirectURL, SLOPostURL: p.SLOPostURL,
			WantRequestsSigned: p.WantRequestsSigned, Certificates: make([]Certificate, len(p.Certificates)),
		}
		for i, c := range p.Certificates {
			shown.Provider.Certificates[i] = Certificate{admin.Fingerprint(c.DER), admin.PEM(c.DER), c.AddedAt, c.NotBefore, c.NotAfter, c.Missing}
		}
	}
	return shown
}

func notNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// Refreshed is a connection after its provider's metadata was read.
type Refreshed struct {
	Connection
	Changes []string `json:"changes" nullable:"false" doc:"What changed, in sentences; none: nothing."`
}

// Trial is a test login.
type Trial struct {
	ID        string          `json:"id" doc:"test_…"`
	Status    string          `json:"status" enum:"pending,done" doc:"done: somebody has signed in, or was refused."`
	CreatedAt time.Time       `json:"created_at" doc:"When it was made."`
	ExpiresAt time.Time       `json:"expires_at" doc:"Until when it can be opened and seen."`
	Result    json.RawMessage `json:"result,omitempty" doc:"What came of it: the checks, the assertion, the facts in it, and the roles that it would give, with their reasons."`
}

// CreatedTrial is a new test login with its address.
type CreatedTrial struct {
	Trial
	URL string `json:"url" doc:"Open it in a browser and sign in. It has a secret: give it only to whoever is to try."`
}

func trialOf(t admin.Trial) Trial {
	status := "pending"
	if t.Result != nil {
		status = "done"
	}
	return Trial{t.ID, status, t.CreatedAt, t.ExpiresAt, t.Result}
}

func (h *Handler) saml(api huma.API) {
	const path = "/organizations/{organization}/connections/{connection}/saml"
	absent, refused := []int{http.StatusNotFound}, []int{http.StatusNotFound, http.StatusConflict}

	type changeInput struct {
		InConnection
		Body SAMLChange
	}
	register(h, api, operation{
		method: http.MethodPatch, path: path, id: "change-saml", tag: "saml", problems: append(refused, http.StatusPreconditionFailed), maxBody: maxMetadata,
		summary:     "Change the settings of a SAML connection",
		description: "What the body leaves out stays as it is. Metadata that is given adds certificates; those it does not have go at the second time.",
	}, func(ctx context.Context, by admin.Actor, in *changeInput) (*answer[Connection], error) {
		c, err := h.Admin.ChangeSAML(ctx, by, in.Organization, in.Connection, in.Body.change())
		return reply(h.connection(c)), err
	})

	register(h, api, operation{
		method: http.MethodPost, path: path + "/refresh", id: "refresh-saml", tag: "saml", problems: refused,
		summary:     "Read the identity provider's metadata now",
		description: "From its metadata_url. When that fails, everything stays as it was.",
	}, func(ctx context.Context, by admin.Actor, in *InConnection) (*answer[Refreshed], error) {
		c, changes, err := h.Admin.RefreshSAML(ctx, by, in.Organization, in.Connection)
		return reply(Refreshed{h.connection(c), notNil(changes)}), err
	})

	type keyInput struct {
		InConnection
		Body struct {
			Use directory.KeyUse `json:"use" enum:"signing,encryption" doc:"What it is for."`
		} `nameHint:"NewKey"`
	}
	register(h, api, operation{
		method: http.MethodPost, path: path + "/keys", id: "create-saml-key", tag: "saml", status: http.StatusCreated, problems: refused,
		summary:     "Make a new key of ours",
		description: "It is announced in our metadata at once. One for signing signs only when it is activated, so that the provider can learn it before. At most 4 of each use.",
	}, func(ctx context.Context, by admin.Actor, in *keyInput) (*answer[Key], error) {
		_, k, err := h.Admin.CreateSAMLKey(ctx, by, in.Organization, in.Connection, in.Body.Use)
		return reply(keyOf(k)), err
	})

	type oneKey struct {
		InConnection
		Key string `path:"key" doc:"The id of a key, key_…"`
	}
	register(h, api, operation{
		method: http.MethodPost, path: path + "/keys/{key}/activate", id: "activate-saml-key", tag: "saml", problems: refused,
		summary: "Sign with a key", description: "The one before stays announced until it is deleted. Doing so again changes nothing.",
	}, func(ctx context.Context, by admin.Actor, in *oneKey) (*answer[Connection], error) {
		c, err := h.Admin.ActivateSAMLKey(ctx, by, in.Organization, in.Connection, in.Key)
		return reply(h.connection(c)), err
	})
	register(h, api, operation{
		method: http.MethodDelete, path: path + "/keys/{key}", id: "delete-saml-key", tag: "saml", problems: refused,
		summary: "End a key of ours", description: "The one that signs and the last one for encryption cannot go (409).",
	}, func(ctx context.Context, by admin.Actor, in *oneKey) (*nothing, error) {
		return nil, h.Admin.DeleteSAMLKey(ctx, by, in.Organization, in.Connection, in.Key)
	})

	register(h, api, operation{
		method: http.MethodPost, path: path + "/tests", id: "create-test-login", tag: "saml", status: http.StatusCreated, problems: refused,
		summary:     "Begin a test login",
		description: "Whoever opens its address within an hour signs in at the provider. What the assertion says, which checks it passes and which roles it would give is then to be seen; no user is changed.",
	}, func(ctx context.Context, by admin.Actor, in *InConnection) (*answer[CreatedTrial], error) {
		t, err := h.Admin.CreateTrial(ctx, by, in.Organization, in.Connection)
		return reply(CreatedTrial{trialOf(t), t.URL}), err
	})
	type oneTrial struct {
		InConnection
		Test string `path:"test" doc:"The id of a test login, test_…"`
	}
	register(h, api, operation{
		method: http.MethodGet, path: path + "/tests/{test}", id: "get-test-login", tag: "saml", problems: absent,
		summary: "See what came of a test login", description: "For an hour after it was made.",
	}, func(ctx context.Context, by admin.Actor, in *oneTrial) (*answer[Trial], error) {
		t, err := h.Admin.Trial(ctx, by, in.Organization, in.Connection, in.Test)
		return reply(trialOf(t)), err
	})
}
