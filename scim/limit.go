package scim

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
)

// maxPace is how long a request waits for its turn at most. A client that sends one
// request after the other is so slowed down to the rate, where that is at least 4 a
// second, and never refused.
const maxPace = 250 * time.Millisecond

// pace has a request of the connection wait for its turn, or refuses it as TooMany when
// that would take longer than maxPace; then the answer says when to come again. Each
// process counts for itself.
func (h *Handler) pace(w http.ResponseWriter, r *http.Request, c store.Connection) error {
	limit, burst := h.rateOf(c)
	if limit == 0 {
		return nil
	}
	delay := h.limits.reserve(c.ID, limit, burst, h.now)
	if delay > maxPace {
		seconds := int64(math.Ceil(delay.Seconds()))
		w.Header().Set("Retry-After", strconv.FormatInt(seconds, 10))
		return fault.New(fault.TooMany, "the connection %s is over its limit of %d requests a second, %d at once; try again in %d s", c.ID, limit, burst, seconds)
	}
	return wait(r.Context(), delay)
}

// rateOf returns the connection's own rate, or the deployment's where it has none.
func (h *Handler) rateOf(c store.Connection) (limit, burst int) {
	limit, burst = h.RateLimit, h.RateBurst
	if c.RateLimit > 0 {
		limit = c.RateLimit
	}
	if c.RateBurst > 0 {
		burst = c.RateBurst
	}
	return limit, max(burst, 1)
}

// wait returns after the delay, or with a fault when the context ends before.
func wait(ctx context.Context, delay time.Duration) error {
	if delay <= 0 {
		return nil
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fault.Wrap(fault.Unavailable, ctx.Err(), "the request ended while it waited for its turn")
	}
}

// limits counts the requests of connections, each in a bucket of tokens. Only who has
// authenticated is counted, and a bucket that is full again is forgotten, so there are
// about as many as connections that are in use.
type limits struct {
	mu      sync.Mutex
	buckets map[directory.ConnectionID]*rate.Limiter // guarded by mu, like all below
	sweepAt int                                      // how many buckets there are before full ones are looked for
}

// fewBuckets is a number of buckets that costs too little to be looked through.
const fewBuckets = 1024

// reserve takes a turn and returns how long it is until then. A turn that is further
// away than maxPace is not taken. The clock is read under the lock, since a bucket takes
// an earlier time for more time that has passed.
func (l *limits) reserve(id directory.ConnectionID, limit, burst int, clock func() time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := clock()
	bucket := l.buckets[id]
	if bucket == nil {
		l.sweep(now)
		bucket = rate.NewLimiter(rate.Limit(limit), burst)
		l.buckets[id] = bucket
	}
	// An admin may have changed them since.
	if bucket.Limit() != rate.Limit(limit) {
		bucket.SetLimitAt(now, rate.Limit(limit))
	}
	if bucket.Burst() != burst {
		bucket.SetBurstAt(now, burst)
	}
	turn := bucket.ReserveN(now, 1)
	delay := turn.DelayFrom(now)
	if delay > maxPace {
		turn.CancelAt(now)
	}
	return delay
}

// sweep forgets full buckets, when there are many more than were left the last time.
func (l *limits) sweep(now time.Time) {
	if l.buckets == nil {
		l.buckets, l.sweepAt = map[directory.ConnectionID]*rate.Limiter{}, fewBuckets
	}
	if len(l.buckets) < l.sweepAt {
		return
	}
	for id, bucket := range l.buckets {
		if bucket.TokensAt(now) >= float64(bucket.Burst()) {
			delete(l.buckets, id)
		}
	}
	l.sweepAt = max(fewBuckets, 2*len(l.buckets))
}
