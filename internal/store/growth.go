package store

import (
	"context"
	"sync"
	"time"
)

// grown is about how many rows were inserted into the tables that plans depend on.
type grown struct{ users, groups, memberships, nested int }

func (g grown) plus(other grown) grown {
	return grown{g.users + other.users, g.groups + other.groups, g.memberships + other.memberships, g.nested + other.nested}
}

// growth has PostgreSQL look at its tables again whenever one has doubled. A plan
// is kept with its connection until then, and one that was made for a table of ten
// rows may read the whole index of a table of ten thousand: any index will do for ten
// rows. Autovacuum would do the same, but up to a minute later, in the middle of a
// first synchronisation.
type growth struct {
	analyze func(context.Context)

	mu      sync.Mutex
	rows    grown // guarded by mu: inserted by this process
	next    grown // guarded by mu: analyze when rows reaches it
	running bool  // guarded by mu
	stopped bool  // guarded by mu
	wg      sync.WaitGroup
}

const firstGrowth = 200

func (g *growth) add(rows grown) {
	if rows == (grown{}) {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rows = g.rows.plus(rows)
	due := false
	for _, table := range []struct{ rows, next *int }{
		{&g.rows.users, &g.next.users}, {&g.rows.groups, &g.next.groups}, {&g.rows.memberships, &g.next.memberships},
		{&g.rows.nested, &g.next.nested},
	} {
		if *table.rows >= max(*table.next, firstGrowth) && !g.running && !g.stopped {
			*table.next = 2 * *table.rows
			due = true
		}
	}
	if !due {
		return
	}
	g.running = true
	g.wg.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		g.analyze(ctx)
		g.mu.Lock()
		g.running = false
		g.mu.Unlock()
	})
}

func (g *growth) stop() {
	g.mu.Lock()
	g.stopped = true
	g.mu.Unlock()
	g.wg.Wait()
}

func (p *postgres) analyze(ctx context.Context) {
	// Ignored: it is a matter of speed, and autovacuum will do it.
	// VACUUM besides, so that a list passes over earlier pages in the index alone.
	_, _ = p.pool.Exec(ctx, "VACUUM (ANALYZE) users, groups, memberships, nested_groups, pending_members, assignments")
}
