package saml

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
)

// party is a SAML connection, ready to be used: its certificates parsed, its keys opened.
// It is not changed once it is made.
type party struct {
	store.Connection
	entityID, acsURL, loginURL, logoutURL string

	certificates []*x509.Certificate // of the provider
	signs        *signer             // nil: there is none
	decrypts     []crypto.Decrypter
}

func (p *party) scope() store.Scope {
	return store.Scope{Organization: p.Organization, Connection: p.ID}
}

const (
	cacheTime  = 2 * time.Second  // a change in another process is noticed within it
	cacheSize  = 10_000           // connections
	readTime   = 10 * time.Second // of a connection
	maxReading = 8                // connections, or what leads to one, at a time
)

// parties keeps connections that were used lately. Requests for one that come at once share
// a query, and few are read at a time, so that whoever asks for many that do not exist takes
// no more of the database.
type parties struct {
	flight singleflight.Group

	mu      sync.Mutex
	epoch   int64                                   // raised by forget, so that no load from before it is stored after
	entries map[directory.ConnectionID]*cachedParty // guarded by mu
	slots   chan struct{}                           // one for each reading under way; nil before the first
}

type cachedParty struct {
	party *party
	read  time.Time
}

// fresh reports whether what was read may still be used. A clock that was set back must not
// make it last: a connection that was disabled meanwhile would go on letting people in.
func (c *cachedParty) fresh(now time.Time) bool {
	age := now.Sub(c.read)
	return age >= 0 && age < cacheTime
}

// Forget drops what is cached of a connection. Call it after it was changed in this
// process; other processes notice within two seconds.
func (h *Handler) Forget(id directory.ConnectionID) {
	c := &h.parties
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	delete(c.entries, id)
}

// party returns a SAML connection, disabled or not, by its id as a path has it. NotFound
// when there is none.
func (h *Handler) party(ctx context.Context, name string) (*party, error) {
	id, err := directory.ParseConnectionID(name)
	if err != nil {
		return nil, err
	}
	c := &h.parties
	now := h.now()
	c.mu.Lock()
	entry, epoch := c.entries[id], c.epoch
	c.mu.Unlock()
	if entry != nil && entry.fresh(now) {
		return entry.party, nil
	}
	result := <-c.flight.DoChan(string(id)+" "+strconv.FormatInt(epoch, 10), func() (any, error) {
		// Others wait for it, so it does not end with the request that began it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTime)
		defer cancel()
		var connection store.Connection
		err := h.bounded(ctx, func() (err error) {
			connection, err = h.Store.Connection(ctx, id)
			return err
		})
		if err != nil {
			return nil, err
		}
		if connection.Kind != directory.SAML || connection.SAML == nil {
			return nil, fault.New(fault.NotFound, "the connection %s is not of kind saml", id)
		}
		var before *party
		if entry != nil {
			before = entry.party
		}
		p := h.prepare(connection, before)
		c.put(p, epoch, now)
		return p, nil
	})
	if result.Err != nil {
		return nil, result.Err
	}
	return result.Val.(*party), nil
}

func (c *parties) put(p *party, epoch int64, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if epoch != c.epoch {
		return
	}
	if c.entries == nil || len(c.entries) >= cacheSize {
		c.entries = map[directory.ConnectionID]*cachedParty{} // refilled by one query each
	}
	c.entries[p.ID] = &cachedParty{p, now}
}

// bounded reads when one of few slots is free.
func (h *Handler) bounded(ctx context.Context, read func() error) error {
	c := &h.parties
	c.mu.Lock()
	if c.slots == nil {
		c.slots = make(chan struct{}, maxReading)
	}
	slots := c.slots
	c.mu.Unlock()
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
		return read()
	case <-ctx.Done():
		return fault.Wrap(fault.Unavailable, ctx.Err(), "too many connections are asked for at once; try again")
	}
}

// prepare parses certificates and opens keys, or takes them from before if they are the
// same. A key that does not open is logged and left out: what needs it is refused, the
// rest of the connection works.
func (h *Handler) prepare(c store.Connection, before *party) *party {
	urls := h.urls(c.ID)
	p := &party{Connection: c, entityID: urls.entityID, acsURL: urls.acs, loginURL: urls.login, logoutURL: urls.logout}
	if before != nil && before.SAMLRevision == c.SAMLRevision && slices.EqualFunc(before.Keys, c.Keys, sameKey) {
		p.certificates, p.signs, p.decrypts = before.certificates, before.signs, before.decrypts
		return p
	}
	for i, certificate := range c.SAML.Provider.Certificates {
		parsed, err := x509.ParseCertificate(certificate.DER)
		if err != nil { // it was checked when it was stored
			h.Log.Error("certificate not parsed", "error", err, "connection", c.ID, "number", i+1)
			continue
		}
		p.certificates = append(p.certificates, parsed)
	}
	for _, k := range c.Keys {
		key, err := h.open(c.ID, k)
		switch {
		case err != nil:
			h.Log.Error("key not opened", "error", err, "connection", c.ID, "key", k.ID)
		case k.Use == directory.Encryption:
			p.decrypts = append(p.decrypts, key)
		case k.Active:
			p.signs = &signer{key, k.Certificate}
		}
	}
	return p
}

func sameKey(a, b directory.SAMLKey) bool {
	return a.ID == b.ID && a.Active == b.Active && bytes.Equal(a.Sealed, b.Sealed)
}

// open opens a private key.
func (h *Handler) open(connection directory.ConnectionID, k directory.SAMLKey) (*rsa.PrivateKey, error) {
	der, err := h.Sealer.Open(k.Sealed, k.SealContext(connection))
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errors.New("what was sealed is no key") // its error may show a part of it
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("a key of type %T is not supported", parsed)
	}
	return key, nil
}

// addresses are where a connection is reached. They do not depend on the request: its
// Host header is anybody's.
type addresses struct{ entityID, acs, login, logout string }

func (h *Handler) urls(id directory.ConnectionID) addresses {
	base := h.BaseURL + "/saml/" + string(id)
	return addresses{base + "/metadata", base + "/acs", base + "/login", base + "/logout"}
}
