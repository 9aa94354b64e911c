package scim_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/rolesync/rolesync/claims"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/testserver"
	"github.com/rolesync/rolesync/mapping"
	rolesync "github.com/rolesync/rolesync/sync"
)

// Sequences that once ended elsewhere than the model.
func TestSequencesThatFailed(t *testing.T) {
	inWorlds(t, func(t *testing.T, w world) {
		for name, steps := range readSequences(t) {
			t.Run(name, func(t *testing.T) {
				if err := w.play(steps); err != nil {
					t.Errorf("%v", err)
				}
			})
		}
	})
}

// Whatever providers send, in whatever manner, twice, late or in the wrong order, the
// service ends where the model does: every resource, every list, every role, in SQL and
// in Redis. A long run is made with -rapid.checks=5000.
func TestServiceIsLikeTheModel(t *testing.T) {
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		if err := f.Value.Set("60"); err != nil {
			t.Fatal(err)
		}
	}
	inWorlds(t, func(t *testing.T, w world) {
		rapid.Check(t, func(r *rapid.T) {
			if err := w.play(sequences.Draw(r, "a sequence for testdata/sequences")); err != nil {
				r.Log(err)
				r.Fatal("the service differs from the model") // always the same, or rapid would not minimise
			}
		})
	})
}

// world is a service that runs as a whole: its backlog is worked off, its assignments
// go to a Redis.
type world struct {
	*service
	reader *claims.Reader
}

func inWorlds(t *testing.T, test func(t *testing.T, w world)) {
	for name, url := range map[string]func() string{
		"sqlite": func() string { return "" }, "postgres": func() string { return testserver.Database(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := world{service: newService(t, url())}
			w.reader = claims.NewReader(w.redis, claims.Keys{})
			for _, role := range []mapping.Role{{Key: "admin", Name: "Admin", Rank: 90}, {Key: "developer", Name: "Developer", Rank: 50}, {Key: "member", Name: "Member", Rank: 10}} {
				if err := w.engine.PutRole(t.Context(), rolesync.Author{Name: "test"}, role); err != nil {
					t.Fatal(err)
				}
			}
			w.run()
			test(t, w)
		})
	}
}

// run starts what works behind the requests, until the test ends.
func (s *service) run() {
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.engine.Run(ctx) })
	running.Go(func() { s.writer.Run(ctx) })
	s.t.Cleanup(func() { stop(); running.Wait() })
}

// side is one tenant, and what it should be.
type side struct {
	*tenant
	model
	handles map[string]string   // ids
	shown   map[string]document // resources, by id and version
}

func (w world) newSide() *side {
	s := &side{tenant: w.newTenant(), model: model{users: map[string]*modelUser{}, groups: map[string]*modelGroup{}}, handles: map[string]string{}, shown: map[string]document{}}
	for _, handle := range []string{"A", "B", "C", "D"} {
		s.handles[handle] = string(directory.NewUserID())
	}
	for _, handle := range []string{"G", "H", "I"} {
		s.handles[handle] = string(directory.NewGroupID())
	}
	return s
}

// sent is a request that was sent, and can be sent again.
type sent struct {
	by                 *side
	handle             string
	intent             intent
	method, path, body string
	ifMatch            string
}

// play makes the steps, and returns how the service first differs from the model.
func (w world) play(steps sequence) error {
	sides := map[string]*side{"": w.newSide(), "other": w.newSide()}
	for _, s := range sides {
		if err := s.publishRules("both"); err != nil {
			return err
		}
	}
	var history []sent
	for n, step := range steps {
		var err error
		switch at := sides[step.In]; step.Do {
		case "publish rules":
			err = at.publishRules(step.To)
		case "again":
			if len(history) >= step.Back {
				err = w.send(history[len(history)-step.Back])
			}
		default:
			request := at.request(step, sides)
			history = append(history, request)
			err = w.send(request)
		}
		if err != nil {
			return fmt.Errorf("step %d, %s: %w", n+1, strings.TrimSpace(fmt.Sprint(steps[n:n+1])), err)
		}
	}
	for _, s := range sides {
		if err := errors.Join(s.compare(), w.assigned(s)); err != nil {
			return fmt.Errorf("in the end: %w", err)
		}
		for _, other := range sides {
			if err := s.strangers(other); other != s && err != nil {
				return err
			}
		}
	}
	return nil
}

// request is what a step sends, with ids in the place of handles.
func (s *side) request(step step, sides map[string]*side) sent {
	resolve := func(handle string) string {
		of, name := s, handle
		if rest, foreign := strings.CutPrefix(handle, "other "); foreign {
			name = rest
			if of = sides["other"]; of == s {
				of = sides[""]
			}
		}
		if id := of.handles[name]; id != "" {
			return id
		}
		return name
	}
	all := func(handles []string) (ids []string) {
		for _, handle := range handles {
			ids = append(ids, resolve(handle))
		}
		return ids
	}
	r := sent{by: s, handle: step.To, intent: intent{
		do: step.Do, id: resolve(step.To), set: step.Set, emails: step.Emails, join: all(step.Join), leave: all(step.Leave),
	}}
	version, _, _ := s.find(r.intent)
	switch step.IfMatch {
	case "current":
		r.intent.ifMatch = fmt.Sprint(version)
	case "stale":
		r.intent.ifMatch = fmt.Sprint(version + 1000)
	case "*":
		r.intent.ifMatch = "*"
	}
	if r.ifMatch = r.intent.ifMatch; r.ifMatch != "" && r.ifMatch != "*" {
		r.ifMatch = `W/"` + r.ifMatch + `"`
	}
	r.method, r.path, r.body = wireDialects[step.As].request(r.intent)
	return r
}

// send makes a request of the service and of the model, and compares the answers and
// how many there are now.
func (w world) send(r sent) error {
	s, i := r.by, r.intent
	answer := s.do(r.method, r.path, r.body, "If-Match", r.ifMatch)
	wrong := func(want any) error {
		return fmt.Errorf("%s %s %s\n= %d %s\nwant %v", r.method, r.path, r.body, answer.status, answer.text, want)
	}
	if faults := s.refuses(i); len(faults) > 0 {
		if !slices.Contains(faults, answer.status) {
			return wrong(faults)
		}
		return s.counted()
	}
	status := map[string]int{"POST": 201, "PUT": 200, "PATCH": 200, "DELETE": 204}[r.method]
	if answer.status != status {
		return wrong(status)
	}
	if r.method == "POST" {
		i.id = answer.string("id")
		s.handles[r.handle] = i.id
	}
	s.carryOut(i)
	if r.method != "DELETE" {
		if diff := s.differs(i.id, answer.body, r.method != "POST"); diff != "" {
			return wrong(diff)
		}
		if etag := answer.header.Get("ETag"); etag != answer.string("meta", "version") {
			return wrong("the header ETag, not " + etag)
		}
	}
	return s.counted()
}

// publishRules has other groups give other roles. Whom that touches is found out by
// the backlog, while requests go on.
func (s *side) publishRules(which string) error {
	s.roles = map[string]map[string]string{
		"both":    {"admins": "admin", "engineering": "developer"},
		"swapped": {"admins": "developer", "sales": "admin"},
		"none":    {},
	}[which]
	set := mapping.RuleSet{DefaultRole: "member"}
	for name, role := range s.roles {
		set.Rules = append(set.Rules, mapping.Rule{
			ID: mapping.RuleID(name), When: mapping.Condition{Group: mapping.GroupMatcher{Name: name}}, Grant: mapping.Grant{Roles: []mapping.RoleKey{mapping.RoleKey(role)}},
		})
	}
	_, err := s.engine.PublishRules(context.Background(), rolesync.Author{Organization: s.organization, Name: "test"}, set, rolesync.AnyVersion, which)
	return err
}
