package testserver

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"syscall"
	"testing"
)

// HTTPServer is a running program that serves HTTP.
type HTTPServer struct{ *server }

// A Program is one that a test brings with it, or that is installed, and that serves
// HTTP on the port that it is told.
type Program struct {
	Name    string
	Dir     string                   // where it runs, of Folder
	Command func(port int) *exec.Cmd // makes the command that runs it; Dir and its environment are set here
	Ready   string                   // a path; when a GET of it answers 200, the program is ready
}

// Folder makes a folder for the files of one program, which is removed after the test,
// and also when the process of the test dies.
func Folder(tb testing.TB, name string) string {
	tb.Helper()
	return folder(tb, name)
}

// HTTP starts a program that lives as long as the test.
func HTTP(tb testing.TB, p Program) *HTTPServer {
	tb.Helper()
	s := &HTTPServer{server: &server{
		name: p.Name,
		dir:  p.Dir,
		command: func(port int) *exec.Cmd {
			cmd := p.Command(port)
			cmd.Dir = p.Dir
			cmd.Env = append(environment(), cmd.Env...)
			cmd.SysProcAttr = attributes(syscall.SIGKILL)
			return cmd
		},
		ready: func(ctx context.Context, port, _ int) error {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address(port)+p.Ready, nil)
			if err != nil {
				return err
			}
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			answer, err := client.Do(request)
			if err != nil {
				return err
			}
			if err := answer.Body.Close(); err != nil {
				return err
			}
			if answer.StatusCode != http.StatusOK {
				return fmt.Errorf("GET %s answers %s", p.Ready, answer.Status)
			}
			return nil
		},
		stop:    syscall.SIGTERM,
		discard: syscall.SIGKILL,
	}}
	need(tb, s.Start())
	stopAfter(tb, s.server)
	return s
}

// URL returns the address of the server as http://, without a slash at the end.
func (s *HTTPServer) URL() string { return "http://" + s.Addr() }

// Missing ends the test because something is not installed that only real programs can
// replace: it skips it, or fails it when ROLESYNC_TEST_ALL=1. packages are those of
// Debian and Ubuntu that have it.
func Missing(tb testing.TB, what, packages string) {
	tb.Helper()
	need(tb, missingError{what, packages})
}
