// Package harness runs the built program as a process of its own and talks to it over
// HTTP, as users do: for the tests of bad times, which kill it, and for the benchmark,
// which measures it from outside. It imports nothing of the service.
package harness

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Build compiles the program into a folder, from any folder of the module, and returns
// the path of the binary.
func Build(ctx context.Context, folder string, flags ...string) (string, error) {
	binary := filepath.Join(folder, "rolesync")
	args := append([]string{"build", "-o", binary}, flags...)
	build := exec.CommandContext(ctx, "go", append(args, "github.com/rolesync/rolesync/cmd/rolesync")...)
	build.Env = os.Environ()
	if len(flags) == 0 {
		build.Env = append(build.Env, "CGO_ENABLED=0")
	}
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return binary, nil
}

// Service is one process of the program, on a port of its own that it keeps.
type Service struct {
	Binary string
	Env    []string // ROLESYNC_… variables, besides those for the port
	Log    *os.File // standard error; nil drops it

	port int

	mu   sync.Mutex
	cmd  *exec.Cmd     // guarded by mu
	done chan struct{} // guarded by mu; closed when the process has ended
}

// New returns a service on a free port, which is not started yet.
func New(binary string, log *os.File, env ...string) (*Service, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	port := listener.Addr().(*net.TCPAddr).Port
	return &Service{Binary: binary, Env: env, Log: log, port: port}, listener.Close()
}

// URL is the service's address.
func (s *Service) URL() string { return fmt.Sprintf("http://127.0.0.1:%d", s.port) }

// Command makes a command of the program with the service's settings.
func (s *Service) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.Binary, args...)
	// No setting of the caller's own may leak in.
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "ROLESYNC_") {
			cmd.Env = append(cmd.Env, variable)
		}
	}
	cmd.Env = append(cmd.Env, "ROLESYNC_SCIM_RATE_LIMIT=0") // what is tested and measured comes faster
	cmd.Env = append(cmd.Env, s.Env...)
	cmd.Env = append(cmd.Env, fmt.Sprintf("ROLESYNC_LISTEN=127.0.0.1:%d", s.port), "ROLESYNC_PUBLIC_URL="+s.URL())
	if s.Log != nil {
		cmd.Stderr = s.Log
	}
	return cmd
}

// startLimit is far above what a start takes, for a loaded machine.
const startLimit = 30 * time.Second

// Start runs the service and returns how long it took until it answered.
func (s *Service) Start(ctx context.Context) (time.Duration, error) {
	cmd := s.Command(context.WithoutCancel(ctx), "serve")
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ended is the caller's doing
		close(done)
	}()
	s.mu.Lock()
	s.cmd, s.done = cmd, done
	s.mu.Unlock()
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for time.Since(began) < startLimit {
		answer, err := client.Get(s.URL() + "/healthz")
		if err == nil {
			_ = answer.Body.Close()
			return time.Since(began), nil
		}
		select {
		case <-done:
			return 0, errors.New("the service ended while it started")
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
	}
	return 0, fmt.Errorf("the service did not answer within %s", startLimit)
}

// PID is the process id of the running service; 0 when it does not run.
func (s *Service) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil || s.cmd.Process == nil {
		return 0
	}
	return s.cmd.Process.Pid
}

// Kill ends the service as a crash would (SIGKILL), and waits until it is gone.
func (s *Service) Kill() { s.end(syscall.SIGKILL) }

// Stop asks the service to end, and waits until it has.
func (s *Service) Stop() { s.end(syscall.SIGTERM) }

func (s *Service) end(signal syscall.Signal) {
	s.mu.Lock()
	cmd, done := s.cmd, s.done
	s.cmd = nil
	s.mu.Unlock()
	if cmd == nil {
		return
	}
	_ = cmd.Process.Signal(signal) // it may have ended by itself
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		_ = cmd.Process.Kill() // it does not stop
		<-done
	}
}
