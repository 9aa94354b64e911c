package sync

import (
	"slices"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
)

// Later is an answer that arrives with the transaction's next round trip, at the
// latest before Change returns nil.
type Later[T any] = store.Later[T]

// Tx is the facts of one connection, within one transaction. What returns nothing
// is queued, and sent with the next thing that must be known; a fault it meets ends
// the transaction then.
type Tx struct {
	engine *Engine
	tx     *store.Tx
	by     Author
	now    time.Time
	basis  *Later[store.Basis]

	touched map[directory.UserID]bool           // locked, to be evaluated
	created map[directory.UserID]directory.User // and not changed since
	read    map[directory.UserID]directory.User
	groups  map[directory.GroupID]directory.Group
	held    map[directory.GroupID]bool // locked, or created, and so of our connection
	gone    []store.Assignment         // of users that were deleted
	members []memberChange             // whose values may be unknown
	first   store.Mark                 // where the first of them is
	renamed []renamedGroup             // whose members are touched
	waiting []waiting                  // names that groups may wait for
	backlog bool
	pushed  bool // a group was created

	unchecked bool                                             // users were created, and not looked for among those of SAML connections
	alone     bool                                             // in the organization: nested groups may be changed
	must      bool                                             // it is not, but has to be
	nested    []directory.GroupID                              // that became, or ceased to be, members of others
	raised    map[directory.GroupID]bool                       // whose revision is another one than before
	leaves    map[directory.UserID]*Later[[]directory.GroupID] // groups that were raised for a leaver
}

// memberChange is a list of values that a provider sent, and which of them were
// users when they were locked.
type memberChange struct {
	group  directory.GroupID
	values []string
	known  *Later[[]directory.UserID]
	nested *Later[[]directory.GroupID] // those that are groups
	added  bool
}

type renamedGroup struct {
	group directory.GroupID
	nests *Later[bool]
	users *Later[[]directory.UserID] // of it and of what is nested in it; at most InlineLimit + 1
}

type waiting struct {
	user   directory.UserID
	groups *Later[[]directory.GroupID]
}

func newTx(e *Engine, tx *store.Tx, by Author) *Tx {
	return &Tx{
		engine: e, tx: tx, by: by, now: e.now(), basis: tx.Basis(),
		touched: map[directory.UserID]bool{}, created: map[directory.UserID]directory.User{}, read: map[directory.UserID]directory.User{},
		groups: map[directory.GroupID]directory.Group{}, held: map[directory.GroupID]bool{}, raised: map[directory.GroupID]bool{},
		leaves: map[directory.UserID]*Later[[]directory.GroupID]{},
	}
}

// Now is the time of the change, the same throughout.
func (t *Tx) Now() time.Time { return t.now }

// User reads and locks a user; NotFound when the connection has none of that id.
func (t *Tx) User(id directory.UserID) (directory.User, error) {
	u, err := t.tx.User(id)
	if err == nil {
		t.read[id] = u
	}
	return u, err
}

// CreateUser stores a new user, whose id, times and revision the caller has set. It
// joins the groups that waited for it. The change fails with an error that Adoptable
// knows when a SAML connection has made this user already.
func (t *Tx) CreateUser(u directory.User) {
	names := store.Names{ExternalID: u.ExternalID, UserName: u.UserName}
	t.tx.LockNames([]string{names.ExternalID, names.UserName, u.Email})
	t.refuseAdoptable(u)
	t.tx.CreateUser(u)
	t.takePending(u.ID, names)
	t.touched[u.ID] = true
	t.created[u.ID] = u
	t.audit("user.created", string(u.ID), map[string]any{"user_name": u.UserName, "active": u.Active})
}

// PutUser replaces a user that User has read; the caller has raised Revision and set
// ModifiedAt.
func (t *Tx) PutUser(u directory.User) {
	before := t.read[u.ID]
	names := newNames(before, u)
	t.lockNames(names)
	t.tx.PutUser(u)
	t.takePending(u.ID, names)
	t.touched[u.ID] = true
	delete(t.created, u.ID) // it is not as it was created
	t.audit("user.changed", string(u.ID), userChange(before, u))
}

// Leaver reads and locks a user who is about to be deleted, like User. Before, it locks
// the user's groups and raises their revisions, since they lose a member.
func (t *Tx) Leaver(id directory.UserID) (directory.User, error) {
	t.leaves[id] = t.tx.RaiseGroupsOf(id, nil, t.now)
	return t.User(id)
}

// DeleteUser removes a user, whom Leaver should have read; NotFound when the connection
// has none of that id. Its assignment stays as a tombstone, so that an old write cannot
// bring access back.
func (t *Tx) DeleteUser(id directory.UserID) error {
	if _, ok := t.read[id]; !ok {
		if _, err := t.Leaver(id); err != nil {
			return err
		}
	}
	// Others may have added the user to groups before its row was locked. To lock those
	// only now is against the order of locks, and may end in a deadlock; it is rare.
	var raised []directory.GroupID
	if already := t.leaves[id]; already != nil {
		raised = already.Get()
	}
	t.tx.RaiseGroupsOf(id, raised, t.now)
	assignment, err := t.tx.Assignment(id)
	if err != nil {
		return err
	}
	t.tx.DeleteUser(id)
	t.gone = append(t.gone, assignment)
	delete(t.touched, id)
	delete(t.created, id)
	t.audit("user.deleted", string(id), map[string]any{"user_name": t.read[id].UserName})
	return nil
}

// Group reads and locks a group; NotFound when the connection has none of that id.
func (t *Tx) Group(id directory.GroupID) (directory.Group, error) {
	g, err := t.tx.Group(id)
	if err == nil {
		t.groups[id], t.held[id] = g, true
	}
	return g, err
}

// TouchGroup locks a group whose members are about to change, raises its revision,
// and returns it later. It costs no round trip of its own.
func (t *Tx) TouchGroup(id directory.GroupID) *Later[directory.Group] {
	t.held[id], t.raised[id] = true, true
	return t.tx.TouchGroup(id, t.now)
}

// hold locks a group whose members are about to change, unless that was done. A group
// of another connection is NotFound, with the next round trip.
func (t *Tx) hold(id directory.GroupID) {
	if !t.held[id] {
		t.TouchGroup(id)
	}
}

// CreateGroup stores a new, empty group.
func (t *Tx) CreateGroup(g directory.Group) {
	t.tx.CreateGroup(g)
	t.pushed = true
	t.held[g.ID], t.raised[g.ID] = true, true
	t.audit("group.created", string(g.ID), map[string]any{"display_name": g.DisplayName})
}

// PutGroup replaces a group that Group has read; the caller has raised Revision and
// set ModifiedAt. When its name changed, its users are evaluated again, and those of
// groups that are nested in it.
func (t *Tx) PutGroup(g directory.Group) {
	before := t.groups[g.ID]
	t.raised[g.ID] = true
	t.tx.PutGroup(g)
	if before.DisplayName == g.DisplayName {
		t.audit("group.changed", string(g.ID), map[string]any{})
		return
	}
	t.renamed = append(t.renamed, renamedGroup{g.ID, t.tx.Nests(g.ID), t.usersBelow(g.ID)})
	t.audit("group.renamed", string(g.ID), map[string]any{"before": before.DisplayName, "after": g.DisplayName})
}

// DeleteGroup removes a group, and evaluates its users again, and those of groups that
// are nested in it; NotFound when the connection has none of that id. The groups that it
// was in lose a member, so their revisions are raised.
func (t *Tx) DeleteGroup(id directory.GroupID) error {
	if _, ok := t.groups[id]; !ok {
		if _, err := t.Group(id); err != nil {
			return err
		}
	}
	nests, parents, users := t.tx.Nests(id), t.tx.Parents(id), t.usersBelow(id)
	if err := t.tx.Flush(); err != nil {
		return err
	}
	if nests.Get() || len(parents.Get()) > 0 {
		if err := t.needsAlone(); err != nil {
			return err
		}
		t.tx.RaiseGroups(parents.Get(), t.now)
	}
	t.touchAll([]directory.GroupID{id}, users.Get())
	t.tx.DeleteGroup(id)
	t.audit("group.deleted", string(id), map[string]any{"display_name": t.groups[id].DisplayName})
	return nil
}

// AddMembers makes users and groups members of a group, which it touches unless this
// transaction has locked or created it. A value is the id of a user or of another group
// of the connection, or a user's externalId or userName; one that is nobody's is kept,
// and becomes a member when a user of that name appears.
func (t *Tx) AddMembers(group directory.GroupID, values []string) {
	t.changeMembers(group, values, true)
}

// RemoveMembers ends memberships of a group, with the same locks and names as
// AddMembers. Values that are no members change nothing.
func (t *Tx) RemoveMembers(group directory.GroupID, values []string) {
	t.changeMembers(group, values, false)
}

func (t *Tx) changeMembers(group directory.GroupID, values []string, add bool) {
	values = slices.Compact(slices.Sorted(slices.Values(values)))
	if len(values) == 0 {
		return
	}
	nested := groupsAmong(values)
	if len(nested) > 0 && t.needsAlone() != nil {
		return // all of it is done again
	}
	t.hold(group)
	t.lockTogether(values)
	change := memberChange{group: group, values: values, nested: &Later[[]directory.GroupID]{}, added: add}
	action, users, groups := "group.members_removed", t.tx.RemoveMembers, t.tx.UnnestGroups
	if add {
		action, users, groups = "group.members_added", t.tx.AddMembers, t.tx.NestGroups
	}
	change.known = users(group, values)
	if len(nested) > 0 {
		change.nested = groups(group, nested)
	}
	t.members = append(t.members, change)
	t.audit(action, string(group), memberDetail(values))
}

// lockTogether has the users of all changes of members locked in one order. Each change
// locks its own in order, but those who leave and those who join overlap.
func (t *Tx) lockTogether(values []string) {
	if len(t.members) == 0 {
		t.first = t.tx.Mark()
		return
	}
	users := make([]directory.UserID, 0, len(values))
	for _, change := range t.members {
		users = appendUsers(users, change.values)
	}
	t.tx.LockAnyUsersAt(t.first, appendUsers(users, values))
}

func appendUsers(users []directory.UserID, values []string) []directory.UserID {
	for _, value := range values {
		users = append(users, directory.UserID(value))
	}
	return users
}

// ReplaceMembers makes the values the only members of a group, with the same locks and
// names as AddMembers. Only the difference is written.
func (t *Tx) ReplaceMembers(group directory.GroupID, values []string) error {
	t.hold(group)
	current := t.tx.Members(group, 0)
	t.tx.RemovePending(group)
	if err := t.tx.Flush(); err != nil {
		return err
	}
	wanted := make(map[string]bool, len(values))
	for _, value := range values {
		wanted[value] = true
	}
	var leave []string
	for _, id := range current.Get() {
		if !wanted[string(id)] {
			leave = append(leave, string(id))
		}
		delete(wanted, string(id))
	}
	join := make([]string, 0, len(wanted))
	for value := range wanted {
		join = append(join, value)
	}
	t.RemoveMembers(group, leave)
	t.AddMembers(group, join)
	return nil
}

// Members returns later the members of a group, nested groups and users, at this point,
// at most limit; 0 is all.
func (t *Tx) Members(group directory.GroupID, limit int) *Later[[]directory.MemberID] {
	return t.tx.Members(group, limit)
}

// UsersNamed returns the users of the connection whom values mean as their externalId
// or, else, userName, by value: several, if they share the externalId. It locks nobody,
// and costs a round trip.
func (t *Tx) UsersNamed(values []string) (map[string][]directory.UserID, error) {
	named := t.tx.UsersNamed(values)
	err := t.tx.Flush()
	return named.Get(), err
}

// Flush sends what is queued, so that the answers are there. It costs a round trip.
func (t *Tx) Flush() error { return t.tx.Flush() }

func (t *Tx) lockNames(names store.Names) {
	if names != (store.Names{}) {
		t.tx.LockNames([]string{names.ExternalID, names.UserName})
	}
}

func (t *Tx) takePending(user directory.UserID, names store.Names) {
	if names != (store.Names{}) {
		t.waiting = append(t.waiting, waiting{user, t.tx.TakePending(user, names)})
	}
}

func (t *Tx) audit(action, target string, detail any) {
	audit(t.tx, t.by, t.now, action, target, detail)
}

// newNames is what a provider may call a user from now on, and could not before.
func newNames(before, after directory.User) (names store.Names) {
	if after.ExternalID != before.ExternalID {
		names.ExternalID = after.ExternalID
	}
	if directory.Fold(after.UserName) != directory.Fold(before.UserName) {
		names.UserName = after.UserName
	}
	return names
}

// userChange names what changed of a user, as far as the store knows it by name.
func userChange(before, after directory.User) map[string]any {
	change := map[string]any{}
	if before.Active != after.Active {
		change["active"] = after.Active
	}
	for _, field := range []struct{ name, before, after string }{
		{"user_name", before.UserName, after.UserName},
		{"external_id", before.ExternalID, after.ExternalID},
		{"display_name", before.DisplayName, after.DisplayName},
		{"email", before.Email, after.Email},
	} {
		if field.before != field.after {
			change[field.name] = map[string]string{"before": field.before, "after": field.after}
		}
	}
	return change
}

// memberDetail lists members as long as a person would read the list.
func memberDetail(values []string) map[string]any {
	const most = 100
	if len(values) > most {
		return map[string]any{"count": len(values), "first": values[:most]}
	}
	return map[string]any{"members": values}
}
