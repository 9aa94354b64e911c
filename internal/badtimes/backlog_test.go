package badtimes

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/rolesync/rolesync/internal/testserver"
)

// A change that touches many users is worked off in chunks after it was acknowledged.
// Whenever the process dies meanwhile, the next one goes on where it was.
func TestKilledWhileManyAreEvaluatedAgainTheNextProcessGoesOn(t *testing.T) {
	t.Parallel()
	for name, databaseURL := range map[string]func(*testing.T) string{
		"sqlite":   sqlite,
		"postgres": func(t *testing.T) string { return testserver.Database(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			killWithBacklog(t, databaseURL(t))
		})
	}
}

func killWithBacklog(t *testing.T, databaseURL string) {
	const clients, each, rounds = 8, 250, 6
	w := newWorld(t, databaseURL, 1)
	members := make([][]string, clients)
	atOnce(t, clients, func(client int) error {
		for i := range each {
			id, err := w.CreateUser(t.Context(), w.services[0], fmt.Sprintf("m%d-%d", client, i))
			if err != nil {
				return err
			}
			members[client] = append(members[client], id)
		}
		return nil
	})
	group, err := w.CreateGroup(t.Context(), w.services[0], "team-large", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, some := range members {
		if err := w.AddMembers(t.Context(), w.services[0], group, some...); err != nil {
			t.Fatal(err)
		}
	}
	moments := rand.New(rand.NewPCG(7, 8))
	last := ""
	for round := range rounds {
		switch round % 2 {
		case 0: // everyone in the group loses one role and gains another
			last = []string{"Finance large", "support-emea"}[round/2%2]
			err = w.RenameGroup(t.Context(), w.services[0], group, last)
		case 1: // everyone in the organization is evaluated anew
			err = w.Admin(t.Context(), w.services[0], "PUT", "/organizations/"+w.Organization+"/rules", fmt.Appendf(nil,
				`{"version":%d,"default_role":"member","rules":[{"id":"only","when":{"group":{"name":%q}},"grant":{"roles":["admin"]}}]}`, round/2+1, last), nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		pause(t, time.Duration(moments.IntN(120))*time.Millisecond) // a crash comes at any time
		w.services[0].Kill()
		forgotten(t, databaseURL)
		w.start(t, 0)
		w.verify(t)
	}
	out, err := w.redis.Do("HLEN", "rolesync:{"+w.Organization+"}:assignments")
	if err != nil || out != fmt.Sprint(clients*each) {
		t.Errorf("%s entries in Redis, %v, want %d", out, err, clients*each)
	}
}
