package sync_test

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/rolesync/rolesync/internal/directory"
	rolesync "github.com/rolesync/rolesync/sync"
)

// What SAML adds to the model and to the machine.

var (
	addresses   = rapid.SampledFrom([]string{"", "", "anna@x.com", "BERT@x.com", "erna@x.com", "dora@y.com"})
	subjects    = rapid.SampledFrom([]string{"s1", "s2", "s3", "S1"})
	facts       = rapid.SampledFrom([]directory.GroupFact{directory.Stated, directory.Stated, directory.Empty, directory.Absent, directory.Partial})
	authorities = rapid.SampledFrom([]directory.Authority{directory.AuthorityAuto, directory.AuthoritySCIM, directory.AuthoritySAML, directory.AuthorityUnion})
)

// counts says whose groups do.
func (m *model) counts() (scim, saml bool) {
	switch m.authority {
	case directory.AuthorityAuto:
		return m.scimGroups, !m.scimGroups
	case directory.AuthoritySCIM:
		return true, false
	case directory.AuthoritySAML:
		return false, true
	}
	return true, true
}

// which returns the users that are there for whom it holds.
func (m *model) which(holds func(*modelUser) bool) (ids []directory.UserID) {
	for id, u := range m.users {
		if !u.deleted && holds(u) {
			ids = append(ids, id)
		}
	}
	return ids
}

func same(a, b string) bool { return b != "" && directory.Fold(a) == directory.Fold(b) }

// adoptable returns whom SCIM adopts when it creates a user; "" for nobody.
func (m *model) adoptable(u directory.User) directory.UserID {
	for _, ids := range [][]directory.UserID{
		m.which(func(x *modelUser) bool { return x.saml && same(x.userName, u.UserName) }),
		m.which(func(x *modelUser) bool { return x.saml && u.ExternalID != "" && x.externalID == u.ExternalID }),
		m.which(func(x *modelUser) bool { return x.saml && (same(x.userName, u.Email) || same(x.email, u.Email)) }),
	} {
		if len(ids) == 1 {
			return ids[0]
		}
	}
	return ""
}

// find returns who an unknown subject is, "" for nobody.
func (m *model) find(l rolesync.Login) (directory.UserID, rolesync.Refusal) {
	userName := cmp.Or(l.UserName, l.Email, l.Subject)
	if ids := m.which(func(x *modelUser) bool { return !x.saml && l.ExternalID != "" && x.externalID == l.ExternalID }); len(ids) == 1 {
		return m.within(ids[0], l)
	}
	for _, ids := range [][]directory.UserID{
		m.which(func(x *modelUser) bool { return same(x.userName, userName) }),
		m.which(func(x *modelUser) bool { return same(x.userName, l.Email) }),
		m.which(func(x *modelUser) bool { return same(x.email, l.Email) }),
	} {
		if len(ids) == 0 {
			continue
		}
		if len(ids) > 1 {
			return "", rolesync.UserConflict
		}
		x := m.users[ids[0]]
		if !x.saml {
			return m.within(ids[0], l)
		}
		if !(speaks(l, l.Email) && len(l.Domains) > 0 && (same(x.userName, l.Email) || same(x.email, l.Email))) {
			return "", rolesync.UserConflict
		}
		return ids[0], ""
	}
	if m.scimUsers || !l.JustInTime {
		return "", rolesync.UserUnknown
	}
	return "", ""
}

// speaks reports whether the connection of a login may speak for an address.
func speaks(l rolesync.Login, address string) bool {
	return len(l.Domains) == 0 || strings.HasSuffix(strings.ToLower(address), "@"+l.Domains[0])
}

// within returns a user of SCIM, unless the connection may not speak for such a person.
func (m *model) within(id directory.UserID, l rolesync.Login) (directory.UserID, rolesync.Refusal) {
	if x := m.users[id]; !speaks(l, cmp.Or(x.email, x.userName)) {
		return "", rolesync.UserConflict
	}
	return id, ""
}

func (m *machine) Login(r *rapid.T) {
	l := login(subjects.Draw(r, "subject"), rapid.SliceOfN(groupNames, 0, 3).Draw(r, "groups")...)
	l.UserName, l.Email, l.GivenName = rapid.OneOf(rapid.Just(""), userNames).Draw(r, "userName"), addresses.Draw(r, "email"), ""
	l.ExternalID, l.Fact = externalIDs.Draw(r, "externalId"), facts.Draw(r, "fact")
	l.JustInTime = rapid.IntRange(0, 4).Draw(r, "just in time") > 0
	if rapid.Bool().Draw(r, "with domains") {
		l.Domains = []string{"x.com"}
	}

	id, known := m.model.subjects[l.Subject]
	var want rolesync.Refusal
	if !known {
		id, want = m.model.find(l)
	}
	created := id == "" && want == ""
	if id != "" && !m.model.users[id].active {
		want = rolesync.UserInactive
	}
	in, err := m.sso.tryIn(l)
	if err != nil || in.Refused != want {
		r.Fatalf("Login = %q, %v; want %q", in.Refused, err, want)
	}
	if again, err := m.sso.tryIn(l); err != nil || again.Refused != rolesync.Replayed {
		r.Fatalf("Login once more = %q, %v", again.Refused, err)
	}
	if want != "" {
		return
	}
	if in.Created != created || in.Linked != (!known && !created) || !created && in.User.ID != id {
		r.Fatalf("Login found %s, created %v, linked %v; want %s, %v, %v", in.User.ID, in.Created, in.Linked, id, created, !known && !created)
	}
	id = in.User.ID
	if created {
		m.model.users[id] = &modelUser{saml: true, active: true, userName: cmp.Or(l.UserName, l.Email, l.Subject), groups: map[string]bool{}}
	}
	m.model.subjects[l.Subject] = id
	u := m.model.users[id]
	if u.saml {
		if name := cmp.Or(l.UserName, u.userName); !m.taken(id, name) {
			u.userName = name
		}
		u.email, u.externalID = cmp.Or(l.Email, u.email), cmp.Or(l.ExternalID, u.externalID)
	}
	if l.Fact == directory.Stated || l.Fact == directory.Empty {
		clear(u.groups)
	}
	if l.Fact == directory.Stated {
		for _, name := range l.Groups {
			u.groups[directory.Fold(name)] = true
		}
	}
	if roles := m.model.roles(id); !slices.Equal(in.Assignment.Roles, roles) {
		r.Fatalf("Login gives %v, want %v", in.Assignment.Roles, roles)
	}
}

func (m *machine) SignOut(r *rapid.T) {
	subject := pickFrom(r, "subject", slices.Sorted(maps.Keys(m.model.subjects)))
	id, err := m.sso.SignOut(r.Context(), m.sso.by, subject, login("").Message, directory.Now())
	if err != nil || id != m.model.subjects[subject] {
		r.Fatalf("SignOut(%s) = %s, %v; want %s", subject, id, err, m.model.subjects[subject])
	}
	m.model.users[id].version++
	m.model.users[id].epochs++
}

func (m *machine) SetAuthority(r *rapid.T) {
	m.model.authority = authorities.Draw(r, "authority")
	if err := m.Engine.SetAuthority(r.Context(), m.by, m.model.authority); err != nil {
		r.Fatal(err)
	}
	m.workOff(r)
}

// checkStated compares the groups that logins stated.
func (m *machine) checkStated(r *rapid.T) {
	found, err := m.Store.Subjects(r.Context(), m.by.Organization, slices.Collect(maps.Keys(m.model.users)))
	if err != nil {
		r.Fatal(err)
	}
	for _, s := range found {
		stated := map[string]bool{}
		for _, g := range s.Facts.Groups {
			if g.Kind == directory.SAML {
				stated[directory.Fold(g.DisplayName)] = true
			}
		}
		if u := m.model.users[s.Facts.User.ID]; !maps.Equal(stated, u.groups) || s.Facts.User.Email != u.email || s.Facts.User.UserName != u.userName {
			r.Fatalf("%s (%s, %s) is in %v; want %+v", s.Facts.User.ID, s.Facts.User.UserName, s.Facts.User.Email, stated, u)
		}
	}
}
