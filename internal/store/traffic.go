package store

import (
	"context"
	"time"
)

// Traffic is what a connection sent and how it went: since it was last added, or, as
// it is read, in all.
type Traffic struct {
	Scope
	Kinds    []KindTraffic
	Unmapped []UnmappedAttribute
	Failures []Failure // to be added; Store.Failures reads them
}

// KindTraffic is about the requests of one kind. A zero time is never.
type KindTraffic struct {
	Kind              string // "users.create"
	Succeeded, Failed int64
	LastSuccess       time.Time
	LastFailure       time.Time
}

// UnmappedAttribute is an attribute that a provider sends and the schema does not know.
type UnmappedAttribute struct {
	Name    string
	Count   int64 // of requests that had it
	FirstAt time.Time
	LastAt  time.Time
}

// Failure is a request that was refused, or that failed.
type Failure struct {
	ID      string // sorts by time
	At      time.Time
	Kind    string
	Status  int
	Code    string // of the protocol, such as a scimType; may be ""
	Detail  string // as it was answered
	Method  string
	Path    string
	Request string // the id of the request
	Body    string // without the values that it held
}

// KindAuth is the kind of requests without a valid credential. They are anybody's, so
// they have a small part of the list of failures to themselves and cannot push the
// others out.
const KindAuth = "auth"

// How much of a connection is kept: what is newest.
const (
	MostFailures     = 100
	MostAuthFailures = 10 // of them
	MostUnmapped     = 200
)

// Traffic returns what a connection has sent in all, its kinds and its unmapped
// attributes by name, and how many pending members it has.
func (s *Store) Traffic(ctx context.Context, scope Scope) (t Traffic, pending int, err error) {
	t = Traffic{Scope: scope}
	args := []any{scope.Organization, scope.Connection}
	err = s.db.read(ctx, []statement{
		{
			sql: same(`SELECT kind, succeeded, failed, last_success_at, last_failure_at FROM connection_traffic
				WHERE organization_id = $1 AND connection_id = $2 ORDER BY kind`),
			args: args,
			each: func(r row) error {
				var k KindTraffic
				var success, failure int64
				err := r.Scan(&k.Kind, &k.Succeeded, &k.Failed, &success, &failure)
				k.LastSuccess, k.LastFailure = moment(success), moment(failure)
				t.Kinds = append(t.Kinds, k)
				return err
			},
		},
		{
			sql: same(`SELECT name, count, first_at, last_at FROM connection_unmapped
				WHERE organization_id = $1 AND connection_id = $2 ORDER BY name`),
			args: args,
			each: func(r row) error {
				var u UnmappedAttribute
				var first, last int64
				err := r.Scan(&u.Name, &u.Count, &first, &last)
				u.FirstAt, u.LastAt = moment(first), moment(last)
				t.Unmapped = append(t.Unmapped, u)
				return err
			},
		},
		{
			sql:  same(`SELECT count(*) FROM pending_members WHERE organization_id = $1 AND connection_id = $2`),
			args: args,
			each: func(r row) error { return r.Scan(&pending) },
		},
	})
	return t, pending, err
}

// Failures returns failures of a connection that are older than the given one, newest
// first. An empty id begins at the newest.
func (s *Store) Failures(ctx context.Context, scope Scope, before string, limit int) ([]Failure, error) {
	failures := []Failure{}
	err := s.db.read(ctx, []statement{{
		sql: same(`SELECT id, at, kind, status, code, detail, method, path, request, body FROM connection_failures
			WHERE organization_id = $1 AND connection_id = $2 AND ($3 = '' OR id < $3) ORDER BY id DESC LIMIT $4`),
		args: []any{scope.Organization, scope.Connection, before, limit},
		each: func(r row) error {
			var f Failure
			var at int64
			err := r.Scan(&f.ID, &at, &f.Kind, &f.Status, &f.Code, &f.Detail, &f.Method, &f.Path, &f.Request, &f.Body)
			f.At = moment(at)
			failures = append(failures, f)
			return err
		},
	}})
	return failures, err
}
