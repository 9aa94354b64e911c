package sync

import (
	"context"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
)

// SetAuthority chooses whose groups count in the author's organization, and has everyone
// in it evaluated again if that makes a difference. Whoever signs in, or is changed by
// SCIM, comes wholly before it or wholly after.
func (e *Engine) SetAuthority(ctx context.Context, by Author, authority directory.Authority) error {
	switch authority {
	case directory.AuthorityAuto, directory.AuthoritySCIM, directory.AuthoritySAML, directory.AuthorityUnion:
	default:
		return fault.New(fault.Invalid, "the authority over groups is auto, scim, saml or union, not %.64q", string(authority))
	}
	err := e.store.Transact(ctx, by.scope(), store.Rules, func(tx *store.Tx) error {
		basis := tx.Basis()
		if err := tx.Flush(); err != nil {
			return err
		}
		before := basis.Get().GroupAuthority
		if before.Set == authority {
			return nil
		}
		after := before
		after.Set = authority
		tx.SetAuthority(authority)
		if before.InEffect() != after.InEffect() {
			tx.StaleEveryone()
		}
		audit(tx, by, e.now(), "authority.changed", string(by.Organization), map[string]any{"before": before.Set, "after": authority})
		return nil
	})
	if err == nil {
		e.wakeBacklog()
	}
	return err
}

// takeAuthority returns the basis of the transaction. With the first group that SCIM
// pushes in an organization, "auto" begins to mean SCIM: the transaction has to be alone,
// and everyone is evaluated again, if there is anything that counts no longer.
func (t *Tx) takeAuthority() (store.Basis, error) {
	basis := t.basis.Get()
	if !t.pushed || basis.SCIMGroups {
		return basis, nil
	}
	if err := t.needsAlone(); err != nil {
		return basis, err
	}
	before := basis.InEffect()
	basis.SCIMGroups = true
	stated := t.tx.SetSCIMGroups()
	if err := t.tx.Flush(); err != nil {
		return basis, err
	}
	if stated.Get() && basis.InEffect() != before {
		t.tx.StaleEveryone()
		t.backlog = true
	}
	return basis, nil
}
