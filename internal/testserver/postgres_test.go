package testserver

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// connect opens a connection that the test closes.
func connect(tb testing.TB, url string) *pgx.Conn {
	tb.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close(context.Background()) }) // the server may be gone
	return conn
}

// query runs a query for one value.
func query[T any](tb testing.TB, url, sql string) T {
	tb.Helper()
	var value T
	if err := connect(tb, url).QueryRow(context.Background(), sql).Scan(&value); err != nil {
		tb.Fatalf("%s: %v", sql, err)
	}
	return value
}

func TestPostgresThroughBadTimes(t *testing.T) {
	t.Parallel()
	s := Postgres(t)
	ctx := t.Context()
	before := s.Addr()
	must(t, execute(ctx, s.URL(), "CREATE TABLE fact (id int PRIMARY KEY)"))

	must(t, execute(ctx, s.URL(), "INSERT INTO fact VALUES (1)"))
	must(t, s.Restart())
	must(t, execute(ctx, s.URL(), "INSERT INTO fact VALUES (2)"))
	busy := connect(t, s.URL())
	must(t, s.Kill())
	if err := busy.Ping(ctx); err == nil {
		t.Error("a connection answers after Kill")
	}
	must(t, s.Start())
	if got := query[int](t, s.URL(), "SELECT count(*) FROM fact"); got != 2 || s.Addr() != before {
		t.Errorf("%d facts at %s after Stop and Kill, want 2 at %s", got, s.Addr(), before)
	}

	open := connect(t, s.URL())
	must(t, s.Pause())
	brief, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if _, err := open.Exec(brief, "SELECT 1"); err == nil {
		t.Error("an open connection is answered by a paused server")
	}
	if _, err := pgx.Connect(brief, s.URL()); err == nil {
		t.Error("a new connection is answered by a paused server")
	}
	must(t, s.Resume())
	if got := query[int](t, s.URL(), "SELECT count(*) FROM fact"); got != 2 {
		t.Errorf("%d facts after Resume, want 2", got)
	}
}

func TestPostgresSettings(t *testing.T) {
	t.Parallel()
	s := Postgres(t, WithDurability(), Setting("work_mem", "5MB"))
	for setting, want := range map[string]string{"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "work_mem": "5MB", "listen_addresses": "127.0.0.1"} {
		if got := query[string](t, s.URL(), "SHOW "+setting); got != want {
			t.Errorf("%s = %s, want %s", setting, got, want)
		}
	}
	if query[bool](t, s.URL(), "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") {
		t.Error("URL is for a superuser")
	}
	if !query[bool](t, s.AdminURL(), "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") {
		t.Error("AdminURL is not for a superuser")
	}
}

func TestDatabasesAreFreshAndDropped(t *testing.T) {
	t.Parallel()
	var first string
	t.Run("use", func(t *testing.T) {
		first = Database(t)
		must(t, execute(t.Context(), first, "CREATE TABLE fact (id int)"))
		second := Database(t)
		must(t, execute(t.Context(), second, "CREATE TABLE fact (id int)"))
		connect(t, second) // left open: it must not keep the database from being dropped
	})
	if err := execute(t.Context(), first, "SELECT 1"); err == nil {
		t.Error("the database outlives its test")
	}
}

func TestTwoSharedDatabasesAreOneServer(t *testing.T) {
	t.Parallel()
	a, err := pgx.ParseConfig(Database(t))
	must(t, err)
	b, err := pgx.ParseConfig(Database(t))
	must(t, err)
	if a.Port != b.Port || a.Database == b.Database {
		t.Errorf("databases %s on %d and %s on %d, want two on one server", a.Database, a.Port, b.Database, b.Port)
	}
}
