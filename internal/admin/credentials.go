package admin

import (
	"context"
	"time"

	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
)

// LiveTokens is how many tokens of a connection are valid beside each other: a new one
// can be put into the identity provider while the old one still works.
const LiveTokens = 2

// RotateToken makes a new token of a connection, returned here and never again. The
// newest LiveTokens stay valid, older ones end at once.
func (s *Service) RotateToken(ctx context.Context, by Actor, organization directory.OrganizationID, id directory.ConnectionID, expiresAt time.Time) (stored Token, token string, err error) {
	now := s.now()
	expiresAt, err = expiry(expiresAt, now)
	if err != nil {
		return stored, "", err
	}
	if err := s.scimConnection(ctx, by, organization, id); err != nil {
		return stored, "", err
	}
	token, stored = credential.New(credential.SCIMToken, now, expiresAt)
	err = s.changeConnection(ctx, by, organization, id, func(tx *store.Tx) (string, map[string]any) {
		tx.CreateToken(stored)
		tx.KeepTokens(LiveTokens)
		return "token.created", map[string]any{"token": stored.ID, "last_four": stored.LastFour}
	})
	if err != nil {
		return Token{}, "", err
	}
	return stored, token, nil
}

// DeleteToken ends a token of a connection at once. The last one may be deleted too:
// then the identity provider is locked out until a new one is made.
func (s *Service) DeleteToken(ctx context.Context, by Actor, organization directory.OrganizationID, id directory.ConnectionID, token string) error {
	if !storable(token) {
		return fault.New(fault.NotFound, "there is no token %q", first(token))
	}
	return s.changeConnection(ctx, by, organization, id, func(tx *store.Tx) (string, map[string]any) {
		tx.DeleteToken(token)
		return "token.deleted", map[string]any{"token": token}
	})
}

// LiveClients is how many OAuth clients of a connection are valid beside each other, for
// the same reason as LiveTokens.
const LiveClients = 2

// CreateClient makes a new OAuth client of a connection; its secret is returned here and
// never again. The newest LiveClients stay valid, older ones end at once, and with them
// the access tokens that they were given.
func (s *Service) CreateClient(ctx context.Context, by Actor, organization directory.OrganizationID, id directory.ConnectionID, expiresAt time.Time) (client Client, secret string, err error) {
	now := s.now()
	expiresAt, err = expiry(expiresAt, now)
	if err != nil {
		return client, "", err
	}
	if err := s.scimConnection(ctx, by, organization, id); err != nil {
		return client, "", err
	}
	secret, stored := credential.New(credential.ClientSecret, now, expiresAt)
	stored.ID = directory.NewClientID()
	err = s.changeConnection(ctx, by, organization, id, func(tx *store.Tx) (string, map[string]any) {
		tx.CreateClient(stored)
		tx.KeepClients(LiveClients)
		return "client.created", map[string]any{"client": stored.ID, "last_four": stored.LastFour}
	})
	if err != nil {
		return Client{}, "", err
	}
	return Client{Stored: stored}, secret, nil
}

// DeleteClient ends an OAuth client of a connection, and the access tokens that it was
// given, at once.
func (s *Service) DeleteClient(ctx context.Context, by Actor, organization directory.OrganizationID, id directory.ConnectionID, client string) error {
	if !storable(client) {
		return fault.New(fault.NotFound, "there is no client %q", first(client))
	}
	return s.changeConnection(ctx, by, organization, id, func(tx *store.Tx) (string, map[string]any) {
		tx.DeleteClient(client)
		return "client.deleted", map[string]any{"client": client}
	})
}
