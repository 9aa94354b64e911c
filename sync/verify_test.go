package sync_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rolesync/rolesync/claims"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/testserver"
	rolesync "github.com/rolesync/rolesync/sync"
)

// Each way in which SQL or Redis may be wrong is found, and repaired.
func TestVerifyFindsAndRepairs(t *testing.T) {
	eachDatabase(t, func(t *testing.T, url string) {
		redis := testserver.Redis(t)
		s := newService(t, url, redis.Addr())
		stop := s.run(t)
		type subject struct {
			tenant
			users []directory.UserID // an admin, a member, one who is inactive, one who is gone
			group directory.GroupID
		}
		sql := func(query string) func(t *testing.T, n subject) {
			return func(t *testing.T, n subject) {
				t.Helper()
				args := []any{string(n.by.Organization)}
				for i, u := range n.users {
					if placeholder := fmt.Sprintf("$user%d", i); strings.Contains(query, placeholder) {
						query = strings.ReplaceAll(query, placeholder, fmt.Sprintf("$%d", len(args)+1))
						args = append(args, string(u))
					}
				}
				execute(t, n.url, query, args...)
			}
		}
		command := func(command string, arguments ...string) func(t *testing.T, n subject) {
			return func(t *testing.T, n subject) {
				t.Helper()
				org := string(n.by.Organization)
				names := strings.NewReplacer("KEYS", claims.Keys{}.Assignments(org), "ALIASES", claims.Keys{}.Aliases(org),
					"USER0", string(n.users[0]), "USER1", string(n.users[1]))
				parts := []string{command}
				for _, argument := range arguments {
					parts = append(parts, names.Replace(argument))
				}
				_, err := redis.Do(parts...)
				must(t, err)
			}
		}
		cases := []struct {
			situation string
			corrupt   func(t *testing.T, n subject)
			where     string
			what      string // of one of the differences
		}{
			{"a role too many in SQL", sql(`UPDATE assignments SET projection = '{"active":true,"role":"admin","roles":["admin"],"permissions":[],"licenses":[],"entitlements":[]}' WHERE organization_id = $1 AND user_id = $user1`), "sql", "not what facts and rules give"},
			{"a projection that is no JSON", sql(`UPDATE assignments SET projection = 'garbage' WHERE organization_id = $1 AND user_id = $user1`), "sql", "not what facts and rules give"},
			{"an empty projection", sql(`UPDATE assignments SET projection = '' WHERE organization_id = $1 AND user_id = $user1`), "sql", "not what facts and rules give"},
			{"aliases of somebody else", sql(`UPDATE assignments SET aliases = '["email:victim"]' WHERE organization_id = $1 AND user_id = $user0`), "sql", "the aliases are not those of the user"},
			{"both at once", sql(`UPDATE assignments SET aliases = '[]', projection = '{}' WHERE organization_id = $1 AND user_id = $user0`), "sql", "the aliases are not those of the user"},
			{"a tombstone of a user who is there", sql(`UPDATE assignments SET deleted = true WHERE organization_id = $1 AND user_id = $user0`), "sql", "is a tombstone"},
			{"a tombstone of an inactive user", sql(`UPDATE assignments SET deleted = true WHERE organization_id = $1 AND user_id = $user2`), "sql", "is a tombstone"},
			{"no assignment", sql(`DELETE FROM assignments WHERE organization_id = $1 AND user_id = $user0`), "sql", "the user has no assignment"},
			{"an assignment of nobody", sql(`DELETE FROM users WHERE organization_id = $1 AND id = $user0`), "sql", "is no tombstone"},
			{"a tombstone that gives something", sql(`UPDATE assignments SET projection = '{"active":true}' WHERE organization_id = $1 AND user_id = $user3`), "sql", "a deleted user has something"},
			{"a tombstone with aliases", sql(`UPDATE assignments SET aliases = '["email:gone"]' WHERE organization_id = $1 AND user_id = $user3`), "sql", "a deleted user has something"},
			{"a membership that nobody evaluated", sql(`DELETE FROM memberships WHERE organization_id = $1 AND user_id = $user0`), "sql", "not what facts and rules give"},
			{"a name that nobody evaluated", sql(`UPDATE groups SET display_name = 'Engineers' WHERE organization_id = $1`), "sql", "not what facts and rules give"},
			{"a user who was deactivated by hand", sql(`UPDATE users SET active = false WHERE organization_id = $1 AND id = $user0`), "sql", "not what facts and rules give"},
			{"a wrong tally", sql(`UPDATE user_tallies SET delta = delta + 1 WHERE organization_id = $1`), "sql", "tally"},
			{"an older version in SQL than in Redis", sql(`UPDATE assignments SET version = 1 WHERE organization_id = $1 AND user_id = $user0`), "redis", "the entry is not the assignment"},
			{"marked, but never written", sql(`UPDATE assignments SET version = version + 1, published_version = version + 1 WHERE organization_id = $1 AND user_id = $user0`), "redis", "the entry is not the assignment"},

			{"an entry was changed", command("HSET", "KEYS", "USER1", `{"v":99,"epoch":1,"active":true,"role":"admin","roles":["admin"],"permissions":[],"licenses":[],"entitlements":[],"aliases":[]}`), "redis", "the entry is not the assignment"},
			{"an entry is gone", command("HDEL", "KEYS", "USER0"), "redis", "the entry is not the assignment"},
			{"an entry of nobody", command("HSET", "KEYS", "usr_nobody", "{}"), "redis", "SQL does not know"},
			{"an alias is gone", command("HDEL", "ALIASES", "user_name:admin@example.com"), "redis", "is missing"},
			{"an alias of somebody else", command("HSET", "ALIASES", "user_name:admin@example.com", "USER1"), "redis", "leads elsewhere"},
			{"an alias of nobody", command("HSET", "ALIASES", "email:ceo@example.com", "USER1"), "redis", "leads elsewhere"},
			{"an alias that names one is marked as shared", command("HSET", "ALIASES", "user_name:admin@example.com", "*"), "redis", "leads elsewhere"},
			{"all is gone", command("DEL", "KEYS", "ALIASES"), "redis", "the entry is not the assignment"},
			{"the entries are of another type", func(t *testing.T, n subject) {
				t.Helper()
				command("DEL", "KEYS")(t, n)
				command("SET", "KEYS", "x")(t, n)
			}, "redis", "WRONGTYPE"},
			{"the aliases are of another type", func(t *testing.T, n subject) {
				t.Helper()
				command("DEL", "ALIASES")(t, n)
				command("SET", "ALIASES", "x")(t, n)
			}, "redis", "WRONGTYPE"},
		}
		subjects := make([]subject, len(cases))
		for i := range cases {
			n := s.tenant(t)
			users := []directory.UserID{n.user(t, "admin@example.com"), n.user(t, "member@example.com"), n.user(t, "inactive@example.com"), n.user(t, "gone@example.com")}
			subjects[i] = subject{n, users, n.group(t, "Admins", users[0])}
			n.change(t, setActive(users[2], false))
			n.change(t, deleteUser(users[3]))
		}
		s.wantSettled(t)
		stop() // or it would mend some of it

		verifier := rolesync.Verifier{Store: s.Store, Writer: s.Writer}
		verify := func(t *testing.T) rolesync.Verification {
			t.Helper()
			found, err := verifier.Verify(t.Context())
			must(t, err)
			return found
		}
		if found := verify(t); len(found.Differences) > 0 || found.Organizations != len(cases) || found.Users != 3*len(cases) || found.Entries != 4*len(cases) {
			t.Errorf("Verification of what is right = %+v", found)
		}
		for i, c := range cases {
			c.corrupt(t, subjects[i])
		}
		found := verify(t)
		must(t, verifier.Repair(t.Context(), s.Engine, found))
		left := verify(t)
		for i, c := range cases {
			t.Run(c.situation, func(t *testing.T) {
				hit := false
				of := func(v rolesync.Verification) (list []string) {
					for _, d := range v.Differences {
						if d.Organization == subjects[i].by.Organization {
							list = append(list, d.String())
							hit = hit || d.Where == c.where && strings.Contains(d.What, c.what)
						}
					}
					return list
				}
				if texts := of(found); !hit {
					t.Errorf("Verify found %q, want one in %s: %s", texts, c.where, c.what)
				}
				if texts := of(left); len(texts) > 0 {
					t.Errorf("after the repair: %q", texts)
				}
			})
		}
	})
}

// More differences than are listed are repaired all the same.
func TestRepairOfMoreThanIsListed(t *testing.T) {
	t.Parallel()
	s := newService(t, sqlite(t), testserver.Redis(t).Addr())
	stop := s.run(t)
	n, other := s.tenant(t), s.tenant(t)
	n.users(t, 1001)
	u := other.user(t, "other@example.com")
	s.wantSettled(t)
	stop()
	execute(t, s.url, `UPDATE assignments SET projection = '{}'`)
	verifier := rolesync.Verifier{Store: s.Store, Writer: s.Writer}
	found, err := verifier.Verify(t.Context())
	must(t, err)
	if !found.Cut {
		t.Errorf("%d differences are listed, and no more: the test tests nothing", len(found.Differences))
	}
	must(t, verifier.Repair(t.Context(), s.Engine, found))
	found, err = verifier.Verify(t.Context())
	must(t, err)
	if len(found.Differences) > 0 {
		t.Errorf("%d differences are left, the first: %s", len(found.Differences), found.Differences[0])
	}
	other.wantRoles(t, u, "member")
}

// A service under load is never quite equal at one moment, and that is no difference.
func TestVerifyUnderLoadGivesNoFalseAlarm(t *testing.T) {
	eachDatabase(t, func(t *testing.T, url string) {
		s := newService(t, url, testserver.Redis(t).Addr())
		s.run(t)
		n := s.tenant(t)
		users := n.users(t, 30)
		g := n.group(t, "Admins")
		s.wantSettled(t)
		var done atomic.Bool
		var changes atomic.Int64
		together(4, func(worker int) {
			if worker == 0 {
				defer done.Store(true)
				// However slow the others are, there is something to be alarmed by.
				for i := 0; (i < 3 || changes.Load() < 20) && !t.Failed() && t.Context().Err() == nil; i++ {
					verifier := rolesync.Verifier{Store: s.Store, Writer: s.Writer, Settle: 10 * time.Second}
					found, err := verifier.Verify(t.Context())
					if err != nil {
						t.Error(err)
					}
					for _, d := range found.Differences {
						t.Errorf("a false alarm: %s", d)
					}
				}
				return
			}
			for i := 0; !done.Load(); i++ {
				u := users[(worker*10+i)%len(users)]
				change := addMembers(g, string(u))
				switch i % 4 {
				case 1:
					change = removeMembers(g, string(u))
				case 2:
					change = putUser(u, func(u *directory.User) { u.Email = fmt.Sprintf("mail%d@example.com", i) })
				case 3:
					change = func(tx *rolesync.Tx) error {
						tx.CreateUser(newUser(fmt.Sprintf("new%d-%d@example.com", worker, i)))
						return nil
					}
				}
				if err := n.try(change); err != nil {
					t.Error(err)
				}
				changes.Add(1)
			}
		})
	})
}
