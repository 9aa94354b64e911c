//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package app

import "os"

// The kinds of lock.
const (
	exclusive = iota
	shared
)

// lock cannot lock here. What is written in the file is believed: a reader takes it
// for locked, and a service for free.
func lock(_ *os.File, kind int) error {
	if kind == shared {
		return errLocked
	}
	return nil
}
