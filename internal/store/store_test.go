package store_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"flag"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	_ "github.com/jackc/pgx/v5/stdlib"
	"go.uber.org/goleak"
	_ "modernc.org/sqlite"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/internal/testserver"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Most tests wait for a server. What the command line says counts more.
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = f.Value.Set("8")
	}
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(testserver.Owner))
}

// conformance is what both databases must do. The tests of one database share it,
// each in organizations of its own; a test that needs a database to itself stands
// outside of this list.
var conformance = []struct {
	name string
	test func(*testing.T, *database)
}{
	{"organizations", testOrganizations},
	{"connections", testConnections},
	{"tokens", testTokens},
	{"clients", testClients},
	{"admin keys", testAdminKeys},
	{"settings of SAML", testSAMLSettings},
	{"domains of SAML", testSAMLDomains},
	{"keys of SAML", testSAMLKeys},
	{"warnings of SAML", testSAMLWarnings},
	{"test logins", testTrials},
	{"applications", testApplications},
	{"users", testUsers},
	{"user conflicts", testUserConflicts},
	{"groups", testGroups},
	{"scope", testScope},
	{"pages of users", testPagesOfUsers},
	{"pages of groups", testPagesOfGroups},
	{"conditions", testConditions},
	{"conditions on related rows", testRelated},
	{"orders", testOrders},
	{"user by alias", testUserByAlias},
	{"members", testMembers},
	{"pending members", testPendingMembers},
	{"nested groups", testNestedGroups},
	{"nested groups in a circle", testCircle},
	{"revisions of groups", testRaisedGroups},
	{"tallies", testTallies},
	{"users named", testUsersNamed},
	{"audit", testAudit},
	{"traffic", testTraffic},
	{"failures", testFailures},
	{"unmapped attributes", testUnmapped},
	{"traffic of several processes", testTrafficTogether},
	{"assignments", testAssignments},
	{"marks", testMarks},
	{"stale users", testStaleUsers},
	{"stale users again", testStaleAgain},
	{"sweep", testSweep},
	{"rollback", testRollback},
	{"races", testRaces},
	{"text that no database keeps", testText},
	{"messages", testMessages},
	{"requests and codes", testTakenOnce},
	{"identities", testIdentities},
	{"addresses", testEmailFolded},
	{"authority", testAuthority},
}

func TestStore(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d *database) {
		for _, c := range conformance {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.test(t, d)
			})
		}
	})
}

// database is a migrated store, and what it takes to look behind it.
type database struct {
	*store.Store
	url string
}

// eachDatabase runs a test on an empty SQLite and on an empty PostgreSQL database.
func eachDatabase(t *testing.T, test func(t *testing.T, d *database)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, migrated(t, "sqlite:"+filepath.Join(t.TempDir(), "rolesync.db")))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, migrated(t, testserver.Database(t)))
	})
}

// opened opens a store that is closed after the test.
func opened(t *testing.T, url string) *database {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{URL: url, MaxConnections: 8})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &database{s, url}
}

func migrated(t *testing.T, url string) *database {
	t.Helper()
	d := opened(t, url)
	if err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *database) postgres() bool { return strings.HasPrefix(d.url, "postgres:") }

// raw opens a connection past the store.
func (d *database) raw(t *testing.T) *sql.DB {
	t.Helper()
	driver, source := "pgx", d.url
	if !d.postgres() {
		driver, source = "sqlite", "file:"+strings.TrimPrefix(d.url, "sqlite:")+"?_pragma=busy_timeout(10000)"
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // it wrote nothing that counts
	return db
}

// tenant is one connection of one organization.
type tenant struct {
	*database
	store.Scope
}

// tenant makes a new organization with one connection.
func (d *database) tenant(t *testing.T) tenant {
	t.Helper()
	n := tenant{d, store.Scope{Organization: directory.NewOrganizationID(), Connection: directory.NewConnectionID()}}
	now := directory.Now()
	n.change(t, func(tx *store.Tx) {
		tx.CreateOrganization(directory.Organization{ID: n.Organization, Name: "Acme", CreatedAt: now})
		tx.CreateConnection(directory.Connection{ID: n.Connection, Kind: directory.SCIM, Name: "Okta", CreatedAt: now})
	})
	return n
}

// sibling makes another connection of the same organization.
func (n tenant) sibling(t *testing.T) tenant {
	t.Helper()
	other := tenant{n.database, store.Scope{Organization: n.Organization, Connection: directory.NewConnectionID()}}
	other.change(t, func(tx *store.Tx) {
		tx.CreateConnection(directory.Connection{ID: other.Connection, Kind: directory.SCIM, Name: "Entra", CreatedAt: directory.Now()})
	})
	return other
}

// try runs a transaction on facts of the tenant.
func (n tenant) try(ctx context.Context, change func(*store.Tx) error) error {
	return n.Transact(ctx, n.Scope, store.Facts, change)
}

// change runs a transaction that must succeed.
func (n tenant) change(t *testing.T, change func(*store.Tx)) {
	t.Helper()
	if err := n.try(t.Context(), func(tx *store.Tx) error { change(tx); return nil }); err != nil {
		t.Fatal(err)
	}
}

// user stores a new user.
func (n tenant) user(t *testing.T, userName string) directory.User {
	t.Helper()
	u := n.newUser(userName)
	n.change(t, func(tx *store.Tx) { tx.CreateUser(u) })
	return u
}

// group stores a new group.
func (n tenant) group(t *testing.T, name string) directory.Group {
	t.Helper()
	g := n.newGroup(name)
	n.change(t, func(tx *store.Tx) { tx.CreateGroup(g) })
	return g
}

func (n tenant) newUser(userName string) directory.User {
	now := directory.Now()
	return directory.User{
		ID: directory.NewUserID(), Organization: n.Organization, Connection: n.Connection, UserName: userName,
		Active: true, Resource: json.RawMessage(`{"userName":"x"}`), CreatedAt: now, ModifiedAt: now, Revision: 1,
	}
}

func (n tenant) newGroup(name string) directory.Group {
	now := directory.Now()
	return directory.Group{
		ID: directory.NewGroupID(), Organization: n.Organization, Connection: n.Connection, Kind: directory.SCIM, DisplayName: name,
		Resource: json.RawMessage(`{"displayName":"x"}`), CreatedAt: now, ModifiedAt: now, Revision: 1,
	}
}

// assignment stores the first version of a user's assignment.
func (n tenant) assignment(t *testing.T, user directory.UserID) store.Assignment {
	t.Helper()
	a := store.Assignment{
		Organization: n.Organization, User: user, Version: 1, Epoch: 1, Projection: `{"active":true}`,
		Aliases: []string{"user_name:" + string(user)}, Cause: "req_1", UpdatedAt: directory.Now(),
	}
	n.change(t, func(tx *store.Tx) { tx.CreateAssignment(a) })
	return a
}

func wantFault(t *testing.T, err error, kind fault.Kind) {
	t.Helper()
	if !fault.Is(err, kind) {
		t.Errorf("error = %v, want a fault of kind %q", err, kind)
	}
}

// equal reports a difference between what a call gave and what it should.
func equal[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// must unwraps an answer that may not fail. It is for the test's own goroutine.
func must[T any](t *testing.T) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// eventually polls until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
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
