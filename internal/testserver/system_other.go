//go:build !linux

package testserver

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// attributes put a child into a process group of its own, out of reach of the
// terminal's Ctrl-C. These systems have no signal of a parent's death.
func attributes(syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

// awaitStopped gives SIGSTOP a moment to take effect.
func awaitStopped(_ int, done <-chan struct{}) {
	select {
	case <-done:
	case <-time.After(20 * time.Millisecond):
	}
}

// children returns the processes whose parent is pid.
func children(pid int) []int {
	output, err := exec.Command("pgrep", "-P", strconv.Itoa(pid)).Output()
	if err != nil {
		return nil // pgrep ends with 1 when there are none
	}
	var found []int
	for _, field := range strings.Fields(string(output)) {
		if child, err := strconv.Atoi(field); err == nil {
			found = append(found, child)
		}
	}
	return found
}
