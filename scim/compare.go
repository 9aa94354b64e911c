package scim

import (
	"strconv"
	"strings"

	filter "github.com/scim2/filter-parser/v2"

	"github.com/rolesync/rolesync/internal/directory"
)

// test is what a comparison of a filter asks of one simple value, which may be unset.
type test func(n *node) bool

// comparison makes the test of an operator of RFC 7644 §3.4.2.2, table 3, with its
// operand. An unset value equals null and nothing else. Strings compare by their bytes,
// and unless they are case exact trimmed and folded, as names do everywhere. What
// cannot be compared so is an error, a phrase for the caller to complete.
func (a *attribute) comparison(operator filter.CompareOperator, operand any) (test, error) {
	switch {
	case a.kind == complexKind || a.multi:
		return nil, stringError(a.name + " is not a simple value: compare one of its sub-attributes")
	case operator == filter.PR:
		return func(n *node) bool { return n.set }, nil
	case operand == nil:
		switch operator {
		case filter.EQ:
			return func(n *node) bool { return !n.set }, nil
		case filter.NE:
			return func(n *node) bool { return n.set }, nil
		}
		return nil, stringError("null can be compared by eq and ne only")
	case a.kind == booleanKind:
		return a.compareBoolean(operator, operandText(operand))
	case a.kind == integerKind || a.kind == decimalKind:
		return a.compareNumber(operator, operandText(operand))
	case a.kind == dateTimeKind:
		return a.compareTime(operator, operandText(operand))
	}
	return a.compareText(operator, operandText(operand))
}

// operandText is the operand as the text of a node would be.
func operandText(operand any) string {
	switch v := operand.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case interface{ String() string }: // json.Number
		return v.String()
	}
	return ""
}

func (a *attribute) compareBoolean(operator filter.CompareOperator, operand string) (test, error) {
	if operator != filter.EQ && operator != filter.NE {
		return nil, stringError(a.name + " is true or false: compare it by eq or ne")
	}
	// Entra writes primary eq "True".
	want, ok := booleanKind.coerce(value{kind: text, text: operand})
	if !ok {
		return nil, stringError(a.name + " is true or false, not " + quote(operand))
	}
	equal := operator == filter.EQ
	return func(n *node) bool { return (n.set && n.text == want) == equal }, nil
}

func (a *attribute) compareNumber(operator filter.CompareOperator, operand string) (test, error) {
	want, ok := parseNumber(operand)
	if !ok {
		return nil, stringError(a.name + " is a number, not " + quote(operand))
	}
	relation, err := relationOf(a.name, "a number", operator)
	if err != nil {
		return nil, err
	}
	unset := operator == filter.NE
	return func(n *node) bool {
		have, ok := parseNumber(n.text)
		if !n.set || !ok {
			return unset
		}
		return relation(have.Cmp(want))
	}, nil
}

// compareTime compares times, whose nodes have them as RFC 3339.
func (a *attribute) compareTime(operator filter.CompareOperator, operand string) (test, error) {
	want, ok := parseTime(operand)
	if !ok {
		return nil, stringError(a.name + " is a time such as 2026-01-31T12:00:00Z, not " + quote(operand))
	}
	relation, err := relationOf(a.name, "a time", operator)
	if err != nil {
		return nil, err
	}
	unset := operator == filter.NE
	return func(n *node) bool {
		have, ok := parseTime(n.text)
		if !n.set || !ok {
			return unset
		}
		return relation(have.Compare(want))
	}, nil
}

// relationOf returns what an operator asks of the order of two values: -1, 0 or 1.
func relationOf(name, kind string, operator filter.CompareOperator) (func(order int) bool, error) {
	switch operator {
	case filter.EQ:
		return func(order int) bool { return order == 0 }, nil
	case filter.NE:
		return func(order int) bool { return order != 0 }, nil
	case filter.GT:
		return func(order int) bool { return order > 0 }, nil
	case filter.GE:
		return func(order int) bool { return order >= 0 }, nil
	case filter.LT:
		return func(order int) bool { return order < 0 }, nil
	case filter.LE:
		return func(order int) bool { return order <= 0 }, nil
	}
	return nil, stringError(name + " is " + kind + ", and cannot be compared by " + string(operator))
}

func (a *attribute) compareText(operator filter.CompareOperator, want string) (test, error) {
	have := func(n *node) string { return n.text }
	if !a.caseExact {
		have = func(n *node) string { return directory.Fold(n.text) }
		if want = directory.FoldCase(want); operator == filter.EQ || operator == filter.NE {
			want = strings.TrimSpace(want)
		}
	}
	var held func(have, want string) bool
	switch operator {
	case filter.EQ:
		held = func(have, want string) bool { return have == want }
	case filter.NE:
		return func(n *node) bool { return !n.set || have(n) != want }, nil
	case filter.CO:
		held = strings.Contains
	case filter.SW:
		held = strings.HasPrefix
	case filter.EW:
		held = strings.HasSuffix
	default:
		relation, err := relationOf(a.name, "a string", operator)
		if err != nil {
			return nil, err
		}
		held = func(have, want string) bool { return relation(strings.Compare(have, want)) }
	}
	return func(n *node) bool { return n.set && held(have(n), want) }, nil
}

// selector makes the test of a filter on one element of the multi-valued attribute a,
// as in emails[type eq "work"]. A filter that cannot be applied to a is an error, a
// phrase for the caller to complete.
func (a *attribute) selector(e filter.Expression) (test, error) {
	switch e := e.(type) {
	case *filter.LogicalExpression:
		left, err := a.selector(e.Left)
		if err != nil {
			return nil, err
		}
		right, err := a.selector(e.Right)
		if e.Operator == filter.AND {
			return func(n *node) bool { return left(n) && right(n) }, err
		}
		return func(n *node) bool { return left(n) || right(n) }, err
	case *filter.NotExpression:
		held, err := a.selector(e.Expression)
		return func(n *node) bool { return !held(n) }, err
	case *filter.AttributeExpression:
		sub, err := a.filterSub(e.AttributePath)
		if err != nil {
			return nil, err
		}
		held, err := sub.comparison(e.Operator, e.CompareValue)
		return func(n *node) bool { return held(&n.parts[sub.index]) }, err
	}
	return nil, stringError("it has a value path inside a value path")
}

// filterSub returns the sub-attribute that a filter inside a's brackets names.
func (a *attribute) filterSub(path filter.AttributePath) (*attribute, error) {
	if path.URIPrefix == nil && path.SubAttribute == nil {
		if sub := a.subs.find(path.AttributeName); sub != nil && sub.kind != complexKind && !sub.multi && !sub.hidden() {
			return sub, nil
		}
	}
	return nil, stringError(a.name + " has no sub-attribute " + quote(path.String()))
}
