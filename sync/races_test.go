package sync_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/internal/testserver"
	rolesync "github.com/rolesync/rolesync/sync"
)

func testThousandMembers(t *testing.T, s *service) {
	n := s.tenant(t)
	users := n.users(t, 1000)
	g := n.group(t, "Admins")
	together(10, func(worker int) {
		for _, u := range users[worker*100 : worker*100+100] {
			if err := n.try(addMembers(g, string(u))); err != nil {
				t.Error(err)
			}
		}
	})
	equal(t, "members", n.members(t, g), users)
	for _, u := range users {
		n.wantRoles(t, u, "admin")
	}
}

func testOneUserName(t *testing.T, s *service) {
	n := s.tenant(t)
	for round := range 5 {
		var created, conflicts atomic.Int32
		together(8, func(int) {
			u := newUser(fmt.Sprintf("race%d@example.com", round))
			switch err := n.try(func(tx *rolesync.Tx) error { tx.CreateUser(u); return nil }); {
			case err == nil:
				created.Add(1)
			case fault.Is(err, fault.Conflict):
				conflicts.Add(1)
			default:
				t.Error(err)
			}
		})
		if created.Load() != 1 || conflicts.Load() != 7 {
			t.Errorf("%d were created and %d refused, want 1 and 7", created.Load(), conflicts.Load())
		}
	}
}

// A worker held entries of the backlog and waited for their users, whom a large change
// held that waited for the entries: PostgreSQL ended one of the two, which takes a second.
func TestLargeChangesDoNotDeadlockWithTheBacklog(t *testing.T) {
	t.Parallel()
	s := newService(t, prepared(t, testserver.Database(t)), "")
	n := s.tenant(t)
	users := n.users(t, rolesync.InlineLimit+100)
	g := n.group(t, "Admins")
	values := make([]string, len(users))
	for i, u := range users {
		values[i] = string(u)
	}
	done := make(chan struct{})
	var workers sync.WaitGroup
	for range 2 {
		workers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := s.WorkOff(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 10 {
		n.change(t, addMembers(g, values...))
		n.change(t, func(tx *rolesync.Tx) error { tx.RemoveMembers(g, values); return nil })
	}
	n.change(t, addMembers(g, values...))
	close(done)
	workers.Wait()
	if err := s.WorkOff(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, u := range users {
		n.wantRoles(t, u, "admin")
	}
	equal(t, "transactions that ran again", s.again.Load(), 0)
}

// Changes that name their members by id lock users in one order, so PostgreSQL never has
// to end one of them, which takes it a second.
func TestChangesByIDDoNotDeadlock(t *testing.T) {
	t.Parallel()
	s := newService(t, prepared(t, testserver.Database(t)), "")
	n := s.tenant(t)
	users := n.users(t, 30)
	groups := []directory.GroupID{n.group(t, "Admins"), n.group(t, "Engineering"), n.group(t, "Sales"), n.group(t, "Support")}
	together(8, func(worker int) {
		r := rand.New(rand.NewPCG(uint64(worker), 7))
		some := func() (members []string) {
			for range 1 + r.IntN(12) {
				members = append(members, string(pick(r, users)))
			}
			return members
		}
		for range 40 {
			group := groups[worker%4] // two workers each
			var change func(*rolesync.Tx) error
			switch r.IntN(8) {
			case 0:
				change = addMembers(group, some()...)
			case 1:
				change = removeMembers(group, some()...)
			case 2:
				change = renameGroup(group, fmt.Sprintf("%s %d", []string{"Eng", "Admins", "Sales"}[r.IntN(3)], worker%4))
			case 3:
				change = setActive(pick(r, users), r.IntN(3) > 0)
			case 4:
				add, remove := addMembers(group, some()...), removeMembers(group, some()...)
				change = func(tx *rolesync.Tx) error { return errors.Join(remove(tx), add(tx)) }
			default:
				change = replaceMembers(group, some()...)
			}
			if err := n.try(change); err != nil {
				t.Error(err)
			}
		}
	})
	if again := s.again.Load(); again > 0 {
		t.Errorf("%d transactions ran again", again)
	}
	s.wantSound(t)
}

func testRenameWhileAdding(t *testing.T, s *service) {
	n := s.tenant(t)
	users := n.users(t, 36)
	g := n.group(t, "Sales")
	together(4, func(worker int) {
		if worker == 0 {
			for i := range 18 {
				if err := n.try(renameGroup(g, []string{"Admins", "Engineers", "Sales"}[i%3])); err != nil {
					t.Error(err)
				}
			}
			if err := n.try(renameGroup(g, "Engineers")); err != nil {
				t.Error(err)
			}
			return
		}
		for _, u := range users[worker*12-12 : worker*12] {
			if err := n.try(addMembers(g, string(u))); err != nil {
				t.Error(err)
			}
			if err := n.try(putUser(u, func(u *directory.User) { u.Email = "x@example.com" })); err != nil {
				t.Error(err)
			}
		}
	})
	for _, u := range users {
		n.wantRoles(t, u, "developer")
	}
}

func testCreateWhilePending(t *testing.T, s *service) {
	n := s.tenant(t)
	const count = 24
	g, other := n.group(t, "Admins"), n.group(t, "Engineering")
	name := func(i int) string { return fmt.Sprintf("user%d@example.com", i) }
	together(4, func(worker int) {
		for i := range count {
			var err error
			switch worker {
			case 0:
				err = n.try(addMembers(g, strings.ToUpper(name(i))))
			case 1:
				err = n.try(addMembers(other, name(count-1-i), name(i)))
			case 2:
				err = n.try(func(tx *rolesync.Tx) error { tx.CreateUser(newUser(name(i))); return nil })
			case 3: // a deletion of the group that somebody waits for
				gone := newGroup(fmt.Sprintf("Gone %d", i))
				err = n.try(func(tx *rolesync.Tx) error {
					tx.CreateGroup(gone)
					tx.AddMembers(gone.ID, []string{name(i), name(i + 1)})
					return nil
				})
				if err == nil {
					err = n.try(deleteGroup(gone.ID))
				}
			}
			if err != nil {
				t.Errorf("worker %d, step %d: %v", worker, i, err)
			}
		}
	})
	equal(t, "pending", n.pending(t), nil)
	page, err := n.Store.Users(t.Context(), store.Query{Scope: n.scope(), Limit: count + 1})
	if err != nil || len(page.Items) != count {
		t.Fatalf("Users = %d, %v", len(page.Items), err)
	}
	for _, u := range page.Items {
		n.wantRoles(t, u.ID, "admin", "developer")
	}
}
