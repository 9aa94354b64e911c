package store_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
)

func testAssignments(t *testing.T, d *database) {
	ctx := t.Context()
	n := d.tenant(t)
	g := n.group(t, "Admins")
	u, bare := n.newUser("Anna@example.com"), n.user(t, "bert@example.com")
	u.Email, u.ExternalID = "anna@example.com", "00uA"
	n.change(t, func(tx *store.Tx) { tx.CreateUser(u); tx.AddMembers(g.ID, []string{string(u.ID)}) })
	want := store.Assignment{
		Organization: n.Organization, User: u.ID, Version: 1, Epoch: 1, Projection: `{"active":true,"role":"ä"}`,
		Aliases: []string{`user_name:a "b" c`}, Cause: "req_1", UpdatedAt: directory.Now(),
	}
	n.change(t, func(tx *store.Tx) { tx.CreateAssignment(want) })
	assignment := must[store.Assignment](t)
	equal(t, "Assignment", assignment(d.Assignment(ctx, n.Organization, u.ID)), want)
	_, err := d.Assignment(ctx, n.Organization, bare.ID)
	wantFault(t, err, fault.NotFound)
	if err := n.try(ctx, func(tx *store.Tx) error { tx.CreateAssignment(want); return nil }); err == nil {
		t.Error("CreateAssignment replaced an assignment")
	}

	want.Version, want.Epoch, want.Deleted, want.Aliases, want.Cause = 2, 2, true, nil, "req_2"
	n.change(t, func(tx *store.Tx) { tx.PutAssignment(want) })
	equal(t, "Assignment after PutAssignment", assignment(d.Assignment(ctx, n.Organization, u.ID)), want)

	subjects := must[[]store.Subject](t)(d.Subjects(ctx, n.Organization, []directory.UserID{bare.ID, "usr_none", u.ID}))
	if len(subjects) != 2 || subjects[0].Facts.User.ID >= subjects[1].Facts.User.ID {
		t.Fatalf("Subjects = %+v, want both users in order of id", subjects)
	}
	var within *store.Later[[]store.Subject]
	n.change(t, func(tx *store.Tx) { within = tx.Subjects([]directory.UserID{u.ID, bare.ID}) })
	for i := range subjects {
		equal(t, "authority", subjects[i].Facts.Authority, directory.AuthoritySAML) // no group came through the engine
		subjects[i].Facts.Authority = ""                                            // a transaction has it from Basis
	}
	equal(t, "Subjects within a transaction", within.Get(), subjects)
	for _, s := range subjects {
		if s.Facts.User.ID == bare.ID {
			equal(t, "facts of a user without groups", s.Facts.Groups, nil)
			equal(t, "version of a user without an assignment", s.Current.Version, 0)
			continue
		}
		u.Resource, u.CreatedAt, u.ModifiedAt, u.Revision = nil, time.Time{}, time.Time{}, 0 // which no rule looks at
		equal(t, "user", s.Facts.User, u)
		equal(t, "groups", s.Facts.Groups, []directory.Membership{{Group: g.ID, Connection: n.Connection, Kind: directory.SCIM, DisplayName: "Admins"}})
		equal(t, "version", s.Current.Version, 2)
		equal(t, "projection", s.Current.Projection, want.Projection)
		equal(t, "deleted", s.Current.Deleted, true)
	}

	missing := must[[]directory.UserID](t)(d.UsersWithoutAssignment(ctx, n.Organization, 10))
	equal(t, "UsersWithoutAssignment", missing, []directory.UserID{bare.ID})

	page := must[[]store.Assignment](t)
	equal(t, "Assignments", page(d.Assignments(ctx, n.Organization, "", 10)), []store.Assignment{want})
	equal(t, "Assignments after the last", page(d.Assignments(ctx, n.Organization, u.ID, 10)), nil)

	orphan := n.assignment(t, directory.NewUserID())
	now := directory.Now()
	n.change(t, func(tx *store.Tx) { tx.BuryOrphans(now.UnixMicro(), "{}") })
	n.change(t, func(tx *store.Tx) { tx.BuryOrphans(now.UnixMicro(), "{}") }) // nothing more
	buried := assignment(d.Assignment(ctx, n.Organization, orphan.User))
	orphan.Version, orphan.Epoch, orphan.Deleted, orphan.Projection, orphan.Aliases = 2, 2, true, "{}", nil
	orphan.Cause, orphan.UpdatedAt = "verify --repair", now
	equal(t, "an orphan that was buried", buried, orphan)
	equal(t, "an assignment of a user who is there", assignment(d.Assignment(ctx, n.Organization, u.ID)), want)
}

func testMarks(t *testing.T, d *database) {
	ctx := t.Context()
	n, other := d.tenant(t), d.tenant(t)
	var written []store.Written
	for i := range 5 {
		a := n.assignment(t, n.user(t, fmt.Sprintf("u%d@example.com", i)).ID)
		written = append(written, store.Written{Organization: a.Organization, User: a.User, Version: a.Version})
	}
	foreign := other.assignment(t, other.user(t, "x@example.com").ID)
	unpublished := func(after directory.UserID, now time.Time, age time.Duration, limit int) (users []directory.UserID) {
		t.Helper()
		for _, a := range must[[]store.Assignment](t)(d.Unpublished(ctx, now, age, n.Organization, after, limit)) {
			if a.Organization == n.Organization {
				users = append(users, a.User)
			}
		}
		return users
	}
	users := func(w []store.Written) (users []directory.UserID) {
		for _, w := range w {
			users = append(users, w.User)
		}
		return users
	}
	now := directory.Now()
	equal(t, "Unpublished", unpublished("", now, 0, 100), users(written))
	equal(t, "Unpublished, a page", unpublished(written[1].User, now, 0, 2), users(written[2:4]))
	equal(t, "Unpublished, older than an hour", unpublished("", now, time.Hour, 100), nil)
	equal(t, "Unpublished, an hour later", unpublished("", now.Add(time.Hour), time.Minute, 100), users(written))
	equal(t, "Unpublished, by a clock that is behind", unpublished("", now.Add(-time.Hour), time.Minute, 100), users(written))

	mark := func(w ...store.Written) {
		t.Helper()
		if err := d.MarkPublished(ctx, w); err != nil {
			t.Fatal(err)
		}
	}
	mark()
	mark(store.Written{Organization: other.Organization, User: written[0].User, Version: 9}, // not theirs
		store.Written{Organization: n.Organization, User: foreign.User, Version: 9},
		store.Written{Organization: n.Organization, User: "usr_none", Version: 9})
	equal(t, "Unpublished after marks of others", unpublished("", now, 0, 100), users(written))
	mark(written[:2]...)
	mark(written[:2]...)
	equal(t, "Unpublished after marks", unpublished("", now, 0, 100), users(written[2:]))

	// A newer version that arrives between the write and the mark stays unpublished.
	third := must[store.Assignment](t)(d.Assignment(ctx, n.Organization, written[2].User))
	third.Version = 2
	n.change(t, func(tx *store.Tx) { tx.PutAssignment(third) })
	mark(written[2])
	equal(t, "Unpublished after a mark of an old version", unpublished("", now, 0, 100), users(written[2:]))
	mark(store.Written{Organization: n.Organization, User: third.User, Version: 2})
	equal(t, "Unpublished after a mark of the new version", unpublished("", now, 0, 100), users(written[3:]))
	mark(written[2]) // late: it must not step back
	equal(t, "Unpublished after a late mark", unpublished("", now, 0, 100), users(written[3:]))
	if got := must[store.Assignment](t)(d.Assignment(ctx, n.Organization, third.User)); got.Published != 2 {
		t.Errorf("published version = %d, want 2", got.Published)
	}

	// A row that a change holds may be passed over, but the mark does not wait for it,
	// and nothing else is lost.
	if !d.postgres() {
		return // there a change is alone
	}
	held, release, done := make(chan struct{}), make(chan struct{}), make(chan error)
	once := sync.OnceFunc(func() { close(held) })
	fourth := must[store.Assignment](t)(d.Assignment(ctx, n.Organization, written[3].User))
	fourth.Version = 2
	go func() {
		done <- n.try(ctx, func(tx *store.Tx) error {
			tx.PutAssignment(fourth)
			if err := tx.Flush(); err != nil {
				return err
			}
			once()
			<-release
			return nil
		})
	}()
	<-held
	mark(written[3:]...)
	equal(t, "Unpublished while a change holds a row", unpublished("", now, 0, 100), users(written[3:4]))
	close(release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	equal(t, "Unpublished after the change", unpublished("", now, 0, 100), users(written[3:4]))
}
