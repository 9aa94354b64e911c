package adminapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rolesync/rolesync/internal/admin"
	"github.com/rolesync/rolesync/internal/directory"
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

	Certificates []CertificateHealth `json:"certificates,omitempty" nullable:"false" doc:"Of a SAML connection: the identity provider's."`
	Keys         []KeyHealth         `json:"keys,omitempty" nullable:"false" doc:"Of a SAML connection: ours."`
	Metadata     *MetadataHealth     `json:"metadata,omitempty" doc:"Of a SAML connection whose provider's metadata is read by itself."`
	Warnings     []Warning           `json:"warnings" nullable:"false" doc:"What may break soon, or is missing, most urgent first."`
}

// CertificateHealth is about a certificate.
type CertificateHealth struct {
	Fingerprint string    `json:"fingerprint" doc:"The SHA-256 of it in hexadecimal."`
	NotAfter    time.Time `json:"not_after" doc:"Until when it is valid."`
	DaysLeft    int       `json:"days_left" doc:"For how many more whole days; below 0: it has expired."`
}

// KeyHealth is about a key of ours.
type KeyHealth struct {
	ID       string           `json:"id" doc:"key_…"`
	Use      directory.KeyUse `json:"use" enum:"signing,encryption" doc:"What it is for."`
	Active   bool             `json:"active" doc:"Whether it is in use."`
	NotAfter time.Time        `json:"not_after" doc:"Until when its certificate is valid."`
	DaysLeft int              `json:"days_left" doc:"For how many more whole days."`
}

// MetadataHealth is about reading the provider's metadata.
type MetadataHealth struct {
	FetchedAt time.Time `json:"fetched_at,omitzero" doc:"When it was read last; absent: never."`
	Error     string    `json:"error,omitempty" doc:"Why the newest attempt failed; absent: it did not."`
	NextAt    time.Time `json:"next_at,omitzero" doc:"When it is read next."`
}

// Warning is something to do something about.
type Warning struct {
	Code    string `json:"code" doc:"certificate_expires, certificate_expired, certificate_superseded, key_expires, metadata_failed, groups_absent, groups_partial, no_provider, no_application, no_sealing_key."`
	Message string `json:"message" doc:"What it is, and what to do."`
}

// KindTraffic is how many requests of a kind came.
type KindTraffic struct {
	Kind      string    `json:"kind" doc:"users.create, groups.patch, discovery, …; auth: without a valid token; other: at no endpoint. Of a SAML connection: login, logout, test, metadata; groups.stated, groups.absent, groups.partial: what logins said of groups; auth: nothing that the identity provider is known to have signed."`
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
	Code    string    `json:"code,omitempty" doc:"The scimType of the answer; of a SAML connection, a code for the reason."`
	Detail  string    `json:"detail" doc:"Why: as the identity provider was told or, of a SAML connection, the real reason, which nobody was told."`
	Method  string    `json:"method" doc:"The HTTP method."`
	Path    string    `json:"path" doc:"Behind the URL of the connection, without names of people."`
	Request string    `json:"request" doc:"The id of the request, which the log names too."`
	Refer   string    `json:"reference" doc:"The end of that id in capitals, which a person whose login was refused was shown."`
	Body    string    `json:"body,omitempty" doc:"What was sent, with … for every value; at most 4 KiB, and only as far as it is JSON."`
}

func healthOf(h admin.Health) Health {
	shown := Health{
		h.Status, h.Reason, h.LastRequest, h.LastSuccess, h.LastFailure,
		make([]KindTraffic, len(h.Kinds)), make([]UnmappedAttribute, len(h.Unmapped)), h.Pending,
		nil, nil, nil, make([]Warning, len(h.Warnings)),
	}
	for _, c := range h.Certificates {
		shown.Certificates = append(shown.Certificates, CertificateHealth{c.Fingerprint, c.NotAfter, c.DaysLeft})
	}
	for _, k := range h.Keys {
		shown.Keys = append(shown.Keys, KeyHealth{k.Key, k.Use, k.Active, k.NotAfter, k.DaysLeft})
	}
	if m := h.Metadata; m != nil {
		shown.Metadata = &MetadataHealth{m.At, m.Error, m.Next}
	}
	for i, w := range h.Warnings {
		shown.Warnings[i] = Warning(w)
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
		Reference string `query:"reference" doc:"Only the failure that a person was shown this reference for, in either case."`
	}
	register(h, api, operation{
		method: http.MethodGet, path: path + "/failures", id: "list-failures", tag: "connections", problems: absent,
		summary:     "List the newest failures of a connection",
		description: "Newest first. At most 100 are kept, of those of kind auth 10.",
	}, func(ctx context.Context, by admin.Actor, in *failuresInput) (*answer[list[Failure]], error) {
		failures, err := h.Admin.Failures(ctx, by, in.Organization, in.Connection, in.Reference, in.page())
		return listOf(failures, func(f admin.Failure) Failure {
			return Failure{f.ID, f.At, f.Kind, f.Status, f.Code, f.Detail, f.Method, f.Path, f.Request, directory.Reference(f.Request), f.Body}
		}), err
	})
}
