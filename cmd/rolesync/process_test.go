package main

import (
	"database/sql"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// process is a service that a script runs beside itself. What it prints is in the files
// NAME.out and NAME.err of the script's folder, while it runs.
type process struct {
	cmd      *exec.Cmd
	out, err string
	done     chan struct{} // closed when it has ended
}

type valueKey int

const processes valueKey = 0

// patience is far above what anything here takes, for a loaded machine.
const patience = 30 * time.Second

// inherited are the variables of a script that its services get.
var inherited = []string{
	"PATH", "HOME", "TMPDIR", "GORACE", "GOCOVERDIR",
	"ROLESYNC_CONFIG", "ROLESYNC_DATA", "ROLESYNC_DATABASE_URL", "ROLESYNC_LISTEN", "ROLESYNC_LOG_FORMAT", "ROLESYNC_LOG_LEVEL",
	"ROLESYNC_PUBLIC_URL", "ROLESYNC_REDIS_ADDRESSES", "ROLESYNC_REDIS_PASSWORD", "ROLESYNC_REDIS_URL",
}

func processOf(ts *testscript.TestScript, name string) *process {
	p := ts.Value(processes).(map[string]*process)[name]
	if p == nil {
		ts.Fatalf("no service %s was started", name)
	}
	return p
}

// serve NAME ARGS… runs rolesync serve and waits until it answers and, with --demo, has
// printed all that it prints. $url becomes its address.
func serve(ts *testscript.TestScript, _ bool, args []string) {
	name := args[0]
	program, err := exec.LookPath("rolesync")
	ts.Check(err)
	p := &process{cmd: exec.Command(program, append([]string{"serve"}, args[1:]...)...), out: ts.MkAbs(name + ".out"), err: ts.MkAbs(name + ".err"), done: make(chan struct{})}
	stdout, err := os.Create(p.out)
	ts.Check(err)
	defer func() { _ = stdout.Close() }() // the process has its own
	stderr, err := os.Create(p.err)
	ts.Check(err)
	defer func() { _ = stderr.Close() }() // as above
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = ts.MkAbs("."), stdout, stderr
	for _, name := range inherited {
		if value := ts.Getenv(name); value != "" {
			p.cmd.Env = append(p.cmd.Env, name+"="+value)
		}
	}
	ts.Check(p.cmd.Start())
	go func() {
		_ = p.cmd.Wait() // ended looks at the state
		close(p.done)
	}()
	ts.Defer(func() {
		_ = p.cmd.Process.Kill() // it may have ended
		<-p.done
	})
	ts.Value(processes).(map[string]*process)[name] = p
	serves := p.await(ts, p.err, `rolesync serves"[ ,]"?url"?[=:]"?(http://[^"\s]+)`)
	ts.Setenv("url", serves)
	if slices.Contains(args, "--demo") {
		p.await(ts, p.out, `Ctrl-C stops`)
	}
}

// await waits until the pattern is in the file, and returns its first group.
func (p *process) await(ts *testscript.TestScript, file, pattern string) string {
	expression := regexp.MustCompile(pattern)
	limit := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for over := false; ; {
		text, err := os.ReadFile(file)
		ts.Check(err)
		if found := expression.FindSubmatch(text); found != nil {
			return string(found[len(found)-1])
		}
		if over {
			ts.Fatalf("%s never came to hold %s:\n%s", filepath.Base(file), pattern, text[max(0, len(text)-2000):])
		}
		select {
		case <-tick.C:
		case <-p.done:
			over = true
		case <-limit:
			over = true
		}
	}
}

// await NAME PATTERN waits until the service's standard error holds the pattern.
func await(ts *testscript.TestScript, _ bool, args []string) {
	p := processOf(ts, args[0])
	p.await(ts, p.err, args[1])
}

// signal NAME TERM|INT|KILL sends a signal to a service.
func sendSignal(ts *testscript.TestScript, _ bool, args []string) {
	signals := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "KILL": syscall.SIGKILL}
	ts.Check(processOf(ts, args[0]).cmd.Process.Signal(signals[args[1]]))
}

// ended NAME CODE SECONDS waits until a service has ended, with this exit code (-1: by
// a signal), within so many seconds.
func ended(ts *testscript.TestScript, _ bool, args []string) {
	p := processOf(ts, args[0])
	seconds, err := strconv.Atoi(args[2])
	ts.Check(err)
	select {
	case <-p.done:
	case <-time.After(time.Duration(seconds) * time.Second):
		ts.Fatalf("%s still runs after %d s", args[0], seconds)
	}
	if got := fmt.Sprint(p.cmd.ProcessState.ExitCode()); got != args[1] {
		ts.Fatalf("%s ended with %s, want exit code %s:\n%s", args[0], p.cmd.ProcessState, args[1], ts.ReadFile(p.err))
	}
}

// hang sends half a request to the SCIM address of the demo, and keeps the connection
// open until the script ends.
func hang(ts *testscript.TestScript, _ bool, _ []string) {
	target, err := url.Parse(ts.Getenv("scim_url"))
	ts.Check(err)
	conn, err := net.Dial("tcp", target.Host)
	ts.Check(err)
	ts.Defer(func() { _ = conn.Close() })
	_, err = fmt.Fprintf(conn, "POST %s/Users HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n",
		target.Path, target.Host, ts.Getenv("scim_token"))
	ts.Check(err)
	// The server asks for the body once the handler reads it.
	answer := make([]byte, len("HTTP/1.1 100"))
	_, err = conn.Read(answer)
	ts.Check(err)
	if string(answer) != "HTTP/1.1 100" {
		ts.Fatalf("answered %s", answer)
	}
}

// sql FILE STATEMENT changes an SQLite database behind the back of the service.
func changeSQL(ts *testscript.TestScript, _ bool, args []string) {
	db, err := sql.Open("sqlite", "file:"+ts.MkAbs(args[0])+"?_pragma=busy_timeout(10000)")
	ts.Check(err)
	defer func() { _ = db.Close() }() // the change is committed
	result, err := db.Exec(args[1])
	ts.Check(err)
	changed, err := result.RowsAffected()
	ts.Check(err)
	if changed == 0 {
		ts.Fatalf("it changed nothing: %s", args[1])
	}
}
