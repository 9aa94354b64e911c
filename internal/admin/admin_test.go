package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolesync/rolesync/internal/admin"
	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/internal/testserver"
	"github.com/rolesync/rolesync/mapping"
	rolesync "github.com/rolesync/rolesync/sync"
)

var by = admin.Actor{Name: "admin key key_test", Request: "req_1"}

// eachDatabase runs a test on an empty SQLite and on an empty PostgreSQL database.
func eachDatabase(t *testing.T, test func(t *testing.T, s *admin.Service)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, service(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db"))) })
	t.Run("postgres", func(t *testing.T) { test(t, service(t, testserver.Database(t))) })
}

// service is the use cases on a database, with a writer that nobody runs.
func service(t *testing.T, url string) *admin.Service {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{URL: url, MaxConnections: 8})
	check(t, err)
	t.Cleanup(func() { check(t, s.Close()) })
	check(t, s.Migrate(t.Context()))
	redis, err := rolesync.StartEmbedded()
	check(t, err)
	t.Cleanup(redis.Close)
	client, err := rolesync.Dial(rolesync.RedisOptions{Addresses: []string{redis.Addr()}, Timeout: time.Second})
	check(t, err)
	t.Cleanup(func() { _ = client.Close() })
	log := slog.New(slog.DiscardHandler)
	engine := rolesync.New(rolesync.Options{Store: s, Writer: rolesync.NewWriter(s, client, "", log), Log: log})
	return &admin.Service{Store: s, Engine: engine}
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// tenant is an organization with one connection.
func tenant(t *testing.T, s *admin.Service) (directory.OrganizationID, admin.Connection, string) {
	t.Helper()
	o, err := s.CreateOrganization(t.Context(), by, "Acme")
	check(t, err)
	c, token, err := s.CreateConnection(t.Context(), by, o.ID, admin.NewConnection{Name: "Okta", Kind: directory.SCIM})
	check(t, err)
	return o.ID, c, token
}

func push(t *testing.T, s *admin.Service, c admin.Connection, change func(*rolesync.Tx)) {
	t.Helper()
	author := rolesync.Author{Organization: c.Organization, Connection: c.ID, Name: "connection", Request: "scim_1"}
	check(t, s.Engine.Change(t.Context(), author, func(tx *rolesync.Tx) error { change(tx); return nil }))
}

func newUser(name string) directory.User {
	now := directory.Now()
	return directory.User{ID: directory.NewUserID(), UserName: name, Email: name, Active: true, Resource: json.RawMessage(`{}`), CreatedAt: now, ModifiedAt: now, Revision: 1}
}

func newGroup(name string) directory.Group {
	now := directory.Now()
	return directory.Group{ID: directory.NewGroupID(), DisplayName: name, Resource: json.RawMessage(`{}`), CreatedAt: now, ModifiedAt: now, Revision: 1}
}

// all walks over a list in parts of two.
func all[T, U any](t *testing.T, list func(admin.Page) (admin.List[T], error), name func(T) U) []U {
	t.Helper()
	var got []U
	for page := (admin.Page{Limit: 2}); ; {
		part, err := list(page)
		check(t, err)
		if len(part.Items) > 2 {
			t.Fatalf("a part of %d items, want at most 2", len(part.Items))
		}
		for _, item := range part.Items {
			got = append(got, name(item))
		}
		if part.Next == "" {
			return got
		}
		page.After = part.Next
	}
}

func TestListsOnBothDatabases(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *admin.Service) {
		ctx := t.Context()
		org, c, _ := tenant(t, s)
		_, other, _ := tenant(t, s)
		push(t, s, other, func(tx *rolesync.Tx) {
			tx.CreateUser(newUser("anna@acme.com"))
			tx.CreateGroup(newGroup("Engineering"))
		})
		anna, ben, cleo := newUser("Anna@acme.com"), newUser("ben@acme.com"), newUser("cleo@acme.com")
		ben.ExternalID, cleo.Email = "00u1", "BEN@acme.com"
		engineering, sales, empty := newGroup("Engineering"), newGroup("Sales"), newGroup("Empty")
		for _, u := range []directory.User{anna, ben, cleo} {
			push(t, s, c, func(tx *rolesync.Tx) { tx.CreateUser(u) })
		}
		for _, g := range []directory.Group{engineering, sales, empty} {
			push(t, s, c, func(tx *rolesync.Tx) { tx.CreateGroup(g) })
		}
		push(t, s, c, func(tx *rolesync.Tx) {
			tx.TouchGroup(engineering.ID)
			tx.AddMembers(engineering.ID, []string{string(anna.ID), string(ben.ID), "z", "ä\n1", "b"})
		})

		userName := func(u directory.User) string { return u.UserName }
		for filter, want := range map[admin.UserFilter][]string{
			{}:                                       {"Anna@acme.com", "ben@acme.com", "cleo@acme.com"},
			{UserName: "ANNA@ACME.COM"}:              {"Anna@acme.com"},
			{Name: "ben@acme.com"}:                   {"ben@acme.com", "cleo@acme.com"},
			{Name: "00u1"}:                           {"ben@acme.com"},
			{Name: string(cleo.ID)}:                  {"cleo@acme.com"},
			{Name: "ben@acme.com", UserName: "x"}:    nil,
			{Name: "a\x00b"}:                         nil,
			{UserName: "\xff"}:                       nil,
			{Name: "' OR 1=1 --", UserName: "$1"}:    nil,
			{UserName: "ben@acme.com", Name: "00u1"}: {"ben@acme.com"},
		} {
			got := all(t, func(p admin.Page) (admin.List[directory.User], error) { return s.Users(ctx, by, org, filter, p) }, userName)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Users(%+v) (-want +got):\n%s", filter, diff)
			}
		}
		for _, name := range []string{string(anna.ID), "anna@ACME.com"} {
			u, err := s.User(ctx, by, org, name)
			if err != nil || u.ID != anna.ID {
				t.Errorf("User(%q) = %v, %v", name, u.ID, err)
			}
		}
		for name, want := range map[string]fault.Kind{
			"ben@acme.com": fault.Conflict, "nobody": fault.NotFound, "a\x00": fault.NotFound, string(directory.NewUserID()): fault.NotFound,
		} {
			if _, err := s.User(ctx, by, org, name); fault.KindOf(err) != want {
				t.Errorf("User(%q) = %v, want %v", name, err, want)
			}
		}

		groups := all(t, func(p admin.Page) (admin.List[admin.SeenGroup], error) { return s.Groups(ctx, by, org, p) },
			func(g admin.SeenGroup) string { return fmt.Sprint(g.DisplayName, " ", g.Members) })
		if diff := cmp.Diff([]string{"Engineering 2", "Sales 0", "Empty 0"}, groups); diff != "" {
			t.Errorf("Groups (-want +got):\n%s", diff)
		}
		pending := all(t, func(p admin.Page) (admin.List[admin.WaitingMember], error) { return s.Pending(ctx, by, org, c.ID, p) },
			func(w admin.WaitingMember) string { return w.GroupName + " " + w.Value })
		slices.Sort(pending) // the databases order text as they like, but walk over all of it
		if diff := cmp.Diff([]string{"Engineering b", "Engineering z", "Engineering ä\n1"}, pending); diff != "" {
			t.Errorf("Pending (-want +got):\n%s", diff)
		}
		actions := all(t, func(p admin.Page) (admin.List[admin.AuditEntry], error) {
			return s.Audit(ctx, by, org, string(anna.ID), p)
		},
			func(e admin.AuditEntry) string { return e.Action })
		if !slices.Contains(actions, "user.created") || actions[len(actions)-1] != "user.created" {
			t.Errorf("Audit of a user = %v, want the creation last", actions)
		}
		if got := all(t, func(p admin.Page) (admin.List[directory.Organization], error) { return s.Organizations(ctx, by, p) },
			func(o directory.Organization) directory.OrganizationID { return o.ID }); len(got) != 2 || got[0] != org {
			t.Errorf("Organizations = %v", got)
		}
	})
}

func TestRulesOnBothDatabases(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *admin.Service) {
		ctx := t.Context()
		org, c, _ := tenant(t, s)
		for rank, key := range []mapping.RoleKey{"member", "admin"} {
			_, err := s.PutRole(ctx, by, mapping.Role{Key: key, Name: string(key), Rank: rank})
			check(t, err)
		}
		rules := mapping.RuleSet{DefaultRole: "member", Rules: []mapping.Rule{
			{ID: "it", When: mapping.Condition{Group: mapping.GroupMatcher{Name: "IT"}}, Grant: mapping.Grant{Roles: []mapping.RoleKey{"admin"}}},
			{ID: "gone", When: mapping.Condition{Group: mapping.GroupMatcher{Name: "Gone"}}, Grant: mapping.Grant{Roles: []mapping.RoleKey{"admin"}}},
		}}
		it, anna := newGroup("IT"), newUser("anna@acme.com")
		push(t, s, c, func(tx *rolesync.Tx) { tx.CreateUser(anna) })
		push(t, s, c, func(tx *rolesync.Tx) { tx.CreateGroup(it); tx.AddMembers(it.ID, []string{string(anna.ID)}) })
		// More groups than are matched at once, the one that counts among the first.
		push(t, s, c, func(tx *rolesync.Tx) {
			for i := range 501 {
				tx.CreateGroup(newGroup(fmt.Sprint("group ", i)))
			}
		})
		p, err := s.PublishRules(ctx, by, org, rules, 0, "first")
		check(t, err)
		if p.Version != 1 || p.Remaining != 1 {
			t.Errorf("published %+v", p)
		}
		if _, err := s.PublishRules(ctx, by, org, rules, 0, "again"); !fault.Is(err, fault.Conflict) {
			t.Errorf("published over another version: %v", err)
		}
		if _, err := s.PublishRules(ctx, by, org, rules, 1, "a\x00b"); !fault.Is(err, fault.Invalid) {
			t.Errorf("published with a NUL: %v", err)
		}
		rules.Rules[0].Name = "a\x00b"
		if _, err := s.PublishRules(ctx, by, org, rules, 1, ""); !fault.Is(err, fault.Invalid) {
			t.Errorf("published a rule whose name has a NUL: %v", err)
		}

		before, err := s.Assignment(ctx, by, org, "anna@acme.com")
		check(t, err)
		if before.Expected == nil || before.Holds.Role != "" || before.Expected.Role != "admin" || before.Remaining != 1 {
			t.Errorf("before the backlog is worked off: %+v", before)
		}
		check(t, s.Engine.WorkOff(ctx))
		after, err := s.Assignment(ctx, by, org, string(anna.ID))
		check(t, err)
		if after.Expected != nil || after.Holds.Role != "admin" || len(after.Why.Assignment.Sources) != 1 || after.RulesVersion != 1 {
			t.Errorf("afterwards: %+v", after)
		}
		dangling, err := s.DanglingRules(ctx, by, org)
		check(t, err)
		if len(dangling) != 1 || dangling[0].Rule != "gone" {
			t.Errorf("dangling = %+v", dangling)
		}
		if err := s.DeleteRole(ctx, by, "admin"); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), `rule "it" of organization `+string(org)) {
			t.Errorf("DeleteRole = %v", err)
		}
		if err := s.DeleteRole(ctx, by, "a\x00b"); !fault.Is(err, fault.NotFound) {
			t.Errorf("DeleteRole = %v", err)
		}
	})
}

func TestRotationsAtOnceKeepTwoTokens(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *admin.Service) {
		ctx := t.Context()
		org, c, _ := tenant(t, s)
		var tokens [6]string
		var wait sync.WaitGroup
		for i := range tokens {
			wait.Go(func() {
				var err error
				if _, tokens[i], err = s.RotateToken(ctx, by, org, c.ID, time.Time{}); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		c, err := s.Connection(ctx, by, org, c.ID)
		check(t, err)
		live := 0
		for _, token := range tokens {
			if slices.ContainsFunc(c.Tokens, func(stored admin.Token) bool { return stored.Matches(token, directory.Now()) }) {
				live++
			}
		}
		if len(c.Tokens) != admin.LiveTokens || live != admin.LiveTokens {
			t.Errorf("%d tokens, %d of them live, want %d", len(c.Tokens), live, admin.LiveTokens)
		}
		for range 2 {
			c, err = s.DisableConnection(ctx, by, org, c.ID)
			if err != nil || !c.Disabled {
				t.Errorf("DisableConnection = %+v, %v", c, err)
			}
		}
		if c, err = s.EnableConnection(ctx, by, org, c.ID); err != nil || c.Disabled {
			t.Errorf("EnableConnection = %+v, %v", c, err)
		}
		if err := s.DeleteToken(ctx, by, org, c.ID, c.Tokens[0].ID); err != nil {
			t.Error(err)
		}
		if err := s.DeleteToken(ctx, by, org, c.ID, c.Tokens[0].ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("DeleteToken again = %v", err)
		}
	})
}

func TestClientsAtOnceKeepTwo(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *admin.Service) {
		ctx := t.Context()
		org, c, _ := tenant(t, s)
		var secrets [5]string
		var wait sync.WaitGroup
		for i := range secrets {
			wait.Go(func() {
				var err error
				if _, secrets[i], err = s.CreateClient(ctx, by, org, c.ID, time.Time{}); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		c, err := s.Connection(ctx, by, org, c.ID)
		check(t, err)
		live := 0
		for _, secret := range secrets {
			if slices.ContainsFunc(c.Clients, func(known admin.Client) bool { return known.Matches(secret, directory.Now()) }) {
				live++
			}
		}
		if len(c.Clients) != admin.LiveClients || live != admin.LiveClients || len(c.Tokens) != 1 {
			t.Errorf("%d clients, %d of them live, want %d beside the token", len(c.Clients), live, admin.LiveClients)
		}
		check(t, s.DeleteClient(ctx, by, org, c.ID, c.Clients[0].ID))
		for _, id := range []string{c.Clients[0].ID, c.Tokens[0].ID, "cli_\x00"} {
			if err := s.DeleteClient(ctx, by, org, c.ID, id); !fault.Is(err, fault.NotFound) {
				t.Errorf("DeleteClient(%q) = %v, want NotFound", id, err)
			}
		}
		if _, _, err := s.CreateClient(ctx, by, org, c.ID, directory.Now()); !fault.Is(err, fault.Invalid) {
			t.Errorf("a client that has ended: %v, want Invalid", err)
		}
	})
}

func TestRefusedChangeLeavesNoTrace(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *admin.Service) {
		ctx := t.Context()
		org, c, _ := tenant(t, s)
		other, _, _ := tenant(t, s)
		s.Forget = func(directory.ConnectionID) { t.Error("a change that did not happen was told") }
		nobody := directory.NewOrganizationID()
		for situation, change := range map[string]func() error{
			"disable a connection of another organization": func() error { _, err := s.DisableConnection(ctx, by, other, c.ID); return err },
			"change a connection of another organization": func() error {
				name := "Mine"
				_, err := s.ChangeConnection(ctx, by, other, c.ID, admin.ConnectionChange{Name: &name})
				return err
			},
			"change nothing of a connection of another organization": func() error {
				_, err := s.ChangeConnection(ctx, by, other, c.ID, admin.ConnectionChange{})
				return err
			},
			"rotate a token of another organization": func() error { _, _, err := s.RotateToken(ctx, by, other, c.ID, time.Time{}); return err },
			"delete a token of another organization": func() error { return s.DeleteToken(ctx, by, other, c.ID, c.Tokens[0].ID) },
			"make a client of another organization":  func() error { _, _, err := s.CreateClient(ctx, by, other, c.ID, time.Time{}); return err },
			"delete a client that is not there":      func() error { return s.DeleteClient(ctx, by, org, c.ID, "cli_1") },
			"delete a token that is not there":       func() error { return s.DeleteToken(ctx, by, org, c.ID, "key_1") },
			"a connection of nobody": func() error {
				_, _, err := s.CreateConnection(ctx, by, nobody, admin.NewConnection{Name: "x", Kind: directory.SCIM})
				return err
			},
			"rules of nobody":          func() error { _, err := s.PublishRules(ctx, by, nobody, mapping.RuleSet{}, 0, ""); return err },
			"a role that is not there": func() error { return s.DeleteRole(ctx, by, "nothing") },
		} {
			if err := change(); !fault.Is(err, fault.NotFound) {
				t.Errorf("%s: %v, want NotFound", situation, err)
			}
		}
		for _, id := range []directory.OrganizationID{org, other, nobody, ""} {
			entries, err := s.Store.AuditEntries(ctx, id, "", "", 10)
			if err != nil || id == nobody && len(entries) > 0 || id == "" && len(entries) > 0 || len(entries) > 2 {
				t.Errorf("audit of %q = %+v, %v", id, entries, err)
			}
			connections, err := s.Store.Connections(ctx, id)
			if err != nil || len(connections) > 1 || len(connections) == 1 && (len(connections[0].Tokens) != 1 || connections[0].Disabled) {
				t.Errorf("connections of %q = %+v, %v", id, connections, err)
			}
		}
	})
}

func TestAdminKeysOnBothDatabases(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *admin.Service) {
		ctx := t.Context()
		k, key, err := s.CreateAdminKey(ctx, by, "ci", time.Time{})
		check(t, err)
		actor, err := s.Authenticate(ctx, key, "req_2")
		if want := (admin.Actor{Name: "admin key " + k.ID, Request: "req_2"}); err != nil || actor != want {
			t.Errorf("Authenticate = %+v, %v, want %+v", actor, err, want)
		}
		for _, wrong := range []string{"", key + "x", key[:len(key)-1], credential.AdminKey, "\x00"} {
			if _, err := s.Authenticate(ctx, wrong, ""); !fault.Is(err, fault.Unauthorized) {
				t.Errorf("Authenticate(%q) = %v", wrong, err)
			}
		}
		check(t, s.DeleteAdminKey(ctx, by, k.ID))
		if _, err := s.Authenticate(ctx, key, ""); !fault.Is(err, fault.Unauthorized) {
			t.Errorf("after its end: %v", err)
		}
		if err := s.DeleteAdminKey(ctx, by, k.ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("DeleteAdminKey again = %v", err)
		}
		audit, err := s.DeploymentAudit(ctx, by, k.ID, admin.Page{})
		if err != nil || len(audit.Items) != 2 {
			t.Errorf("audit = %+v, %v", audit, err)
		}
	})
}

func TestKeyEndedElsewhereWorksForTwoSecondsAtMost(t *testing.T) {
	s := service(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db"))
	clock := directory.Now()
	s.Now = func() time.Time { return clock }
	ctx := t.Context()
	k, key, err := s.CreateAdminKey(ctx, by, "ci", clock.Add(time.Hour))
	check(t, err)
	valid := func() bool {
		_, err := s.Authenticate(ctx, key, "")
		if err != nil && !fault.Is(err, fault.Unauthorized) {
			t.Fatal(err)
		}
		return err == nil
	}
	if !valid() {
		t.Error("a new key is refused")
	}
	check(t, s.Store.Transact(ctx, store.Scope{}, store.Facts, func(tx *store.Tx) error { tx.DeleteAdminKey(k.ID); return nil })) // as another process would
	clock = clock.Add(admin.KeyAge)
	if valid() {
		t.Error("the key still works after", admin.KeyAge)
	}

	_, key, err = s.CreateAdminKey(ctx, by, "ci", clock.Add(time.Second))
	check(t, err)
	if !valid() {
		t.Error("a new key is refused")
	}
	clock = clock.Add(time.Second)
	if valid() {
		t.Error("the key works after its expiry, which needs no reading")
	}
	clock = clock.Add(-time.Hour) // a clock that is set back must not keep old keys alive
	if !valid() {
		t.Error("the keys are not read again when the clock goes back")
	}
}

func TestKeysThatCannotBeReadFailClosed(t *testing.T) {
	away, err := store.Open(t.Context(), store.Options{URL: "postgres://rolesync@127.0.0.1:1/rolesync"})
	check(t, err)
	t.Cleanup(func() { check(t, away.Close()) })
	s := &admin.Service{Store: away}
	if actor, err := s.Authenticate(t.Context(), credential.AdminKey, ""); !fault.Is(err, fault.Unavailable) || actor != (admin.Actor{}) {
		t.Errorf("Authenticate = %+v, %v, want Unavailable", actor, err)
	}
}

func TestManyRequestsAtOnceAuthenticate(t *testing.T) {
	s := service(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db"))
	_, key, err := s.CreateAdminKey(t.Context(), by, "ci", time.Time{})
	check(t, err)
	var wait sync.WaitGroup
	for i := range 20 {
		wait.Go(func() {
			if _, err := s.Authenticate(t.Context(), key, ""); err != nil {
				t.Error(err)
			}
			// One that has given up must not spoil it for the others.
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := s.Authenticate(ctx, key, ""); err != nil && !fault.Is(err, fault.Unavailable) {
				t.Error(err)
			}
			if i%5 == 0 {
				if _, _, err := s.CreateAdminKey(t.Context(), by, "another", time.Time{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
}

func TestKeyMustEndBeforeTimeCannotBeTold(t *testing.T) {
	s := service(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db"))
	for _, at := range []time.Time{time.Unix(0, 0), directory.Now(), time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if _, _, err := s.CreateAdminKey(t.Context(), by, "x", at); !fault.Is(err, fault.Invalid) {
			t.Errorf("a key that ends at %s: %v, want Invalid", at, err)
		}
	}
}

func TestProblemsOfRulesComeAllAtOnce(t *testing.T) {
	s := service(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db"))
	org, _, _ := tenant(t, s)
	_, err := s.PublishRules(t.Context(), by, org, mapping.RuleSet{Rules: []mapping.Rule{{ID: "X", Description: strings.Repeat("x", admin.MaxDescription+1)}}}, 0, "")
	problems, ok := errors.AsType[mapping.Problems](err)
	var paths []string
	for _, p := range problems {
		paths = append(paths, p.Path)
	}
	slices.Sort(paths)
	if diff := cmp.Diff([]string{"rules[0].description", "rules[0].grant", "rules[0].id", "rules[0].when.group"}, paths); diff != "" || !ok {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}
