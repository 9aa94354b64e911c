package scim

import "strings"

// searchURN is the schema of the body of a search, RFC 7644 §3.4.3.
const searchURN = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"

// searched has a list answer a search: what GET has in its query string, POST /.search
// has in its body, where nobody logs it.
func searched(list func(*call) (answer, error)) func(*call) (answer, error) {
	return func(c *call) (answer, error) {
		body, err := c.json()
		if err != nil {
			return answer{}, err
		}
		if err := c.strictMessage(body, searchURN); err != nil {
			return answer{}, err
		}
		if c.query, err = searchRequest(body); err != nil {
			return answer{}, err
		}
		return list(c)
	}
}

// searchRequest reads the body of a search. Lists of attributes may be arrays or, as in
// a query string, separated by commas; null is absent; what is unknown means nothing.
func searchRequest(body value) (query, error) {
	var q query
	if body.kind != object {
		return q, invalidSyntax("the body must be an object, not %s", body.kind)
	}
	for _, m := range body.items {
		into := q.parameter(m.name)
		if into == nil || m.value.kind == null {
			continue
		}
		switch into {
		case &q.filter:
			q.filtered = true
		case &q.cursor:
			q.paged = true
		}
		switch v := m.value; {
		case v.kind == text || v.kind == number:
			*into = v.text
		case v.kind == array && (into == &q.attributes || into == &q.excluded):
			names := make([]string, 0, len(v.items))
			for _, item := range v.items {
				if item.value.kind != text {
					return q, invalidValue("%s is a list of names, which %s is not", m.name, describe(item.value))
				}
				names = append(names, item.value.text)
			}
			*into = strings.Join(names, ",")
		default:
			return q, invalidValue("%s cannot be %s", m.name, describe(v))
		}
	}
	return q, q.bounded()
}

// searchAll answers a search at the root: of users, then of groups. An attribute that
// one of the types lacks is unset there (RFC 7644 §3.4.2.1); one that both lack is an
// invalidFilter.
func (h *Handler) searchAll(c *call) (answer, error) {
	q := c.query
	w, err := q.window("/")
	if err != nil {
		return answer{}, err
	}
	known := 0
	ofUsers, err := newSelection(c.types.user, q, func() { known++ })
	if err != nil {
		return answer{}, err
	}
	ofGroups, err := newSelection(c.types.group, q, func() { known++ })
	if err != nil {
		return answer{}, err
	}
	if q.filtered && known == 0 {
		return answer{}, invalidFilter("the filter %s names no attribute that users or groups have", quote(q.filter))
	}
	ofUsers.query = q.fingerprint("/")
	ofGroups.query = ofUsers.query

	l := listing{window: w}
	first := w
	if w.after != nil && w.after.Endpoint == c.types.group.endpoint {
		first.limit = 0 // the users have been shown; only their number is asked for
		first.after = nil
	}
	users, err := take(c, c.userShelf(), ofUsers, first)
	if err != nil {
		return answer{}, err
	}
	second := window{offset: max(0, w.offset-users.total), limit: w.limit - len(users.items)}
	switch {
	case w.after == nil:
	case w.after.Endpoint == c.types.group.endpoint:
		second = w
	case users.next != "":
		second.limit = 0
	default:
		second.after = &cursor{}
	}
	groups, err := take(c, c.groupShelf(), ofGroups, second)
	if err != nil {
		return answer{}, err
	}
	l.users, l.groups, l.total, l.next = users.items, groups.items, users.total+groups.total, users.next
	switch {
	case l.next != "" || w.after == nil:
	case groups.next != "":
		l.next = groups.next
	case len(groups.items) == 0 && len(users.items) > 0 && groups.total > 0:
		// The page ends with the last user: what follows begins with the first group.
		l.next = cursor{Query: ofGroups.query, Endpoint: c.types.group.endpoint}.String()
	}
	return c.answerList(l)
}
