package app

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/rolesync/rolesync/config"
)

// slowRequest sends a request up to the middle of its body, and waits until its
// handler has begun.
func slowRequest(t *testing.T, r *running, path, token, body string) net.Conn {
	t.Helper()
	address := strings.TrimPrefix(r.LocalURL(), "http://")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_, err = fmt.Fprintf(conn, "POST %s/Users HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/scim+json\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", path, address, token, len(body))
	if err != nil {
		t.Fatal(err)
	}
	// The server asks for the body when the handler reads it.
	if line, err := bufio.NewReaderSize(conn, 16).ReadString('\n'); err != nil || !strings.Contains(line, "100") {
		t.Fatalf("answered %q, %v, want 100 Continue", line, err)
	}
	if _, err := io.WriteString(conn, body[:len(body)/2]); err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestStopLetsARequestUnderWayEnd(t *testing.T) {
	r := start(t, settings(t))
	_, path, token := r.connection(t, "Globex")
	body := user("anna@globex.example")
	conn := slowRequest(t, r, path, token, body)
	r.stop()
	// From when nobody new is let in, the one under way still is.
	for {
		late, err := net.Dial("tcp", strings.TrimPrefix(r.LocalURL(), "http://"))
		if err != nil {
			break
		}
		_ = late.Close()
	}
	if _, err := io.WriteString(conn, body[len(body)/2:]); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	answer, err := http.ReadResponse(reader, nil)
	for err == nil && answer.StatusCode == http.StatusContinue {
		answer, err = http.ReadResponse(reader, nil)
	}
	if err != nil || answer.StatusCode != http.StatusCreated {
		t.Fatalf("the request under way: %v, %v, want 201", answer, err)
	}
	if err := r.end(t); err != nil {
		t.Errorf("Run = %v", err)
	}
	if strings.Contains(r.log.String(), "level=WARN") {
		t.Errorf("an orderly stop is nothing to warn of:\n%s", r.log)
	}
}

func TestStopCutsARequestThatDoesNotEnd(t *testing.T) {
	c := settings(t)
	r := start(t, c)
	r.patience = 50 * time.Millisecond
	_, path, token := r.connection(t, "Globex")
	conn := slowRequest(t, r, path, token, user("anna@globex.example"))
	if err := r.end(t); err == nil || !strings.Contains(err.Error(), "did not end within 50ms and were cut") {
		t.Errorf("Run = %v, want that a request was cut", err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, conn); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !strings.Contains(err.Error(), "reset") {
		t.Errorf("the connection is still open: %v", err)
	}
	if r := start(t, c); r.EmbeddedRedis() == "" {
		t.Error("the folder is not free again")
	}
}

func TestNothingRunsOnAfterRun(t *testing.T) {
	before := goleak.IgnoreCurrent()
	r := start(t, settings(t))
	_, path, token := r.connection(t, "Globex")
	if status, body := r.ask(t, "POST", path+"/Users", token, user("anna@globex.example")); status != 201 {
		t.Fatalf("create user: %d %s", status, body)
	}
	if err := r.end(t); err != nil {
		t.Fatal(err)
	}
	goleak.VerifyNone(t, before)
}

func TestNothingRunsOnAfterAFailedNew(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	noPort := settings(t)
	noPort.Listen = taken.Addr().String()
	noFolder := settings(t)
	file, err := os.Create(filepath.Join(noFolder.Data, embeddedFile))
	if err == nil {
		defer func() { _ = file.Close() }()
		err = lock(file, exclusive)
	}
	if err != nil {
		t.Fatal(err)
	}
	before := goleak.IgnoreCurrent()
	for name, c := range map[string]config.Config{"no port": noPort, "no folder": noFolder} {
		if _, err := New(t.Context(), c, discard); err == nil {
			t.Errorf("%s: New has no error", name)
		}
	}
	goleak.VerifyNone(t, before)
}

// A client that sends its header a byte at a time must not hold a connection for ever.
func TestEveryTimeoutOfTheServerIsSet(t *testing.T) {
	r := start(t, settings(t))
	s := r.server
	for name, d := range map[string]time.Duration{
		"ReadHeaderTimeout": s.ReadHeaderTimeout, "ReadTimeout": s.ReadTimeout, "WriteTimeout": s.WriteTimeout, "IdleTimeout": s.IdleTimeout,
	} {
		if d <= 0 || d > 5*time.Minute {
			t.Errorf("%s = %v", name, d)
		}
	}
	if s.MaxHeaderBytes <= 0 || s.MaxHeaderBytes > 1<<20 {
		t.Errorf("MaxHeaderBytes = %d", s.MaxHeaderBytes)
	}
}
