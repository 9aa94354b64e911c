package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/mapping"
)

// deployment stands for "no organization": what all of them share.
const deployment = directory.OrganizationID("")

// Roles lists the roles of the deployment, highest rank first.
func (s *Service) Roles(ctx context.Context, _ Actor) ([]mapping.Role, error) {
	catalog, err := s.Store.Catalog(ctx, deployment)
	slices.SortStableFunc(catalog.Roles, func(a, b mapping.Role) int { return cmp.Compare(b.Rank, a.Rank) })
	return catalog.Roles, err
}

// PutRole creates or changes a role of the deployment, and has everyone evaluated
// again. It is Conflict when another role has the rank, and Invalid, as
// mapping.Problems with paths within the role, when the role itself is wrong.
func (s *Service) PutRole(ctx context.Context, by Actor, role mapping.Role) (mapping.Role, error) {
	if _, err := mapping.ParseRoleKey(string(role.Key)); err != nil {
		return role, err
	}
	var err error
	if role.Name, err = line("name", role.Name, MaxName); err != nil {
		return role, err
	}
	if err := prose("description", role.Description, MaxDescription); err != nil {
		return role, err
	}
	slices.Sort(role.Permissions)
	role.Permissions = slices.Compact(role.Permissions)
	roles, err := s.Roles(ctx, by)
	if err != nil {
		return role, err
	}
	for _, other := range roles {
		// The engine refuses this too, under a lock, but by positions in its catalog.
		if other.Rank == role.Rank && other.Key != role.Key {
			return role, fault.New(fault.Conflict, "rank %d belongs to role %q; ranks are unique", role.Rank, other.Key)
		}
	}
	return role, withinRole(s.Engine.PutRole(ctx, by.author(deployment), role))
}

// withinRole turns the paths of problems, which count the roles of the whole catalog,
// into paths within the one role that is new.
func withinRole(err error) error {
	problems, ok := errors.AsType[mapping.Problems](err)
	if !ok {
		return err
	}
	within := make(mapping.Problems, len(problems))
	for i, p := range problems {
		if _, path, ok := strings.Cut(p.Path, "]."); ok && strings.HasPrefix(p.Path, "roles[") {
			p.Path = path
		}
		within[i] = p
	}
	return within
}

// DeleteRole removes a role of the deployment. While rules refer to it that is a
// Conflict, which names them.
func (s *Service) DeleteRole(ctx context.Context, by Actor, key mapping.RoleKey) error {
	if !storable(string(key)) {
		return fault.New(fault.NotFound, "there is no role %q", first(string(key)))
	}
	err := s.Engine.DeleteRole(ctx, by.author(deployment), key)
	if !fault.Is(err, fault.Conflict) {
		return err
	}
	uses, more, search := s.usesOf(ctx, key)
	if search != nil || len(uses) == 0 {
		return err // less telling, but true
	}
	return fault.Wrap(fault.Conflict, err, "role %q is in use: %s%s", key, strings.Join(uses, "; "), more)
}

// usesOf says where the rules in force refer to a role.
func (s *Service) usesOf(ctx context.Context, key mapping.RoleKey) (uses []string, more string, err error) {
	const most = 10
	var found []string
	err = s.Store.Transact(ctx, store.Scope{}, store.Facts, func(tx *store.Tx) error {
		found = nil
		return tx.RuleSetsInForce(func(organization directory.OrganizationID, set mapping.RuleSet) error {
			if set.DefaultRole == key {
				found = append(found, fmt.Sprintf("the default role of organization %s", organization))
			}
			for _, rule := range set.Rules {
				if slices.Contains(rule.Grant.Roles, key) {
					found = append(found, fmt.Sprintf("rule %q of organization %s", rule.ID, organization))
				}
			}
			return nil
		})
	})
	if n := len(found) - most; n > 0 {
		return found[:most], fmt.Sprintf("; and in %d more places", n), err
	}
	return found, "", err
}
