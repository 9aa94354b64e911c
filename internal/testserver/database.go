package testserver

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// shared is the PostgreSQL server that Database uses. It runs until this process
// ends.
var shared = sync.OnceValues(func() (*PostgresServer, error) {
	parent, err := temporary()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(parent.path, "shared-")
	if err != nil {
		return nil, err
	}
	return StartPostgres(dir)
})

var databases atomic.Int64

// Database returns the URL of a fresh, empty PostgreSQL database, owned by a role
// that is no superuser, and drops it after the test. All tests of a process share
// one server, which is never stopped or paused: that takes Postgres. A database takes
// up to half a second, so subtests that can share one do.
func Database(tb testing.TB) string {
	tb.Helper()
	server, err := shared()
	need(tb, err)
	name := fmt.Sprintf("test_%d", databases.Add(1))
	administer := func(statement string) error {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		return execute(ctx, server.AdminURL(), statement)
	}
	if err := administer("CREATE DATABASE " + name + " OWNER " + application + " TEMPLATE template0"); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := administer("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			tb.Error(err)
		}
	})
	return server.address(server.port, application, name)
}
