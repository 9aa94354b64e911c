package store_test

import (
	"fmt"
	"testing"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
)

func testUsers(t *testing.T, d *database) {
	ctx := t.Context()
	n := d.tenant(t)
	u := n.newUser("Anna@Example.com")
	u.ExternalID, u.DisplayName, u.Email = "00uA", "Anna \"%\" Ä", "anna@example.com"
	u.Resource = []byte(`{"userName":"Anna@Example.com","name":{"givenName":"Än'na"}}`)
	n.change(t, func(tx *store.Tx) { tx.CreateUser(u) })
	equal(t, "User", must[directory.User](t)(d.User(ctx, n.Scope, u.ID)), u)

	u.UserName, u.ExternalID, u.Active, u.Revision = "anna@example.org", "00uB", false, 2
	u.Resource, u.ModifiedAt = []byte(`{}`), u.ModifiedAt.Add(1500)
	n.change(t, func(tx *store.Tx) {
		must[directory.User](t)(tx.User(u.ID))
		tx.PutUser(u)
	})
	u.ModifiedAt = u.ModifiedAt.Truncate(1000) // what both databases keep
	equal(t, "User after PutUser", must[directory.User](t)(d.User(ctx, n.Scope, u.ID)), u)

	n.change(t, func(tx *store.Tx) { tx.DeleteUser(u.ID) })
	_, err := d.User(ctx, n.Scope, u.ID)
	wantFault(t, err, fault.NotFound)
	err = n.try(ctx, func(tx *store.Tx) error { _, err := tx.User(u.ID); return err })
	wantFault(t, err, fault.NotFound)
	err = n.try(ctx, func(tx *store.Tx) error { tx.PutUser(u); return nil })
	wantFault(t, err, fault.NotFound)
	err = n.try(ctx, func(tx *store.Tx) error { tx.DeleteUser(u.ID); return nil })
	wantFault(t, err, fault.NotFound)
	equal(t, "total", must[store.Page[directory.User]](t)(d.Users(ctx, store.Query{Scope: n.Scope, Limit: 1})).Total, 0)
	n.change(t, func(tx *store.Tx) { tx.CreateUser(n.newUser("anna@example.org")) }) // the name is free again
}

func testUserConflicts(t *testing.T, d *database) {
	n := d.tenant(t)
	sibling, stranger := n.sibling(t), d.tenant(t)
	taken := n.newUser("Zoë.Straße@example.com")
	taken.ExternalID = "00uAbC"
	n.change(t, func(tx *store.Tx) { tx.CreateUser(taken) })

	for _, c := range []struct {
		situation            string
		by                   tenant
		userName, externalID string
		want                 string // part of the conflict; "": there is none
	}{
		{"the same userName", n, "Zoë.Straße@example.com", "", `userName "Zoë.Straße@example.com"`},
		{"in capitals", n, "ZOË.STRASSE@EXAMPLE.COM", "", `userName "ZOË.STRASSE@EXAMPLE.COM"`},
		{"decomposed, with spaces around", n, " Zoe\u0308.strasse@example.com ", "", "userName"},
		{"in another connection of the organization", sibling, "zoë.straße@example.com", "", "userName"},
		{"in another organization", stranger, "zoë.straße@example.com", "00uAbC", ""},
		{"without the diaeresis", n, "Zoe.Straße@example.com", "", ""},
		{"the same externalId", n, "a1@example.com", "00uAbC", ""},
		{"the externalId in other case", n, "a2@example.com", "00uabc", ""},
		{"the externalId in another connection", sibling, "a3@example.com", "00uAbC", ""},
		{"no externalId", n, "a4@example.com", "", ""},
		{"no externalId either", n, "a5@example.com", "", ""},
	} {
		t.Run(c.situation, func(t *testing.T) {
			u := c.by.newUser(c.userName)
			u.ExternalID = c.externalID
			err := c.by.try(t.Context(), func(tx *store.Tx) error { tx.CreateUser(u); return nil })
			wantConflict(t, err, c.want)
			if c.want == "" {
				return
			}
			// The same by a change of a user that exists.
			other := c.by.user(t, fmt.Sprintf("%s@example.com", directory.NewUserID()))
			other.UserName, other.ExternalID = c.userName, c.externalID
			err = c.by.try(t.Context(), func(tx *store.Tx) error { tx.PutUser(other); return nil })
			wantConflict(t, err, c.want)
		})
	}
	t.Run("a user's own names in other case", func(t *testing.T) {
		taken.UserName = "zoë.strasse@example.com"
		wantConflict(t, n.try(t.Context(), func(tx *store.Tx) error { tx.PutUser(taken); return nil }), "")
	})
}

func wantConflict(t *testing.T, err error, message string) {
	t.Helper()
	if message == "" {
		if err != nil {
			t.Errorf("error = %v, want none", err)
		}
		return
	}
	wantFault(t, err, fault.Conflict)
	if _, text := fault.Public(err); !contains(text, message) {
		t.Errorf("message = %q, want it to name %s", text, message)
	}
}

func testGroups(t *testing.T, d *database) {
	ctx := t.Context()
	n := d.tenant(t)
	g := n.newGroup("IT Admins")
	g.ExternalID, g.Resource = "ext", []byte(`{"displayName":"IT \"Admins\""}`)
	n.change(t, func(tx *store.Tx) { tx.CreateGroup(g) })
	equal(t, "Group", must[directory.Group](t)(d.Group(ctx, n.Scope, g.ID)), g)

	g.DisplayName, g.ExternalID, g.Revision = "IT", "", 2
	n.change(t, func(tx *store.Tx) {
		must[directory.Group](t)(tx.Group(g.ID))
		tx.PutGroup(g)
	})
	equal(t, "Group after PutGroup", must[directory.Group](t)(d.Group(ctx, n.Scope, g.ID)), g)

	now := directory.Now()
	var touched *store.Later[directory.Group]
	n.change(t, func(tx *store.Tx) { touched = tx.TouchGroup(g.ID, now) })
	g.Revision, g.ModifiedAt = 3, now
	equal(t, "TouchGroup", touched.Get(), g)
	equal(t, "Group after TouchGroup", must[directory.Group](t)(d.Group(ctx, n.Scope, g.ID)), g)

	for _, c := range []struct {
		situation, name string
		by              tenant
		want            string
	}{
		{"the same name", "IT", n, `displayName "IT"`},
		{"in other case, with spaces", " it ", n, `displayName " it "`},
		{"in another connection", "IT", n.sibling(t), ""},
		{"another name with the same externalId", "IT 2", n, ""},
	} {
		t.Run(c.situation, func(t *testing.T) {
			err := c.by.try(ctx, func(tx *store.Tx) error { tx.CreateGroup(c.by.newGroup(c.name)); return nil })
			wantConflict(t, err, c.want)
		})
	}

	u := n.user(t, "a@example.com")
	n.change(t, func(tx *store.Tx) {
		tx.AddMembers(g.ID, []string{string(u.ID)})
		tx.PutPending(g.ID, []string{"b@example.com"}, now)
		tx.DeleteGroup(g.ID)
	})
	_, err := d.Group(ctx, n.Scope, g.ID)
	wantFault(t, err, fault.NotFound)
	equal(t, "members of a deleted group", must[[]directory.MemberID](t)(d.Members(ctx, n.Organization, g.ID, 0)), members())
	equal(t, "pending members of a deleted group", len(must[[]store.PendingMember](t)(d.PendingMembers(ctx, n.Scope, 10))), 0)
	for name, change := range map[string]func(tx *store.Tx) error{
		"Group":      func(tx *store.Tx) error { _, err := tx.Group(g.ID); return err },
		"TouchGroup": func(tx *store.Tx) error { tx.TouchGroup(g.ID, now); return nil },
		"PutGroup":   func(tx *store.Tx) error { tx.PutGroup(g); return nil },
	} {
		t.Run(name+" of a deleted group", func(t *testing.T) { wantFault(t, n.try(ctx, change), fault.NotFound) })
	}
}

// Whatever one tenant does with the ids of another one, it finds and changes nothing.
func testScope(t *testing.T, d *database) {
	n := d.tenant(t)
	u, g := n.user(t, "a@example.com"), n.group(t, "Admins")
	n.change(t, func(tx *store.Tx) { tx.AddMembers(g.ID, []string{string(u.ID)}) })
	a := n.assignment(t, u.ID)

	stranger := d.tenant(t)
	for name, other := range map[string]tenant{
		"another organization":                         stranger,
		"another connection":                           n.sibling(t),
		"another organization, the same connection id": {d, store.Scope{Organization: stranger.Organization, Connection: n.Connection}},
		"the same organization, a foreign connection":  {d, store.Scope{Organization: n.Organization, Connection: stranger.Connection}},
		"no connection":                                {d, store.Scope{Organization: n.Organization}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			_, err := d.User(ctx, other.Scope, u.ID)
			wantFault(t, err, fault.NotFound)
			_, err = d.Group(ctx, other.Scope, g.ID)
			wantFault(t, err, fault.NotFound)
			for name, change := range map[string]func(tx *store.Tx) error{
				"User":       func(tx *store.Tx) error { _, err := tx.User(u.ID); return err },
				"Group":      func(tx *store.Tx) error { _, err := tx.Group(g.ID); return err },
				"TouchGroup": func(tx *store.Tx) error { tx.TouchGroup(g.ID, directory.Now()); return nil },
				"DeleteUser": func(tx *store.Tx) error { tx.DeleteUser(u.ID); return nil },
				"PutUser":    func(tx *store.Tx) error { tx.PutUser(u); return nil },
				"PutGroup":   func(tx *store.Tx) error { tx.PutGroup(g); return nil },
			} {
				t.Run(name, func(t *testing.T) { wantFault(t, other.try(ctx, change), fault.NotFound) })
			}
			if other.Connection == "" {
				return // a page of all connections
			}
			id, own := string(u.ID), other.group(t, "Own "+string(other.Connection)+name)
			equal(t, "Users", must[store.Page[directory.User]](t)(d.Users(ctx, store.Query{Scope: other.Scope, Where: equals(store.ID, id), Limit: 10})).Total, 0)
			id = string(g.ID)
			equal(t, "Groups", must[store.Page[directory.Group]](t)(d.Groups(ctx, store.Query{Scope: other.Scope, Where: equals(store.ID, id), Limit: 10})).Total, 0)
			var locked *store.Later[[]directory.UserID]
			other.change(t, func(tx *store.Tx) {
				locked = tx.AddMembers(own.ID, []string{string(u.ID)})
			})
			equal(t, "users that AddMembers locked", len(locked.Get()), 0)
			equal(t, "members of an own group", len(must[[]directory.MemberID](t)(d.Members(ctx, other.Organization, own.ID, 0))), 0)
		})
	}

	ctx, id := t.Context(), stranger.Organization
	for name, err := range map[string]error{
		"Assignment":  second(d.Assignment(ctx, id, u.ID)),
		"UserByAlias": second(d.UserByAlias(ctx, id, string(u.ID))),
		"Tx.Assignment": stranger.try(ctx, func(tx *store.Tx) error {
			return second(tx.Assignment(u.ID))
		}),
	} {
		t.Run(name+" of another organization", func(t *testing.T) { wantFault(t, err, fault.NotFound) })
	}
	stranger.change(t, func(tx *store.Tx) {
		tx.RemoveMembers(g.ID, []string{string(u.ID)})
		tx.DeleteGroup(g.ID)
		tx.PutAssignment(store.Assignment{Organization: stranger.Organization, User: u.ID, Version: 9, Projection: "{}"})
	})
	equal(t, "Members in another organization", len(must[[]directory.MemberID](t)(d.Members(ctx, id, g.ID, 0))), 0)
	equal(t, "Subjects in another organization", len(must[[]store.Subject](t)(d.Subjects(ctx, id, []directory.UserID{u.ID}))), 0)
	equal(t, "UserGroups in another organization", len(must[map[directory.UserID][]directory.Membership](t)(d.UserGroups(ctx, id, []directory.UserID{u.ID}))), 0)

	equal(t, "the user after all", must[directory.User](t)(d.User(ctx, n.Scope, u.ID)), u)
	equal(t, "the group after all", must[directory.Group](t)(d.Group(ctx, n.Scope, g.ID)), g)
	equal(t, "its members after all", must[[]directory.MemberID](t)(d.Members(ctx, n.Organization, g.ID, 0)), members(u.ID))
	equal(t, "the assignment after all", must[store.Assignment](t)(d.Assignment(ctx, n.Organization, u.ID)), a)
}

func second[T any](_ T, err error) error { return err }
