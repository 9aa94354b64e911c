package simulate

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rolesync/rolesync/claims"
)

// landing is one change of an assignment as it was seen in Redis.
type landing struct {
	change claims.Change
	at     time.Time // by our clock, which also times the requests
}

// watch follows the changes of the organization while a session runs.
type watch struct {
	options Options
	out     *printer
	cancel  context.CancelFunc
	done    chan struct{}
	news    chan struct{} // holds a token after a landing

	mu       sync.Mutex
	landings []landing
}

// startWatch finds the end of the stream, so that nothing that the session causes is
// missed, and follows it from there.
func startWatch(ctx context.Context, o Options, out *printer) (*watch, error) {
	position, err := o.Reader.Position(ctx, o.Organization)
	if err != nil {
		return nil, fmt.Errorf("watch the assignments: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	w := &watch{options: o, out: out, cancel: cancel, done: make(chan struct{}), news: make(chan struct{}, 1)}
	go func() {
		defer close(w.done)
		for change, err := range o.Reader.Watch(ctx, o.Organization, position) {
			if err != nil {
				continue // Watch goes on by itself, and settle tells whether it did in time
			}
			w.note(change)
			if o.Progress == Landings {
				w.show(ctx, change)
			}
		}
	}()
	return w, nil
}

func (w *watch) note(change claims.Change) {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.landings = append(w.landings, landing{change, now})
	select {
	case w.news <- struct{}{}:
	default:
	}
}

// stop ends the watch. It may be called twice.
func (w *watch) stop() {
	w.cancel()
	<-w.done
}

// show prints an assignment that has just landed.
func (w *watch) show(ctx context.Context, change claims.Change) {
	a, err := w.options.Reader.Assignment(ctx, w.options.Organization, change.Subject)
	if err != nil {
		return // gone again, or Redis is away: the report will say so
	}
	who := change.Subject
	for _, alias := range a.Aliases {
		if userName, ok := strings.CutPrefix(alias, "user_name:"); ok {
			who = userName
		}
	}
	holds := strings.Join(a.Roles, ", ")
	if !a.Active {
		holds = string(change.Kind)
	}
	w.out.line(fmt.Sprintf("  %-36s  %-24s  version %d", who, cmp.Or(holds, "no role"), a.Version))
}

// settle waits until everybody is in Redis as the session left them and nothing has
// landed for a moment. It returns the userNames of those who were not in time, with an
// error; or the end of ctx.
func (w *watch) settle(ctx context.Context, people []*person, progress *steps) ([]string, error) {
	progress.begin("wait for Redis", len(present(people)))
	defer progress.end()
	limit := time.NewTimer(w.options.limit)
	defer limit.Stop()
	calm := time.NewTimer(quiet)
	defer calm.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-w.news:
			calm.Reset(quiet)
		case <-calm.C:
			if late, err := w.late(ctx, people); err == nil && len(late) == 0 {
				progress.set(len(present(people)))
				return nil, nil
			}
			calm.Reset(quiet)
		case <-limit.C:
			if late, err := w.late(ctx, people); err != nil || len(late) > 0 {
				return late, w.lateError(late, err)
			}
			return nil, nil
		}
	}
}

func (w *watch) lateError(late []string, err error) error {
	if err != nil {
		return fmt.Errorf("look for the assignments: %w", err)
	}
	return fmt.Errorf("%d of the users are not in Redis as they should be after %v, the first is %s", len(late), w.options.limit, late[0])
}

// late returns the userNames of those whose assignment does not say yet whether they are
// active. Somebody deleted may be missing.
func (w *watch) late(ctx context.Context, people []*person) ([]string, error) {
	var subjects []string
	for _, p := range people {
		if p.id != "" {
			subjects = append(subjects, p.id)
		}
	}
	found, err := w.options.Reader.Assignments(ctx, w.options.Organization, subjects)
	if err != nil {
		return nil, err
	}
	var late []string
	for _, p := range people {
		if a, held := found[p.id]; p.id != "" && (a.Active != p.active || !held && !p.gone) {
			late = append(late, p.userName)
		}
	}
	return late, nil
}

// seen returns what has landed, in order. It is called after stop.
func (w *watch) seen() []landing {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.landings)
}

// causes finds the request that caused a change.
type causes struct {
	byID      map[string]exchange
	bySubject map[string][]exchange // in order of their beginning
}

func newCauses(exchanges []exchange) causes {
	c := causes{map[string]exchange{}, map[string][]exchange{}}
	for _, e := range exchanges {
		if e.id != "" {
			c.byID[e.id] = e
		}
		for _, subject := range e.touches {
			c.bySubject[subject] = append(c.bySubject[subject], e)
		}
	}
	for _, list := range c.bySubject {
		slices.SortStableFunc(list, func(a, b exchange) int { return a.start.Compare(b.start) })
	}
	return c
}

// delay says how long after the answer to its request a landing came; negative when it
// was there before the answer, and not ok when no request of the session explains it.
//
// The cause of a change names the request. Where the server gives its requests no id, or
// the cause is not one of ours, it is taken to be the newest request on the subject that
// had begun by then.
func (c causes) delay(l landing) (d time.Duration, ok bool) {
	if e, known := c.byID[l.change.Cause]; known {
		return l.at.Sub(e.end), true
	}
	for _, e := range slices.Backward(c.bySubject[l.change.Subject]) {
		if !e.start.After(l.at) {
			return l.at.Sub(e.end), true
		}
	}
	return 0, false
}
