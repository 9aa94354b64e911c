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
				name, change := crowd.random(r)
				switch err := n.try(change); fault.KindOf(err) {
				case fault.NotFound, fault.Conflict:
					failed.Add(1)
				default:
					if err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}
			}
		})
		if failed.Load() > 8*80*9/10 { // users and groups are deleted, so many are not found
			t.Errorf("%d of %d changes were refused: the test tests too little", failed.Load(), 8*80)
		}
		for _, s := range services {
			s.wantSettled(t)
		}
	})
}

// crowd is a small directory that many change.
type crowd struct {
	mu     sync.Mutex
	users  []directory.UserID  // guarded by mu; some are gone
	groups []directory.GroupID // guarded by mu; some are gone
}

func newCrowd(t *testing.T, n tenant) *crowd {
	t.Helper()
	c := &crowd{users: n.users(t, 12)}
	for i := range 4 {
		c.groups = append(c.groups, n.group(t, crowdGroups[i], c.users[i*3:i*3+3]...))
	}
	return c
}

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
		if r.IntN(4) == 0 {
			values = append(values, fmt.Sprintf("user%d@example.com", r.IntN(10)))
		} else {
			values = append(values, string(c.user(r)))
		}
	}
	return values
}

// random makes one change of the many that a provider makes.
func (c *crowd) random(r *rand.Rand) (name string, change func(*rolesync.Tx) error) {
	userName := fmt.Sprintf("user%d@example.com", r.IntN(10))
	switch r.IntN(14) {
	case 0, 1:
		u := newUser(userName)
		u.ExternalID = fmt.Sprint("00u", r.IntN(20))
		return "create user", func(tx *rolesync.Tx) error {
			tx.CreateUser(u)
			c.mu.Lock()
			defer c.mu.Unlock()
			if !slices.Contains(c.users, u.ID) {
				c.users = append(c.users, u.ID)
			}
			return nil
		}
	case 2:
		return "delete user", deleteUser(c.user(r))
	case 3:
		active := r.IntN(2) == 0
		return "set active", setActive(c.user(r), active)
	case 4:
		return "rename user", putUser(c.user(r), func(u *directory.User) { u.UserName, u.Email = userName, userName })
	case 5:
		g, values := newGroup(pick(r, crowdGroups)), c.values(r)
		return "create group", func(tx *rolesync.Tx) error {
			tx.CreateGroup(g)
			tx.AddMembers(g.ID, values)
			c.mu.Lock()
			defer c.mu.Unlock()
			if !slices.Contains(c.groups, g.ID) {
				c.groups = append(c.groups, g.ID)
			}
			return nil
		}
	case 6:
		if r.IntN(3) > 0 {
			return "rename group", renameGroup(c.group(r), pick(r, crowdGroups))
		}
		return "delete group", deleteGroup(c.group(r))
	case 7, 8:
		return "remove members", removeMembers(c.group(r), c.values(r)...)
	case 9:
		return "replace members", replaceMembers(c.group(r), c.values(r)...)
	default:
		return "add members", addMembers(c.group(r), c.values(r)...)
	}
}

// publishRandom publishes other rules, and has a worker work on them.
func (c *crowd) publishRandom(t *testing.T, r *rand.Rand, n tenant) {
	rules := mapping.RuleSet{DefaultRole: "member"}
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
