package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rolesync/rolesync/internal/harness"
)

// What identity providers do on a large day: a thousand leave at once, a group of
// everybody is stated whole, forty customers write together, a customer arrives.

// removeThousand has 1,000 members leave a group by as many operations.
func (b *bench) removeThousand(ctx context.Context) error {
	group, err := b.group(ctx, "leavers", nil)
	if err != nil {
		return err
	}
	type operation struct {
		Op   string `json:"op"`
		Path string `json:"path"`
	}
	operations := make([]operation, 1000)
	for i := range operations {
		operations[i] = operation{"remove", fmt.Sprintf("members[value eq %q]", b.world.users[i])}
	}
	body, err := json.Marshal(map[string]any{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": operations})
	if err != nil {
		return err
	}
	const rounds = 20
	var all rate
	for range rounds {
		if err := b.add(ctx, group, b.world.users[:1000]...); err != nil {
			return err
		}
		if err := b.settled(ctx); err != nil {
			return err
		}
		r, err := b.load(ctx, 1, 0, 1, func(ctx context.Context, _ int64) error {
			return b.send(ctx, "PATCH", "/Groups/"+group, body, nil)
		})
		if err != nil {
			return err
		}
		all.sorted = append(all.sorted, r.sorted...)
		all.service += r.service / rounds
		all.database += r.database / rounds
	}
	slices.Sort(all.sorted)
	b.report("PATCH with 1,000 removals", "15 ms of the service's CPU", all.service < 15*time.Millisecond, "%s (database %s CPU; p50 %s)",
		short(all.service), short(all.database), short(all.percentile(0.5)))
	return nil
}

// settled waits until everybody has been evaluated and Redis has it: what is measured
// next is alone.
func (b *bench) settled(ctx context.Context) error {
	before := time.Duration(-1)
	for range 600 {
		service, database := b.cpu()
		if service+database == before {
			return nil
		}
		before = service + database
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return errors.New("the service does not come to rest")
}

// putWhole states a group of everybody: first all join, then one differs.
func (b *bench) putWhole(ctx context.Context) error {
	group, err := b.group(ctx, "everybody", nil)
	if err != nil {
		return err
	}
	members := slices.Clone(b.world.users[:b.users])
	put := func() (rate, int64, error) {
		if err := b.settled(ctx); err != nil {
			return rate{}, 0, err
		}
		body := harness.GroupBody("everybody", members)
		before := b.memory("VmRSS")
		// The kernel forgets the peak so far (proc(5)).
		if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", b.service.PID()), []byte("5"), 0); err != nil {
			return rate{}, 0, err
		}
		r, err := b.load(ctx, 1, 0, 1, func(ctx context.Context, _ int64) error {
			return b.send(ctx, "PUT", "/Groups/"+group, body, nil)
		})
		return r, b.memory("VmHWM") - min(before, b.idle), err
	}
	first, peak, err := put()
	if err != nil {
		return err
	}
	b.report(fmt.Sprintf("PUT group of %d, all of them join", b.users), "under 2 s", first.took < 2*time.Second, "%s (service %s, database %s CPU)",
		short(first.took), short(first.service), short(first.database))
	var times []time.Duration
	for i := range 5 {
		members[0] = b.world.users[b.users+i]
		took, over, err := put()
		if err != nil {
			return err
		}
		times = append(times, took.took)
		peak = max(peak, over)
	}
	slices.Sort(times)
	b.report("… one of them differs", "under 2 s", times[len(times)-1] < 2*time.Second, "p50 %s, max %s", short(times[len(times)/2]), short(times[len(times)-1]))
	b.report("… memory over idle, at its peak", "under 200 MiB", peak < 200<<20, "%s", mib(peak))
	return nil
}

// getWithoutMembers reads groups of each size without their members.
func (b *bench) getWithoutMembers(ctx context.Context) error {
	var parts []string
	times := make([]time.Duration, len(b.sized))
	const rounds, each = 10, 50
	for range rounds {
		for i, group := range b.sized {
			r, err := b.load(ctx, 1, 0, each, func(ctx context.Context, _ int64) error {
				return b.send(ctx, "GET", "/Groups/"+group+"?excludedAttributes=members", nil, nil)
			})
			if err != nil {
				return err
			}
			times[i] += r.percentile(0.5) / rounds
		}
	}
	for i, size := range []int{10, b.users / 2, b.users} {
		parts = append(parts, fmt.Sprintf("%d: %s", size, short(times[i])))
	}
	worst := float64(slices.Max(times)) / float64(times[0])
	b.report("GET of a group without its members", "whatever its size (within 20 %)", worst <= 1.2, "%s (%+.0f %%)", strings.Join(parts, ", "), 100*(worst-1))
	return nil
}

const (
	tenants   = 40
	perTenant = 25 // writes a second
)

// manyTenants has 40 connections, each of an organization of its own, write at 25
// requests a second: creations, members, profiles, deactivations.
func (b *bench) manyTenants(ctx context.Context) error {
	type customer struct {
		*harness.Tenant
		users []string
		group string
	}
	customers := make([]*customer, tenants)
	for i := range customers {
		tenant, err := harness.NewTenantLike(ctx, b.service, fmt.Sprintf("Customer %d", i), b.Tenant)
		if err != nil {
			return err
		}
		c := &customer{Tenant: tenant}
		if c.group, err = c.CreateGroup(ctx, b.service, "team-all", nil); err != nil {
			return err
		}
		customers[i] = c
	}
	write := func(ctx context.Context, c *customer, i int) error {
		if i%4 == 0 {
			id, err := c.CreateUser(ctx, b.service, fmt.Sprintf("user%d", i))
			c.users = append(c.users, id)
			return err
		}
		user := c.users[len(c.users)-1]
		switch i % 4 {
		case 1:
			return c.AddMembers(ctx, b.service, c.group, user)
		case 2:
			return c.SetActive(ctx, b.service, c.users[(i/4)%len(c.users)], i%8 == 2)
		}
		return c.RemoveMember(ctx, b.service, c.group, c.users[(i/8)%len(c.users)])
	}
	duration := b.long
	var mu sync.Mutex
	var all []time.Duration // guarded by mu
	failed := 0             // guarded by mu
	var first error         // guarded by mu
	var wg sync.WaitGroup
	serviceBefore, databaseBefore := b.cpu()
	began := time.Now()
	for n, c := range customers {
		wg.Go(func() {
			next := began.Add(time.Duration(n) * time.Second / (tenants * perTenant))
			for i := 0; time.Since(began) < duration && ctx.Err() == nil; i++ {
				time.Sleep(time.Until(next))
				due := next // a request that had to wait for the one before waits on the clock
				next = next.Add(time.Second / perTenant)
				err := write(ctx, c, i)
				mu.Lock()
				all = append(all, time.Since(due))
				if err != nil {
					failed++
					first = errors.Join(first, err)
				}
				mu.Unlock()
				if err != nil && failed > 10 {
					return
				}
			}
		})
	}
	wg.Wait()
	if failed > 0 {
		return fmt.Errorf("%d of %d writes failed: %w", failed, len(all), first)
	}
	serviceAfter, databaseAfter := b.cpu()
	slices.Sort(all)
	r := rate{n: int64(len(all)), took: time.Since(began), sorted: all,
		service: (serviceAfter - serviceBefore) / time.Duration(len(all)), database: (databaseAfter - databaseBefore) / time.Duration(len(all))}
	b.report(fmt.Sprintf("%d connections × %d writes/s for %s, none refused", tenants, perTenant, duration), "p99 under 250 ms", r.percentile(0.99) < 250*time.Millisecond, "%s", r.describe())
	return nil
}

// firstSync has a customer of 20,000 users and 500 groups arrive as Okta pushes: each
// user is looked up and created, each group is looked up, created and given its members.
func (b *bench) firstSync(ctx context.Context) error {
	tenant, err := harness.NewTenantLike(ctx, b.service, "Large customer", b.Tenant)
	if err != nil {
		return err
	}
	const users, groups, perGroup = 20_000, 500, 200
	lookUp := func(path, attribute, value string) error {
		return tenant.Send(ctx, b.service, "GET", path+"?startIndex=1&count=100&filter="+url.QueryEscape(fmt.Sprintf("%s eq %q", attribute, value)), nil, nil)
	}
	ids := make([]string, users)
	began := time.Now()
	people, err := b.load(ctx, clients, 0, users, func(ctx context.Context, i int64) error {
		name := fmt.Sprintf("arrival%d", i)
		if err := lookUp("/Users", "userName", name+"@example.com"); err != nil {
			return err
		}
		var err error
		ids[i], err = tenant.CreateUser(ctx, b.service, name)
		return err
	})
	if err != nil {
		return err
	}
	teams, err := b.load(ctx, clients, 0, groups, func(ctx context.Context, i int64) error {
		name := fmt.Sprintf("team-%d", i)
		if err := lookUp("/Groups", "displayName", name); err != nil {
			return err
		}
		group, err := tenant.CreateGroup(ctx, b.service, name, nil)
		for at := 0; err == nil && at < perGroup; at += 100 {
			from := (int(i)*perGroup/2 + at) % (users - 100)
			err = tenant.AddMembers(ctx, b.service, group, ids[from:from+100]...)
		}
		return err
	})
	if err != nil {
		return err
	}
	took := time.Since(began)
	b.report(fmt.Sprintf("first synchronisation of %d users and %d groups of %d", users, groups, perGroup), "reported", true,
		"%.1f s: users %.1f s (look-up and creation: p50 %s, p99 %s), groups %.1f s (p50 %s, p99 %s)", took.Seconds(),
		people.took.Seconds(), short(people.percentile(0.5)), short(people.percentile(0.99)), teams.took.Seconds(), short(teams.percentile(0.5)), short(teams.percentile(0.99)))
	return nil
}
