package admin

import (
	"context"
	"math/rand/v2"
	"net/http"
	"reflect"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/internal/traffic"
	"github.com/rolesync/rolesync/saml/metadata"
)

// KindMetadata is the kind of traffic that reading a provider's metadata is.
const KindMetadata = "metadata"

// RefreshSAML reads the metadata of a connection's provider now, and returns what changed,
// in sentences. When it cannot be read, or is that of another provider, or was valid in
// the past only, everything stays as it was and health tells why.
func (s *Service) RefreshSAML(ctx context.Context, by Actor, organization directory.OrganizationID, id directory.ConnectionID) (c Connection, changes []string, err error) {
	if c, err = s.samlConnection(ctx, by, organization, id); err != nil {
		return c, nil, err
	}
	if c.SAML.MetadataURL == "" {
		return c, nil, fault.New(fault.Conflict, "connection %q has no metadata_url to read from", id)
	}
	if changes, err = s.refresh(ctx, by, c); err != nil {
		return Connection{}, nil, err
	}
	c, err = s.Connection(ctx, by, organization, id)
	return c, changes, err
}

// refresh reads the metadata of a connection that has an address for it.
func (s *Service) refresh(ctx context.Context, by Actor, c Connection) ([]string, error) {
	document, err := s.fetch(ctx, c.SAML)
	if ctx.Err() != nil {
		return nil, fault.Wrap(fault.Unavailable, ctx.Err(), "the metadata was not read to its end; try again")
	}
	var changes []string
	if err == nil {
		changes, err = s.merge(ctx, by, c, document)
	}
	now := s.now()
	seen := traffic.Request{Scope: store.Scope{Organization: c.Organization, Connection: c.ID}, Kind: KindMetadata, At: now}
	switch {
	case err == nil:
		s.forget(c.ID)
	case fault.Is(err, fault.Invalid):
		_, reason := fault.Public(err)
		seen.Failure = &traffic.Failure{
			Status: http.StatusBadGateway, Code: "metadata", Detail: reason, Method: http.MethodGet, Request: by.Request,
		}
		if stored := s.refreshFailed(ctx, by, c, reason, now); stored != nil {
			return nil, stored
		}
	default:
		return nil, err // our own trouble says nothing of the provider
	}
	s.Traffic.Record(seen)
	return changes, err
}

// fetch reads the newest metadata.
func (s *Service) fetch(ctx context.Context, settings *directory.SAMLSettings) (metadata.Document, error) {
	data, err := s.fetcher().Fetch(ctx, settings.MetadataURL)
	if err != nil {
		return metadata.Document{}, err
	}
	return metadata.Parse(data, settings.Provider.EntityID, s.now())
}

func (s *Service) fetcher() *metadata.Fetcher {
	if s.Metadata == nil {
		return &metadata.Fetcher{}
	}
	return s.Metadata
}

// merge stores what is new.
func (s *Service) merge(ctx context.Context, by Actor, c Connection, document metadata.Document) (changes []string, err error) {
	now := s.now()
	scope := store.Scope{Organization: c.Organization, Connection: c.ID}
	err = s.Store.Transact(ctx, scope, store.Rules, func(tx *store.Tx) error {
		changes = nil
		later := tx.ReadConnection()
		if err := tx.Flush(); err != nil {
			return err
		}
		current := later.Get()
		if current.SAML == nil || current.SAML.MetadataURL != c.SAML.MetadataURL {
			return nil // the admin was faster
		}
		settings := *current.SAML
		merged, found, err := metadata.Merge(settings.Provider, document.Provider, now)
		if err != nil {
			return err
		}
		settings.Provider = merged
		if !reflect.DeepEqual(settings.Provider, current.SAML.Provider) {
			if err := tx.PutSAML(settings, current.SAMLRevision); err != nil {
				return err
			}
		}
		tx.PutSAMLFetch(store.SAMLFetch{At: now, Next: metadata.Next(document, now, rand.Float64())})
		changes = found
		if len(changes) == 0 {
			return nil
		}
		return record(tx, by, now, "saml.metadata_changed", string(c.ID), map[string]any{
			"changes": changes, "certificates": fingerprints(merged.Certificates),
		})
	})
	return changes, err
}

// refreshFailed notes why, and in the audit, when it begins to fail.
func (s *Service) refreshFailed(ctx context.Context, by Actor, c Connection, reason string, now time.Time) error {
	scope := store.Scope{Organization: c.Organization, Connection: c.ID}
	return s.Store.Transact(ctx, scope, store.Facts, func(tx *store.Tx) error {
		tx.PutSAMLFetch(store.SAMLFetch{At: c.Fetched.At, Error: reason, Next: metadata.Retry(c.Fetched.At, now, rand.Float64())})
		if c.Fetched.Error != "" {
			return nil
		}
		return record(tx, by, now, "saml.metadata_failed", string(c.ID), map[string]any{"reason": reason})
	})
}
