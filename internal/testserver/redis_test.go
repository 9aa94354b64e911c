package testserver

import (
	"bytes"
	"context"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// do is Do that ends the test on an error.
func do(tb testing.TB, s *RedisServer, command ...string) string {
	tb.Helper()
	answer, err := s.Do(command...)
	if err != nil {
		tb.Fatalf("%v: %v", command, err)
	}
	return answer
}

// must ends the test when a step of it failed.
func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// eventually waits until claim holds.
func eventually(tb testing.TB, what string, claim func() bool) {
	tb.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for !claim() {
		select {
		case <-poll.C:
		case <-deadline.C:
			tb.Fatalf("it did not come true that %s", what)
		}
	}
}

func TestRedisAnswers(t *testing.T) {
	t.Parallel()
	s := Redis(t)
	if got := do(t, s, "SET", "a", "b c"); got != "OK" {
		t.Errorf("SET = %q, want OK", got)
	}
	for _, test := range []struct {
		command []string
		want    string
	}{
		{[]string{"GET", "a"}, "b c"},
		{[]string{"GET", "none"}, ""},
		{[]string{"APPEND", "a", "d"}, "4"},
		{[]string{"MGET", "a", "a"}, "b cd\nb cd"},
	} {
		if got := do(t, s, test.command...); got != test.want {
			t.Errorf("%v = %q, want %q", test.command, got, test.want)
		}
	}
	if _, err := s.Do("NONSENSE"); err == nil || !strings.Contains(err.Error(), "unknown command") {
		t.Errorf("NONSENSE = %v, want an unknown command", err)
	}
	if want := "redis://" + s.Addr(); s.URL() != want {
		t.Errorf("URL = %s, want %s", s.URL(), want)
	}
}

func TestRedisComesBackOnItsPort(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		options []RedisOption
		end     func(*RedisServer) error
		want    string
	}{
		{"empty after a stop", nil, (*RedisServer).stopped, ""},
		{"empty after a crash", nil, (*RedisServer).killed, ""},
		{"with its snapshot after a stop", []RedisOption{Save("3600 1")}, (*RedisServer).stopped, "b"},
		{"with every write after a crash", []RedisOption{AppendOnly()}, (*RedisServer).killed, "b"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := Redis(t, test.options...)
			before := s.Addr()
			do(t, s, "SET", "a", "b")
			must(t, test.end(s))
			if _, err := s.Do("PING"); err == nil {
				t.Error("it answers after its end")
			}
			must(t, s.Start())
			if got := do(t, s, "GET", "a"); got != test.want || s.Addr() != before {
				t.Errorf("GET = %q at %s, want %q at %s", got, s.Addr(), test.want, before)
			}
		})
	}
}

func (s *RedisServer) stopped() error { return s.Stop() }
func (s *RedisServer) killed() error  { return s.Kill() }

func TestRedisRestartForgets(t *testing.T) {
	t.Parallel()
	s := Redis(t)
	do(t, s, "SET", "a", "b")
	must(t, s.Restart())
	if got := do(t, s, "DBSIZE"); got != "0" {
		t.Errorf("DBSIZE = %s after a restart without persistence, want 0", got)
	}
}

func TestRedisPaused(t *testing.T) {
	t.Parallel()
	s := Redis(t)
	must(t, s.Pause())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.do(ctx, s.port, "PING"); err == nil {
		t.Error("a paused server answers")
	}
	must(t, s.Resume())
	if got := do(t, s, "PING"); got != "PONG" {
		t.Errorf("PING = %q after Resume, want PONG", got)
	}
	must(t, s.Pause())
	must(t, s.Stop()) // resumes it, so that it can end in order
}

func TestRedisRefusesWhatMakesNoSense(t *testing.T) {
	t.Parallel()
	s := Redis(t)
	if err := s.Start(); err == nil {
		t.Error("Start of a running server is accepted")
	}
	must(t, s.Stop())
	must(t, s.Stop())
	must(t, s.Kill())
	if s.Pause() == nil || s.Resume() == nil {
		t.Error("Pause and Resume of a stopped server are accepted")
	}
}

func TestRedisThatCannotStartTellsWhy(t *testing.T) {
	t.Parallel()
	Redis(t) // skips without the binary
	_, err := StartRedis(t.TempDir(), Argument("no-such-setting", "1"))
	if err == nil || !strings.Contains(err.Error(), "no-such-setting") {
		t.Errorf("StartRedis = %v, want an error that names the setting", err)
	}
}

func TestRedisWithPassword(t *testing.T) {
	t.Parallel()
	s := Redis(t, Password("hunter2"))
	do(t, s, "PING")
	if want := "redis://:hunter2@" + s.Addr(); s.URL() != want {
		t.Errorf("URL = %s, want %s", s.URL(), want)
	}
	stranger := &RedisServer{server: s.server}
	if _, err := stranger.Do("PING"); err == nil || !strings.Contains(err.Error(), "NOAUTH") {
		t.Errorf("PING without the password = %v, want NOAUTH", err)
	}
}

func TestReplicaHasTheDataAndCanBePromoted(t *testing.T) {
	t.Parallel()
	master := Redis(t, Password("hunter2"))
	do(t, master, "SET", "a", "b")
	replica := Redis(t, Replica(master), Password("hunter2"))
	if got := do(t, replica, "GET", "a"); got != "b" {
		t.Errorf("GET on the replica = %q, want b", got)
	}
	must(t, master.Kill())
	do(t, replica, "REPLICAOF", "NO", "ONE")
	do(t, replica, "SET", "a", "c")
}

func TestSentinelFailsOver(t *testing.T) {
	t.Parallel()
	master := Redis(t)
	replica := Redis(t, Replica(master))
	sentinel := Sentinel(t, "main", master)
	current := func() string {
		return strings.ReplaceAll(do(t, sentinel, "SENTINEL", "get-master-addr-by-name", "main"), "\n", ":")
	}
	if got := current(); got != master.Addr() {
		t.Errorf("the master is %s, want %s", got, master.Addr())
	}
	must(t, master.Kill())
	eventually(t, "the replica is the master", func() bool { return current() == replica.Addr() })
	if got := do(t, replica, "ROLE"); !strings.HasPrefix(got, "master") {
		t.Errorf("ROLE of the replica = %q, want master", got)
	}
	must(t, sentinel.Restart())
	if got := current(); got != replica.Addr() {
		t.Errorf("after its restart the Sentinel says %s, want %s", got, replica.Addr())
	}
}

func TestOwnerIsTheFunctionThatOwns(t *testing.T) {
	Redis(t)
	stacks := make([]byte, 1<<20)
	if !bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte(Owner+"(")) {
		t.Errorf("no goroutine runs %s", Owner)
	}
}

func TestPortsAreBelowThoseOfClients(t *testing.T) {
	for range 20 {
		if port, err := freePort(); err != nil || port < 12000 || port >= 32000 {
			t.Errorf("freePort = %s, %v, want 12000 to 31999", strconv.Itoa(port), err)
		}
	}
}
