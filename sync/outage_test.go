package sync_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rolesync/rolesync/claims"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/testserver"
	rolesync "github.com/rolesync/rolesync/sync"
)

func (s *service) wantHealthy(t *testing.T) {
	t.Helper()
	eventually(t, "the writer is healthy", func() bool { return !s.Writer.Health().Degraded })
}

func (s *service) wantDegraded(t *testing.T, reason string) {
	t.Helper()
	var h rolesync.Health
	eventually(t, "the writer is degraded because of "+reason, func() bool {
		// It may have seen that this is another Redis before it tried to write.
		h = s.Writer.Health()
		return h.Degraded && strings.Contains(h.Reason, reason)
	})
	if h.Since.IsZero() || time.Since(h.Since) > time.Minute {
		t.Errorf("Health = %+v, want since when", h)
	}
}

// badTimes are what may happen to a Redis. After each, everything is there again.
func TestWriterInBadTimes(t *testing.T) {
	for _, c := range []struct {
		situation string
		options   []testserver.RedisOption
		bad       func(t *testing.T, redis *testserver.RedisServer, n tenant)
	}{
		{"killed and restarted empty", nil, func(t *testing.T, redis *testserver.RedisServer, n tenant) {
			must(t, redis.Kill())
			n.users(t, 3)
			n.wantDegraded(t, "")
			must(t, redis.Start())
		}},
		{"restarted at once", nil, func(t *testing.T, redis *testserver.RedisServer, _ tenant) {
			must(t, redis.Kill())
			must(t, redis.Start())
		}},
		{"killed and restarted with all of its data", []testserver.RedisOption{testserver.AppendOnly()}, func(t *testing.T, redis *testserver.RedisServer, n tenant) {
			must(t, redis.Kill())
			n.users(t, 3)
			must(t, redis.Start())
		}},
		{"flushed", nil, func(t *testing.T, redis *testserver.RedisServer, n tenant) {
			flush(t, redis)
			n.users(t, 3)
		}},
		{"flushed again and again", nil, func(t *testing.T, redis *testserver.RedisServer, n tenant) {
			for range 20 {
				flush(t, redis)
				n.users(t, 1)
			}
		}},
		{"its scripts are flushed", nil, func(t *testing.T, redis *testserver.RedisServer, n tenant) {
			for range 5 {
				_, err := redis.Do("SCRIPT", "FLUSH")
				must(t, err)
				n.users(t, 1)
			}
		}},
		{"restarted from an old snapshot", nil, func(t *testing.T, redis *testserver.RedisServer, n tenant) {
			leaver := n.user(t, "leaver@example.com")
			g := n.group(t, "Engineering", leaver)
			n.wantInRedis(t, leaver)
			_, err := redis.Do("SAVE")
			must(t, err)
			n.change(t, deleteGroup(g))
			n.change(t, setActive(leaver, false))
			n.wantInRedis(t, leaver)
			must(t, redis.Kill())
			must(t, redis.Start())
		}},
		{"paused while changes go on", nil, func(t *testing.T, redis *testserver.RedisServer, n tenant) {
			must(t, redis.Pause())
			start := time.Now()
			users := n.users(t, 10)
			for _, u := range users {
				n.change(t, setActive(u, false))
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("changes took %v while Redis hung", took)
			}
			n.wantDegraded(t, "")
			must(t, redis.Resume())
		}},
		{"it refuses for want of memory", nil, func(t *testing.T, redis *testserver.RedisServer, n tenant) {
			_, err := redis.Do("CONFIG", "SET", "maxmemory", "1mb", "maxmemory-policy", "noeviction")
			must(t, err)
			n.users(t, 3)
			n.wantDegraded(t, "OOM")
			n.users(t, 3)
			_, err = redis.Do("CONFIG", "SET", "maxmemory", "0")
			must(t, err)
		}},
		{"it is a replica for a while", nil, func(t *testing.T, redis *testserver.RedisServer, n tenant) {
			other := testserver.Redis(t)
			host, port, _ := strings.Cut(other.Addr(), ":")
			_, err := redis.Do("REPLICAOF", host, port)
			must(t, err)
			n.users(t, 3)
			n.wantDegraded(t, "READONLY")
			_, err = redis.Do("REPLICAOF", "NO", "ONE")
			must(t, err)
		}},
		{"a mark was passed over", nil, func(t *testing.T, _ *testserver.RedisServer, n tenant) {
			execute(t, n.url, `UPDATE assignments SET published_version = 0 WHERE organization_id = $1`, string(n.by.Organization))
			eventually(t, "all is marked", func() bool {
				left, err := n.Store.Unpublished(t.Context(), directory.Now(), 0, "", "", 10)
				return err == nil && len(left) == 0
			})
		}},
		{"somebody else wrote into our keys", nil, func(t *testing.T, redis *testserver.RedisServer, n tenant) {
			u := n.user(t, "victim@example.com")
			n.wantInRedis(t, u)
			_, err := redis.Do("HSET", claims.Keys{}.Assignments(string(n.by.Organization)), string(u), "garbage")
			must(t, err)
			n.change(t, setActive(u, false))
			n.wantInRedis(t, u)
		}},
	} {
		t.Run(c.situation, func(t *testing.T) {
			t.Parallel()
			redis := testserver.Redis(t, c.options...)
			s := newService(t, sqlite(t), redis.Addr())
			s.run(t)
			n, quiet := s.tenant(t), s.tenant(t)
			users := n.users(t, 20)
			n.group(t, "Admins", users[:5]...)
			idle := quiet.user(t, "idle@example.com") // whom no change makes be written again
			n.wantInRedis(t, users[0])
			quiet.wantInRedis(t, idle)

			c.bad(t, redis, n)

			s.wantHealthy(t)
			s.wantSettled(t)
			quiet.wantInRedis(t, idle)
		})
	}
}

func flush(t *testing.T, redis *testserver.RedisServer) {
	t.Helper()
	_, err := redis.Do("FLUSHALL")
	must(t, err)
}

// A Redis that is down is told by Health although nobody changes anything.
func TestRedisDownAtStart(t *testing.T) {
	t.Parallel()
	redis := testserver.Redis(t)
	must(t, redis.Stop())
	s := newService(t, sqlite(t), redis.Addr())
	n := s.tenant(t)
	u := n.user(t, "early@example.com")
	s.run(t)
	s.wantDegraded(t, "")
	n.user(t, "late@example.com")
	must(t, redis.Start())
	n.wantInRedis(t, u)
	s.wantHealthy(t)
	s.wantSettled(t)

	must(t, redis.Stop())
	s.wantDegraded(t, "")
	must(t, redis.Start())
	s.wantHealthy(t)
	s.wantSettled(t)
}

func TestSentinelFailover(t *testing.T) {
	t.Parallel()
	master := testserver.Redis(t)
	replica := testserver.Redis(t, testserver.Replica(master))
	sentinel := testserver.Sentinel(t, "main", master)
	s := newServiceOn(t, sqlite(t), dial(t, rolesync.RedisOptions{Addresses: []string{sentinel.Addr()}, MasterName: "main"}))
	s.run(t)
	n := s.tenant(t)
	users := n.users(t, 20)
	n.wantInRedis(t, users[0])
	must(t, master.Kill())
	n.change(t, setActive(users[1], false))
	s.wantDegraded(t, "")
	n.wantInRedis(t, users[1])
	s.wantHealthy(t)
	s.wantSettled(t)
	if role, err := replica.Do("ROLE"); err != nil || !strings.HasPrefix(role, "master") {
		t.Errorf("role of the replica = %q, %v: there was no failover", role, err)
	}
}

// A cluster, of one node that has all slots: keys of an organization share one, and what
// is asked of every master is asked of it.
func TestCluster(t *testing.T) {
	t.Parallel()
	node := testserver.Redis(t, testserver.Argument("cluster-enabled", "yes"))
	_, err := node.Do("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
	must(t, err)
	eventually(t, "the cluster is up", func() bool {
		info, err := node.Do("CLUSTER", "INFO")
		return err == nil && strings.Contains(info, "cluster_state:ok")
	})
	s := newServiceOn(t, sqlite(t), dial(t, rolesync.RedisOptions{Addresses: []string{node.Addr()}, Cluster: true}))
	s.run(t)
	n, other := s.tenant(t), s.tenant(t)
	users := n.users(t, 20)
	n.group(t, "Admins", users[:5]...)
	u := other.user(t, "anna@example.com")
	n.wantInRedis(t, users[0])
	other.wantInRedis(t, u)
	flush(t, node)
	_, err = node.Do("SCRIPT", "FLUSH")
	must(t, err)
	other.wantInRedis(t, u)
	s.wantSettled(t)
	s.wantHealthy(t)
}

// PostgreSQL is restarted under load: changes fail with Unavailable, none is half
// done, what was acknowledged is there, and the same process goes on.
func TestPostgresRestartedUnderLoad(t *testing.T) {
	t.Parallel()
	postgres, redis := testserver.Postgres(t), testserver.Redis(t)
	s := newService(t, prepared(t, postgres.URL()), redis.Addr())
	s.run(t)
	n := s.tenant(t)
	users := n.users(t, 20)
	g := n.group(t, "Admins")
	var mu sync.Mutex
	added := map[directory.UserID]bool{} // guarded by mu; acknowledged
	var refused atomic.Int64
	var restarted, done atomic.Bool
	together(5, func(worker int) {
		if worker == 4 {
			defer done.Store(true)
			for range 2 {
				if err := postgres.Restart(); err != nil {
					t.Error(err)
					return
				}
			}
			restarted.Store(true)
			return
		}
		for i := 0; !done.Load() || i < 5; i++ {
			u := users[worker*5+i%5]
			err := n.try(addMembers(g, string(u)))
			switch {
			case err == nil:
				mu.Lock()
				added[u] = true
				mu.Unlock()
			case fault.Is(err, fault.Unavailable):
				refused.Add(1)
			default:
				t.Error(err)
			}
		}
	})
	if refused.Load() == 0 || !restarted.Load() {
		t.Error("no change was refused: the test tests nothing")
	}
	eventually(t, "changes are accepted again", func() bool { return n.try(addMembers(g, string(users[0]))) == nil })
	members := map[directory.UserID]bool{}
	for _, u := range n.members(t, g) {
		members[u] = true
	}
	for u := range added {
		if !members[u] {
			t.Errorf("%s was acknowledged as a member and is none", u)
		}
	}
	s.wantSettled(t)
	s.wantHealthy(t)
}
