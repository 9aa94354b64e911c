package sync

import (
	"context"
	"fmt"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/mapping"
)

// AnyVersion, as the expected version, publishes over whatever is in force.
const AnyVersion = -1

// PublishRules makes a rule set the next version of the author's organization, and
// has everyone in it evaluated again. It is refused with Conflict when the version
// in force is not the expected one, and with mapping.Problems when it does not
// compile; then nothing changes.
func (e *Engine) PublishRules(ctx context.Context, by Author, rules mapping.RuleSet, expected int64, comment string) (store.RuleSetVersion, error) {
	var published store.RuleSetVersion
	err := e.store.Transact(ctx, by.scope(), store.Rules, func(tx *store.Tx) error {
		basis := tx.Basis()
		catalog, _, err := tx.Rules()
		if err != nil {
			return err
		}
		current := basis.Get().RulesVersion
		if expected != AnyVersion && expected != current {
			return fault.New(fault.Conflict, "the rules have moved on to version %d; yours were made from version %d", current, expected)
		}
		if _, err := mapping.Compile(catalog, rules); err != nil {
			return err
		}
		now := e.now()
		published = store.RuleSetVersion{Version: current + 1, RuleSet: rules, Author: by.Name, Comment: comment, CreatedAt: now}
		audit(tx, by, now, "rules.published", string(by.Organization), map[string]any{"version": published.Version, "before": current, "comment": comment})
		return tx.PutRuleSet(published)
	})
	if err == nil {
		e.wakeBacklog()
	}
	return published, err
}

// PutRole creates or changes a role of the whole deployment. It is refused when the
// catalog, or any organization's rules with it, would no longer compile.
func (e *Engine) PutRole(ctx context.Context, by Author, role mapping.Role) error {
	return e.changeCatalog(ctx, by, "role.put", role.Key, role, func(tx *store.Tx) error { return tx.PutRole(role) })
}

// DeleteRole removes a role of the whole deployment; NotFound when there is none,
// Conflict while any organization's rules refer to it.
func (e *Engine) DeleteRole(ctx context.Context, by Author, key mapping.RoleKey) error {
	return e.changeCatalog(ctx, by, "role.deleted", key, struct{}{}, func(tx *store.Tx) error { tx.DeleteRole(key); return nil })
}

func (e *Engine) changeCatalog(ctx context.Context, by Author, action string, key mapping.RoleKey, detail any, change func(*store.Tx) error) error {
	err := e.store.Transact(ctx, store.Scope{}, store.Deployment, func(tx *store.Tx) error {
		if err := change(tx); err != nil {
			return err
		}
		catalog, _, err := tx.Rules()
		if err != nil {
			return err
		}
		if _, err := mapping.Compile(catalog, mapping.RuleSet{}); err != nil {
			return err
		}
		audit(tx, by, e.now(), action, string(key), detail)
		return tx.RuleSetsInForce(func(organization directory.OrganizationID, rules mapping.RuleSet) error {
			if _, err := mapping.Compile(catalog, rules); err != nil {
				return fault.Wrap(fault.Conflict, err, "the rules of organization %s do not allow this: %s", organization, err)
			}
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("role %s: %w", key, err)
	}
	e.wakeBacklog()
	return nil
}
