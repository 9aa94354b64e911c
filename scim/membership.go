package scim

import (
	"github.com/rolesync/rolesync/internal/directory"
)

// A request holds at most so many members at once, twice: the first few of some
// groups, read by one query, and a part of those of one large group. Together that is
// 40,000 ids, about 2 MB.
const (
	groupsAtOnce  = 50
	membersAtOnce = 20_000
)

// memberReader reads the members of groups, in portions, as they are asked for: the
// groups in their order, each once.
type memberReader struct {
	c      *call
	groups []directory.Group
	first  map[directory.GroupID][]directory.MemberID
	read   int // groups[:read] have been read into first, lately
	limit  int // of each of them
}

func (c *call) members(groups []directory.Group) *memberReader {
	return &memberReader{c: c, groups: groups, limit: membersAtOnce / max(1, min(groupsAtOnce, len(groups)))}
}

// portions gives the members of the i-th group. A portion is of no more use once the
// next is asked for.
func (m *memberReader) portions(i int) portions {
	return func(each func([]directory.MemberID) error) error {
		if i >= m.read {
			if err := m.advance(i); err != nil {
				return err
			}
		}
		group := m.groups[i].ID
		ids, most := m.first[group], m.limit
		for {
			if err := each(ids); err != nil || len(ids) < most {
				return err
			}
			var err error
			after := ids[len(ids)-1]
			ids, most = nil, membersAtOnce // the former can be freed
			ids, err = m.c.handler.Store.MembersAfter(m.c.Context(), m.c.connection.Organization, group, after, most)
			if err != nil {
				return err
			}
		}
	}
}

// advance reads the first members of the groups from the i-th on.
func (m *memberReader) advance(i int) error {
	m.read = min(i+groupsAtOnce, len(m.groups))
	ids := make([]directory.GroupID, 0, groupsAtOnce)
	for _, g := range m.groups[i:m.read] {
		ids = append(ids, g.ID)
	}
	var err error
	m.first = nil
	m.first, err = m.c.handler.Store.MembersOf(m.c.Context(), m.c.connection.Organization, ids, m.limit)
	return err
}
