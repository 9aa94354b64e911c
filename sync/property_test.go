package sync_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/mapping"
	rolesync "github.com/rolesync/rolesync/sync"
)

// model is a directory as plain maps: what the engine keeps in SQL, kept the obvious way.
type model struct {
	users  map[directory.UserID]*modelUser
	groups map[directory.GroupID]*modelGroup
	rules  map[string]mapping.RoleKey // role by group name
	expand bool                       // nested groups count
	gone   []directory.GroupID        // groups that were deleted

	subjects   map[string]directory.UserID // of the SAML connection
	authority  directory.Authority
	scimGroups bool // SCIM has pushed one
	scimUsers  bool // SCIM has created one
}

type modelUser struct {
	userName, externalID, email string
	active, deleted             bool

	saml   bool            // who made it, and owns it
	groups map[string]bool // that logins stated, folded

	stated          string // what the last version said, as the model sees it
	wasActive       bool   // in it
	version, epochs int64
}

type modelGroup struct {
	name    string
	members map[directory.UserID]bool
	nested  map[directory.GroupID]bool
	pending map[string]bool

	shown    string // what a provider sees of it
	revision int64  // at that time
}

// list is the members of a group in order.
func (g *modelGroup) list() []directory.MemberID {
	list := []directory.MemberID{}
	for id := range g.nested {
		list = append(list, directory.MemberID(id))
	}
	for id := range g.members {
		list = append(list, directory.MemberID(id))
	}
	slices.Sort(list)
	return list
}

// named returns whom a value of SCIM means: several, when they share it as their
// externalId.
func (m *model) named(value string) (ids []directory.UserID) {
	for id, u := range m.users {
		if !u.deleted && !u.saml && (string(id) == value || u.externalID == value && value != "") {
			ids = append(ids, id)
		}
	}
	for id, u := range m.users {
		if len(ids) == 0 && !u.deleted && !u.saml && directory.Fold(u.userName) == directory.Fold(value) {
			return []directory.UserID{id}
		}
	}
	return ids
}

func (m *model) add(g *modelGroup, value string) {
	if other, ok := m.groups[directory.GroupID(value)]; ok {
		if other != g {
			g.nested[directory.GroupID(value)] = true
		}
	} else if ids := m.named(value); len(ids) == 1 {
		g.members[ids[0]] = true
	} else {
		g.pending[value] = true
	}
}

func (m *model) remove(g *modelGroup, value string) {
	for _, id := range m.named(value) {
		delete(g.members, id)
	}
	delete(g.nested, directory.GroupID(value))
	delete(g.pending, value)
}

// appeared lets a user join the groups that wait for it under a name that is new.
func (m *model) appeared(id directory.UserID, userName, externalID string) {
	for _, g := range m.groups {
		for value := range g.pending {
			own := value == externalID && externalID != "" && len(m.named(externalID)) == 1
			if own || userName != "" && directory.Fold(value) == directory.Fold(userName) && !m.means(value, id) {
				g.members[id] = true
				delete(g.pending, value)
			}
		}
	}
}

// means reports whether a value is the externalId of another user than one: then it waits,
// be it that one's userName.
func (m *model) means(value string, but directory.UserID) bool {
	return slices.ContainsFunc(m.named(value), func(id directory.UserID) bool { return id != but && m.users[id].externalID == value })
}

func (m *model) roles(id directory.UserID) []mapping.RoleKey {
	u := m.users[id]
	if !u.active || u.deleted {
		return []mapping.RoleKey{}
	}
	in := map[directory.GroupID]bool{}
	for group, g := range m.groups {
		in[group] = g.members[id]
	}
	for step := 0; m.expand && step < directory.NestingDepth; step++ {
		before := maps.Clone(in)
		for group, g := range m.groups {
			for nested := range g.nested {
				in[group] = in[group] || before[nested]
			}
		}
	}
	held := map[mapping.RoleKey]bool{}
	scim, saml := m.counts()
	for group, g := range m.groups {
		if role, ok := m.rules[strings.ToLower(g.name)]; ok && in[group] && scim {
			held[role] = true
		}
	}
	for name := range u.groups {
		if role, ok := m.rules[name]; ok && saml {
			held[role] = true
		}
	}
	roles := []mapping.RoleKey{}
	for _, role := range catalog { // by rank
		if held[role.Key] {
			roles = append(roles, role.Key)
		}
	}
	if len(roles) == 0 {
		roles = append(roles, "member")
	}
	return roles
}

// settle raises the version of everybody whose statement is another one than before.
func (m *model) settle() {
	for id, u := range m.users {
		stated := fmt.Sprintf("%v %v %q %q %q", m.roles(id), u.active, strings.ToLower(u.userName), u.externalID, strings.ToLower(u.email))
		if u.deleted {
			stated = "deleted"
		}
		if stated == u.stated {
			continue
		}
		ended := u.deleted || u.wasActive && !u.active
		u.stated, u.wasActive = stated, u.active
		u.version++
		if ended || u.version == 1 {
			u.epochs++
		}
	}
}

// Whatever a provider and an administrator do, one after the other, the engine ends
// where the model does, with the same number of versions.
func TestEngineIsLikeTheModel(t *testing.T) {
	// The databases are tried side by side, and a generator writes down its name when it is
	// first asked for it, which another may be reading (rapid v1.3.0).
	for _, generator := range []fmt.Stringer{userNames, externalIDs, groupNames, addresses, subjects, facts, authorities} {
		_ = generator.String()
	}
	eachDatabase(t, func(t *testing.T, url string) {
		s := newService(t, url, "")
		rapid.Check(t, func(r *rapid.T) {
			n := s.tenant(t)
			n.publish(r, mapping.RuleSet{ExpandNestedGroups: true}, map[string]mapping.RoleKey{"admins": "admin", "engineering": "developer"})
			machine := &machine{tenant: n, sso: n.sso(t), model: &model{
				users: map[directory.UserID]*modelUser{}, groups: map[directory.GroupID]*modelGroup{},
				subjects: map[string]directory.UserID{}, authority: directory.AuthorityAuto,
				rules: map[string]mapping.RoleKey{"admins": "admin", "engineering": "developer"}, expand: true,
			}}
			r.Repeat(rapid.StateMachineActions(machine))
		})
	})
}

// machine makes each step on the engine and on the model.
type machine struct {
	tenant
	sso   sso
	model *model
}

var (
	userNames   = rapid.SampledFrom([]string{"anna@x.com", "Anna@X.com", "bert@x.com", "carl@x.com", "BERT@x.com", "dora@x.com"})
	externalIDs = rapid.SampledFrom([]string{"", "00uA", "00ua", "00uB", "bert@x.com"})
	groupNames  = rapid.SampledFrom([]string{"Admins", "admins", "Engineering", "Sales", "Support"})
)

func (m *machine) pickUser(r *rapid.T) directory.UserID {
	return pickFrom(r, "user", slices.Sorted(maps.Keys(m.model.users)))
}

func (m *machine) pickGroup(r *rapid.T) directory.GroupID {
	return pickFrom(r, "group", slices.Sorted(maps.Keys(m.model.groups)))
}

func pickFrom[T any](r *rapid.T, label string, from []T) T {
	if len(from) == 0 {
		r.Skip("there is none")
	}
	return from[rapid.IntRange(0, len(from)-1).Draw(r, label)]
}

// pickValues draws members as a provider may name them.
func (m *machine) pickValues(r *rapid.T) (values []string) {
	for range rapid.IntRange(0, 3).Draw(r, "members") {
		switch rapid.IntRange(0, 6).Draw(r, "kind of name") {
		case 0:
			values = append(values, userNames.Draw(r, "userName"))
		case 1:
			if id := externalIDs.Draw(r, "externalId"); id != "" {
				values = append(values, id)
			}
		case 2, 3:
			if groups := slices.Concat(slices.Sorted(maps.Keys(m.model.groups)), m.model.gone); len(groups) > 0 {
				values = append(values, string(pickFrom(r, "group", groups)))
			}
		default:
			if len(m.model.users) > 0 {
				values = append(values, string(m.pickUser(r)))
			}
		}
	}
	return values
}

// taken reports whether another user has the name.
func (m *machine) taken(except directory.UserID, userName string) bool {
	for id, u := range m.model.users {
		if id != except && !u.deleted && directory.Fold(u.userName) == directory.Fold(userName) {
			return true
		}
	}
	return false
}

// expect runs a change, which must end as the model says.
func (m *machine) expect(r *rapid.T, kind fault.Kind, change func(*rolesync.Tx) error) bool {
	return m.ended(r, kind, m.try(change))
}

func (m *machine) ended(r *rapid.T, kind fault.Kind, err error) bool {
	switch {
	case kind == fault.Internal && err != nil:
		r.Fatalf("the change failed: %v", err)
	case kind != fault.Internal && !fault.Is(err, kind):
		r.Fatalf("error = %v, want kind %s", err, kind)
	}
	return err == nil
}

const fine = fault.Internal

func (m *machine) CreateUser(r *rapid.T) {
	u := newUser(userNames.Draw(r, "userName"))
	u.ExternalID, u.Email, u.Active = externalIDs.Draw(r, "externalId"), addresses.Draw(r, "email"), rapid.Bool().Draw(r, "active")
	want, adopted := fine, m.model.adoptable(u)
	if m.taken(adopted, u.UserName) {
		want = fault.Conflict
	}
	posted, err := m.post(u)
	if !m.ended(r, want, err) {
		return
	}
	if adopted == "" {
		adopted = u.ID
		m.model.users[u.ID] = &modelUser{groups: map[string]bool{}}
	}
	if posted.ID != adopted {
		r.Fatalf("POST made %s, want %s", posted.ID, adopted)
	}
	made := m.model.users[adopted]
	made.saml, made.userName, made.externalID, made.email, made.active = false, u.UserName, u.ExternalID, u.Email, u.Active
	m.model.scimUsers = true
	m.model.appeared(adopted, u.UserName, u.ExternalID)
	m.model.appeared(adopted, string(adopted), "")
}

func (m *machine) PutUser(r *rapid.T) {
	id := m.pickUser(r)
	u := m.model.users[id]
	userName, externalID, active := userNames.Draw(r, "userName"), externalIDs.Draw(r, "externalId"), rapid.Bool().Draw(r, "active")
	want := fine
	if u.deleted || u.saml {
		want = fault.NotFound
	} else if m.taken(id, userName) {
		want = fault.Conflict
	}
	if m.expect(r, want, putUser(id, func(u *directory.User) { u.UserName, u.ExternalID, u.Active = userName, externalID, active })) {
		newName, newID := userName, externalID
		if directory.Fold(u.userName) == directory.Fold(userName) {
			newName = ""
		}
		if u.externalID == externalID {
			newID = ""
		}
		u.userName, u.externalID, u.active = userName, externalID, active
		m.model.appeared(id, newName, newID)
	}
}

func (m *machine) DeleteUser(r *rapid.T) {
	id := m.pickUser(r)
	u := m.model.users[id]
	want := fine
	if u.deleted || u.saml {
		want = fault.NotFound
	}
	if m.expect(r, want, deleteUser(id)) {
		u.deleted = true
		maps.DeleteFunc(m.model.subjects, func(_ string, of directory.UserID) bool { return of == id })
		for _, g := range m.model.groups {
			delete(g.members, id)
		}
	}
}

func (m *machine) groupTaken(except directory.GroupID, name string) bool {
	for id, g := range m.model.groups {
		if id != except && directory.Fold(g.name) == directory.Fold(name) {
			return true
		}
	}
	return false
}

func (m *machine) CreateGroup(r *rapid.T) {
	g, values := newGroup(groupNames.Draw(r, "displayName")), m.pickValues(r)
	want := fine
	if m.groupTaken("", g.DisplayName) {
		want = fault.Conflict
	}
	if m.expect(r, want, func(tx *rolesync.Tx) error { tx.CreateGroup(g); tx.AddMembers(g.ID, values); return nil }) {
		made := &modelGroup{name: g.DisplayName, members: map[directory.UserID]bool{}, nested: map[directory.GroupID]bool{}, pending: map[string]bool{}}
		m.model.groups[g.ID] = made
		m.model.scimGroups = true
		m.workOff(r)
		for _, value := range values {
			m.model.add(made, value)
		}
	}
}

func (m *machine) RenameGroup(r *rapid.T) {
	id, name := m.pickGroup(r), groupNames.Draw(r, "displayName")
	want := fine
	if m.groupTaken(id, name) {
		want = fault.Conflict
	}
	if m.expect(r, want, renameGroup(id, name)) {
		m.model.groups[id].name = name
	}
}

func (m *machine) DeleteGroup(r *rapid.T) {
	id := m.pickGroup(r)
	m.expect(r, fine, deleteGroup(id))
	delete(m.model.groups, id)
	for _, g := range m.model.groups {
		delete(g.nested, id)
	}
	m.model.gone = append(m.model.gone, id)
}

func (m *machine) AddMembers(r *rapid.T) {
	id, values := m.pickGroup(r), m.pickValues(r)
	m.expect(r, fine, addMembers(id, values...))
	for _, value := range values {
		m.model.add(m.model.groups[id], value)
	}
}

func (m *machine) RemoveMembers(r *rapid.T) {
	id, values := m.pickGroup(r), m.pickValues(r)
	m.expect(r, fine, removeMembers(id, values...))
	for _, value := range values {
		m.model.remove(m.model.groups[id], value)
	}
}

func (m *machine) ReplaceMembers(r *rapid.T) {
	id, values := m.pickGroup(r), m.pickValues(r)
	m.expect(r, fine, replaceMembers(id, values...))
	g := m.model.groups[id]
	clear(g.members)
	clear(g.nested)
	clear(g.pending)
	for _, value := range values {
		m.model.add(g, value)
	}
}

func (m *machine) PublishRules(r *rapid.T) {
	rules := map[string]mapping.RoleKey{}
	for _, name := range []string{"admins", "engineering", "sales"} {
		if role := rapid.SampledFrom([]mapping.RoleKey{"", "admin", "developer", "member"}).Draw(r, name); role != "" {
			rules[name] = role
		}
	}
	m.model.rules, m.model.expand = rules, rapid.Bool().Draw(r, "expand nested groups")
	m.publish(r, mapping.RuleSet{ExpandNestedGroups: m.model.expand}, rules)
}

// publish publishes a rule set with a rule for each of the names, and has everybody
// evaluated.
func (n tenant) publish(t tester, set mapping.RuleSet, roles map[string]mapping.RoleKey) {
	set.DefaultRole = "member"
	for name, role := range roles {
		set.Rules = append(set.Rules, mapping.Rule{
			ID: mapping.RuleID(name), When: mapping.Condition{Group: mapping.GroupMatcher{Name: name}}, Grant: mapping.Grant{Roles: []mapping.RoleKey{role}},
		})
	}
	if _, err := n.PublishRules(t.Context(), n.by, set, rolesync.AnyVersion, ""); err != nil {
		t.Fatal(err)
	}
	n.workOff(t)
}

// Check compares everything after each step.
func (m *machine) Check(r *rapid.T) {
	m.model.settle()
	ctx := r.Context()
	assignments, err := m.Store.Assignments(ctx, m.by.Organization, "", 1000)
	if err != nil {
		r.Fatal(err)
	}
	if len(assignments) != len(m.model.users) {
		r.Fatalf("there are %d assignments, want %d", len(assignments), len(m.model.users))
	}
	for _, a := range assignments {
		u := m.model.users[a.User]
		if want, got := m.model.roles(a.User), rolesOf(r, a); !slices.Equal(want, got) {
			r.Fatalf("roles of %s (%s) = %v, want %v", a.User, u.userName, got, want)
		}
		if a.Version != u.version || a.Epoch != u.epochs || a.Deleted != u.deleted {
			r.Fatalf("assignment of %s (%s) has version %d, epoch %d, deleted %v; want %d, %d, %v (%s)", a.User, u.userName, a.Version, a.Epoch, a.Deleted, u.version, u.epochs, u.deleted, u.stated)
		}
	}
	for id, g := range m.model.groups {
		members, err := m.Store.Members(ctx, m.by.Organization, id, 0)
		if err != nil {
			r.Fatal(err)
		}
		if want := g.list(); !slices.Equal(members, want) {
			r.Fatalf("members of %s (%s) = %v, want %v", id, g.name, members, want)
		}
		stored, err := m.Store.Group(ctx, m.scope(), id)
		if err != nil {
			r.Fatal(err)
		}
		shown := fmt.Sprint(stored.DisplayName, members)
		if g.shown != "" && shown != g.shown && stored.Revision <= g.revision {
			r.Fatalf("%s has revision %d, but was shown as %s and is %s", id, stored.Revision, g.shown, shown)
		}
		g.shown, g.revision = shown, stored.Revision
	}
	pending, err := m.Store.PendingMembers(ctx, m.scope(), 1000)
	if err != nil {
		r.Fatal(err)
	}
	var got, want []string
	for _, p := range pending {
		got = append(got, string(p.Group)+" "+p.Value)
	}
	for id, g := range m.model.groups {
		for value := range g.pending {
			want = append(want, string(id)+" "+value)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		r.Fatalf("pending members = %q, want %q", got, want)
	}
	for scope, saml := range map[store.Scope]bool{m.scope(): false, m.sso.scope(): true} {
		page, err := m.Store.Users(ctx, store.Query{Scope: scope})
		live := len(slices.DeleteFunc(slices.Collect(maps.Values(m.model.users)), func(u *modelUser) bool { return u.deleted || u.saml != saml }))
		if tallied, _, failed := m.Store.Recount(ctx, scope); err != nil || failed != nil || page.Total != live || tallied != live {
			r.Fatalf("there are %d users, tallied %d, %v, %v; want %d", page.Total, tallied, err, failed, live)
		}
	}
	m.checkStated(r)
}
