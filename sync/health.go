package sync

import (
	"errors"
	"time"
)

// Health says whether Redis follows SQL.
type Health struct {
	Degraded  bool      // Redis is behind; SCIM is answered all the same
	Reason    string    // why, in one sentence; "" when it is not
	Since     time.Time // when it began
	Queued    int       // assignments on their way
	Published int64     // assignments written since the start
}

// Health returns how the writer fares. It asks nobody and never waits.
func (w *Writer) Health() Health {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := Health{Queued: len(w.queue), Published: w.published}
	switch {
	case w.trouble != nil:
		// The address is the operator's own, so the error may be shown to them.
		h.Reason = "assignments wait for Redis: " + w.trouble.Error()
	case w.unchecked != nil:
		h.Reason = "Redis cannot be checked: " + w.unchecked.Error()
	case w.filling:
		h.Reason = "Redis lost data or is new: it is being filled"
	default:
		return h
	}
	h.Degraded, h.Since = true, w.since
	return h
}

// note changes what Health tells, and logs when something begins or ends.
func (w *Writer) note(change func()) {
	w.mu.Lock()
	before, since := w.state(), w.since
	change()
	after := w.state()
	if before == "" && after != "" {
		w.since = time.Now()
	}
	reason := errors.Join(w.trouble, w.unchecked)
	w.mu.Unlock()
	switch {
	case before == after:
	case after == "behind":
		w.log.Warn("redis is behind", "error", reason)
	case before == "behind":
		w.log.Info("redis is up to date again", "after", time.Since(since).Round(time.Millisecond))
	}
}

// state is what the log is told about; the caller holds mu.
func (w *Writer) state() string {
	switch {
	case w.trouble != nil || w.unchecked != nil:
		return "behind"
	case w.filling:
		return "filling"
	}
	return ""
}

// fail notes that something could not be written. SQL knows what.
func (w *Writer) fail(err error) { w.note(func() { w.trouble, w.lost = err, true }) }

// recovered notes that all was written.
func (w *Writer) recovered() { w.note(func() { w.trouble = nil }) }

// checked notes how the last look at Redis went.
func (w *Writer) checked(err error) { w.note(func() { w.unchecked = err }) }

func (w *Writer) setFilling(filling bool) { w.note(func() { w.filling = filling }) }
