package adminapi_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/internal/traffic"
)

// TestHealth walks through what a connection goes through, one request after the other.
func TestHealth(t *testing.T) {
	s := start(t)
	org := s.organization("Acme")
	c := s.connection(org, "Okta")
	path := "/organizations/" + org + "/connections/" + c.ID
	first := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	at := first
	for _, step := range []struct {
		kind           string
		status         int // of a failure
		wantStatus     string
		wantReason     string
		wantSuccessAgo time.Duration // in minutes before the newest request; -1: never
	}{
		{"", 0, "never_used", "No request has come yet: the identity provider needs the URL and a token of this connection.", -1},
		{store.KindAuth, 401, "failing", "The newest request, at 2026-03-01T10:01:00Z, had no valid token of this connection: it is wrong, expired or was replaced, unless a stranger tries.", -1},
		{"users.list", 0, "healthy", "The newest request succeeded, and so did the newest change of each kind.", 0},
		{"users.create", 409, "failing", `The newest users.create, at 2026-03-01T10:03:00Z, failed with 409: "anna" is taken; and none of its kind has succeeded yet.`, 1},
		{"users.list", 0, "failing", `The newest users.create, at 2026-03-01T10:03:00Z, failed with 409: "anna" is taken; and none of its kind has succeeded yet.`, 0},
		{"users.create", 0, "healthy", "The newest request succeeded, and so did the newest change of each kind.", 0},
		{"users.create", 409, "failing", `The newest users.create, at 2026-03-01T10:06:00Z, failed with 409: "anna" is taken; the last of its kind that succeeded was at 2026-03-01T10:05:00Z.`, 1},
		{"users.create", 0, "healthy", "The newest request succeeded, and so did the newest change of each kind.", 0},
		{"users.get", 404, "failing", `The newest users.get, at 2026-03-01T10:08:00Z, failed with 404: "anna" is taken; and none of its kind has succeeded yet.`, 1},
		{"groups.list", 0, "healthy", "The newest request succeeded, and so did the newest change of each kind.", 0}, // a read that found nothing is over
	} {
		if step.kind != "" {
			at = at.Add(time.Minute)
			q := traffic.Request{Scope: scopeOf(org, c.ID), Kind: step.kind, At: at}
			if step.status != 0 {
				q.Failure = &traffic.Failure{Status: step.status, Detail: `"anna" is taken.`}
			}
			s.seen.Record(q)
		}
		got := into[health](s.do("GET", path+"/health", nil).want(200))
		if got.Status != step.wantStatus || got.Reason != step.wantReason {
			t.Errorf("after %q %d:\n%s: %s, want\n%s: %s", step.kind, step.status, got.Status, got.Reason, step.wantStatus, step.wantReason)
		}
		var wantLast, wantSuccess time.Time
		if step.kind != "" {
			wantLast = at
		}
		if step.wantSuccessAgo >= 0 {
			wantSuccess = at.Add(-step.wantSuccessAgo * time.Minute)
		}
		if !got.LastRequest.Equal(wantLast) || !got.LastSuccess.Equal(wantSuccess) {
			t.Errorf("after %q %d: last request %v, success %v, want %v and %v", step.kind, step.status, got.LastRequest, got.LastSuccess, wantLast, wantSuccess)
		}
	}
	want := []kindTraffic{
		{"auth", 0, 1, first.Add(time.Minute)}, {"groups.list", 1, 0, first.Add(9 * time.Minute)}, {"users.create", 2, 2, first.Add(7 * time.Minute)},
		{"users.get", 0, 1, first.Add(8 * time.Minute)}, {"users.list", 2, 0, first.Add(4 * time.Minute)},
	}
	if diff := cmp.Diff(want, into[health](s.do("GET", path+"/health", nil)).Requests); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// health is the answer as a client reads it.
type health struct {
	Status, Reason string
	LastRequest    time.Time     `json:"last_request_at"`
	LastSuccess    time.Time     `json:"last_success_at"`
	Requests       []kindTraffic `json:"requests"`
	Unmapped       []struct {
		Name  string
		Count int
	} `json:"unmapped_attributes"`
	Pending int `json:"pending_members"`
}

type kindTraffic struct {
	Kind      string
	Succeeded int
	Failed    int
	Last      time.Time `json:"last_at"`
}

func scopeOf(organization, connection string) store.Scope {
	return store.Scope{Organization: directory.OrganizationID(organization), Connection: directory.ConnectionID(connection)}
}

func TestHealthShowsWhatIsMissing(t *testing.T) {
	s := start(t)
	org := s.organization("Acme")
	c := s.connection(org, "Okta")
	facts := s.facts(org, c.ID)
	group := facts.group("Admins")
	scope := scopeOf(org, c.ID)
	check(t, s.store.Transact(t.Context(), scope, store.Facts, func(tx *store.Tx) error {
		tx.PutPending(group, []string{"anna", "bert"}, directory.Now())
		return nil
	}))
	s.seen.Record(traffic.Request{Scope: scope, Kind: "users.create", At: directory.Now(), Unmapped: []string{"shoeSize"}})
	got := into[health](s.do("GET", "/organizations/"+org+"/connections/"+c.ID+"/health", nil).want(200))
	if got.Pending != 2 || len(got.Unmapped) != 1 || got.Unmapped[0].Name != "shoeSize" || got.Unmapped[0].Count != 1 {
		t.Errorf("health = %+v, want 2 pending members and one unmapped attribute", got)
	}
}

func TestFailures(t *testing.T) {
	s := start(t)
	org, other := s.organization("Acme"), s.organization("Other")
	c, theirs := s.connection(org, "Okta"), s.connection(other, "Entra")
	path := "/organizations/" + org + "/connections/" + c.ID + "/failures"
	if body := s.do("GET", path, nil).want(200).Body; string(body) != `{"items":[]}`+"\n" {
		t.Errorf("failures of an unused connection: %s", body)
	}
	at := directory.Now()
	for i := range 150 {
		s.seen.Record(traffic.Request{Scope: scopeOf(org, c.ID), Kind: "users.create", At: at, Failure: &traffic.Failure{
			Status: 409, Code: "uniqueness", Detail: fmt.Sprint("failure ", i), Method: "POST", Path: "/Users", Request: "req_1", Body: `{"userName":"…"}`,
		}})
	}
	type failure struct {
		At                                              time.Time
		Kind, Code, Detail, Method, Path, Request, Body string
		Status                                          int
	}
	page := into[listed[failure]](s.do("GET", path+"?limit=2", nil).want(200))
	want := []failure{
		{at, "users.create", "uniqueness", "failure 149", "POST", "/Users", "req_1", `{"userName":"…"}`, 409},
		{at, "users.create", "uniqueness", "failure 148", "POST", "/Users", "req_1", `{"userName":"…"}`, 409},
	}
	if diff := cmp.Diff(want, page.Items); diff != "" {
		t.Errorf("the newest two (-want +got):\n%s", diff)
	}
	rest := into[listed[failure]](s.do("GET", path+"?after="+page.Next, nil).want(200))
	if n := len(rest.Items); n < 80 || n > 98 || rest.Items[0].Detail != "failure 147" || rest.Next != "" {
		t.Errorf("the rest: %d, from %q, next %q", n, rest.Items[0].Detail, rest.Next)
	}

	for _, at := range []string{"/failures", "/health"} {
		s.do("GET", "/organizations/"+other+"/connections/"+c.ID+at, nil).problem(404).said(t, c.ID)
		s.do("GET", "/organizations/"+org+"/connections/"+theirs.ID+at, nil).problem(404)
		s.do("GET", "/organizations/"+org+"/connections/"+theirs.ID+at, nil, "Authorization", "").problem(401)
	}
	s.do("GET", path+"?after=a%00b", nil).problem(400).said(t, "after")
}
