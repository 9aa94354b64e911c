package store

import (
	"context"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
)

const selectOrganization = `SELECT id, name, created_at FROM organizations`

func scanOrganization(r row) (directory.Organization, error) {
	var o directory.Organization
	var created int64
	err := r.Scan(&o.ID, &o.Name, &created)
	o.CreatedAt = moment(created)
	return o, err
}

// Organizations returns the organizations after the given id, in order of id.
func (s *Store) Organizations(ctx context.Context, after directory.OrganizationID, limit int) ([]directory.Organization, error) {
	organizations := []directory.Organization{}
	err := s.db.read(ctx, []statement{{
		sql:  same(selectOrganization + ` WHERE id > $1 ORDER BY id LIMIT $2`),
		args: []any{after, limit},
		each: func(r row) error {
			o, err := scanOrganization(r)
			organizations = append(organizations, o)
			return err
		},
	}})
	return organizations, err
}

// Organization returns one organization; NotFound when there is none.
func (s *Store) Organization(ctx context.Context, id directory.OrganizationID) (directory.Organization, error) {
	organization := &one[directory.Organization]{}
	err := s.db.read(ctx, []statement{{
		sql:  same(selectOrganization + ` WHERE id = $1`),
		args: []any{id},
		each: organization.scan(scanOrganization),
	}})
	return organization.orNotFound(err, "organization", string(id))
}

// CreateOrganization stores a new organization, with no rules and nothing in Redis.
func (tx *Tx) CreateOrganization(o directory.Organization) {
	tx.queue(statement{
		sql:  same(`INSERT INTO organizations (id, name, created_at, rules_version, generation) VALUES ($1, $2, $3, 0, 0)`),
		args: []any{o.ID, o.Name, micros(o.CreatedAt)},
	})
}

// Basis is what an evaluation rests on besides facts: which rules, which roles, whose
// groups count, and which generation of keys in Redis will receive the result.
type Basis struct {
	RulesVersion   int64
	CatalogVersion int64
	Generation     int64
	SAML           bool // a connection of the organization is of kind SAML
	GroupAuthority
}

// Basis returns, with the next flush, the basis of the organization, which stays as
// it is until the transaction ends. An unknown organization is NotFound.
func (tx *Tx) Basis() *Later[Basis] {
	later := &Later[Basis]{}
	found := false
	tx.queue(statement{
		sql: same(`SELECT o.rules_version, d.catalog_version, o.generation, o.saml, o.group_authority, o.scim_groups
			FROM organizations AS o, deployment AS d WHERE o.id = $1 AND d.id = 1`),
		args: []any{tx.Organization},
		each: func(r row) error {
			found = true
			b := &later.value
			return r.Scan(&b.RulesVersion, &b.CatalogVersion, &b.Generation, &b.SAML, &b.Set, &b.SCIMGroups)
		},
		done: func(int64) error {
			if !found {
				return fault.New(fault.NotFound, "there is no organization %q", tx.Organization)
			}
			return nil
		},
	})
	return later
}

// Generation returns the generation of the organization's keys in Redis.
func (s *Store) Generation(ctx context.Context, id directory.OrganizationID) (int64, error) {
	generation := &one[int64]{}
	err := s.db.read(ctx, []statement{{
		sql:  same(`SELECT generation FROM organizations WHERE id = $1`),
		args: []any{id},
		each: generation.scan(func(r row) (n int64, err error) { err = r.Scan(&n); return n, err }),
	}})
	return generation.orNotFound(err, "organization", string(id))
}

// Generations returns the generation of every organization after the given id.
func (s *Store) Generations(ctx context.Context, after directory.OrganizationID, limit int) ([]OrganizationGeneration, error) {
	var generations []OrganizationGeneration
	err := s.db.read(ctx, []statement{{
		sql:  same(`SELECT id, generation FROM organizations WHERE id > $1 ORDER BY id LIMIT $2`),
		args: []any{after, limit},
		each: func(r row) error {
			var g OrganizationGeneration
			if err := r.Scan(&g.Organization, &g.Generation); err != nil {
				return err
			}
			generations = append(generations, g)
			return nil
		},
	}})
	return generations, err
}

// OrganizationGeneration is the generation of one organization's keys in Redis.
type OrganizationGeneration struct {
	Organization directory.OrganizationID
	Generation   int64
}

// NextGeneration raises the generation before Redis is filled anew, above atLeast,
// which is what Redis was found to hold, and returns the basis of the filling.
func (s *Store) NextGeneration(ctx context.Context, id directory.OrganizationID, atLeast int64) (Basis, error) {
	basis := &one[Basis]{}
	err := s.Transact(ctx, Scope{Organization: id}, Facts, func(tx *Tx) error {
		tx.queue(statement{
			sql: same(`UPDATE organizations SET generation = CASE WHEN generation > $2 THEN generation ELSE $2 END + 1 WHERE id = $1
				RETURNING rules_version, generation`),
			args: []any{id, atLeast},
			each: basis.scan(func(r row) (b Basis, err error) {
				err = r.Scan(&b.RulesVersion, &b.Generation)
				return b, err
			}),
		})
		return nil
	})
	return basis.orNotFound(err, "organization", string(id))
}

// RedisIdentity returns the identity of the Redis server that was last filled.
func (s *Store) RedisIdentity(ctx context.Context) (identity string, err error) {
	err = s.db.read(ctx, []statement{{
		sql:  same(`SELECT redis_identity FROM deployment WHERE id = 1`),
		each: func(r row) error { return r.Scan(&identity) },
	}})
	return identity, err
}

// SetRedisIdentity remembers which Redis server was filled.
func (s *Store) SetRedisIdentity(ctx context.Context, identity string) error {
	return s.Transact(ctx, Scope{}, Facts, func(tx *Tx) error {
		tx.queue(statement{sql: same(`UPDATE deployment SET redis_identity = $1 WHERE id = 1`), args: []any{identity}})
		return nil
	})
}
