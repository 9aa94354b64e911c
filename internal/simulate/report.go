package simulate

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"
)

// Report says what a session sent and what came of it. Times in its JSON are
// milliseconds.
type Report struct {
	Provider     Provider      `json:"provider"`
	URL          string        `json:"url"`
	Began        time.Time     `json:"began"`
	Milliseconds Milliseconds  `json:"took_ms"` // from the first request to the last answer
	Requests     []RequestTime `json:"requests"`
	Total        int           `json:"requests_total"`
	Repeats      int           `json:"repeats"` // requests sent again after a 429 or 503
	Failures     []Failure     `json:"failures"`

	// Users are the people of the session, in order. Without a Reader they lack what is
	// in Redis, and Changes is nil.
	Users   []User   `json:"users"`
	Changes *Changes `json:"changes,omitempty"`
}

// Milliseconds is a duration in the report, rounded to a microsecond.
type Milliseconds float64

func milliseconds(d time.Duration) Milliseconds {
	return Milliseconds(math.Round(float64(d)/float64(time.Microsecond))) / 1000
}

// RequestTime sums up the requests of one purpose that succeeded.
type RequestTime struct {
	Purpose string `json:"purpose"`
	Spread
}

// Spread is how long something took: the nearest-rank percentiles and the longest.
type Spread struct {
	Count int          `json:"count"`
	P50   Milliseconds `json:"p50_ms"`
	P99   Milliseconds `json:"p99_ms"`
	Max   Milliseconds `json:"max_ms"`
}

// Failure is a request that the provider would show as an error.
type Failure struct {
	Step   string `json:"step"` // what the request was for
	Method string `json:"method"`
	Path   string `json:"path"`   // below the SCIM address, without the query
	Status int    `json:"status"` // 0 when there was no answer
	Detail string `json:"detail"` // the answer's detail, or what was wrong with the answer
	About  string `json:"about"`  // userName or group name
}

// User is one person and their assignment in Redis at the end.
type User struct {
	UserName string   `json:"user_name"`
	Subject  string   `json:"subject"` // the server's id, "" when the push was refused
	Note     string   `json:"note"`    // what the session did to them after the push
	Stated   bool     `json:"stated"`  // Redis has an assignment
	Active   bool     `json:"active"`
	Role     string   `json:"role"`
	Roles    []string `json:"roles"`
	Version  int64    `json:"version"`
	Epoch    int64    `json:"epoch"`
	// After is how long after the answer to the SCIM request the latest change of this
	// session was in Redis; 0 when it was there first, nil when nothing changed.
	After *Milliseconds `json:"after_ms"`
}

// Changes sums up how long after the answer each change was in Redis.
type Changes struct {
	Spread
	Unmatched int      `json:"unmatched"` // changes that no request of the session explains
	Late      []string `json:"late"`      // userNames that were not there in time
}

// report puts together what the session knows without Redis.
func (s *session) report(began time.Time, took time.Duration, late []string) Report {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	r := Report{Provider: s.options.Provider, URL: s.options.URL, Began: began.UTC(), Milliseconds: milliseconds(took),
		Total: len(s.log.exchanges) + len(s.log.failures), Repeats: s.log.repeats, Failures: append([]Failure{}, s.log.failures...)}
	times := map[string][]time.Duration{}
	var purposes []string // in the order in which the session came to them
	for _, e := range s.log.exchanges {
		if times[e.label] == nil {
			purposes = append(purposes, e.label)
		}
		times[e.label] = append(times[e.label], e.end.Sub(e.start))
	}
	r.Requests = []RequestTime{}
	for _, purpose := range purposes {
		r.Requests = append(r.Requests, RequestTime{purpose, spread(times[purpose])})
	}
	r.Users = []User{}
	for _, p := range s.plan.people {
		u := User{UserName: p.userName, Subject: p.id, Note: string(p.fate), Active: p.active, Roles: []string{}}
		if p == s.plan.mover {
			u.Note = fmt.Sprintf("moved from %s to %s", s.plan.from.name, s.plan.to.name)
		}
		r.Users = append(r.Users, u)
	}
	if s.options.Reader != nil {
		r.Changes = &Changes{Late: append([]string{}, late...)}
	}
	return r
}

// addAssignments reads everybody's assignment and matches what landed with the requests.
func (r *Report) addAssignments(ctx context.Context, o Options, p *plan, log *record, w *watch) error {
	causes := newCauses(log.exchanges)
	latest := map[string]Milliseconds{}
	var delays []time.Duration
	for _, l := range w.seen() {
		d, ok := causes.delay(l)
		if !ok {
			r.Changes.Unmatched++
			continue
		}
		d = max(d, 0)
		delays = append(delays, d)
		latest[l.change.Subject] = milliseconds(d)
	}
	r.Changes.Spread = spread(delays)

	var subjects []string
	for _, someone := range p.people {
		if someone.id != "" {
			subjects = append(subjects, someone.id)
		}
	}
	found, err := o.Reader.Assignments(ctx, o.Organization, subjects)
	if err != nil {
		return fmt.Errorf("read the assignments for the report: %w", err)
	}
	for i := range r.Users {
		u := &r.Users[i]
		a, held := found[u.Subject]
		u.Stated, u.Active, u.Role, u.Version, u.Epoch = held, a.Active, a.Role, a.Version, a.Epoch
		u.Roles = append(u.Roles, a.Roles...)
		if d, landed := latest[u.Subject]; landed {
			u.After = &d
		}
	}
	return nil
}

// err says in one line what the report says in a list.
func (r Report) err() error {
	if len(r.Failures) == 0 {
		return nil
	}
	f := r.Failures[0]
	return fmt.Errorf("%s would show %s; the first: %s, %s %s: %s: %s",
		r.Provider, count(len(r.Failures), "error"), f.Step, f.Method, f.Path, f.status(), f.Detail)
}

func (f Failure) status() string {
	if f.Status == 0 {
		return "no answer"
	}
	return fmt.Sprint(f.Status)
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// spread sorts durations and takes the percentiles by nearest rank.
func spread(durations []time.Duration) Spread {
	if len(durations) == 0 {
		return Spread{}
	}
	slices.Sort(durations)
	rank := func(percent int) Milliseconds {
		return milliseconds(durations[(len(durations)*percent+99)/100-1])
	}
	return Spread{Count: len(durations), P50: rank(50), P99: rank(99), Max: rank(100)}
}
