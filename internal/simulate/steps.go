package simulate

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// steps shows how far a session has come: on a terminal a bar for the current step, and
// everywhere a line for each step that is over. Safe for concurrent use.
type steps struct {
	out    *printer
	silent bool

	mu      sync.Mutex
	label   string
	total   int
	reached int
	began   time.Time
	drawn   time.Time
}

const (
	barWidth  = 30
	redrawing = 50 * time.Millisecond // at most so often
)

// begin starts a step of so many parts.
func (s *steps) begin(label string, total int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.label, s.total, s.reached, s.began, s.drawn = label, total, 0, time.Now(), time.Time{}
	s.draw()
}

// advance says that one more part is done.
func (s *steps) advance() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reached++
	s.draw()
}

// set says how many parts are done.
func (s *steps) set(reached int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reached = reached
	s.draw()
}

// end closes the step with its line.
func (s *steps) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.silent {
		s.out.line(fmt.Sprintf("  %-16s%11s  %8s", s.label, fmt.Sprintf("%d/%d", s.reached, s.total), milliseconds(time.Since(s.began)).text()))
	}
}

// draw is called with the lock held.
func (s *steps) draw() {
	if now := time.Now(); !s.silent && now.Sub(s.drawn) >= redrawing {
		s.drawn = now
		s.out.setStatus(bar(s.label, s.reached, s.total))
	}
}

// bar draws "  users  ███████░░░  14/20".
func bar(label string, reached, total int) string {
	full := 0
	if total > 0 {
		full = min(barWidth*reached/total, barWidth)
	}
	return fmt.Sprintf("  %-16s%s%s  %d/%d", label, strings.Repeat("█", full), strings.Repeat("░", barWidth-full), reached, total)
}
