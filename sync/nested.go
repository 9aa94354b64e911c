package sync

import (
	"errors"

	"github.com/rolesync/rolesync/internal/directory"
)

// errAlone says that a change has to be alone in its organization and was not. Engine
// makes the change again, with the lock.
var errAlone = errors.New("the change has to be alone in its organization")

// needsAlone returns errAlone, unless the transaction is alone in its organization.
func (t *Tx) needsAlone() error {
	if t.alone {
		return nil
	}
	t.must = true
	return errAlone
}

// groupsAmong returns the values that have the form of a group's id.
func groupsAmong(values []string) (groups []string) {
	for _, value := range values {
		if _, err := directory.ParseGroupID(value); err == nil {
			groups = append(groups, value)
		}
	}
	return groups
}

// usersBelow returns later the users of a group and of what is nested in it, or so many
// that they belong on the backlog.
func (t *Tx) usersBelow(groups ...directory.GroupID) *Later[[]directory.UserID] {
	return t.tx.UsersBelow(groups, InlineLimit+1)
}

// touchNested touches the users in groups that became, or ceased to be, members of
// others, if nested groups count at all. It reports whether there are any.
//
// A user's groups change with such a step from a group to one that contains it only if
// the user is in the former, or in what is nested in it, and so below. It does not matter
// that the change is made already: a shortest way down from there does not take the step
// itself, which leads back to where it began, and if it takes another one that is gone,
// the rest of it begins at the group of that one.
func (t *Tx) touchNested() (touched bool, err error) {
	if len(t.nested) == 0 {
		return false, nil
	}
	program, err := t.engine.programs.get(t.tx, t.basis.Get())
	if err != nil || !program.ExpandsNestedGroups() {
		return false, err
	}
	users := t.usersBelow(t.nested...)
	if err := t.tx.Flush(); err != nil {
		return false, err
	}
	t.touchAll(t.nested, users.Get())
	return len(users.Get()) > 0, nil
}
