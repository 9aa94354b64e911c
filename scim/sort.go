package scim

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
)

// order is how a list is sorted, RFC 7644 §3.4.2.3. The zero order is that of creation.
type order struct {
	by         *target // nil: not asked for
	descending bool
}

// newOrder reads sortBy and sortOrder. What resources are not sorted by, in the lack of
// a value or of an attribute, is an invalidValue; but when several types are searched,
// one that lacks the attribute stays in order of creation.
func newOrder(rt *resourceType, q query, several bool) (order, error) {
	o := order{}
	switch strings.ToLower(q.sortOrder) {
	case "", "ascending":
	case "descending":
		o.descending = true
	default:
		return o, invalidValue("sortOrder is ascending or descending, not %s", quote(q.sortOrder))
	}
	name := strings.TrimSpace(q.sortBy)
	if name == "" {
		return order{}, nil // RFC 7644 §3.4.2.3: sortOrder means nothing without sortBy
	}
	t, err := rt.target(name)
	if err != nil && several {
		return order{}, nil
	}
	sorted := t.sub
	if sorted == nil && t.attr != nil {
		if sorted = t.attr; t.attr.kind == complexKind {
			sorted = t.attr.value
		}
	}
	switch {
	case err != nil || t.where != nil || t.hidden() || sorted != nil && sorted.hidden():
		return o, invalidValue("sortBy names no attribute that %s have: %s", rt.endpoint[1:], quote(name))
	case sorted == nil, sorted.kind == complexKind, t.related(), t.attr.storage == derived, t.is("meta") && !isMoment(sorted):
		return o, invalidValue("%s cannot be sorted by %s", rt.endpoint[1:], quote(name))
	}
	o.by = &t
	return o, nil
}

// isMoment reports whether an attribute of meta is a time.
func isMoment(sub *attribute) bool { return sub.name == "created" || sub.name == "lastModified" }

// stored returns the order as the store knows it; ok is false when it does not.
func (o order) stored() (_ store.Order, ok bool) {
	if o.by == nil {
		return store.Order{}, true
	}
	by := store.Order{Descending: o.descending}
	switch t := o.by; {
	case t.extension != nil:
		return by, false
	case t.is("id"):
		by.By = store.ID
	case t.is("meta") && t.sub.name == "created":
		by.By = store.CreatedAt
	case t.is("meta"):
		by.By = store.ModifiedAt
	case t.attr.required && (t.attr.name == "userName" || t.attr.name == "displayName"):
		by.By = store.Name
	default:
		return by, false
	}
	return by, true
}

// sortKey is the place of a resource in an order, but for its id.
type sortKey struct {
	Unset bool   `json:"u,omitempty"` // it comes last, and first when descending
	Text  string `json:"t,omitempty"`
}

// key returns the sort key of a resource: of several values the primary one, else the
// first.
func (o order) key(c *candidate) sortKey {
	t := o.by
	switch {
	case t == nil:
		return sortKey{}
	case t.is("id"):
		return sortKey{Text: c.id}
	case t.is("meta") && t.sub.name == "created":
		return sortKey{Text: momentKey(c.created)}
	case t.is("meta"):
		return sortKey{Text: momentKey(c.modified)}
	}
	n, a := c.node(*t), t.attr
	if a.multi {
		if n = preferred(a, n); n == nil {
			return sortKey{Unset: true}
		}
	}
	sub := t.sub
	if sub == nil && a.kind == complexKind {
		sub = a.value
	}
	if sub != nil {
		if a = sub; sub.index >= len(n.parts) {
			return sortKey{Unset: true}
		}
		n = &n.parts[sub.index]
	}
	switch {
	case !n.set:
		return sortKey{Unset: true}
	case a.kind == dateTimeKind:
		moment, _ := parseTime(n.text) // stored times are times
		return sortKey{Text: moment.UTC().Format("2006-01-02T15:04:05.000000000Z")}
	case a.kind == integerKind || a.kind == decimalKind || a.caseExact:
		return sortKey{Text: n.text}
	}
	return sortKey{Text: directory.Fold(n.text)}
}

// momentKey is a time in a form that sorts as text, as fine as it is stored.
func momentKey(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// preferred returns the primary element, else the first; nil when there is none.
func preferred(a *attribute, n *node) *node {
	if len(n.parts) == 0 {
		return nil
	}
	for i := range n.parts {
		if n.parts[i].part(a.primary) == "true" {
			return &n.parts[i]
		}
	}
	return &n.parts[0]
}

// compare orders two keys, and by their ids what is equal.
func (o order) compare(a sortKey, aID string, b sortKey, bID string) int {
	c := 0
	switch {
	case a.Unset != b.Unset:
		if c = -1; a.Unset {
			c = 1
		}
	case o.numeric():
		x, _ := strconv.ParseFloat(a.Text, 64) // stored numbers are numbers
		y, _ := strconv.ParseFloat(b.Text, 64)
		c = cmp.Compare(x, y)
	default:
		c = strings.Compare(a.Text, b.Text)
	}
	c = cmp.Or(c, strings.Compare(aID, bID))
	if o.descending {
		return -c
	}
	return c
}

func (o order) numeric() bool {
	if o.by == nil {
		return false
	}
	sorted := o.by.attr
	switch {
	case o.by.sub != nil:
		sorted = o.by.sub
	case sorted.kind == complexKind:
		sorted = sorted.value
	}
	return sorted != nil && (sorted.kind == integerKind || sorted.kind == decimalKind)
}

// position is a place in the store's order.
func (o order) position(key sortKey, id string) *store.Position {
	p := &store.Position{ID: id}
	switch by, _ := o.stored(); by.By {
	case store.Name:
		p.Value = key.Text
	case store.CreatedAt, store.ModifiedAt:
		// A cursor was checked to be ours, but for its text: no time is the first time.
		p.Value, _ = time.Parse(time.RFC3339Nano, key.Text)
	}
	return p
}
