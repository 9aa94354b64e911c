package sync

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/mapping"
)

// All users of the large organization were once evaluated before the first of the other.
func TestALargeOrganizationDoesNotKeepASmallOneWaiting(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	s, err := store.Open(t.Context(), store.Options{URL: "sqlite:" + filepath.Join(t.TempDir(), "rolesync.db"), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	clock := directory.Now() // every look is a second later
	e := New(Options{Store: s, Writer: NewWriter(s, nil, "", log), Log: log, Now: func() time.Time { clock = clock.Add(time.Second); return clock }})
	if err := e.PutRole(t.Context(), Author{}, mapping.Role{Key: "member", Name: "Member", Rank: 1, Permissions: []mapping.Permission{}}); err != nil {
		t.Fatal(err)
	}
	last := map[int]directory.UserID{}
	var authors []Author
	for _, users := range []int{2*InlineLimit + 1, 1} {
		by := Author{Organization: directory.NewOrganizationID(), Connection: directory.NewConnectionID(), Name: "test"}
		authors = append(authors, by)
		err := s.Transact(t.Context(), by.scope(), store.Facts, func(tx *store.Tx) error {
			tx.CreateOrganization(directory.Organization{ID: by.Organization, Name: "Acme", CreatedAt: clock})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for done := 0; done < users; done += InlineLimit {
			err := e.Change(t.Context(), by, func(tx *Tx) error {
				for i := done; i < min(users, done+InlineLimit); i++ {
					last[users] = directory.NewUserID()
					tx.CreateUser(directory.User{ID: last[users], UserName: fmt.Sprint("user", i), Active: true, Resource: []byte(`{}`), Revision: 1})
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if _, err := e.PublishRules(t.Context(), by, mapping.RuleSet{DefaultRole: "member"}, AnyVersion, ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.WorkOff(t.Context()); err != nil {
		t.Fatal(err)
	}
	large, err := s.Assignment(t.Context(), authors[0].Organization, last[2*InlineLimit+1])
	if err != nil {
		t.Fatal(err)
	}
	small, err := s.Assignment(t.Context(), authors[1].Organization, last[1])
	if err != nil {
		t.Fatal(err)
	}
	if large.Version != 2 || small.Version != 2 || !small.UpdatedAt.Before(large.UpdatedAt) {
		t.Errorf("the last user of the large organization: version %d at %s; the user of the small one: version %d at %s, want 2 and 2, the latter first",
			large.Version, large.UpdatedAt, small.Version, small.UpdatedAt)
	}
}
