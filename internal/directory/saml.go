package directory

import "time"

// SAMLSettings is what is set of a SAML connection: who its identity provider is, and how its
// messages are asked for and understood. It is kept as one JSON document.
type SAMLSettings struct {
	Provider IdentityProvider `json:"provider"`

	// MetadataURL is where the provider's metadata is read again on a schedule. "": it was
	// given as XML, or by hand.
	MetadataURL string `json:"metadata_url,omitempty"`

	// IDPInitiated lets a login begin at the provider, without a request of ours. The
	// person then arrives at Application.
	IDPInitiated bool `json:"idp_initiated,omitempty"`
	// Application is the client id of the application that a login without a request of
	// ours leads to, at the first of its redirect URIs.
	Application string `json:"application,omitempty"`

	SignRequests bool   `json:"sign_requests,omitempty"`  // AuthnRequests
	NameIDFormat string `json:"name_id_format,omitempty"` // that we ask for; "": unspecified
	ForceAuthn   bool   `json:"force_authn,omitempty"`    // ask for a fresh sign-in, and insist on it
	// AuthnContexts are the classes of authentication context that we ask for (comparison
	// "exact") and insist on. None: any.
	AuthnContexts []string `json:"authn_contexts,omitempty"`
	// ClockSkew is how far the provider's clock may be off: 0 to MaxClockSkew.
	ClockSkew Seconds `json:"clock_skew"`
	// WithoutAuthnStatement accepts an assertion that does not say how the person signed in.
	WithoutAuthnStatement bool `json:"without_authn_statement,omitempty"`

	Attributes SAMLAttributes `json:"attributes,omitzero"`
	// GroupSeparator splits a group attribute that has exactly one value. "": it is one group.
	GroupSeparator string `json:"group_separator,omitempty"`
	// GroupCommonName takes the CN of a group value that is a distinguished name (RFC 4514).
	GroupCommonName bool `json:"group_common_name,omitempty"`
	// AbsentGroupsMeanNone takes an assertion without any group attribute for one that
	// states no groups, as providers send it that leave out what has no values. Without it
	// such an assertion states nothing.
	AbsentGroupsMeanNone bool `json:"absent_groups_mean_none,omitempty"`

	// EmailDomains are those that the provider may speak for, folded. With any, an e-mail
	// address of another domain is refused; they also find the connection by domain.
	EmailDomains []string `json:"email_domains,omitempty"`
	// JustInTime makes a user of a person who signs in for the first time, unless SCIM
	// provides the users of the organization.
	JustInTime bool `json:"just_in_time"`
}

// Seconds is a duration as JSON has it.
type Seconds int

// Duration returns the time.
func (s Seconds) Duration() time.Duration { return time.Duration(s) * time.Second }

// Bounds of the settings of a SAML connection.
const (
	DefaultClockSkew  Seconds = 60
	MaxClockSkew      Seconds = 300
	MaxCertificates           = 16  // of a provider
	MaxEmailDomains           = 100 // of a connection
	MaxAttributeNames         = 32  // for each meaning
)

// SAMLAttributes are the names of the attributes that a connection reads, exact on Name.
// A list that is not empty replaces the usual names, which package saml has.
type SAMLAttributes struct {
	ID          []string `json:"id,omitempty"` // instead of the NameID
	Groups      []string `json:"groups,omitempty"`
	Email       []string `json:"email,omitempty"`
	GivenName   []string `json:"given_name,omitempty"`
	FamilyName  []string `json:"family_name,omitempty"`
	DisplayName []string `json:"display_name,omitempty"`
}

// IdentityProvider is who signs (SAML metadata, IDPSSODescriptor). Its EntityID does not
// change for as long as the connection exists.
type IdentityProvider struct {
	EntityID string `json:"entity_id"`
	// Where requests go, by binding: HTTP-Redirect and HTTP-POST. At least one.
	SSORedirectURL string `json:"sso_redirect_url,omitempty"`
	SSOPostURL     string `json:"sso_post_url,omitempty"`
	// Where answers to its logout requests go. "": logout is not answered by that binding.
	SLORedirectURL string `json:"slo_redirect_url,omitempty"`
	SLOPostURL     string `json:"slo_post_url,omitempty"`
	// WantRequestsSigned is what its metadata asks for.
	WantRequestsSigned bool `json:"want_requests_signed,omitempty"`
	// Certificates are those whose keys sign, oldest first.
	Certificates []ProviderCertificate `json:"certificates"`
}

// ProviderCertificate is a certificate of an identity provider. What counts is its key:
// an expired one still verifies, and is warned of.
type ProviderCertificate struct {
	DER       []byte    `json:"der"`
	AddedAt   time.Time `json:"added_at"`
	Missing   int       `json:"missing,omitempty"` // from how many fetched metadata in a row it was absent
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
}

// KeyUse says what a key of ours is for.
type KeyUse string

// The uses of a key.
const (
	Signing    KeyUse = "signing"
	Encryption KeyUse = "encryption"
)

// SAMLKey is a key pair of ours, of one connection. Any number may be announced in our
// metadata and decrypt; of those for signing, the active one signs.
type SAMLKey struct {
	ID          string // key_…
	Use         KeyUse
	Active      bool
	Certificate []byte // DER, self-signed
	Sealed      []byte // the private key (PKCS #8), as package credential has sealed it
	CreatedAt   time.Time
	NotAfter    time.Time
}

// SealContext is what its private key is sealed for: it opens in no other row.
func (k SAMLKey) SealContext(connection ConnectionID) string {
	return "saml key " + string(connection) + " " + k.ID
}

// GroupFact says what a SAML login states about groups (SEMANTICS, "Facts").
type GroupFact string

// The states of the group fact.
const (
	Stated  GroupFact = "stated"  // these groups and no others
	Empty   GroupFact = "empty"   // the attribute is there, without values: no groups
	Absent  GroupFact = "absent"  // no statement: memberships stay as they were
	Partial GroupFact = "partial" // too many to be listed (Entra's groups.link): likewise
)

// Authority says which connections' groups count in an organization.
type Authority string

// The authorities. What is set may be Auto; what is in effect is one of the others.
const (
	AuthorityAuto  Authority = "auto" // SCIM once a SCIM connection has pushed a group, else SAML
	AuthoritySCIM  Authority = "scim"
	AuthoritySAML  Authority = "saml"
	AuthorityUnion Authority = "union"
)

// Counts reports whether a group of a connection of that kind counts. The zero Authority
// is AuthorityUnion.
func (a Authority) Counts(k Kind) bool {
	switch a {
	case AuthoritySCIM:
		return k == SCIM
	case AuthoritySAML:
		return k == SAML
	default:
		return true
	}
}
