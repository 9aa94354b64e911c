package sync

import (
	"context"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
)

// SignOut ends what was issued to a subject of the author's SAML connection, by raising
// the epoch of its assignment, which stays as it is otherwise. NotFound when nobody is
// known by the subject; Conflict when the message, the id of the provider's logout
// request, was used before: it could end every later session, too.
func (e *Engine) SignOut(ctx context.Context, by Author, subject, message string, usable time.Time) (directory.UserID, error) {
	if subject == "" || message == "" {
		return "", fault.New(fault.Invalid, "a logout needs a subject and the id of its message")
	}
	var user directory.UserID
	var o outcome
	err := e.store.Transact(ctx, by.scope(), store.Facts, func(tx *store.Tx) error {
		now := e.now()
		basis := tx.Basis()
		fresh := tx.UseMessage(messageKey("logout", message), until(now, usable))
		who := tx.Identify(subject)
		if err := tx.Flush(); err != nil {
			return err
		}
		if !fresh.Get() {
			return fault.New(fault.Conflict, "the logout request %.64q was used before", message)
		}
		if !who.Get().Known {
			return fault.New(fault.NotFound, "nobody is known by the subject %.64q", subject)
		}
		a := who.Get().Current
		a.Version++
		a.Epoch++
		a.Cause, a.UpdatedAt = by.Request, now
		tx.PutAssignment(a)
		user, o = a.User, outcome{basis: basis.Get(), assignments: []store.Assignment{a}}
		audit(tx, by, now, "user.signed_out", string(user), map[string]any{"epoch": a.Epoch})
		return nil
	})
	if err != nil {
		return "", err
	}
	e.publish(o)
	return user, nil
}
