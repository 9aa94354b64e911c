package scim

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
)

// doorkeeper reads one connection, whose tokens may change, and counts.
type doorkeeper struct {
	connectionCache
	id      directory.ConnectionID
	reads   int
	mu      sync.Mutex
	known   []credential.Stored
	clients []store.Client
	slow    chan struct{} // a reading waits for it, after it has read
}

func (d *doorkeeper) read(_ context.Context, id directory.ConnectionID) (store.Connection, error) {
	d.mu.Lock()
	d.reads++
	c := store.Connection{Connection: directory.Connection{ID: d.id, Kind: directory.SCIM}, Tokens: d.known, Clients: d.clients}
	d.mu.Unlock()
	if d.slow != nil {
		<-d.slow
	}
	if id != d.id {
		return store.Connection{}, fault.New(fault.NotFound, "no such connection")
	}
	return c, nil
}

func (d *doorkeeper) newToken() string {
	token, stored := credential.New(credential.SCIMToken, time.Now(), time.Time{})
	d.mu.Lock()
	defer d.mu.Unlock()
	d.known = append(d.known[:len(d.known):len(d.known)], stored)
	return token
}

func bearerToken(token string) presented { return presented{digest: credential.Hash(token)} }

func (d *doorkeeper) try(id directory.ConnectionID, token string, now time.Time) bool {
	_, _, err := d.open(context.Background(), id, bearerToken(token), now, d.read)
	return err == nil
}

func TestWrongTokenAgainCostsNoQuery(t *testing.T) {
	now := time.Now()
	d := &doorkeeper{id: directory.NewConnectionID()}
	good := d.newToken()
	for _, id := range []directory.ConnectionID{d.id, directory.NewConnectionID()} {
		d.reads = 0
		for range 100 {
			if d.try(id, "wrong", now) {
				t.Fatal("a wrong token opens")
			}
		}
		if d.reads != 1 {
			t.Errorf("a hundred times the same wrong token: %d queries, want 1", d.reads)
		}
		d.try(id, "wrong", now.Add(cacheTime))
		if d.reads != 2 {
			t.Errorf("two seconds later: %d queries, want 2", d.reads)
		}
	}
	if !d.try(d.id, good, now) || !d.try(d.id, d.newToken(), now) {
		t.Error("wrong tokens keep out a right one, or a new one")
	}
	d.reads = 0
	d.try(d.id, "wrong", now.Add(cacheTime))
	d.forget(d.id)
	if d.try(d.id, "wrong", now.Add(cacheTime)); d.reads != 1 {
		t.Errorf("after Forget: %d queries, want 1", d.reads)
	}
}

func TestWrongSecretAgainCostsNoQuery(t *testing.T) {
	now := time.Now()
	secret, stored := credential.New(credential.ClientSecret, now, time.Time{})
	stored.ID = directory.NewClientID()
	d := &doorkeeper{id: directory.NewConnectionID(), clients: []store.Client{{Stored: stored}}}
	try := func(id directory.ConnectionID, client, secret string) bool {
		_, _, err := d.open(context.Background(), id, presented{client, credential.Hash(secret)}, now, d.read)
		return err == nil
	}
	for _, id := range []directory.ConnectionID{d.id, directory.NewConnectionID()} {
		d.reads = 0
		for range 100 {
			if try(id, stored.ID, "wrong") {
				t.Fatal("a wrong secret opens")
			}
		}
		if d.reads != 1 {
			t.Errorf("a hundred times the same wrong secret: %d queries, want 1", d.reads)
		}
	}
	if !try(d.id, stored.ID, secret) || try(d.id, directory.NewClientID(), secret) || d.try(d.id, secret, now) {
		t.Error("a right secret does not open, or opens for another client or as a token")
	}
}

func TestFewConnectionsAreReadAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &doorkeeper{id: directory.NewConnectionID(), slow: make(chan struct{})}
		var clients sync.WaitGroup
		for range 100 {
			clients.Go(func() { d.try(directory.NewConnectionID(), "wrong", time.Now()) })
		}
		synctest.Wait()
		if d.reads != maxReading {
			t.Errorf("%d connections are read at once, want %d", d.reads, maxReading)
		}
		close(d.slow)
		clients.Wait()
		if d.reads != 100 {
			t.Errorf("%d connections were read in the end, want 100", d.reads)
		}
	})
}

func TestRefusalsAreBounded(t *testing.T) {
	d := &doorkeeper{id: directory.NewConnectionID()}
	now := time.Now()
	for i := range cacheSize + 10 {
		d.try(d.id, fmt.Sprint("wrong", i), now)
	}
	if len(d.refused) > cacheSize {
		t.Errorf("%d refusals are kept, want at most %d", len(d.refused), cacheSize)
	}
}

func TestManyWrongTokensAtOnceShareAQuery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &doorkeeper{id: directory.NewConnectionID(), slow: make(chan struct{})}
		now := time.Now()
		var fresh string
		var opened atomic.Int64
		var clients sync.WaitGroup
		for i := range 100 {
			clients.Go(func() {
				if d.try(d.id, fmt.Sprint("wrong", i), now) {
					t.Error("a wrong token opens")
				}
			})
		}
		synctest.Wait() // the first reading is under way, and does not know the token below
		fresh = d.newToken()
		clients.Go(func() {
			if d.try(d.id, fresh, now) {
				opened.Add(1)
			}
		})
		done := make(chan struct{})
		go func() { clients.Wait(); close(done) }()
		for waiting := true; waiting; {
			synctest.Wait() // everybody has joined the reading under way
			select {
			case d.slow <- struct{}{}:
			case <-done:
				waiting = false
			}
		}
		if opened.Load() != 1 {
			t.Error("a new token is refused because of a reading that began before it")
		}
		if d.reads > 3 {
			t.Errorf("101 tokens at once cost %d queries", d.reads)
		}
	})
}

func TestRequestDoesNotOutliveItsClientForAToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &doorkeeper{id: directory.NewConnectionID(), slow: make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := d.open(ctx, d.id, bearerToken("any"), time.Now(), d.read); !fault.Is(err, fault.Unavailable) {
			t.Errorf("error = %v", err)
		}
		close(d.slow)
	})
}
