package testserver

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

// attributes put a child into a process group of its own, out of reach of the
// terminal's Ctrl-C, and have it signalled when the thread that started it dies.
func attributes(death syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: death}
}

// awaitStopped returns when SIGSTOP has taken effect on a process, or it has ended.
func awaitStopped(pid int, done <-chan struct{}) {
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for {
		if state, _, err := stat(strconv.Itoa(pid)); err != nil || state == 'T' || state == 'Z' {
			return
		}
		select {
		case <-done:
			return
		case <-poll.C:
		}
	}
}

// children returns the processes whose parent is pid.
func children(pid int) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var found []int
	for _, entry := range entries {
		child, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if _, parent, err := stat(entry.Name()); err == nil && parent == pid {
			found = append(found, child)
		}
	}
	return found
}

// stat reads the state and the parent of a process (proc_pid_stat(5)).
func stat(pid string) (state byte, parent int, err error) {
	line, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return 0, 0, err
	}
	// The second field is the name in parentheses, which may hold any sign.
	rest := line[bytes.LastIndexByte(line, ')')+1:]
	_, err = fmt.Sscanf(string(rest), " %c %d", &state, &parent)
	return state, parent, err
}
