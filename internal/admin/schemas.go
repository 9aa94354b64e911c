package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
)

// MaxSchemas is how many schemas an organization can have.
const MaxSchemas = 20

// Schemas lists the schemas that an organization has added to those of SCIM, in order
// of URN. They are few, so the list has no pages.
func (s *Service) Schemas(ctx context.Context, _ Actor, organization directory.OrganizationID) ([]ExtensionSchema, error) {
	all, err := s.Store.ExtensionSchemas(ctx, organization)
	return all.List, err
}

// Schema returns one schema of an organization, by its URN in any letter case.
func (s *Service) Schema(ctx context.Context, by Actor, organization directory.OrganizationID, urn string) (ExtensionSchema, error) {
	list, err := s.Schemas(ctx, by, organization)
	if err != nil {
		return ExtensionSchema{}, err
	}
	if i := indexOf(list, urn); i >= 0 {
		return list[i], nil
	}
	return ExtensionSchema{}, noSchema(urn)
}

// PutSchema adds a schema to an organization, or changes the one with this URN, and
// returns it with all characteristics spelt out. What is wrong with the document is
// Invalid, as mapping.Problems with paths within it; a URN that clashes with another
// schema of the organization, or one too many, is a Conflict. The same again changes
// nothing.
//
// Any change is possible. Stored values that no longer fit are not shown from then on,
// and gone with the next write of their user or group.
func (s *Service) PutSchema(ctx context.Context, by Actor, organization directory.OrganizationID, schema directory.ExtensionSchema) (ExtensionSchema, error) {
	if err := s.known(ctx, organization); err != nil {
		return ExtensionSchema{}, err
	}
	schema, err := checkSchema(schema)
	if err != nil {
		return ExtensionSchema{}, err
	}
	now := s.now()
	var e ExtensionSchema
	changed := false
	err = s.Store.Transact(ctx, store.Scope{Organization: organization}, store.Rules, func(tx *store.Tx) error {
		all, err := tx.ExtensionSchemas()
		if err != nil {
			return err
		}
		e = ExtensionSchema{ExtensionSchema: schema, CreatedAt: now, ModifiedAt: now}
		action := "schema.created"
		if i := indexOf(all.List, schema.URN); i >= 0 {
			former := all.List[i]
			if changed = !bytes.Equal(encoded(former.ExtensionSchema), encoded(schema)); !changed {
				e = former
				return nil
			}
			e.CreatedAt, action = former.CreatedAt, "schema.changed"
		} else if err := admit(all.List, schema.URN); err != nil {
			return err
		}
		changed = true
		if err := tx.PutExtensionSchema(e); err != nil {
			return err
		}
		return record(tx, by, now, action, e.URN, map[string]any{"resource_type": e.ResourceType, "attributes": names(e.Attributes)})
	})
	if err != nil {
		return ExtensionSchema{}, err
	}
	if changed {
		s.forgetAll(ctx, organization)
	}
	return e, nil
}

// DeleteSchema takes a schema from an organization: its attributes are unknown from
// then on, and what is stored of them is not shown by SCIM any more.
func (s *Service) DeleteSchema(ctx context.Context, by Actor, organization directory.OrganizationID, urn string) error {
	if !storable(urn) {
		return noSchema(urn)
	}
	now := s.now()
	err := s.Store.Transact(ctx, store.Scope{Organization: organization}, store.Rules, func(tx *store.Tx) error {
		all, err := tx.ExtensionSchemas()
		if err != nil {
			return err
		}
		i := indexOf(all.List, urn)
		if i < 0 {
			return noSchema(urn)
		}
		tx.DeleteExtensionSchema(urn)
		return record(tx, by, now, "schema.deleted", all.List[i].URN, map[string]any{})
	})
	if err == nil {
		s.forgetAll(ctx, organization)
	}
	return err
}

// forgetAll has all connections of an organization read again.
func (s *Service) forgetAll(ctx context.Context, organization directory.OrganizationID) {
	connections, err := s.Store.Connections(ctx, organization)
	if err != nil {
		return // the change is made; it is noticed like those of other processes
	}
	for _, c := range connections {
		s.forget(c.ID)
	}
}

// admit refuses a schema that is new beside the others: one too many, or a URN that
// cannot be told from an attribute of another.
func admit(list []ExtensionSchema, urn string) error {
	if len(list) >= MaxSchemas {
		return fault.New(fault.Conflict, "the organization has %d schemas; more are not possible", len(list))
	}
	for _, other := range list {
		if within(urn, other.URN) || within(other.URN, urn) {
			return fault.New(fault.Conflict, "id %q clashes with the schema %q: the longer one reads as an attribute of the other", first(urn), other.URN)
		}
	}
	return nil
}

// within reports whether a URN is the other one, or continues it behind a colon.
func within(urn, other string) bool {
	urn, other = strings.ToLower(urn), strings.ToLower(other)
	return urn == other || strings.HasPrefix(urn, other+":")
}

func indexOf(list []ExtensionSchema, urn string) int {
	return slices.IndexFunc(list, func(e ExtensionSchema) bool { return strings.EqualFold(e.URN, urn) })
}

func noSchema(urn string) error {
	return fault.New(fault.NotFound, "there is no schema %q", first(urn))
}

func names(attributes []directory.SchemaAttribute) []string {
	list := make([]string, len(attributes))
	for i := range attributes {
		list[i] = attributes[i].Name
	}
	return list
}

// encoded is a schema as it is stored.
func encoded(schema directory.ExtensionSchema) []byte {
	document, err := json.Marshal(schema)
	if err != nil {
		return nil // it has nothing but texts, which always marshal
	}
	return document
}
