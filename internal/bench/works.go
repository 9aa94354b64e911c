package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/rolesync/rolesync/internal/harness"
)

func (b *bench) startUp(context.Context) error {
	b.report("idle memory", "at most 40 MiB", b.idle <= 40<<20, "%s", mib(b.idle))
	b.report("start-up", "at most 150 ms", b.restarted <= 150*time.Millisecond, "%s (%s with an empty database)", short(b.restarted), short(b.started))
	return nil
}

// create posts one user as Okta does.
func (b *bench) create(ctx context.Context, i int) error {
	id, err := b.CreateUser(ctx, b.service, fmt.Sprintf("user%d", i))
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.world.users = append(b.world.users, id)
	return nil
}

func (b *bench) createUsers(ctx context.Context) error {
	r, err := b.load(ctx, clients, b.seconds, 0, func(ctx context.Context, i int64) error { return b.create(ctx, int(i)) })
	if err == nil {
		b.report("create user", "2,000/s", r.perSecond() >= 2000, "%s", r.describe())
	}
	return err
}

// usersUpTo creates users until there are n.
func (b *bench) usersUpTo(ctx context.Context, n int) error {
	have := len(b.world.users)
	if have >= n {
		return nil
	}
	_, err := b.load(ctx, clients, 0, int64(n-have), func(ctx context.Context, i int64) error { return b.create(ctx, 1_000_000+have+int(i)) })
	return err
}

const someUsers = 10_000

func (b *bench) someUsers(ctx context.Context) error { return b.usersUpTo(ctx, someUsers) }

func (b *bench) moreUsers(ctx context.Context) error { return b.usersUpTo(ctx, someUsers+100) }

// someGroups makes 500 groups of 10 members each.
func (b *bench) someGroups(ctx context.Context) error {
	if err := b.usersUpTo(ctx, someUsers); err != nil {
		return err
	}
	for i := range 500 {
		id, err := b.group(ctx, fmt.Sprintf("team-%03d", i), b.world.users[10*i:10*i+10])
		if err != nil {
			return err
		}
		b.groups = append(b.groups, id)
	}
	return nil
}

func (b *bench) patchMany(ctx context.Context) error {
	pair := 0
	join := func(ctx context.Context, i int64) error {
		// Each group and user meet once, and a group takes its turn after 499 others.
		n := int64(pair) + i
		return b.add(ctx, b.groups[n%500], b.world.users[(5000+n/500+(n%500)*7)%someUsers])
	}
	r, err := b.load(ctx, clients, b.seconds, 0, join)
	if err != nil {
		return err
	}
	b.report("PATCH add one member, over 500 groups", "2,500/s", r.perSecond() >= 2500, "%s", r.describe())
	b.report("… server + database CPU", "0.6 ms", r.service+r.database <= 600*time.Microsecond, "%s", short(r.service+r.database))
	pair = int(r.n)
	r, err = b.load(ctx, 1, b.seconds, 0, join)
	if err == nil {
		b.report("… p50 with one client", "1.2 ms", r.percentile(0.5) <= 1200*time.Microsecond, "%s (p99 %s)", short(r.percentile(0.5)), short(r.percentile(0.99)))
	}
	return err
}

func (b *bench) lookUps(ctx context.Context) error {
	r, err := b.load(ctx, clients, b.seconds, 0, func(ctx context.Context, i int64) error {
		if i%2 == 0 {
			return b.send(ctx, "GET", "/Users/"+b.world.users[i%someUsers], nil, nil)
		}
		filter := url.QueryEscape(fmt.Sprintf(`userName eq "user%d@example.com"`, i%5000))
		return b.send(ctx, "GET", "/Users?startIndex=1&count=1&filter="+filter, nil, nil)
	})
	if err == nil {
		b.report("look-up by userName, GET user", "5,000/s", r.perSecond() >= 5000, "%s", r.describe())
	}
	return err
}

func (b *bench) lists(ctx context.Context) error {
	total := len(b.world.users)
	var page struct {
		TotalResults int               `json:"totalResults"`
		Resources    []json.RawMessage `json:"Resources"`
	}
	if err := b.send(ctx, "GET", "/Users?count=100", nil, &page); err != nil {
		return err
	}
	if page.TotalResults != total || len(page.Resources) != 100 {
		return fmt.Errorf("a page says %d users in all and has %d, not %d and 100", page.TotalResults, len(page.Resources), total)
	}
	r, err := b.load(ctx, clients, b.seconds, 0, func(ctx context.Context, i int64) error {
		return b.send(ctx, "GET", fmt.Sprintf("/Users?count=100&startIndex=%d", 1+100*(i%int64(total/100))), nil, nil)
	})
	if err == nil {
		b.report(fmt.Sprintf("list page of 100 of %d users, right totalResults", total), "500/s", r.perSecond() >= 500, "%s", r.describe())
		b.report("… server + database CPU", "2 ms", r.service+r.database <= 2*time.Millisecond, "%s", short(r.service+r.database))
	}
	return err
}

func (b *bench) peakMemory(context.Context) error {
	peak := b.memory("VmHWM")
	b.report("peak memory under this load", "at most 120 MiB", peak <= 120<<20, "%s", mib(peak))
	return nil
}

// everybody makes as many users as the largest group has, and some more.
func (b *bench) everybody(ctx context.Context) error { return b.usersUpTo(ctx, b.users+1000) }

// largeGroups makes groups of 10, 50,000 and 100,000, once.
func (b *bench) largeGroups(ctx context.Context) error {
	if err := b.everybody(ctx); err != nil || b.sized != nil {
		return err
	}
	for _, size := range []int{10, b.users / 2, b.users} {
		id, err := b.group(ctx, fmt.Sprintf("size-%d", size), nil)
		if err != nil {
			return err
		}
		for at := 0; at < size; at += 5000 {
			if err := b.add(ctx, id, b.world.users[at:min(at+5000, size)]...); err != nil {
				return err
			}
		}
		b.sized = append(b.sized, id)
	}
	return nil
}

// patchLarge adds and removes one member of groups of each size, in turns, so that a
// drift of the machine meets all alike.
func (b *bench) patchLarge(ctx context.Context) error {
	sizes := []int{10, b.users / 2, b.users}
	times := make([]time.Duration, len(sizes))
	cpus := make([]time.Duration, len(sizes))
	const rounds, each = 10, 40
	for range rounds {
		for i, group := range b.sized {
			r, err := b.load(ctx, 1, 0, each, func(ctx context.Context, n int64) error {
				member := b.world.users[b.users+int(n/2)]
				if n%2 == 0 {
					return b.add(ctx, group, member)
				}
				return b.remove(ctx, group, member)
			})
			if err != nil {
				return err
			}
			times[i] += r.percentile(0.5) / rounds
			cpus[i] += (r.service + r.database) / rounds
		}
	}
	var parts []string
	for i, size := range sizes {
		parts = append(parts, fmt.Sprintf("%d: %s", size, short(times[i])))
	}
	worst := max(float64(times[1]), float64(times[2])) / float64(times[0])
	b.report("the same in a large group, median time", "within 20 % of a group of 10", worst <= 1.2, "%s (%+.0f %%)", strings.Join(parts, ", "), 100*(worst-1))
	return nil
}

func (b *bench) patchHundred(ctx context.Context) error {
	group, err := b.group(ctx, "hundreds", nil)
	if err != nil {
		return err
	}
	r, err := b.load(ctx, 1, 0, 50, func(ctx context.Context, i int64) error {
		return b.add(ctx, group, b.world.users[100*i:100*i+100]...)
	})
	if err != nil {
		return err
	}
	b.report("PATCH add 100 members in one request", "under 10 ms", r.percentile(0.5) < 10*time.Millisecond, "p50 %s, p99 %s (service %s, database %s CPU)",
		short(r.percentile(0.5)), short(r.percentile(0.99)), short(r.service), short(r.database))
	return nil
}

func (b *bench) putLarge(ctx context.Context) error {
	members := append([]string{}, b.world.users[:10_000]...)
	group, err := b.group(ctx, "ten-thousand", members)
	if err != nil {
		return err
	}
	r, err := b.load(ctx, 1, 0, 20, func(ctx context.Context, i int64) error {
		members[0] = b.world.users[10_000+int(i)]
		return b.send(ctx, "PUT", "/Groups/"+group, harness.GroupBody("ten-thousand", members), nil)
	})
	if err == nil {
		b.report("PUT group of 10,000, one member differs", "under 100 ms", r.percentile(0.5) < 100*time.Millisecond, "p50 %s, p99 %s", short(r.percentile(0.5)), short(r.percentile(0.99)))
	}
	return err
}
