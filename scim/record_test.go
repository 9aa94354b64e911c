package scim

import (
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/internal/traffic"
)

// What is refused or fails before a body is read is listed too, with the body that
// was not read left out; what is our own failure, without its cause.
func TestRefusalsAndOurOwnFailuresAreRecorded(t *testing.T) {
	ctx := t.Context()
	log := slog.New(slog.DiscardHandler)
	s, err := store.Open(ctx, store.Options{URL: "sqlite:" + filepath.Join(t.TempDir(), "test.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }() // what it wrote was read
	if err := s.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	now := directory.Now()
	connection := store.Connection{Connection: directory.Connection{
		ID: directory.NewConnectionID(), Organization: directory.NewOrganizationID(), Kind: directory.SCIM, Name: "Okta", CreatedAt: now,
	}}
	scope := scopeOfConnection(connection)
	err = s.Transact(ctx, scope, store.Facts, func(tx *store.Tx) error {
		tx.CreateOrganization(directory.Organization{ID: scope.Organization, Name: "Acme", CreatedAt: now})
		tx.CreateConnection(connection.Connection)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	h := &Handler{Log: log, Traffic: traffic.New(s, log)}
	for _, err := range []error{
		fault.New(fault.TooMany, "more than 50 requests a second"),
		about{fault.New(fault.TooMany, "more than 50 requests a second"), scope},
		fault.Wrap(fault.Unavailable, nil, "the database is not available"),
		errGone, // of unknown cause
	} {
		c := &call{Request: httptest.NewRequest("POST", "/", nil), w: httptest.NewRecorder(), handler: h}
		if scopeOf(err).Connection == "" {
			c.connection = connection
		}
		h.fail(c, err)
		c.record()
	}
	if err := h.Traffic.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	failures, err := s.Failures(ctx, scope, "", 10)
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for _, f := range failures {
		got = append(got, f.Status)
		if f.Body != "" || f.Detail == "" || f.Detail == errGone.Error() {
			t.Errorf("listed as %+v", f)
		}
	}
	if diff := cmp.Diff([]int{500, 503, 429, 429}, got); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
}
