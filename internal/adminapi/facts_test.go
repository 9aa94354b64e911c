package adminapi_test

import (
	"context"
	"encoding/json"

	"github.com/rolesync/rolesync/internal/directory"
	rolesync "github.com/rolesync/rolesync/sync"
)

// facts plays the identity provider of one connection.
type facts struct {
	*service
	by rolesync.Author
}

func (s *service) facts(organization, connection string) facts {
	return facts{s, rolesync.Author{
		Organization: directory.OrganizationID(organization), Connection: directory.ConnectionID(connection),
		Name: "connection " + connection, Request: "scim-1",
	}}
}

func (f facts) change(change func(*rolesync.Tx) error) {
	f.tb.Helper()
	check(f.tb, f.engine.Change(context.Background(), f.by, change))
}

func (f facts) user(name string, active bool, more ...func(*directory.User)) directory.UserID {
	f.tb.Helper()
	now := directory.Now()
	u := directory.User{
		ID: directory.NewUserID(), UserName: name, Email: name, Active: active, CreatedAt: now, ModifiedAt: now, Revision: 1,
		Resource: json.RawMessage(`{"userName":` + quoted(name) + `}`),
	}
	for _, set := range more {
		set(&u)
	}
	f.change(func(tx *rolesync.Tx) error { tx.CreateUser(u); return nil })
	return u.ID
}

func (f facts) group(name string, members ...string) directory.GroupID {
	f.tb.Helper()
	now := directory.Now()
	g := directory.Group{ID: directory.NewGroupID(), DisplayName: name, CreatedAt: now, ModifiedAt: now, Revision: 1, Resource: json.RawMessage(`{}`)}
	f.change(func(tx *rolesync.Tx) error {
		tx.CreateGroup(g)
		tx.AddMembers(g.ID, members)
		return nil
	})
	return g.ID
}

func quoted(s string) string {
	b, _ := json.Marshal(s) // strings always marshal
	return string(b)
}
