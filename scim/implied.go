package scim

import (
	"strings"

	filter "github.com/scim2/filter-parser/v2"
)

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
				held, err := sub.comparison(filter.EQ, e.CompareValue)
				if err != nil || !held(&node{set: true, text: "true"}) {
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
