package scim

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/mux"
	"golang.org/x/sync/singleflight"

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
// time of one query whether its connection exists or not. What wrong tokens cost is
// bounded: see connectionCache.
func (h *Handler) authenticate(r *http.Request) (store.Connection, error) {
	token := bearer(r.Header.Get("Authorization"))
	if token == "" {
		return store.Connection{}, unauthorized()
	}
	connection, err := h.open(r, presented{digest: credential.Hash(token)})
	if err == nil && connection.Disabled {
		err = about{fault.New(fault.Forbidden, "the connection %s is disabled: its users, groups and roles are frozen as they are", connection.ID), scopeOfConnection(connection)}
	}
	if err != nil {
		return store.Connection{}, err
	}
	return connection, nil
}

// open returns the connection that the request's path names, disabled or not, if the
// credential opens it.
func (h *Handler) open(r *http.Request, p presented) (store.Connection, error) {
	id, err := directory.ParseConnectionID(mux.Vars(r)["connection"])
	if err != nil {
		return store.Connection{}, unauthorized()
	}
	now := h.now()
	connection, fresh, err := h.connections.open(r.Context(), id, p, now, h.Store.Connection)
	if fresh {
		h.noteUse(r.Context(), connection, p, now)
	}
	return connection, err
}

// noteUse notes, once in a while, that a token was used. It must not fail a request.
func (h *Handler) noteUse(ctx context.Context, c store.Connection, p presented, now time.Time) {
	for _, t := range c.Tokens {
		if p.client == "" && t.MatchesDigest(p.digest, now) && now.Sub(t.LastUsedAt) >= useTime {
			if err := h.Store.TokenUsed(ctx, store.Scope{Organization: c.Organization, Connection: c.ID}, t.ID, now); err != nil {
				h.Log.WarnContext(ctx, "use of a token not noted", "error", err, "connection", c.ID, "request", h.requestID(ctx))
			}
		}
	}
}

// presented is a credential as a request shows it, hashed once.
type presented struct {
	client string // the OAuth client whose secret it is; "": it is a bearer token
	digest credential.Digest
}

// opens compares the credential with every live one of the connection, in constant time.
func (p presented) opens(c store.Connection, now time.Time) bool {
	open := false
	for i := range c.Tokens {
		if c.Tokens[i].MatchesDigest(p.digest, now) && p.client == "" {
			open = true
		}
	}
	for i := range c.Clients {
		client := &c.Clients[i]
		if client.MatchesDigest(p.digest, now) && p.client == client.ID {
			open = true
		}
		for j := range client.Tokens {
			if client.Tokens[j].MatchesDigest(p.digest, now) && p.client == "" {
				open = true
			}
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
	cacheTime  = 2 * time.Second  // a revoked token works at most this long
	cacheSize  = 10_000           // connections, and as many refusals
	readTime   = 10 * time.Second // of a connection
	maxReading = 8                // connections at a time
	useTime    = time.Minute      // between two notes that a token was used
)

// connectionCache keeps connections that were opened lately, and what did not open
// one lately: the same wrong token again costs no query. Of other wrong tokens, those
// that come at once share one query, so that a connection is never read twice at a time;
// and few connections are, so that whoever tries many takes no more of the database.
type connectionCache struct {
	flight singleflight.Group

	mu      sync.Mutex
	epoch   int64 // raised by forget, so that no load from before it is stored after
	entries map[directory.ConnectionID]cachedConnection
	refused map[refusal]refused
	slots   chan struct{} // one for each reading under way; nil before the first
}

type cachedConnection struct {
	connection store.Connection
	until      time.Time
}

// refusal is a credential that did not open a connection.
type refusal struct {
	connection directory.ConnectionID
	presented  presented
}

// refused is since when a token is known to open nothing, and which connection it does
// not open, if there is such a one.
type refused struct {
	since time.Time
	scope store.Scope
}

type readConnection = func(context.Context, directory.ConnectionID) (store.Connection, error)

// open returns the connection if the credential opens it, else an Unauthorized fault. It
// is fresh if it was read for this request.
func (c *connectionCache) open(ctx context.Context, id directory.ConnectionID, p presented, now time.Time, read readConnection) (_ store.Connection, fresh bool, _ error) {
	connection, epoch, cached := c.get(id, now)
	if cached && p.opens(connection, now) {
		return connection, false, nil
	}
	attempt := refusal{id, p}
	if scope, refused := c.refusedLately(attempt, now); refused {
		return store.Connection{}, false, about{unauthorized(), scope}
	}
	var scope store.Scope
	for range 2 {
		connection, own, err := c.load(ctx, id, epoch, read)
		switch {
		case err == nil && connection.Kind == directory.SCIM && p.opens(connection, now):
			c.put(connection, epoch, now)
			return connection, own, nil
		case err != nil && !fault.Is(err, fault.NotFound):
			return store.Connection{}, false, err
		}
		scope = scopeOfConnection(connection)
		if own {
			break
		}
		// It was read for another request, maybe before this token was made. One that
		// is read, or joined, from now on began after this request.
	}
	c.refuse(attempt, epoch, now, scope)
	return store.Connection{}, false, about{unauthorized(), scope}
}

// load reads a connection, or waits for who is reading it already: then it is not our
// own. A reading from before a forget is not joined.
func (c *connectionCache) load(ctx context.Context, id directory.ConnectionID, epoch int64, read readConnection) (_ store.Connection, own bool, _ error) {
	led := false // by the goroutine below, read only after its result
	reading := c.flight.DoChan(string(id)+" "+strconv.FormatInt(epoch, 10), func() (any, error) {
		led = true
		// Others wait for it, so it does not end with the request that began it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTime)
		defer cancel()
		slots := c.reading()
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
			return read(ctx, id)
		case <-ctx.Done():
			return nil, fault.Wrap(fault.Unavailable, ctx.Err(), "too many connections are asked for at once; try again")
		}
	})
	select {
	case result := <-reading:
		connection, _ := result.Val.(store.Connection)
		return connection, led, result.Err
	case <-ctx.Done():
		return store.Connection{}, false, fault.Wrap(fault.Unavailable, ctx.Err(), "the request ended before its token was checked")
	}
}

func (c *connectionCache) reading() chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.slots == nil {
		c.slots = make(chan struct{}, maxReading)
	}
	return c.slots
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

func (c *connectionCache) refusedLately(attempt refusal, now time.Time) (store.Scope, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, ok := c.refused[attempt]
	age := now.Sub(known.since)
	return known.scope, ok && age >= 0 && age < cacheTime
}

func (c *connectionCache) refuse(attempt refusal, epoch int64, now time.Time, scope store.Scope) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if epoch != c.epoch {
		return
	}
	if c.refused == nil || len(c.refused) >= cacheSize {
		c.refused = map[refusal]refused{}
	}
	c.refused[attempt] = refused{now, scope}
}

func (c *connectionCache) forget(id directory.ConnectionID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	delete(c.entries, id)
	c.refused = nil // of any connection: to ask again costs little
}
