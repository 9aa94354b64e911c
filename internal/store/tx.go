package store

import (
	"context"
	"errors"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
)

// Lock says whom a transaction keeps out.
type Lock int

// The locks, from the one that lets most others work beside it.
const (
	Facts      Lock = iota // a change of users, groups, members: beside others of its organization
	Rules                  // a change of one organization's rules, or of which groups are in which: alone in it
	Deployment             // a change of the roles of all: alone altogether
)

// Tx is one transaction in one scope. It is not safe for concurrent use, and not to
// be kept beyond the closure that was given it.
type Tx struct {
	Scope
	ctx    context.Context
	tx     transaction
	queued []statement
	audits []AuditEntry // written when it commits
	failed error        // of a flush
	// flushes tells whether what stood behind a Mark was sent.
	flushes int
}

// attempts bounds how often a transaction that lost a deadlock is run again.
const attempts = 6

// Transact runs change in a transaction and commits. The closure may run more than
// once, so it must set, not add to, whatever it captures. Its error rolls back and
// is returned as it is. It does not look whether the organization exists: Basis does.
//
// The caller going away does not stop a change halfway: it is bounded by time alone.
func (s *Store) Transact(ctx context.Context, scope Scope, lock Lock, change func(*Tx) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	for attempt := 1; ; attempt++ {
		err := s.attempt(ctx, scope, lock, change)
		if !errors.Is(err, errRetry) {
			return err
		}
		if attempt == attempts {
			return fault.Wrap(fault.Unavailable, err, "too many changes of the same users and groups at once; nothing was changed, try again")
		}
		s.log.Warn("transaction runs again", "attempt", attempt, "error", err)
		time.Sleep(time.Duration(attempt) * time.Duration(1+rand.IntN(5)) * time.Millisecond)
	}
}

func (s *Store) attempt(ctx context.Context, scope Scope, lock Lock, change func(*Tx) error) error {
	underlying, err := s.db.begin(ctx)
	if err != nil {
		return err
	}
	defer underlying.rollback()
	tx := &Tx{Scope: scope, ctx: ctx, tx: underlying}
	switch lock {
	case Facts:
		tx.queue(statement{sql: lockShared, args: []any{lockKey(string(scope.Organization))}})
	case Rules:
		tx.queue(statement{sql: lockOrganization, args: []any{lockKey(string(scope.Organization))}})
	case Deployment:
		tx.queue(statement{sql: lockDeployment})
	}
	if err := change(tx); err != nil {
		return err
	}
	if tx.failed != nil {
		return tx.failed
	}
	// An answer that can refuse the transaction must be known before COMMIT is sent.
	if slices.ContainsFunc(tx.queued, func(s statement) bool { return s.done != nil || s.each != nil }) {
		if err := tx.Flush(); err != nil {
			return err
		}
	}
	tx.queueAudits()
	queued := tx.queued
	tx.queued = nil
	return underlying.commit(ctx, queued)
}

// Flush sends what is queued, in one round trip; afterwards every Later is answered.
// After an error the transaction can only be rolled back, whatever the closure returns.
func (tx *Tx) Flush() error {
	if tx.failed != nil || len(tx.queued) == 0 {
		return tx.failed
	}
	queued := tx.queued
	tx.queued, tx.flushes = nil, tx.flushes+1
	tx.failed = tx.tx.run(tx.ctx, queued)
	return tx.failed
}

func (tx *Tx) queue(s statement) { tx.queued = append(tx.queued, s) }

// Context is that of the transaction; it ends when the transaction takes too long.
func (tx *Tx) Context() context.Context { return tx.ctx }

// LockAnyUsers locks users of the organization, whichever connection owns them.
func (tx *Tx) LockAnyUsers(users []directory.UserID) {
	tx.queue(statement{sql: lockAnyUsers, args: []any{tx.Organization, strs(users)}})
}

// Mark is a place among the statements that are queued.
type Mark struct{ flushes, at int }

// Mark returns the end of the queue.
func (tx *Tx) Mark() Mark { return Mark{tx.flushes, len(tx.queued)} }

// LockAnyUsersAt does what LockAnyUsers does, before all that was queued behind the
// mark. It does nothing when that was sent already: then its locks are held.
func (tx *Tx) LockAnyUsersAt(mark Mark, users []directory.UserID) {
	if mark.flushes == tx.flushes {
		tx.queued = slices.Insert(tx.queued, mark.at, statement{sql: lockAnyUsers, args: []any{tx.Organization, strs(users)}})
	}
}

// LockNames keeps others from making a user, or a pending member, of these names until
// the transaction ends. They are folded, since a value may mean an externalId or,
// without case, a userName.
func (tx *Tx) LockNames(names []string) {
	keys := make([]int64, 0, len(names))
	for _, name := range names {
		if name = directory.Fold(name); name != "" {
			keys = append(keys, lockKey(string(tx.Organization)+"\x00"+name))
		}
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	all := lockKey(string(tx.Organization) + "\x00")
	switch {
	case len(keys) > mostNameLocks:
		tx.queue(statement{sql: lockAllNames, args: []any{all}})
	case len(keys) > 0:
		tx.queue(statement{sql: lockNames, args: []any{all, keys}})
	}
}

// mostNameLocks is how many names one statement locks one by one.
const mostNameLocks = 100

// lockKey makes an advisory lock of a name. Two names may share one: then they wait
// for each other, no more.
func lockKey(name string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // never fails
	return int64(h.Sum64())
}
