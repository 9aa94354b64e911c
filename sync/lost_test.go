package sync

import (
	"testing"

	"github.com/rolesync/rolesync/claims"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
)

// entries counts what Redis holds of the organization.
func (q *still) entries(t *testing.T) int64 {
	t.Helper()
	n, err := q.sink.client.HLen(t.Context(), claims.Keys{}.Assignments(string(q.organization))).Result()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestEvictedAssignmentsAreFilledAlthoughMetaIsThere(t *testing.T) {
	q := newStill(t)
	q.user(t)
	if err := q.writeAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := q.entries(t); got != 1 {
		t.Fatalf("%d entries, want 1", got)
	}
	if err := q.sink.client.Del(t.Context(), claims.Keys{}.Assignments(string(q.organization))).Err(); err != nil {
		t.Fatal(err)
	}
	if err := q.fillLost(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := q.entries(t); got != 1 {
		t.Errorf("%d entries after the keys were evicted and looked for, want 1", got)
	}
}

func TestOrganizationThatRedisRefusesDoesNotKeepOthersFromBeingFilled(t *testing.T) {
	q := newStill(t)
	q.user(t)
	if err := q.writeAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Sorts before q's, so it is filled first.
	refused := directory.OrganizationID("org_00000000000000000000000000")
	err := q.store.Transact(t.Context(), store.Scope{Organization: refused}, store.Facts, func(tx *store.Tx) error {
		tx.CreateOrganization(directory.Organization{ID: refused, CreatedAt: directory.Now()})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := q.sink.client.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if err := q.sink.client.Set(t.Context(), claims.Keys{}.Meta(string(refused)), "not a hash", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if err := q.fillAll(t.Context()); err == nil {
		t.Error("fillAll said that everything was filled")
	}
	if got := q.entries(t); got != 1 {
		t.Errorf("%d entries of the other organization, want 1", got)
	}
}
