package admin

import (
	"context"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
)

// CreateAdminKey makes a key of the admin API, returned here and never again. A zero
// expiresAt is never.
func (s *Service) CreateAdminKey(ctx context.Context, by Actor, name string, expiresAt time.Time) (stored AdminKey, key string, err error) {
	now := s.now()
	if name, err = line("name", name, MaxName); err != nil {
		return stored, "", err
	}
	if expiresAt, err = expiry(expiresAt, now); err != nil {
		return stored, "", err
	}
	key, secret := credential.New(credential.AdminKey, now, expiresAt)
	stored = AdminKey{Stored: secret, Name: name}
	err = s.changeKeys(ctx, func(tx *store.Tx) error {
		tx.CreateAdminKey(stored)
		return record(tx, by, now, "admin_key.created", stored.ID, map[string]any{"name": name, "last_four": stored.LastFour})
	})
	if err != nil {
		return AdminKey{}, "", err
	}
	return stored, key, nil
}

// AdminKeys lists the keys of the admin API, oldest first, expired ones too.
func (s *Service) AdminKeys(ctx context.Context, _ Actor) ([]AdminKey, error) {
	return s.Store.AdminKeys(ctx)
}

// DeleteAdminKey ends a key, also the actor's own: at once in this process, within
// KeyAge in others.
func (s *Service) DeleteAdminKey(ctx context.Context, by Actor, id string) error {
	if !storable(id) {
		return fault.New(fault.NotFound, "there is no admin key %q", first(id))
	}
	now := s.now()
	return s.changeKeys(ctx, func(tx *store.Tx) error {
		tx.DeleteAdminKey(id)
		if err := tx.Flush(); err != nil {
			return err // NotFound, before the audit says that it happened
		}
		return record(tx, by, now, "admin_key.deleted", id, map[string]any{})
	})
}

func (s *Service) changeKeys(ctx context.Context, change func(*store.Tx) error) error {
	err := s.Store.Transact(ctx, store.Scope{}, store.Facts, change)
	// Whatever came of it: a COMMIT whose answer was lost may have taken effect.
	s.keys.forget()
	return err
}

// Authenticate returns the actor whose key this is, or an Unauthorized fault. When the
// keys cannot be read it fails closed, as Unavailable.
func (s *Service) Authenticate(ctx context.Context, key, request string) (Actor, error) {
	now := s.now()
	keys, err := s.keys.get(ctx, now, s.Store.AdminKeys)
	if err != nil {
		return Actor{}, err
	}
	actor := Actor{Request: request}
	for _, k := range keys {
		// All are compared, so that time does not tell which one it is.
		if k.Matches(key, now) {
			actor.Name = "admin key " + k.ID
		}
	}
	if actor.Name == "" {
		return Actor{}, fault.New(fault.Unauthorized, "the admin key is not valid: unknown, ended or expired")
	}
	return actor, nil
}

// KeyAge is for how long a process relies on the admin keys that it has read.
const KeyAge = 2 * time.Second

// keyReading bounds the wait for the database.
const keyReading = 5 * time.Second

// keyring keeps the admin keys in memory, so that a request costs no round trip and
// guessing costs the database nothing.
type keyring struct {
	flight singleflight.Group

	mu    sync.Mutex
	keys  []AdminKey // guarded by mu, like all below
	read  time.Time  // when; zero: they are to be read
	state int        // raised when keys were changed: what was read before does not count
}

func (r *keyring) get(ctx context.Context, now time.Time, read func(context.Context) ([]AdminKey, error)) ([]AdminKey, error) {
	r.mu.Lock()
	keys, age, state := r.keys, now.Sub(r.read), r.state
	fresh := !r.read.IsZero() && age >= 0 && age < KeyAge
	r.mu.Unlock()
	if fresh {
		return keys, nil
	}
	// Requests that come meanwhile wait for one reading, unless a change came between.
	reading := r.flight.DoChan(strconv.Itoa(state), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keyReading)
		defer cancel()
		keys, err := read(ctx)
		if err != nil {
			return nil, err
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.state == state {
			r.keys, r.read = keys, now
		}
		return keys, nil
	})
	select {
	case result := <-reading:
		keys, _ := result.Val.([]AdminKey)
		return keys, result.Err
	case <-ctx.Done():
		return nil, fault.Wrap(fault.Unavailable, ctx.Err(), "the admin keys could not be read in time; try again")
	}
}

func (r *keyring) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.read = time.Time{}
	r.state++
}
