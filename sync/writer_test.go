package sync_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rolesync/rolesync/claims"
	"github.com/rolesync/rolesync/internal/directory"
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
