package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
)

// ExtensionSchema is a schema that an organization has added to those of SCIM.
type ExtensionSchema struct {
	directory.ExtensionSchema
	CreatedAt  time.Time
	ModifiedAt time.Time
}

// ExtensionSchemas are all of an organization, in order of URN, and the version that
// each change of them raises; 0 is that there never was one.
type ExtensionSchemas struct {
	Version int64
	List    []ExtensionSchema
}

// One statement, so that the version is that of the list.
func extensionSchemas(organization directory.OrganizationID, into *ExtensionSchemas) statement {
	found := false
	return statement{
		sql: same(`SELECT o.schemas_version, COALESCE(e.document, ''), COALESCE(e.created_at, 0), COALESCE(e.modified_at, 0)
			FROM organizations AS o LEFT JOIN extension_schemas AS e ON e.organization_id = o.id WHERE o.id = $1 ORDER BY e.id`),
		args: []any{organization},
		each: func(r row) error {
			found = true
			var e ExtensionSchema
			var document string
			var created, modified int64
			if err := r.Scan(&into.Version, &document, &created, &modified); err != nil || document == "" {
				return err
			}
			if err := json.Unmarshal([]byte(document), &e.ExtensionSchema); err != nil {
				return fmt.Errorf("schema of %s: %w", organization, err)
			}
			e.CreatedAt, e.ModifiedAt = moment(created), moment(modified)
			into.List = append(into.List, e)
			return nil
		},
		done: func(int64) error {
			if !found {
				return fault.New(fault.NotFound, "there is no organization %q", organization)
			}
			return nil
		},
	}
}

// ExtensionSchemas returns the schemas of an organization; NotFound when there is no
// such organization.
func (s *Store) ExtensionSchemas(ctx context.Context, organization directory.OrganizationID) (ExtensionSchemas, error) {
	var all ExtensionSchemas
	err := s.db.read(ctx, []statement{extensionSchemas(organization, &all)})
	return all, err
}

// ExtensionSchemas returns the schemas as the transaction sees them. Under the lock
// Rules they stay so.
func (tx *Tx) ExtensionSchemas() (ExtensionSchemas, error) {
	var all ExtensionSchemas
	tx.queue(extensionSchemas(tx.Organization, &all))
	err := tx.Flush()
	return all, err
}

// PutExtensionSchema stores a schema, new or changed. The transaction must hold the
// lock Rules.
func (tx *Tx) PutExtensionSchema(e ExtensionSchema) error {
	document, err := json.Marshal(e.ExtensionSchema)
	if err != nil {
		return fmt.Errorf("schema %s: %w", e.URN, err)
	}
	tx.queue(statement{
		sql: same(`INSERT INTO extension_schemas (organization_id, id, document, created_at, modified_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (organization_id, id) DO UPDATE SET document = excluded.document, modified_at = excluded.modified_at`),
		args: []any{tx.Organization, strings.ToLower(e.URN), string(document), micros(e.CreatedAt), micros(e.ModifiedAt)},
	})
	tx.schemasChanged()
	return nil
}

// DeleteExtensionSchema removes a schema; NotFound, with the next flush, when there is
// none. The transaction must hold the lock Rules.
func (tx *Tx) DeleteExtensionSchema(urn string) {
	tx.queue(statement{
		sql:  same(`DELETE FROM extension_schemas WHERE organization_id = $1 AND id = $2`),
		args: []any{tx.Organization, strings.ToLower(urn)},
		done: func(deleted int64) error {
			if deleted == 0 {
				return fault.New(fault.NotFound, "there is no schema %q", urn)
			}
			return nil
		},
	})
	tx.schemasChanged()
}

func (tx *Tx) schemasChanged() {
	tx.queue(statement{
		sql:  same(`UPDATE organizations SET schemas_version = schemas_version + 1 WHERE id = $1`),
		args: []any{tx.Organization},
	})
}
