package scim

import (
	"time"

	filter "github.com/scim2/filter-parser/v2"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
)

// clause is a filter, or a part of one, made ready to select resources. What the store
// has an index or rows for becomes a condition of SQL; the rest is tried on each stored
// resource that the condition leaves.
//
//	userName sw "J"                        where, exact
//	userName sw "J" and title pr           where of the first part; holds
//	userName sw "J" or title pr            holds
//	groups.display eq "Admins" or title pr holds, with a mark for the groups
type clause struct {
	where store.Condition         // selects at least what the filter does; nil: all
	exact bool                    // where selects just that, so holds need not be asked
	holds func(c *candidate) bool // after where
}

// candidate is a resource that a filter is tried on.
type candidate struct {
	of                *resourceType
	id                string
	base              string // the absolute URL of the connection
	document          []byte
	created, modified time.Time
	marks             []bool

	decoded *resource // of document, when it was looked at
}

func userCandidate(of *resourceType, base string, u *directory.User) candidate {
	return candidate{of: of, base: base, id: string(u.ID), document: u.Resource, created: u.CreatedAt, modified: u.ModifiedAt}
}

func groupCandidate(of *resourceType, base string, g *directory.Group) candidate {
	return candidate{of: of, base: base, id: string(g.ID), document: g.Resource, created: g.CreatedAt, modified: g.ModifiedAt}
}

// resource decodes the document. One that cannot be read has nothing set: it is our own
// failure, and found when it is shown.
func (c *candidate) resource() *resource {
	if c.decoded == nil {
		var err error
		if c.decoded, err = c.of.decode(c.document); err != nil {
			c.decoded = c.of.empty()
		}
	}
	return c.decoded
}

// node returns the value of a target's attribute, which is not inside an element.
func (c *candidate) node(t target) *node {
	nodes := c.resource().nodes
	if t.extension != nil {
		if nodes = nodes[t.extension.index].parts; nodes == nil {
			return &node{}
		}
	}
	return &nodes[t.attr.index]
}

// filterCompiler makes a clause of a filter.
type filterCompiler struct {
	of    *resourceType
	marks []store.Condition // that holds needs an answer to

	// known is told of each attribute that the type has. When it is set, an attribute
	// that the type does not have is unset (RFC 7644 §3.4.2.1: a search of several
	// types); else it is an error.
	known func()
}

// compile makes a clause of a parsed filter. Its error is an invalidFilter.
func (f *filterCompiler) compile(e filter.Expression) (clause, error) {
	switch e := e.(type) {
	case *filter.LogicalExpression:
		left, err := f.compile(e.Left)
		if err != nil {
			return clause{}, err
		}
		right, err := f.compile(e.Right)
		if e.Operator == filter.AND {
			return both(left, right), err
		}
		return either(left, right), err
	case *filter.NotExpression:
		inner, err := f.compile(e.Expression)
		return opposite(inner), err
	case *filter.AttributeExpression:
		return f.comparison(e)
	case *filter.ValuePath:
		return f.valuePath(e)
	}
	return clause{}, invalidFilter("the filter has a part that is not understood")
}

func both(a, b clause) clause {
	c := clause{exact: a.exact && b.exact, holds: func(c *candidate) bool { return a.holds(c) && b.holds(c) }}
	for _, part := range []clause{a, b} {
		switch all, many := part.where.(store.All); {
		case many && c.where != nil:
			c.where = append(c.where.(store.All), all...)
		case part.where != nil && c.where != nil:
			c.where = append(c.where.(store.All), part.where)
		case many:
			c.where = all[:len(all):len(all)]
		case part.where != nil:
			c.where = store.All{part.where}
		}
	}
	return c
}

func either(a, b clause) clause {
	c := clause{exact: a.exact && b.exact, holds: func(c *candidate) bool { return a.holds(c) || b.holds(c) }}
	if a.where != nil && b.where != nil {
		c.where = store.Any{a.where, b.where}
	}
	return c
}

func opposite(a clause) clause {
	c := clause{exact: a.exact, holds: func(c *candidate) bool { return !a.holds(c) }}
	if a.exact {
		c.where = store.Not{Condition: a.where}
	}
	return c
}

// target finds what a filter names. ok is false when there is no such attribute, and
// none is wanted.
func (f *filterCompiler) target(path filter.AttributePath) (t target, ok bool, err error) {
	name := path.String()
	t, err = f.of.target(name)
	switch {
	case err != nil && f.known != nil:
		return t, false, nil
	case err != nil:
		return t, false, invalidFilter("the filter names an attribute that %s do not have: %s", f.of.endpoint[1:], quote(name))
	case t.hidden():
		return t, false, invalidFilter("nobody can be found by %s", quote(name))
	}
	if f.known != nil {
		f.known()
	}
	return t, true, nil
}

// unset is the clause of a comparison with what no resource of the type has.
func unset(operator filter.CompareOperator, operand any) clause {
	held := operator == filter.NE && operand != nil || operator == filter.EQ && operand == nil
	if held {
		return clause{where: store.All{}, exact: true, holds: func(*candidate) bool { return true }}
	}
	return clause{where: store.Any{}, exact: true, holds: func(*candidate) bool { return false }}
}

func (f *filterCompiler) comparison(e *filter.AttributeExpression) (clause, error) {
	t, ok, err := f.target(e.AttributePath)
	if err != nil || !ok {
		return unset(e.Operator, e.CompareValue), err
	}
	wrong := func(err error) error {
		return invalidFilter("the filter %s cannot be applied: %s", quote(wording(e)), err)
	}
	var c clause
	switch {
	case t.related():
		c, err = f.related(t, e)
	case t.is("meta"):
		c, err = metaClause(t, e)
	case t.is("id"):
		c, err = f.idClause(e)
	case t.attr.storage == derived:
		c, err = schemasClause(e)
	default:
		c, err = storedClause(t, e)
	}
	if err != nil {
		return c, wrong(err)
	}
	return c, nil
}

// wording is a comparison as it could have been written.
func wording(e *filter.AttributeExpression) string {
	if e.Operator == filter.PR {
		return e.AttributePath.String() + " pr"
	}
	return e.String()
}

// storedClause compares an attribute of the stored resource: any of its values, when it
// has several.
func storedClause(t target, e *filter.AttributeExpression) (clause, error) {
	if e.Operator == filter.PR {
		return clause{holds: func(c *candidate) bool { return t.present(c.node(t)) }}, nil
	}
	compared := t.sub
	if compared == nil && t.attr.kind == complexKind {
		if compared = t.attr.value; compared == nil || compared.hidden() {
			return clause{}, stringError(t.attr.name + " is not a simple value: name one of its sub-attributes")
		}
	}
	single := compared
	if single == nil {
		element := *t.attr // a value of a multi-valued simple attribute
		element.multi = false
		single = &element
	}
	held, err := single.comparison(e.Operator, e.CompareValue)
	if err != nil {
		return clause{}, err
	}
	c := clause{holds: func(c *candidate) bool { return t.anyValue(c.node(t), compared, held) }}
	c.where, c.exact = indexed(t, e)
	return c, nil
}

// present reports whether the target has a value, or its sub-attribute one.
func (t target) present(n *node) bool {
	if t.sub == nil {
		return n.set
	}
	return t.anyValue(n, t.sub, func(n *node) bool { return n.set })
}

// anyValue reports whether a value of the node, or of its sub-attribute, passes a test.
// Where there is none, the test is put to an unset value.
func (t target) anyValue(n *node, sub *attribute, held test) bool {
	of := func(n *node) *node {
		switch {
		case sub == nil:
			return n
		case sub.index < len(n.parts):
			return &n.parts[sub.index]
		}
		return &node{}
	}
	if !t.attr.multi {
		return held(of(n))
	}
	for i := range n.parts {
		if held(of(&n.parts[i])) {
			return true
		}
	}
	return len(n.parts) == 0 && held(&node{})
}

func (f *filterCompiler) valuePath(e *filter.ValuePath) (clause, error) {
	t, ok, err := f.target(e.AttributePath)
	if err != nil || !ok {
		return unset(filter.PR, nil), err
	}
	name := quote(e.AttributePath.String())
	if !t.attr.multi || t.attr.kind != complexKind || t.sub != nil {
		return clause{}, invalidFilter("%s has no elements that brackets could select", name)
	}
	if t.related() {
		where, err := relatedFilter(t.attr, e.ValueFilter)
		if err != nil {
			return clause{}, invalidFilter("the filter in %s[…] cannot be applied: %s", name, err)
		}
		return f.marked(store.Related{Condition: where}), nil
	}
	held, err := t.attr.selector(e.ValueFilter)
	if err != nil {
		return clause{}, invalidFilter("the filter in %s[…] cannot be applied: %s", name, err)
	}
	return clause{holds: func(c *candidate) bool {
		n := c.node(t)
		for i := range n.parts {
			if held(&n.parts[i]) {
				return true
			}
		}
		return false
	}}, nil
}
