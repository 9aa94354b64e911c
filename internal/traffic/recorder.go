package traffic

import (
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
)

// Request is one request of an identity provider and how it went.
type Request struct {
	store.Scope           // of the connection, which exists
	Kind        string    // one of few, such as "users.create"; store.KindAuth without a valid token
	At          time.Time // when it was answered
	Unmapped    []string  // names of attributes that the schema does not know
	Failure     *Failure  // nil: it went well
}

// Failure says how a request failed.
type Failure struct {
	Status  int
	Code    string // of the protocol, such as a scimType; may be ""
	Detail  string // as it was answered
	Method  string
	Path    string // without names of people
	Request string // the id of the request
	Body    string // without the values that it held
}

// The bounds on what is held in memory, besides store.MostFailures and
// store.MostUnmapped for each connection.
const (
	mostConnections = 10_000
	mostFailures    = 5_000 // of all connections: about 25 MiB, were each as long as can be
	mostText        = 1 << 10
	mostBody        = 4 << 10
)

// Recorder adds up requests and stores the sums. A nil Recorder records nothing. It is
// safe for concurrent use.
type Recorder struct {
	store *store.Store
	log   *slog.Logger

	turn chan struct{} // holds one while somebody stores
	away bool          // guarded by turn: it could not be stored last time

	mu       sync.Mutex
	pending  map[store.Scope]*pile // guarded by mu
	failures int                   // guarded by mu: in pending
	lost     int                   // guarded by mu: requests that were not counted
}

// New returns a recorder, whose Run stores what it records.
func New(s *store.Store, log *slog.Logger) *Recorder {
	return &Recorder{store: s, log: log, turn: make(chan struct{}, 1), pending: map[store.Scope]*pile{}}
}

// Record adds a request. It keeps no part of q but copies.
func (r *Recorder) Record(q Request) {
	if r == nil {
		return
	}
	var failure *store.Failure
	if f := q.Failure; f != nil {
		failure = &store.Failure{
			ID: directory.NewFailureID(), At: q.At, Kind: q.Kind, Status: f.Status, Code: f.Code, Detail: clip(f.Detail, mostText),
			Method: clip(f.Method, 16), Path: clip(f.Path, mostText), Request: clip(f.Request, 64), Body: clip(f.Body, mostBody),
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.pending[q.Scope]
	if p == nil {
		if len(r.pending) >= mostConnections {
			r.lost++
			return
		}
		p = &pile{}
		r.pending[q.Scope] = p
	}
	p.count(q.Kind, q.At, failure == nil)
	for _, name := range q.Unmapped {
		p.miss(store.UnmappedAttribute{Name: clip(name, mostText), Count: 1, FirstAt: q.At, LastAt: q.At})
	}
	if failure != nil {
		r.failures += p.fail(*failure, r.failures < mostFailures)
	}
}

// clip returns a copy of at most n bytes of a text, and of it what both databases can
// store.
func clip(s string, n int) string {
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n-len("…")], "") + "…"
	}
	return strings.Clone(strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "�"), "�"))
}
