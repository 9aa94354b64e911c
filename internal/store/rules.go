package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/mapping"
)

// RuleSetVersion is one published, immutable version of an organization's rules.
// Version 0 is the empty rule set that every organization begins with.
type RuleSetVersion struct {
	Version   int64
	RuleSet   mapping.RuleSet
	Author    string
	Comment   string
	CreatedAt time.Time
}

const selectRuleSet = `SELECT r.version, r.document, r.author, r.comment, r.created_at FROM organizations AS o
	JOIN rule_sets AS r ON r.organization_id = o.id AND r.version = o.rules_version WHERE o.id = $1`

func scanRuleSet(r row) (RuleSetVersion, error) {
	var v RuleSetVersion
	var document string
	var created int64
	if err := r.Scan(&v.Version, &document, &v.Author, &v.Comment, &created); err != nil {
		return v, err
	}
	v.CreatedAt = moment(created)
	if err := json.Unmarshal([]byte(document), &v.RuleSet); err != nil {
		return v, fmt.Errorf("rule set version %d: %w", v.Version, err)
	}
	return v, nil
}

// RuleSet returns the rules in force.
func (s *Store) RuleSet(ctx context.Context, organization directory.OrganizationID) (RuleSetVersion, error) {
	if _, err := s.Organization(ctx, organization); err != nil {
		return RuleSetVersion{}, err
	}
	set := &one[RuleSetVersion]{}
	err := s.db.read(ctx, []statement{{sql: same(selectRuleSet), args: []any{organization}, each: set.scan(scanRuleSet)}})
	return set.value, err
}

// Catalog returns the roles that the organization may use, by descending rank.
func (s *Store) Catalog(ctx context.Context, organization directory.OrganizationID) (mapping.Catalog, error) {
	catalog := mapping.Catalog{}
	err := s.db.read(ctx, []statement{catalogOf(organization, &catalog)})
	return catalog, err
}

func catalogOf(organization directory.OrganizationID, into *mapping.Catalog) statement {
	return statement{
		sql:  same(`SELECT document FROM roles WHERE organization_id IN ('', $1) ORDER BY organization_id, key`),
		args: []any{organization},
		each: func(r row) error {
			var document string
			if err := r.Scan(&document); err != nil {
				return err
			}
			var role mapping.Role
			if err := json.Unmarshal([]byte(document), &role); err != nil {
				return fmt.Errorf("role: %w", err)
			}
			into.Roles = append(into.Roles, role)
			return nil
		},
	}
}

// Rules returns, at once, the rules in force and the roles they may grant, as the
// transaction sees them.
func (tx *Tx) Rules() (mapping.Catalog, RuleSetVersion, error) {
	catalog, set := mapping.Catalog{}, &one[RuleSetVersion]{}
	tx.queue(catalogOf(tx.Organization, &catalog))
	tx.queue(statement{sql: same(selectRuleSet), args: []any{tx.Organization}, each: set.scan(scanRuleSet)})
	err := tx.Flush()
	return catalog, set.value, err
}

// PutRuleSet publishes the next version of the organization's rules, and has
// everyone in it evaluated again. The transaction must hold the lock Rules.
func (tx *Tx) PutRuleSet(v RuleSetVersion) error {
	document, err := json.Marshal(v.RuleSet)
	if err != nil {
		return fmt.Errorf("rule set: %w", err)
	}
	tx.queue(statement{
		sql:  same(`INSERT INTO rule_sets (organization_id, version, document, author, comment, created_at) VALUES ($1, $2, $3, $4, $5, $6)`),
		args: []any{tx.Organization, v.Version, string(document), v.Author, v.Comment, micros(v.CreatedAt)},
	})
	tx.queue(statement{
		sql:  same(`UPDATE organizations SET rules_version = $2, expands_nested_groups = $3, sweep_cursor = '' WHERE id = $1`),
		args: []any{tx.Organization, v.Version, v.RuleSet.ExpandNestedGroups},
	})
	return nil
}

// PutRole stores a role of the whole deployment, new or changed, and has everyone
// evaluated again. The transaction must hold the lock Deployment.
func (tx *Tx) PutRole(role mapping.Role) error {
	document, err := json.Marshal(role)
	if err != nil {
		return fmt.Errorf("role %s: %w", role.Key, err)
	}
	tx.queue(statement{
		sql: same(`INSERT INTO roles (organization_id, key, document) VALUES ('', $1, $2)
			ON CONFLICT (organization_id, key) DO UPDATE SET document = excluded.document`),
		args: []any{role.Key, string(document)},
	})
	tx.catalogChanged()
	return nil
}

// DeleteRole removes a role of the whole deployment; NotFound, with the next flush,
// when there is none. The transaction must hold the lock Deployment.
func (tx *Tx) DeleteRole(key mapping.RoleKey) {
	tx.queue(statement{
		sql:  same(`DELETE FROM roles WHERE organization_id = '' AND key = $1`),
		args: []any{key},
		done: func(deleted int64) error {
			if deleted == 0 {
				return fault.New(fault.NotFound, "there is no role %q", key)
			}
			return nil
		},
	})
	tx.catalogChanged()
}

func (tx *Tx) catalogChanged() {
	tx.queue(statement{sql: same(`UPDATE deployment SET catalog_version = catalog_version + 1 WHERE id = 1`)})
	tx.queue(statement{sql: same(`UPDATE organizations SET sweep_cursor = ''`)})
}

// RuleSetsInForce calls each with every organization's rules, in order of id: what a
// change of the catalog must not break.
func (tx *Tx) RuleSetsInForce(each func(directory.OrganizationID, mapping.RuleSet) error) error {
	tx.queue(statement{
		sql: same(`SELECT r.organization_id, r.document FROM organizations AS o
			JOIN rule_sets AS r ON r.organization_id = o.id AND r.version = o.rules_version ORDER BY o.id`),
		each: func(r row) error {
			var organization directory.OrganizationID
			var document string
			if err := r.Scan(&organization, &document); err != nil {
				return err
			}
			var set mapping.RuleSet
			if err := json.Unmarshal([]byte(document), &set); err != nil {
				return fmt.Errorf("rules of %s: %w", organization, err)
			}
			return each(organization, set)
		},
	})
	return tx.Flush()
}
