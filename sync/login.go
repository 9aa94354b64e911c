package sync

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/mapping"
)

// Login is what a verified assertion of the author's SAML connection states.
type Login struct {
	Subject string // who it is to the connection, with all that qualifies the name; never ""
	// SignOutAs is as whom the provider will sign the person out, where that is not the
	// Subject. A login never has it as Subject. "": it is the Subject, or not known.
	SignOutAs string

	// The names of the person. One that is "" is not stated: a user keeps what it has. A
	// new user without a UserName is called by the Email, else by the Subject.
	UserName, Email, DisplayName, GivenName, FamilyName string

	ExternalID string // by which SCIM may know the person; ""
	JustInTime bool   // a person who signs in for the first time becomes a user
	// Domains are those whose people the connection may speak for, folded; none: it may
	// speak for anybody, and proves nothing by an address. Email is of one of them.
	Domains []string

	Fact   directory.GroupFact
	Groups []string // as they are to be shown; of those that fold to the same, one counts

	Message string    // the id of the assertion, which is used once; never ""
	Usable  time.Time // until when it could be used again

	Code *NewCode // what the person goes on with; nil: nothing
}

// NewCode is a code that is stored if the login is accepted.
type NewCode struct {
	ID        string // the hash of the code
	Document  func(LoggedIn) string
	ExpiresAt time.Time
}

// Refusal says in a word why a login is refused.
type Refusal string

// The refusals.
const (
	Accepted     Refusal = ""
	Replayed     Refusal = "replayed"      // the message was used before
	UserInactive Refusal = "user_inactive" // the user is deactivated
	UserUnknown  Refusal = "user_unknown"  // nobody is known by the names, and nobody is made of them
	UserConflict Refusal = "user_conflict" // the names are those of a user who may be somebody else
	LoginDenied  Refusal = "login_denied"  // no rule gives a role, and the rules refuse who has none
)

// LoggedIn is what came of a login.
type LoggedIn struct {
	Refused    Refusal
	User       directory.User // the zero value if the login was refused before one was found
	Created    bool           // the user is new
	Linked     bool           // a user who was known already is this subject from now on
	Assignment mapping.Assignment
	Version    int64 // of the assignment
	Epoch      int64
	Published  bool // Redis is known to hold this version; else see Writer.Await
}

// Login stores what a SAML login states and evaluates the user, in one transaction. A
// refusal is no error: the message counts as used then, too, and nothing else is stored,
// but for LoginDenied, which is a decision on the facts that are stored. See the package
// documentation for who is accepted.
//
// An error of kind Invalid names a value that cannot be kept. After one of kind
// Unavailable nothing is known of the login, the message may count as used: the person
// must sign in again.
func (e *Engine) Login(ctx context.Context, by Author, l Login) (LoggedIn, error) {
	if err := l.check(); err != nil {
		return LoggedIn{}, err
	}
	var s *signIn
	err := e.store.Transact(ctx, by.scope(), store.Facts, func(tx *store.Tx) error {
		s = newSignIn(e, tx, by, &l)
		return s.run()
	})
	if err != nil {
		return LoggedIn{}, err
	}
	e.publish(s.outcome)
	return s.in, nil
}

var errPreview = errors.New("it was only a preview")

// PreviewLogin returns what Login would, and why, and stores nothing. Ids of a user and of
// groups that would be new are of nobody.
func (e *Engine) PreviewLogin(ctx context.Context, by Author, l Login) (mapping.Explanation, LoggedIn, error) {
	if err := l.check(); err != nil {
		return mapping.Explanation{}, LoggedIn{}, err
	}
	var s *signIn
	var why mapping.Explanation
	err := e.store.Transact(ctx, by.scope(), store.Facts, func(tx *store.Tx) error {
		s = newSignIn(e, tx, by, &l)
		err := s.run()
		if err != nil {
			return err
		}
		if why, err = s.explain(); err != nil {
			return err
		}
		return errPreview
	})
	if !errors.Is(err, errPreview) {
		return mapping.Explanation{}, LoggedIn{}, err
	}
	return why, s.in, nil
}

// What a login states is bounded as what SCIM does is: it is kept in indexes. A subject
// has what qualifies it with it.
const (
	maxName    = 512
	maxSubject = 1_500
)

func (l *Login) check() error {
	if l.Subject == "" || l.Message == "" {
		return fault.New(fault.Invalid, "a login needs a subject and the id of its message")
	}
	for _, v := range []struct {
		name, value string
		most        int
	}{
		{"subject", l.Subject, maxSubject},
		{"name for signing out", l.SignOutAs, maxSubject},
		{"user name", l.UserName, maxName},
		{"e-mail address", l.Email, maxName},
		{"display name", l.DisplayName, maxName},
		{"given name", l.GivenName, maxName},
		{"family name", l.FamilyName, maxName},
		{"id", l.ExternalID, maxName},
	} {
		if len(v.value) > v.most {
			return fault.New(fault.Invalid, "the %s has more than %d bytes: %.64q…", v.name, v.most, v.value)
		}
	}
	for _, group := range l.Groups {
		if len(group) > maxName {
			return fault.New(fault.Invalid, "the name of a group has more than %d bytes: %.64q…", maxName, group)
		}
	}
	return nil
}

// messageKey is under what a message of a kind is remembered: ids come from outside, in
// any length.
func messageKey(kind, id string) string {
	sum := sha256.Sum256([]byte(kind + "\x00" + id))
	return hex.EncodeToString(sum[:])
}

// leastMemory is how long a message is remembered at the least, whatever it says.
const leastMemory = 10 * time.Minute

// until returns how long a message has to be remembered that is usable for so long.
func until(now, usable time.Time) time.Time {
	if least := now.Add(leastMemory); usable.Before(least) {
		return least
	}
	return usable
}

// stated returns the groups of a login by their folded names, in that order, each once.
// What folds to nothing is no name.
func (l *Login) stated() []store.StatedGroup {
	groups := make([]store.StatedGroup, 0, len(l.Groups))
	for _, name := range l.Groups {
		if folded := directory.Fold(name); folded != "" {
			groups = append(groups, store.StatedGroup{Name: strings.TrimSpace(name), Folded: folded})
		}
	}
	slices.SortStableFunc(groups, func(a, b store.StatedGroup) int { return strings.Compare(a.Folded, b.Folded) })
	return slices.CompactFunc(groups, func(a, b store.StatedGroup) bool { return a.Folded == b.Folded })
}
