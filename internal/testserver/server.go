package testserver

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	startLimit = 30 * time.Second // from launch to the first answer
	grace      = 20 * time.Second // from asking a server to end to killing it
	attempts   = 6                // to launch a server that ends before it answers
)

// Owner is the function whose goroutine owns a running server. The server behind
// Database runs until the process ends, so a test that looks for leaked goroutines
// leaves this one out: goleak.IgnoreAnyFunction(testserver.Owner).
const Owner = "github.com/rolesync/rolesync/internal/testserver.own"

// A server is one process that answers on a port. Its methods may be called at the
// same time; each waits for the one before it.
type server struct {
	name    string
	dir     string                                         // its working folder, which its log is in
	command func(port int) *exec.Cmd                       // makes the command that runs it
	ready   func(ctx context.Context, port, pid int) error // whether that process answers on that port
	stop    syscall.Signal                                 // asks for an orderly end
	discard syscall.Signal                                 // asks for an end after which the data is not needed

	port int // as it is given out; only the first start sets it

	mu      sync.Mutex
	settled bool // whether the first start is over
	running *running
	paused  bool
}

// A running process. After done is closed it has ended and was waited for.
type running struct {
	pid  int
	done chan struct{}
}

// Addr returns the server's host:port, the same after every start.
func (s *server) Addr() string { return address(s.port) }

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// Start starts a server that was stopped or killed, on its port and with its data,
// and returns when it answers. It fails when the server runs, and when it does not
// answer within 30 seconds.
func (s *server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.start()
}

func (s *server) start() error {
	if s.alive() {
		return fmt.Errorf("start %s: it runs", s.name)
	}
	s.running, s.paused = nil, false
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	var err error
	for attempt := range attempts {
		// A server that ends at once lost its port to somebody, which another port
		// mends, or is hindered by what its killed predecessor left, which time mends.
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(attempt) * 100 * time.Millisecond):
		}
		if !s.settled {
			if s.port, err = freePort(); err != nil {
				break
			}
		}
		if err = s.launch(ctx); err == nil || !errors.Is(err, errEnded) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("start %s: %w\n%s", s.name, err, s.tail())
	}
	s.settled = true
	return nil
}

var errEnded = errors.New("it ended before it answered")

// launch runs the command once and waits until it answers, else ends it.
func (s *server) launch(ctx context.Context) error {
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := s.command(s.port)
	// Files, not writers: exec would need goroutines to copy.
	cmd.Stdout, cmd.Stderr = log, log
	r := &running{done: make(chan struct{})}
	started := make(chan error)
	go own(cmd, r, started)
	if err := <-started; err != nil {
		return err
	}
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		select {
		case <-r.done:
			return errEnded
		case <-ctx.Done():
			_ = syscall.Kill(r.pid, syscall.SIGKILL) // it may just have ended
			<-r.done
			return fmt.Errorf("it did not answer within %v", startLimit)
		case <-poll.C:
		}
		once, cancel := context.WithTimeout(ctx, time.Second)
		err := s.ready(once, s.port, r.pid)
		cancel()
		if err == nil {
			s.running = r
			return nil
		}
	}
}

// own starts the command and waits for its end, on one thread throughout: the
// kernel sends the signal of a parent's death when the thread that started the
// child is gone, and Go ends idle threads at will.
func own(cmd *exec.Cmd, r *running, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		started <- err
		return
	}
	r.pid = cmd.Process.Pid
	started <- nil
	_ = cmd.Wait() // how it ended is in its log; that it ended is what counts
	close(r.done)
}

// Stop asks the server to end in order, with its data safe, and returns when it
// has. A stopped server stays stopped.
func (s *server) Stop() error { return s.end(s.stop) }

// end asks the server to end by a signal, and kills it when it does not.
func (s *server) end(ask syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.alive() {
		return nil
	}
	if s.paused {
		s.signal(syscall.SIGCONT)
		s.paused = false
	}
	if err := syscall.Kill(s.running.pid, ask); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("stop %s: %w", s.name, err)
	}
	patience := time.NewTimer(grace)
	defer patience.Stop()
	select {
	case <-s.running.done:
		return nil
	case <-patience.C:
		s.kill()
		return fmt.Errorf("stop %s: killed, because it had not ended within %v\n%s", s.name, grace, s.tail())
	}
}

// Restart is Stop and Start.
func (s *server) Restart() error {
	if err := s.Stop(); err != nil {
		return err
	}
	return s.Start()
}

// Kill ends the server and its child processes by SIGKILL, as a crash would, and
// returns when it is gone.
func (s *server) Kill() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.alive() {
		s.kill()
	}
	return nil
}

func (s *server) kill() {
	s.freeze() // so that no child is born while they are counted
	s.signal(syscall.SIGKILL)
	<-s.running.done
	s.paused = false
}

// Pause halts the server and its child processes: connections stay open, new ones
// are taken by the kernel, nothing is answered.
func (s *server) Pause() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.alive() {
		return fmt.Errorf("pause %s: it does not run", s.name)
	}
	s.freeze()
	s.paused = true
	return nil
}

// Resume lets a paused server go on from where it was.
func (s *server) Resume() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.alive() {
		return fmt.Errorf("resume %s: it does not run", s.name)
	}
	s.signal(syscall.SIGCONT)
	s.paused = false
	return nil
}

// freeze halts the process, then its children.
func (s *server) freeze() {
	pid := s.running.pid
	_ = syscall.Kill(pid, syscall.SIGSTOP) // an error says that it has just ended
	awaitStopped(pid, s.running.done)
	for _, child := range children(pid) {
		_ = syscall.Kill(child, syscall.SIGSTOP)
	}
}

// signal sends a signal to the process and its children. The children come first:
// those of a dead process cannot be found any more.
func (s *server) signal(signal syscall.Signal) {
	for _, child := range children(s.running.pid) {
		_ = syscall.Kill(child, signal) // an error says that it has just ended
	}
	_ = syscall.Kill(s.running.pid, signal)
}

func (s *server) alive() bool {
	if s.running == nil {
		return false
	}
	select {
	case <-s.running.done:
		return false
	default:
		return true
	}
}

// tail returns the last lines of the server's log.
func (s *server) tail() string {
	const most = 4 << 10
	log, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(log[max(0, len(log)-most):]))
}

// freePort returns a port that nobody listens on. It is below those that systems
// give to outgoing connections (from 32768 on Linux), so that no client takes the
// port of a server that is down, not even by connecting to itself.
func freePort() (int, error) {
	for range 100 {
		port := 12000 + rand.IntN(20000)
		listener, err := net.Listen("tcp", address(port))
		if err != nil {
			continue
		}
		return port, listener.Close()
	}
	return 0, errors.New("no free port between 12000 and 32000")
}

// environment is ours without what steers PostgreSQL's programs.
func environment() []string {
	clean := []string{"LC_ALL=C", "TZ=UTC"}
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "PG") && !strings.HasPrefix(variable, "LC_ALL=") && !strings.HasPrefix(variable, "TZ=") {
			clean = append(clean, variable)
		}
	}
	return clean
}
