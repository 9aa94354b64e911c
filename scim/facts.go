package scim

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
)

// maxIndexed bounds, in bytes, the attributes that are kept in an index of their own:
// PostgreSQL refuses an index row above 2,704 bytes, and folding can triple a name.
const maxIndexed = 512

// newUser makes a user of a body of POST. A user is active unless it says otherwise.
func newUser(c *changes, u directory.User) (directory.User, error) {
	r := c.of.empty()
	if err := r.apply(c, nil); err != nil {
		return u, err
	}
	if active := r.node("active"); !active.set {
		*active = node{set: true, text: "true"}
	}
	return r.user(u)
}

// putUser returns u as a body of PUT states it: what is not stated is cleared, but
// for what is immutable, and for active, which stay as they were. A PUT that does not
// mention active gives nobody back what a deactivation took.
func putUser(c *changes, u directory.User) (directory.User, error) {
	former, err := c.of.decode(u.Resource)
	if err != nil {
		return u, err
	}
	r := c.of.empty()
	if err := r.apply(c, former); err != nil {
		return u, err
	}
	if active := r.node("active"); !active.set {
		*active = *former.node("active")
	}
	return r.user(u)
}

// patchUser returns u with a body of PATCH carried out.
func patchUser(c *changes, u directory.User) (directory.User, error) {
	r, err := c.of.patched(c, u.Resource)
	if err != nil {
		return u, err
	}
	return r.user(u)
}

// user returns u with this resource. An account whose active attribute was removed is
// not active: what is in doubt gives nothing.
func (r *resource) user(u directory.User) (directory.User, error) {
	u.ExternalID = r.node("externalId").text
	u.UserName = r.node("userName").text
	u.DisplayName = r.node("displayName").text
	u.Email = r.email()
	u.Active = r.node("active").text == "true"
	u.Resource = r.encode()
	return u, bounded(u.Resource, "externalId", u.ExternalID, "userName", u.UserName, "displayName", u.DisplayName, "emails.value", u.Email)
}

// email returns the address that stands for the user: the primary one, else the one
// of type work, else the first.
func (r *resource) email() string {
	a := r.of.attributes.find("emails")
	best, rank := "", 0
	for i := range r.nodes[a.index].parts {
		e := &r.nodes[a.index].parts[i]
		this := 1
		switch {
		case e.part(a.primary) == "true":
			this = 3
		case strings.EqualFold(e.part(a.typ), "work"):
			this = 2
		}
		if address := e.part(a.value); address != "" && this > rank {
			best, rank = address, this
		}
	}
	return best
}

// newGroup makes a group of a body of POST; for PUT, g is the group as it was. Both
// state the whole.
func newGroup(c *changes, g directory.Group) (directory.Group, error) {
	r := c.of.empty()
	former, err := c.of.former(g.Resource)
	if err != nil {
		return g, err
	}
	if err := r.apply(c, former); err != nil {
		return g, err
	}
	return r.group(g)
}

// patchGroup returns g with the attribute changes of a body of PATCH carried out.
func patchGroup(c *changes, g directory.Group) (directory.Group, error) {
	r, err := c.of.patched(c, g.Resource)
	if err != nil {
		return g, err
	}
	return r.group(g)
}

func (r *resource) group(g directory.Group) (directory.Group, error) {
	g.ExternalID = r.node("externalId").text
	g.DisplayName = r.node("displayName").text
	g.Resource = r.encode()
	return g, bounded(g.Resource, "externalId", g.ExternalID, "displayName", g.DisplayName)
}

// patched returns the stored resource with a body of PATCH carried out.
func (rt *resourceType) patched(c *changes, stored json.RawMessage) (*resource, error) {
	r, err := rt.decode(stored)
	if err != nil {
		return nil, err
	}
	former, err := rt.former(stored)
	if err != nil {
		return nil, err
	}
	return r, r.apply(c, former)
}

// former returns the stored resource, for apply to hold what is immutable; nil when
// there is nothing to hold.
func (rt *resourceType) former(stored json.RawMessage) (*resource, error) {
	if !rt.fixed || stored == nil {
		return nil, nil
	}
	return rt.decode(stored)
}

// maxResource bounds a user or group as it is stored, in bytes: a list holds up to
// maxCount of them in memory.
const maxResource = 64 << 10

// bounded checks a resource, and pairs of an attribute's name and its value.
func bounded(resource []byte, pairs ...string) error {
	if len(resource) > maxResource {
		return fault.New(fault.TooLarge, "the resource has %d bytes; at most %d are kept", len(resource), maxResource)
	}
	for i := 0; i < len(pairs); i += 2 {
		if len(pairs[i+1]) > maxIndexed {
			return invalidValue("%s is longer than %d bytes: %s", pairs[i], maxIndexed, quote(pairs[i+1]))
		}
	}
	return nil
}

// revised returns the time and revision of a changed resource, and whether it did
// change: a request that states what is so already leaves both as they were.
func revised(before, after []byte, revision int64, modified, now time.Time) (time.Time, int64, bool) {
	if bytes.Equal(before, after) {
		return modified, revision, false
	}
	return now, revision + 1, true
}
