package badtimes

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rolesync/rolesync/internal/harness"
	"github.com/rolesync/rolesync/internal/testserver"
)

// binary is the program, built once for all tests.
var binary = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "rolesync-badtimes-")
	if err != nil {
		return "", err
	}
	return harness.Build(context.Background(), folder)
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := binary(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path)) // it is in the temporary folder
	}
	os.Exit(code)
}

// world is one or more processes on one database and one Redis.
type world struct {
	services []*harness.Service
	*harness.Tenant
	redis *testserver.RedisServer
	data  string
}

// newWorld starts processes of the service on a database, and makes a tenant.
func newWorld(t *testing.T, databaseURL string, processes int) *world {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{redis: testserver.Redis(t), data: t.TempDir()}
	for i := range processes {
		log, err := os.Create(filepath.Join(w.data, fmt.Sprintf("service-%d.log", i)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = log.Close()
			if t.Failed() {
				text, _ := os.ReadFile(log.Name()) // it helps, if it is there
				t.Logf("log of process %d:\n%s", i, tail(string(text), 40))
			}
		})
		s, err := harness.New(path, log, "ROLESYNC_DATABASE_URL="+databaseURL, "ROLESYNC_REDIS_URL="+w.redis.URL(), "ROLESYNC_DATA="+w.data)
		if err != nil {
			t.Fatal(err)
		}
		w.services = append(w.services, s)
		w.start(t, i)
		t.Cleanup(s.Stop)
	}
	if w.Tenant, err = harness.NewTenant(t.Context(), w.services[0], "Bad Times Inc."); err != nil {
		t.Fatal(err)
	}
	return w
}

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

func (w *world) start(t *testing.T, process int) {
	t.Helper()
	if _, err := w.services[process].Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// sqlite is the URL of a database file of the test's own.
func sqlite(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "rolesync.db") }

// verify runs rolesync verify, as an operator would, and fails unless it finds nothing
// after at most five seconds.
func (w *world) verify(t *testing.T) {
	t.Helper()
	out, err := w.services[0].Command(t.Context(), "verify", "--settle", "5s").Output()
	if err != nil { // the exit code tells of differences
		t.Fatalf("rolesync verify: %v\n%s", err, out)
	}
}

// ready returns the status and body of /readyz.
func (w *world) ready(process int) (status int, body string) {
	client := &http.Client{Timeout: 5 * time.Second}
	answer, err := client.Get(w.services[process].URL() + "/readyz")
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = answer.Body.Close() }()
	text := new(strings.Builder)
	buffer := make([]byte, 4096)
	for {
		n, err := answer.Body.Read(buffer)
		text.Write(buffer[:n])
		if err != nil {
			return answer.StatusCode, text.String()
		}
	}
}

// eventually waits until the condition holds, at most for the limit.
func eventually(t *testing.T, limit time.Duration, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("after %s still not: %s", limit, what)
		}
		select {
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// refused reports whether an error is an answer of the service that changed nothing
// and asks to come back: 503 or 429 with Retry-After.
func refused(err error) bool {
	answer, ok := errors.AsType[*harness.StatusError](err)
	return ok && (answer.Status == http.StatusServiceUnavailable || answer.Status == http.StatusTooManyRequests) && answer.RetryAfter != ""
}

// answered reports whether an error is an answer at all, rather than a lost connection.
func answered(err error) bool {
	_, ok := errors.AsType[*harness.StatusError](err)
	return ok
}
