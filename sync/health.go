package sync

import "time"

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
		h.Degraded, h.Since, h.Reason = true, w.since, "assignments wait for Redis: "+w.trouble.Error()
	case w.filling:
		h.Degraded, h.Since, h.Reason = true, w.since, "Redis lost data or is new: it is being filled"
	}
	return h
}

func (w *Writer) fail(err error) {
	w.mu.Lock()
	first := w.trouble == nil
	if first {
		w.since = time.Now()
	}
	w.trouble = err
	w.lost = true
	w.mu.Unlock()
	if first {
		w.log.Warn("redis is behind", "error", err)
	}
}

func (w *Writer) recovered() {
	w.mu.Lock()
	had := w.trouble != nil
	w.trouble = nil
	since := w.since
	w.mu.Unlock()
	if had {
		w.log.Info("redis is up to date again", "after", time.Since(since).Round(time.Millisecond))
	}
}

func (w *Writer) setFilling(filling bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if filling && !w.filling {
		w.since = time.Now()
	}
	w.filling = filling
}
