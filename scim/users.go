package scim

import (
	"net/http"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	rolesync "github.com/rolesync/rolesync/sync"
)

func (h *Handler) createUser(c *call) (answer, error) {
	body, err := c.json()
	if err != nil {
		return answer{}, err
	}
	asked, err := c.types.user.fromResource(body)
	if err != nil {
		return answer{}, err
	}
	u, err := newUser(asked, directory.User{
		ID: directory.NewUserID(), Organization: c.connection.Organization, Connection: c.connection.ID, Revision: 1,
	})
	if err != nil {
		return answer{}, err
	}
	if u, err = c.createOrAdopt(asked, u); err != nil {
		return answer{}, err
	}
	// Groups that waited for this user are left to the next read: a query for them
	// here would cost every creation a round trip.
	view := c.view(c.types.user)
	a, err := c.user(view, &u, nil)
	a.status, a.location = http.StatusCreated, view.userLocation(u.ID)
	return a, err
}

// createOrAdopt stores a user who is new to SCIM. Somebody who has signed in by SAML may
// be this user already (SEMANTICS, "Life cycle"), and keeps the id.
func (c *call) createOrAdopt(asked *changes, u directory.User) (directory.User, error) {
	const attempts = 3
	for attempt := 1; ; attempt++ {
		err := c.change(asked, func(tx *rolesync.Tx) error {
			u.CreatedAt, u.ModifiedAt = tx.Now(), tx.Now()
			tx.CreateUser(u)
			return nil
		})
		id, adoptable := rolesync.Adoptable(err)
		if !adoptable {
			return u, err
		}
		var adopted directory.User
		err = c.change(nil, func(tx *rolesync.Tx) (err error) {
			adopted, err = tx.Adopt(id, u)
			return err
		})
		// It may be gone, or somebody else has adopted it, since it was found.
		if !fault.Is(err, fault.NotFound) || attempt == attempts {
			return adopted, err
		}
	}
}

func (h *Handler) getUser(c *call) (answer, error) {
	id, err := directory.ParseUserID(c.id())
	if err != nil {
		return answer{}, err
	}
	u, err := h.Store.User(c.Context(), c.scope(), id)
	if err != nil {
		return answer{}, err
	}
	a, err := c.userWithGroups(&u)
	if err == nil && c.known(a.version) {
		return answer{status: http.StatusNotModified, version: a.version}, nil
	}
	return a, err
}

func (h *Handler) putUser(c *call) (answer, error) {
	return h.changeUser(c, c.types.user.fromResource, putUser)
}

func (h *Handler) patchUser(c *call) (answer, error) {
	return h.changeUser(c, c.types.user.fromPatch, patchUser)
}

func (h *Handler) changeUser(c *call, read func(value) (*changes, error), apply func(*changes, directory.User) (directory.User, error)) (answer, error) {
	id, err := directory.ParseUserID(c.id())
	if err != nil {
		return answer{}, err
	}
	body, err := c.json()
	if err != nil {
		return answer{}, err
	}
	asked, err := read(body)
	if err != nil {
		return answer{}, err
	}
	var u directory.User
	err = c.change(asked, func(tx *rolesync.Tx) error {
		before, err := tx.User(id)
		if err != nil {
			return err
		}
		if err := c.matches(before.Revision); err != nil {
			return err
		}
		if u, err = apply(asked, before); err != nil {
			return err
		}
		var changed bool
		if u.ModifiedAt, u.Revision, changed = revised(before.Resource, u.Resource, before.Revision, before.ModifiedAt, tx.Now()); changed {
			tx.PutUser(u)
		}
		return nil
	})
	if err != nil {
		return answer{}, err
	}
	return c.userWithGroups(&u)
}

func (h *Handler) deleteUser(c *call) (answer, error) {
	id, err := directory.ParseUserID(c.id())
	if err != nil {
		return answer{}, err
	}
	err = c.change(nil, func(tx *rolesync.Tx) error {
		u, err := tx.Leaver(id)
		if err != nil {
			return err
		}
		if err := c.matches(u.Revision); err != nil {
			return err
		}
		return tx.DeleteUser(id)
	})
	return answer{status: http.StatusNoContent}, err
}

// userWithGroups answers with a user and the groups that it is in now.
func (c *call) userWithGroups(u *directory.User) (answer, error) {
	view := c.view(c.types.user)
	groups, err := c.groupsOf(view, []directory.UserID{u.ID})
	if err != nil {
		return answer{}, err
	}
	return c.user(view, u, groups[u.ID])
}

func (c *call) user(view view, u *directory.User, groups []directory.Membership) (answer, error) {
	b, shown, err := view.appendUser(c.buffer, u, groups)
	return answer{status: http.StatusOK, version: shown, body: b}, err
}

// groupsOf reads the groups of users, if they are to be shown.
func (c *call) groupsOf(view view, ids []directory.UserID) (map[directory.UserID][]directory.Membership, error) {
	if len(ids) == 0 || !view.show.shows("groups") {
		return nil, nil
	}
	return c.handler.Store.UserGroups(c.Context(), c.connection.Organization, ids)
}
