package mapping

import (
	"cmp"
	"slices"

	"github.com/rolesync/rolesync/internal/directory"
)

// Evaluate returns what the user has. It never fails: facts are data, whatever their
// names contain. The groups may come in any order, and one that comes twice counts once.
func (p *Program) Evaluate(facts directory.Facts) Assignment {
	if !facts.User.Active {
		return Nothing()
	}
	groups := distinct(facts.Groups)
	assignment, _, _ := p.grant(groups, p.matches(facts.Authority, groups))
	return assignment
}

// given is one source in numbers: what is given, and the match that gives it (-1 for
// the default role).
type given struct {
	what  int32
	match int
}

// grant carries out the steps after the match for an active user. It also returns how
// the roles came about and the roles that Highest dropped.
func (p *Program) grant(groups []directory.Membership, matches []match) (Assignment, Decision, []RoleKey) {
	counts := make([]int32, len(p.roles)+len(p.permissions)) // of sources, by number
	var sources []given
	give := func(what int32, match int) {
		if counts[what] < MaxSources {
			counts[what]++
			sources = append(sources, given{what, match})
		}
	}
	for i, m := range matches {
		if m.standing != counted {
			continue
		}
		for _, what := range p.rules[m.rule].grants {
			give(what, i)
		}
	}

	held := p.held(counts)
	dropped := []RoleKey{}
	if p.combine == Highest && len(held) > 1 {
		for _, role := range held[1:] {
			dropped = append(dropped, p.roles[role])
			counts[role] = 0
		}
		held = held[:1]
	}

	decision := Granted
	if len(held) == 0 {
		decision = withoutRole(p.onNoMatch)
		if p.onNoMatch == GiveDefault {
			held = append(held, p.defaultRole)
			give(p.defaultRole, -1)
		}
	}

	sources = slices.DeleteFunc(sources, func(g given) bool { return counts[g.what] == 0 })
	slices.SortStableFunc(sources, func(a, b given) int { return cmp.Compare(a.what, b.what) })

	a := Nothing()
	a.Active = true
	a.Sources = p.sources(sources, groups, matches)
	for _, role := range held {
		a.Roles = append(a.Roles, p.roles[role])
		for _, permission := range p.carries[role] {
			counts[permission]++
		}
	}
	if len(a.Roles) > 0 {
		a.Role = a.Roles[0]
	}
	for i, permission := range p.permissions {
		if counts[len(p.roles)+i] > 0 {
			a.Permissions = append(a.Permissions, permission)
		}
	}
	return a, decision, dropped
}

// held returns the numbers of the roles that are counted, highest rank first.
func (p *Program) held(counts []int32) []int32 {
	var held []int32
	for role := range p.roles {
		if counts[role] > 0 {
			held = append(held, int32(role))
		}
	}
	return held
}

func (p *Program) sources(all []given, groups []directory.Membership, matches []match) []Source {
	sources := make([]Source, len(all))
	for i, g := range all {
		s := Source{Origin: FromDefault}
		if g.match >= 0 {
			m := matches[g.match]
			group := groups[m.group]
			s = Source{
				Origin:     FromRule,
				Rule:       p.rules[m.rule].id,
				Group:      group.Group,
				GroupName:  group.DisplayName,
				Connection: group.Connection,
				Via:        group.Via,
				ViaName:    nameOf(groups, group.Via),
			}
		}
		if int(g.what) < len(p.roles) {
			s.Role = p.roles[g.what]
		} else {
			s.Permission = p.permissions[int(g.what)-len(p.roles)]
		}
		sources[i] = s
	}
	return sources
}

// nameOf returns the display name of a group that the user is a member of.
func nameOf(groups []directory.Membership, id directory.GroupID) string {
	if id == "" {
		return ""
	}
	i, found := slices.BinarySearchFunc(groups, id, func(m directory.Membership, id directory.GroupID) int { return cmp.Compare(m.Group, id) })
	if !found {
		return ""
	}
	return groups[i].DisplayName
}
