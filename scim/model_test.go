package scim_test

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// model is one connection as plain maps: what SEMANTICS and the package's documentation
// promise, kept the obvious way. It knows nothing of JSON: a request reaches it as what
// its sender wants, so it says the same in every dialect.
type model struct {
	users  map[string]*modelUser // by id, those that were deleted too
	groups map[string]*modelGroup
	roles  map[string]string // by the folded name of a group
}

type modelUser struct {
	attributes map[string]string // by path; what is unset is not there
	emails     []modelEmail
	version    int
	deleted    bool
}

type modelEmail struct {
	Type    string `json:"type"`
	Value   string `json:"value"`
	Primary string `json:"primary,omitempty"` // "true", "false" or unset
}

type modelGroup struct {
	attributes       map[string]string
	members, pending map[string]bool
	version          int
	deleted          bool
}

// intent is what the sender of a request wants. Who is meant is said by ids.
type intent struct {
	do          string
	id          string            // of what is to be changed; of what was created
	set         map[string]string // attributes; "" unsets
	emails      []modelEmail
	join, leave []string
	ifMatch     string // a version, "*" or nothing
}

func modelFold(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// refuses returns the statuses that a request may be refused with, none if it is to be
// carried out. RFC 7644 does not say which of several faults is named.
func (m *model) refuses(i intent) (faults []int) {
	name := "userName"
	if i.ofGroup() {
		name = "displayName"
	}
	version, attributes, found := m.find(i)
	creates, states := strings.HasPrefix(i.do, "post "), strings.HasPrefix(i.do, "put ")
	if !creates && !found {
		faults = append(faults, 404)
	}
	if found && !creates && i.ifMatch != "" && i.ifMatch != "*" && i.ifMatch != strconv.Itoa(version) {
		faults = append(faults, 412)
	}
	if states || creates {
		attributes = nil
	}
	wanted, said := i.set[name]
	if !said {
		wanted = attributes[name]
	}
	if modelFold(wanted) == "" && (said || states || creates) {
		return append(faults, 400)
	}
	if m.taken(i, name, wanted) {
		faults = append(faults, 409)
	}
	return faults
}

func (i intent) ofGroup() bool { return strings.Contains(i.do, "group") }

func (m *model) find(i intent) (version int, attributes map[string]string, found bool) {
	if u := m.users[i.id]; !i.ofGroup() && u != nil && !u.deleted {
		return u.version, u.attributes, true
	}
	if g := m.groups[i.id]; i.ofGroup() && g != nil && !g.deleted {
		return g.version, g.attributes, true
	}
	return 0, nil, false
}

// taken reports whether another resource of the kind has the name that is wanted.
func (m *model) taken(i intent, attribute, name string) bool {
	same := func(id string, attributes map[string]string, deleted bool) bool {
		another := id != i.id || strings.HasPrefix(i.do, "post ")
		return another && !deleted && modelFold(attributes[attribute]) == modelFold(name)
	}
	if strings.HasPrefix(i.do, "delete ") || name == "" {
		return false
	}
	for id, u := range m.users {
		if !i.ofGroup() && same(id, u.attributes, u.deleted) {
			return true
		}
	}
	for id, g := range m.groups {
		if i.ofGroup() && same(id, g.attributes, g.deleted) {
			return true
		}
	}
	return false
}

// carryOut does what refuses has nothing against.
func (m *model) carryOut(i intent) {
	if i.ofGroup() {
		m.changeGroup(i)
		return
	}
	var before map[string]string
	if u := m.users[i.id]; u != nil {
		before = maps.Clone(u.attributes)
	}
	m.changeUser(i)
	m.appear(i.id, before)
}

// appear has a user join the groups that wait for one of the user's new names. Who
// shares an externalId with others is not meant by it.
func (m *model) appear(id string, before map[string]string) {
	u := m.users[id]
	externalID, userName := u.attributes["externalId"], u.attributes["userName"]
	renamed := modelFold(userName) != modelFold(before["userName"])
	for _, g := range m.groups {
		waits := len(g.pending)
		for value := range g.pending {
			if value == externalID && externalID != before["externalId"] && len(m.named(value)) == 1 || renamed && modelFold(value) == modelFold(userName) {
				g.members[id] = true
				delete(g.pending, value)
			}
		}
		if len(g.pending) < waits {
			g.version++
		}
	}
}

func (m *model) changeUser(i intent) {
	u := m.users[i.id]
	if i.do == "post user" {
		u = &modelUser{attributes: map[string]string{"active": "true"}}
		m.users[i.id] = u
	}
	attributes, emails := maps.Clone(u.attributes), slices.Clone(u.emails)
	var typ string // of the address that is meant, if it is one
	if len(i.emails) > 0 {
		typ = i.emails[0].Type
	}
	ofType := func(e modelEmail) bool { return e.Type == typ }
	switch i.do {
	case "post user", "put user":
		// Who does not say whether a user is active leaves it as it was.
		u.attributes, u.emails = map[string]string{}, nil
		set(u.attributes, map[string]string{"active": attributes["active"]})
		if i.set["active"] != "" {
			u.attributes["active"] = i.set["active"]
		}
		i.set = maps.Clone(i.set)
		delete(i.set, "active")
		u.addEmails(i.emails)
	case "add emails":
		u.addEmails(i.emails)
	case "replace emails":
		u.emails = nil
		u.addEmails(i.emails)
	case "set email": // the one of a type, which may be missing
		if !slices.ContainsFunc(u.emails, ofType) {
			u.emails = append(u.emails, modelEmail{Type: typ})
		}
		for n := range u.emails {
			if ofType(u.emails[n]) {
				u.emails[n].Value = i.emails[0].Value
			}
		}
		u.emails = slices.DeleteFunc(u.emails, func(e modelEmail) bool { return e.Value == "" })
	case "make email primary": // each of that type, so the first of them
		for n := range u.emails {
			if ofType(u.emails[n]) {
				u.emails[n].Primary = "true"
			}
		}
		u.makePrimary(slices.IndexFunc(u.emails, ofType))
	case "remove email":
		u.emails = slices.DeleteFunc(u.emails, ofType)
	case "remove emails":
		u.emails = nil
	case "delete user":
		u.deleted = true
		for _, g := range m.groups {
			if g.members[i.id] {
				delete(g.members, i.id)
				g.version++
			}
		}
		return
	}
	set(u.attributes, i.set)
	if i.do == "post user" || !maps.Equal(attributes, u.attributes) || !slices.Equal(emails, u.emails) {
		u.version++
	}
}

func set(attributes, values map[string]string) {
	for path, value := range values {
		if attributes[path] = value; value == "" {
			delete(attributes, path)
		}
	}
}

// addEmails adds to the list; what is there already, by type and value, is not added
// again. The first of those stated that is primary then is the only one.
func (u *modelUser) addEmails(list []modelEmail) {
	var stated []int
	for _, e := range list {
		n := slices.IndexFunc(u.emails, func(old modelEmail) bool { return old.Type == e.Type && old.Value == e.Value })
		if n < 0 {
			n = len(u.emails)
			u.emails = append(u.emails, e)
		}
		if e.Primary != "" {
			u.emails[n].Primary = e.Primary
		}
		stated = append(stated, n)
	}
	if n := slices.IndexFunc(stated, func(n int) bool { return u.emails[n].Primary == "true" }); n >= 0 {
		u.makePrimary(stated[n])
	}
}

func (u *modelUser) makePrimary(n int) {
	for other := range u.emails {
		switch {
		case n < 0:
		case other == n:
			u.emails[n].Primary = "true"
		case u.emails[other].Primary == "true":
			u.emails[other].Primary = "false"
		}
	}
}

func (m *model) changeGroup(i intent) {
	g := m.groups[i.id]
	if i.do == "post group" {
		g = &modelGroup{members: map[string]bool{}, pending: map[string]bool{}}
		m.groups[i.id] = g
	}
	attributes, members := maps.Clone(g.attributes), maps.Clone(g.members)
	touched := len(i.join)+len(i.leave) > 0 && i.do != "put group"
	leave := func() {
		for _, value := range i.leave {
			m.leave(g, value)
		}
	}
	switch i.do {
	case "delete group":
		g.deleted = true
		clear(g.members)
		clear(g.pending)
		return
	case "post group", "put group":
		g.attributes = map[string]string{}
		clear(g.members)
		clear(g.pending)
	case "replace members of group", "remove all members of group":
		touched = true
		clear(g.members)
		clear(g.pending)
	case "patch group":
		leave()
	}
	for _, value := range i.join {
		if ids := m.named(value); len(ids) == 1 {
			g.members[ids[0]] = true
		} else {
			g.pending[value] = true
		}
	}
	if i.do == "patch group backwards" {
		leave()
	}
	set(g.attributes, i.set)
	// A PATCH of members always raises the version, a PUT when it changes something.
	if i.do == "post group" || touched || !maps.Equal(attributes, g.attributes) || !maps.Equal(members, g.members) {
		g.version++
	}
}

func (m *model) leave(g *modelGroup, value string) {
	delete(g.pending, value)
	for _, id := range m.named(value) {
		delete(g.members, id)
	}
}

// named returns the users whom a provider means: by id, else by externalId, which
// several may share, else by userName.
func (m *model) named(value string) (ids []string) {
	for _, is := range []func(string, *modelUser) bool{
		func(id string, _ *modelUser) bool { return id == value },
		func(_ string, u *modelUser) bool { return u.attributes["externalId"] == value },
		func(_ string, u *modelUser) bool { return modelFold(u.attributes["userName"]) == modelFold(value) },
	} {
		for id, u := range m.users {
			if !u.deleted && is(id, u) {
				ids = append(ids, id)
			}
		}
		if len(ids) > 0 {
			return ids
		}
	}
	return nil
}

// rolesOf is what the rules give a user.
func (m *model) rolesOf(id string) []string {
	u := m.users[id]
	if u.deleted || u.attributes["active"] != "true" {
		return []string{}
	}
	roles := []string{}
	for _, g := range m.groups {
		if role := m.roles[modelFold(g.attributes["displayName"])]; role != "" && g.members[id] && !slices.Contains(roles, role) {
			roles = append(roles, role)
		}
	}
	if len(roles) == 0 {
		return []string{"member"}
	}
	slices.Sort(roles)
	return roles
}
