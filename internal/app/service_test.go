package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rolesync/rolesync/config"
	"github.com/rolesync/rolesync/internal/admin"
	"github.com/rolesync/rolesync/internal/directory"
	rolesync "github.com/rolesync/rolesync/sync"
)

func TestMain(m *testing.M) {
	rolesync.LogClient(discard)
	os.Exit(m.Run())
}

// running is a service that runs, and the end of its Run.
type running struct {
	*Service
	log  *logBuffer
	stop context.CancelFunc
	done chan error
}

// settings are those of a service in a folder of its own, on a free port.
func settings(t *testing.T) config.Config {
	t.Helper()
	c := config.Default()
	c.Listen, c.Data = "127.0.0.1:0", t.TempDir()
	return c
}

// start runs a service until the test ends.
func start(t *testing.T, c config.Config) *running {
	t.Helper()
	log := &logBuffer{}
	ctx, stop := context.WithCancel(context.Background())
	s, err := New(ctx, c, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		stop()
		t.Fatal(err)
	}
	r := &running{Service: s, log: log, stop: stop, done: make(chan error, 1)}
	go func() { r.done <- s.Run(ctx) }()
	t.Cleanup(func() { _ = r.end(t) })
	return r
}

// end stops the service and returns what Run returned. It may be called twice.
func (r *running) end(t *testing.T) error {
	t.Helper()
	r.stop()
	select {
	case err := <-r.done:
		r.done <- err
		return err
	case <-time.After(20 * time.Second):
		t.Error("the service does not stop")
		return nil
	}
}

// connection makes an organization with a connection, and returns the path of its
// SCIM base and its token.
func (r *running) connection(t *testing.T, name string) (organization directory.OrganizationID, path, token string) {
	t.Helper()
	by := admin.Actor{Name: "test"}
	o, err := r.Admin.CreateOrganization(t.Context(), by, name)
	if err != nil {
		t.Fatal(err)
	}
	c, token, err := r.Admin.CreateConnection(t.Context(), by, o.ID, admin.NewConnection{Name: name, Kind: directory.SCIM})
	if err != nil {
		t.Fatal(err)
	}
	return o.ID, "/scim/v2/" + string(c.ID), token
}

// ask makes a request and returns the status and the body of the answer.
func (r *running) ask(t *testing.T, method, path, token, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, r.LocalURL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	answer, err := (&http.Client{Transport: transport, Timeout: 20 * time.Second}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// readiness is the answer of /readyz, as "200 degraded: database ok, redis degraded".
func (r *running) readiness(t *testing.T) (short, body string) {
	t.Helper()
	status, body := r.ask(t, "GET", "/readyz", "", "")
	var answer struct {
		Status string
		Checks map[string]struct{ Status string }
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s: database %s, redis %s", status, answer.Status, answer.Checks["database"].Status, answer.Checks["redis"].Status), body
}

// becomes waits until the readiness begins as wanted, and returns the body.
func (r *running) becomes(t *testing.T, want string) string {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(20 * time.Second)
	for {
		got, body := r.readiness(t)
		if strings.HasPrefix(got, want) {
			return body
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("/readyz stays %q, want %q", got, want)
		}
	}
}

func user(name string) string {
	return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":%q,"active":true}`, name)
}

type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// discard is for a service that is not to start.
var discard = slog.New(slog.DiscardHandler)

// A person sees a request at once, and after the service was stopped and started again.
func TestHealthOfAConnectionOutlivesTheService(t *testing.T) {
	c := settings(t)
	r := start(t, c)
	organization, path, token := r.connection(t, "Initech")
	id := directory.ConnectionID(strings.TrimPrefix(path, "/scim/v2/"))
	look := func(r *running) admin.Health {
		t.Helper()
		health, err := r.Admin.Health(t.Context(), admin.Actor{Name: "test"}, organization, id)
		if err != nil {
			t.Fatal(err)
		}
		return health
	}
	if health := look(r); health.Status != admin.NeverUsed {
		t.Errorf("before the first request: %+v", health)
	}
	if status, body := r.ask(t, "POST", path+"/Users", token, user("anna@initech.example")); status != http.StatusCreated {
		t.Fatalf("POST = %d %s", status, body)
	}
	if health := look(r); health.Status != admin.Healthy || len(health.Kinds) != 1 || health.Kinds[0].Succeeded != 1 {
		t.Errorf("after it: %+v", health)
	}
	if status, _ := r.ask(t, "POST", path+"/Users", token, user("anna@initech.example")); status != http.StatusConflict {
		t.Fatalf("POST of the same = %d, want 409", status)
	}
	if err := r.end(t); err != nil {
		t.Fatal(err)
	}
	if health := look(start(t, c)); health.Status != admin.Failing || health.Kinds[0].Failed != 1 || !strings.Contains(health.Reason, "409") {
		t.Errorf("after a restart: %+v", health)
	}
}
