package main

import "runtime"

// spareBytes is counted as heap by the collector but never touched, so it costs address
// space only.
const spareBytes = 24 << 20

// spareMemory keeps the collector from running many times a second: it waits for the
// heap to double, and that of a small service is a few MiB, less than a tenth of a
// second's work under load. The spare is kept until release is called.
func spareMemory() (release func()) {
	spare := make([]byte, spareBytes)
	return func() { runtime.KeepAlive(spare) }
}
