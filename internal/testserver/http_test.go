package testserver

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"testing"
)

// asked in the environment has this test binary play the program that serves HTTP there.
const asked = "TESTSERVER_HTTP"

func TestProgramServesUntilTheTestEnds(t *testing.T) {
	if addr := os.Getenv(asked); addr != "" {
		t.Fatal(http.ListenAndServe(addr, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			dir, _ := os.Getwd() // the answer shows whether it is there
			_, _ = fmt.Fprintf(w, "%s in %s", r.URL.Path, dir)
		})))
	}
	t.Parallel()
	var addr string
	t.Run("its test", func(t *testing.T) {
		dir := Folder(t, "program")
		server := HTTP(t, Program{Name: "program", Dir: dir, Ready: "/ready", Command: func(port int) *exec.Cmd {
			cmd := exec.Command(os.Args[0], "-test.run", "^TestProgramServesUntilTheTestEnds$")
			cmd.Env = []string{asked + "=" + address(port)}
			return cmd
		}})
		addr = server.Addr()
		answer, err := http.Get(server.URL() + "/path")
		must(t, err)
		body, err := io.ReadAll(answer.Body)
		must(t, err)
		must(t, answer.Body.Close())
		if want := "/path in " + dir; string(body) != want {
			t.Errorf("the program answers %q, want %q", body, want)
		}
	})
	if conn, err := net.Dial("tcp", addr); err == nil {
		_ = conn.Close() // only whether it opens counts
		t.Errorf("%s still answers after the test", addr)
	}
}

func TestMissingProgramSkipsOrFails(t *testing.T) {
	const want = "some-program is not installed, and a real one is needed (Debian, Ubuntu: apt-get install some packages)"
	for all, result := range map[string]func(*recorder) string{
		"":  func(r *recorder) string { return r.skipped },
		"1": func(r *recorder) string { return r.failed },
	} {
		t.Setenv("ROLESYNC_TEST_ALL", all)
		r := &recorder{TB: t}
		Missing(r, "some-program", "some packages")
		if got := result(r); got != want {
			t.Errorf("ROLESYNC_TEST_ALL=%q: skipped %q, failed %q, want %q", all, r.skipped, r.failed, want)
		}
	}
}
