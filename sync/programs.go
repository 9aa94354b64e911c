package sync

import (
	"fmt"
	"sync"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/mapping"
)

// programs keeps the compiled rules of organizations. An entry is used only for the
// very versions it was compiled from, so another process may publish at any time.
type programs struct {
	mu   sync.Mutex
	held map[directory.OrganizationID]program // guarded by mu
}

type program struct {
	rules, catalog int64
	*mapping.Program
}

// mostPrograms bounds the memory; compiling anew costs a round trip.
const mostPrograms = 5000

// get returns the program of the transaction's organization for this basis.
func (p *programs) get(tx *store.Tx, basis store.Basis) (*mapping.Program, error) {
	p.mu.Lock()
	held, ok := p.held[tx.Organization]
	p.mu.Unlock()
	if ok && held.rules == basis.RulesVersion && held.catalog == basis.CatalogVersion {
		return held.Program, nil
	}
	catalog, rules, err := tx.Rules()
	if err != nil {
		return nil, err
	}
	compiled, err := mapping.Compile(catalog, rules.RuleSet)
	if err != nil {
		// Publishing checks this under a lock, so it is our failure, not the caller's.
		return nil, fmt.Errorf("rules version %d of %s do not compile: %s", basis.RulesVersion, tx.Organization, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held == nil {
		p.held = map[directory.OrganizationID]program{}
	}
	for other := range p.held {
		if len(p.held) < mostPrograms {
			break
		}
		delete(p.held, other) // any one: the order of a map is as good as random
	}
	p.held[tx.Organization] = program{basis.RulesVersion, basis.CatalogVersion, compiled}
	return compiled, nil
}
