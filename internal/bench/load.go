package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// rate is what a number of clients achieved.
type rate struct {
	n        int64
	took     time.Duration
	sorted   []time.Duration // of each request
	service  time.Duration   // processor time a request
	database time.Duration
}

func (r rate) perSecond() float64 { return float64(r.n) / r.took.Seconds() }

func (r rate) percentile(p float64) time.Duration {
	if len(r.sorted) == 0 {
		return 0
	}
	return r.sorted[min(int(p*float64(len(r.sorted))), len(r.sorted)-1)]
}

// load has clients call do, with a running number, one request after the other, for
// the given time or, when most is above 0, that many times. The first error ends it.
func (b *bench) load(ctx context.Context, clients int, duration time.Duration, most int64, do func(ctx context.Context, i int64) error) (rate, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	times := make([][]time.Duration, clients)
	serviceBefore, databaseBefore := b.cpu()
	began := time.Now()
	for client := range clients {
		wg.Go(func() {
			for ctx.Err() == nil && (most > 0 || time.Since(began) < duration) {
				i := next.Add(1) - 1
				if most > 0 && i >= most {
					return
				}
				sent := time.Now()
				if err := do(ctx, i); err != nil {
					cancel(err)
					return
				}
				times[client] = append(times[client], time.Since(sent))
			}
		})
	}
	wg.Wait()
	r := rate{took: time.Since(began), sorted: slices.Concat(times...)}
	if err := context.Cause(ctx); err != nil {
		return r, err
	}
	serviceAfter, databaseAfter := b.cpu()
	slices.Sort(r.sorted)
	if r.n = int64(len(r.sorted)); r.n > 0 {
		r.service = (serviceAfter - serviceBefore) / time.Duration(r.n)
		r.database = (databaseAfter - databaseBefore) / time.Duration(r.n)
	}
	return r, nil
}

// describe says a rate in the words of the table.
func (r rate) describe() string {
	return fmt.Sprintf("%.0f/s (p50 %s, p99 %s; CPU a request: service %s, database %s)",
		r.perSecond(), short(r.percentile(0.5)), short(r.percentile(0.99)), short(r.service), short(r.database))
}

func short(d time.Duration) string {
	if d >= 100*time.Millisecond {
		return fmt.Sprintf("%.0f ms", float64(d)/1e6)
	}
	return fmt.Sprintf("%.2f ms", float64(d)/1e6)
}
