package scim

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/mux"

	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
)

// authenticate returns the connection that the request's path names, if its bearer
// token opens it. A missing or wrong token, a malformed id, and a connection that
// does not exist are the same Unauthorized fault.
//
// A token that the cache knows costs no query. Any other is checked against the
// store, so a new token works at once in every process, and a wrong token takes the
// time of one query whether its connection exists or not.
func (h *Handler) authenticate(r *http.Request) (store.Connection, error) {
	token := bearer(r.Header.Get("Authorization"))
	id, err := directory.ParseConnectionID(mux.Vars(r)["connection"])
	if token == "" || err != nil {
		return store.Connection{}, unauthorized()
	}
	now := h.now()
	connection, epoch, cached := h.connections.get(id, now)
	if !cached || !opens(connection, token, now) {
		if connection, err = h.load(r.Context(), id, token, now); err != nil {
			return store.Connection{}, err
		}
		h.connections.put(connection, epoch, now)
	}
	if connection.Disabled {
		return store.Connection{}, fault.New(fault.Forbidden,
			"the connection %s is disabled: its users, groups and roles are frozen as they are", id)
	}
	return connection, nil
}

func (h *Handler) load(ctx context.Context, id directory.ConnectionID, token string, now time.Time) (store.Connection, error) {
	connection, err := h.Store.Connection(ctx, id)
	if fault.Is(err, fault.NotFound) {
		_ = credential.Hash(token) // so that it takes as long as a known connection
		return store.Connection{}, unauthorized()
	}
	if err != nil {
		return store.Connection{}, err
	}
	if connection.Kind != directory.SCIM || !opens(connection, token, now) {
		return store.Connection{}, unauthorized()
	}
	return connection, nil
}

// opens compares the token with every live one of the connection, in constant time.
func opens(c store.Connection, token string, now time.Time) bool {
	open := false
	for i := range c.Tokens {
		if c.Tokens[i].Matches(token, now) {
			open = true
		}
	}
	return open
}

func unauthorized() error {
	return fault.New(fault.Unauthorized, "this needs a valid bearer token of this connection")
}

// bearer returns the token of an Authorization header; "" when there is none.
func bearer(header string) string {
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// Forget drops what is cached of a connection. Call it after its tokens or its state
// were changed in this process; other processes notice within cacheTime.
func (h *Handler) Forget(id directory.ConnectionID) { h.connections.forget(id) }

const (
	cacheTime = 2 * time.Second // a revoked token works at most this long
	cacheSize = 10_000          // connections
)

// connectionCache keeps connections that were opened lately.
type connectionCache struct {
	mu      sync.Mutex
	epoch   int64 // raised by forget, so that no load from before it is stored after
	entries map[directory.ConnectionID]cachedConnection
}

type cachedConnection struct {
	connection store.Connection
	until      time.Time
}

func (c *connectionCache) get(id directory.ConnectionID, now time.Time) (store.Connection, int64, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	entry, ok := c.entries[id]
	return entry.connection, c.epoch, ok && now.Before(entry.until)
}

func (c *connectionCache) put(connection store.Connection, epoch int64, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if epoch != c.epoch {
		return
	}
	if c.entries == nil || len(c.entries) >= cacheSize {
		c.entries = map[directory.ConnectionID]cachedConnection{} // refilled by one query each
	}
	c.entries[connection.ID] = cachedConnection{connection, now.Add(cacheTime)}
}

func (c *connectionCache) forget(id directory.ConnectionID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	delete(c.entries, id)
}
