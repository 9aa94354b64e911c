package store_test

import (
	"testing"
	"time"

	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
)

func testApplications(t *testing.T, d *database) {
	ctx := t.Context()
	n := d.tenant(t)
	now := directory.Now()
	deployment := func(change func(*store.Tx)) error {
		return d.Transact(ctx, store.Scope{}, store.Facts, func(tx *store.Tx) error { change(tx); return nil })
	}
	done := func(change func(*store.Tx)) {
		t.Helper()
		if err := deployment(change); err != nil {
			t.Fatal(err)
		}
	}
	secret := func(expires time.Time) credential.Stored {
		_, stored := credential.New(credential.ApplicationSecret, now, expires)
		return stored
	}
	a := store.Application{ID: directory.NewClientID(), Name: "it's %", RedirectURIs: []string{"https://b.example/cb", "https://a.example/cb?x=1&y=%20"}, CreatedAt: now}
	b := store.Application{ID: directory.NewClientID(), Name: "Other", RedirectURIs: []string{}, CreatedAt: now}
	one, two, three, foreign := secret(now.Add(time.Hour)), secret(time.Time{}), secret(time.Time{}), secret(time.Time{})
	for _, app := range []store.Application{a, b} {
		done(func(tx *store.Tx) { tx.CreateApplication(app) })
	}
	for _, s := range []credential.Stored{one, two, three} {
		done(func(tx *store.Tx) { tx.CreateApplicationSecret(a.ID, s) })
	}
	done(func(tx *store.Tx) { tx.CreateApplicationSecret(b.ID, foreign) })
	a.Secrets, b.Secrets = []credential.Stored{one, two, three}, []credential.Stored{foreign}
	get := func(id string) store.Application {
		t.Helper()
		return must[store.Application](t)(d.Application(ctx, id))
	}
	equal(t, "Application", get(a.ID), a)
	var mine []store.Application
	for _, app := range must[[]store.Application](t)(d.Applications(ctx)) {
		if app.ID == a.ID || app.ID == b.ID {
			mine = append(mine, app)
		}
	}
	equal(t, "Applications, oldest first", mine, []store.Application{a, b})

	done(func(tx *store.Tx) { tx.KeepApplicationSecrets(a.ID, 2) })
	a.Name, a.Secrets = "New", []credential.Stored{two, three}
	done(func(tx *store.Tx) { tx.RenameApplication(a.ID, "New") })
	equal(t, "renamed", get(a.ID), a) // and leads where it led
	a.RedirectURIs = []string{"https://c.example/"}
	done(func(tx *store.Tx) { tx.SetRedirectURIs(a.ID, a.RedirectURIs) })
	equal(t, "with other addresses", get(a.ID), a)
	equal(t, "the other", get(b.ID), b)
	done(func(tx *store.Tx) { tx.DeleteApplicationSecret(a.ID, two.ID) })
	a.Secrets = []credential.Stored{three}
	equal(t, "after DeleteApplicationSecret", get(a.ID), a)

	for situation, change := range map[string]func(*store.Tx){
		"a secret of another application": func(tx *store.Tx) { tx.DeleteApplicationSecret(a.ID, foreign.ID) },
		"rename what is not there":        func(tx *store.Tx) { tx.RenameApplication("cli_0", "New") },
		"addresses of what is not there":  func(tx *store.Tx) { tx.SetRedirectURIs("cli_0", nil) },
		"delete what is not there":        func(tx *store.Tx) { tx.DeleteApplication("cli_0") },
		"a secret of what is not there":   func(tx *store.Tx) { tx.CreateApplicationSecret("cli_0", two) },
	} {
		if err := deployment(change); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: %v, want NotFound", situation, err)
		}
	}

	used := settings("a")
	used.Application = a.ID
	c := n.saml(t, used, store.SAMLFetch{})
	done(func(tx *store.Tx) {
		of, none := tx.ConnectionOfApplication(a.ID), tx.ConnectionOfApplication(b.ID)
		if err := tx.Flush(); err != nil {
			t.Fatal(err)
		}
		equal(t, "the connection that leads to it", of.Get(), c.Connection)
		equal(t, "the connection that leads to the other", none.Get(), "")
	})
	done(func(tx *store.Tx) { tx.DeleteApplication(a.ID) })
	_, err := d.Application(ctx, a.ID)
	wantFault(t, err, fault.NotFound)
	equal(t, "the other, afterwards", get(b.ID), b)
}

func testTrials(t *testing.T, d *database) {
	ctx := t.Context()
	n, foreign := d.tenant(t), d.tenant(t)
	c := n.saml(t, settings("a"), store.SAMLFetch{})
	now := directory.Now()
	create := func(scope store.Scope, trial store.Trial) error {
		return d.Transact(ctx, scope, store.Facts, func(tx *store.Tx) error { tx.CreateTrial(trial); return nil })
	}
	newTrial := func(at time.Time) store.Trial {
		t.Helper()
		trial := store.Trial{ID: directory.NewTrialID(), Digest: credential.Hash("x"), CreatedAt: at, ExpiresAt: at.Add(time.Hour)}
		if err := create(c.Scope, trial); err != nil {
			t.Fatal(err)
		}
		return trial
	}
	one := newTrial(now)
	equal(t, "a trial", must[store.Trial](t)(d.Trial(ctx, c.Scope, one.ID)), one)
	for _, document := range []string{`{"a":"it's %"}`, `{"b":1}`} {
		if err := d.FinishTrial(ctx, c.Scope, one.ID, document); err != nil {
			t.Fatal(err)
		}
		one.Document = document
		equal(t, "a trial that is done", must[store.Trial](t)(d.Trial(ctx, c.Scope, one.ID)), one)
	}
	for situation, scope := range map[string]store.Scope{
		"another organization": {Organization: foreign.Organization, Connection: c.Connection},
		"another connection":   n.Scope,
	} {
		if _, err := d.Trial(ctx, scope, one.ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("Trial in %s: %v, want NotFound", situation, err)
		}
		if err := d.FinishTrial(ctx, scope, one.ID, "{}"); !fault.Is(err, fault.NotFound) {
			t.Errorf("FinishTrial in %s: %v, want NotFound", situation, err)
		}
	}
	wantFault(t, create(store.Scope{Organization: foreign.Organization, Connection: c.Connection}, one), fault.NotFound)

	two := newTrial(now.Add(59 * time.Minute))
	equal(t, "before it expires", must[store.Trial](t)(d.Trial(ctx, c.Scope, one.ID)), one)
	newTrial(now.Add(time.Hour))
	_, err := d.Trial(ctx, c.Scope, one.ID)
	wantFault(t, err, fault.NotFound) // the next one has ended it
	for range store.MostTrials {
		newTrial(now.Add(time.Hour))
	}
	_, err = d.Trial(ctx, c.Scope, two.ID)
	wantFault(t, err, fault.NotFound) // it was the oldest of too many
}
