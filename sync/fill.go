package sync

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
)

const (
	fillPage         = 2_000 // assignments read at once
	fillAtOnce       = 3     // organizations
	generationsEvery = 15    // identity checks, between looks at every organization

	// fillPatience is how long a filling may be silent before another process takes it
	// for dead.
	fillPatience = 10 * time.Second
)

// watch notices that Redis is not the one that was filled, and fills it.
func (w *Writer) watch(ctx context.Context) {
	for n := 0; ; n++ {
		if err := w.check(ctx, n%generationsEvery == 0 || w.hasUnfilled()); ctx.Err() == nil {
			w.checked(err)
		}
		if !wait(ctx, checkInterval) {
			return
		}
	}
}

// check compares Redis with what SQL says was filled, and mends the difference.
func (w *Writer) check(ctx context.Context, every bool) error {
	identity, err := w.sink.identity(ctx)
	if err != nil {
		return err
	}
	w.mu.Lock()
	known := w.identity == identity
	w.mu.Unlock()
	if !known {
		// Another process may have filled it already.
		filled, err := w.store.RedisIdentity(ctx)
		if err != nil {
			return err
		}
		if filled != identity {
			return w.fillAll(ctx)
		}
		w.setIdentity(identity)
	}
	if !every {
		return nil
	}
	return w.fillLost(ctx)
}

func (w *Writer) setIdentity(identity string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.identity = identity
}

// fillAll fills every organization, and remembers which Redis now has it all.
func (w *Writer) fillAll(ctx context.Context) error {
	started := time.Now()
	w.setFilling(true)
	defer w.setFilling(false)
	before, err := w.sink.identity(ctx)
	if err != nil {
		return err
	}
	if err := w.fillEach(ctx, func(store.OrganizationGeneration, generation) bool { return true }); err != nil {
		return err
	}
	// Before the mark: a server that was replaced meanwhile is not what was filled.
	if after, err := w.sink.identity(ctx); err != nil || after != before {
		return errors.Join(err, errors.New("redis was replaced while it was being filled"))
	}
	if err := w.sink.mark(ctx, directory.NewKeyID()); err != nil {
		return err
	}
	// And after it: the mark itself may have gone to a new, empty server.
	identity, err := w.sink.identity(ctx)
	if err != nil {
		return err
	}
	if runsOf(identity) != runsOf(before) {
		return errors.New("redis was replaced when it had just been filled")
	}
	if err := w.store.SetRedisIdentity(ctx, identity); err != nil {
		return err
	}
	w.setIdentity(identity)
	w.log.Info("redis was filled", "took", time.Since(started).Round(time.Millisecond))
	return nil
}

// runsOf is the part of an identity that a restart or a failover changes.
func runsOf(identity string) string {
	_, runs, _ := strings.Cut(identity, " ")
	return runs
}

// fillLost fills the organizations whose keys are gone or of another generation, unless
// another process is at it: two that overtook each other would never end.
func (w *Writer) fillLost(ctx context.Context) error {
	now := directory.Now()
	return w.fillEach(ctx, func(sql store.OrganizationGeneration, redis generation) bool {
		fresh := now.Sub(redis.filling).Abs() < fillPatience
		lost := sql.Generation != redis.number || !redis.entries && w.hasEntries(ctx, sql.Organization)
		return sql.Generation > 0 && lost && (!fresh || w.isUnfilled(sql.Organization))
	})
}

// hasEntries reports whether Redis should have entries of an organization. When SQL
// does not say, the next look will tell.
func (w *Writer) hasEntries(ctx context.Context, organization directory.OrganizationID) bool {
	first, err := w.store.Assignments(ctx, organization, "", 1)
	return err == nil && len(first) > 0
}

// unfilled are organizations whose filling failed in this process, so that nobody needs
// to wait for it.
type unfilled map[directory.OrganizationID]bool

func (w *Writer) setUnfilled(id directory.OrganizationID, failed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if failed {
		w.unfilled[id] = true
	} else {
		delete(w.unfilled, id)
	}
}

func (w *Writer) isUnfilled(id directory.OrganizationID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.unfilled[id]
}

func (w *Writer) hasUnfilled() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.unfilled) > 0
}

// fillEach fills the chosen organizations, some at once.
func (w *Writer) fillEach(ctx context.Context, choose func(sql store.OrganizationGeneration, redis generation) bool) error {
	var mu sync.Mutex
	var refused []error // guarded by mu: by Redis, for one organization; others go on
	var after directory.OrganizationID
	for {
		page, err := w.store.Generations(ctx, after, 1000)
		if err != nil || len(page) == 0 {
			return errors.Join(append(refused, err)...)
		}
		ids := make([]directory.OrganizationID, len(page))
		for i, g := range page {
			ids[i] = g.Organization
		}
		inRedis, err := w.sink.generations(ctx, ids)
		if err != nil {
			return err
		}
		group, groupCtx := errgroup.WithContext(ctx)
		group.SetLimit(fillAtOnce)
		for i, g := range page {
			if choose(g, inRedis[i]) {
				group.Go(func() error {
					_, err := w.fill(groupCtx, g.Organization)
					if _, answered := errors.AsType[redis.Error](err); answered {
						mu.Lock()
						defer mu.Unlock()
						refused = append(refused, err)
						return nil
					}
					return err
				})
			}
		}
		if err := group.Wait(); err != nil {
			return err
		}
		after = ids[len(ids)-1]
	}
}

// fill replaces an organization's keys by what SQL holds. Live writes meanwhile go to
// the old and the new keys, and an older version never replaces a newer one, so the
// result is as new as either. A filling of a higher generation, by another process,
// takes this one's place; then it reports false.
func (w *Writer) fill(ctx context.Context, organization directory.OrganizationID) (filled bool, err error) {
	defer func() { w.setUnfilled(organization, err != nil) }()
	inRedis, err := w.sink.generations(ctx, []directory.OrganizationID{organization})
	if err != nil {
		return false, err
	}
	basis, err := w.store.NextGeneration(ctx, organization, inRedis[0].highest)
	if err != nil {
		return false, fmt.Errorf("fill %s: %w", organization, err)
	}
	answer, err := w.fillGeneration(ctx, organization, basis)
	switch {
	case err != nil:
		return false, fmt.Errorf("fill %s: %w", organization, err)
	case answer == delivered:
		return true, nil
	}
	if by, err := strconv.ParseInt(answer, 10, 64); err != nil || by <= basis.Generation {
		return false, fmt.Errorf("fill %s: redis lost its data meanwhile", organization)
	}
	w.log.Info("another process fills the organization", "org", string(organization), "generation", answer)
	return false, nil
}

func (w *Writer) fillGeneration(ctx context.Context, organization directory.OrganizationID, basis store.Basis) (answer string, err error) {
	if answer, err = w.sink.begin(ctx, organization, basis.Generation); err != nil || answer != delivered {
		return answer, err
	}
	// The next page is read while the last one is written.
	pages := make(chan []store.Assignment, 1)
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(pages)
		var after directory.UserID
		for {
			page, err := w.store.Assignments(groupCtx, organization, after, fillPage)
			if err != nil || len(page) == 0 {
				return err
			}
			select {
			case pages <- page:
			case <-groupCtx.Done():
				return groupCtx.Err()
			}
			after = page[len(page)-1].User
		}
	})
	group.Go(func() error {
		for page := range pages {
			d := &delivery{organization: organization, basis: basis, assignments: page}
			if err := w.sink.publish(groupCtx, []*delivery{d}, "fill"); err != nil {
				return err
			}
			if d.answer != delivered {
				return overtakenBy(d.answer)
			}
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		if by, ok := errors.AsType[overtakenBy](err); ok {
			return string(by), nil
		}
		return "", err
	}
	return w.sink.swap(ctx, organization, basis)
}

// overtakenBy is the generation of a filling that took this one's place.
type overtakenBy string

func (o overtakenBy) Error() string { return "overtaken by generation " + strconv.Quote(string(o)) }
