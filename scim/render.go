package scim

import (
	"hash/fnv"
	"strconv"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
)

// view renders resources for one request.
type view struct {
	base string // the absolute URL of the connection, without a slash at its end
	show projection

	// spill, unless nil, sends what is appended so far, if that is much, and returns
	// what is to be appended to.
	spill func([]byte) ([]byte, error)
}

func (v view) spilled(b []byte) ([]byte, error) {
	if v.spill == nil || len(b) < chunk {
		return b, nil
	}
	return v.spill(b)
}

func (v view) userLocation(id directory.UserID) string   { return v.base + "/Users/" + string(id) }
func (v view) groupLocation(id directory.GroupID) string { return v.base + "/Groups/" + string(id) }

// version is the ETag of a revision, RFC 7644 §3.14: weak, since the same resource
// can be shown in several ways.
func version(revision int64) string { return `W/"` + strconv.FormatInt(revision, 10) + `"` }

// version is the ETag of what is shown. The groups of a user change without a change of
// the user, and an organization's own schemas without one of its resources: where there
// are such, a digest of them follows the revision, `W/"7.1x4q0"`.
func (v view) version(revision int64, document, groups []byte) string {
	own := v.show.of.version > 0 && !v.show.of.isPlain(document)
	if len(groups) == 0 && !own {
		return version(revision)
	}
	digest := fnv.New64a()
	_, _ = digest.Write(groups) // never fails
	if own {
		_, _ = digest.Write(strconv.AppendInt(nil, v.show.of.version, 10)) // likewise
	}
	return `W/"` + strconv.FormatInt(revision, 10) + "." + strconv.FormatUint(digest.Sum64(), 36) + `"`
}

// appendUser appends a user with the groups that it is a member of, and returns the
// version of what is shown.
func (v view) appendUser(b []byte, u *directory.User, groups []directory.Membership) (_ []byte, shown string, err error) {
	b, err = v.show.appendResource(b, u.Resource)
	if err != nil {
		return b, "", err
	}
	b = append(b, `,"id":"`...)
	b = append(append(b, u.ID...), '"')
	before := len(b)
	if v.show.shows("groups") {
		b = v.appendGroups(b, u, groups)
	}
	shown = v.version(u.Revision, u.Resource, b[before:])
	b = v.appendMeta(b, v.show.of, string(u.ID), u.CreatedAt, u.ModifiedAt, shown)
	return append(b, '}'), shown, nil
}

// appendGroups appends the groups of a user that its own connection has stated, and those
// that it is in through nested ones, as indirect (RFC 7643 §4.1.2).
func (v view) appendGroups(b []byte, u *directory.User, groups []directory.Membership) []byte {
	separator := `,"groups":[`
	for i := range groups {
		if groups[i].Connection != u.Connection {
			continue
		}
		b = append(append(b, separator...), `{"value":"`...)
		b = append(b, groups[i].Group...)
		b = v.appendReference(b, "/Groups/", string(groups[i].Group))
		b = appendString(append(b, `,"display":`...), groups[i].DisplayName)
		kind := `,"type":"direct"}`
		if groups[i].Via != "" {
			kind = `,"type":"indirect"}`
		}
		b = append(b, kind...)
		separator = ","
	}
	if separator == "," {
		b = append(b, ']')
	}
	return b
}

// portions calls each with the members of a group, one portion after the other.
type portions func(each func([]directory.MemberID) error) error

// whole is the one portion that was read already.
func whole(members []directory.MemberID) portions {
	return func(each func([]directory.MemberID) error) error { return each(members) }
}

// appendGroup appends a group; members are asked for and shown if the projection
// shows them.
func (v view) appendGroup(b []byte, g *directory.Group, members portions) ([]byte, error) {
	b, err := v.show.appendResource(b, g.Resource)
	if err != nil {
		return b, err
	}
	b = append(b, `,"id":"`...)
	b = append(append(b, g.ID...), '"')
	if v.show.shows("members") {
		b = append(b, `,"members":[`...)
		separator := ""
		err := members(func(ids []directory.MemberID) (err error) {
			for _, id := range ids {
				b = append(append(append(b, separator...), `{"value":"`...), id...)
				endpoint, kind := "/Users/", `,"type":"User"}`
				if id.IsGroup() {
					endpoint, kind = "/Groups/", `,"type":"Group"}`
				}
				b = v.appendReference(b, endpoint, string(id))
				b = append(b, kind...)
				separator = ","
				if b, err = v.spilled(b); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return b, err
		}
		b = append(b, ']')
	}
	b = v.appendMeta(b, v.show.of, string(g.ID), g.CreatedAt, g.ModifiedAt, v.version(g.Revision, g.Resource, nil))
	return append(b, '}'), nil
}

// appendReference closes a "value" and appends the "$ref" that goes with it. Ids hold
// nothing that JSON would escape, nor does the base, which Handler.base has seen to.
func (v view) appendReference(b []byte, endpoint, id string) []byte {
	b = append(append(b, `","$ref":"`...), v.base...)
	b = append(append(b, endpoint...), id...)
	return append(b, '"')
}

func (v view) appendMeta(b []byte, rt *resourceType, id string, created, modified time.Time, version string) []byte {
	if !v.show.shows("meta") {
		return b
	}
	b = append(append(b, `,"meta":{"resourceType":"`...), rt.name...)
	b = created.AppendFormat(append(b, `","created":"`...), time.RFC3339Nano)
	b = modified.AppendFormat(append(b, `","lastModified":"`...), time.RFC3339Nano)
	b = append(append(b, `","location":"`...), v.base...)
	b = append(append(b, rt.endpoint...), '/')
	b = appendString(append(append(b, id...), `","version":`...), version)
	return append(b, '}')
}

// listHead is what a list response says of itself, RFC 7644 §3.4.2 and RFC 9865 §2.2.
type listHead struct {
	total      int
	startIndex int    // 0: the page was asked for by cursor
	next       string // the cursor of the page that follows; "" at the end
	count      int
}

// appendList appends a list response; each appends one resource.
func (v view) appendList(b []byte, head listHead, each func(b []byte, i int) ([]byte, error)) (_ []byte, err error) {
	b = append(b, `{"schemas":["`+listURN+`"],"totalResults":`...)
	b = strconv.AppendInt(b, int64(head.total), 10)
	if head.startIndex > 0 {
		b = strconv.AppendInt(append(b, `,"startIndex":`...), int64(head.startIndex), 10)
	}
	b = strconv.AppendInt(append(b, `,"itemsPerPage":`...), int64(head.count), 10)
	if head.next != "" {
		b = append(append(append(b, `,"nextCursor":"`...), head.next...), '"')
	}
	b = append(b, `,"Resources":[`...)
	for i := range head.count {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = each(b, i); err != nil {
			return b, err
		}
		if b, err = v.spilled(b); err != nil {
			return b, err
		}
	}
	return append(b, "]}"...), nil
}
