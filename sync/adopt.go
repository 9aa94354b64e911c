package sync

import (
	"errors"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
)

// errUnchecked says that a change created users of an organization with a SAML connection
// and did not look whether that has made them already. Engine makes the change again.
var errUnchecked = errors.New("it was not looked whether a SAML connection has made the user already")

// refuseAdoptable makes the transaction fail if a SAML connection has made a user who is
// about to be created. Most organizations have none, and the look costs a third of the
// creation; so the first that is created is not looked for until it is known that one has.
func (t *Tx) refuseAdoptable(u directory.User) {
	if _, ok := t.engine.saml.Load(t.by.Organization); ok {
		t.tx.RefuseAdoptable(u)
	} else {
		t.unchecked = true
	}
}

// Adoptable reports whether a change failed because it would create a user whom a SAML
// connection has made already, and returns that user, for Adopt.
func Adoptable(err error) (directory.UserID, bool) {
	adoptable, ok := errors.AsType[*store.Adoptable](err)
	if !ok {
		return "", false
	}
	return adoptable.User, true
}

// named reports whether a user shares a name with another by which it is adopted.
func named(a, b directory.User) bool {
	email := directory.Fold(b.Email)
	return a.ExternalID == b.ExternalID && b.ExternalID != "" || directory.Fold(a.UserName) == directory.Fold(b.UserName) ||
		email != "" && (directory.Fold(a.UserName) == email || directory.Fold(a.Email) == email)
}

// Adopt makes a user whom a SAML connection has made one of the author's connection, as
// if it were created here as u: it is all that u says, but keeps its id and the time of
// its creation, and it joins the groups that waited for it. Who it is to SAML connections,
// and the groups that they stated, stay. It returns the user; NotFound when no SAML
// connection owns such a user any more.
func (t *Tx) Adopt(id directory.UserID, u directory.User) (directory.User, error) {
	names := store.Names{ExternalID: u.ExternalID, UserName: u.UserName}
	t.tx.LockNames([]string{names.ExternalID, names.UserName, u.Email})
	before, err := t.tx.Candidate(id)
	if err != nil {
		return u, err
	}
	if before.Kind != directory.SAML || !named(before.User, u) {
		return u, fault.New(fault.NotFound, "there is no user %q of a SAML connection", id)
	}
	u.ID, u.CreatedAt, u.ModifiedAt, u.Revision = id, before.CreatedAt, t.now, before.Revision+1
	t.tx.AdoptUser(before.Connection, u)
	t.takePending(id, names)
	t.takePending(id, store.Names{UserName: string(id)}) // which was nobody's to SCIM
	t.touched[id] = true
	detail := userChange(before.User, u)
	detail["connection"] = map[string]string{"before": string(before.Connection), "after": string(t.by.Connection)}
	t.audit("user.adopted", string(id), detail)
	return u, nil
}
