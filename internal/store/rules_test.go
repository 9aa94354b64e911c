package store_test

import (
	"testing"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/mapping"
)

// Roles belong to all organizations, so this needs a database to itself.
func TestRules(t *testing.T) { eachDatabase(t, testRules) }

func testRules(t *testing.T, d *database) {
	ctx := t.Context()
	n, other := d.tenant(t), d.tenant(t)
	ruleSet := must[store.RuleSetVersion](t)
	equal(t, "RuleSet of a new organization", ruleSet(d.RuleSet(ctx, n.Organization)), store.RuleSetVersion{})
	_, err := d.RuleSet(ctx, directory.NewOrganizationID())
	wantFault(t, err, fault.NotFound)

	want := store.RuleSetVersion{
		Version: 1, Author: "admin key key_1", Comment: "it's \"first\"", CreatedAt: directory.Now(),
		RuleSet: mapping.RuleSet{DefaultRole: "member", Rules: []mapping.Rule{{ID: "r", When: mapping.Condition{Group: mapping.GroupMatcher{Glob: `a*"'`}}, Grant: mapping.Grant{Roles: []mapping.RoleKey{"admin"}}}}},
	}
	publish := func(v store.RuleSetVersion) error {
		return d.Transact(ctx, n.Scope, store.Rules, func(tx *store.Tx) error { return tx.PutRuleSet(v) })
	}
	if err := publish(want); err != nil {
		t.Fatal(err)
	}
	equal(t, "RuleSet", ruleSet(d.RuleSet(ctx, n.Organization)), want)
	equal(t, "RuleSet of another organization", ruleSet(d.RuleSet(ctx, other.Organization)), store.RuleSetVersion{})
	if err := publish(want); err == nil {
		t.Error("PutRuleSet replaced a version; versions are immutable")
	}
	want.Version, want.RuleSet.Rules = 2, nil
	if err := publish(want); err != nil {
		t.Fatal(err)
	}
	equal(t, "RuleSet", ruleSet(d.RuleSet(ctx, n.Organization)), want)

	catalog := func() mapping.Catalog {
		t.Helper()
		return must[mapping.Catalog](t)(d.Catalog(ctx, n.Organization))
	}
	put := func(role mapping.Role) {
		t.Helper()
		if err := d.Transact(ctx, store.Scope{}, store.Deployment, func(tx *store.Tx) error { return tx.PutRole(role) }); err != nil {
			t.Fatal(err)
		}
	}
	admin := mapping.Role{Key: "admin", Name: "Admin \"'", Rank: 90, Permissions: []mapping.Permission{"a:b"}}
	member := mapping.Role{Key: "member", Name: "Member", Rank: 10}
	put(member)
	put(admin)
	equal(t, "Catalog", catalog(), mapping.Catalog{Roles: []mapping.Role{admin, member}})
	admin.Rank = 95
	put(admin)
	equal(t, "Catalog after a change", catalog(), mapping.Catalog{Roles: []mapping.Role{admin, member}})

	var basis *store.Later[store.Basis]
	n.change(t, func(tx *store.Tx) { basis = tx.Basis() })
	if b := basis.Get(); b.RulesVersion != 2 || b.CatalogVersion < 4 {
		t.Errorf("Basis = %+v, want rules version 2 and a catalog version that three changes raised", b)
	}
	stranger := tenant{d, store.Scope{Organization: directory.NewOrganizationID()}}
	wantFault(t, stranger.try(ctx, func(tx *store.Tx) error { tx.Basis(); return nil }), fault.NotFound)

	inForce := map[directory.OrganizationID]mapping.RuleSet{}
	err = d.Transact(ctx, store.Scope{}, store.Deployment, func(tx *store.Tx) error {
		return tx.RuleSetsInForce(func(id directory.OrganizationID, rules mapping.RuleSet) error {
			inForce[id] = rules
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "RuleSetsInForce", inForce, map[directory.OrganizationID]mapping.RuleSet{n.Organization: want.RuleSet})

	remove := func(key mapping.RoleKey) error {
		return d.Transact(ctx, store.Scope{}, store.Deployment, func(tx *store.Tx) error { tx.DeleteRole(key); return nil })
	}
	if err := remove("admin"); err != nil {
		t.Fatal(err)
	}
	wantFault(t, remove("admin"), fault.NotFound)
	equal(t, "Catalog after a removal", catalog(), mapping.Catalog{Roles: []mapping.Role{member}})
}

// PostgreSQL said that it was away, so that callers tried again for ever.
func TestRowThatCannotBeRead(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d *database) {
		n := d.tenant(t)
		err := d.Transact(t.Context(), n.Scope, store.Rules, func(tx *store.Tx) error { return tx.PutRuleSet(store.RuleSetVersion{Version: 1}) })
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.raw(t).ExecContext(t.Context(), "UPDATE rule_sets SET document = 'broken'"); err != nil {
			t.Fatal(err)
		}
		_, reading := d.RuleSet(t.Context(), n.Organization)
		changing := d.Transact(t.Context(), n.Scope, store.Facts, func(tx *store.Tx) error { _, _, err := tx.Rules(); return err })
		for _, err := range []error{reading, changing} {
			if err == nil || fault.KindOf(err) != fault.Internal {
				t.Errorf("error = %v, want one that is our own failure", err)
			}
		}
	})
}
