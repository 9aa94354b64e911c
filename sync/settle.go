package sync

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/mapping"
)

// settle evaluates whom the transaction touched, and queues what follows. Facts are
// asked for together with the changes themselves, in one round trip, on the guess
// that every member named is known; only when a guess was wrong they are asked again.
func (t *Tx) settle() (outcome, error) {
	guess := t.guess()
	guessed := &Later[[]store.Subject]{}
	if n := len(guess); n > 0 && n <= InlineLimit {
		guessed = t.tx.Subjects(guess)
	}
	if err := t.tx.Flush(); err != nil {
		return outcome{}, err
	}
	again, err := t.resolve()
	if err != nil {
		return outcome{}, err
	}
	touched := slices.Sorted(maps.Keys(t.touched))
	if len(touched) > InlineLimit {
		t.tx.StaleUsers(touched, t.by.Request)
		t.backlog = true
		touched = nil
	}
	subjects := append(guessed.Get(), t.newcomers(guess)...)
	if len(touched) > 0 && (again || len(guess) > InlineLimit) {
		later := t.tx.Subjects(touched)
		if err := t.tx.Flush(); err != nil {
			return outcome{}, err
		}
		subjects = later.Get()
	}
	basis, err := t.takeAuthority()
	if err != nil {
		return outcome{}, err
	}
	o := outcome{basis: basis, backlog: t.backlog}
	for _, current := range t.gone {
		o.assignments = append(o.assignments, t.bury(current))
	}
	if len(touched) == 0 {
		return o, nil
	}
	changed, err := evaluate(t.engine, t.tx, t.by, t.now, o.basis, touched, subjects)
	o.assignments = append(o.assignments, changed...)
	return o, err
}

// newcomers is the users that this transaction created and nothing else touched: they
// are in no group and have no assignment, so the database need not be asked.
func (t *Tx) newcomers(guess []directory.UserID) []store.Subject {
	var subjects []store.Subject
	for id, u := range t.created {
		if _, asked := slices.BinarySearch(guess, id); !asked {
			u.Organization, u.Connection = t.by.Organization, t.by.Connection
			subjects = append(subjects, store.Subject{
				Facts:   directory.Facts{User: u},
				Current: store.Assignment{Organization: t.by.Organization, User: id},
			})
		}
	}
	slices.SortFunc(subjects, func(a, b store.Subject) int {
		return strings.Compare(string(a.Facts.User.ID), string(b.Facts.User.ID))
	})
	return subjects
}

// guess is everybody who may have been touched and may have groups or an assignment, as
// far as it is known without asking.
func (t *Tx) guess() []directory.UserID {
	var guess []directory.UserID
	for id := range t.touched {
		if _, created := t.created[id]; !created {
			guess = append(guess, id)
		}
	}
	for _, change := range t.members {
		for _, value := range change.values {
			guess = append(guess, directory.UserID(value))
		}
	}
	slices.Sort(guess)
	return slices.Compact(guess)
}

// resolve completes the set of touched users with what the round trip told. It
// reports whether facts changed, or more users were touched, after they were read.
func (t *Tx) resolve() (again bool, err error) {
	for _, r := range t.renamed {
		if r.nests.Get() {
			if err := t.needsAlone(); err != nil {
				return false, err
			}
		}
		again = again || len(r.users.Get()) > 0
		t.touchAll([]directory.GroupID{r.group}, r.users.Get())
	}
	for i, change := range t.members {
		for _, id := range change.known.Get() {
			t.touched[id] = true
		}
		t.nested = append(t.nested, change.nested.Get()...)
		if unknown := unknownOf(change); len(unknown) > 0 {
			found, err := t.resolveNames(i, unknown)
			if err != nil {
				return false, err
			}
			again = again || found
		}
	}
	for _, w := range t.waiting {
		groups := slices.Compact(slices.Sorted(slices.Values(w.groups.Get())))
		if len(groups) == 0 {
			continue
		}
		// The row of the user, new or locked, is ours; the groups' names must not
		// change while we rely on them. They have a member more.
		t.tx.RaiseGroups(groups, t.now)
		for _, group := range groups {
			t.tx.AddMembers(group, []string{string(w.user)})
			t.audit("group.members_added", string(group), map[string]any{"members": []string{string(w.user)}, "was": "pending"})
		}
		again = true
	}
	touched, err := t.touchNested()
	return again || touched, err
}

func unknownOf(change memberChange) []string {
	users, groups := change.known.Get(), change.nested.Get() // sorted, as the values are
	if len(users)+len(groups) == len(change.values) {
		return nil
	}
	var unknown []string
	for _, value := range change.values {
		_, user := slices.BinarySearch(users, directory.UserID(value))
		_, group := slices.BinarySearch(groups, directory.GroupID(value))
		if !user && !group {
			unknown = append(unknown, value)
		}
	}
	return unknown
}

// resolveNames adds or removes those of a change's values that are no user's id but a
// user's externalId or userName. The others are kept as pending until such a user
// appears, or are so no longer. An externalId that several users share lets none of them
// in, and all of them go: what is in doubt gives nobody access. It reports whether it
// changed facts.
func (t *Tx) resolveNames(i int, unknown []string) (found bool, err error) {
	change := t.members[i]
	if change.added {
		t.tx.LockNames(unknown)
	} else {
		t.tx.ForgetPending(change.group, unknown)
	}
	named := t.tx.UsersNamed(unknown)
	if err := t.tx.Flush(); err != nil {
		return false, err
	}
	var pending, ids []string
	for _, value := range unknown {
		users := named.Get()[value]
		if len(users) == 0 || change.added && len(users) > 1 {
			pending = append(pending, value)
			continue
		}
		for _, id := range users {
			if !t.overruled(i, id) {
				ids = append(ids, string(id))
			}
		}
	}
	if change.added && len(pending) > 0 {
		t.tx.PutPending(change.group, pending, t.now)
	}
	if len(ids) == 0 {
		return false, nil
	}
	act := t.tx.RemoveMembers
	if change.added {
		act = t.tx.AddMembers
	}
	known := act(change.group, ids)
	if !t.raised[change.group] {
		// A replacement that found all as it was, before a user of such a name appeared.
		t.raised[change.group] = true
		t.tx.RaiseGroups([]directory.GroupID{change.group}, t.now)
	}
	if err := t.tx.Flush(); err != nil {
		return false, err
	}
	for _, id := range known.Get() {
		t.touched[id] = true
	}
	return true, nil
}

// overruled reports whether a later change of the same group names the user by id: it
// has been carried out already, and counts.
func (t *Tx) overruled(i int, id directory.UserID) bool {
	return slices.ContainsFunc(t.members[i+1:], func(later memberChange) bool {
		_, found := slices.BinarySearch(later.known.Get(), id)
		return found && later.group == t.members[i].group
	})
}

// touchAll locks the users of groups, and of what is nested in them, for evaluation, or
// puts them on the backlog when they are too many. The list is what usersBelow gave.
func (t *Tx) touchAll(groups []directory.GroupID, users []directory.UserID) {
	if len(users) > InlineLimit {
		t.tx.StaleBelow(groups, t.by.Request)
		t.backlog = true
		return
	}
	if len(users) > 0 {
		t.tx.LockAnyUsers(users)
	}
	for _, id := range users {
		t.touched[id] = true
	}
}

// evaluate compares what users have with what they should have, writes the
// difference, and returns the new versions. The users are locked.
func evaluate(e *Engine, tx *store.Tx, by Author, now time.Time, basis store.Basis, users []directory.UserID, subjects []store.Subject) ([]store.Assignment, error) {
	program, err := e.programs.get(tx, basis)
	if err != nil {
		return nil, err
	}
	var changed []store.Assignment
	for _, subject := range subjects {
		if _, ok := slices.BinarySearch(users, subject.Facts.User.ID); !ok {
			continue // a guess that was wrong: not ours, so not locked
		}
		subject.Facts.Authority = basis.InEffect()
		if next, differs := record(tx, by, now, subject, program.Evaluate(subject.Facts)); differs {
			changed = append(changed, next)
		}
	}
	return changed, nil
}

// record writes the next version of a locked user's assignment, if it is different from
// the current one, and returns what is in force then.
func record(tx *store.Tx, by Author, now time.Time, subject store.Subject, after mapping.Assignment) (_ store.Assignment, differs bool) {
	next, differs := next(subject, after, by.Request, now)
	if !differs {
		return next, false
	}
	if subject.Current.Version == 0 {
		tx.CreateAssignment(next)
	} else {
		tx.PutAssignment(next)
	}
	before, _ := parseProjection(subject.Current.Projection) // unreadable: it gave nothing
	if delta := mapping.Diff(before, after); !delta.Empty() {
		audit(tx, by, now, "assignment.changed", string(next.User), assignmentChange{Version: next.Version, Delta: delta})
	}
	return next, true
}

// assignmentChange is the audit's account of one new version.
type assignmentChange struct {
	Version int64 `json:"version"`
	mapping.Delta
}

// next returns the following version of a subject's assignment, if it is different.
func next(s store.Subject, after mapping.Assignment, cause string, now time.Time) (store.Assignment, bool) {
	projection := project(after)
	aliases := aliasesOf(s.Facts.User)
	if s.Current.Version > 0 && !s.Current.Deleted && s.Current.Projection == projection && slices.Equal(s.Current.Aliases, aliases) {
		return s.Current, false
	}
	a := s.Current
	a.Version++
	if a.Version == 1 {
		a.Epoch = 1
	} else if !after.Active && s.Current.Projection != projection {
		a.Epoch++ // access ends now: what was issued before can be told by its epoch
	}
	a.Deleted, a.Projection, a.Aliases, a.Cause, a.UpdatedAt = false, projection, aliases, cause, now
	return a, true
}

// bury turns the assignment of a deleted user into a tombstone.
func (t *Tx) bury(current store.Assignment) store.Assignment {
	before, _ := parseProjection(current.Projection) // unreadable: it gave nothing
	a := current
	a.Version++
	a.Epoch++
	a.Deleted, a.Projection, a.Aliases, a.Cause, a.UpdatedAt = true, project(mapping.Nothing()), nil, t.by.Request, t.now
	t.tx.PutAssignment(a)
	if delta := mapping.Diff(before, mapping.Nothing()); !delta.Empty() {
		t.audit("assignment.changed", string(a.User), assignmentChange{Version: a.Version, Delta: delta})
	}
	return a
}

func parseProjection(projection string) (mapping.Assignment, error) {
	var a mapping.Assignment
	if projection == "" {
		return a, nil
	}
	err := json.Unmarshal([]byte(projection), &a)
	return a, err
}
