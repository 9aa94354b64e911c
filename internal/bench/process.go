package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ticks is the unit of CPU time in /proc, on every Linux that Go supports.
const ticks = 100

// cpu returns the processor time that the service and the database have used so far,
// the database with all its processes, also those that have ended.
func (w *world) cpu() (service, database time.Duration) {
	postmaster := w.postgres.PID()
	return cpuOf(w.service.PID(), false), cpuOf(postmaster, true)
}

func cpuOf(pid int, withChildren bool) time.Duration {
	total := 0
	for _, stat := range stats() {
		switch {
		case stat.pid == pid && withChildren:
			total += stat.own + stat.waited
		case stat.pid == pid, withChildren && stat.parent == pid:
			total += stat.own
		}
	}
	return time.Duration(total) * time.Second / ticks
}

type processStat struct{ pid, parent, own, waited int }

// stats reads /proc/*/stat (proc(5)).
func stats() []processStat {
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is valid
	var all []processStat
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has just ended
		}
		line := string(text)
		pid, _ := strconv.Atoi(line[:strings.IndexByte(line, ' ')])
		// The name, in parentheses, may hold spaces.
		fields := strings.Fields(line[strings.LastIndexByte(line, ')')+1:])
		number := func(i int) int { n, _ := strconv.Atoi(fields[i]); return n }
		all = append(all, processStat{pid: pid, parent: number(1), own: number(11) + number(12), waited: number(13) + number(14)})
	}
	return all
}

// memory reads a line of the service's /proc/…/status, in bytes: VmRSS is what it
// holds, VmHWM the most it ever held.
func (w *world) memory(line string) int64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.service.PID())) // elsewhere: 0
	for l := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(l, line+":"); ok {
			kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return kib << 10
		}
	}
	return 0
}

func mib(bytes int64) string { return fmt.Sprintf("%.0f MiB", float64(bytes)/(1<<20)) }
