package sync

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
)

// InlineLimit is how many users one transaction evaluates itself. Above it they go
// to the backlog, so that no transaction holds the locks of many users for long.
const InlineLimit = 500

// Engine makes changes. It is safe for concurrent use.
type Engine struct {
	store    *store.Store
	writer   *Writer
	log      *slog.Logger
	now      func() time.Time
	programs programs
	saml     sync.Map      // organizations that are known to have a SAML connection
	wake     chan struct{} // there may be a backlog
}

// Options of an Engine. Store and Writer are required.
type Options struct {
	Store  *store.Store
	Writer *Writer
	Log    *slog.Logger
	Now    func() time.Time // nil: directory.Now
}

// New returns an engine. Its backlog is worked off by Run.
func New(o Options) *Engine {
	if o.Now == nil {
		o.Now = directory.Now
	}
	return &Engine{store: o.Store, writer: o.Writer, log: o.Log, now: o.Now, wake: make(chan struct{}, 1)}
}

// Author says in which scope a change happens and who answers for it.
type Author struct {
	Organization directory.OrganizationID
	Connection   directory.ConnectionID // whose facts change; "" for an admin
	Name         string                 // for the audit: "connection conn_…", "admin key key_…"
	Request      string                 // the id of the request that causes the change
}

func (a Author) scope() store.Scope {
	return store.Scope{Organization: a.Organization, Connection: a.Connection}
}

// Change stores what the closure does to facts, and what follows from it for the
// assignments of the users it touched, in one transaction: all of it or nothing.
// The closure may run more than once. Its error rolls back and is returned as it is;
// so is a fault of the store: NotFound, Conflict, Unavailable.
//
// Changes of one organization run side by side, but one that reaches through nested
// groups is made alone (see the package documentation).
func (e *Engine) Change(ctx context.Context, by Author, change func(*Tx) error) error {
	lock := store.Facts
	for {
		outcome, err := e.change(ctx, by, lock, change)
		switch {
		case errors.Is(err, errAlone):
			lock = store.Rules
		case errors.Is(err, errUnchecked): // the engine knows by now
		case err != nil:
			return err
		default:
			e.publish(outcome)
			return nil
		}
	}
}

func (e *Engine) change(ctx context.Context, by Author, lock store.Lock, change func(*Tx) error) (outcome outcome, err error) {
	err = e.store.Transact(ctx, by.scope(), lock, func(tx *store.Tx) error {
		t := newTx(e, tx, by)
		t.alone = lock == store.Rules
		err := change(t)
		if t.must {
			return errAlone
		}
		if err == nil {
			outcome, err = t.settle()
		}
		if t.unchecked && t.basis.Get().SAML {
			e.saml.Store(by.Organization, true)
			return errUnchecked
		}
		return err
	})
	return outcome, err
}

// outcome is what the rest of the program learns of a committed transaction.
type outcome struct {
	basis       store.Basis
	assignments []store.Assignment
	backlog     bool
}

// publish comes after COMMIT. It never blocks.
func (e *Engine) publish(o outcome) {
	e.writer.offer(o.basis, o.assignments)
	if o.backlog {
		e.wakeBacklog()
	}
}

func (e *Engine) wakeBacklog() {
	select {
	case e.wake <- struct{}{}:
	default: // it is awake already
	}
}

// audit makes an entry of the transaction's author.
func audit(tx *store.Tx, by Author, now time.Time, action, target string, detail any) {
	text, err := json.Marshal(detail)
	if err != nil {
		text = []byte(`{}`) // details are plain structs and maps of strings
	}
	tx.Audit(store.AuditEntry{
		ID: directory.NewChangeID(), At: now, Actor: by.Name, Action: action, Target: target, Request: by.Request, Detail: text,
	})
}
