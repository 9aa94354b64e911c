package sync

import (
	"context"
	"slices"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
)

// How soon Await asks SQL again what another process has written: at first, and at the
// most. The pause doubles, or a Redis that is away would have everybody who signs in ask
// the database many times over, just when nothing comes of it.
const (
	lookSoon  = 100 * time.Millisecond
	lookLater = time.Second
)

// Await waits until Redis is known to hold a version of a user's assignment, or a newer
// one. When ctx ends before, it returns Unavailable; then the version is in SQL and will
// be in Redis.
func (w *Writer) Await(ctx context.Context, organization directory.OrganizationID, user directory.UserID, version int64) error {
	key := subject{organization, user}
	arrived := w.expect(key, version)
	defer w.forget(key, arrived)
	for pause := lookSoon; ; pause = min(2*pause, lookLater) {
		// It may have been there before it was expected.
		published, err := w.store.Published(ctx, organization, user)
		if err == nil && published >= version {
			return nil
		}
		select {
		case <-arrived:
			return nil
		case <-time.After(pause):
		case <-ctx.Done():
			return fault.Wrap(fault.Unavailable, ctx.Err(), "Redis does not have version %d of the assignment of %s yet", version, user)
		}
	}
}

// expected is somebody who waits.
type expected struct {
	version int64
	arrived chan struct{} // closed when the version is there
}

// expect returns a channel that is closed when this process has written the version.
func (w *Writer) expect(key subject, version int64) chan struct{} {
	arrived := make(chan struct{})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.expected[key] = append(w.expected[key], expected{version, arrived})
	return arrived
}

func (w *Writer) forget(key subject, arrived chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	rest := slices.DeleteFunc(w.expected[key], func(e expected) bool { return e.arrived == arrived })
	if len(rest) == 0 {
		delete(w.expected, key)
		return
	}
	w.expected[key] = rest
}

// arrive wakes those who wait for what was written; the caller holds mu.
func (w *Writer) arrive(written []store.Written) {
	if len(w.expected) == 0 {
		return
	}
	for _, a := range written {
		key := subject{a.Organization, a.User}
		rest := slices.DeleteFunc(w.expected[key], func(e expected) bool {
			if e.version > a.Version {
				return false
			}
			close(e.arrived)
			return true
		})
		if len(rest) == 0 {
			delete(w.expected, key)
		} else {
			w.expected[key] = rest
		}
	}
}
