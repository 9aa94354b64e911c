package badtimes

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/rolesync/rolesync/internal/harness"
	"github.com/rolesync/rolesync/internal/testserver"
)

func TestRequestsAtOnceAllTakeEffect(t *testing.T) {
	t.Parallel()
	for name, databaseURL := range map[string]func(*testing.T) string{
		"sqlite":   sqlite,
		"postgres": func(t *testing.T) string { return testserver.Database(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, databaseURL(t), 1)
			t.Run("ten clients add a hundred members each to one group", func(t *testing.T) { manyMembers(t, w) })
			t.Run("eight clients create one userName", func(t *testing.T) { oneUserName(t, w) })
			w.verify(t)
		})
	}
}

func manyMembers(t *testing.T, w *world) {
	group, err := w.CreateGroup(t.Context(), w.services[0], "team-thousand", nil)
	if err != nil {
		t.Fatal(err)
	}
	const clients, each = 10, 100
	want := make([][]string, clients)
	atOnce(t, clients, func(client int) error {
		for i := range each {
			id, err := w.CreateUser(t.Context(), w.services[0], fmt.Sprintf("c%d-%d", client, i))
			if err != nil {
				return err
			}
			want[client] = append(want[client], id)
		}
		return nil
	})
	atOnce(t, clients, func(client int) error {
		for _, id := range want[client] {
			if err := w.AddMembers(t.Context(), w.services[0], group, id); err != nil {
				return err
			}
		}
		return nil
	})
	var got struct{ Members []struct{ Value string } }
	if err := w.Send(t.Context(), w.services[0], "GET", "/Groups/"+group, nil, &got); err != nil {
		t.Fatal(err)
	}
	var members []string
	for _, m := range got.Members {
		members = append(members, m.Value)
	}
	all := slices.Concat(want...)
	slices.Sort(members)
	slices.Sort(all)
	if !slices.Equal(members, all) {
		t.Errorf("the group has %d members, want exactly the %d that were added", len(members), len(all))
	}
}

func oneUserName(t *testing.T, w *world) {
	const clients = 8
	var mu sync.Mutex
	created, conflicts := 0, 0 // guarded by mu
	atOnce(t, clients, func(int) error {
		_, err := w.CreateUser(t.Context(), w.services[0], "same")
		mu.Lock()
		defer mu.Unlock()
		answer, ok := errors.AsType[*harness.StatusError](err)
		switch {
		case err == nil:
			created++
		case ok && answer.Status == http.StatusConflict:
			conflicts++
		default:
			return err
		}
		return nil
	})
	if created != 1 || conflicts != clients-1 {
		t.Errorf("%d were created and %d refused with 409, want 1 and %d", created, conflicts, clients-1)
	}
}

// atOnce runs do for every client at the same time.
func atOnce(t *testing.T, clients int, do func(client int) error) {
	t.Helper()
	var wg sync.WaitGroup
	errs := make([]error, clients)
	for client := range clients {
		wg.Go(func() { errs[client] = do(client) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}
