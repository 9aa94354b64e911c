package badtimes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rolesync/rolesync/claims"
	"github.com/rolesync/rolesync/internal/harness"
)

// groupNames are the groups that all workers share, and the role that each gives.
var groupNames = []string{"IT Admins", "team-one", "team-two", "Finance EU", "support-emea"}

var roleOf = map[string]string{"IT Admins": "admin", "team-one": "developer", "team-two": "developer", "Finance EU": "billing", "support-emea": "support"}

var roleOrder = []string{"admin", "developer", "billing", "support", "member"}

// person is what a worker knows of one of its users. Workers share groups but not
// users, so each knows exactly what must have come of its own.
type person struct {
	id     string
	name   string
	active bool
	gone   bool
	in     map[string]bool // by group id
}

// worker changes its own people, one request at a time, and remembers each answer.
type worker struct {
	n      int
	tenant *harness.Tenant
	groups map[string]string // id by name
	random *rand.Rand
	made   int

	people []*person
	doubt  *doubt

	acknowledged, refusedRequests atomic.Int64 // a test watches them while the load goes on
}

// doubt is a request that was not acknowledged. It may have been carried out, as when
// the answer to COMMIT is lost, or not: but nothing in between.
type doubt struct {
	person   *person
	happened func()
}

var errHalfDone = errors.New("a request is half done")

// crowd is some workers on the same groups.
func crowd(t *testing.T, w *world, seed uint64, workers int) []*worker {
	t.Helper()
	groups := map[string]string{}
	for _, name := range groupNames {
		id, err := w.CreateGroup(t.Context(), w.services[0], name, nil)
		if err != nil {
			t.Fatal(err)
		}
		groups[name] = id
	}
	all := make([]*worker, workers)
	for i := range all {
		all[i] = &worker{n: i, tenant: w.Tenant, groups: groups, random: rand.New(rand.NewPCG(seed, uint64(i)))}
	}
	return all
}

// run has every worker change things, each at a process of its own if there are
// several, until stop ends or an answer is not one that the times explain. Requests
// are not cut off by stop: the service would go on with them.
func run(ctx, stop context.Context, w *world, workers []*worker) error {
	var wg sync.WaitGroup
	errs := make([]error, len(workers))
	for i, worker := range workers {
		service := w.services[i%len(w.services)]
		wg.Go(func() {
			for stop.Err() == nil && errs[i] == nil && worker.doubt == nil {
				errs[i] = worker.step(ctx, service)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// step makes one random change.
func (w *worker) step(ctx context.Context, s *harness.Service) error {
	var p *person
	if len(w.people) > 0 {
		p = w.people[w.random.IntN(len(w.people))]
	}
	if len(w.people) < 3 || p.gone {
		w.made++
		p = &person{name: fmt.Sprintf("w%d-%d", w.n, w.made), active: true, in: map[string]bool{}}
		id, err := w.tenant.CreateUser(ctx, s, p.name)
		return w.note(p, err, func() { p.id = id; w.people = append(w.people, p) })
	}
	group := w.groups[groupNames[w.random.IntN(len(groupNames))]]
	switch w.random.IntN(10) {
	case 0:
		err := w.tenant.SetActive(ctx, s, p.id, !p.active)
		return w.note(p, err, func() { p.active = !p.active })
	case 1:
		if w.random.IntN(3) > 0 {
			return nil // seldom, or all would soon be gone
		}
		err := w.tenant.Send(ctx, s, "DELETE", "/Users/"+p.id, nil, nil)
		return w.note(p, err, func() { p.gone = true })
	case 2, 3, 4:
		err := w.tenant.RemoveMember(ctx, s, group, p.id)
		return w.note(p, err, func() { delete(p.in, group) })
	default:
		err := w.tenant.AddMembers(ctx, s, group, p.id)
		return w.note(p, err, func() { p.in[group] = true })
	}
}

// note takes the answer of a change into account.
func (w *worker) note(p *person, err error, happened func()) error {
	switch {
	case err == nil:
		w.acknowledged.Add(1)
		happened()
		return nil
	case refused(err):
		w.refusedRequests.Add(1)
	case answered(err):
		return err
	}
	w.doubt = &doubt{p, happened}
	return nil
}

// settle asks what became of the request that was not acknowledged: all of it or
// nothing. It keeps the doubt when there is no answer to that either.
func (w *worker) settle(ctx context.Context, s *harness.Service) error {
	if w.doubt == nil {
		return nil
	}
	p := w.doubt.person
	found, err := w.look(ctx, s, p.name)
	if err != nil {
		return err
	}
	if p.id == "" { // it was to be created
		if found != nil {
			w.doubt.happened()
			p.id = found.ID
		}
		w.doubt = nil
		return nil
	}
	if w.differs(found, p) != nil {
		w.doubt.happened()
		if err := w.differs(found, p); err != nil {
			return fmt.Errorf("%s: %w: %w", p.name, errHalfDone, err)
		}
	}
	w.doubt = nil
	return nil
}

// differs compares SCIM's view of a person with the worker's.
func (w *worker) differs(found *user, p *person) error {
	if p.gone != (found == nil) {
		return fmt.Errorf("gone is %v, but SCIM has %+v", p.gone, found)
	}
	if found == nil {
		return nil
	}
	if found.Active != p.active {
		return fmt.Errorf("active is %v, want %v", found.Active, p.active)
	}
	in := found.groups()
	for name, id := range w.groups {
		if in[id] != p.in[id] {
			return fmt.Errorf("membership of %s is %v, want %v", name, in[id], p.in[id])
		}
	}
	return nil
}

// user is what SCIM says of a user.
type user struct {
	ID     string
	Active bool
	Groups []struct{ Value string }
}

func (u *user) groups() map[string]bool {
	in := map[string]bool{}
	for _, g := range u.Groups {
		in[g.Value] = true
	}
	return in
}

func (w *worker) look(ctx context.Context, s *harness.Service, name string) (*user, error) {
	var list struct{ Resources []user }
	path := fmt.Sprintf("/Users?filter=userName%%20eq%%20%%22%s@example.com%%22", name)
	if err := w.tenant.Send(ctx, s, "GET", path, nil, &list); err != nil {
		return nil, err
	}
	if len(list.Resources) == 0 {
		return nil, nil
	}
	return &list.Resources[0], nil
}

// check compares what the workers know with SCIM and with Redis.
func check(t *testing.T, w *world, workers []*worker) {
	t.Helper()
	for _, worker := range workers {
		for _, p := range worker.people {
			if err := worker.checkPerson(t.Context(), w, p); err != nil {
				t.Errorf("%s (%s): %v", p.name, p.id, err)
			}
		}
	}
}

func (w *worker) checkPerson(ctx context.Context, world *world, p *person) error {
	found, err := w.look(ctx, world.services[0], p.name)
	if err != nil {
		return err
	}
	if err := w.differs(found, p); err != nil {
		return err
	}
	want := []string{}
	for name, id := range w.groups {
		if p.active && !p.gone && p.in[id] && !slices.Contains(want, roleOf[name]) {
			want = append(want, roleOf[name])
		}
	}
	if p.active && !p.gone && len(want) == 0 {
		want = append(want, "member")
	}
	slices.SortFunc(want, func(a, b string) int { return slices.Index(roleOrder, a) - slices.Index(roleOrder, b) })
	text, err := world.redis.Do("HGET", claims.Keys{}.Assignments(world.Organization), p.id)
	if err != nil {
		return err
	}
	var got claims.Assignment
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		return fmt.Errorf("redis has %q: %w", text, err)
	}
	if got.Active != (p.active && !p.gone) || strings.Join(got.Roles, " ") != strings.Join(want, " ") {
		return fmt.Errorf("redis has active %v and roles %v, want %v and %v", got.Active, got.Roles, p.active && !p.gone, want)
	}
	return nil
}
