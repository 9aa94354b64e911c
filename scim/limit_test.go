package scim

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
)

func newConnection(limit, burst int) store.Connection {
	return store.Connection{Connection: directory.Connection{ID: directory.NewConnectionID(), RateLimit: limit, RateBurst: burst}}
}

// paced sends one request through the limit; retry is what a refusal's header says.
func (h *Handler) paced(ctx context.Context, c store.Connection) (retry int, err error) {
	w := httptest.NewRecorder()
	err = h.pace(w, httptest.NewRequestWithContext(ctx, "GET", "/", http.NoBody), c)
	retry, _ = strconv.Atoi(w.Header().Get("Retry-After"))
	return retry, err
}

func TestClientThatWaitsForAnswersIsSlowedDownAndNeverRefused(t *testing.T) {
	for _, limit := range []int{4, 7, 50, 10_000} {
		synctest.Test(t, func(t *testing.T) {
			h := &Handler{RateLimit: limit, RateBurst: 20}
			c := newConnection(0, 0)
			began := time.Now()
			for i := range 20 + 5*limit {
				if _, err := h.paced(t.Context(), c); err != nil {
					t.Fatalf("request %d at %d a second: %v", i+1, limit, err)
				}
				if i == 19 && time.Since(began) > 0 {
					t.Errorf("the burst took %s", time.Since(began))
				}
			}
			if took := time.Since(began); took < 4900*time.Millisecond || took > 5100*time.Millisecond {
				t.Errorf("five seconds' worth of requests above the burst took %s", took)
			}
		})
	}
}

func TestRequestsAtOnceAboveTheLimitAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &Handler{RateLimit: 50, RateBurst: 200}
		c := newConnection(0, 0)
		var served, refused atomic.Int64
		flood := func() {
			served.Store(0)
			refused.Store(0)
			var clients sync.WaitGroup
			for range 1000 {
				clients.Go(func() {
					retry, err := h.paced(t.Context(), c)
					switch {
					case err == nil:
						served.Add(1)
					case fault.Is(err, fault.TooMany) && retry == 1 && strings.Contains(err.Error(), "50 requests a second, 200 at once"):
						refused.Add(1)
					default:
						t.Errorf("error = %v, Retry-After %d", err, retry)
					}
				})
			}
			clients.Wait()
		}
		began := time.Now()
		flood()
		// 200 at once, and what comes to its turn within 250 ms at 50 a second.
		if served.Load() != 212 || refused.Load() != 788 {
			t.Errorf("of a thousand at once %d are served and %d refused, want 212 and 788", served.Load(), refused.Load())
		}
		if took := time.Since(began); took > maxPace {
			t.Errorf("a request waited for %s", took)
		}
		if _, err := h.paced(t.Context(), newConnection(0, 0)); err != nil {
			t.Errorf("another connection has to suffer: %v", err)
		}
		time.Sleep(10 * time.Second)
		if flood(); served.Load() != 212 {
			t.Errorf("after a pause %d are served, want 212", served.Load())
		}
	})
}

func TestRetryAfterIsTrue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &Handler{RateLimit: 1, RateBurst: 3}
		c := newConnection(0, 0)
		for range 3 {
			if _, err := h.paced(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
		for range 10 { // who is refused has taken no turn
			retry, err := h.paced(t.Context(), c)
			if retry != 1 || !fault.Is(err, fault.TooMany) {
				t.Fatalf("Retry-After = %d, %v, want 1", retry, err)
			}
		}
		time.Sleep(time.Second)
		began := time.Now()
		if _, err := h.paced(t.Context(), c); err != nil || time.Since(began) > 0 {
			t.Errorf("after Retry-After: %v, waited for %s", err, time.Since(began))
		}
	})
}

func TestConnectionHasItsOwnRate(t *testing.T) {
	now := func() time.Time { return time.Unix(0, 0) }
	for _, tt := range []struct {
		name          string
		limit, burst  int // of the deployment
		c             store.Connection
		atOnce, later int // served at once, and again a second later
	}{
		{"the deployment's", 2, 5, newConnection(0, 0), 5, 2},
		{"its own", 2, 5, newConnection(3, 8), 8, 3},
		{"its own limit", 2, 5, newConnection(3, 0), 5, 3},
		{"its own burst", 2, 5, newConnection(0, 8), 8, 2},
		{"its own where the deployment has none", 0, 0, newConnection(3, 8), 8, 3},
		{"no burst", 2, 0, newConnection(0, 0), 1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := &Handler{RateLimit: tt.limit, RateBurst: tt.burst}
			served := func(now time.Time) (n int) {
				h.Now = func() time.Time { return now }
				for n < 100 {
					if _, err := h.paced(t.Context(), tt.c); err != nil {
						return n
					}
					n++
				}
				return n
			}
			if got := served(now()); got != tt.atOnce {
				t.Errorf("%d are served at once, want %d", got, tt.atOnce)
			}
			if got := served(now().Add(time.Second)); got != tt.later {
				t.Errorf("%d are served a second later, want %d", got, tt.later)
			}
		})
	}
	h := &Handler{RateBurst: 1}
	for range 1000 {
		if _, err := h.paced(t.Context(), newConnection(0, 9)); err != nil || h.limits.buckets != nil {
			t.Fatalf("there is no limit: %v", err)
		}
	}
}

func TestNewRateHoldsAtOnce(t *testing.T) {
	h := &Handler{RateLimit: 1, RateBurst: 2, Now: func() time.Time { return time.Unix(0, 0) }}
	c := newConnection(0, 0)
	for range 2 {
		if _, err := h.paced(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.paced(t.Context(), c); err == nil {
		t.Fatal("the limit does not hold")
	}
	c.RateLimit = 1000
	if _, err := h.paced(t.Context(), c); err != nil {
		t.Errorf("the higher limit does not hold: %v", err)
	}
}

func TestWaitingEndsWithTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &Handler{RateLimit: 5, RateBurst: 1}
		c := newConnection(0, 0)
		if _, err := h.paced(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		began := time.Now()
		if _, err := h.paced(ctx, c); !fault.Is(err, fault.Unavailable) || time.Since(began) != 50*time.Millisecond {
			t.Errorf("error = %v after %s", err, time.Since(began))
		}
	})
}

func TestIdleConnectionsAreNotCounted(t *testing.T) {
	clock := time.Unix(0, 0)
	h := &Handler{RateLimit: 1, RateBurst: 2, Now: func() time.Time { return clock }}
	busy := newConnection(1, 1000)
	for range 1000 {
		if _, err := h.paced(t.Context(), busy); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 * fewBuckets {
		clock = clock.Add(10 * time.Millisecond)
		if _, err := h.paced(t.Context(), newConnection(0, 0)); err != nil {
			t.Fatal(err)
		}
		if n := len(h.limits.buckets); n > 2*fewBuckets {
			t.Fatalf("%d connections are kept, though a hundred are in use", n)
		}
	}
	if left := h.limits.buckets[busy.ID].TokensAt(clock); left > 250 {
		t.Errorf("a connection that is in use was forgotten: it has %g turns", left)
	}
}
