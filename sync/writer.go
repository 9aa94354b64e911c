package sync

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
)

// Writer carries assignments from SQL to Redis. Create one with NewWriter, give it
// to an Engine, and Run it.
type Writer struct {
	store *store.Store
	sink  *sink
	log   *slog.Logger

	wake  chan struct{} // something is queued
	batch int           // how many the last round of Run wrote; of Run alone

	mu        sync.Mutex
	queue     map[subject]queued // guarded by mu; the newest version of each
	lost      bool               // guarded by mu: the queue is not complete, SQL is
	trouble   error              // guarded by mu: why writing failed; nil if it did not
	unchecked error              // guarded by mu: why looking at Redis failed, likewise
	since     time.Time          // guarded by mu: since when Health is degraded
	filling   bool               // guarded by mu: organizations are being filled anew
	identity  string             // guarded by mu: of the Redis that was last filled
	unfilled  unfilled           // guarded by mu: whose filling failed here
	published int64              // guarded by mu: assignments written since the start

	expected map[subject][]expected // guarded by mu: who waits for what, see Await
}

type subject struct {
	organization directory.OrganizationID
	user         directory.UserID
}

type queued struct {
	basis      store.Basis
	assignment store.Assignment
}

const (
	queueLimit    = 20_000                // above it the sweep over SQL takes over
	batchLimit    = 1_000                 // assignments in one pipeline
	pauseMax      = 10 * time.Millisecond // between batches, see pauseAfter
	sweepInterval = time.Second           // for what a crash left behind
	sweepAge      = time.Second           // younger ones are still in somebody's queue
	checkInterval = time.Second           // of the server's identity
	retryMin      = 50 * time.Millisecond // after Redis failed
	retryMax      = time.Second
)

// NewWriter returns a writer on a client that the caller configures and closes.
func NewWriter(s *store.Store, client redis.UniversalClient, prefix string, log *slog.Logger) *Writer {
	return &Writer{store: s, sink: newSink(client, prefix), log: log, wake: make(chan struct{}, 1), queue: map[subject]queued{}, unfilled: unfilled{}, expected: map[subject][]expected{}, lost: true}
}

// offer queues new versions. It never blocks: what does not fit is found in SQL.
func (w *Writer) offer(basis store.Basis, assignments []store.Assignment) {
	if len(assignments) == 0 {
		return
	}
	w.mu.Lock()
	for _, a := range assignments {
		key := subject{a.Organization, a.User}
		held, ok := w.queue[key]
		if ok && held.assignment.Version >= a.Version {
			continue
		}
		if !ok && len(w.queue) >= queueLimit {
			w.lost = true
			continue
		}
		w.queue[key] = queued{basis, a}
	}
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default: // it is awake already
	}
}

// Run writes until ctx ends, then writes what is queued once more and returns.
func (w *Writer) Run(ctx context.Context) {
	var background sync.WaitGroup
	background.Go(func() { w.watch(ctx) })
	defer background.Wait()

	sweep := time.NewTicker(sweepInterval)
	defer sweep.Stop()
	pause := retryMin
	for {
		if err := w.writeAll(ctx); err != nil && ctx.Err() == nil {
			w.fail(err)
			if !wait(ctx, pause) {
				return
			}
			pause = min(2*pause, retryMax)
			continue
		}
		w.recovered()
		pause = retryMin
		select {
		case <-ctx.Done():
			w.last()
			return
		case <-w.wake:
			wait(ctx, pauseAfter(w.batch))
		case <-sweep.C:
			if err := w.sweep(ctx, sweepAge); err != nil && ctx.Err() == nil {
				w.fail(err)
			}
		}
	}
}

// last gives what is queued one more chance when the process stops. What it cannot
// write, the next process finds in SQL.
func (w *Writer) last() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := w.writeAll(ctx); err != nil {
		w.log.Warn("some assignments are written after the next start", "error", err)
	}
}

// writeAll writes what is queued, and what was dropped from the queue. What it took and
// could not write is found in SQL by the next call.
func (w *Writer) writeAll(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			w.mu.Lock()
			w.lost = true
			w.mu.Unlock()
		}
	}()
	w.batch = 0
	for {
		deliveries, lost := w.take()
		for _, d := range deliveries {
			w.batch += len(d.assignments)
		}
		if lost {
			if err := w.sweep(ctx, 0); err != nil {
				return err
			}
		}
		if len(deliveries) == 0 {
			if lost {
				continue
			}
			return nil
		}
		if err := w.deliver(ctx, deliveries); err != nil {
			return err
		}
	}
}

// pauseAfter says how long to let the next batch grow: not at all when changes come
// singly, and long enough under load that the cost of a batch is shared by many.
func pauseAfter(batch int) time.Duration {
	return min(time.Duration(batch)*500*time.Microsecond, pauseMax)
}

// take empties the queue up to the batch limit, by organization.
func (w *Writer) take() (deliveries []*delivery, lost bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	byOrganization := map[directory.OrganizationID]*delivery{}
	n := 0
	for key, q := range w.queue {
		if n == batchLimit {
			break
		}
		n++
		delete(w.queue, key)
		d, ok := byOrganization[key.organization]
		if !ok {
			d = &delivery{organization: key.organization, basis: q.basis}
			byOrganization[key.organization] = d
			deliveries = append(deliveries, d)
		}
		d.basis.Generation = max(d.basis.Generation, q.basis.Generation)
		d.basis.RulesVersion = max(d.basis.RulesVersion, q.basis.RulesVersion)
		d.assignments = append(d.assignments, q.assignment)
	}
	lost, w.lost = w.lost, false
	return deliveries, lost
}

// deliver writes to Redis and remembers in SQL what was written: also when it returns
// an error, which may be that of one organization.
func (w *Writer) deliver(ctx context.Context, deliveries []*delivery) error {
	failed := w.sink.publish(ctx, deliveries, "live")
	var written []store.Written
	for _, d := range deliveries {
		there := d.err == nil && d.answer == delivered
		if d.err == nil && !there {
			// This organization has no keys yet, or Redis lost them, or another
			// process filled it anew since the change.
			there, d.err = w.catchUp(ctx, d)
			failed = cmp.Or(failed, d.err)
		}
		if !there {
			continue // not known to be there: the sweep writes them again
		}
		for _, a := range d.assignments {
			written = append(written, store.Written{Organization: a.Organization, User: a.User, Version: a.Version})
		}
	}
	w.mu.Lock()
	w.published += int64(len(written))
	w.arrive(written)
	w.mu.Unlock()
	// An error costs no more than writing them again.
	marked := w.store.MarkPublished(ctx, written)
	// Once more, for who looked in SQL before that, and was not expecting it before.
	w.mu.Lock()
	w.arrive(written)
	w.mu.Unlock()
	return cmp.Or(marked, failed)
}

// catchUp delivers to an organization whose generation in Redis is not the
// delivery's: with the current one, or by filling it from SQL, which holds the
// delivered assignments. It reports whether they are there now.
func (w *Writer) catchUp(ctx context.Context, d *delivery) (written bool, err error) {
	generation, err := w.store.Generation(ctx, d.organization)
	if err != nil {
		return false, err
	}
	d.basis.Generation = generation
	if err := w.sink.publish(ctx, []*delivery{d}, "live"); err != nil || d.answer == delivered {
		return err == nil, err
	}
	return w.fill(ctx, d.organization)
}

// sweep writes all unpublished assignments that are at least as old as that. What Redis
// refuses of one organization does not keep the others waiting: its error comes last.
func (w *Writer) sweep(ctx context.Context, age time.Duration) (refused error) {
	var organization directory.OrganizationID
	var user directory.UserID
	for {
		page, err := w.store.Unpublished(ctx, directory.Now(), age, organization, user, batchLimit)
		if err != nil || len(page) == 0 {
			return cmp.Or(err, refused)
		}
		var deliveries []*delivery
		for _, a := range page {
			if n := len(deliveries); n == 0 || deliveries[n-1].organization != a.Organization {
				deliveries = append(deliveries, &delivery{organization: a.Organization})
			}
			d := deliveries[len(deliveries)-1]
			d.assignments = append(d.assignments, a)
		}
		for _, d := range deliveries {
			if d.basis.Generation, err = w.store.Generation(ctx, d.organization); err != nil {
				return err
			}
		}
		if err := w.deliver(ctx, deliveries); err != nil {
			if _, answered := errors.AsType[redis.Error](err); !answered {
				return err // Redis, or SQL, is away
			}
			refused = err
		}
		last := page[len(page)-1]
		organization, user = last.Organization, last.User
		if deliveries[len(deliveries)-1].err != nil {
			user = afterAllUsers
		}
	}
}

// afterAllUsers is behind every id of a user.
const afterAllUsers directory.UserID = "usr~"

// wait reports whether the time passed before ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
