package adminapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rolesync/rolesync/internal/admin"
)

// Health is how a connection is doing.
type Health struct {
	Status      admin.Status        `json:"status" enum:"never_used,healthy,failing" doc:"failing: the newest request failed, or the newest change of some kind."`
	Reason      string              `json:"reason" doc:"Why, in a sentence."`
	LastRequest time.Time           `json:"last_request_at,omitzero" doc:"When the newest request was answered; absent: never."`
	LastSuccess time.Time           `json:"last_success_at,omitzero" doc:"When one succeeded last; absent: never."`
	LastFailure time.Time           `json:"last_failure_at,omitzero" doc:"When one failed last; absent: never."`
	Requests    []KindTraffic       `json:"requests" nullable:"false" doc:"How many came in all, by kind."`
	Unmapped    []UnmappedAttribute `json:"unmapped_attributes" nullable:"false" doc:"What the identity provider sends and the schema does not know: it is ignored. The 200 that came last, by name."`
	Pending     int                 `json:"pending_members" doc:"How many members of groups are no users yet; list-pending-members names them."`
}

// KindTraffic is how many requests of a kind came.
type KindTraffic struct {
	Kind      string    `json:"kind" doc:"users.create, groups.patch, discovery, …; auth: without a valid token; other: at no endpoint."`
	Succeeded int64     `json:"succeeded" doc:"How many succeeded."`
	Failed    int64     `json:"failed" doc:"How many were refused, or failed."`
	Last      time.Time `json:"last_at" doc:"When the newest was answered."`
}

// UnmappedAttribute is an attribute that the schema does not know.
type UnmappedAttribute struct {
	Name  string    `json:"name" doc:"As it was sent, a filter in it without its values."`
	Count int64     `json:"count" doc:"How many requests had it."`
	First time.Time `json:"first_at" doc:"When it came first."`
	Last  time.Time `json:"last_at" doc:"When it came last."`
}

// Failure is a request that was refused, or that failed.
type Failure struct {
	ID      string    `json:"id" doc:"fail_…; sorts by time."`
	At      time.Time `json:"at" doc:"When it was answered."`
	Kind    string    `json:"kind" doc:"As in health."`
	Status  int       `json:"status" doc:"The HTTP status of the answer."`
	Code    string    `json:"code,omitempty" doc:"The scimType of the answer."`
	Detail  string    `json:"detail" doc:"Why, as the identity provider was told."`
	Method  string    `json:"method" doc:"The HTTP method."`
	Path    string    `json:"path" doc:"Behind the URL of the connection, without names of people."`
	Request string    `json:"request" doc:"The id of the request, which the log names too."`
	Body    string    `json:"body,omitempty" doc:"What was sent, with … for every value; at most 4 KiB, and only as far as it is JSON."`
}

func healthOf(h admin.Health) Health {
	shown := Health{
		h.Status, h.Reason, h.LastRequest, h.LastSuccess, h.LastFailure,
		make([]KindTraffic, len(h.Kinds)), make([]UnmappedAttribute, len(h.Unmapped)), h.Pending,
	}
	for i, k := range h.Kinds {
		last := k.LastSuccess
		if k.LastFailure.After(last) {
			last = k.LastFailure
		}
		shown.Requests[i] = KindTraffic{k.Kind, k.Succeeded, k.Failed, last}
	}
	for i, u := range h.Unmapped {
		shown.Unmapped[i] = UnmappedAttribute{u.Name, u.Count, u.FirstAt, u.LastAt}
	}
	return shown
}

func (h *Handler) health(api huma.API) {
	const path = "/organizations/{organization}/connections/{connection}"
	absent := []int{http.StatusNotFound}

	register(h, api, operation{
		method: http.MethodGet, path: path + "/health", id: "get-health", tag: "connections", problems: absent,
		summary:     "See how a connection is doing",
		description: "What its identity provider has sent, how it went, and whether something is wrong. What other processes have seen is up to two seconds old.",
	}, func(ctx context.Context, by admin.Actor, in *InConnection) (*answer[Health], error) {
		health, err := h.Admin.Health(ctx, by, in.Organization, in.Connection)
		return reply(healthOf(health)), err
	})

	type failuresInput struct {
		InConnection
		Paging
	}
	register(h, api, operation{
		method: http.MethodGet, path: path + "/failures", id: "list-failures", tag: "connections", problems: absent,
		summary:     "List the newest failures of a connection",
		description: "Newest first. At most 100 are kept, of requests without a valid token 10.",
	}, func(ctx context.Context, by admin.Actor, in *failuresInput) (*answer[list[Failure]], error) {
		failures, err := h.Admin.Failures(ctx, by, in.Organization, in.Connection, in.page())
		return listOf(failures, func(f admin.Failure) Failure {
			return Failure{f.ID, f.At, f.Kind, f.Status, f.Code, f.Detail, f.Method, f.Path, f.Request, f.Body}
		}), err
	})
}
