package store_test

import (
	"testing"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
)

func TestExtensionSchemas(t *testing.T) { eachDatabase(t, testExtensionSchemas) }

func testExtensionSchemas(t *testing.T, d *database) {
	ctx := t.Context()
	n, other := d.tenant(t), d.tenant(t)
	all := func(n tenant) store.ExtensionSchemas {
		t.Helper()
		return must[store.ExtensionSchemas](t)(d.ExtensionSchemas(ctx, n.Organization))
	}
	alone := func(change func(*store.Tx) error) error {
		return d.Transact(ctx, n.Scope, store.Rules, change)
	}
	put := func(e store.ExtensionSchema) {
		t.Helper()
		if err := alone(func(tx *store.Tx) error { return tx.PutExtensionSchema(e) }); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, "the schemas of a new organization", all(n), store.ExtensionSchemas{})
	_, err := d.ExtensionSchemas(ctx, directory.NewOrganizationID())
	wantFault(t, err, fault.NotFound)

	now := directory.Now()
	badge := store.ExtensionSchema{CreatedAt: now, ModifiedAt: now, ExtensionSchema: directory.ExtensionSchema{
		URN: "urn:example:Badge", ResourceType: "User", Name: "Badge", Description: "it's \"one\"",
		Attributes: []directory.SchemaAttribute{{Name: "door", Type: "complex", SubAttributes: []directory.SchemaAttribute{{Name: "value", Type: "string"}}}},
	}}
	area := badge
	area.URN = "urn:example:Area"
	put(badge)
	put(area)
	equal(t, "the schemas, in order of URN", all(n), store.ExtensionSchemas{Version: 2, List: []store.ExtensionSchema{area, badge}})
	equal(t, "the schemas of another organization", all(other), store.ExtensionSchemas{})

	former := badge
	badge.URN, badge.Name, badge.ModifiedAt, badge.CreatedAt = "URN:example:badge", "Badges", now.Add(time.Minute), now.Add(time.Minute)
	put(badge)
	badge.CreatedAt = former.CreatedAt
	equal(t, "the schemas after a change", all(n), store.ExtensionSchemas{Version: 3, List: []store.ExtensionSchema{area, badge}})
	connection := must[store.Connection](t)(d.Connection(ctx, n.Connection))
	if connection.SchemasVersion != 3 {
		t.Errorf("the connection says version %d of the schemas, want 3", connection.SchemasVersion)
	}

	err = alone(func(tx *store.Tx) error {
		tx.DeleteExtensionSchema("URN:EXAMPLE:AREA")
		seen, err := tx.ExtensionSchemas()
		equal(t, "what the transaction sees", seen, store.ExtensionSchemas{Version: 4, List: []store.ExtensionSchema{badge}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	wantFault(t, alone(func(tx *store.Tx) error { tx.DeleteExtensionSchema("urn:example:Area"); return nil }), fault.NotFound)
	equal(t, "the schemas after a deletion", all(n), store.ExtensionSchemas{Version: 4, List: []store.ExtensionSchema{badge}})
}
