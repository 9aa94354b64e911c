package admin

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
)

// Status is how a connection is doing, in a word.
type Status string

// The statuses of a connection.
const (
	NeverUsed Status = "never_used" // nothing has come yet
	Healthy   Status = "healthy"
	Failing   Status = "failing" // its provider's newest request failed, or its newest change of some kind
)

// Health is what a person looks at when provisioning does nothing. A zero time is never.
type Health struct {
	Status      Status
	Reason      string // a sentence
	LastRequest time.Time
	LastSuccess time.Time
	LastFailure time.Time
	Kinds       []KindTraffic       // by name
	Unmapped    []UnmappedAttribute // by name, those that came last
	Pending     int                 // members that are no users yet; see Pending

	// Of SAML connections.
	Certificates []CertificateHealth // of the provider
	Keys         []CertificateHealth // ours
	Metadata     *store.SAMLFetch    // nil: it is not read by itself
	Warnings     []Warning
}

// Health tells how a connection is doing, with all that this process has seen of it.
// Other processes have stored theirs within two seconds.
func (s *Service) Health(ctx context.Context, by Actor, organization directory.OrganizationID, id directory.ConnectionID) (Health, error) {
	c, err := s.seen(ctx, by, organization, id)
	if err != nil {
		return Health{}, err
	}
	scope := store.Scope{Organization: organization, Connection: id}
	traffic, pending, err := s.Store.Traffic(ctx, scope)
	if err != nil {
		return Health{}, err
	}
	h := Health{Kinds: traffic.Kinds, Unmapped: traffic.Unmapped, Pending: pending}
	for _, k := range h.Kinds {
		if k.Kind != KindMetadata { // that request is ours
			h.LastSuccess, h.LastFailure = later(h.LastSuccess, k.LastSuccess), later(h.LastFailure, k.LastFailure)
		}
	}
	h.LastRequest = later(h.LastSuccess, h.LastFailure)
	if c.SAML != nil {
		return h, s.samlHealth(ctx, &h, c, scope)
	}
	failing, found := h.failing()
	if !found {
		h.Status, h.Reason = Healthy, "The newest request succeeded, and so did the newest change of each kind."
		if h.LastRequest.IsZero() {
			h.Status, h.Reason = NeverUsed, "No request has come yet: the identity provider needs the URL and a token of this connection."
		}
		return h, nil
	}
	failures, err := s.Store.Failures(ctx, scope, "", store.MostFailures)
	if err != nil {
		return Health{}, err
	}
	h.Status, h.Reason = Failing, reason(failing, failures)
	return h, nil
}

// failing returns the kind of request that makes the connection failing. The newest
// request of all counts, whatever it is; of the earlier ones, those that change
// something: a provider that reads without trouble may still create nobody.
func (h *Health) failing() (worst KindTraffic, found bool) {
	for _, k := range h.Kinds {
		failed := k.LastFailure.After(k.LastSuccess)
		if failed && (changes(k.Kind) || k.LastFailure.After(h.LastSuccess)) && k.LastFailure.After(worst.LastFailure) {
			worst, found = k, true
		}
	}
	return worst, found
}

// changes reports whether requests of a kind change users or groups.
func changes(kind string) bool {
	_, action, _ := strings.Cut(kind, ".")
	switch action {
	case "create", "replace", "patch", "delete":
		return true
	}
	return kind == "bulk"
}

// reason says in a sentence what is wrong. The newest failure of the kind may no longer
// be among those that are kept.
func reason(k KindTraffic, failures []Failure) string {
	at := k.LastFailure.UTC().Format(time.RFC3339)
	since := "and none of its kind has succeeded yet"
	if !k.LastSuccess.IsZero() {
		since = "the last of its kind that succeeded was at " + k.LastSuccess.UTC().Format(time.RFC3339)
	}
	if k.Kind == store.KindAuth {
		return fmt.Sprintf("The newest request, at %s, had no valid token of this connection: it is wrong, expired or was replaced, unless a stranger tries.", at)
	}
	for _, f := range failures {
		if f.Kind == k.Kind {
			return fmt.Sprintf("The newest %s, at %s, failed with %d: %s; %s.", k.Kind, at, f.Status, strings.TrimRight(f.Detail, "."), since)
		}
	}
	return fmt.Sprintf("The newest %s, at %s, failed; %s.", k.Kind, at, since)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Failures lists the newest failures of a connection, newest first: at most 100 are
// kept, of requests without a valid token, or of messages that nobody is known to have
// signed, 10. With a reference, only the one that a person was shown it for.
func (s *Service) Failures(ctx context.Context, by Actor, organization directory.OrganizationID, id directory.ConnectionID, reference string, page Page) (List[Failure], error) {
	if !storable(page.After) {
		return List[Failure]{}, badCursor(page.After)
	}
	if _, err := s.seen(ctx, by, organization, id); err != nil {
		return List[Failure]{}, err
	}
	scope := store.Scope{Organization: organization, Connection: id}
	most := page.limit() + 1
	if reference != "" {
		most = store.MostFailures
	}
	failures, err := s.Store.Failures(ctx, scope, page.After, most)
	if reference != "" {
		failures = slices.DeleteFunc(failures, func(f Failure) bool {
			return !strings.EqualFold(directory.Reference(f.Request), strings.TrimSpace(reference))
		})
	}
	return cut(failures, page.limit(), func(f Failure) string { return f.ID }), err
}

// seen returns a connection after storing what this process has seen of it.
func (s *Service) seen(ctx context.Context, by Actor, organization directory.OrganizationID, id directory.ConnectionID) (Connection, error) {
	c, err := s.Connection(ctx, by, organization, id)
	if err != nil {
		return Connection{}, err
	}
	return c, s.Traffic.Flush(ctx)
}
