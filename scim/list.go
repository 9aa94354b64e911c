package scim

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
)

// A list is selected, sorted and cut in the database when the database can do all of
// it; else its resources are scanned, one after the other, and what remains of each is
// its id and its place in the order (some 100 bytes, and the value that it is sorted by).

// shelf is where the resources of a type are found.
type shelf[T any] struct {
	of        *resourceType
	page      func(context.Context, store.Query) (store.Page[T], error)
	scan      func(context.Context, store.Scope, store.Condition, []store.Condition, func(*T, []bool) error) error
	byID      func(context.Context, store.Scope, []string) (map[string]T, error)
	candidate func(of *resourceType, base string, item *T) candidate
}

func (c *call) userShelf() shelf[directory.User] {
	s := c.handler.Store
	return shelf[directory.User]{of: c.types.user, page: s.Users, scan: s.ScanUsers, byID: s.UsersByID, candidate: userCandidate}
}

func (c *call) groupShelf() shelf[directory.Group] {
	s := c.handler.Store
	return shelf[directory.Group]{of: c.types.group, page: s.Groups, scan: s.ScanGroups, byID: s.GroupsByID, candidate: groupCandidate}
}

// window is the part of a list that is asked for.
type window struct {
	after  *cursor // nil: by offset
	offset int
	limit  int
}

// part is a window of a list, and how long the list is.
type part[T any] struct {
	items []T
	total int
	// next is the cursor behind the last of the items; "" when nothing follows.
	next string
}

// selection is what a query asks of one type.
type selection struct {
	clause clause
	marks  []store.Condition
	order  order
	query  string // the fingerprint
}

// maxMarks bounds what the database is asked about each resource of a scan.
const maxMarks = 20

// newSelection reads the filter and the order of a query. known is as in filterCompiler.
func newSelection(rt *resourceType, q query, known func()) (selection, error) {
	s := selection{clause: clause{exact: true}}
	if q.filtered {
		e, err := parseFilter(q.filter)
		if err != nil {
			return s, invalidFilter("the filter %s is malformed, %s", quote(q.filter), err)
		}
		f := filterCompiler{of: rt, known: known}
		if s.clause, err = f.compile(e); err != nil {
			return s, err
		}
		if s.marks = f.marks; !s.clause.exact && len(s.marks) > maxMarks {
			return s, invalidFilter("the filter asks for groups or members %d times, beside attributes; at most %d times is possible", len(s.marks), maxMarks)
		}
	}
	var err error
	s.order, err = newOrder(rt, q, known != nil)
	return s, err
}

// take selects a window of the resources on a shelf.
func take[T any](c *call, from shelf[T], s selection, w window) (part[T], error) {
	if by, ok := s.order.stored(); ok && s.clause.exact {
		return takeStored(c, from, s, w, by)
	}
	return takeScanned(c, from, s, w)
}

func takeStored[T any](c *call, from shelf[T], s selection, w window, by store.Order) (part[T], error) {
	q := store.Query{Scope: c.scope(), Where: s.clause.where, Order: by, Offset: w.offset, Limit: w.limit}
	if w.after != nil {
		if q.Offset = 0; w.after.ID != "" {
			q.After = s.order.position(w.after.Key, w.after.ID)
		}
		if w.limit > 0 {
			q.Limit++ // to see whether anything follows
		}
	}
	page, err := from.page(c.Context(), q)
	p := part[T]{items: page.Items, total: page.Total}
	if w.after != nil && len(p.items) > w.limit {
		p.items = p.items[:w.limit]
		last := from.candidate(from.of, c.base, &p.items[w.limit-1])
		p.next = cursor{Query: s.query, Endpoint: from.of.endpoint, Key: s.order.key(&last), ID: last.id}.String()
	}
	return p, err
}

// found is a resource that was selected by a scan.
type found struct {
	id  string
	key sortKey
}

// maxSortKey bounds what is kept of a value to sort by, in bytes: values that differ
// behind it are in order of creation.
const maxSortKey = 512

// kept returns a key that does not hold the resource in memory that it is of.
func (k sortKey) kept() sortKey {
	text := k.Text
	if len(text) > maxSortKey {
		text = strings.ToValidUTF8(text[:maxSortKey], "") // a cursor has whole characters
	}
	k.Text = strings.Clone(text)
	return k
}

func takeScanned[T any](c *call, from shelf[T], s selection, w window) (part[T], error) {
	var all []found
	where := s.clause.where
	var marks []store.Condition
	if !s.clause.exact {
		marks = s.marks
	}
	err := from.scan(c.Context(), c.scope(), where, marks, func(item *T, held []bool) error {
		candidate := from.candidate(from.of, c.base, item)
		candidate.marks = held
		if s.clause.exact || s.clause.holds(&candidate) {
			all = append(all, found{candidate.id, s.order.key(&candidate).kept()})
		}
		return nil
	})
	if err != nil {
		return part[T]{}, err
	}
	compare := func(a, b found) int { return s.order.compare(a.key, a.id, b.key, b.id) }
	if s.order.by != nil {
		slices.SortFunc(all, compare)
	}
	p := part[T]{total: len(all)}
	start := min(w.offset, len(all))
	if w.after != nil {
		if start = 0; w.after.ID != "" {
			at, there := slices.BinarySearchFunc(all, found{w.after.ID, w.after.Key}, compare)
			if start = at; there {
				start++
			}
		}
	}
	end := min(start+w.limit, len(all))
	if w.after != nil && end < len(all) && end > start {
		last := all[end-1]
		p.next = cursor{Query: s.query, Endpoint: from.of.endpoint, Key: last.key, ID: last.id}.String()
	}
	p.items, err = fetch(c, from, all[start:end])
	return p, err
}

// fetch reads what a scan has found, but for what was deleted since.
func fetch[T any](c *call, from shelf[T], list []found) ([]T, error) {
	if len(list) == 0 {
		return nil, nil
	}
	ids := make([]string, len(list))
	for i := range list {
		ids[i] = list[i].id
	}
	byID, err := from.byID(c.Context(), c.scope(), ids)
	items := make([]T, 0, len(ids))
	for _, id := range ids {
		if item, ok := byID[id]; ok {
			items = append(items, item)
		}
	}
	return items, err
}

func (h *Handler) listUsers(c *call) (answer, error) {
	w, err := c.query.window("/Users")
	if err != nil {
		return answer{}, err
	}
	s, err := newSelection(c.types.user, c.query, nil)
	if err != nil {
		return answer{}, err
	}
	s.query = c.query.fingerprint("/Users")
	users, err := take(c, c.userShelf(), s, w)
	if err != nil {
		return answer{}, err
	}
	return c.answerList(listing{window: w, total: users.total, next: users.next, users: users.items})
}

func (h *Handler) listGroups(c *call) (answer, error) {
	w, err := c.query.window("/Groups")
	if err != nil {
		return answer{}, err
	}
	s, err := newSelection(c.types.group, c.query, nil)
	if err != nil {
		return answer{}, err
	}
	s.query = c.query.fingerprint("/Groups")
	groups, err := take(c, c.groupShelf(), s, w)
	if err != nil {
		return answer{}, err
	}
	return c.answerList(listing{window: w, total: groups.total, next: groups.next, groups: groups.items})
}

// listing is the answer to a list: users, then groups.
type listing struct {
	window window
	total  int
	next   string
	users  []directory.User
	groups []directory.Group
}

// answerList sends a list while it is made.
func (c *call) answerList(l listing) (answer, error) {
	users, groups := c.view(c.types.user), c.view(c.types.group)
	users.spill, groups.spill = c.spill, c.spill
	ids := make([]directory.UserID, len(l.users))
	for i := range l.users {
		ids[i] = l.users[i].ID
	}
	memberships, err := c.groupsOf(users, ids)
	if err != nil {
		return answer{}, err
	}
	reader := c.members(l.groups)
	head := listHead{total: l.total, startIndex: l.window.offset + 1, count: len(l.users) + len(l.groups)}
	if l.window.after != nil {
		head.startIndex, head.next = 0, l.next
	}
	b, err := users.appendList(c.buffer, head, func(b []byte, i int) ([]byte, error) {
		if i < len(l.users) {
			b, _, err := users.appendUser(b, &l.users[i], memberships[l.users[i].ID])
			return b, err
		}
		i -= len(l.users)
		return groups.appendGroup(b, &l.groups[i], reader.portions(i))
	})
	return answer{status: http.StatusOK, body: b}, err
}
