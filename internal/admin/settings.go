package admin

import (
	"context"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
)

// The highest rates that a connection can be given, in requests.
const (
	MaxRateLimit = 10_000 // a second
	MaxRateBurst = 100_000
)

// ConnectionChange is what is to be changed of a connection; nil is left as it is.
type ConnectionChange = store.ConnectionChange

// ChangeConnection changes the name and the settings of a connection. They hold from
// the next request on; in other processes, within seconds.
func (s *Service) ChangeConnection(ctx context.Context, by Actor, organization directory.OrganizationID, id directory.ConnectionID, c ConnectionChange) (Connection, error) {
	changed := map[string]any{}
	if c.Name != nil {
		name, err := line("name", *c.Name, MaxName)
		if err != nil {
			return Connection{}, err
		}
		c.Name, changed["name"] = &name, name
	}
	if c.Strict != nil {
		changed["strict"] = *c.Strict
	}
	if c.RateLimit != nil {
		changed["rate_limit"] = *c.RateLimit
		if err := rate("rate_limit", *c.RateLimit, MaxRateLimit); err != nil {
			return Connection{}, err
		}
	}
	if c.RateBurst != nil {
		changed["rate_burst"] = *c.RateBurst
		if err := rate("rate_burst", *c.RateBurst, MaxRateBurst); err != nil {
			return Connection{}, err
		}
	}
	if len(changed) == 0 {
		return s.Connection(ctx, by, organization, id)
	}
	err := s.changeConnection(ctx, by, organization, id, func(tx *store.Tx) (string, map[string]any) {
		tx.ChangeConnection(c)
		return "connection.changed", changed
	})
	if err != nil {
		return Connection{}, err
	}
	return s.Connection(ctx, by, organization, id)
}

// rate checks a number of requests.
func rate(field string, value, most int) error {
	if value < 0 || value > most {
		return fault.New(fault.Invalid, "%s %d is not between 0 and %d; 0 takes what the deployment has", field, value, most)
	}
	return nil
}
