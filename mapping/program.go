package mapping

import (
	"cmp"
	"slices"
	"strings"

	"github.com/rolesync/rolesync/internal/directory"
)

// Program is a catalog and a rule set made ready for evaluation. It is immutable and
// safe for concurrent use; it shares no memory with what it was compiled from.
//
// Inside, what can be granted is numbered: first the roles by rank, highest first,
// then the permissions in order. So the order of numbers is the order of results.
type Program struct {
	roles       []RoleKey
	permissions []Permission
	carries     [][]int32 // by role: the numbers of its permissions
	combine     Combine
	onNoMatch   OnNoMatch
	defaultRole int32 // its number; meaningful if onNoMatch is GiveDefault
	expand      bool  // nested groups count

	rules       []rule // by id
	byID        map[directory.GroupID][]int32
	byName      map[string][]int32 // key: directory.Fold of the name
	globs       []patternRule[glob]
	expressions []patternRule[expression]
}

// rule is what evaluation and explanation need of a Rule.
type rule struct {
	id         RuleID
	name       string
	position   int // in the rule set
	paused     bool
	connection directory.ConnectionID
	grants     []int32 // numbers, each once
}

type patternRule[P any] struct {
	pattern P
	rule    int32
}

// match is a rule and a group that it matches, as indexes, and whether that counts. A
// match that does not explains why.
type match struct {
	rule, group int32
	standing    standing
}

// standing says what a match is worth, the best first.
type standing uint8

const (
	counted   standing = iota
	nested             // the user is in the group only through nested ones, which do not count
	overruled          // groups of such connections do not count, by the authority of the facts
	foreign            // the group comes from another connection than the rule asks for
)

// DeniesLogin reports whether a user with this assignment must be refused at login
// because of OnNoMatch: active, but without a role under DenyLogin. (An inactive user
// is refused for being inactive.)
func (p *Program) DeniesLogin(a Assignment) bool {
	return p.onNoMatch == DenyLogin && a.Active && len(a.Roles) == 0
}

// ExpandsNestedGroups reports whether groups count that a user is in only through
// nested ones.
func (p *Program) ExpandsNestedGroups() bool { return p.expand }

// matches returns every pair of a rule that is not paused and a group that it matches,
// ordered by rule id and then as the groups are.
func (p *Program) matches(authority directory.Authority, groups []directory.Membership) []match {
	var found []match
	add := func(r int32, g int) {
		m := match{rule: r, group: int32(g)}
		switch want := p.rules[r].connection; {
		case want != "" && want != groups[g].Connection:
			m.standing = foreign
		case !authority.Counts(groups[g].Kind):
			m.standing = overruled
		case groups[g].Via != "" && !p.expand:
			m.standing = nested
		}
		found = append(found, m)
	}
	for i := range groups {
		for _, r := range p.byID[groups[i].Group] {
			add(r, i)
		}
		if len(p.byName) > 0 || len(p.globs) > 0 {
			name := directory.Fold(groups[i].DisplayName)
			for _, r := range p.byName[name] {
				add(r, i)
			}
			for j := range p.globs {
				if p.globs[j].pattern.match(name) {
					add(p.globs[j].rule, i)
				}
			}
		}
		if len(p.expressions) > 0 {
			name := plain(groups[i].DisplayName)
			for j := range p.expressions {
				if p.expressions[j].pattern.match(name) {
					add(p.expressions[j].rule, i)
				}
			}
		}
	}
	slices.SortFunc(found, func(a, b match) int {
		return cmp.Or(cmp.Compare(a.rule, b.rule), cmp.Compare(a.group, b.group))
	})
	return found
}

// distinct returns the memberships in order of group id, each once: a direct one rather
// than one through a nested group. It leaves its input alone, and copies it only when it
// must.
func distinct(groups []directory.Membership) []directory.Membership {
	ordered := true
	for i := 1; i < len(groups) && ordered; i++ {
		ordered = compareMemberships(groups[i-1], groups[i]) < 0
	}
	if ordered {
		return groups
	}
	groups = slices.Clone(groups)
	slices.SortFunc(groups, func(a, b directory.Membership) int {
		return cmp.Or(compareMemberships(a, b), strings.Compare(string(a.Via), string(b.Via)))
	})
	return slices.CompactFunc(groups, func(a, b directory.Membership) bool { return compareMemberships(a, b) == 0 })
}

// compareMemberships compares the groups, however the user is in them.
func compareMemberships(a, b directory.Membership) int {
	return cmp.Or(
		strings.Compare(string(a.Group), string(b.Group)),
		strings.Compare(string(a.Connection), string(b.Connection)),
		strings.Compare(a.DisplayName, b.DisplayName))
}
