package store_test

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
)

// Every operator on every column, with values that mean something in LIKE, in JSON and
// in SQL, selects what Go says it should.
func testConditions(t *testing.T, d *database) {
	n := d.tenant(t)
	var users []directory.User
	start := time.Date(2026, 1, 2, 3, 4, 5, 678_901_000, time.UTC)
	n.change(t, func(tx *store.Tx) {
		for i, name := range append(slices.Clone(hostile), "ÄPFEL", "äpfel und Birnen", "") {
			u := n.newUser(name + "@example.com")
			u.CreatedAt = start.Add(time.Duration(i) * time.Microsecond)
			u.ModifiedAt = start.Add(-time.Duration(i) * time.Hour)
			if u.ExternalID = "X" + name; i%3 == 0 {
				u.ExternalID = ""
			}
			tx.CreateUser(u)
			users = append(users, u)
		}
	})
	n.sibling(t).user(t, "foreign@example.com")
	selected := func(where store.Condition) []directory.UserID {
		t.Helper()
		ids := []directory.UserID{}
		page := must[store.Page[directory.User]](t)(d.Users(t.Context(), store.Query{Scope: n.Scope, Where: where, Limit: 100}))
		for _, u := range page.Items {
			ids = append(ids, u.ID)
		}
		equal(t, "Total", page.Total, len(ids))
		return ids
	}
	want := func(held func(directory.User) bool) []directory.UserID {
		ids := []directory.UserID{}
		for _, u := range users {
			if held(u) {
				ids = append(ids, u.ID)
			}
		}
		return ids
	}
	relations := map[store.Operator]func(have, want string) bool{
		store.Equal: func(have, want string) bool { return have == want }, store.Less: func(have, want string) bool { return have < want },
		store.AtMost: func(have, want string) bool { return have <= want }, store.Greater: func(have, want string) bool { return have > want },
		store.AtLeast: func(have, want string) bool { return have >= want }, store.Prefix: strings.HasPrefix, store.Suffix: strings.HasSuffix, store.Contains: strings.Contains,
	}
	for _, value := range append(slices.Clone(hostile), "", "Ä", "äpfel", "X", "example.COM", string(users[3].ID)) {
		for operator, relation := range relations {
			for column, text := range map[store.Column]func(directory.User) string{
				store.ID: func(u directory.User) string { return string(u.ID) }, store.ExternalID: func(u directory.User) string { return u.ExternalID },
				store.Name: func(u directory.User) string { return directory.Fold(u.UserName) },
			} {
				operand := value
				if column == store.Name {
					operand = directory.FoldCase(value)
				}
				held := func(u directory.User) bool {
					return relation(text(u), operand) && (column != store.ExternalID || u.ExternalID != "")
				}
				where := store.Compare{Column: column, Operator: operator, Value: value}
				equal(t, "selected", selected(where), want(held))
				equal(t, "not selected", selected(store.Not{Condition: where}), want(func(u directory.User) bool { return !held(u) }))
			}
		}
	}
	at := users[4].CreatedAt
	for operator, held := range map[store.Operator]func(int) bool{
		store.Equal: func(c int) bool { return c == 0 }, store.Less: func(c int) bool { return c < 0 }, store.AtMost: func(c int) bool { return c <= 0 },
		store.Greater: func(c int) bool { return c > 0 }, store.AtLeast: func(c int) bool { return c >= 0 },
	} {
		equal(t, "created", selected(store.Compare{Column: store.CreatedAt, Operator: operator, Value: at}),
			want(func(u directory.User) bool { return held(u.CreatedAt.Compare(at)) }))
	}
	both := store.All{equals(store.ExternalID, users[1].ExternalID), store.Any{equals(store.ID, string(users[1].ID)), equals(store.ID, string(users[2].ID))}}
	equal(t, "and, or", selected(both), []directory.UserID{users[1].ID})
	equal(t, "an empty and", len(selected(store.All{})), len(users))
	equal(t, "an empty or", len(selected(store.Any{})), 0)
}

func testRelated(t *testing.T, d *database) {
	n := d.tenant(t)
	anna, bert := n.user(t, "anna@example.com"), n.user(t, "bert@example.com")
	n.user(t, "carl@example.com")
	admins, staff := n.group(t, "Admins"), n.group(t, "Staff")
	n.change(t, func(tx *store.Tx) {
		tx.AddMembers(admins.ID, []string{string(anna.ID)})
		tx.AddMembers(staff.ID, []string{string(anna.ID), string(bert.ID)})
	})
	ctx := t.Context()
	for _, c := range []struct {
		situation string
		where     store.Condition
		want      []directory.UserID
	}{
		{"any group", store.Related{}, []directory.UserID{anna.ID, bert.ID}},
		{"a group by id", store.Related{Condition: equals(store.ID, string(admins.ID))}, []directory.UserID{anna.ID}},
		{"a group by name", store.Related{Condition: equals(store.Name, "ADMINS")}, []directory.UserID{anna.ID}},
		{"two conditions on one group", store.Related{Condition: store.All{equals(store.Name, "admins"), equals(store.ID, string(staff.ID))}}, nil},
	} {
		t.Run(c.situation, func(t *testing.T) {
			var got []directory.UserID
			for _, u := range must[store.Page[directory.User]](t)(d.Users(ctx, store.Query{Scope: n.Scope, Where: c.where, Limit: 10})).Items {
				got = append(got, u.ID)
			}
			equal(t, "users", got, c.want)
		})
	}
	page := must[store.Page[directory.Group]](t)(d.Groups(ctx, store.Query{Scope: n.Scope, Where: store.Related{Condition: equals(store.ID, string(bert.ID))}, Limit: 10}))
	equal(t, "groups with the member", page.Total, 1)

	var marks []string
	marked := []store.Condition{store.Related{Condition: equals(store.Name, "admins")}, equals(store.Name, "bert@example.com")}
	err := d.ScanUsers(ctx, n.Scope, store.Related{}, marked, func(u *directory.User, held []bool) error {
		marks = append(marks, u.UserName, map[bool]string{true: "admin"}[held[0]], map[bool]string{true: "bert"}[held[1]])
		return nil
	})
	equal(t, "error", err, nil)
	equal(t, "marks", marks, []string{"anna@example.com", "admin", "", "bert@example.com", "", "bert"})
	halt := errors.New("enough")
	err = d.ScanGroups(ctx, n.Scope, nil, nil, func(*directory.Group, []bool) error { return halt })
	equal(t, "the error of the caller", errors.Is(err, halt), true)
}

// Page after page in each order, every row comes once.
func testOrders(t *testing.T, d *database) {
	n := d.tenant(t)
	now := directory.Now()
	n.change(t, func(tx *store.Tx) {
		for i, name := range []string{"d", "B", "a", "C", "e", "ä"} {
			u := n.newUser(name)
			u.CreatedAt, u.ModifiedAt = now.Add(time.Duration(i/2)*time.Second), now.Add(-time.Duration(i/3)*time.Second)
			tx.CreateUser(u)
		}
	})
	ctx := context.Background()
	for _, column := range []store.Column{store.ID, store.Name, store.CreatedAt, store.ModifiedAt} {
		value := func(u directory.User) any {
			return map[store.Column]any{store.Name: directory.Fold(u.UserName), store.CreatedAt: u.CreatedAt, store.ModifiedAt: u.ModifiedAt}[column]
		}
		for _, descending := range []bool{false, true} {
			q := store.Query{Scope: n.Scope, Order: store.Order{By: column, Descending: descending}, Limit: 2}
			var got []directory.User
			for {
				page := must[store.Page[directory.User]](t)(d.Users(ctx, q))
				equal(t, "Total", page.Total, 6)
				got = append(got, page.Items...)
				if len(page.Items) < q.Limit {
					break
				}
				last := page.Items[len(page.Items)-1]
				q.After = &store.Position{Value: value(last), ID: string(last.ID)}
			}
			all := must[store.Page[directory.User]](t)(d.Users(ctx, store.Query{Scope: n.Scope, Order: q.Order, Limit: 10})).Items
			equal(t, "pages", got, all)
			equal(t, "sorted", slices.IsSortedFunc(all, func(a, b directory.User) int {
				c := cmp.Compare(a.ID, b.ID)
				switch x := value(a).(type) {
				case string:
					c = cmp.Or(cmp.Compare(x, value(b).(string)), c)
				case time.Time:
					c = cmp.Or(x.Compare(value(b).(time.Time)), c)
				}
				if descending {
					return -c
				}
				return c
			}), true)
			equal(t, "all", len(all), 6)
		}
	}
}
