package store

import (
	"fmt"
	"strings"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
)

// Column is what users or groups can be selected and sorted by without reading the
// stored resources.
type Column int

// The columns. Name and ExternalID of a related row are a group's, for a user; the
// members of a group have an ID only.
const (
	ID         Column = iota
	Name              // userName of a user, displayName of a group; compared through directory.Fold
	ExternalID        // "" is unset: it equals nothing
	CreatedAt
	ModifiedAt
)

// Operator compares a column with a value.
type Operator int

// The operators. Text is compared by its bytes.
const (
	Equal Operator = iota
	Less
	AtMost
	Greater
	AtLeast
	Prefix
	Suffix
	Contains
)

var operatorSQL = [...]string{Equal: "=", Less: "<", AtMost: "<=", Greater: ">", AtLeast: ">="}

// Condition selects rows. Only what this file spells out becomes SQL; values are always
// arguments. nil selects all.
type Condition interface {
	write(w *conditionSQL)
}

// Compare selects the rows whose column relates to a value: a string, folded here where
// the column is, or a time.Time, as precise as what is stored. Prefix, Suffix and
// Contains are for text.
type Compare struct {
	Column   Column
	Operator Operator
	Value    any
}

// All selects what every one of its conditions does, Any what at least one does, Not
// what its condition does not.
type (
	All []Condition
	Any []Condition
	Not struct{ Condition Condition }
)

// Related selects the users that have a group, or the groups that have a member, for
// which the condition holds; nil: any group or member at all.
type Related struct{ Condition Condition }

// table is what differs between lists of users and of groups.
type table struct {
	name, selection, folded string
	// related is a query for the rows that Related looks at, with the columns id, name
	// and external_id; its rows are of the organization $1 and of the row called outer.
	related string
}

var (
	usersTable = table{
		name: "users", selection: selectUser, folded: "user_name_folded",
		related: `(SELECT g.id, g.display_name_folded AS name, g.external_id FROM memberships AS m
			JOIN groups AS g ON g.organization_id = m.organization_id AND g.id = m.group_id AND g.connection_id = users.connection_id
			WHERE m.organization_id = $1 AND m.user_id = users.id)`,
	}
	groupsTable = table{
		name: "groups", selection: selectGroup, folded: "display_name_folded",
		related: `(SELECT m.user_id AS id, '' AS name, '' AS external_id FROM memberships AS m WHERE m.organization_id = $1 AND m.group_id = groups.id
			UNION ALL SELECT m.member_id, '', '' FROM nested_groups AS m WHERE m.organization_id = $1 AND m.group_id = groups.id)`,
	}
)

// conditionSQL is SQL under construction, in the words of both databases.
type conditionSQL struct {
	table            table
	inner            bool // inside a Related
	postgres, sqlite strings.Builder
	args             []any
}

func newConditionSQL(t table, scope Scope) *conditionSQL {
	return &conditionSQL{table: t, args: []any{string(scope.Organization), string(scope.Connection)}}
}

func (w *conditionSQL) both(sql string) {
	w.postgres.WriteString(sql)
	w.sqlite.WriteString(sql)
}

// arg adds an argument and returns its placeholder.
func (w *conditionSQL) arg(v any) string {
	w.args = append(w.args, v)
	return fmt.Sprintf("$%d", len(w.args))
}

func (w *conditionSQL) column(c Column) string {
	if w.inner {
		return [...]string{ID: "r.id", Name: "r.name", ExternalID: "r.external_id", CreatedAt: "NULL", ModifiedAt: "NULL"}[c]
	}
	return w.table.name + "." + [...]string{ID: "id", Name: w.table.folded, ExternalID: "external_id", CreatedAt: "created_at", ModifiedAt: "modified_at"}[c]
}

func (c Compare) write(w *conditionSQL) {
	column := w.column(c.Column)
	var value string
	switch v := c.Value.(type) {
	case time.Time:
		value = w.arg(v.UnixMicro())
	case string:
		if c.Column == Name && c.Operator == Equal {
			v = directory.Fold(v)
		} else if c.Column == Name {
			v = directory.FoldCase(v)
		}
		value = w.arg(v)
	}
	w.both("(")
	switch c.Operator {
	case Prefix:
		w.both(column + " >= " + value + " AND ") // so that an index serves
		w.postgres.WriteString("starts_with(" + column + ", " + value + ")")
		w.sqlite.WriteString("substr(" + column + ", 1, length(" + value + ")) = " + value)
	case Suffix:
		w.postgres.WriteString("right(" + column + ", length(" + value + ")) = " + value)
		// substr(x, -0) is all of it, and every text ends in "".
		w.sqlite.WriteString("(" + value + " = '' OR substr(" + column + ", -length(" + value + ")) = " + value + ")")
	case Contains:
		w.postgres.WriteString("strpos(" + column + ", " + value + ") > 0")
		w.sqlite.WriteString("instr(" + column + ", " + value + ") > 0")
	default:
		w.both(column + " " + operatorSQL[c.Operator] + " " + value)
	}
	if c.Column == ExternalID {
		w.both(" AND " + column + " <> ''") // also so that the partial index serves
	}
	w.both(")")
}

func (a All) write(w *conditionSQL) { writeList(w, flat(a, nil), " AND ", "1 = 1") }
func (a Any) write(w *conditionSQL) { writeList(w, flat(a, nil), " OR ", "1 = 0") }

// flat appends the conditions of a list, and those of the lists of its kind within it.
func flat[L ~[]Condition](list L, to []Condition) []Condition {
	for _, c := range list {
		if inner, ok := c.(any).(L); ok {
			to = flat(inner, to)
		} else {
			to = append(to, c)
		}
	}
	return to
}

// writeList joins conditions two halves at a time: SQLite takes an expression that is a
// thousand deep, and a filter can have almost as many parts.
func writeList(w *conditionSQL, list []Condition, between, none string) {
	switch half := len(list) / 2; len(list) {
	case 0:
		w.both(none)
	case 1:
		list[0].write(w)
	default:
		w.both("(")
		writeList(w, list[:half], between, none)
		w.both(between)
		writeList(w, list[half:], between, none)
		w.both(")")
	}
}

func (n Not) write(w *conditionSQL) {
	w.both("NOT ")
	n.Condition.write(w)
}

func (r Related) write(w *conditionSQL) {
	w.both("EXISTS (SELECT 1 FROM " + w.table.related + " AS r")
	if r.Condition != nil {
		w.both(" WHERE ")
		w.inner = true
		r.Condition.write(w)
		w.inner = false
	}
	w.both(")")
}

// usual reports whether a condition is one of the few that identity providers ask for
// all day, an equality or several joined by and: its statement is worth keeping
// prepared. The forms of all others are without number.
func usual(c Condition) bool {
	switch c := c.(type) {
	case nil:
		return true
	case Compare:
		return c.Operator == Equal
	case All:
		for _, part := range c {
			if compare, ok := part.(Compare); !ok || compare.Operator != Equal {
				return false
			}
		}
		return len(c) <= 3
	}
	return false
}

// atMostOne reports whether a condition selects one row at most.
func atMostOne(c Condition, t table) bool {
	switch c := c.(type) {
	case Compare:
		return c.Operator == Equal && (c.Column == ID || c.Column == Name)
	case All:
		for _, part := range c {
			if atMostOne(part, t) {
				return true
			}
		}
	}
	return false
}
