// Package testserver runs private Redis and PostgreSQL servers, from the installed
// binaries, for tests and for the benchmark.
//
// Each server listens on a port of 127.0.0.1 of its own, keeps its files in a
// temporary folder of its own, and can be stopped, killed, paused and started again
// with the same port and data, so that a test can play bad times on the real thing.
//
// What always holds: a server that was given out answers; it is gone when the test
// that asked for it ends; and neither a server nor a folder stays behind when the
// process dies, however it dies (on other systems than Linux a server may, after
// SIGKILL). It knows nothing of what is stored in the servers, and it imports no
// Redis client, so every package may use it.
//
// Redis, Sentinel, Postgres and Database are for tests: where the binary is missing
// they skip the test, or fail it when ROLESYNC_TEST_ALL=1. StartRedis, StartSentinel
// and StartPostgres are the same for a program, which gives the folder and stops the
// server itself.
package testserver

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// Redis starts a Redis server that lives as long as the test.
func Redis(tb testing.TB, options ...RedisOption) *RedisServer {
	tb.Helper()
	dir := folder(tb, "redis")
	server, err := StartRedis(dir, options...)
	need(tb, err)
	stopAfter(tb, server.server)
	return server
}

// Sentinel starts a Sentinel for a master, with the replicas that the master has by
// now; it lives as long as the test. See StartSentinel.
func Sentinel(tb testing.TB, name string, master *RedisServer) *RedisServer {
	tb.Helper()
	dir := folder(tb, "sentinel")
	server, err := StartSentinel(dir, name, master)
	need(tb, err)
	stopAfter(tb, server.server)
	return server
}

// Postgres starts a PostgreSQL server that lives as long as the test, for a test
// that stops or slows its server. It takes most of a second; a test that only needs
// a database asks for Database.
func Postgres(tb testing.TB, options ...PostgresOption) *PostgresServer {
	tb.Helper()
	dir := folder(tb, "postgres")
	server, err := StartPostgres(dir, options...)
	need(tb, err)
	stopAfter(tb, server.server)
	return server
}

// folder makes a folder for one server of a test, which is removed after it.
func folder(tb testing.TB, name string) string {
	tb.Helper()
	parent, err := temporary()
	if err != nil {
		tb.Fatal(err)
	}
	dir, err := os.MkdirTemp(parent.path, name+"-")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			tb.Error(err)
		}
	})
	return dir
}

// need ends the test when its server could not be started.
func need(tb testing.TB, err error) {
	tb.Helper()
	switch {
	case err == nil:
	case errors.Is(err, exec.ErrNotFound) && os.Getenv("ROLESYNC_TEST_ALL") != "1":
		tb.Skip(err)
	default:
		tb.Fatal(err)
	}
}

// stopAfter stops the server after the test, and shows the end of its log when the
// test failed.
func stopAfter(tb testing.TB, s *server) {
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("the last lines of %s on port %d:\n%s", s.name, s.port, s.tail())
		}
		if err := s.end(s.discard); err != nil {
			tb.Error(err)
		}
	})
}

// A missingError says that a binary is not installed, and where it comes from.
type missingError struct{ binary, debian string }

func (e missingError) Error() string {
	return fmt.Sprintf("%s is not installed, and a real one is needed (Debian, Ubuntu: apt-get install %s)", e.binary, e.debian)
}

func (e missingError) Unwrap() error { return exec.ErrNotFound }
