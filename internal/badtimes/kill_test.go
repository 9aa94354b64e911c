package badtimes

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rolesync/rolesync/internal/testserver"
)

// kills is how often the service is killed on each database.
const kills = 50

func TestKilledAtAnyMomentUnderLoadNothingIsLost(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		killRepeatedly(t, sqlite(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		killRepeatedly(t, testserver.Database(t))
	})
}

func killRepeatedly(t *testing.T, databaseURL string) {
	w := newWorld(t, databaseURL, 1)
	workers := crowd(t, w, 1, 6)
	moments := rand.New(rand.NewPCG(2, 3))
	for range kills {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		ended := make(chan error, 1)
		go func() { ended <- run(t.Context(), ctx, w, workers) }()
		select {
		case <-time.After(time.Duration(20+moments.IntN(250)) * time.Millisecond):
		case err := <-ended:
			t.Fatalf("the load ended by itself: %v", err)
		}
		w.services[0].Kill()
		err := <-ended // every worker meets the lost connection
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		forgotten(t, databaseURL)
		w.start(t, 0)
		for _, worker := range workers {
			if err := worker.settle(t.Context(), w.services[0]); err != nil {
				t.Fatal(err)
			}
		}
		w.verify(t)
		check(t, w, workers)
		if t.Failed() {
			return
		}
	}
	acknowledged := int64(0)
	for _, worker := range workers {
		acknowledged += worker.acknowledged.Load()
	}
	t.Logf("%d kills, %d acknowledged changes, none lost", kills, acknowledged)
	if acknowledged < 5*kills {
		t.Errorf("only %d changes were acknowledged: the load was no load", acknowledged)
	}
}

// forgotten waits until PostgreSQL has ended what the killed process began: a COMMIT
// that was sent before the kill may still be carried out after it.
func forgotten(t *testing.T, databaseURL string) {
	t.Helper()
	if strings.HasPrefix(databaseURL, "sqlite:") {
		return
	}
	conn, err := pgx.Connect(t.Context(), databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }() // it has only read
	eventually(t, 10*time.Second, "the killed process has no sessions", func() bool {
		var sessions int
		err := conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
			AND backend_type = 'client backend'`).Scan(&sessions)
		return err == nil && sessions == 0
	})
}
