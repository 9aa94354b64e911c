package scim

import (
	"slices"

	filter "github.com/scim2/filter-parser/v2"

	"github.com/rolesync/rolesync/internal/directory"
)

// maxMemberValue bounds the id of a member, in bytes.
const maxMemberValue = 512

// memberChange is what a request does to the members of a group, all its operations
// folded into one: a thousand removals cost one statement. The list of members that
// is stored is not needed for it.
type memberChange struct {
	replaced bool           // all former members leave
	mentions []mention      // in order
	last     map[string]int // for each value: the mention that counts
}

// mention is a value that was named, to be a member or not.
type mention struct {
	value string
	added bool
}

// empty reports whether nothing is asked for.
func (m *memberChange) empty() bool { return !m.replaced && len(m.mentions) == 0 }

// additions and removals are what is left after folding. No value is in both, so
// their order is of no importance; after replaced there are no removals.
func (m *memberChange) additions() []string { return m.values(true) }
func (m *memberChange) removals() []string {
	if m.replaced {
		return nil
	}
	return m.values(false)
}

func (m *memberChange) values(added bool) []string {
	out := make([]string, 0, len(m.mentions))
	for i, n := range m.mentions {
		if n.added == added && m.last[n.value] == i {
			out = append(out, n.value)
		}
	}
	return out
}

// without refuses that a group is made a member of itself. It may be one by way of other
// groups: that is the provider's business.
func (m *memberChange) without(group directory.GroupID) error {
	if i, named := m.last[string(group)]; named && m.mentions[i].added {
		return invalidValue("members has %s, which is the group itself", quote(string(group)))
	}
	return nil
}

// isMemberID reports whether a value has the form of the id of a user or a group.
func isMemberID(value string) bool {
	_, notUser := directory.ParseUserID(value)
	_, notGroup := directory.ParseGroupID(value)
	return notUser == nil || notGroup == nil
}

// names returns the values that are not of the form of an id: externalIds and userNames,
// of users or of nobody yet.
func (m *memberChange) names() []string {
	var names []string
	for i, n := range m.mentions {
		if !isMemberID(n.value) && m.last[n.value] == i {
			names = append(names, n.value)
		}
	}
	return names
}

// contradictory reports whether some are to join and others to leave, and not all are
// named by ids: a user may be among both, under two names.
func (m *memberChange) contradictory() bool {
	mixed := slices.ContainsFunc(m.mentions, func(n mention) bool { return n.added != m.mentions[0].added })
	return mixed && len(m.names()) > 0
}

// identified is m with the ids of those users that are named otherwise, in the sense of
// rolesync.Tx.UsersNamed: the last word on a user counts, whatever the user was called
// before.
func (m *memberChange) identified(named map[string][]directory.UserID) *memberChange {
	out := &memberChange{replaced: m.replaced}
	for _, n := range m.mentions {
		users := named[n.value]
		if n.added && len(users) == 1 {
			n.value = string(users[0])
		} else if !n.added { // all leave, and nobody is waited for by that name
			for _, id := range users {
				out.set([]string{string(id)}, false)
			}
		}
		out.set([]string{n.value}, n.added)
	}
	return out
}

// resolved returns the members that are stated, with the ids of those users that are
// stated by name. A name that is nobody's, or of several, is left out of stated, and is
// in pending.
func (m *memberChange) resolved(named map[string][]directory.UserID) (stated, pending []string) {
	seen := make(map[string]bool, len(m.mentions))
	for _, value := range m.additions() {
		if !isMemberID(value) {
			users := named[value]
			if len(users) != 1 {
				pending = append(pending, value)
				continue
			}
			value = string(users[0])
		}
		if !seen[value] {
			seen[value] = true
			stated = append(stated, value)
		}
	}
	return stated, pending
}

// same reports whether members are exactly those stated, each of which is there once.
func same(members []directory.MemberID, stated []string) bool {
	is := make(map[directory.MemberID]bool, len(members))
	for _, id := range members {
		is[id] = true
	}
	return len(members) == len(stated) && !slices.ContainsFunc(stated, func(id string) bool { return !is[directory.MemberID(id)] })
}

func (m *memberChange) set(values []string, added bool) {
	if m.last == nil {
		m.last = make(map[string]int, len(values))
		m.mentions = make([]mention, 0, len(values))
	}
	for _, value := range values {
		m.last[value] = len(m.mentions)
		m.mentions = append(m.mentions, mention{value, added})
	}
}

func (m *memberChange) clear() { *m = memberChange{replaced: true} }

// change folds one operation on "members" in:
//
//	add     members                  the listed join
//	replace members                  the listed are the members
//	remove  members, value a list    the listed leave (Entra, JumpCloud, authentik)
//	remove  members, no value        all leave
//	remove  members[value eq "…"]    the named leave; also several, joined by or
func (m *memberChange) change(op operation, t target, v value) error {
	if t.sub != nil {
		return mutability("the attributes of a member cannot be changed, as in %s; remove it and add another", quote(t.path))
	}
	if t.where != nil {
		ids, ok := memberFilter(t.attr, t.where, nil)
		switch {
		case op != remove:
			return noTarget("%s of %s: members are added and replaced by the path members", op, quote(t.path))
		case !ok:
			return invalidFilter("members are selected by value eq, not by %s", quote(t.path))
		}
		m.set(ids, false)
		return nil
	}
	ids, err := memberValues(v)
	if err != nil {
		return err
	}
	switch op {
	case add:
		m.set(ids, true)
	case replace:
		m.clear()
		m.set(ids, true)
	case remove:
		if v.kind == absent || v.kind == null {
			m.clear()
		} else {
			m.set(ids, false)
		}
	}
	return nil
}

// memberValues reads a list of members: objects with a value, or bare ids; one alone
// may stand without its array.
func memberValues(v value) ([]string, error) {
	switch v.kind {
	case absent, null:
		return nil, nil
	case array:
	default:
		v = value{kind: array, items: []member{{value: v}}}
	}
	ids := make([]string, 0, len(v.items))
	for i := range v.items {
		id := v.items[i].value
		if id.kind == object {
			id = id.get("value")
		}
		if id.kind != text && id.kind != number || id.text == "" {
			return nil, invalidValue("members[%d] needs a value, the id of a user or a group", i)
		}
		if len(id.text) > maxMemberValue {
			return nil, invalidValue("members[%d].value is longer than %d bytes", i, maxMemberValue)
		}
		ids = append(ids, id.text)
	}
	return ids, nil
}

// memberFilter returns the values that a filter of the form value eq "a" or … names.
func memberFilter(a *attribute, e filter.Expression, ids []string) ([]string, bool) {
	switch e := e.(type) {
	case *filter.LogicalExpression:
		ids, ok := memberFilter(a, e.Left, ids)
		if !ok || e.Operator != filter.OR {
			return nil, false
		}
		return memberFilter(a, e.Right, ids)
	case *filter.AttributeExpression:
		sub, err := a.filterSub(e.AttributePath)
		id, ok := e.CompareValue.(string)
		if err != nil || sub != a.value || !ok || e.Operator != filter.EQ {
			return nil, false
		}
		return append(ids, id), true
	}
	return nil, false
}
