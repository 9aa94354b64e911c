package scim

import (
	"net/http"
	"slices"

	"github.com/rolesync/rolesync/internal/directory"
	rolesync "github.com/rolesync/rolesync/sync"
)

// membersShown is how many members a PATCH answers with. A larger group is answered
// with 204, so that a change costs what it changes (RFC 7644 §3.5.2 allows both).
const membersShown = 100

func (h *Handler) createGroup(c *call) (answer, error) {
	body, err := c.json()
	if err != nil {
		return answer{}, err
	}
	asked, err := c.types.group.fromResource(body)
	if err != nil {
		return answer{}, err
	}
	g, err := newGroup(asked, directory.Group{
		ID: directory.NewGroupID(), Organization: c.connection.Organization, Connection: c.connection.ID, Revision: 1,
	})
	if err != nil {
		return answer{}, err
	}
	view := c.view(c.types.group)
	joining := asked.members.additions()
	var members *rolesync.Later[[]directory.MemberID]
	err = c.change(asked, func(tx *rolesync.Tx) error {
		g.CreatedAt, g.ModifiedAt = tx.Now(), tx.Now()
		tx.CreateGroup(g)
		members = nil
		if len(joining) > 0 {
			tx.AddMembers(g.ID, joining)
			members = tx.Members(g.ID, 0)
		}
		return nil
	})
	if err != nil {
		return answer{}, err
	}
	shown, err := c.settled(g.ID, asked, members, 0)
	if err != nil {
		return answer{}, err
	}
	a, err := c.group(view, &g, shown)
	a.status, a.location = http.StatusCreated, view.groupLocation(g.ID)
	return a, err
}

func (h *Handler) getGroup(c *call) (answer, error) {
	id, err := directory.ParseGroupID(c.id())
	if err != nil {
		return answer{}, err
	}
	g, err := h.Store.Group(c.Context(), c.scope(), id)
	if err != nil {
		return answer{}, err
	}
	view := c.view(c.types.group)
	shown := view.version(g.Revision, g.Resource, nil)
	if c.known(shown) {
		return answer{status: http.StatusNotModified, version: shown}, nil
	}
	view.spill = c.spill
	c.w.Header().Set("ETag", shown)
	b, err := view.appendGroup(c.buffer, &g, c.members([]directory.Group{g}).portions(0))
	return answer{status: http.StatusOK, version: shown, body: b}, err
}

// putGroup replaces a group. Members that are not stated are no members any more:
// absent, null and [] say the same (RFC 7643 §2.5).
func (h *Handler) putGroup(c *call) (answer, error) {
	id, err := directory.ParseGroupID(c.id())
	if err != nil {
		return answer{}, err
	}
	body, err := c.json()
	if err != nil {
		return answer{}, err
	}
	asked, err := c.types.group.fromResource(body)
	if err != nil {
		return answer{}, err
	}
	if err := asked.members.without(id); err != nil {
		return answer{}, err
	}
	view := c.view(c.types.group)
	names := asked.members.names()
	var g directory.Group
	var members *rolesync.Later[[]directory.MemberID]
	err = c.change(asked, func(tx *rolesync.Tx) error {
		before, err := tx.Group(id)
		if err != nil {
			return err
		}
		if err := c.matches(before.Revision); err != nil {
			return err
		}
		if g, err = newGroup(asked, before); err != nil {
			return err
		}
		former := tx.Members(id, 0)
		var named map[string][]directory.UserID
		if len(names) > 0 {
			if named, err = tx.UsersNamed(names); err != nil {
				return err
			}
		}
		stated, pending := asked.members.resolved(named)
		if err := tx.ReplaceMembers(id, slices.Concat(stated, pending)); err != nil {
			return err
		}
		var changed bool
		g.ModifiedAt, g.Revision, changed = revised(before.Resource, g.Resource, before.Revision, before.ModifiedAt, tx.Now())
		members = former
		if !same(former.Get(), stated) {
			members = tx.Members(id, 0)
			// Of those stated, some may be nobody: only who is there now says whether
			// the group is another one.
			if err := tx.Flush(); err != nil {
				return err
			}
			if !changed && !slices.Equal(former.Get(), members.Get()) {
				tx.TouchGroup(id)
				g.ModifiedAt, g.Revision = tx.Now(), before.Revision+1
			}
		}
		if changed {
			tx.PutGroup(g)
		}
		return nil
	})
	if err != nil {
		return answer{}, err
	}
	return c.group(view, &g, members.Get())
}

func (h *Handler) patchGroup(c *call) (answer, error) {
	id, err := directory.ParseGroupID(c.id())
	if err != nil {
		return answer{}, err
	}
	body, err := c.json()
	if err != nil {
		return answer{}, err
	}
	asked, err := c.types.group.fromPatch(body)
	if err != nil {
		return answer{}, err
	}
	if err := asked.members.without(id); err != nil {
		return answer{}, err
	}
	view := c.view(c.types.group)
	var g groupLater
	var members *rolesync.Later[[]directory.MemberID]
	err = c.change(asked, func(tx *rolesync.Tx) (err error) {
		if g, err = c.patchAttributes(tx, id, asked); err != nil {
			return err
		}
		if err := changeMembers(tx, id, &asked.members); err != nil {
			return err
		}
		switch members = nil; {
		case view.show.asksFor("members"):
			members = tx.Members(id, 0)
		case view.show.shows("members"):
			members = tx.Members(id, membersShown+1)
		}
		return nil
	})
	if err != nil {
		return answer{}, err
	}
	limit := membersShown + 1
	if view.show.asksFor("members") {
		limit = 0
	}
	shown, err := c.settled(id, asked, members, limit)
	if err != nil {
		return answer{}, err
	}
	group := g.get()
	if limit > 0 && len(shown) > membersShown {
		return answer{status: http.StatusNoContent, version: view.version(group.Revision, group.Resource, nil)}, nil
	}
	return c.group(view, &group, shown)
}

// patchAttributes locks the group and changes its attributes. Its revision is raised
// if one of them changes, or if members are to be changed; in the common case, that
// of members alone, nothing need be read first.
func (c *call) patchAttributes(tx *rolesync.Tx, id directory.GroupID, asked *changes) (groupLater, error) {
	if !asked.members.empty() && len(asked.list) == 0 && c.Header.Get("If-Match") == "" {
		return groupLater{later: tx.TouchGroup(id)}, nil
	}
	before, err := tx.Group(id)
	if err != nil {
		return groupLater{}, err
	}
	if err := c.matches(before.Revision); err != nil {
		return groupLater{}, err
	}
	g, err := patchGroup(asked, before)
	if err != nil {
		return groupLater{}, err
	}
	var changed bool
	g.ModifiedAt, g.Revision, changed = revised(before.Resource, g.Resource, before.Revision, before.ModifiedAt, tx.Now())
	switch {
	case changed:
		tx.PutGroup(g)
	case !asked.members.empty():
		return groupLater{later: tx.TouchGroup(id)}, nil
	}
	return groupLater{now: g}, nil
}

// groupLater is a group that is known now, or will be after the transaction.
type groupLater struct {
	now   directory.Group
	later *rolesync.Later[directory.Group]
}

func (g groupLater) get() directory.Group {
	if g.later != nil {
		return g.later.Get()
	}
	return g.now
}

func changeMembers(tx *rolesync.Tx, id directory.GroupID, m *memberChange) error {
	if m.contradictory() {
		named, err := tx.UsersNamed(m.names())
		if err != nil {
			return err
		}
		m = m.identified(named)
	}
	if m.replaced {
		return tx.ReplaceMembers(id, m.additions())
	}
	tx.RemoveMembers(id, m.removals())
	tx.AddMembers(id, m.additions())
	return nil
}

func (h *Handler) deleteGroup(c *call) (answer, error) {
	id, err := directory.ParseGroupID(c.id())
	if err != nil {
		return answer{}, err
	}
	err = c.change(nil, func(tx *rolesync.Tx) error {
		g, err := tx.Group(id)
		if err != nil {
			return err
		}
		if err := c.matches(g.Revision); err != nil {
			return err
		}
		return tx.DeleteGroup(id)
	})
	return answer{status: http.StatusNoContent}, err
}

// settled returns the members of a group after a change, at most limit; 0 is all. What
// was named by userName or externalId is resolved at the end of the transaction, after
// members was read there: then they are read again. Without members, none are shown.
func (c *call) settled(id directory.GroupID, asked *changes, members *rolesync.Later[[]directory.MemberID], limit int) ([]directory.MemberID, error) {
	if members == nil {
		return nil, nil
	}
	if len(asked.members.names()) == 0 {
		return members.Get(), nil
	}
	return c.handler.Store.Members(c.Context(), c.connection.Organization, id, limit)
}

func (c *call) group(view view, g *directory.Group, ids []directory.MemberID) (answer, error) {
	b, err := view.appendGroup(c.buffer, g, whole(ids))
	return answer{status: http.StatusOK, version: view.version(g.Revision, g.Resource, nil), body: b}, err
}
