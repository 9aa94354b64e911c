package admin

import (
	"context"
	"encoding/json"
	"time"

	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
)

// TrialTime is for how long a test login can be made and seen.
const TrialTime = time.Hour

// Trial is a test login.
type Trial struct {
	ID        string
	URL       string          // where it begins, for a browser; only when it is made
	Result    json.RawMessage // what came of it; nil: nothing yet
	CreatedAt time.Time
	ExpiresAt time.Time
}

// CreateTrial begins a test login of a SAML connection. Whoever opens its address signs
// in at the provider; what came of it is then to be seen with Trial, and nothing else is
// written. The address has a secret, so that it can be given to the one who is to try.
// A connection that is disabled can be tried before it is enabled, and the result says so.
func (s *Service) CreateTrial(ctx context.Context, by Actor, organization directory.OrganizationID, id directory.ConnectionID) (Trial, error) {
	c, err := s.samlConnection(ctx, by, organization, id)
	switch {
	case err != nil:
		return Trial{}, err
	case !c.SAML.Provider.Complete():
		return Trial{}, fault.New(fault.Conflict, "connection %q has no identity provider yet; give it the provider's metadata first", id)
	}
	if err := s.canSeal(); err != nil {
		return Trial{}, err
	}
	now := s.now()
	secret, stored := credential.New(credential.TrialSecret, now, now.Add(TrialTime))
	t := store.Trial{ID: directory.NewTrialID(), Digest: stored.Digest, CreatedAt: now, ExpiresAt: stored.ExpiresAt}
	scope := store.Scope{Organization: organization, Connection: id}
	err = s.Store.Transact(ctx, scope, store.Facts, func(tx *store.Tx) error {
		tx.CreateTrial(t)
		return record(tx, by, now, "saml.test_created", string(id), map[string]any{"test": t.ID})
	})
	if err != nil {
		return Trial{}, err
	}
	return Trial{ID: t.ID, URL: s.SAMLURLs(id).Tests + t.ID + "?secret=" + secret, CreatedAt: now, ExpiresAt: t.ExpiresAt}, nil
}

// Trial returns a test login and what came of it. NotFound when there is none, or it has
// expired.
func (s *Service) Trial(ctx context.Context, by Actor, organization directory.OrganizationID, id directory.ConnectionID, trial string) (Trial, error) {
	if _, err := s.samlConnection(ctx, by, organization, id); err != nil {
		return Trial{}, err
	}
	absent := fault.New(fault.NotFound, "there is no test login %q, or it has expired", first(trial))
	if !storable(trial) {
		return Trial{}, absent
	}
	t, err := s.Store.Trial(ctx, store.Scope{Organization: organization, Connection: id}, trial)
	if err == nil && !s.now().Before(t.ExpiresAt) {
		err = absent
	}
	if err != nil {
		return Trial{}, err
	}
	seen := Trial{ID: t.ID, CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt}
	if t.Document != "" {
		seen.Result = json.RawMessage(t.Document)
	}
	return seen, nil
}
