package traffic

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rolesync/rolesync/internal/store"
)

// pile is what one connection has sent since it was stored last. Its lists are short,
// so they are searched from the beginning.
type pile struct {
	kinds    []store.KindTraffic
	failures []store.Failure // oldest first, with valid credentials
	refused  *store.Failure  // the newest without; the others are only counted
	unmapped map[string]store.UnmappedAttribute
}

// count adds one request of a kind.
func (p *pile) count(kind string, at time.Time, succeeded bool) {
	if succeeded {
		p.add(store.KindTraffic{Kind: kind, Succeeded: 1, LastSuccess: at})
	} else {
		p.add(store.KindTraffic{Kind: kind, Failed: 1, LastFailure: at})
	}
}

func (p *pile) add(k store.KindTraffic) {
	i := slices.IndexFunc(p.kinds, func(known store.KindTraffic) bool { return known.Kind == k.Kind })
	if i < 0 {
		p.kinds = append(p.kinds, k)
		return
	}
	known := &p.kinds[i]
	known.Succeeded += k.Succeeded
	known.Failed += k.Failed
	known.LastSuccess = later(known.LastSuccess, k.LastSuccess)
	known.LastFailure = later(known.LastFailure, k.LastFailure)
}

// miss counts an attribute that is not mapped.
func (p *pile) miss(u store.UnmappedAttribute) {
	known, found := p.unmapped[u.Name]
	if !found && len(p.unmapped) >= store.MostUnmapped {
		return
	}
	if found {
		u.Count += known.Count
		u.LastAt = later(u.LastAt, known.LastAt)
		if known.FirstAt.Before(u.FirstAt) {
			u.FirstAt = known.FirstAt
		}
	}
	if p.unmapped == nil {
		p.unmapped = map[string]store.UnmappedAttribute{}
	}
	p.unmapped[u.Name] = u
}

// fail lists a failure and returns how many more are listed than before. Without room
// it takes the place of an older one of the same connection, if there is one.
func (p *pile) fail(f store.Failure, room bool) int {
	if f.Kind == store.KindAuth {
		grown := 0
		if p.refused == nil {
			if !room {
				return 0
			}
			grown = 1
		}
		p.refused = &f
		return grown
	}
	if room && len(p.failures) < store.MostFailures-store.MostAuthFailures {
		p.failures = append(p.failures, f)
		return 1
	}
	if len(p.failures) > 0 {
		p.failures = append(p.failures[1:], f)
	}
	return 0
}

// listed is the number of failures in the pile.
func (p *pile) listed() int {
	if p.refused != nil {
		return len(p.failures) + 1
	}
	return len(p.failures)
}

// merge adds what came later to what could not be stored.
func (p *pile) merge(newer *pile) {
	for _, k := range newer.kinds {
		p.add(k)
	}
	for _, u := range newer.unmapped {
		p.miss(u)
	}
	p.failures = append(p.failures, newer.failures...)
	if most := store.MostFailures - store.MostAuthFailures; len(p.failures) > most {
		p.failures = slices.Clone(p.failures[len(p.failures)-most:])
	}
	if newer.refused != nil {
		p.refused = newer.refused
	}
}

// traffic is the pile in the form that is stored.
func (p *pile) traffic(scope store.Scope) store.Traffic {
	t := store.Traffic{Scope: scope, Kinds: p.kinds, Failures: slices.Clone(p.failures)}
	if p.refused != nil {
		t.Failures = append(t.Failures, *p.refused)
	}
	t.Unmapped = slices.SortedFunc(maps.Values(p.unmapped), func(a, b store.UnmappedAttribute) int { return strings.Compare(a.Name, b.Name) })
	return t
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
