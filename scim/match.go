package scim

import (
	"strings"

	filter "github.com/scim2/filter-parser/v2"
)

// matches reports whether one element of the multi-valued attribute a satisfies e,
// the filter of a value path such as emails[type eq "work"]. A filter that cannot be
// applied to a is an error, a phrase for the caller to complete.
func (a *attribute) matches(e filter.Expression, element *node) (bool, error) {
	switch e := e.(type) {
	case *filter.LogicalExpression:
		left, err := a.matches(e.Left, element)
		if err != nil {
			return false, err
		}
		right, err := a.matches(e.Right, element)
		if e.Operator == filter.AND {
			return left && right, err
		}
		return left || right, err
	case *filter.NotExpression:
		held, err := a.matches(e.Expression, element)
		return !held && err == nil, err
	case *filter.AttributeExpression:
		sub, err := a.filterSub(e.AttributePath)
		if err != nil {
			return false, err
		}
		return sub.compare(element.parts[sub.index], e.Operator, e.CompareValue)
	}
	return false, stringError("it has a value path inside a value path")
}

// filterSub returns the sub-attribute that a filter inside a's brackets names.
func (a *attribute) filterSub(path filter.AttributePath) (*attribute, error) {
	if path.URIPrefix == nil && path.SubAttribute == nil {
		if sub := a.subs.find(path.AttributeName); sub != nil && sub.kind != complexKind && !sub.multi {
			return sub, nil
		}
	}
	return nil, stringError(a.name + " has no sub-attribute " + quote(path.String()))
}

// compare applies an operator of RFC 7644 §3.4.2.2, table 3, to a simple value. An
// unset value equals null and nothing else.
func (a *attribute) compare(n node, operator filter.CompareOperator, operand any) (bool, error) {
	if operator == filter.PR {
		return n.set, nil
	}
	var want string
	switch v := operand.(type) {
	case nil:
		switch operator {
		case filter.EQ:
			return !n.set, nil
		case filter.NE:
			return n.set, nil
		}
		return false, stringError("null can be compared by eq and ne only")
	case bool:
		want = "false"
		if v {
			want = "true"
		}
	case string:
		want = v
	case interface{ String() string }: // json.Number
		want = v.String()
	}
	if a.kind == booleanKind {
		if operator != filter.EQ && operator != filter.NE {
			return false, stringError(a.name + " is true or false: compare it by eq or ne")
		}
		// Entra writes primary eq "True".
		w, ok := booleanKind.coerce(value{kind: text, text: want})
		if !ok {
			return false, stringError(a.name + " is true or false, not " + quote(want))
		}
		return (n.set && n.text == w) == (operator == filter.EQ), nil
	}
	have := n.text
	if !a.caseExact {
		have, want = strings.ToLower(have), strings.ToLower(want)
	}
	switch operator {
	case filter.EQ:
		return n.set && have == want, nil
	case filter.NE:
		return !n.set || have != want, nil
	}
	if !n.set {
		return false, nil
	}
	switch operator {
	case filter.CO:
		return strings.Contains(have, want), nil
	case filter.SW:
		return strings.HasPrefix(have, want), nil
	case filter.EW:
		return strings.HasSuffix(have, want), nil
	case filter.GT:
		return have > want, nil
	case filter.GE:
		return have >= want, nil
	case filter.LT:
		return have < want, nil
	case filter.LE:
		return have <= want, nil
	}
	return false, stringError("it has an unknown operator " + quote(string(operator)))
}

// implied returns the element that a filter describes, when the filter is a
// conjunction of type eq and primary eq of which one names a canonical value: the
// element that a provider expects to be created by emails[type eq "work"].value.
// Entra needs it; RFC 7644 §3.5.2.3 says noTarget.
func (a *attribute) implied(e filter.Expression) (node, bool) {
	n := node{set: true, parts: make([]node, len(a.subs.list))}
	canonical := false
	var state func(filter.Expression) bool
	state = func(e filter.Expression) bool {
		switch e := e.(type) {
		case *filter.LogicalExpression:
			return e.Operator == filter.AND && state(e.Left) && state(e.Right)
		case *filter.AttributeExpression:
			sub, err := a.filterSub(e.AttributePath)
			if err != nil || e.Operator != filter.EQ {
				return false
			}
			switch sub {
			case a.typ:
				s, ok := e.CompareValue.(string)
				if !ok || n.parts[sub.index].set {
					return false
				}
				n.parts[sub.index] = node{set: true, text: s}
				canonical = canonical || a.isCanonicalType(s)
				return true
			case a.primary:
				held, err := sub.compare(node{set: true, text: "true"}, filter.EQ, e.CompareValue)
				if err != nil || !held {
					return false
				}
				n.parts[sub.index] = node{set: true, text: "true"}
				canonical = true
				return true
			}
		}
		return false
	}
	return n, state(e) && canonical
}

// canonicalTypes are the types that providers use with any multi-valued attribute.
var canonicalTypes = []string{"work", "home", "mobile", "fax", "pager", "other"}

func (a *attribute) isCanonicalType(s string) bool {
	for _, list := range [][]string{canonicalTypes, a.typ.canonical} {
		for _, t := range list {
			if strings.EqualFold(t, s) {
				return true
			}
		}
	}
	return false
}
