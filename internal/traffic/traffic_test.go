package traffic_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/internal/testserver"
	"github.com/rolesync/rolesync/internal/traffic"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(testserver.Owner))
}

// fixture is a recorder on a database with one connection.
type fixture struct {
	*traffic.Recorder
	store *store.Store
	scope store.Scope
}

func open(t testing.TB, url string) *fixture {
	t.Helper()
	ctx := context.Background()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	s, err := store.Open(ctx, store.Options{URL: url, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // what it wrote was read
	if err := s.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	f := &fixture{Recorder: traffic.New(s, log), store: s}
	f.scope = f.connection(t)
	return f
}

// connection makes a connection of an organization of its own.
func (f *fixture) connection(t testing.TB) store.Scope {
	t.Helper()
	now := directory.Now()
	scope := store.Scope{Organization: directory.NewOrganizationID(), Connection: directory.NewConnectionID()}
	err := f.store.Transact(context.Background(), scope, store.Facts, func(tx *store.Tx) error {
		tx.CreateOrganization(directory.Organization{ID: scope.Organization, Name: "Acme", CreatedAt: now})
		tx.CreateConnection(directory.Connection{ID: scope.Connection, Kind: directory.SCIM, Name: "Okta", CreatedAt: now})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return scope
}

func eachDatabase(t *testing.T, test func(t *testing.T, f *fixture)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, open(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db")))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, open(t, testserver.Database(t)))
	})
}

func (f *fixture) flush(t *testing.T) {
	t.Helper()
	if err := f.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) stored(t *testing.T, scope store.Scope) store.Traffic {
	t.Helper()
	stored, _, err := f.store.Traffic(t.Context(), scope)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

func (f *fixture) failures(t *testing.T, scope store.Scope) []store.Failure {
	t.Helper()
	list, err := f.store.Failures(t.Context(), scope, "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// get is a request that went well; failed is one that did not.
func (f *fixture) get(scope store.Scope) traffic.Request {
	return traffic.Request{Scope: scope, Kind: "users.get", At: directory.Now()}
}

func (f *fixture) failed(scope store.Scope, kind, detail string) traffic.Request {
	return traffic.Request{Scope: scope, Kind: kind, At: directory.Now(), Failure: &traffic.Failure{
		Status: 400, Code: "invalidValue", Detail: detail, Method: "POST", Path: "/Users", Request: "req_1", Body: `{"userName":"…"}`,
	}}
}

func TestWhatIsRecordedIsStored(t *testing.T) {
	eachDatabase(t, func(t *testing.T, f *fixture) {
		other := f.connection(t)
		first := directory.Now()
		last := first.Add(time.Second)
		f.Record(traffic.Request{Scope: f.scope, Kind: "users.create", At: last, Unmapped: []string{"shoeSize", "x\x00y"}})
		f.Record(traffic.Request{Scope: f.scope, Kind: "users.create", At: first, Unmapped: []string{"shoeSize"}})
		f.Record(traffic.Request{Scope: f.scope, Kind: "users.create", At: first, Failure: &traffic.Failure{
			Status: 409, Code: "uniqueness", Detail: "the userName \"ann\xffa\x00\" is taken", Method: "POST", Path: "/Users", Request: "req_1", Body: `{"userName":"…"}`,
		}})
		f.Record(f.get(other))
		f.flush(t)
		f.flush(t) // nothing is counted twice

		want := store.Traffic{
			Scope: f.scope,
			Kinds: []store.KindTraffic{{Kind: "users.create", Succeeded: 2, Failed: 1, LastSuccess: last, LastFailure: first}},
			Unmapped: []store.UnmappedAttribute{
				{Name: "shoeSize", Count: 2, FirstAt: first, LastAt: last}, {Name: "x�y", Count: 1, FirstAt: last, LastAt: last},
			},
		}
		if diff := cmp.Diff(want, f.stored(t, f.scope)); diff != "" {
			t.Errorf("stored (-want +got):\n%s", diff)
		}
		failures := f.failures(t, f.scope)
		if len(failures) != 1 || !strings.HasPrefix(failures[0].ID, "fail_") {
			t.Fatalf("failures = %+v, want one", failures)
		}
		failures[0].ID = ""
		if diff := cmp.Diff(store.Failure{
			At: first, Kind: "users.create", Status: 409, Code: "uniqueness", Detail: "the userName \"ann�a�\" is taken",
			Method: "POST", Path: "/Users", Request: "req_1", Body: `{"userName":"…"}`,
		}, failures[0]); diff != "" {
			t.Errorf("failure (-want +got):\n%s", diff)
		}
		if kinds := f.stored(t, other).Kinds; len(kinds) != 1 || kinds[0].Succeeded != 1 {
			t.Errorf("the other connection: %+v", kinds)
		}
	})
}

func TestRunStoresNowAndThenAndWhenItStops(t *testing.T) {
	eachDatabase(t, func(t *testing.T, f *fixture) {
		ctx, stop := context.WithCancel(t.Context())
		var run sync.WaitGroup
		run.Go(func() { f.Run(ctx) })
		defer run.Wait()
		defer stop()
		f.Record(f.get(f.scope))
		deadline, poll := time.After(20*time.Second), time.NewTicker(10*time.Millisecond)
		defer poll.Stop()
		for len(f.stored(t, f.scope).Kinds) == 0 {
			select {
			case <-poll.C:
			case <-deadline:
				t.Fatal("it never stored what was recorded")
			}
		}
		f.Record(f.get(f.scope))
		stop()
		run.Wait()
		if got := f.stored(t, f.scope).Kinds[0].Succeeded; got != 2 {
			t.Errorf("%d requests after it stopped, want 2", got)
		}
	})
}

func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	server := testserver.Postgres(t)
	f := open(t, server.URL())
	other := f.connection(t)
	f.Record(f.get(f.scope))
	f.flush(t)
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		f.Record(f.get(f.scope))
		f.Record(f.failed(other, "users.create", fmt.Sprintf("failure %d", i)))
		f.Record(f.failed(other, store.KindAuth, "wrong token"))
		if err := f.Flush(t.Context()); !fault.Is(err, fault.Unavailable) {
			t.Errorf("Flush = %v, want Unavailable", err)
		}
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	if err := f.store.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.flush(t)
	if kinds := f.stored(t, f.scope).Kinds; len(kinds) != 1 || kinds[0].Succeeded != 4 {
		t.Errorf("after the database was back: %+v, want 4 gets", kinds)
	}
	if kinds := f.stored(t, other).Kinds; len(kinds) != 2 || kinds[0].Failed != 3 || kinds[1].Failed != 3 {
		t.Errorf("after the database was back: %+v, want 3 failures of each kind", kinds)
	}
	var details []string
	for _, failure := range f.failures(t, other) {
		details = append(details, failure.Detail)
	}
	if diff := cmp.Diff([]string{"wrong token", "failure 2", "failure 1", "failure 0"}, details); diff != "" {
		t.Errorf("failures (-want +got):\n%s", diff)
	}
}

// Whoever sends without an end fills neither the memory nor the database.
func TestBounds(t *testing.T) {
	eachDatabase(t, func(t *testing.T, f *fixture) {
		for i := range 1000 {
			f.Record(f.failed(f.scope, store.KindAuth, "wrong token"))
			q := f.failed(f.scope, "users.create", fmt.Sprint(i, strings.Repeat("ä", 10_000)))
			q.Unmapped = []string{fmt.Sprint("attribute", i)}
			q.Failure.Body = strings.Repeat("ä", 10_000)
			f.Record(q)
		}
		f.flush(t)
		stored, failures := f.stored(t, f.scope), f.failures(t, f.scope)
		if kinds := stored.Kinds; len(kinds) != 2 || kinds[0].Failed != 1000 || kinds[1].Failed != 1000 {
			t.Errorf("kinds = %+v, want all counted", kinds)
		}
		if n := len(stored.Unmapped); n != store.MostUnmapped {
			t.Errorf("%d unmapped attributes, want %d", n, store.MostUnmapped)
		}
		if n, want := len(failures), store.MostFailures-store.MostAuthFailures+1; n != want {
			t.Errorf("%d failures, want %d: the newest, and one without a token", n, want)
		}
		if failures[0].Kind != "users.create" || !strings.HasPrefix(failures[0].Detail, "999ä") {
			t.Errorf("the newest failure: %.50q of %s", failures[0].Detail, failures[0].Kind)
		}
		if detail, body := len(failures[0].Detail), len(failures[0].Body); detail > 1<<10 || body > 4<<10 {
			t.Errorf("a detail of %d bytes, a body of %d", detail, body)
		}
	})
}

// However many connections fail while the database is away, what is held is bounded:
// then failures are counted, and no longer listed.
func TestBoundsOfAllConnections(t *testing.T) {
	f := open(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db"))
	const connections = 60
	scopes := [connections]store.Scope{}
	for i := range scopes {
		scopes[i] = f.connection(t)
		for range 100 {
			f.Record(f.failed(scopes[i], "users.create", "no"))
		}
	}
	f.flush(t)
	listed := 0
	for _, scope := range scopes {
		listed += len(f.failures(t, scope))
		if kinds := f.stored(t, scope).Kinds; kinds[0].Failed != 100 {
			t.Errorf("%+v, want all counted", kinds)
		}
	}
	if listed != 5000 {
		t.Errorf("%d failures are listed, want 5000", listed)
	}
	for range 10_001 {
		f.Record(f.get(store.Scope{Organization: f.scope.Organization, Connection: directory.NewConnectionID()}))
	}
	f.Record(f.get(f.scope)) // not counted, since there is no room
	f.flush(t)
	if kinds := f.stored(t, f.scope).Kinds; len(kinds) != 0 {
		t.Errorf("%+v of one connection too many", kinds)
	}
}

func TestANilRecorderRecordsNothing(t *testing.T) {
	var r *traffic.Recorder
	r.Record(traffic.Request{Kind: "users.get"})
	if err := r.Flush(t.Context()); err != nil {
		t.Error(err)
	}
}

func BenchmarkRecord(b *testing.B) {
	f := open(b, "sqlite:"+filepath.Join(b.TempDir(), "test.db"))
	now := directory.Now()
	kinds := []string{"users.list", "users.create", "users.get", "groups.list", "groups.patch", "users.patch"}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		f.Record(traffic.Request{Scope: f.scope, Kind: kinds[i%len(kinds)], At: now})
	}
}
