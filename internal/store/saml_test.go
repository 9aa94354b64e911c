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

// saml makes a connection of kind SAML of the same organization.
func (n tenant) saml(t *testing.T, settings directory.SAMLSettings, fetched store.SAMLFetch) tenant {
	t.Helper()
	other := tenant{n.database, store.Scope{Organization: n.Organization, Connection: directory.NewConnectionID()}}
	err := other.try(t.Context(), func(tx *store.Tx) error {
		tx.CreateConnection(directory.Connection{ID: other.Connection, Kind: directory.SAML, Name: "ADFS", CreatedAt: directory.Now()})
		return tx.CreateSAML(settings, fetched)
	})
	if err != nil {
		t.Fatal(err)
	}
	return other
}

// stored returns the connection as it is stored.
func (n tenant) stored(t *testing.T) store.Connection {
	t.Helper()
	return must[store.Connection](t)(n.database.Connection(t.Context(), n.Connection))
}

func settings(provider string) directory.SAMLSettings {
	now := directory.Now()
	return directory.SAMLSettings{
		Provider: directory.IdentityProvider{
			EntityID: provider, SSORedirectURL: "https://idp.example.com/sso",
			Certificates: []directory.ProviderCertificate{{DER: []byte{0x30, 0, 0xff}, AddedAt: now, NotBefore: now, NotAfter: now.Add(time.Hour), Missing: 1}},
		},
		AuthnContexts: []string{"it's %"}, ClockSkew: 60, Attributes: directory.SAMLAttributes{Groups: []string{"groups"}}, EmailDomains: []string{"acme.com"},
	}
}

func testSAMLSettings(t *testing.T, d *database) {
	n, foreign := d.tenant(t), d.tenant(t)
	now := directory.Now()
	first := store.SAMLFetch{At: now, Next: now.Add(time.Hour)}
	c := n.saml(t, settings("https://idp.example.com"), first)
	got := c.stored(t)
	want := settings("https://idp.example.com")
	want.Provider.Certificates[0] = got.SAML.Provider.Certificates[0]
	equal(t, "settings", *got.SAML, want)
	equal(t, "the certificate", got.SAML.Provider.Certificates[0].DER, []byte{0x30, 0, 0xff})
	equal(t, "fetch", got.Fetched, first)
	equal(t, "revision", got.SAMLRevision, 1)
	if scim := n.stored(t); scim.SAML != nil || scim.SAMLRevision != 0 || scim.Keys != nil {
		t.Errorf("a SCIM connection has %+v", scim)
	}

	want.JustInTime = true
	if err := c.try(t.Context(), func(tx *store.Tx) error { return tx.PutSAML(want, 1) }); err != nil {
		t.Fatal(err)
	}
	failed := store.SAMLFetch{At: now, Error: "it is %", Next: now.Add(2 * time.Hour)}
	c.change(t, func(tx *store.Tx) { tx.PutSAMLFetch(failed) })
	got = c.stored(t)
	equal(t, "settings after PutSAML", *got.SAML, want)
	equal(t, "revision after PutSAML", got.SAMLRevision, 2)
	equal(t, "fetch after PutSAMLFetch", got.Fetched, failed)
	wantFault(t, c.try(t.Context(), func(tx *store.Tx) error { return tx.PutSAML(want, 1) }), fault.PreconditionFailed)

	stranger := tenant{d, store.Scope{Organization: foreign.Organization, Connection: c.Connection}}
	wantFault(t, stranger.try(t.Context(), func(tx *store.Tx) error { return tx.PutSAML(want, 2) }), fault.PreconditionFailed)
	stranger.change(t, func(tx *store.Tx) { tx.PutSAMLFetch(first) })
	equal(t, "fetch after a stranger tried", c.stored(t).Fetched, failed)

	inside := c.stored(t)
	c.change(t, func(tx *store.Tx) {
		read := tx.ReadConnection()
		if err := tx.Flush(); err != nil {
			t.Fatal(err)
		}
		equal(t, "ReadConnection", read.Get(), inside)
	})
	wantFault(t, stranger.try(t.Context(), func(tx *store.Tx) error { tx.ReadConnection(); return nil }), fault.NotFound)
	list := must[[]store.Connection](t)(d.Connections(t.Context(), n.Organization))
	equal(t, "Connections", list[1], inside)
}

func testSAMLDomains(t *testing.T, d *database) {
	ctx := t.Context()
	n, foreign := d.tenant(t), d.tenant(t)
	c, other, theirs := n.saml(t, settings("a"), store.SAMLFetch{}), n.saml(t, settings("b"), store.SAMLFetch{}), foreign.saml(t, settings("c"), store.SAMLFetch{})
	domain := func(name string) string { return name + "." + string(c.Connection) + ".example" } // the database is shared
	c.change(t, func(tx *store.Tx) { tx.SetSAMLDomains([]string{domain("a"), domain("b")}) })
	equal(t, "by domain", must[store.Connection](t)(d.ConnectionByDomain(ctx, domain("b"))), c.stored(t))
	for _, taker := range []tenant{other, theirs} {
		err := taker.try(ctx, func(tx *store.Tx) error { tx.SetSAMLDomains([]string{domain("c"), domain("b")}); return nil })
		wantFault(t, err, fault.Conflict)
	}
	_, err := d.ConnectionByDomain(ctx, domain("c"))
	wantFault(t, err, fault.NotFound) // nothing of what was refused is stored

	c.change(t, func(tx *store.Tx) { tx.SetSAMLDomains([]string{domain("b"), domain("d")}) })
	theirs.change(t, func(tx *store.Tx) { tx.SetSAMLDomains([]string{domain("a")}) })
	equal(t, "a domain that was given up", must[store.Connection](t)(d.ConnectionByDomain(ctx, domain("a"))).ID, theirs.Connection)
	stranger := tenant{d, store.Scope{Organization: foreign.Organization, Connection: c.Connection}}
	stranger.change(t, func(tx *store.Tx) { tx.SetSAMLDomains(nil) })
	equal(t, "after a stranger tried", must[store.Connection](t)(d.ConnectionByDomain(ctx, domain("b"))).ID, c.Connection)
}

func testSAMLKeys(t *testing.T, d *database) {
	n, foreign := d.tenant(t), d.tenant(t)
	c := n.saml(t, settings("a"), store.SAMLFetch{})
	key := func(use directory.KeyUse, active bool) directory.SAMLKey {
		now := directory.Now()
		return directory.SAMLKey{
			ID: directory.NewKeyID(), Use: use, Active: active, Certificate: []byte{0x30, 0}, Sealed: []byte{0xff, 0, 1}, CreatedAt: now, NotAfter: now.Add(time.Hour),
		}
	}
	one, two, three := key(directory.Signing, true), key(directory.Encryption, true), key(directory.Signing, false)
	for _, k := range []directory.SAMLKey{one, two, three} {
		c.change(t, func(tx *store.Tx) { tx.CreateSAMLKey(k) })
	}
	equal(t, "keys, oldest first", c.stored(t).Keys, []directory.SAMLKey{one, two, three})
	c.change(t, func(tx *store.Tx) { tx.ActivateSAMLKey(three.ID) })
	one.Active, three.Active = false, true
	equal(t, "keys after ActivateSAMLKey", c.stored(t).Keys, []directory.SAMLKey{one, two, three})

	stranger := tenant{d, store.Scope{Organization: foreign.Organization, Connection: c.Connection}}
	for situation, try := range map[string]func() error{
		"activate a key for encryption": func() error {
			return c.try(t.Context(), func(tx *store.Tx) error { tx.ActivateSAMLKey(two.ID); return nil })
		},
		"activate a key that is not there": func() error {
			return c.try(t.Context(), func(tx *store.Tx) error { tx.ActivateSAMLKey("key_0"); return nil })
		},
		"delete a key that is not there": func() error {
			return c.try(t.Context(), func(tx *store.Tx) error { tx.DeleteSAMLKey("key_0"); return nil })
		},
		"a stranger activates": func() error {
			return stranger.try(t.Context(), func(tx *store.Tx) error { tx.ActivateSAMLKey(one.ID); return nil })
		},
		"a stranger deletes": func() error {
			return stranger.try(t.Context(), func(tx *store.Tx) error { tx.DeleteSAMLKey(one.ID); return nil })
		},
		"a stranger adds": func() error {
			return stranger.try(t.Context(), func(tx *store.Tx) error { tx.CreateSAMLKey(key(directory.Signing, true)); return nil })
		},
	} {
		if err := try(); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: %v, want NotFound", situation, err)
		}
	}
	equal(t, "keys after what was refused", c.stored(t).Keys, []directory.SAMLKey{one, two, three})
	c.change(t, func(tx *store.Tx) { tx.DeleteSAMLKey(one.ID) })
	equal(t, "keys after DeleteSAMLKey", c.stored(t).Keys, []directory.SAMLKey{two, three})
}

func testSAMLWarnings(t *testing.T, d *database) {
	n := d.tenant(t)
	c := n.saml(t, settings("a"), store.SAMLFetch{})
	find := func() store.SAMLWarning {
		t.Helper()
		// The list is that of all organizations; other tests have theirs.
		list := must[[]store.SAMLWarning](t)(d.SAMLWarnings(t.Context(), store.Scope{Organization: n.Organization}, 1))
		if len(list) != 1 || list[0].Scope != c.Scope {
			t.Fatalf("SAMLWarnings = %v, want that of %v", list, c.Scope)
		}
		return list[0]
	}
	if w := find(); w.Days != 0 || w.Settings.Provider.EntityID != "a" {
		t.Errorf("a new connection: %+v", w)
	}
	warn := func(before, days int) (noted bool) {
		t.Helper()
		c.change(t, func(tx *store.Tx) {
			later := tx.WarnSAML(before, days)
			if err := tx.Flush(); err != nil {
				t.Fatal(err)
			}
			noted = later.Get()
		})
		return noted
	}
	if !warn(0, 60) || warn(0, 60) || !warn(60, 30) {
		t.Error("of two processes that warn of the same, not just one was told to")
	}
	equal(t, "warned of", find().Days, 30)
}

// TestDueMetadata has a database to itself, since it asks for all that is due.
func TestDueMetadata(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d *database) {
		n := d.tenant(t)
		now := directory.Now()
		n.saml(t, settings("never"), store.SAMLFetch{})
		n.saml(t, settings("later"), store.SAMLFetch{Next: now.Add(time.Second)})
		want := map[store.Scope]bool{}
		for i := range 40 {
			want[n.saml(t, settings(fmt.Sprint(i)), store.SAMLFetch{Next: now.Add(-time.Duration(i) * time.Minute)}).Scope] = true
		}
		var mu sync.Mutex
		taken := map[store.Scope]int{} // guarded by mu
		var wait sync.WaitGroup
		for range 8 { // processes
			wait.Go(func() {
				for {
					due, err := d.DueMetadata(t.Context(), now, now.Add(time.Minute), 3)
					if err != nil {
						t.Error(err)
					}
					if len(due) == 0 {
						return
					}
					mu.Lock()
					for _, scope := range due {
						taken[scope]++
					}
					mu.Unlock()
				}
			})
		}
		wait.Wait()
		for scope := range want {
			if taken[scope] != 1 {
				t.Errorf("%v was taken %d times, want once", scope, taken[scope])
			}
		}
		equal(t, "connections taken", len(taken), len(want))
		again := must[[]store.Scope](t)(d.DueMetadata(t.Context(), now.Add(time.Minute), now.Add(2*time.Minute), 100))
		equal(t, "connections taken a minute later", len(again), len(want)+1)
	})
}
