package store

import (
	"context"
	"fmt"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
)

// Page is part of a sorted list, and how long the whole list is.
type Page[T any] struct {
	Items []T
	Total int
}

// Query asks for a page of the users or groups of one connection.
type Query struct {
	Scope
	Where Condition // nil: all of the connection
	Order Order
	// After is the place in the order behind which the page begins; nil: at the first.
	After *Position
	// Offset is how many rows of the page are passed over, Limit how many are read;
	// 0 asks for the total alone.
	Offset, Limit int
}

// Order sorts by a column that is never unset, then by id, both in one direction. The
// zero Order is by id, which is the order in which rows were created.
type Order struct {
	By         Column // ID, Name, CreatedAt or ModifiedAt
	Descending bool
}

// Position is the place of a row in an order: its value there (a string, folded, or a
// time.Time; nothing when the order is by ID) and its id.
type Position struct {
	Value any
	ID    string
}

// Users returns one page of the selected users.
func (s *Store) Users(ctx context.Context, q Query) (Page[directory.User], error) {
	page := Page[directory.User]{}
	rows := 0
	list := newListing(usersTable, q)
	count := list.count(&page.Total)
	if q.Where == nil {
		count = tallied(q.Scope, &page.Total, &rows)
	}
	err := s.db.read(ctx, list.page(count, q, &page.Total, func(r row) error {
		u, err := scanUser(r, q.Organization)
		page.Items = append(page.Items, u)
		return err
	}))
	if err == nil && rows > manyTallies {
		// The answer is known; a failure only leaves the work to the next reader.
		if err := s.addUp(ctx, q.Scope); err != nil {
			s.log.Warn("tallies could not be added up", "error", err)
		}
	}
	return page, err
}

// Groups returns one page of the selected groups.
func (s *Store) Groups(ctx context.Context, q Query) (Page[directory.Group], error) {
	page := Page[directory.Group]{}
	list := newListing(groupsTable, q)
	err := s.db.read(ctx, list.page(list.count(&page.Total), q, &page.Total, func(r row) error {
		g, err := scanGroup(r, q.Organization)
		page.Items = append(page.Items, g)
		return err
	}))
	return page, err
}

// ScanUsers calls each with every user of a connection that is selected, in order of
// id, and says of each for which of the marks it holds. The user and the marks are of
// no more use once each returns; its error ends the scan.
func (s *Store) ScanUsers(ctx context.Context, scope Scope, where Condition, marks []Condition, each func(*directory.User, []bool) error) error {
	return scan(ctx, s, usersTable, scope, where, marks, scanUser, each)
}

// ScanGroups is ScanUsers for groups.
func (s *Store) ScanGroups(ctx context.Context, scope Scope, where Condition, marks []Condition, each func(*directory.Group, []bool) error) error {
	return scan(ctx, s, groupsTable, scope, where, marks, scanGroup, each)
}

func scan[T any](ctx context.Context, s *Store, t table, scope Scope, where Condition, marks []Condition, read func(row, directory.OrganizationID) (T, error), each func(*T, []bool) error) error {
	list := listing{newConditionSQL(t, scope), t}
	held := make([]int, len(marks))
	answers := make([]bool, len(marks))
	into := make([]any, len(marks))
	list.sql.both("SELECT ")
	for i, mark := range marks {
		list.sql.both("CASE WHEN ")
		mark.write(list.sql)
		list.sql.both(" THEN 1 ELSE 0 END, ")
		into[i] = &held[i]
	}
	list.sql.both(t.selection[len("SELECT "):])
	list.where(where)
	list.sql.both(" ORDER BY id")
	return s.db.read(ctx, []statement{{
		sql: list.text(), args: list.sql.args, passing: true,
		each: func(r row) error {
			item, err := read(behind{r, into}, scope.Organization)
			if err != nil {
				return err
			}
			for i := range held {
				answers[i] = held[i] == 1
			}
			return each(&item, answers)
		},
	}})
}

// behind reads the first columns of a row on its own, and leaves the others to who
// knows nothing of them.
type behind struct {
	row   row
	first []any
}

func (b behind) Scan(dest ...any) error {
	return b.row.Scan(append(append(make([]any, 0, len(b.first)+len(dest)), b.first...), dest...)...)
}

// UsersByID returns those of the users that the connection has, by id.
func (s *Store) UsersByID(ctx context.Context, scope Scope, ids []string) (map[string]directory.User, error) {
	return byID(ctx, s, usersByID, scope, ids, scanUser, func(u directory.User) string { return string(u.ID) })
}

// GroupsByID returns those of the groups that the connection has, by id.
func (s *Store) GroupsByID(ctx context.Context, scope Scope, ids []string) (map[string]directory.Group, error) {
	return byID(ctx, s, groupsByID, scope, ids, scanGroup, func(g directory.Group) string { return string(g.ID) })
}

func byID[T any](ctx context.Context, s *Store, sql text, scope Scope, ids []string, read func(row, directory.OrganizationID) (T, error), id func(T) string) (map[string]T, error) {
	items := make(map[string]T, len(ids))
	err := s.db.read(ctx, []statement{{
		sql: sql, args: []any{scope.Organization, scope.Connection, ids},
		each: func(r row) error {
			item, err := read(r, scope.Organization)
			items[id(item)] = item
			return err
		},
	}})
	return items, err
}

// listing makes the statements of a list.
type listing struct {
	sql   *conditionSQL
	table table
}

func newListing(t table, q Query) listing {
	list := listing{newConditionSQL(t, q.Scope), t}
	list.where(q.Where)
	return list
}

func (l listing) where(c Condition) {
	l.sql.both(" WHERE " + l.table.name + ".organization_id = $1 AND " + l.table.name + ".connection_id = $2")
	if c != nil {
		l.sql.both(" AND ")
		c.write(l.sql)
	}
}

func (l listing) text() text { return text{l.sql.postgres.String(), l.sql.sqlite.String()} }

// count makes the statement that counts what is selected.
func (l listing) count(total *int) statement {
	from := "SELECT count(*) FROM " + l.table.name
	sql := l.text()
	return statement{
		sql:  text{from + sql.postgres, from + sql.sqlite},
		args: l.sql.args,
		each: func(r row) error { return r.Scan(total) },
	}
}

// page makes the statements for one page and the count. What is unique needs none.
func (l listing) page(count statement, q Query, total *int, each func(row) error) []statement {
	passing := !usual(q.Where) || q.Order != (Order{}) || q.After != nil
	if q.Where != nil {
		count.passing = passing
	}
	if q.Limit == 0 {
		return []statement{count}
	}
	column, direction, relation := l.sql.column(q.Order.By), "", " > "
	if q.Order.Descending {
		direction, relation = " DESC", " < "
	}
	key, order := "id", "id"+direction
	if q.Order.By != ID {
		key = column + ", id"
		order = column + direction + ", " + order
	}
	if q.After != nil {
		id := l.sql.arg(q.After.ID)
		switch value := q.After.Value.(type) {
		case time.Time:
			id = l.sql.arg(value.UnixMicro()) + ", " + id
		case string:
			id = l.sql.arg(value) + ", " + id
		}
		l.sql.both(" AND (" + key + ")" + relation + "(" + id + ")")
	}
	sql := l.text()
	// The rows before the offset are passed over in the index alone.
	before := fmt.Sprintf("%s WHERE organization_id = $1 AND id IN (SELECT id FROM %s", l.table.selection, l.table.name)
	after := fmt.Sprintf(" ORDER BY %s LIMIT %s OFFSET %s) ORDER BY %s", order, l.sql.arg(q.Limit), l.sql.arg(q.Offset), order)
	items := statement{
		sql:  text{before + sql.postgres + after, before + sql.sqlite + after},
		args: l.sql.args, each: each, passing: passing,
	}
	if atMostOne(q.Where, l.table) && q.Offset == 0 && q.After == nil {
		items.each = func(r row) error { *total++; return each(r) }
		return []statement{items}
	}
	return []statement{items, count}
}
