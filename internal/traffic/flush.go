package traffic

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
)

const (
	flushEvery = 2 * time.Second
	flushTime  = 15 * time.Second // for one transaction
	atOnce     = 20               // connections in one transaction: on SQLite, changes wait for it
)

// Run stores what is recorded until ctx ends, then once more. One goroutine owns it and
// waits for it; requests must have ended before ctx does, or the last ones are lost.
func (r *Recorder) Run(ctx context.Context) {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			_ = r.Flush(ctx) // it was logged, and is tried again
		case <-ctx.Done():
			// Ignored: it was logged. What cannot be stored now is lost.
			_ = r.Flush(context.WithoutCancel(ctx))
			return
		}
	}
}

// Flush stores what was recorded before the call, so that it is there to be read. When
// the database is away it returns an Unavailable fault, and what was not stored is kept.
// The caller can give up waiting for its turn; a transaction is bounded by time alone,
// since one that is cut short may be stored or not, and would be counted twice.
func (r *Recorder) Flush(ctx context.Context) error {
	if r == nil {
		return nil
	}
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return fault.Wrap(fault.Unavailable, ctx.Err(), "the request ended before the traffic was stored")
	}
	piles, lost := r.take()
	if lost > 0 {
		r.log.Warn("requests of too many connections at once were not counted", "count", lost)
	}
	scopes := slices.SortedFunc(maps.Keys(piles), func(a, b store.Scope) int {
		return cmp.Or(cmp.Compare(a.Organization, b.Organization), cmp.Compare(a.Connection, b.Connection))
	})
	for part := range slices.Chunk(scopes, atOnce) {
		err := r.add(ctx, part, piles)
		if fault.Is(err, fault.Unavailable) {
			r.putBack(piles)
			if !r.away {
				r.log.Warn("traffic is kept until it can be stored", "error", err)
			}
			r.away = true
			return err
		}
		if err != nil { // it would fail again, and hold up all that comes after it
			r.log.Error("traffic could not be stored and is lost", "error", err, "count", len(part))
		}
		for _, scope := range part {
			delete(piles, scope)
		}
	}
	if r.away && len(scopes) > 0 {
		r.away = false
		r.log.Info("traffic is stored again")
	}
	return nil
}

func (r *Recorder) add(ctx context.Context, scopes []store.Scope, piles map[store.Scope]*pile) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTime)
	defer cancel()
	list := make([]store.Traffic, len(scopes))
	for i, scope := range scopes {
		list[i] = piles[scope].traffic(scope)
	}
	return r.store.AddTraffic(ctx, list)
}

// take returns all that was recorded, and begins anew.
func (r *Recorder) take() (piles map[store.Scope]*pile, lost int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	piles, lost = r.pending, r.lost
	r.pending, r.failures, r.lost = make(map[store.Scope]*pile, len(piles)), 0, 0
	return piles, lost
}

// putBack adds what could not be stored to what came meanwhile, within the bounds: what
// is older gives way.
func (r *Recorder) putBack(piles map[store.Scope]*pile) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for scope, p := range piles {
		newer := r.pending[scope]
		if newer == nil && len(r.pending) >= mostConnections {
			for _, k := range p.kinds {
				r.lost += int(k.Succeeded + k.Failed)
			}
			continue
		}
		if room := mostFailures - r.failures; p.listed() > room {
			p.failures, p.refused = p.failures[max(0, len(p.failures)-room):], nil
		}
		if newer != nil {
			r.failures -= newer.listed()
			p.merge(newer)
		}
		r.failures += p.listed()
		r.pending[scope] = p
	}
}
