package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/rolesync/rolesync/internal/directory"
)

// Page is part of a sorted list, and how long the whole list is.
type Page[T any] struct {
	Items []T
	Total int
}

// UserQuery selects users of one connection. A nil condition asks for nothing; all
// that are given must hold. UserName and DisplayName compare without case, ID and
// ExternalID with it (RFC 7643 §4.1.1, §3.1).
type UserQuery struct {
	Scope
	ID, UserName, ExternalID, DisplayName *string
	Offset, Limit                         int
}

// GroupQuery selects groups of one connection, like UserQuery.
type GroupQuery struct {
	Scope
	ID, DisplayName, ExternalID *string
	Offset, Limit               int
}

// Users returns one page of the selected users, in order of id, which is the order
// in which they were created.
func (s *Store) Users(ctx context.Context, q UserQuery) (Page[directory.User], error) {
	where := newConditions(q.Scope)
	where.equal("id", q.ID)
	where.equal("user_name_folded", folded(q.UserName))
	where.equal("external_id", q.ExternalID)
	if q.DisplayName != nil {
		where.like("display_name", *q.DisplayName)
	}
	page := Page[directory.User]{}
	rows := 0
	total := where.count("users", &page.Total)
	if where.whole {
		total = count(q.Scope, &page.Total, &rows)
	}
	err := s.db.read(ctx, where.page(total, "users", selectUser, q.Offset, q.Limit, &page.Total, func(r row) error {
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

// Groups returns one page of the selected groups, in order of id.
func (s *Store) Groups(ctx context.Context, q GroupQuery) (Page[directory.Group], error) {
	where := newConditions(q.Scope)
	where.equal("id", q.ID)
	where.equal("display_name_folded", folded(q.DisplayName))
	where.equal("external_id", q.ExternalID)
	page := Page[directory.Group]{}
	err := s.db.read(ctx, where.page(where.count("groups", &page.Total), "groups", selectGroup, q.Offset, q.Limit, &page.Total, func(r row) error {
		g, err := scanGroup(r, q.Organization)
		page.Items = append(page.Items, g)
		return err
	}))
	return page, err
}

// conditions is a WHERE clause under construction. Only fixed column names become
// SQL; values are always arguments.
type conditions struct {
	sql    strings.Builder
	args   []any
	unique bool // at most one row can match
	whole  bool // all of one connection
}

func newConditions(scope Scope) *conditions {
	c := &conditions{args: []any{scope.Organization}}
	c.sql.WriteString(" WHERE organization_id = $1")
	if scope.Connection != "" {
		connection := string(scope.Connection)
		c.equal("connection_id", &connection)
		c.unique, c.whole = false, true
	}
	return c
}

func (c *conditions) equal(column string, value *string) {
	if value == nil {
		return
	}
	c.whole = false
	c.args = append(c.args, *value)
	fmt.Fprintf(&c.sql, " AND %s = $%d", column, len(c.args))
	if column == "external_id" {
		c.sql.WriteString(" AND external_id <> ''") // so that the partial index serves
	}
	c.unique = c.unique || column == "id" || column == "user_name_folded"
}

// like compares an attribute that has no folded column of its own, byte for byte
// after lower(): close enough for a search by display name.
func (c *conditions) like(column, value string) {
	c.whole = false
	c.args = append(c.args, value)
	fmt.Fprintf(&c.sql, " AND lower(%s) = lower($%d)", column, len(c.args))
}

// count makes the statement that counts what matches.
func (c *conditions) count(table string, total *int) statement {
	return statement{
		sql:  same("SELECT count(*) FROM " + table + c.sql.String()),
		args: c.args,
		each: func(r row) error { return r.Scan(total) },
	}
}

// page makes the statements for one page and the count. What is unique needs none.
func (c *conditions) page(count statement, table, selection string, offset, limit int, total *int, each func(row) error) []statement {
	n := len(c.args)
	// The rows before the offset are passed over in the index alone.
	items := statement{
		sql: same(fmt.Sprintf("%s WHERE organization_id = $1 AND id IN (SELECT id FROM %s%s ORDER BY id LIMIT $%d OFFSET $%d) ORDER BY id",
			selection, table, c.sql.String(), n+1, n+2)),
		args: append(append([]any{}, c.args...), limit, offset),
		each: each,
	}
	switch {
	case c.unique && offset == 0 && limit > 0:
		items.each = func(r row) error { *total++; return each(r) }
		return []statement{items}
	case limit == 0:
		return []statement{count}
	}
	return []statement{items, count}
}

func folded(name *string) *string {
	if name == nil {
		return nil
	}
	f := directory.Fold(*name)
	return &f
}
