package admin

import (
	"context"
	"encoding/base64"
	"strings"
	"time"

	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
)

// NewConnection describes a connection to be made.
type NewConnection struct {
	Name           string
	Kind           directory.Kind
	Strict         bool
	RateLimit      int        // requests a second, 0 to MaxRateLimit; 0: the deployment's
	RateBurst      int        // requests at once, 0 to MaxRateBurst; 0: the deployment's
	TokenExpiresAt time.Time  // of the first token of a SCIM connection; zero: never
	SAML           SAMLChange // what a SAML connection begins with
}

// CreateConnection adds an identity-provider integration. A SCIM connection has a first
// token, which is returned here and never again; a SAML connection has none.
func (s *Service) CreateConnection(ctx context.Context, by Actor, organization directory.OrganizationID, n NewConnection) (c Connection, token string, err error) {
	now := s.now()
	name, err := line("name", n.Name, MaxName)
	if err != nil {
		return c, "", err
	}
	if n.Kind != directory.SCIM && n.Kind != directory.SAML {
		return c, "", fault.New(fault.Invalid, "kind %q is unknown; use %q or %q", first(string(n.Kind)), directory.SCIM, directory.SAML)
	}
	if err := rate("rate_limit", n.RateLimit, MaxRateLimit); err != nil {
		return c, "", err
	}
	if err := rate("rate_burst", n.RateBurst, MaxRateBurst); err != nil {
		return c, "", err
	}
	expires, err := expiry(n.TokenExpiresAt, now)
	if err != nil {
		return c, "", err
	}
	c = Connection{Connection: directory.Connection{
		ID: directory.NewConnectionID(), Organization: organization, Kind: n.Kind, Name: name,
		Strict: n.Strict, RateLimit: n.RateLimit, RateBurst: n.RateBurst, CreatedAt: now,
	}}
	if n.Kind == directory.SAML {
		if n.Strict || !n.TokenExpiresAt.IsZero() {
			return Connection{}, "", fault.New(fault.Invalid, "strict and token_expires_at are about SCIM; a SAML connection has neither")
		}
		c, err = s.createSAML(ctx, by, c, n.SAML)
		return c, "", err
	}
	token, stored := credential.New(credential.SCIMToken, now, expires)
	c.Tokens = []Token{stored}
	err = s.changeConnection(ctx, by, organization, c.ID, func(tx *store.Tx) (string, map[string]any) {
		tx.CreateConnection(c.Connection)
		tx.CreateToken(stored)
		return "connection.created", map[string]any{
			"kind": c.Kind, "name": c.Name, "strict": c.Strict, "rate_limit": c.RateLimit, "rate_burst": c.RateBurst, "token": stored.ID,
		}
	})
	if err != nil {
		return Connection{}, "", err
	}
	return c, token, nil
}

// Connections lists the connections of an organization, oldest first, with what is
// known of their tokens. They are few, so the list has no pages.
func (s *Service) Connections(ctx context.Context, _ Actor, organization directory.OrganizationID) ([]Connection, error) {
	if err := s.known(ctx, organization); err != nil {
		return nil, err
	}
	return s.Store.Connections(ctx, organization)
}

// Connection returns one connection of an organization.
func (s *Service) Connection(ctx context.Context, _ Actor, organization directory.OrganizationID, id directory.ConnectionID) (Connection, error) {
	c, err := s.Store.Connection(ctx, id)
	if err == nil && c.Organization != organization {
		err = fault.New(fault.NotFound, "there is no connection %q", id)
	}
	if err != nil {
		return Connection{}, err
	}
	return c, nil
}

// DisableConnection freezes a connection: what its identity provider sends is refused,
// and the roles that came from it stay as they are.
func (s *Service) DisableConnection(ctx context.Context, by Actor, organization directory.OrganizationID, id directory.ConnectionID) (Connection, error) {
	return s.setConnection(ctx, by, organization, id, "connection.disabled", (*store.Tx).DisableConnection)
}

// EnableConnection ends what DisableConnection began.
func (s *Service) EnableConnection(ctx context.Context, by Actor, organization directory.OrganizationID, id directory.ConnectionID) (Connection, error) {
	return s.setConnection(ctx, by, organization, id, "connection.enabled", (*store.Tx).EnableConnection)
}

func (s *Service) setConnection(ctx context.Context, by Actor, organization directory.OrganizationID, id directory.ConnectionID, action string, set func(*store.Tx)) (Connection, error) {
	err := s.changeConnection(ctx, by, organization, id, func(tx *store.Tx) (string, map[string]any) {
		set(tx)
		return action, map[string]any{}
	})
	if err != nil {
		return Connection{}, err
	}
	return s.Connection(ctx, by, organization, id)
}

// changeConnection runs a change of one connection alone in its organization, so that
// two rotations at once cannot leave three tokens, and has it forgotten afterwards.
func (s *Service) changeConnection(ctx context.Context, by Actor, organization directory.OrganizationID, id directory.ConnectionID, change func(*store.Tx) (action string, detail map[string]any)) error {
	now := s.now()
	err := s.Store.Transact(ctx, store.Scope{Organization: organization, Connection: id}, store.Rules, func(tx *store.Tx) error {
		tx.Basis() // NotFound when there is no such organization
		action, detail := change(tx)
		if err := record(tx, by, now, action, string(id), detail); err != nil {
			return err
		}
		return tx.Flush() // what is not found ends the transaction here, before its COMMIT is sent
	})
	if err == nil {
		s.forget(id)
	}
	return err
}

// Pending lists the members that an identity provider has put into groups without
// having created them, in order of group. They become members when they appear.
func (s *Service) Pending(ctx context.Context, by Actor, organization directory.OrganizationID, id directory.ConnectionID, page Page) (List[WaitingMember], error) {
	var none List[WaitingMember]
	if _, err := s.Connection(ctx, by, organization, id); err != nil {
		return none, err
	}
	group, value, err := pendingCursor(page.After)
	if err != nil {
		return none, err
	}
	scope := store.Scope{Organization: organization, Connection: id}
	waiting, err := s.Store.WaitingMembers(ctx, scope, group, value, page.limit()+1)
	return cut(waiting, page.limit(), func(w WaitingMember) string {
		return base64.RawURLEncoding.EncodeToString([]byte(string(w.Group) + "\n" + w.Value))
	}), err
}

// pendingCursor takes apart what Pending gives as Next: the group and the value, which
// may be any text, behind it.
func pendingCursor(cursor string) (directory.GroupID, string, error) {
	if cursor == "" {
		return "", "", nil
	}
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	group, value, found := strings.Cut(string(text), "\n")
	if err != nil || !found || !storable(string(text)) {
		return "", "", badCursor(cursor)
	}
	return directory.GroupID(group), value, nil
}
