package admin

import (
	"context"
	"encoding/pem"
	"math/rand/v2"
	"slices"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/saml/metadata"
)

// SAMLURLs are what an identity provider, and the people who sign in, are given for a
// connection.
type SAMLURLs struct {
	EntityID string // our name; it is also where our metadata is
	ACS      string // where the provider sends people with their assertion
	Login    string // where a login begins
	Logout   string // where the provider announces logouts
	Metadata string // our metadata, for providers that read it
	Tests    string // in front of the id of a test login, with a slash at its end
}

// SAMLChange is what is to be set of a SAML connection; nil stays as it is. The provider
// comes from one of MetadataXML, MetadataURL, or the fields by hand.
type SAMLChange struct {
	Revision *int64 // PreconditionFailed unless the settings are of this revision

	MetadataXML *string // the provider's metadata; ends MetadataURL
	MetadataURL *string // read now and on a schedule; "" ends the schedule
	EntityID    *string // of the provider: by hand, or to choose one of several in metadata

	// By hand.
	SSORedirectURL *string
	SSOPostURL     *string
	SLORedirectURL *string
	SLOPostURL     *string
	Add            []string // certificates, PEM or base64
	Remove         []string // certificates, by their fingerprints

	IDPInitiated          *bool
	Application           *string
	SignRequests          *bool
	NameIDFormat          *string
	ForceAuthn            *bool
	AuthnContexts         *[]string
	ClockSkew             *int // in seconds
	WithoutAuthnStatement *bool
	Attributes            SAMLAttributes
	GroupSeparator        *string
	GroupCommonName       *bool
	AbsentGroupsMeanNone  *bool
	EmailDomains          *[]string
	JustInTime            *bool
}

// SAMLAttributes are the attribute names to be set; nil stays as it is.
type SAMLAttributes struct {
	ID, Groups, Email, GivenName, FamilyName, DisplayName *[]string
}

// byHand reports whether the change says something of the provider itself that metadata
// would say as well.
func (c *SAMLChange) byHand() bool {
	return c.SSORedirectURL != nil || c.SSOPostURL != nil || c.SLORedirectURL != nil || c.SLOPostURL != nil || len(c.Add) > 0 || len(c.Remove) > 0
}

// createSAML is CreateConnection for a SAML connection, which begins with a key for each
// use. Without a provider, logins are refused until ChangeSAML gives one: the provider
// needs our addresses first.
func (s *Service) createSAML(ctx context.Context, by Actor, c Connection, change SAMLChange) (Connection, error) {
	if err := s.canSeal(); err != nil {
		return Connection{}, err
	}
	if change.Revision != nil {
		return Connection{}, fault.New(fault.Invalid, "a new connection has no revision yet; leave revision out")
	}
	if len(change.Remove) > 0 {
		return Connection{}, fault.New(fault.Invalid, "a new connection has no certificates that could be removed")
	}
	read, err := s.provider(ctx, &change)
	if err != nil {
		return Connection{}, err
	}
	settings := directory.SAMLSettings{ClockSkew: directory.DefaultClockSkew, JustInTime: true}
	changed, err := apply(&settings, change, read, c.CreatedAt)
	if err != nil {
		return Connection{}, err
	}
	if err := s.applicationExists(ctx, settings.Application); err != nil {
		return Connection{}, err
	}
	keys := make([]directory.SAMLKey, 2)
	for i, use := range []directory.KeyUse{directory.Signing, directory.Encryption} {
		if keys[i], err = s.newKey(c.ID, use, true); err != nil {
			return Connection{}, err
		}
	}
	fetched := store.SAMLFetch{}
	if settings.MetadataURL != "" {
		fetched = store.SAMLFetch{At: c.CreatedAt, Next: metadata.Next(read.document, c.CreatedAt, rand.Float64())}
	}
	scope := store.Scope{Organization: c.Organization, Connection: c.ID}
	err = s.Store.Transact(ctx, scope, store.Rules, func(tx *store.Tx) error {
		tx.Basis() // NotFound when there is no such organization
		tx.CreateConnection(c.Connection)
		if err := tx.CreateSAML(settings, fetched); err != nil {
			return err
		}
		tx.SetSAMLDomains(settings.EmailDomains)
		for _, k := range keys {
			tx.CreateSAMLKey(k)
		}
		if err := tx.Flush(); err != nil {
			return err
		}
		return record(tx, by, c.CreatedAt, "connection.created", string(c.ID), map[string]any{
			"kind": c.Kind, "name": c.Name, "provider": settings.Provider.EntityID, "settings": changed, "keys": []string{keys[0].ID, keys[1].ID},
		})
	})
	if err != nil {
		return Connection{}, err
	}
	return s.Connection(ctx, by, c.Organization, c.ID)
}

// ChangeSAML changes the settings of a SAML connection. They hold from the next login on;
// in other processes, within seconds.
func (s *Service) ChangeSAML(ctx context.Context, by Actor, organization directory.OrganizationID, id directory.ConnectionID, change SAMLChange) (Connection, error) {
	if _, err := s.samlConnection(ctx, by, organization, id); err != nil {
		return Connection{}, err // before anything is fetched
	}
	read, err := s.provider(ctx, &change)
	if err != nil {
		return Connection{}, err
	}
	if change.Application != nil {
		if err := s.applicationExists(ctx, *change.Application); err != nil {
			return Connection{}, err
		}
	}
	now := s.now()
	return s.changeSAML(ctx, by, organization, id, func(tx *store.Tx, c Connection) (string, map[string]any, error) {
		if change.Revision != nil && *change.Revision != c.SAMLRevision {
			return "", nil, fault.New(fault.PreconditionFailed, "the settings are of revision %d, not %d: they were changed meanwhile", c.SAMLRevision, *change.Revision)
		}
		settings := *c.SAML
		changed, err := apply(&settings, change, read, now)
		if err != nil {
			return "", nil, err
		}
		if len(changed) == 0 {
			return "", nil, nil
		}
		if err := tx.PutSAML(settings, c.SAMLRevision); err != nil {
			return "", nil, err
		}
		if change.EmailDomains != nil {
			tx.SetSAMLDomains(settings.EmailDomains)
		}
		switch {
		case read.fetched:
			tx.PutSAMLFetch(store.SAMLFetch{At: now, Next: metadata.Next(read.document, now, rand.Float64())})
		case settings.MetadataURL == "" && c.SAML.MetadataURL != "":
			tx.PutSAMLFetch(store.SAMLFetch{})
		}
		return "saml.changed", map[string]any{"settings": changed, "revision": c.SAMLRevision + 1}, nil
	})
}

// changeSAML runs a change of one SAML connection alone in its organization, and has it
// forgotten afterwards. A change without an action is none.
func (s *Service) changeSAML(ctx context.Context, by Actor, organization directory.OrganizationID, id directory.ConnectionID, change func(*store.Tx, Connection) (action string, detail map[string]any, err error)) (Connection, error) {
	now := s.now()
	err := s.Store.Transact(ctx, store.Scope{Organization: organization, Connection: id}, store.Rules, func(tx *store.Tx) error {
		later := tx.ReadConnection()
		if err := tx.Flush(); err != nil {
			return err
		}
		c := later.Get()
		if c.SAML == nil {
			return notSAML(c)
		}
		action, detail, err := change(tx, c)
		if err != nil || action == "" {
			return err
		}
		if err := tx.Flush(); err != nil {
			return err
		}
		return record(tx, by, now, action, string(id), detail)
	})
	if err != nil {
		return Connection{}, err
	}
	s.forget(id)
	return s.Connection(ctx, by, organization, id)
}

// samlConnection is Connection for what only SAML connections have.
func (s *Service) samlConnection(ctx context.Context, by Actor, organization directory.OrganizationID, id directory.ConnectionID) (Connection, error) {
	c, err := s.Connection(ctx, by, organization, id)
	if err == nil && c.SAML == nil {
		err = notSAML(c)
	}
	return c, err
}

func notSAML(c Connection) error {
	return fault.New(fault.NotFound, "connection %q is of kind %s, so it has no settings of SAML", c.ID, c.Kind)
}

// scimConnection refuses what only SCIM connections have.
func (s *Service) scimConnection(ctx context.Context, by Actor, organization directory.OrganizationID, id directory.ConnectionID) error {
	c, err := s.Connection(ctx, by, organization, id)
	if err == nil && c.Kind != directory.SCIM {
		err = fault.New(fault.Conflict, "connection %q is of kind %s: nobody sends requests of SCIM to it, so it has no tokens and no clients", id, c.Kind)
	}
	return err
}

// canSeal says what to configure when private keys cannot be kept.
func (s *Service) canSeal() error {
	if err := s.Sealer.Ready(); err != nil {
		return fault.New(fault.Conflict, "a SAML connection has private keys, which must be sealed: %s", err)
	}
	return nil
}

func (s *Service) applicationExists(ctx context.Context, id string) error {
	if id == "" {
		return nil
	}
	if !storable(id) {
		return fault.New(fault.Invalid, "application %q does not exist", first(id))
	}
	_, err := s.Store.Application(ctx, id)
	if fault.Is(err, fault.NotFound) {
		err = fault.New(fault.Invalid, "application %q does not exist", first(id))
	}
	return err
}

// source is what was read of the provider before the transaction.
type source struct {
	document metadata.Document
	given    bool // there is a document
	fetched  bool // from metadata_url
}

// provider reads the metadata that a change has, or names.
func (s *Service) provider(ctx context.Context, c *SAMLChange) (source, error) {
	url := ""
	if c.MetadataURL != nil {
		url = *c.MetadataURL
	}
	switch {
	case c.MetadataXML != nil && url != "":
		return source{}, fault.New(fault.Invalid, "metadata_xml is given beside metadata_url; give one of them")
	case (c.MetadataXML != nil || url != "") && c.byHand():
		return source{}, fault.New(fault.Invalid, "metadata is given beside URLs or certificates by hand; give one of them")
	case c.MetadataXML == nil && url == "":
		return source{}, nil
	}
	read := source{given: true, fetched: url != ""}
	var data []byte
	if read.fetched {
		var err error
		if data, err = s.fetcher().Fetch(ctx, url); err != nil {
			return source{}, err
		}
	} else {
		data = []byte(*c.MetadataXML)
	}
	entityID := ""
	if c.EntityID != nil {
		entityID = *c.EntityID
	}
	var err error
	read.document, err = metadata.Parse(data, entityID, s.now())
	if err != nil && read.fetched {
		kind, text := fault.Public(err)
		err = fault.Wrap(kind, err, "metadata_url %s: %s", first(url), text)
	}
	return read, err
}

// fingerprints names certificates in the audit.
func fingerprints(certificates []directory.ProviderCertificate) []string {
	list := make([]string, len(certificates))
	for i, c := range certificates {
		list[i] = metadata.Fingerprint(c.DER)
	}
	slices.Sort(list)
	return list
}

// Fingerprint names a certificate: the SHA-256 of its DER in lower-case hexadecimal.
func Fingerprint(der []byte) string { return metadata.Fingerprint(der) }

// PEM is a certificate as people copy it.
func PEM(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
