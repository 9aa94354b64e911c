package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/rolesync/rolesync/claims"
	rolesync "github.com/rolesync/rolesync/sync"
)

// latency has users change at 300/s and measures, for each, how long after the answer
// (which comes after COMMIT) the new version was in Redis.
func (b *bench) latency(ctx context.Context) error {
	client, err := rolesync.Dial(rolesync.RedisOptions{URL: b.redis.URL(), Timeout: 5 * time.Second})
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }() // it only reads
	reader := claims.NewReader(client, claims.Keys{})
	from, err := reader.Position(ctx, b.Organization)
	if err != nil {
		return err
	}
	const perSecond, n = 300, 1500
	var mu sync.Mutex
	answered := map[string]time.Time{} // guarded by mu
	arrived := map[string]time.Time{}  // guarded by mu
	watchCtx, stop := context.WithTimeout(ctx, 30*time.Second)
	defer stop()
	watched := make(chan error, 1)
	go func() {
		for change, err := range reader.Watch(watchCtx, b.Organization, from) {
			if err != nil {
				watched <- err
				return
			}
			mu.Lock()
			arrived[change.Subject] = time.Now()
			done := len(arrived) == n
			mu.Unlock()
			if done {
				break
			}
		}
		watched <- nil
	}()
	group, err := b.group(ctx, "Finance latency", nil)
	if err != nil {
		return err
	}
	ticker := time.NewTicker(time.Second / perSecond)
	defer ticker.Stop()
	_, err = b.load(ctx, clients, 0, n, func(ctx context.Context, i int64) error {
		<-ticker.C
		user := b.world.users[someUsers-1-int(i)]
		if err := b.add(ctx, group, user); err != nil {
			return err
		}
		mu.Lock()
		answered[user] = time.Now()
		mu.Unlock()
		return nil
	})
	if err != nil {
		return err
	}
	if err := <-watched; err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	var times []time.Duration
	for user, at := range arrived {
		if !answered[user].IsZero() {
			times = append(times, max(0, at.Sub(answered[user])))
		}
	}
	if len(times) < n {
		return fmt.Errorf("only %d of %d changes arrived in Redis", len(times), n)
	}
	slices.Sort(times)
	p99 := times[len(times)*99/100]
	b.report("commit → readable in Redis at 300 changes/s", "p99 under 50 ms", p99 < 50*time.Millisecond, "p50 %s, p99 %s, max %s", short(times[len(times)/2]), short(p99), short(times[len(times)-1]))
	return nil
}

// refill empties Redis and waits until all is back.
func (b *bench) refill(ctx context.Context) error {
	key := claims.Keys{}.Assignments(b.Organization)
	count := func() (int, error) {
		text, err := b.redis.Do("HLEN", key)
		if err != nil {
			return 0, err
		}
		return strconv.Atoi(text)
	}
	want, err := count()
	if err != nil {
		return err
	}
	if _, err := b.redis.Do("FLUSHALL"); err != nil {
		return err
	}
	flushed := time.Now()
	var noticed time.Time
	for time.Since(flushed) < time.Minute && ctx.Err() == nil {
		got, err := count()
		if err != nil {
			return err
		}
		if noticed.IsZero() {
			// The new keys are filled beside the live ones, which appear at the end.
			if text, _ := b.redis.Do("EXISTS", key+":next"); text == "1" {
				noticed = time.Now()
			}
		}
		if got >= want {
			if noticed.IsZero() {
				noticed = flushed
			}
			took := time.Since(noticed)
			perSecond := float64(want) / took.Seconds()
			b.report("refill of an empty Redis", "50,000 users/s", perSecond >= 50_000, "%.0f users/s (%d users in %s, noticed after %s)", perSecond, want, short(took), short(noticed.Sub(flushed)))
			return nil
		}
		time.Sleep(time.Millisecond)
	}
	return errors.New("redis was not filled within a minute")
}
