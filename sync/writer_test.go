package sync_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rolesync/rolesync/claims"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/testserver"
	"github.com/rolesync/rolesync/mapping"
	rolesync "github.com/rolesync/rolesync/sync"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *service) wantHealthy(t *testing.T) {
	t.Helper()
	eventually(t, "the writer is healthy", func() bool { return !s.Writer.Health().Degraded })
}

func (s *service) wantDegraded(t *testing.T, reason string) {
	t.Helper()
	eventually(t, "the writer is degraded", func() bool { return s.Writer.Health().Degraded })
	h := s.Writer.Health()
	if !strings.Contains(h.Reason, reason) || h.Since.IsZero() || time.Since(h.Since) > time.Minute {
		t.Errorf("Health = %+v, want the reason %q and since when", h, reason)
	}
}

func TestWriterCarriesChangesToRedis(t *testing.T) {
	t.Parallel()
	redis := testserver.Redis(t)
	s := newService(t, sqlite(t), redis.Addr())
	s.run(t)
	n := s.tenant(t)
	u := newUser("Anna@example.com")
	u.Email, u.ExternalID = "anna@example.com", "00uA"
	n.change(t, func(tx *rolesync.Tx) error { tx.CreateUser(u); return nil })
	n.group(t, "Admins", u.ID)
	n.wantInRedis(t, u.ID)
	reader := claims.NewReader(s.Client, claims.Keys{})
	for _, alias := range []string{claims.UserName("ANNA@example.com"), claims.Email("anna@EXAMPLE.com"), claims.ExternalID("00uA")} {
		got, err := reader.Lookup(t.Context(), string(n.by.Organization), alias)
		if err != nil || got.Role != "admin" || !got.Has("users:write") || got.Version != 2 || got.Epoch != 1 {
			t.Errorf("Lookup(%s) = %+v, %v", alias, got, err)
		}
	}
	n.change(t, deleteUser(u.ID))
	n.wantInRedis(t, u.ID)
	if got, err := n.read(t, u.ID); err != nil || got.Active || len(got.Roles) > 0 || got.Epoch != 2 {
		t.Errorf("a deleted user = %+v, %v", got, err)
	}
	if _, err := reader.Lookup(t.Context(), string(n.by.Organization), claims.ExternalID("00uA")); err == nil {
		t.Error("a deleted user has aliases")
	}
	s.wantSettled(t)
	if h := s.Writer.Health(); h.Degraded || h.Published == 0 {
		t.Errorf("Health = %+v", h)
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

// Two processes on one PostgreSQL and one Redis, both taking changes, while Redis
// loses its data.
func TestTwoServices(t *testing.T) {
	t.Parallel()
	redis := testserver.Redis(t)
	url := prepared(t, testserver.Database(t))
	services := []*service{newService(t, url, redis.Addr()), newService(t, url, redis.Addr())}
	for _, s := range services {
		s.run(t)
	}
	n := services[0].tenant(t)
	users := n.users(t, 30)
	g := n.group(t, "Admins")
	together(5, func(worker int) {
		if worker == 4 {
			for range 5 {
				if _, err := redis.Do("FLUSHALL"); err != nil {
					t.Error(err)
				}
				if err := n.try(addMembers(g, values(users[25:])...)); err != nil {
					t.Error(err)
				}
			}
			return
		}
		n := n.at(services[worker%2])
		for i := range 40 {
			u := users[(worker*7+i)%len(users)]
			change := addMembers(g, string(u))
			switch i % 3 {
			case 1:
				change = removeMembers(g, string(u))
			case 2:
				change = setActive(u, i%2 == 0)
			}
			if err := n.try(change); err != nil {
				t.Error(err)
			}
		}
	})
	for _, s := range services {
		s.wantSettled(t)
		s.wantHealthy(t)
	}
}

// A process that dies between its write to Redis and its mark in SQL, or before either,
// leaves work for the next one, and no second message in the stream.
func TestCrashBetweenWriteAndMark(t *testing.T) {
	eachDatabase(t, func(t *testing.T, url string) {
		redis := testserver.Redis(t)
		s := newService(t, url, redis.Addr())
		stop := s.run(t)
		n := s.tenant(t)
		users := n.users(t, 5)
		n.group(t, "Admins", users...)
		for _, u := range users {
			n.wantInRedis(t, u)
		}
		stop()
		messages := func() int64 {
			t.Helper()
			length, err := s.Client.XLen(t.Context(), claims.Keys{}.Changes(string(n.by.Organization))).Result()
			must(t, err)
			return length
		}
		before := messages()
		execute(t, url, `UPDATE assignments SET published_version = 0 WHERE organization_id = $1`, string(n.by.Organization))
		n.change(t, setActive(users[0], false)) // committed, never offered to a writer that runs

		next := newService(t, url, redis.Addr())
		next.run(t)
		n = n.at(next)
		n.wantInRedis(t, users[0])
		eventually(t, "all is marked", func() bool {
			left, err := next.Store.Unpublished(t.Context(), directory.Now(), 0, "", "", 10)
			return err == nil && len(left) == 0
		})
		next.wantSettled(t)
		if after := messages(); after != before+1 {
			t.Errorf("the stream has %d messages, want %d", after, before+1)
		}
	})
}

// What another process committed and could not write, because it died, is found by
// one that runs, although their clocks differ.
func TestAnotherProcessDies(t *testing.T) {
	for name, skew := range map[string]time.Duration{"the same clock": 0, "an hour behind": -time.Hour, "an hour ahead": time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redis := testserver.Redis(t)
			url := sqlite(t)
			other := newService(t, url, redis.Addr()) // it never runs its writer
			other.Engine = rolesync.New(rolesync.Options{Store: other.Store, Writer: other.Writer, Now: func() time.Time { return directory.Now().Add(skew) }})
			n := other.tenant(t)
			u := n.user(t, "anna@example.com")
			s := newService(t, url, redis.Addr())
			s.run(t)
			n.at(s).wantInRedis(t, u)
			n.change(t, setActive(u, false))
			n.at(s).wantInRedis(t, u)
			s.wantSettled(t)
		})
	}
}

// An organization is filled anew, over and over, while its users change: nothing is
// lost and nothing is stale, at no moment and in the end.
func TestFillWhileChangesGoOn(t *testing.T) {
	t.Parallel()
	redis := testserver.Redis(t)
	url := sqlite(t)
	s, filler := newService(t, url, redis.Addr()), newService(t, url, redis.Addr())
	s.run(t)
	n := s.tenant(t)
	users := n.users(t, 40)
	g := n.group(t, "Admins")
	for _, u := range users {
		n.wantInRedis(t, u)
	}
	repair := func(by *service) error {
		verifier := rolesync.Verifier{Store: by.Store, Writer: by.Writer}
		found := rolesync.Verification{Differences: []rolesync.Difference{{Organization: n.by.Organization, Where: "redis", What: "a test"}}}
		return verifier.Repair(context.Background(), by.Engine, found)
	}
	var done atomic.Bool
	var fillings, newest atomic.Int64
	reader := claims.NewReader(s.Client, claims.Keys{})
	together(5, func(worker int) {
		switch worker {
		case 0, 1: // two processes fill
			for !done.Load() {
				if err := repair([]*service{s, filler}[worker]); err != nil {
					t.Error(err)
				}
				fillings.Add(1)
			}
		case 2: // an issuer reads: it never sees nothing, and never an older version
			for !done.Load() {
				least := newest.Load()
				got, err := reader.Assignment(context.Background(), string(n.by.Organization), string(users[0]))
				if err != nil || got.Version < least {
					t.Errorf("read version %d, %v; it was %d already", got.Version, err, least)
					return
				}
				newest.Store(max(least, got.Version))
			}
		default:
			defer done.Store(true)
			for i := 0; i < 80 || fillings.Load() < 10 && !t.Failed(); i++ {
				change := addMembers(g, string(users[i%len(users)]), string(users[0]))
				if (i/3)%2 == 0 {
					change = removeMembers(g, string(users[i%len(users)]), string(users[0]))
				}
				if err := n.try(change); err != nil {
					t.Error(err)
				}
			}
		}
	})
	s.wantSettled(t)
}

// The embedded Redis is empty at each start, and is filled from SQL.
func TestEmbeddedIsFilledAtEachStart(t *testing.T) {
	t.Parallel()
	url := sqlite(t)
	var organization, user string
	for round := range 3 {
		embedded, err := rolesync.StartEmbedded()
		must(t, err)
		s := newService(t, url, embedded.Addr())
		stop := s.run(t)
		if round == 0 {
			n := s.tenant(t)
			u := n.user(t, "anna@example.com")
			organization, user = string(n.by.Organization), string(u)
		}
		reader := claims.NewReader(s.Client, claims.Keys{})
		eventually(t, "the user is in Redis", func() bool {
			got, err := reader.Assignment(t.Context(), organization, user)
			return err == nil && got.Role == "member"
		})
		s.wantSettled(t)
		s.wantHealthy(t)
		stop()
		embedded.Close()
	}
}

// A process that is asked to end does so soon, also when Redis hangs or is away.
func TestWriterEnds(t *testing.T) {
	for name, bad := range map[string]func(*testserver.RedisServer) error{
		"while all is well":   func(*testserver.RedisServer) error { return nil },
		"while Redis hangs":   func(r *testserver.RedisServer) error { return r.Pause() },
		"while Redis is away": func(r *testserver.RedisServer) error { return r.Kill() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redis := testserver.Redis(t)
			s := newService(t, sqlite(t), redis.Addr())
			stop := s.run(t)
			n := s.tenant(t)
			n.wantInRedis(t, n.user(t, "anna@example.com"))
			must(t, bad(redis))
			u := n.user(t, "bert@example.com")
			start := time.Now()
			stop()
			if took := time.Since(start); took > 8*time.Second {
				t.Errorf("it took %v to end", took)
			}
			if name == "while all is well" {
				if _, err := n.read(t, u); err != nil {
					t.Errorf("what was queued was not written before the end: %v", err)
				}
			}
		})
	}
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

// A group of more members than one transaction evaluates, with Redis: all of them
// arrive, also when the process dies in the middle and another one goes on.
func TestBacklogIsWorkedOffByTheNextProcess(t *testing.T) {
	t.Parallel()
	redis := testserver.Redis(t)
	url := sqlite(t)
	s := newService(t, url, redis.Addr())
	n := s.tenant(t)
	users := n.users(t, rolesync.InlineLimit+50)
	n.change(t, func(tx *rolesync.Tx) error {
		g := newGroup("Admins")
		tx.CreateGroup(g)
		tx.AddMembers(g.ID, values(users))
		return nil
	})
	next := newService(t, url, redis.Addr())
	next.run(t)
	n = n.at(next)
	eventually(t, "the last one is an admin in Redis", func() bool {
		got, err := n.read(t, users[len(users)-1])
		return err == nil && got.Role == "admin"
	})
	next.wantSettled(t)
	n.wantRoles(t, users[0], mapping.RoleKey("admin"))
}
