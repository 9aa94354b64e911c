package testserver

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// A reaped folder is removed when this process ends, by a shell that waits for the
// end of its input, which comes however the process ends.
type reaped struct {
	path string
	held *os.File // our end of the shell's input; it must not be collected
}

// temporary makes the folder of this process, in which each server has its own.
var temporary = sync.OnceValues(func() (*reaped, error) {
	path, err := os.MkdirTemp(reachable(os.TempDir()), "rolesync-test-")
	if err != nil {
		return nil, err
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return nil, err
	}
	// PostgreSQL may run as another user, who has to get through to its own folder.
	if err := os.Chmod(path, 0o711); err != nil {
		return nil, err
	}
	input, held, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer input.Close()
	cmd := exec.Command("/bin/sh", "-c", reaper, "reaper", path)
	cmd.Stdin = input
	cmd.Dir = "/"
	cmd.SysProcAttr = attributes(0)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the shell that cleans up: %w", err)
	}
	return &reaped{path: path, held: held}, nil
})

// reaper waits for the end of its input, then for the servers, which were sent a
// signal by the kernel when their parent died. It knows them by their working folder,
// wakes the paused ones, so that they see that signal, and kills what is left after
// two seconds. Then it removes $1.
const reaper = `
while read -r line; do :; done
tries=0
while [ $tries -lt 100 ]; do
	alive=
	for process in /proc/[0-9]*; do
		case $(readlink "$process/cwd" 2>/dev/null) in
		"$1"/*)
			alive=yes
			signal=CONT
			[ $tries -lt 20 ] || signal=KILL
			kill -$signal "${process#/proc/}" 2>/dev/null
			;;
		esac
	done
	[ -n "$alive" ] || break
	tries=$((tries + 1))
	sleep 0.1
done
rm -rf -- "$1"
`

// reachable returns dir when every user can get there, else /tmp.
func reachable(dir string) string {
	for at := filepath.Clean(dir); ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			return "/tmp"
		}
		if at == filepath.Dir(at) {
			return dir
		}
	}
}
