package testserver

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
)

// victim in the environment has this test binary play the process that is killed.
const victim = "TESTSERVER_VICTIM"

func TestNothingOutlivesAKilledProcess(t *testing.T) {
	if os.Getenv(victim) != "" {
		playVictim(t)
		return
	}
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells a process of its parent's death")
	}
	Redis(t)
	Database(t) // skip without the binaries
	cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), victim+"=1")
	output, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	var folder string
	var addresses []string
	for lines := bufio.NewScanner(output); lines.Scan() && lines.Text() != "ready"; {
		if dir, ok := strings.CutPrefix(lines.Text(), "folder "); ok {
			folder = dir
		} else if addr, ok := strings.CutPrefix(lines.Text(), "server "); ok {
			addresses = append(addresses, addr)
		}
	}
	must(t, cmd.Process.Kill())
	_ = cmd.Wait() // killed, as it should be
	if folder == "" || len(addresses) != 4 {
		t.Fatalf("the victim told of %v in %q, want four servers", addresses, folder)
	}
	for _, addr := range addresses {
		eventually(t, addr+" refuses connections", func() bool {
			conn, err := net.Dial("tcp", addr)
			if err == nil {
				_ = conn.Close() // only whether it opens counts
			}
			return err != nil
		})
	}
	eventually(t, folder+" is gone", func() bool {
		_, err := os.Stat(folder)
		return os.IsNotExist(err)
	})
}

// playVictim starts servers, one of each kind paused, tells where they are, and
// waits for its death.
func playVictim(t *testing.T) {
	parent, err := temporary()
	must(t, err)
	fmt.Println("folder " + parent.path)
	Database(t)
	ours, err := shared()
	must(t, err)
	redis, pausedRedis, pausedPostgres := Redis(t), Redis(t), Postgres(t)
	connect(t, pausedPostgres.URL())
	must(t, pausedRedis.Pause())
	must(t, pausedPostgres.Pause())
	for _, addr := range []string{ours.Addr(), redis.Addr(), pausedRedis.Addr(), pausedPostgres.Addr()} {
		fmt.Println("server " + addr)
	}
	fmt.Println("ready")
	select {}
}

// A recorder is a test that only notes how it ended.
type recorder struct {
	testing.TB
	skipped, failed string
}

func (r *recorder) Helper()           {}
func (r *recorder) Skip(args ...any)  { r.skipped = fmt.Sprint(args...) }
func (r *recorder) Fatal(args ...any) { r.failed = fmt.Sprint(args...) }

func TestMissingBinarySkipsOrFails(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := StartRedis(t.TempDir())
	const want = "redis-server is not installed, and a real one is needed (Debian, Ubuntu: apt-get install redis-server)"
	for _, test := range []struct {
		name, all       string
		skipped, failed string
	}{
		{"on a laptop", "", want, ""},
		{"in CI", "1", "", want},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("ROLESYNC_TEST_ALL", test.all)
			r := &recorder{TB: t}
			need(r, err)
			if r.skipped != test.skipped || r.failed != test.failed {
				t.Errorf("skipped %q, failed %q, want %q and %q", r.skipped, r.failed, test.skipped, test.failed)
			}
		})
	}
}
