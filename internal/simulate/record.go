package simulate

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// exchange is one request that succeeded.
type exchange struct {
	label      string
	start, end time.Time
	touches    []string
	id         string // the request id that the server gave it, "" if none
}

// record notes how requests went. Safe for concurrent use.
type record struct {
	mu          sync.Mutex
	exchanges   []exchange
	failures    []Failure
	repeats     int
	unreachable int
}

func newRecord() *record { return &record{} }

func (r *record) add(e exchange) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.exchanges = append(r.exchanges, e)
}

func (r *record) repeat() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.repeats++
}

// unreachableMax is how many requests may stay without an answer before the session
// gives up on the server.
const unreachableMax = 10

var (
	// errRefused says that a request failed and is in the record.
	errRefused = errors.New("request refused")
	errGone    = fmt.Errorf("the server could not be reached %d times", unreachableMax)
)

// fail notes a failure and returns errRefused, or errGone when the server is not there.
func (r *record) fail(req call, status int, reason error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	path, _, _ := strings.Cut(req.path, "?")
	r.failures = append(r.failures, Failure{Step: req.label, Method: req.method, Path: path, Status: status, Detail: reason.Error(), About: req.about})
	if status == 0 {
		if r.unreachable++; r.unreachable >= unreachableMax {
			return errGone
		}
	}
	return errRefused
}
