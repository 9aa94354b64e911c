package sync

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolesync/rolesync/claims"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/internal/testserver"
)

// eachRedis runs a test on a real Redis and on the embedded one.
func eachRedis(t *testing.T, test func(t *testing.T, s *sink)) {
	t.Helper()
	run := func(t *testing.T, addr string) {
		t.Helper()
		client, err := Dial(RedisOptions{Addresses: []string{addr}, Timeout: 5 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() }) // it has nothing left to say
		test(t, newSink(client, ""))
	}
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		run(t, testserver.Redis(t).Addr())
	})
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		embedded, err := StartEmbedded()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(embedded.Close)
		run(t, embedded.Addr())
	})
}

func TestScripts(t *testing.T) {
	eachRedis(t, func(t *testing.T, s *sink) {
		for _, c := range []struct {
			name string
			test func(*testing.T, *keyspace)
		}{
			{"a first filling", testFirstFilling},
			{"an old version", testOldVersion},
			{"a tombstone", testTombstone},
			{"generations", testGenerations},
			{"live writes while it is filled", testLiveWhileFilled},
			{"an overtaken filling", testOvertaken},
			{"an empty filling", testEmptyFilling},
			{"aliases", testAliases},
			{"hostile aliases", testHostileAliases},
			{"very many share an alias", testSharedAlias},
			{"the stream", testStream},
			{"entries that nobody understands", testMalformedEntries},
			{"large batches", testLargeBatch},
			{"scripts are flushed", testScriptFlush},
		} {
			t.Run(c.name, func(t *testing.T) {
				c.test(t, &keyspace{t: t, sink: s, organization: directory.NewOrganizationID()})
			})
		}
	})
}

// keyspace is the keys of one organization.
type keyspace struct {
	t *testing.T
	*sink
	organization directory.OrganizationID
}

func assignment(user string, version int64, aliases ...string) store.Assignment {
	return store.Assignment{
		User: directory.UserID(user), Version: version, Epoch: 1, Aliases: aliases, Cause: "req_1", UpdatedAt: directory.Now(),
		Projection: fmt.Sprintf(`{"active":true,"role":"r%d","roles":["r%d"],"permissions":[],"licenses":[],"entitlements":[]}`, version, version),
	}
}

// write publishes assignments and returns the answer.
func (k *keyspace) write(mode string, generation int64, assignments ...store.Assignment) string {
	k.t.Helper()
	d := &delivery{organization: k.organization, basis: store.Basis{Generation: generation, RulesVersion: 3}, assignments: assignments}
	if err := k.publish(k.t.Context(), []*delivery{d}, mode); err != nil {
		k.t.Fatal(err)
	}
	return d.answer
}

func (k *keyspace) live(generation int64, assignments ...store.Assignment) {
	k.t.Helper()
	if answer := k.write("live", generation, assignments...); answer != delivered {
		k.t.Fatalf("live write answered %q", answer)
	}
}

func (k *keyspace) fill(generation int64, assignments ...store.Assignment) {
	k.t.Helper()
	if answer := k.write("fill", generation, assignments...); answer != delivered {
		k.t.Fatalf("fill answered %q", answer)
	}
}

func (k *keyspace) start(generation int64) {
	k.t.Helper()
	if answer, err := k.begin(k.t.Context(), k.organization, generation); err != nil || answer != delivered {
		k.t.Fatalf("begin = %q, %v", answer, err)
	}
}

func (k *keyspace) finish(generation int64) {
	k.t.Helper()
	if answer, err := k.swap(k.t.Context(), k.organization, store.Basis{Generation: generation, RulesVersion: 3}); err != nil || answer != delivered {
		k.t.Fatalf("swap = %q, %v", answer, err)
	}
}

// filled makes the keys with the given assignments, of generation 1.
func (k *keyspace) filled(assignments ...store.Assignment) {
	k.t.Helper()
	k.start(1)
	k.fill(1, assignments...)
	k.finish(1)
}

func (k *keyspace) hash(key string) map[string]string {
	k.t.Helper()
	hash, err := k.client.HGetAll(k.t.Context(), key).Result()
	if err != nil {
		k.t.Fatal(err)
	}
	return hash
}

// want compares the live keys: the versions by user, and all aliases.
func (k *keyspace) want(versions map[string]int64, aliases map[string]string) {
	k.t.Helper()
	got := map[string]int64{}
	for user, text := range k.hash(k.keys.Assignments(string(k.organization))) {
		var a claims.Assignment
		if err := json.Unmarshal([]byte(text), &a); err != nil {
			k.t.Errorf("entry of %s: %v", user, err)
		}
		got[user] = a.Version
	}
	if diff := cmp.Diff(versions, got); diff != "" {
		k.t.Errorf("versions (-want +got):\n%s", diff)
	}
	k.wantAliases(aliases)
}

func (k *keyspace) wantAliases(want map[string]string) {
	k.t.Helper()
	got := k.hash(k.keys.Aliases(string(k.organization)))
	for alias, subjects := range got {
		got[alias] = strings.Join(slices.Sorted(slices.Values(strings.Fields(subjects))), " ")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		k.t.Errorf("aliases (-want +got):\n%s", diff)
	}
}

func testFirstFilling(t *testing.T, k *keyspace) {
	if answer := k.write("live", 1, assignment("usr_a", 1)); answer != "" {
		t.Errorf("a write to an organization without keys answered %q, want the empty generation", answer)
	}
	k.want(map[string]int64{}, map[string]string{})
	if answer := k.write("fill", 1, assignment("usr_a", 1)); answer != "" {
		t.Errorf("a filling that was not begun answered %q", answer)
	}
	k.start(1)
	k.fill(1, assignment("usr_a", 1, "email:a"), assignment("usr_b", 4))
	k.want(map[string]int64{}, map[string]string{}) // nothing of it shows before the swap
	k.finish(1)
	k.want(map[string]int64{"usr_a": 1, "usr_b": 4}, map[string]string{"email:a": "usr_a"})
	meta := k.hash(k.keys.Meta(string(k.organization)))
	if meta["generation"] != "1" || meta["rule_set_version"] != "3" || meta["updated_at"] == "" || meta["rebuilding"] != "" {
		t.Errorf("meta = %v", meta)
	}
}

func testOldVersion(t *testing.T, k *keyspace) {
	k.filled(assignment("usr_a", 5, "email:new"))
	for _, version := range []int64{1, 4, 5} {
		k.live(1, assignment("usr_a", version, "email:old"), assignment("usr_b", version))
	}
	k.want(map[string]int64{"usr_a": 5, "usr_b": 5}, map[string]string{"email:new": "usr_a"})
	k.live(1, assignment("usr_a", 10), assignment("usr_a", 9, "email:old"), assignment("usr_b", 100)) // not compared as text
	k.want(map[string]int64{"usr_a": 10, "usr_b": 100}, map[string]string{})
}

func testTombstone(t *testing.T, k *keyspace) {
	k.filled(assignment("usr_a", 1, "email:a", "user_name:a"))
	gone := assignment("usr_a", 2)
	gone.Deleted, gone.Epoch, gone.Projection = true, 2, `{"active":false,"role":"","roles":[],"permissions":[],"licenses":[],"entitlements":[]}`
	k.live(1, gone)
	k.live(1, assignment("usr_a", 1, "email:a"))
	k.want(map[string]int64{"usr_a": 2}, map[string]string{})
}

func testGenerations(t *testing.T, k *keyspace) {
	k.filled(assignment("usr_a", 1))
	k.start(7)
	k.finish(7)
	if answer := k.write("live", 6, assignment("usr_a", 2)); answer != "7" {
		t.Errorf("a write of an old generation answered %q, want 7", answer)
	}
	k.want(map[string]int64{}, map[string]string{})
	k.live(7, assignment("usr_a", 2))
	k.live(8, assignment("usr_a", 3)) // of a filling that is about to begin
	k.want(map[string]int64{"usr_a": 3}, map[string]string{})
	got, err := k.generations(t.Context(), []directory.OrganizationID{k.organization, "org_none"})
	if err != nil || len(got) != 2 || got[0].number != 7 || got[1].number != 0 {
		t.Errorf("generations = %v, %v", got, err)
	}
}

func testLiveWhileFilled(t *testing.T, k *keyspace) {
	k.filled(assignment("usr_a", 1, "email:a"), assignment("usr_b", 1, "email:b"), assignment("usr_stale", 9, "email:stale"))
	k.start(2)
	k.live(1, assignment("usr_a", 2, "email:a2")) // before its page is written
	k.fill(2, assignment("usr_a", 1, "email:a"), assignment("usr_b", 1, "email:b"))
	k.live(2, assignment("usr_b", 2, "email:b2"), assignment("usr_c", 1)) // after it
	k.want(map[string]int64{"usr_a": 2, "usr_b": 2, "usr_c": 1, "usr_stale": 9}, map[string]string{"email:a2": "usr_a", "email:b2": "usr_b", "email:stale": "usr_stale"})
	k.finish(2)
	k.want(map[string]int64{"usr_a": 2, "usr_b": 2, "usr_c": 1}, map[string]string{"email:a2": "usr_a", "email:b2": "usr_b"})
	k.live(2, assignment("usr_b", 3))
	k.want(map[string]int64{"usr_a": 2, "usr_b": 3, "usr_c": 1}, map[string]string{"email:a2": "usr_a"})
}

func testOvertaken(t *testing.T, k *keyspace) {
	k.filled(assignment("usr_a", 1))
	k.start(2)
	k.fill(2, assignment("usr_old", 1))
	k.start(3)
	if answer := k.write("fill", 2, assignment("usr_old", 1)); answer != "3" {
		t.Errorf("a page of an overtaken filling answered %q, want 3", answer)
	}
	basis := store.Basis{Generation: 2}
	if answer, err := k.swap(t.Context(), k.organization, basis); err != nil || answer != "3" {
		t.Errorf("swap of an overtaken filling = %q, %v, want 3", answer, err)
	}
	for _, generation := range []int64{2, 3} {
		if answer, err := k.begin(t.Context(), k.organization, generation); err != nil || answer != "3" {
			t.Errorf("begin(%d) = %q, %v, want 3", generation, answer, err)
		}
	}
	k.fill(3, assignment("usr_b", 1))
	k.finish(3)
	k.want(map[string]int64{"usr_b": 1}, map[string]string{})
	// Who comes too late learns which one is in force.
	if answer, err := k.swap(t.Context(), k.organization, basis); err != nil || answer != "3" {
		t.Errorf("swap after another one = %q, %v, want 3", answer, err)
	}
	if answer := k.write("fill", 2, assignment("usr_old", 1)); answer != "3" {
		t.Errorf("a page after another swap answered %q, want 3", answer)
	}
	for _, generation := range []int64{2, 3} {
		if answer, err := k.begin(t.Context(), k.organization, generation); err != nil || answer != "3" {
			t.Errorf("begin(%d) after another swap = %q, %v, want 3", generation, answer, err)
		}
	}
	k.want(map[string]int64{"usr_b": 1}, map[string]string{})
}

func testEmptyFilling(t *testing.T, k *keyspace) {
	k.filled(assignment("usr_a", 1, "email:a"))
	k.start(2)
	k.finish(2)
	k.want(map[string]int64{}, map[string]string{})
	k.live(2, assignment("usr_b", 1, "email:b"))
	k.want(map[string]int64{"usr_b": 1}, map[string]string{"email:b": "usr_b"})
}

func testAliases(t *testing.T, k *keyspace) {
	k.filled(assignment("usr_a", 1, "user_name:anna", "email:x"), assignment("usr_b", 1, "user_name:bert", "email:x"), assignment("usr_c", 1, "email:x"))
	k.wantAliases(map[string]string{"user_name:anna": "usr_a", "user_name:bert": "usr_b", "email:x": "usr_a usr_b usr_c"})
	k.live(1, assignment("usr_a", 2, "user_name:ann", "email:x"))
	k.wantAliases(map[string]string{"user_name:ann": "usr_a", "user_name:bert": "usr_b", "email:x": "usr_a usr_b usr_c"})
	k.live(1, assignment("usr_b", 2, "user_name:anna", "email:y"), assignment("usr_c", 2))
	k.wantAliases(map[string]string{"user_name:ann": "usr_a", "user_name:anna": "usr_b", "email:x": "usr_a", "email:y": "usr_b"})
	// Two users exchange their names, in either order of arrival.
	k.live(1, assignment("usr_a", 3, "user_name:anna"), assignment("usr_b", 3, "user_name:ann"))
	k.wantAliases(map[string]string{"user_name:ann": "usr_b", "user_name:anna": "usr_a"})
	k.live(1, assignment("usr_a", 4), assignment("usr_b", 4))
	k.wantAliases(map[string]string{})
}

func testHostileAliases(t *testing.T, k *keyspace) {
	var aliases []string
	for _, name := range []string{
		`"`, `\`, `\"`, `]`, `}`, `"]}`, `","aliases":["email:victim"]`, `"aliases":[`, " ", "a b", "*", "\n", "\t", "\x01", "%s %d", "ä€😀", "\u2028", "<script>&",
		`{"v":99}`, "usr_b", `\u0041`, "a\xffb", strings.Repeat("x", 5000), "",
	} {
		aliases = append(aliases, "user_name:"+name)
	}
	k.filled(assignment("usr_b", 1, "email:victim"))
	want := map[string]string{"email:victim": "usr_b"}
	k.live(1, assignment("usr_a", 1, aliases...))
	for _, alias := range aliases {
		want[strings.ToValidUTF8(alias, "\ufffd")] = "usr_a"
	}
	k.wantAliases(want)
	k.live(1, assignment("usr_a", 2, aliases[1:]...)) // read back from the entry to see what went
	delete(want, aliases[0])
	k.wantAliases(want)
	k.live(1, assignment("usr_a", 3))
	k.wantAliases(map[string]string{"email:victim": "usr_b"})
}

func testSharedAlias(t *testing.T, k *keyspace) {
	var all []store.Assignment
	for i := range 100 {
		all = append(all, assignment(fmt.Sprintf("usr_%03d", i), 1, "email:shared"))
	}
	k.filled(all...)
	alias := func() string {
		t.Helper()
		return k.hash(k.keys.Aliases(string(k.organization)))["email:shared"]
	}
	if got := len(strings.Fields(alias())); got != 100 {
		t.Errorf("the alias of 100 users has %d", got)
	}
	k.live(1, assignment("usr_100", 1, "email:shared"))
	if got := alias(); got != "*" {
		t.Errorf("the alias of 101 users is %q, want *", got)
	}
	k.live(1, assignment("usr_100", 2), assignment("usr_099", 2))
	k.live(1, assignment("usr_101", 1, "email:shared"))
	if got := alias(); got != "*" {
		t.Errorf("the alias is %q, want * until the next filling", got)
	}
	k.start(2)
	k.fill(2, all[:3]...)
	k.finish(2)
	if got := len(strings.Fields(alias())); got != 3 {
		t.Errorf("the alias of 3 users has %d after a filling", got)
	}
}

func testStream(t *testing.T, k *keyspace) {
	stream := func() (list []string) {
		t.Helper()
		entries, err := k.client.XRange(t.Context(), k.keys.Changes(string(k.organization)), "-", "+").Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			list = append(list, fmt.Sprint(e.Values["subject"], e.Values["version"], e.Values["epoch"], e.Values["kind"], e.Values["cause"]))
		}
		return list
	}
	k.filled(assignment("usr_a", 1))
	if got := stream(); len(got) > 0 {
		t.Errorf("a filling wrote %v to the stream", got)
	}
	off, gone := assignment("usr_a", 3), assignment("usr_a", 4)
	off.Epoch, off.Projection, gone.Epoch = 2, `{"active":false}`, 3
	gone.Deleted, gone.Cause = true, ""
	k.live(1, assignment("usr_a", 2), assignment("usr_a", 1), off, off, gone)
	want := []string{"usr_a21assignedreq_1", "usr_a32deactivatedreq_1", "usr_a43deleted"}
	if diff := cmp.Diff(want, stream()); diff != "" {
		t.Errorf("stream (-want +got):\n%s", diff)
	}
}

// What somebody else wrote into our keys is replaced. It must not stop the writer, who
// would then write for no organization any more.
func testMalformedEntries(t *testing.T, k *keyspace) {
	ctx := t.Context()
	k.filled(assignment("usr_a", 1, "email:a"))
	for i, text := range []string{"", "garbage", "{}", `{"v":"x"}`, `{"v":-1}`, `{"v":1,"aliases":[`, `{"v":1,"aliases":[1,{}]}`, `{"v":1,"aliases":["email:a"]} trailing`} {
		user := fmt.Sprintf("usr_%d", i)
		if err := k.client.HSet(ctx, k.keys.Assignments(string(k.organization)), user, text).Err(); err != nil {
			t.Fatal(err)
		}
		d := &delivery{organization: k.organization, basis: store.Basis{Generation: 1}, assignments: []store.Assignment{assignment(user, 2, "email:"+user)}}
		if err := k.publish(ctx, []*delivery{d}, "live"); err != nil || d.answer != delivered {
			t.Errorf("over %q: %q, %v", text, d.answer, err)
			continue
		}
		got, err := claims.NewReader(k.client, k.keys).Lookup(ctx, string(k.organization), "email:"+user)
		if err != nil || got.Version != 2 {
			t.Errorf("over %q: read %+v, %v", text, got, err)
		}
	}
}

func testLargeBatch(t *testing.T, k *keyspace) {
	var all []store.Assignment
	for i := range 1050 {
		all = append(all, assignment(fmt.Sprintf("usr_%04d", i), 1, fmt.Sprintf("email:%d", i)))
	}
	k.start(1)
	k.fill(1, all[:1000]...)
	k.finish(1)
	k.live(1, all...)
	hash := k.hash(k.keys.Assignments(string(k.organization)))
	if len(hash) != len(all) {
		t.Errorf("there are %d entries, want %d", len(hash), len(all))
	}
	for _, a := range all {
		if hash[string(a.User)] != entry(a) {
			t.Fatalf("entry of %s = %s, want %s", a.User, hash[string(a.User)], entry(a))
		}
	}
}

func testScriptFlush(t *testing.T, k *keyspace) {
	k.filled(assignment("usr_a", 1))
	for version := range int64(3) {
		if err := k.client.ScriptFlush(context.WithoutCancel(t.Context())).Err(); err != nil {
			t.Fatal(err)
		}
		k.live(1, assignment("usr_a", version+2))
	}
	k.want(map[string]int64{"usr_a": 4}, map[string]string{})
}

// The entry that the writer makes is the one that the public package reads and makes.
func TestEntryIsOfTheContract(t *testing.T) {
	a := assignment("usr_a", 7, `user_name:"quoted" <&> ä`, "email:a")
	a.Epoch = 3
	var read claims.Assignment
	if err := json.Unmarshal([]byte(entry(a)), &read); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(read)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(again), entry(a)); diff != "" {
		t.Errorf("entry (-claims +sync):\n%s", diff)
	}
}
