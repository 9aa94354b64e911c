package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
)

func testOrganizations(t *testing.T, d *database) {
	ctx := t.Context()
	want := directory.Organization{ID: directory.NewOrganizationID(), Name: "Acme \"&\" Söhne 100%", CreatedAt: directory.Now()}
	n := tenant{d, store.Scope{Organization: want.ID}}
	n.change(t, func(tx *store.Tx) { tx.CreateOrganization(want) })

	equal(t, "Organization", must[directory.Organization](t)(d.Organization(ctx, want.ID)), want)
	_, err := d.Organization(ctx, directory.NewOrganizationID())
	wantFault(t, err, fault.NotFound)

	later := d.tenant(t)
	listed := must[[]directory.Organization](t)(d.Organizations(ctx, directory.OrganizationID(before(string(want.ID))), 1))
	equal(t, "Organizations", listed, []directory.Organization{want})
	for _, o := range must[[]directory.Organization](t)(d.Organizations(ctx, later.Organization, 1000)) {
		if o.ID <= later.Organization {
			t.Errorf("Organizations after %s gave %s", later.Organization, o.ID)
		}
	}

	equal(t, "Generation of a new organization", must[int64](t)(d.Generation(ctx, want.ID)), 0)
	basis := must[store.Basis](t)(d.NextGeneration(ctx, want.ID, 0))
	equal(t, "NextGeneration(0)", basis.Generation, 1)
	basis = must[store.Basis](t)(d.NextGeneration(ctx, want.ID, 41))
	equal(t, "NextGeneration above what Redis holds", basis.Generation, 42)
	basis = must[store.Basis](t)(d.NextGeneration(ctx, want.ID, 7))
	equal(t, "NextGeneration above what SQL holds", basis.Generation, 43)
	_, err = d.NextGeneration(ctx, directory.NewOrganizationID(), 0)
	wantFault(t, err, fault.NotFound)
	_, err = d.Generation(ctx, directory.NewOrganizationID())
	wantFault(t, err, fault.NotFound)
	generations := must[[]store.OrganizationGeneration](t)(d.Generations(ctx, directory.OrganizationID(before(string(want.ID))), 1))
	equal(t, "Generations", generations, []store.OrganizationGeneration{{Organization: want.ID, Generation: 43}})

	if err := d.SetRedisIdentity(ctx, "key_1 run"); err != nil {
		t.Fatal(err)
	}
	equal(t, "RedisIdentity", must[string](t)(d.RedisIdentity(ctx)), "key_1 run")
}

// before returns the greatest string of the same length below an id.
func before(id string) string {
	return id[:len(id)-1] + string(id[len(id)-1]-1) + "~"
}

func testConnections(t *testing.T, d *database) {
	ctx := t.Context()
	n, foreign := d.tenant(t), d.tenant(t)
	saml := directory.Connection{
		ID: directory.NewConnectionID(), Organization: n.Organization, Kind: directory.SAML, Name: "it's %", Disabled: true,
		Strict: true, RateLimit: 10_000, RateBurst: 100_000, CreatedAt: directory.Now(),
	}
	n.change(t, func(tx *store.Tx) { tx.CreateConnection(saml) })

	equal(t, "Connection", must[store.Connection](t)(d.Connection(ctx, saml.ID)).Connection, saml)
	_, err := d.Connection(ctx, directory.NewConnectionID())
	wantFault(t, err, fault.NotFound)

	name, loose, limit := "ADFS", false, 7
	other := tenant{d, store.Scope{Organization: n.Organization, Connection: saml.ID}}
	other.change(t, func(tx *store.Tx) { tx.ChangeConnection(store.ConnectionChange{Name: &name, Strict: &loose}) })
	other.change(t, func(tx *store.Tx) { tx.ChangeConnection(store.ConnectionChange{RateLimit: &limit}) })
	saml.Name, saml.Strict, saml.RateLimit = name, loose, limit
	equal(t, "Connection after changes", must[store.Connection](t)(d.Connection(ctx, saml.ID)).Connection, saml)
	stranger := tenant{d, store.Scope{Organization: foreign.Organization, Connection: saml.ID}}
	wantFault(t, stranger.try(ctx, func(tx *store.Tx) error { tx.ChangeConnection(store.ConnectionChange{Name: &name}); return nil }), fault.NotFound)

	list := must[[]store.Connection](t)(d.Connections(ctx, n.Organization))
	if len(list) != 2 || list[0].ID != n.Connection || list[1].ID != saml.ID {
		t.Errorf("Connections = %v, want %s and %s", list, n.Connection, saml.ID)
	}
	equal(t, "Connections of another organization", len(must[[]store.Connection](t)(d.Connections(ctx, foreign.Organization))), 1)
}

func testTokens(t *testing.T, d *database) {
	ctx := t.Context()
	n, foreign := d.tenant(t), d.tenant(t)
	now := directory.Now()
	secret, first := credential.New(credential.SCIMToken, now, now.Add(time.Hour))
	_, second := credential.New(credential.SCIMToken, now, time.Time{})
	_, third := credential.New(credential.SCIMToken, now, time.Time{})
	for _, token := range []credential.Stored{first, second, third} {
		n.change(t, func(tx *store.Tx) { tx.CreateToken(token) })
	}
	tokens := func() []credential.Stored {
		t.Helper()
		return must[store.Connection](t)(d.Connection(ctx, n.Connection)).Tokens
	}
	equal(t, "tokens, oldest first", tokens(), []credential.Stored{first, second, third})
	if !tokens()[0].Matches(secret, now) {
		t.Error("a stored token does not match its secret")
	}

	n.change(t, func(tx *store.Tx) { tx.KeepTokens(2) })
	equal(t, "tokens after KeepTokens(2)", tokens(), []credential.Stored{second, third})
	n.change(t, func(tx *store.Tx) { tx.DeleteToken(second.ID) })
	equal(t, "tokens after DeleteToken", tokens(), []credential.Stored{third})

	wantFault(t, n.try(ctx, func(tx *store.Tx) error { tx.DeleteToken(second.ID); return nil }), fault.NotFound)
	wantFault(t, foreign.try(ctx, func(tx *store.Tx) error { tx.DeleteToken(third.ID); return nil }), fault.NotFound)
	foreign.change(t, func(tx *store.Tx) { tx.KeepTokens(0) })
	stolen := tenant{d, store.Scope{Organization: foreign.Organization, Connection: n.Connection}}
	wantFault(t, stolen.try(ctx, func(tx *store.Tx) error { tx.CreateToken(first); return nil }), fault.NotFound)
	equal(t, "tokens after strangers tried", tokens(), []credential.Stored{third})

	t.Run("a token that is not found stores nothing else", func(t *testing.T) {
		err := n.try(ctx, func(tx *store.Tx) error {
			tx.Audit(store.AuditEntry{ID: directory.NewChangeID(), At: now, Action: "token.deleted", Target: "half", Detail: []byte(`{}`)})
			tx.DeleteToken("key_none")
			return nil
		})
		wantFault(t, err, fault.NotFound)
		equal(t, "audit entries", must[[]store.AuditEntry](t)(d.AuditEntries(ctx, n.Organization, "half", "", 10)), []store.AuditEntry{})
	})
}

func testAdminKeys(t *testing.T, d *database) {
	ctx := t.Context()
	now := directory.Now()
	_, stored := credential.New(credential.AdminKey, now, now.Add(time.Hour))
	want := store.AdminKey{Stored: stored, Name: "terraform"}
	change := func(change func(*store.Tx)) error {
		return d.Transact(ctx, store.Scope{}, store.Facts, func(tx *store.Tx) error { change(tx); return nil })
	}
	if err := change(func(tx *store.Tx) { tx.CreateAdminKey(want) }); err != nil {
		t.Fatal(err)
	}
	equal(t, "AdminKeys", must[[]store.AdminKey](t)(d.AdminKeys(ctx)), []store.AdminKey{want})
	end := func(tx *store.Tx) { tx.DeleteAdminKey(want.ID) }
	if err := change(end); err != nil {
		t.Fatal(err)
	}
	wantFault(t, change(end), fault.NotFound)
	equal(t, "AdminKeys", len(must[[]store.AdminKey](t)(d.AdminKeys(ctx))), 0)
}

func testAudit(t *testing.T, d *database) {
	ctx := t.Context()
	n, foreign := d.tenant(t), d.tenant(t)
	var want []store.AuditEntry
	for _, target := range []string{"usr_1", "usr_2", "usr_1"} {
		e := store.AuditEntry{
			ID: directory.NewChangeID(), At: directory.Now(), Actor: "admin key key_1", Action: "user.changed",
			Target: target, Request: "req_" + strings.Repeat("'%", 3), Detail: []byte(`{"a":"ä"}`),
		}
		n.change(t, func(tx *store.Tx) { tx.Audit(e) })
		want = append([]store.AuditEntry{e}, want...)
	}
	entries := must[[]store.AuditEntry](t)
	equal(t, "AuditEntries", entries(d.AuditEntries(ctx, n.Organization, "", "", 10)), want)
	equal(t, "AuditEntries of a target", entries(d.AuditEntries(ctx, n.Organization, "usr_2", "", 10)), want[1:2])
	equal(t, "AuditEntries limited", entries(d.AuditEntries(ctx, n.Organization, "", "", 1)), want[:1])
	equal(t, "AuditEntries of another organization", entries(d.AuditEntries(ctx, foreign.Organization, "usr_1", "", 10)), []store.AuditEntry{})
}
