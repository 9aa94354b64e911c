package app

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rolesync/rolesync/config"
)

func TestPortInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	c := settings(t)
	c.Listen = taken.Addr().String()
	log := &logBuffer{}
	_, err = New(t.Context(), c, slog.New(slog.NewTextHandler(log, nil)))
	want := "listen on " + c.Listen + ": another program, perhaps another rolesync, has this port; choose one with ROLESYNC_LISTEN"
	if err == nil || err.Error() != want {
		t.Errorf("New = %v, want %s", err, want)
	}
	if _, err := os.Stat(filepath.Join(c.Data, embeddedFile)); err == nil {
		t.Error("a start that found its port taken left an embedded Redis behind")
	}
	if strings.Contains(log.String(), "migrated") {
		t.Error("a start that found its port taken has migrated the database")
	}
}

func TestListenErrorNamesTheAddressOnce(t *testing.T) {
	c := settings(t)
	c.Listen = "192.0.2.1:8080" // of nobody (RFC 5737)
	if _, err := New(t.Context(), c, discard); err == nil || strings.Count(err.Error(), "192.0.2.1") != 1 {
		t.Errorf("New = %v, want an error that names the address once", err)
	}
}

func TestLocalURL(t *testing.T) {
	for _, test := range []struct{ listen, want string }{
		{"127.0.0.1:0", "http://127.0.0.1:"},
		{"localhost:0", "http://127.0.0.1:"},
		{"0.0.0.0:0", "http://127.0.0.1:"},
		{":0", "http://127.0.0.1:"},
		{"[::1]:0", "http://[::1]:"},
	} {
		t.Run(test.listen, func(t *testing.T) {
			if l, err := net.Listen("tcp", test.listen); err != nil {
				t.Skip(err) // no IPv6 here
			} else {
				_ = l.Close()
			}
			c := settings(t)
			c.Listen = test.listen
			r := start(t, c)
			if !strings.HasPrefix(r.LocalURL(), test.want) || r.BaseURL != r.LocalURL() {
				t.Errorf("LocalURL = %s, BaseURL = %s, want %s…", r.LocalURL(), r.BaseURL, test.want)
			}
			if status, body := r.ask(t, "GET", "/healthz", "", ""); status != 200 || body != "ok\n" {
				t.Errorf("/healthz = %d %q", status, body)
			}
		})
	}
}

func TestPublicURLIsTheBase(t *testing.T) {
	c := settings(t)
	c.PublicURL = "https://roles.example.com/sync"
	r := start(t, c)
	if r.BaseURL != c.PublicURL || !strings.HasPrefix(r.LocalURL(), "http://127.0.0.1:") {
		t.Errorf("BaseURL = %s, LocalURL = %s", r.BaseURL, r.LocalURL())
	}
	_, path, token := r.connection(t, "Globex")
	_, body := r.ask(t, "POST", path+"/Users", token, user("anna@globex.example"))
	if want := `"location":"https://roles.example.com/sync` + path + `/Users/usr_`; !strings.Contains(body, want) {
		t.Errorf("the answer %s has no %s", body, want)
	}
}

func TestStartOnAnExistingSchemaIsQuick(t *testing.T) {
	c := settings(t)
	_ = start(t, c).end(t)
	best := time.Hour
	for range 3 { // other tests take their share of the machine
		began := time.Now()
		r := start(t, c)
		if status, _ := r.ask(t, "GET", "/healthz", "", ""); status != 200 {
			t.Fatal(status)
		}
		best = min(best, time.Since(began))
		if strings.Contains(r.log.String(), "migrated") {
			t.Error("an up-to-date schema was migrated")
		}
		_ = r.end(t)
	}
	if best > 2*time.Second {
		t.Errorf("the best of three starts took %v", best)
	}
}

// Two services with an embedded Redis each would share the work of filling it: changes
// would reach one of the two.
func TestSecondServiceOnAFolderTookTheFirstOnesRedis(t *testing.T) {
	c := settings(t)
	first := start(t, c)
	_, err := New(t.Context(), c, discard)
	if want := "another rolesync with an embedded Redis runs on the data folder " + c.Data; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("New = %v, want %s…", err, want)
	}
	if addr, err := embeddedAddr(c.Data); addr != first.EmbeddedRedis() || err != nil {
		t.Errorf("the folder tells of %q, %v; the first service has %s", addr, err, first.EmbeddedRedis())
	}
	if err := first.end(t); err != nil {
		t.Error(err)
	}
	if second := start(t, c); second.EmbeddedRedis() == "" {
		t.Error("the folder is not free after the first has stopped")
	}
}

func TestDialRedis(t *testing.T) {
	c := settings(t)
	check := func(t *testing.T, c config.Config, running bool) {
		t.Helper()
		client, err := DialRedis(c)
		if err != nil || (client != nil) != running {
			t.Fatalf("DialRedis = %v, %v, want one that runs: %v", client, err, running)
		}
		if client != nil {
			if err := client.Ping(t.Context()).Err(); err != nil {
				t.Error(err)
			}
			_ = client.Close()
		}
	}
	t.Run("never started", func(t *testing.T) { check(t, c, false) })
	r := start(t, c)
	t.Run("running", func(t *testing.T) { check(t, c, true) })
	_ = r.end(t)
	t.Run("stopped", func(t *testing.T) { check(t, c, false) })
	// By now another Redis may have the port; a repair would write into it.
	t.Run("killed, and its address is left", func(t *testing.T) {
		if err := os.WriteFile(filepath.Join(c.Data, embeddedFile), []byte("127.0.0.1:6379"), 0o600); err != nil {
			t.Fatal(err)
		}
		check(t, c, false)
	})
	t.Run("started over an address that is left", func(t *testing.T) {
		start(t, c)
		check(t, c, true)
	})
}

func TestDataFolderIsAFile(t *testing.T) {
	c := settings(t)
	c.Data = filepath.Join(c.Data, "file")
	if err := os.WriteFile(c.Data, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(t.Context(), c, discard); err == nil || !strings.Contains(err.Error(), c.Data) {
		t.Errorf("New = %v, want an error that names %s", err, c.Data)
	}
}

func TestInterruptedWaitForTheDatabase(t *testing.T) {
	c := settings(t)
	c.Database.URL = config.NewSecret("postgres://anna:hunter2@127.0.0.1:1/rolesync")
	ctx, stop := context.WithCancel(t.Context())
	stop()
	_, err := New(ctx, c, discard)
	if err == nil || !strings.HasPrefix(err.Error(), "stopped before the database answered: ") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("New = %v, want that it was stopped, without the password", err)
	}
}
