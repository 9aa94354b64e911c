package claims_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/rolesync/rolesync/claims"
	"github.com/rolesync/rolesync/internal/testserver"
)

func announce(tb testing.TB, client *redis.Client, c claims.Change) string {
	tb.Helper()
	id, err := client.XAdd(tb.Context(), &redis.XAddArgs{Stream: claims.Keys{}.Changes(org), MaxLen: 10000, Approx: true, Values: c.Values()}).Result()
	if err != nil {
		tb.Fatal(err)
	}
	return id
}

func change(version int64) claims.Change {
	return claims.Change{Subject: "usr_1", Version: version, Epoch: 1, Kind: claims.Assigned, Cause: fmt.Sprintf("req_%d", version)}
}

func TestWatchSeesEveryChangeAfterAPositionInOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		reader := claims.NewReader(client, claims.Keys{})
		if at, err := reader.Position(ctx, org); err != nil || at != "0-0" {
			t.Fatalf("Position of an empty stream = %q, %v", at, err)
		}
		announce(t, client, change(1))
		at, err := reader.Position(ctx, org)
		if err != nil {
			t.Fatal(err)
		}
		announce(t, client, change(2))
		var got []claims.Change
		for c, err := range reader.Watch(ctx, org, at) {
			if err != nil {
				t.Fatal(err)
			}
			if age := time.Since(c.Time()); age < -time.Minute || age > time.Minute {
				t.Errorf("Time() = %v", c.Time())
			}
			c.ID = ""
			got = append(got, c)
			if c.Version == 4 {
				break
			}
			announce(t, client, change(c.Version+1)) // while it waits, or just before
		}
		if diff := cmp.Diff([]claims.Change{change(2), change(3), change(4)}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestWatchFromTheEndSeesOnlyWhatComesWhileItWaits(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		announce(t, client, change(1))
		reading := make(chan struct{}, 100)
		client.AddHook(signal{"xread", reading})
		seen := make(chan claims.Change)
		go func() {
			defer close(seen)
			for c, err := range claims.NewReader(client, claims.Keys{}).Watch(ctx, org, "") {
				if err == nil {
					seen <- c
				}
				return
			}
		}()
		<-reading // its place is known: XREAD is on its way
		announce(t, client, change(2))
		if c := <-seen; c.Version != 2 {
			t.Errorf("saw %+v, want version 2", c)
		}
		<-seen
	})
}

func TestWatchEndsWithItsContext(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		ctx, cancel := context.WithCancel(t.Context())
		reading := make(chan struct{}, 100)
		client.AddHook(signal{"xread", reading})
		done := make(chan error, 1)
		go func() {
			defer close(done)
			for _, err := range claims.NewReader(client, claims.Keys{}).Watch(ctx, org, "0") {
				done <- err
				return
			}
		}()
		<-reading
		cancel()
		if err, yielded := <-done; yielded {
			t.Errorf("yielded %v after the end", err)
		}
	})
}

func TestWatchGoesOnAfterRedisWasAway(t *testing.T) {
	server := testserver.Redis(t) // a real one: the embedded one answers no XREAD after a restart
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), MaxRetries: -1, DialerRetries: 1})
	t.Cleanup(func() { _ = client.Close() })
	announce(t, client, change(1))
	var got []int64
	failures := 0
	for c, err := range claims.NewReader(client, claims.Keys{}).Watch(t.Context(), org, "0") {
		if err != nil {
			if failures++; failures == 1 {
				if err := server.Start(); err != nil {
					t.Fatal(err)
				}
				announce(t, connect(t, server.Addr()), change(2))
			}
			continue
		}
		if got = append(got, c.Version); c.Version == 2 {
			break
		}
		if err := server.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	if failures == 0 || !cmp.Equal(got, []int64{1, 2}) {
		t.Errorf("saw %v with %d failures, want [1 2] with at least one", got, failures)
	}
}

func TestWatchPassesOverAMalformedEntry(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		add := func(values ...any) {
			if err := client.XAdd(t.Context(), &redis.XAddArgs{Stream: claims.Keys{}.Changes(org), Values: values}).Err(); err != nil {
				t.Fatal(err)
			}
		}
		add("subject", "usr_1", "version", "seven", "epoch", "1", "kind", "assigned", "cause", "r")
		add("subject", "", "version", "7", "epoch", "1", "kind", "assigned", "cause", "r")
		add("other", "x")
		announce(t, client, change(8))
		malformed := 0
		for c, err := range claims.NewReader(client, claims.Keys{}).Watch(t.Context(), org, "0") {
			if err == nil {
				if c.Version != 8 || malformed != 3 {
					t.Errorf("saw %+v after %d malformed entries, want version 8 after 3", c, malformed)
				}
				break
			}
			if !errors.Is(err, claims.ErrMalformed) || c.ID == "" {
				t.Fatalf("yielded %+v, %v", c, err)
			}
			malformed++
		}
	})
}

// signal is a hook that says when a command is sent.
type signal struct {
	command string
	sent    chan<- struct{}
}

func (s signal) DialHook(next redis.DialHook) redis.DialHook { return next }
func (s signal) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == s.command {
			select {
			case s.sent <- struct{}{}:
			default:
			}
		}
		return next(ctx, cmd)
	}
}
func (s signal) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
