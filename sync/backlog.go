package sync

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
)

// backlogInterval is how soon the backlog of a process that died is found. A process
// wakes itself for its own.
const backlogInterval = time.Second

// Run works off the backlog until ctx ends. Several processes may do so at once.
func (e *Engine) Run(ctx context.Context) {
	ticker := time.NewTicker(backlogInterval)
	defer ticker.Stop()
	var swept time.Time
	for {
		if err := e.WorkOff(ctx); err != nil && ctx.Err() == nil {
			e.log.Warn("backlog waits", "error", err)
		}
		if time.Since(swept) >= expiryInterval {
			e.sweepExpired(ctx)
			swept = time.Now()
		}
		select {
		case <-ctx.Done():
			return
		case <-e.wake:
		case <-ticker.C:
		}
	}
}

// expiryInterval is how often what has expired is deleted.
const expiryInterval = 15 * time.Second

// sweepExpired deletes used messages, requests and codes that are of no use any more. A
// backlog that comes meanwhile waits for a second at most.
func (e *Engine) sweepExpired(ctx context.Context) {
	deadline := time.Now().Add(time.Second)
	for more := true; more && ctx.Err() == nil && time.Now().Before(deadline); {
		var err error
		if more, err = e.store.SweepExpired(ctx, e.now()); err != nil {
			if ctx.Err() == nil {
				e.log.Warn("expired rows stay", "error", err)
			}
			return
		}
	}
}

// WorkOff evaluates everybody who is on the backlog, until it is empty. Organizations
// take turns, also those that come meanwhile: nobody's million users keep the others
// waiting, and neither does an organization in trouble.
func (e *Engine) WorkOff(ctx context.Context) error {
	failed := map[directory.OrganizationID]error{}
	for more := true; more && ctx.Err() == nil; {
		organizations, err := e.store.Backlog(ctx)
		if err != nil {
			return fmt.Errorf("read backlog: %w", err)
		}
		more = false
		for _, organization := range organizations {
			if failed[organization] != nil || ctx.Err() != nil {
				continue
			}
			left, err := e.workOffChunk(ctx, organization)
			if err != nil {
				failed[organization] = fmt.Errorf("backlog of %s: %w", organization, err)
			}
			more = more || left
		}
	}
	return errors.Join(slices.Collect(maps.Values(failed))...)
}

// workOffChunk evaluates some users in a transaction of their own, and takes them
// off the backlog in the same one.
func (e *Engine) workOffChunk(ctx context.Context, organization directory.OrganizationID) (more bool, err error) {
	var o outcome
	by := Author{Organization: organization, Name: "rolesync"}
	err = e.store.Transact(ctx, by.scope(), store.Facts, func(tx *store.Tx) error {
		o, more = outcome{}, false
		basis := tx.Basis()
		users, cause, err := tx.TakeStale(InlineLimit)
		if err != nil {
			return err
		}
		by.Request = cause
		if len(users) == 0 {
			if users, err = tx.AdvanceSweep(InlineLimit); err != nil {
				return err
			}
			by.Request = fmt.Sprintf("rules version %d, roles version %d", basis.Get().RulesVersion, basis.Get().CatalogVersion)
		}
		o.basis = basis.Get()
		if len(users) == 0 {
			return nil
		}
		more = true
		slices.Sort(users)
		tx.LockAnyUsers(users)
		subjects := tx.Subjects(users)
		if err := tx.Flush(); err != nil {
			return err
		}
		o.assignments, err = evaluate(e, tx, by, e.now(), o.basis, users, subjects.Get())
		return err
	})
	if err != nil {
		return false, err
	}
	e.publish(o)
	return more, nil
}
