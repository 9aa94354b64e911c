package claims_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/rolesync/rolesync/claims"
	"github.com/rolesync/rolesync/internal/testserver"
)

const org = "org_1"

// onBoth runs a test on a real Redis and on the embedded one, which differ in what
// their Lua gives back.
func onBoth(t *testing.T, test func(t *testing.T, client *redis.Client)) {
	for name, address := range map[string]func(testing.TB) string{
		"redis":     func(tb testing.TB) string { return testserver.Redis(tb).Addr() },
		"miniredis": func(tb testing.TB) string { return miniredis.RunT(tb).Addr() },
	} {
		t.Run(name, func(t *testing.T) { test(t, connect(t, address(t))) })
	}
}

func connect(tb testing.TB, address string) *redis.Client {
	tb.Helper()
	client := redis.NewClient(&redis.Options{Addr: address})
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

func put(tb testing.TB, client *redis.Client, subject, data string) {
	tb.Helper()
	if err := client.HSet(tb.Context(), claims.Keys{}.Assignments(org), subject, data).Err(); err != nil {
		tb.Fatal(err)
	}
}

func name(tb testing.TB, client *redis.Client, alias, subjects string) {
	tb.Helper()
	if err := client.HSet(tb.Context(), claims.Keys{}.Aliases(org), alias, subjects).Err(); err != nil {
		tb.Fatal(err)
	}
}

func TestReader(t *testing.T) {
	const tombstone = `{"v":9,"epoch":3,"active":false,"role":"","roles":[],"permissions":[],"licenses":[],"entitlements":[],"updated_at":"2026-11-21T10:20:30Z","aliases":[]}`
	onBoth(t, func(t *testing.T, client *redis.Client) {
		put(t, client, "usr_jane", admin)
		put(t, client, "usr_gone", tombstone)
		put(t, client, "usr_broken", admin[:len(admin)-2])
		put(t, client, "usr_empty", "")
		name(t, client, claims.Email("jane@example.com"), "usr_jane")
		name(t, client, claims.Email("gone@example.com"), "usr_gone")
		name(t, client, claims.Email("team@example.com"), "usr_jane usr_gone")
		name(t, client, claims.Email("everyone@example.com"), "*")
		name(t, client, claims.Email("early@example.com"), "usr_early")
		name(t, client, claims.Email("broken@example.com"), "usr_broken")
		reader := claims.NewReader(client, claims.Keys{})

		bySubject := func(subject string) func() (claims.Assignment, error) {
			return func() (claims.Assignment, error) { return reader.Assignment(t.Context(), org, subject) }
		}
		byEmail := func(org, address string) func() (claims.Assignment, error) {
			return func() (claims.Assignment, error) { return reader.Lookup(t.Context(), org, claims.Email(address)) }
		}
		jane := adminAssignment()
		jane.Organization, jane.Subject = org, "usr_jane"
		for _, test := range []struct {
			name  string
			read  func() (claims.Assignment, error)
			want  string // subject
			error error
		}{
			{"by subject", bySubject("usr_jane"), "usr_jane", nil},
			{"by subject, deactivated", bySubject("usr_gone"), "usr_gone", nil},
			{"by subject, never seen", bySubject("usr_nobody"), "", claims.ErrNoStatement},
			{"by subject, cut short", bySubject("usr_broken"), "", claims.ErrMalformed},
			{"by subject, empty", bySubject("usr_empty"), "", claims.ErrMalformed},
			{"by alias", byEmail(org, "jane@example.com"), "usr_jane", nil},
			{"by alias in another case", byEmail(org, " Jane@EXAMPLE.com"), "usr_jane", nil},
			{"by alias, deactivated", byEmail(org, "gone@example.com"), "usr_gone", nil},
			{"by alias, shared", byEmail(org, "team@example.com"), "", claims.ErrAmbiguous},
			{"by alias, shared by very many", byEmail(org, "everyone@example.com"), "", claims.ErrAmbiguous},
			{"by alias, never seen", byEmail(org, "nobody@example.com"), "", claims.ErrNoStatement},
			{"by alias, assignment not there", byEmail(org, "early@example.com"), "", claims.ErrNoStatement},
			{"by alias, cut short", byEmail(org, "broken@example.com"), "", claims.ErrMalformed},
			{"by alias, empty", byEmail(org, ""), "", claims.ErrNoStatement},
			{"by alias, another organization's", byEmail("org_2", "jane@example.com"), "", claims.ErrNoStatement},
			{"by alias of another kind", func() (claims.Assignment, error) {
				return reader.Lookup(t.Context(), org, claims.UserName("jane@example.com"))
			}, "", claims.ErrNoStatement},
		} {
			t.Run(test.name, func(t *testing.T) {
				got, err := test.read()
				if !errors.Is(err, test.error) || (err == nil) != (test.error == nil) {
					t.Fatalf("error = %v, want %v", err, test.error)
				}
				if got.Subject != test.want || got.Active != (test.want == "usr_jane") {
					t.Errorf("read %+v, want subject %q", got, test.want)
				}
				if test.want == "usr_jane" {
					if diff := cmp.Diff(jane, got); diff != "" {
						t.Errorf("(-want +got):\n%s", diff)
					}
				}
			})
		}
	})
}

func TestLookupSurvivesARedisThatLostItsScripts(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		put(t, client, "usr_jane", admin)
		name(t, client, claims.Email("jane@example.com"), "usr_jane")
		reader := claims.NewReader(client, claims.Keys{})
		for range 2 {
			if err := client.ScriptFlush(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			if _, err := reader.Lookup(t.Context(), org, claims.Email("jane@example.com")); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestLookupIsOneRoundTrip(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		put(t, client, "usr_jane", admin)
		name(t, client, claims.Email("jane@example.com"), "usr_jane")
		reader := claims.NewReader(client, claims.Keys{})
		count := &counter{}
		client.AddHook(count)
		for i, want := range []int{2, 1, 1} { // the first finds no script
			count.commands = nil
			if _, err := reader.Lookup(t.Context(), org, claims.Email("jane@example.com")); err != nil {
				t.Fatal(err)
			}
			if len(count.commands) != want {
				t.Errorf("look-up %d sent %q, want %d commands", i, count.commands, want)
			}
		}
	})
}

func TestAssignmentsReadsManyInBatches(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		reader := claims.NewReader(client, claims.Keys{})
		var subjects []string
		var entries []any
		for i := range 2500 {
			subject := fmt.Sprintf("usr_%04d", i)
			subjects = append(subjects, subject)
			if i%5 != 0 {
				entries = append(entries, subject, strings.Replace(admin, `"v":7`, fmt.Sprintf(`"v":%d`, i), 1))
			}
		}
		if err := client.HSet(t.Context(), claims.Keys{}.Assignments(org), entries...).Err(); err != nil {
			t.Fatal(err)
		}
		got, err := reader.Assignments(t.Context(), org, subjects)
		if err != nil || len(got) != 2000 {
			t.Fatalf("Assignments = %d, %v; want 2000", len(got), err)
		}
		for i, subject := range subjects {
			a, held := got[subject]
			if held != (i%5 != 0) || held && (a.Version != int64(i) || a.Subject != subject || a.Organization != org) {
				t.Fatalf("Assignments[%s] = %+v, %v", subject, a, held)
			}
		}
		if got, err := reader.Assignments(t.Context(), org, nil); err != nil || len(got) != 0 {
			t.Errorf("Assignments of nobody = %v, %v", got, err)
		}
		put(t, client, "usr_2499", "{}")
		if _, err := reader.Assignments(t.Context(), org, subjects); !errors.Is(err, claims.ErrMalformed) {
			t.Errorf("with one malformed entry: %v, want ErrMalformed", err)
		}
	})
}

func TestRedisThatIsAwayIsAnErrorAndNotAnAbsence(t *testing.T) {
	server := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), MaxRetries: -1, DialerRetries: 1})
	t.Cleanup(func() { _ = client.Close() })
	server.Close()
	reader := claims.NewReader(client, claims.Keys{})
	for name, read := range map[string]func() error{
		"Assignment":  func() error { _, err := reader.Assignment(t.Context(), org, "usr_1"); return err },
		"Assignments": func() error { _, err := reader.Assignments(t.Context(), org, []string{"usr_1"}); return err },
		"Lookup":      func() error { _, err := reader.Lookup(t.Context(), org, "email:x"); return err },
		"Position":    func() error { _, err := reader.Position(t.Context(), org); return err },
	} {
		err := read()
		if err == nil || errors.Is(err, claims.ErrNoStatement) || errors.Is(err, claims.ErrMalformed) || errors.Is(err, claims.ErrAmbiguous) {
			t.Errorf("%s: %v, want the client's error", name, err)
		}
	}
}

func TestAKeyOfAnotherTypeIsAnError(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		keys := claims.Keys{}
		if err := client.MSet(t.Context(), keys.Assignments(org), "x", keys.Aliases(org), "x").Err(); err != nil {
			t.Fatal(err)
		}
		reader := claims.NewReader(client, keys)
		if _, err := reader.Assignment(t.Context(), org, "usr_1"); err == nil || errors.Is(err, claims.ErrNoStatement) {
			t.Errorf("Assignment: %v", err)
		}
		if _, err := reader.Lookup(t.Context(), org, "email:x"); err == nil || errors.Is(err, claims.ErrNoStatement) {
			t.Errorf("Lookup: %v", err)
		}
	})
}

// counter is a hook that notes the commands that are sent, one by one.
type counter struct{ commands []string }

func (c *counter) DialHook(next redis.DialHook) redis.DialHook { return next }
func (c *counter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		c.commands = append(c.commands, cmd.Name())
		return next(ctx, cmd)
	}
}
func (c *counter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func BenchmarkReader(b *testing.B) {
	client := connect(b, testserver.Redis(b).Addr())
	put(b, client, "usr_jane", admin)
	name(b, client, "email:jane@example.com", "usr_jane")
	reader := claims.NewReader(client, claims.Keys{})
	b.Run("Assignment", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := reader.Assignment(b.Context(), org, "usr_jane"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Lookup", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := reader.Lookup(b.Context(), org, "email:jane@example.com"); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkJSON(b *testing.B) {
	a := adminAssignment()
	b.Run("write", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := a.MarshalJSON(); err != nil {
				b.Fatal(err)
			}
		}
	})
	data := []byte(admin)
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var a claims.Assignment
			if err := json.Unmarshal(data, &a); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func TestTheKeysOfAnOrganizationShareAClusterSlot(t *testing.T) {
	client := connect(t, testserver.Redis(t, testserver.Argument("cluster-enabled", "yes")).Addr())
	for _, keys := range []claims.Keys{{}, {Prefix: "acme:roles"}} {
		want := client.ClusterKeySlot(t.Context(), "{org_1}").Val()
		for _, key := range []string{keys.Assignments(org), keys.Aliases(org), keys.Meta(org), keys.Changes(org)} {
			if got, err := client.ClusterKeySlot(t.Context(), key).Result(); err != nil || got != want {
				t.Errorf("slot of %s = %d, %v; want %d", key, got, err, want)
			}
		}
	}
}
