package sync_test

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	_ "github.com/jackc/pgx/v5/stdlib"
	"go.uber.org/goleak"
	_ "modernc.org/sqlite"

	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/internal/testserver"
	"github.com/rolesync/rolesync/mapping"
	rolesync "github.com/rolesync/rolesync/sync"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Most tests wait for a server, and each step of the property test is a transaction
	// on a disk. What the command line says counts more.
	for name, value := range map[string]string{"test.parallel": "8", "rapid.checks": "12"} {
		if f := flag.Lookup(name); f.Value.String() == f.DefValue {
			_ = f.Value.Set(value)
		}
	}
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(testserver.Owner))
}

// The rules of every tenant, unless a test publishes others.
var (
	catalog = []mapping.Role{
		{Key: "admin", Name: "Admin", Rank: 90, Permissions: []mapping.Permission{"users:write", "users:read"}},
		{Key: "developer", Name: "Developer", Rank: 50, Permissions: []mapping.Permission{"code:write"}},
		{Key: "member", Name: "Member", Rank: 10, Permissions: []mapping.Permission{"app:use"}},
	}
	ruleSet = mapping.RuleSet{DefaultRole: "member", Rules: []mapping.Rule{
		{ID: "admins", When: mapping.Condition{Group: mapping.GroupMatcher{Name: "Admins"}}, Grant: mapping.Grant{Roles: []mapping.RoleKey{"admin"}}},
		{ID: "engineers", When: mapping.Condition{Group: mapping.GroupMatcher{Glob: "Eng*"}}, Grant: mapping.Grant{Roles: []mapping.RoleKey{"developer"}}},
	}}
)

// service is what one process has. Nothing of it runs before run.
type service struct {
	*rolesync.Engine
	Store  *store.Store
	Writer *rolesync.Writer
	Client rolesync.Client // nil when the test does not look at Redis
	url    string
	again  *atomic.Int64 // transactions that ran again after a deadlock
}

// counting is a log that counts the transactions that run again.
type counting struct {
	slog.Handler
	again *atomic.Int64
}

func (c counting) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "transaction runs again" {
		c.again.Add(1)
	}
	return c.Handler.Handle(ctx, r)
}

// tester is what a test and a step of a property test have in common.
type tester interface {
	Helper()
	Context() context.Context
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// eachDatabase runs a test on an empty SQLite and on an empty PostgreSQL database,
// both with the catalog.
func eachDatabase(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, sqlite(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, prepared(t, testserver.Database(t)))
	})
}

// sqlite returns a prepared SQLite database: a copy of the first one, since to migrate
// takes the race detector a second.
func sqlite(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rolesync.db")
	image.once.Do(func() {
		url := prepared(t, "sqlite:"+path)
		if _, err := raw(t, url).ExecContext(t.Context(), "VACUUM INTO $1", path+".copy"); err != nil {
			t.Fatal(err)
		}
		var err error
		if image.data, err = os.ReadFile(path + ".copy"); err != nil {
			t.Fatal(err)
		}
	})
	path += ".image" // beside the first one, which is open still
	if err := os.WriteFile(path, image.data, 0o600); err != nil {
		t.Fatal(err)
	}
	return "sqlite:" + path
}

var image struct {
	once sync.Once
	data []byte
}

// prepared migrates a database and stores the catalog.
func prepared(t testing.TB, url string) string {
	t.Helper()
	s := newService(t, url, "")
	if err := s.Store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, role := range catalog {
		if err := s.PutRole(t.Context(), rolesync.Author{Name: "test"}, role); err != nil {
			t.Fatal(err)
		}
	}
	return url
}

// newService connects to a database and, unless the address is empty, to a Redis.
func newService(t testing.TB, url, redis string) *service {
	t.Helper()
	var client rolesync.Client
	if redis != "" {
		client = dial(t, rolesync.RedisOptions{Addresses: []string{redis}})
	}
	return newServiceOn(t, url, client)
}

func newServiceOn(t testing.TB, url string, client rolesync.Client) *service {
	t.Helper()
	again := &atomic.Int64{}
	log := slog.New(counting{slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}), again})
	s, err := store.Open(t.Context(), store.Options{URL: url, MaxConnections: 12, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	w := rolesync.NewWriter(s, client, "", log)
	return &service{rolesync.New(rolesync.Options{Store: s, Writer: w, Log: log}), s, w, client, url, again}
}

func dial(t testing.TB, o rolesync.RedisOptions) rolesync.Client {
	t.Helper()
	if o.Timeout == 0 {
		o.Timeout = time.Second
	}
	client, err := rolesync.Dial(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() }) // it has nothing left to say
	return client
}

// run starts the engine and the writer, which stop in that order after the test, or
// when stop is called.
func (s *service) run(t testing.TB) (stop func()) {
	engineCtx, stopEngine := context.WithCancel(context.Background())
	writerCtx, stopWriter := context.WithCancel(context.Background())
	var engine, writer sync.WaitGroup
	engine.Go(func() { s.Engine.Run(engineCtx) })
	writer.Go(func() { s.Writer.Run(writerCtx) })
	stop = sync.OnceFunc(func() {
		stopEngine()
		engine.Wait()
		stopWriter()
		writer.Wait()
	})
	t.Cleanup(stop)
	return stop
}

// raw opens a connection past the store.
func raw(t testing.TB, url string) *sql.DB {
	t.Helper()
	driver, source := "pgx", url
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		driver, source = "sqlite", "file:"+path+"?_pragma=busy_timeout(10000)"
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // what it wrote is committed
	return db
}

func execute(t testing.TB, url, query string, args ...any) {
	t.Helper()
	result, err := raw(t, url).ExecContext(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		t.Fatalf("%s changed %d rows, %v", query, n, err)
	}
}

// wantSound fails the test when assignments are not what facts and rules give, in SQL
// alone.
func (s *service) wantSound(t testing.TB) {
	t.Helper()
	verifier := rolesync.Verifier{Store: s.Store}
	found, err := verifier.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range found.Differences {
		t.Errorf("verify: %s", d)
	}
	orphans(t, s.url)
}

// wantSettled does that for Redis, too, once the writer has had its time.
func (s *service) wantSettled(t testing.TB) {
	t.Helper()
	s.wantSettledIn(t, 15*time.Second)
}

func (s *service) wantSettledIn(t testing.TB, settle time.Duration) {
	t.Helper()
	verifier := rolesync.Verifier{Store: s.Store, Writer: s.Writer, Settle: settle}
	found, err := verifier.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range found.Differences {
		if i == 10 {
			t.Errorf("verify: and %d more", len(found.Differences)-i)
			break
		}
		t.Errorf("verify: %s", d)
	}
	orphans(t, s.url)
}

// orphans looks for rows that point at nothing.
func orphans(t testing.TB, url string) {
	t.Helper()
	db := raw(t, url)
	for _, query := range []string{
		`SELECT count(*) FROM memberships AS m WHERE NOT EXISTS (SELECT 1 FROM users AS u WHERE u.organization_id = m.organization_id AND u.id = m.user_id)`,
		`SELECT count(*) FROM memberships AS m WHERE NOT EXISTS (SELECT 1 FROM groups AS g WHERE g.organization_id = m.organization_id AND g.id = m.group_id)`,
		`SELECT count(*) FROM nested_groups AS m WHERE NOT EXISTS (SELECT 1 FROM groups AS g WHERE g.organization_id = m.organization_id AND g.id = m.group_id)`,
		`SELECT count(*) FROM nested_groups AS m WHERE NOT EXISTS (SELECT 1 FROM groups AS g WHERE g.organization_id = m.organization_id AND g.id = m.member_id)`,
		`SELECT count(*) FROM pending_members AS m WHERE NOT EXISTS (SELECT 1 FROM groups AS g WHERE g.organization_id = m.organization_id AND g.id = m.group_id)`,
		`SELECT count(*) FROM pending_members AS m WHERE EXISTS (SELECT 1 FROM users AS u WHERE u.organization_id = m.organization_id
			AND u.connection_id = m.connection_id AND u.user_name_folded = m.value_folded)`,
	} {
		var n int
		if err := db.QueryRowContext(t.Context(), query).Scan(&n); err != nil || n > 0 {
			t.Errorf("%d rows, %v: %s", n, err, query)
		}
	}
}

// eventually polls until a condition holds.
func eventually(t tester, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for !holds() {
		select {
		case <-poll.C:
		case <-deadline.C:
			t.Fatalf("it never came to this: %s", what)
		}
	}
}

// together runs a function in some goroutines at once and waits for them.
func together(workers int, work func(worker int)) {
	var wg sync.WaitGroup
	for worker := range workers {
		wg.Go(func() { work(worker) })
	}
	wg.Wait()
}

func equal[T any](t testing.TB, what string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func wantFault(t testing.TB, err error, kind fault.Kind) {
	t.Helper()
	if !fault.Is(err, kind) {
		t.Errorf("error = %v, want a fault of kind %q", err, kind)
	}
}

// pick returns a random element.
func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

var errBroken = errors.New("the closure gave up")
