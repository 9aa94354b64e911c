package scim

import (
	"context"
	"strconv"
	"sync"

	"golang.org/x/sync/singleflight"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
)

// cachedTypes bounds the organizations whose types are kept.
const cachedTypes = 1000

// typesCache keeps the types of organizations that have schemas of their own. Which
// version is in force comes with each connection, so what is kept need not be
// forgotten: it is replaced when a connection tells of a newer one.
type typesCache struct {
	flight singleflight.Group

	mu      sync.Mutex
	entries map[directory.OrganizationID]versionedTypes
}

type versionedTypes struct {
	types   *types
	version int64
}

// typesOf returns what a connection serves. An organization that never had a schema of
// its own costs nothing; any other a query, once for each version.
func (h *Handler) typesOf(ctx context.Context, c store.Connection) (_ *types, err error) {
	served := builtin
	if c.SchemasVersion != 0 {
		served, err = h.types.get(ctx, c.Organization, c.SchemasVersion, h.Store.ExtensionSchemas)
	}
	if err == nil && c.Strict {
		served = served.strict
	}
	return served, err
}

type readSchemas = func(context.Context, directory.OrganizationID) (store.ExtensionSchemas, error)

// get returns the types of the version, or of a newer one: the connection may have
// been read some time ago.
func (c *typesCache) get(ctx context.Context, organization directory.OrganizationID, version int64, read readSchemas) (*types, error) {
	c.mu.Lock()
	entry, ok := c.entries[organization]
	c.mu.Unlock()
	if ok && entry.version >= version {
		return entry.types, nil
	}
	reading := c.flight.DoChan(string(organization)+" "+strconv.FormatInt(version, 10), func() (any, error) {
		// Others wait for it, so it does not end with the request that began it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTime)
		defer cancel()
		all, err := read(ctx, organization)
		if err != nil {
			return nil, err
		}
		own := make([]directory.ExtensionSchema, len(all.List))
		for i := range all.List {
			own[i] = all.List[i].ExtensionSchema
		}
		served := newTypes(own)
		for _, rt := range []*resourceType{served.user, served.group, served.strict.user, served.strict.group} {
			rt.version = all.Version
		}
		return c.put(organization, versionedTypes{served, all.Version}), nil
	})
	select {
	case result := <-reading:
		served, _ := result.Val.(*types)
		return served, result.Err
	case <-ctx.Done():
		return nil, fault.Wrap(fault.Unavailable, ctx.Err(), "the request ended before its schemas were read")
	}
}

// put keeps an entry unless a newer one is there already, and returns what is there.
func (c *typesCache) put(organization directory.OrganizationID, entry versionedTypes) *types {
	c.mu.Lock()
	defer c.mu.Unlock()
	if former, ok := c.entries[organization]; ok && former.version >= entry.version {
		return former.types
	}
	if c.entries == nil || len(c.entries) >= cachedTypes {
		c.entries = map[directory.OrganizationID]versionedTypes{} // refilled by one query each
	}
	c.entries[organization] = entry
	return entry.types
}
