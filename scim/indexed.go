package scim

import (
	"strings"
	"time"

	filter "github.com/scim2/filter-parser/v2"

	"github.com/rolesync/rolesync/internal/store"
)

// What of a filter the store can answer by itself: id, userName or displayName,
// externalId, the times, and the memberships, which are rows and in no document.

var textOperators = map[filter.CompareOperator]store.Operator{
	filter.EQ: store.Equal, filter.NE: store.Equal, // negated
	filter.LT: store.Less, filter.LE: store.AtMost, filter.GT: store.Greater, filter.GE: store.AtLeast,
	filter.SW: store.Prefix, filter.EW: store.Suffix, filter.CO: store.Contains,
}

// compareColumn makes the condition of an operator on a column that is never null. An
// operand of "" equals nothing: an attribute without a value is unset.
func compareColumn(column store.Column, operator filter.CompareOperator, operand any) store.Condition {
	c := store.Condition(store.Compare{Column: column, Operator: textOperators[operator], Value: operand})
	if s, ok := operand.(string); ok && strings.TrimSpace(s) == "" && (operator == filter.EQ || operator == filter.NE) {
		c = store.Any{}
	}
	if operator == filter.NE {
		return store.Not{Condition: c}
	}
	return c
}

// indexed returns the condition for a comparison of a stored attribute that has a
// column of its own.
func indexed(t target, e *filter.AttributeExpression) (_ store.Condition, exact bool) {
	column := store.Name
	switch t.attr.name {
	case "userName", "displayName":
		if !t.attr.required {
			return nil, false // a user's displayName has no column
		}
	case "externalId":
		column = store.ExternalID
	default:
		return nil, false
	}
	if t.extension != nil || e.CompareValue == nil {
		return nil, false
	}
	return compareColumn(column, e.Operator, operandText(e.CompareValue)), true
}

func (f *filterCompiler) idClause(e *filter.AttributeExpression) (clause, error) {
	id := f.of.attributes.find("id")
	held, err := id.comparison(e.Operator, e.CompareValue)
	if err != nil {
		return clause{}, err
	}
	c := clause{holds: func(c *candidate) bool { return held(&node{set: true, text: c.id}) }}
	if e.Operator != filter.PR && e.CompareValue != nil {
		c.where, c.exact = compareColumn(store.ID, e.Operator, operandText(e.CompareValue)), true
	}
	return c, nil
}

// schemasClause compares the URNs of the schemas, which follow from what is set.
func schemasClause(e *filter.AttributeExpression) (clause, error) {
	urn := &attribute{name: "schemas"} // URNs compare without case (RFC 8141 §3.1, for the most part)
	held, err := urn.comparison(e.Operator, e.CompareValue)
	if err != nil {
		return clause{}, err
	}
	return clause{holds: func(c *candidate) bool {
		if held(&node{set: true, text: c.of.coreURN()}) {
			return true
		}
		for i, a := range c.of.attributes.list {
			if a.extension && c.resource().nodes[i].set && held(&node{set: true, text: a.name}) {
				return true
			}
		}
		return false
	}}, nil
}

// metaClause compares what is ours to say about a resource. Not its version: that
// depends on what is shown.
func metaClause(t target, e *filter.AttributeExpression) (clause, error) {
	if t.sub == nil {
		if e.Operator == filter.PR {
			return clause{where: store.All{}, exact: true, holds: func(*candidate) bool { return true }}, nil
		}
		return clause{}, stringError("meta is not a simple value: name created, lastModified, location or resourceType")
	}
	if e.CompareValue == nil && e.Operator != filter.PR { // null
		return unset(e.Operator, ""), nil // it is never null
	}
	text := map[string]func(c *candidate) string{
		"resourceType": func(c *candidate) string { return c.of.name },
		"location":     func(c *candidate) string { return c.base + c.of.endpoint + "/" + c.id },
	}[t.sub.name]
	if text != nil {
		held, err := (&attribute{name: t.sub.name, caseExact: true}).comparison(e.Operator, e.CompareValue)
		return clause{holds: func(c *candidate) bool { return held(&node{set: true, text: text(c)}) }}, err
	}
	column := store.CreatedAt
	moment := func(c *candidate) time.Time { return c.created }
	switch t.sub.name {
	case "created":
	case "lastModified":
		column = store.ModifiedAt
		moment = func(c *candidate) time.Time { return c.modified }
	default:
		return clause{}, stringError(t.sub.name + " depends on what is shown, and selects nothing")
	}
	if e.Operator == filter.PR {
		return clause{where: store.All{}, exact: true, holds: func(*candidate) bool { return true }}, nil
	}
	operand := operandText(e.CompareValue)
	held, err := t.sub.compareTime(e.Operator, operand)
	if err != nil {
		return clause{}, err
	}
	c := clause{holds: func(c *candidate) bool {
		return held(&node{set: true, text: moment(c).Format(time.RFC3339Nano)})
	}}
	// What is stored has no finer unit, so a finer operand is not for the column.
	if at, _ := parseTime(operand); at.Nanosecond()%1000 == 0 && at.Year() >= 1 && at.Year() <= 9999 {
		c.where, c.exact = compareColumn(column, e.Operator, at), true
	}
	return c, nil
}

// related reports whether the target's values are the rows of memberships: the groups
// of a user, the members of a group.
func (t target) related() bool {
	return t.extension == nil && t.attr.storage == members || t.is("groups") && t.attr.storage == readOnly
}

// related compares the members of a group, or the groups of a user.
func (f *filterCompiler) related(t target, e *filter.AttributeExpression) (clause, error) {
	column, err := relatedColumn(t.attr, t.sub)
	if err != nil {
		return clause{}, err
	}
	switch {
	case e.Operator == filter.PR, e.CompareValue == nil && e.Operator == filter.NE:
		return f.marked(store.Related{}), nil
	case e.CompareValue == nil && e.Operator == filter.EQ:
		return f.marked(store.Not{Condition: store.Related{}}), nil
	case e.CompareValue == nil:
		return clause{}, stringError("null can be compared by eq and ne only")
	}
	some := store.Related{Condition: compareColumn(column, e.Operator, operandText(e.CompareValue))}
	if e.Operator == filter.NE { // nobody at all is nobody else, too
		return f.marked(store.Any{some, store.Not{Condition: store.Related{}}}), nil
	}
	return f.marked(some), nil
}

func relatedColumn(a, sub *attribute) (store.Column, error) {
	switch {
	case sub == nil || sub == a.value:
		return store.ID, nil
	case sub == a.display && a.storage == readOnly:
		return store.Name, nil
	}
	return 0, stringError(a.name + " can be selected by " + relatedNames(a) + ", not by " + sub.name)
}

func relatedNames(a *attribute) string {
	if a.storage == readOnly {
		return "value and display"
	}
	return "value"
}

// relatedFilter makes the condition of a filter in the brackets of groups[…] or
// members[…].
func relatedFilter(a *attribute, e filter.Expression) (store.Condition, error) {
	switch e := e.(type) {
	case *filter.LogicalExpression:
		left, err := relatedFilter(a, e.Left)
		if err != nil {
			return nil, err
		}
		right, err := relatedFilter(a, e.Right)
		if e.Operator == filter.AND {
			return store.All{left, right}, err
		}
		return store.Any{left, right}, err
	case *filter.NotExpression:
		inner, err := relatedFilter(a, e.Expression)
		return store.Not{Condition: inner}, err
	case *filter.AttributeExpression:
		sub, err := a.filterSub(e.AttributePath)
		if err != nil {
			return nil, err
		}
		column, err := relatedColumn(a, sub)
		switch {
		case err != nil:
			return nil, err
		case e.Operator == filter.PR:
			return store.All{}, nil
		case e.CompareValue == nil:
			return nil, stringError("the " + sub.name + " of " + a.name + " is never null")
		}
		return compareColumn(column, e.Operator, operandText(e.CompareValue)), nil
	}
	return nil, stringError("it has a value path inside a value path")
}

// marked is the clause of a condition that only the store can answer: beside parts that
// it cannot, it answers for each row.
func (f *filterCompiler) marked(where store.Condition) clause {
	mark := len(f.marks)
	f.marks = append(f.marks, where)
	return clause{where: where, exact: true, holds: func(c *candidate) bool { return c.marks[mark] }}
}
