//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package app

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// The kinds of lock.
const (
	exclusive = syscall.LOCK_EX
	shared    = syscall.LOCK_SH
)

// lock locks a file for as long as it is open, however the process ends. It does not
// wait: errLocked says that another process has a lock.
func lock(file *os.File, kind int) error {
	err := syscall.Flock(int(file.Fd()), kind|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errLocked
	}
	if err != nil {
		return fmt.Errorf("lock %s: %w", file.Name(), err)
	}
	return nil
}
