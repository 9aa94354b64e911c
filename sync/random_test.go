package sync_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/testserver"
	"github.com/rolesync/rolesync/mapping"
	rolesync "github.com/rolesync/rolesync/sync"
)

// Whatever many do at once to a small directory, when it is quiet again assignments
// are what facts and rules give, and Redis has them.
func TestRandomChangesAtOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, url string) {
		redis := testserver.Redis(t)
		// Two processes; on SQLite there is one.
		services := []*service{newService(t, url, redis.Addr())}
		if services[0].url[0] == 'p' {
			services = append(services, newService(t, url, redis.Addr()))
		}
		for _, s := range services {
			s.run(t)
		}
		n := services[0].tenant(t)
		crowd := newCrowd(t, n)
		var failed atomic.Int64
		together(8, func(worker int) {
			r := rand.New(rand.NewPCG(uint64(worker), 42))
			n := n.at(services[worker%len(services)])
			for i := range 80 {
				if worker == 0 && i%20 == 10 {
					crowd.publishRandom(t, r, n)
					continue
				}
				if worker == 0 && i%20 == 15 {
					if err := n.SetAuthority(t.Context(), n.by, pick(r, crowdAuthorities)); err != nil {
						t.Errorf("set authority: %v", err)
					}
					continue
				}
				c := crowd.random(r)
				if c.run == nil {
					c.run = func(n tenant) error { return n.try(c.change) }
				}
				switch err := c.run(n); {
				case err == nil && c.done != nil:
					c.done()
				case fault.Is(err, fault.NotFound), fault.Is(err, fault.Conflict):
					failed.Add(1)
				case err != nil:
					t.Errorf("%s: %v", c.name, err)
				}
			}
		})
		if failed.Load() > 8*80*3/4 {
			t.Errorf("%d of %d changes were refused: the test tests too little", failed.Load(), 8*80)
		}
		for _, s := range services {
			s.wantSettled(t)
		}
	})
}

// crowd is a small directory that many change.
type crowd struct {
	sso    [2]sso
	mu     sync.Mutex
	users  []directory.UserID  // guarded by mu
	groups []directory.GroupID // guarded by mu
}

// step is one change of a crowd, and what the crowd learns when it was made.
type step struct {
	name   string
	change func(*rolesync.Tx) error
	done   func()
	run    func(tenant) error // instead of change, what is not one of SCIM
}

func newCrowd(t *testing.T, n tenant) *crowd {
	t.Helper()
	c := &crowd{sso: [2]sso{n.sso(t), n.sso(t)}, users: n.users(t, 12)}
	for i := range 4 {
		c.groups = append(c.groups, n.group(t, crowdGroups[i], c.users[i*3:i*3+3]...))
	}
	return c
}

var crowdAuthorities = []directory.Authority{directory.AuthorityAuto, directory.AuthoritySCIM, directory.AuthoritySAML, directory.AuthorityUnion}

var crowdGroups = []string{"Admins", "Engineering", "Engineers", "Sales", "Support", "Finance"}

func (c *crowd) user(r *rand.Rand) directory.UserID {
	c.mu.Lock()
	defer c.mu.Unlock()
	return pick(r, c.users)
}

func (c *crowd) group(r *rand.Rand) directory.GroupID {
	c.mu.Lock()
	defer c.mu.Unlock()
	return pick(r, c.groups)
}

// values are members as a provider may name them.
func (c *crowd) values(r *rand.Rand) (values []string) {
	for range 1 + r.IntN(4) {
		switch r.IntN(8) {
		case 0: // a deadlock of those takes PostgreSQL a second
			values = append(values, fmt.Sprintf("user%d@example.com", r.IntN(20)))
		case 1:
			values = append(values, string(c.group(r)))
		default:
			values = append(values, string(c.user(r)))
		}
	}
	return values
}

// random makes one change of the many that a provider makes.
func (c *crowd) random(r *rand.Rand) step {
	userName := fmt.Sprintf("user%d@example.com", r.IntN(20))
	switch r.IntN(20) {
	case 0, 1:
		u := newUser(userName)
		u.ExternalID = fmt.Sprint("00u", r.IntN(30))
		return step{name: "create user", run: func(n tenant) error {
			posted, err := n.post(u)
			if err == nil {
				c.joined(posted.ID)
			}
			return err
		}}
	case 14, 15, 16, 17, 18:
		return c.login(r)
	case 19:
		sso, subject, message := c.sso[r.IntN(2)], fmt.Sprint("user", r.IntN(20)), login("").Message
		return step{name: "sign out", run: func(n tenant) error {
			_, err := n.SignOut(context.Background(), sso.by, subject, message, directory.Now())
			return err
		}}
	case 2:
		gone := c.user(r)
		return step{name: "delete user", change: deleteUser(gone), done: func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			if i := slices.Index(c.users, gone); len(c.users) > 5 {
				c.users = slices.Delete(c.users, i, i+1)
			}
		}}
	case 3:
		return step{name: "set active", change: setActive(c.user(r), r.IntN(2) == 0)}
	case 4:
		return step{name: "rename user", change: putUser(c.user(r), func(u *directory.User) { u.UserName, u.Email = userName, userName })}
	case 5:
		g, values := newGroup(pick(r, crowdGroups)), c.values(r)
		return step{name: "create group", change: func(tx *rolesync.Tx) error { tx.CreateGroup(g); tx.AddMembers(g.ID, values); return nil }, done: func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.groups = append(c.groups, g.ID)
		}}
	case 6:
		if r.IntN(3) > 0 {
			return step{name: "rename group", change: renameGroup(c.group(r), pick(r, crowdGroups))}
		}
		gone := c.group(r)
		return step{name: "delete group", change: deleteGroup(gone), done: func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			if i := slices.Index(c.groups, gone); len(c.groups) > 2 {
				c.groups = slices.Delete(c.groups, i, i+1)
			}
		}}
	case 7, 8:
		return step{name: "remove members", change: removeMembers(c.group(r), c.values(r)...)}
	case 9:
		return step{name: "replace members", change: replaceMembers(c.group(r), c.values(r)...)}
	default:
		return step{name: "add members", change: addMembers(c.group(r), c.values(r)...)}
	}
}

// publishRandom publishes other rules, and has a worker work on them.
func (c *crowd) publishRandom(t *testing.T, r *rand.Rand, n tenant) {
	rules := mapping.RuleSet{DefaultRole: "member", ExpandNestedGroups: r.IntN(3) > 0}
	for i, name := range crowdGroups {
		if r.IntN(2) == 0 {
			rules.Rules = append(rules.Rules, mapping.Rule{
				ID: mapping.RuleID(fmt.Sprint("r", i)), When: mapping.Condition{Group: mapping.GroupMatcher{Name: name}},
				Grant: mapping.Grant{Roles: []mapping.RoleKey{pick(r, catalog).Key}},
			})
		}
	}
	if _, err := n.PublishRules(context.Background(), n.by, rules, rolesync.AnyVersion, "random"); err != nil {
		t.Errorf("publish rules: %v", err)
	}
}

// login signs in one of a few people, who may be users of SCIM, by one of two connections.
func (c *crowd) login(r *rand.Rand) step {
	l := login(fmt.Sprint("user", r.IntN(20)))
	for range r.IntN(4) {
		l.Groups = append(l.Groups, pick(r, crowdGroups))
	}
	l.Fact = pick(r, []directory.GroupFact{directory.Stated, directory.Stated, directory.Absent, directory.Empty})
	if r.IntN(2) == 0 {
		l.Domains = []string{"example.com"}
	}
	if r.IntN(4) == 0 {
		l.UserName = fmt.Sprintf("user%d@example.com", r.IntN(20))
	}
	sso := c.sso[r.IntN(2)]
	return step{name: "sign in", run: func(n tenant) error {
		in, err := n.Login(context.Background(), sso.by, l)
		if err == nil && in.Refused == rolesync.Accepted {
			c.joined(in.User.ID)
		}
		return err
	}}
}

func (c *crowd) joined(user directory.UserID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Contains(c.users, user) {
		c.users = append(c.users, user)
	}
}
