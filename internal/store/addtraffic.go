package store

import (
	"context"
	"errors"
	"slices"

	"github.com/rolesync/rolesync/internal/fault"
)

// The rows come as one JSON array, so a statement serves any number of connections. They
// are joined with the connections: of one that is gone, nothing is stored. In order of
// key, so that two processes do not wait for each other. More than one process adds, so
// numbers are added to numbers, and of times the later one stays.
var (
	addKinds = text{
		postgres: `INSERT INTO connection_traffic (organization_id, connection_id, kind, succeeded, failed, last_success_at, last_failure_at)
			SELECT c.organization_id, c.id, r.kind, r.succeeded, r.failed, r.last_success, r.last_failure
			FROM json_to_recordset($1::json) AS r (organization text, connection text, kind text, succeeded bigint, failed bigint, last_success bigint, last_failure bigint)
			JOIN connections AS c ON c.organization_id = r.organization AND c.id = r.connection` + orAddKinds,
		sqlite: `INSERT INTO connection_traffic (organization_id, connection_id, kind, succeeded, failed, last_success_at, last_failure_at)
			SELECT c.organization_id, c.id, r.value->>'kind', r.value->>'succeeded', r.value->>'failed', r.value->>'last_success', r.value->>'last_failure'
			FROM json_each($1) AS r JOIN connections AS c ON c.organization_id = r.value->>'organization' AND c.id = r.value->>'connection'` + orAddKinds,
	}
	addUnmapped = text{
		postgres: `INSERT INTO connection_unmapped (organization_id, connection_id, name, count, first_at, last_at)
			SELECT c.organization_id, c.id, r.name, r.count, r.first, r.last
			FROM json_to_recordset($1::json) AS r (organization text, connection text, name text, count bigint, first bigint, last bigint)
			JOIN connections AS c ON c.organization_id = r.organization AND c.id = r.connection` + orAddUnmapped,
		sqlite: `INSERT INTO connection_unmapped (organization_id, connection_id, name, count, first_at, last_at)
			SELECT c.organization_id, c.id, r.value->>'name', r.value->>'count', r.value->>'first', r.value->>'last'
			FROM json_each($1) AS r JOIN connections AS c ON c.organization_id = r.value->>'organization' AND c.id = r.value->>'connection'` + orAddUnmapped,
	}
	addFailures = text{
		postgres: `INSERT INTO connection_failures (organization_id, connection_id, id, at, kind, status, code, detail, method, path, request, body)
			SELECT c.organization_id, c.id, r.id, r.at, r.kind, r.status, r.code, r.detail, r.method, r.path, r.request, r.body
			FROM json_to_recordset($1::json) AS r (organization text, connection text, id text, at bigint, kind text, status bigint,
				code text, detail text, method text, path text, request text, body text)
			JOIN connections AS c ON c.organization_id = r.organization AND c.id = r.connection` + orLeave,
		sqlite: `INSERT INTO connection_failures (organization_id, connection_id, id, at, kind, status, code, detail, method, path, request, body)
			SELECT c.organization_id, c.id, r.value->>'id', r.value->>'at', r.value->>'kind', r.value->>'status', r.value->>'code', r.value->>'detail',
				r.value->>'method', r.value->>'path', r.value->>'request', r.value->>'body'
			FROM json_each($1) AS r JOIN connections AS c ON c.organization_id = r.value->>'organization' AND c.id = r.value->>'connection'` + orLeave,
	}
)

const (
	orAddKinds = ` WHERE true ORDER BY 1, 2, 3
		ON CONFLICT (organization_id, connection_id, kind) DO UPDATE SET
			succeeded = connection_traffic.succeeded + excluded.succeeded,
			failed = connection_traffic.failed + excluded.failed,
			last_success_at = CASE WHEN connection_traffic.last_success_at > excluded.last_success_at THEN connection_traffic.last_success_at ELSE excluded.last_success_at END,
			last_failure_at = CASE WHEN connection_traffic.last_failure_at > excluded.last_failure_at THEN connection_traffic.last_failure_at ELSE excluded.last_failure_at END`
	orAddUnmapped = ` WHERE true ORDER BY 1, 2, 3
		ON CONFLICT (organization_id, connection_id, name) DO UPDATE SET
			count = connection_unmapped.count + excluded.count,
			first_at = CASE WHEN connection_unmapped.first_at < excluded.first_at THEN connection_unmapped.first_at ELSE excluded.first_at END,
			last_at = CASE WHEN connection_unmapped.last_at > excluded.last_at THEN connection_unmapped.last_at ELSE excluded.last_at END`
	orLeave = ` WHERE true ORDER BY 1, 2, 3 ON CONFLICT DO NOTHING`
)

type (
	kindRow struct {
		scopeRow
		Kind        string `json:"kind"`
		Succeeded   int64  `json:"succeeded"`
		Failed      int64  `json:"failed"`
		LastSuccess int64  `json:"last_success"`
		LastFailure int64  `json:"last_failure"`
	}
	unmappedRow struct {
		scopeRow
		Name  string `json:"name"`
		Count int64  `json:"count"`
		First int64  `json:"first"`
		Last  int64  `json:"last"`
	}
	failureRow struct {
		scopeRow
		ID      string `json:"id"`
		At      int64  `json:"at"`
		Kind    string `json:"kind"`
		Status  int    `json:"status"`
		Code    string `json:"code"`
		Detail  string `json:"detail"`
		Method  string `json:"method"`
		Path    string `json:"path"`
		Request string `json:"request"`
		Body    string `json:"body"`
	}
	scopeRow struct {
		Organization string `json:"organization"`
		Connection   string `json:"connection"`
	}
)

// AddTraffic adds to what is known of connections, each named once, in one transaction
// and one round trip. It takes no lock on an organization and touches no row that a
// change of facts does. A connection that does not exist is passed over.
//
// When the database goes away during the COMMIT, all may have been added although an
// error is returned; who adds again then counts twice, but lists no failure twice.
func (s *Store) AddTraffic(ctx context.Context, list []Traffic) error {
	var kinds []kindRow
	var unmapped []unmappedRow
	var failures []failureRow
	var trims []statement
	for _, t := range list {
		scope := scopeRow{string(t.Organization), string(t.Connection)}
		for _, k := range t.Kinds {
			kinds = append(kinds, kindRow{scope, k.Kind, k.Succeeded, k.Failed, micros(k.LastSuccess), micros(k.LastFailure)})
		}
		for _, u := range t.Unmapped {
			unmapped = append(unmapped, unmappedRow{scope, u.Name, u.Count, micros(u.FirstAt), micros(u.LastAt)})
		}
		for _, f := range t.Failures {
			failures = append(failures, failureRow{scope, f.ID, micros(f.At), f.Kind, f.Status, f.Code, f.Detail, f.Method, f.Path, f.Request, f.Body})
		}
		trims = append(trims, t.trims()...)
	}
	var statements []statement
	add := func(sql text, rows any, n int) {
		if n > 0 {
			statements = append(statements, statement{sql: sql, args: []any{jsonText(rows)}})
		}
	}
	add(addKinds, kinds, len(kinds))
	add(addUnmapped, unmapped, len(unmapped))
	add(addFailures, failures, len(failures))
	if len(statements) == 0 {
		return nil
	}
	statements = append(statements, trims...)
	for attempt := 1; ; attempt++ {
		err := s.commit(ctx, statements)
		if !errors.Is(err, errRetry) {
			return err
		}
		if attempt == attempts {
			return fault.Wrap(fault.Unavailable, err, "too many add to the same connections at once")
		}
	}
}

// commit runs statements in a transaction of their own.
func (s *Store) commit(ctx context.Context, statements []statement) error {
	tx, err := s.db.begin(ctx)
	if err != nil {
		return err
	}
	defer tx.rollback()
	return tx.commit(ctx, slices.Clone(statements)) // which strikes out what the database does not need
}

// trims are the statements that keep the lists of the connection from growing, after
// t was added to them.
func (t *Traffic) trims() []statement {
	var trims []statement
	trim := func(sql string, args ...any) {
		trims = append(trims, statement{sql: same(sql), args: append([]any{t.Organization, t.Connection}, args...)})
	}
	auth := 0
	for _, f := range t.Failures {
		if f.Kind == KindAuth {
			auth++
		}
	}
	if auth > 0 {
		trim(`DELETE FROM connection_failures WHERE organization_id = $1 AND connection_id = $2 AND kind = $3 AND id NOT IN
			(SELECT id FROM connection_failures WHERE organization_id = $1 AND connection_id = $2 AND kind = $3 ORDER BY id DESC LIMIT $4)`,
			KindAuth, MostAuthFailures)
	}
	if len(t.Failures) > auth {
		trim(`DELETE FROM connection_failures WHERE organization_id = $1 AND connection_id = $2 AND kind <> $3 AND id NOT IN
			(SELECT id FROM connection_failures WHERE organization_id = $1 AND connection_id = $2 AND kind <> $3 ORDER BY id DESC LIMIT $4)`,
			KindAuth, MostFailures-MostAuthFailures)
	}
	if len(t.Unmapped) > 0 {
		trim(`DELETE FROM connection_unmapped WHERE organization_id = $1 AND connection_id = $2 AND name NOT IN
			(SELECT name FROM connection_unmapped WHERE organization_id = $1 AND connection_id = $2 ORDER BY last_at DESC, name LIMIT $3)`,
			MostUnmapped)
	}
	return trims
}
