package badtimes

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rolesync/rolesync/internal/testserver"
)

// underLoad runs the workers until stop is called, which returns how they ended.
func underLoad(t *testing.T, w *world, workers []*worker) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	ended := make(chan error, 1)
	go func() {
		var err error
		for ctx.Err() == nil && err == nil {
			err = run(t.Context(), ctx, w, workers)
			for i, worker := range workers {
				for err == nil && worker.doubt != nil && ctx.Err() == nil {
					if err = worker.settle(t.Context(), w.services[i%len(w.services)]); !errors.Is(err, errHalfDone) {
						err = nil // no answer yet: the database may be away
					}
				}
			}
		}
		ended <- err
	}()
	return func() error {
		cancel()
		err := <-ended
		for i, worker := range workers { // what is still in doubt
			if e := worker.settle(t.Context(), w.services[i%len(w.services)]); e != nil && err == nil {
				err = e
			}
		}
		return err
	}
}

func total(workers []*worker) (acknowledged, refused int64) {
	for _, w := range workers {
		acknowledged += w.acknowledged.Load()
		refused += w.refusedRequests.Load()
	}
	return acknowledged, refused
}

func TestPostgresRestartedUnderLoadRefusesAndRecovers(t *testing.T) {
	t.Parallel()
	server := testserver.Postgres(t)
	w := newWorld(t, server.URL(), 1)
	workers := crowd(t, w, 4, 6)
	stop := underLoad(t, w, workers)
	for range 3 {
		pause(t, 500*time.Millisecond)
		if err := server.Stop(); err != nil {
			t.Fatal(err)
		}
		// While it is away, an answer is 503 with Retry-After: refused() asks for both.
		err := w.SetActive(t.Context(), w.services[0], "usr_00000000000000000000000000", true)
		if !refused(err) {
			t.Errorf("without its database the service answers %v, want 503 with Retry-After", err)
		}
		if status, body := w.ready(0); status != http.StatusServiceUnavailable || !strings.Contains(body, "database") {
			t.Errorf("/readyz = %d %s, want 503 and the database", status, body)
		}
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, 10*time.Second, "ready after the database is back", func() bool {
			status, _ := w.ready(0)
			return status == http.StatusOK
		})
	}
	pause(t, 500*time.Millisecond)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	w.verify(t)
	check(t, w, workers)
	acknowledged, refusals := total(workers)
	t.Logf("%d changes acknowledged, %d refused", acknowledged, refusals)
	if refusals == 0 {
		t.Error("nothing was refused: the database was not away under load")
	}
}

func TestRedisInTroubleDoesNotStopSCIM(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testserver.Database(t), 1)
	workers := crowd(t, w, 5, 4)
	stop := underLoad(t, w, workers)
	troubles := []struct {
		name         string
		begin, end   func() error
		wantDegraded bool
	}{
		{"down", w.redis.Kill, w.redis.Start, true},
		{"hanging", w.redis.Pause, w.redis.Resume, true},
		{"flushed", func() error { _, err := w.redis.Do("FLUSHALL"); return err }, func() error { return nil }, false},
		{"restarted empty", w.redis.Restart, func() error { return nil }, false},
		{"without its scripts", func() error { _, err := w.redis.Do("SCRIPT", "FLUSH"); return err }, func() error { return nil }, false},
	}
	for _, trouble := range troubles {
		before, _ := total(workers)
		if err := trouble.begin(); err != nil {
			t.Fatalf("%s: %v", trouble.name, err)
		}
		if trouble.wantDegraded {
			eventually(t, 15*time.Second, trouble.name+": /readyz says degraded and why", func() bool {
				status, body := w.ready(0)
				return status == http.StatusOK && strings.Contains(body, "degraded") && strings.Contains(body, "Redis")
			})
		}
		if after, _ := total(workers); trouble.wantDegraded && after <= before {
			t.Errorf("%s: no change was acknowledged meanwhile", trouble.name)
		}
		if err := trouble.end(); err != nil {
			t.Fatalf("%s: %v", trouble.name, err)
		}
		eventually(t, 10*time.Second, trouble.name+": Redis is up to date again", func() bool {
			_, body := w.ready(0)
			return !strings.Contains(body, "degraded")
		})
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	w.verify(t)
	check(t, w, workers)
	if acknowledged, refusals := total(workers); refusals > 0 {
		t.Errorf("%d of %d changes were refused, want none: SCIM does not wait for Redis", refusals, acknowledged)
	}
}

func TestTwoProcessesOnOneDatabaseAndOneRedis(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testserver.Database(t), 2)
	workers := crowd(t, w, 6, 6)
	stop := underLoad(t, w, workers)
	pause(t, time.Second)
	if _, err := w.redis.Do("FLUSHALL"); err != nil { // both notice, both fill
		t.Fatal(err)
	}
	pause(t, 2*time.Second)
	w.services[1].Kill() // the other finishes its work
	pause(t, 500*time.Millisecond)
	w.start(t, 1)
	pause(t, 500*time.Millisecond)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	w.verify(t)
	check(t, w, workers)
	acknowledged, _ := total(workers)
	t.Logf("%d changes acknowledged by two processes", acknowledged)
}

// pause lets the load go on for a while: time passing is what is tested here.
func pause(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	}
}
