package sync

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/internal/testserver"
)

// still is a writer that does not run: a test makes each of its steps.
type still struct {
	*Writer
	organization directory.OrganizationID
	engine       *Engine
}

func newStill(t *testing.T) *still {
	t.Helper()
	ctx := t.Context()
	s, err := store.Open(ctx, store.Options{URL: "sqlite:" + filepath.Join(t.TempDir(), "rolesync.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // what counts was read
	if err := s.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	client, err := Dial(RedisOptions{Addresses: []string{testserver.Redis(t).Addr()}, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() }) // it has nothing left to say
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	w := NewWriter(s, client, "", log)
	w.lost = false
	q := &still{w, directory.NewOrganizationID(), New(Options{Store: s, Writer: w, Log: log})}
	err = s.Transact(ctx, store.Scope{Organization: q.organization}, store.Facts, func(tx *store.Tx) error {
		tx.CreateOrganization(directory.Organization{ID: q.organization, CreatedAt: directory.Now()})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// user makes a user, whose assignment is then in the queue.
func (q *still) user(t *testing.T) directory.UserID {
	t.Helper()
	now := directory.Now()
	u := directory.User{ID: directory.NewUserID(), Active: true, Resource: []byte(`{}`), CreatedAt: now, ModifiedAt: now, Revision: 1}
	u.UserName = string(u.ID)
	by := Author{Organization: q.organization, Connection: "conn_1"}
	if err := q.engine.Change(t.Context(), by, func(tx *Tx) error { tx.CreateUser(u); return nil }); err != nil {
		t.Fatal(err)
	}
	return u.ID
}

func (q *still) unpublished(t *testing.T) int {
	t.Helper()
	list, err := q.store.Unpublished(t.Context(), directory.Now(), 0, "", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func (q *still) inRedis(t *testing.T) generation {
	t.Helper()
	g, err := q.sink.generations(t.Context(), []directory.OrganizationID{q.organization})
	if err != nil {
		t.Fatal(err)
	}
	return g[0]
}

func (q *still) writeNow(t *testing.T) {
	t.Helper()
	if err := q.writeAll(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Two processes that both look for organizations of another generation must not take
// each other's filling over, or neither ends.
func TestFillingOfAnotherProcessIsLeftAlone(t *testing.T) {
	t.Parallel()
	q := newStill(t)
	q.user(t)
	q.writeNow(t)
	if got := q.inRedis(t); got.number != 1 || !got.filling.IsZero() {
		t.Fatalf("generation in Redis = %+v, want 1", got)
	}
	ctx := t.Context()
	basis, err := q.store.NextGeneration(ctx, q.organization, 1) // the other process begins
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := q.sink.begin(ctx, q.organization, basis.Generation); err != nil || answer != delivered {
		t.Fatalf("begin = %q, %v", answer, err)
	}
	if err := q.fillLost(ctx); err != nil {
		t.Fatal(err)
	}
	if got := q.inRedis(t); got.number != 1 || got.filling.IsZero() {
		t.Errorf("generation in Redis = %+v: the filling was taken over", got)
	}
	// It died.
	old := directory.Now().Add(-fillPatience - time.Second).Format(time.RFC3339Nano)
	if err := q.sink.client.HSet(ctx, q.sink.keys.Meta(string(q.organization)), "rebuilding_at", old).Err(); err != nil {
		t.Fatal(err)
	}
	if err := q.fillLost(ctx); err != nil {
		t.Fatal(err)
	}
	if got := q.inRedis(t); got.number != basis.Generation+1 || !got.filling.IsZero() {
		t.Errorf("generation in Redis = %+v, want %d", got, basis.Generation+1)
	}
}

// A database that was restored from a backup may know a lower generation than a filling
// that has died left behind.
func TestFillingGoesAboveWhatRedisKnows(t *testing.T) {
	t.Parallel()
	q := newStill(t)
	q.user(t)
	q.writeNow(t)
	ctx := t.Context()
	if err := q.sink.client.HSet(ctx, q.sink.keys.Meta(string(q.organization)), "rebuilding", 90, "generation", 40).Err(); err != nil {
		t.Fatal(err)
	}
	if filled, err := q.fill(ctx, q.organization); err != nil || !filled {
		t.Errorf("fill = %v, %v", filled, err)
	}
	if got := q.inRedis(t); got.number != 91 {
		t.Errorf("generation in Redis = %d, want 91", got.number)
	}
}

// What could not be filled is tried again at the next look, not when patience with
// other processes ends.
func TestFillingThatFailedHereIsRepeatedSoon(t *testing.T) {
	t.Parallel()
	q := newStill(t)
	q.user(t)
	q.writeNow(t)
	ctx := t.Context()
	key := q.sink.next(q.sink.keys.Assignments(string(q.organization)))
	block := func() { // a key of the wrong type appears while the organization is filled
		if err := q.sink.client.Set(ctx, key, "x", 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	basis, err := q.store.NextGeneration(ctx, q.organization, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.sink.begin(ctx, q.organization, basis.Generation); err != nil {
		t.Fatal(err)
	}
	block()
	d := &delivery{organization: q.organization, basis: basis, assignments: []store.Assignment{assignment("usr_x", 1)}}
	if err := q.sink.publish(ctx, []*delivery{d}, "fill"); err == nil {
		t.Fatal("the page was written: the test tests nothing")
	}
	q.setUnfilled(q.organization, true) // as fill does
	if !q.hasUnfilled() {
		t.Error("the failure was not noted")
	}
	if err := q.fillLost(ctx); err != nil {
		t.Fatal(err)
	}
	if got := q.inRedis(t); got.number != basis.Generation+1 || q.hasUnfilled() {
		t.Errorf("generation in Redis = %+v, want %d, and nothing left to fill", got, basis.Generation+1)
	}
}

// A Redis that is flushed while it is filled has nothing of what was filled: nothing of
// it may be marked as published.
func TestFlushWithinAFillingIsNoSuccess(t *testing.T) {
	t.Parallel()
	q := newStill(t)
	ctx := t.Context()
	user := q.user(t)
	basis, err := q.store.NextGeneration(ctx, q.organization, 0)
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := q.sink.swap(ctx, q.organization, basis); err != nil || answer != "" {
		t.Fatalf("swap without a filling = %q, %v", answer, err)
	}
	page, err := q.store.Assignments(ctx, q.organization, "", 10)
	if err != nil || len(page) != 1 {
		t.Fatalf("Assignments = %v, %v", page, err)
	}
	if _, err := q.sink.begin(ctx, q.organization, basis.Generation); err != nil {
		t.Fatal(err)
	}
	if err := q.sink.client.FlushAll(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	d := &delivery{organization: q.organization, basis: basis, assignments: page}
	if err := q.sink.publish(ctx, []*delivery{d}, "fill"); err != nil || d.answer != "" {
		t.Fatalf("a page after the flush: %q, %v", d.answer, err)
	}
	if got := q.unpublished(t); got != 1 {
		t.Errorf("%d assignments are unpublished, want the one of %s", got, user)
	}
	q.writeNow(t)
	if got := q.unpublished(t); got != 0 {
		t.Errorf("%d assignments are unpublished after all", got)
	}
}

// A queue that is full drops new versions, never blocks, and knows that SQL has them.
func TestFullQueueIsLeftToTheSweep(t *testing.T) {
	w := NewWriter(nil, nil, "", slog.New(slog.DiscardHandler))
	w.lost = false
	var many []store.Assignment
	for i := range queueLimit + 10 {
		many = append(many, assignment(fmt.Sprint("usr_", i), 1))
	}
	w.offer(store.Basis{}, many[:10])
	if w.lost {
		t.Error("ten are too many")
	}
	w.offer(store.Basis{}, many)
	if got := w.Health().Queued; got != queueLimit || !w.lost {
		t.Errorf("%d are queued, lost = %v, want %d and true", got, w.lost, queueLimit)
	}
	newer := many[0]
	newer.Version = 2
	w.offer(store.Basis{}, []store.Assignment{newer})
	w.offer(store.Basis{}, many[:1])
	taken := 0
	for {
		deliveries, _ := w.take()
		if len(deliveries) == 0 {
			break
		}
		for _, d := range deliveries {
			taken += len(d.assignments)
			if len(d.assignments) > batchLimit {
				t.Errorf("a batch has %d", len(d.assignments))
			}
			for _, a := range d.assignments {
				if a.User == newer.User && a.Version != 2 {
					t.Errorf("version %d of %s was taken, want the newest", a.Version, a.User)
				}
			}
		}
	}
	if taken != queueLimit {
		t.Errorf("%d were taken, want %d", taken, queueLimit)
	}
}

// Health changes when something begins and ends, with one line of log each, and its
// time is that of the beginning.
func TestHealthDoesNotFlap(t *testing.T) {
	w := NewWriter(nil, nil, "", slog.New(slog.DiscardHandler))
	broken := errors.New("broken")
	if h := w.Health(); h.Degraded || h.Reason != "" || !h.Since.IsZero() {
		t.Errorf("Health of a new writer = %+v", h)
	}
	w.fail(broken)
	first := w.Health()
	w.checked(broken)
	w.fail(errors.New("still broken"))
	w.recovered() // of writing; Redis still cannot be looked at
	if h := w.Health(); !h.Degraded || h.Since != first.Since {
		t.Errorf("Health = %+v, want degraded since %v", h, first.Since)
	}
	w.checked(nil)
	if h := w.Health(); h.Degraded || h.Reason != "" {
		t.Errorf("Health = %+v, want none", h)
	}
	w.setFilling(true)
	if h := w.Health(); !h.Degraded || h.Since.Equal(first.Since) {
		t.Errorf("Health while it is filled = %+v", h)
	}
	w.setFilling(false)
	if h := w.Health(); h.Degraded {
		t.Errorf("Health = %+v, want none", h)
	}
}

// The round that finds the queue empty once said that the batch before it was empty,
// too, so that batches never grew.
func TestBatchesGrowWithTheLoad(t *testing.T) {
	t.Parallel()
	q := newStill(t)
	for range 5 {
		q.user(t)
	}
	q.writeNow(t)
	if got, want := pauseAfter(q.batch), pauseAfter(5); got != want {
		t.Errorf("the pause after a round of five is %v, want %v", got, want)
	}
	q.writeNow(t)
	if got := pauseAfter(q.batch); got != 0 {
		t.Errorf("the pause after a round of none is %v, want none", got)
	}
}
