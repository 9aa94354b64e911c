package sync

import (
	"cmp"
	"slices"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/mapping"
)

// signIn is one login in its transaction. It costs two round trips when the subject is
// known and states what it stated before: all is read and locked in the first, and the
// second is the one of the COMMIT.
type signIn struct {
	*Login
	engine *Engine
	tx     *store.Tx
	by     Author
	now    time.Time
	basis  *Later[store.Basis]
	who    store.Identified
	whole  bool // the facts have what the user is in only through nested groups

	joined, left []string // names of groups, for the audit

	in      LoggedIn
	outcome outcome
}

func newSignIn(e *Engine, tx *store.Tx, by Author, l *Login) *signIn {
	return &signIn{Login: l, engine: e, tx: tx, by: by, now: e.now(), basis: tx.Basis()}
}

func (s *signIn) run() error {
	fresh := s.tx.UseMessage(messageKey("assertion", s.Message), until(s.now, s.Usable))
	who := s.tx.Identify(s.Subject)
	if err := s.tx.Flush(); err != nil {
		return err
	}
	s.who = who.Get()
	if !fresh.Get() {
		return s.refuse(Replayed)
	}
	if !s.who.Known {
		if err := s.find(); err != nil || s.in.Refused != Accepted {
			return err
		}
	}
	s.in.User = s.who.Facts.User
	if !s.who.Facts.User.Active {
		return s.refuse(UserInactive)
	}
	if err := s.rename(); err != nil {
		return err
	}
	if err := s.regroup(); err != nil {
		return err
	}
	return s.decide()
}

func (s *signIn) refuse(why Refusal) error {
	s.in.Refused = why
	return nil
}

// find finds out, or decides, who an unknown subject is. Nobody else makes a user, or a
// subject, of one of these names meanwhile.
func (s *signIn) find() error {
	named := *s.Login
	named.UserName = cmp.Or(s.UserName, s.Email, s.Subject)
	s.tx.LockNames([]string{s.Subject, named.ExternalID, named.UserName, named.Email})
	who := s.tx.Identify(s.Subject)
	candidates := s.tx.Candidates(named.ExternalID, named.UserName, named.Email)
	provided := s.tx.SCIMProvidesUsers()
	if err := s.tx.Flush(); err != nil {
		return err
	}
	if who.Get().Known { // since a moment ago
		s.who = who.Get()
		return nil
	}
	found, conflict := match(candidates.Get(), &named)
	switch {
	case conflict:
		return s.refuse(UserConflict)
	case found != nil:
		return s.link(found.User)
	case !s.JustInTime || provided.Get():
		return s.refuse(UserUnknown)
	}
	return s.create(&named)
}

// link makes the subject a user who was there, and is locked.
func (s *signIn) link(u directory.User) error {
	if !u.Active {
		s.in.User = u
		return s.refuse(UserInactive)
	}
	s.tx.CreateIdentity(s.Subject, u.ID, s.now)
	s.in.Linked = true
	s.audit("user.linked", u.ID, map[string]any{"subject": s.Subject, "connection": s.by.Connection})
	return s.read(u)
}

// read reads what there is of a user who is locked.
func (s *signIn) read(u directory.User) error {
	subjects := s.tx.Subjects([]directory.UserID{u.ID})
	if err := s.tx.Flush(); err != nil {
		return err
	}
	s.who = store.Identified{Known: true, Subject: subjects.Get()[0]}
	s.who.Facts.User = u
	s.whole = true
	return nil
}

// complete reads what the user is in only through nested groups. Few rule sets look at
// that, and nothing that a login states is nested.
func (s *signIn) complete() error {
	if s.whole || !slices.ContainsFunc(s.who.Facts.Groups, func(m directory.Membership) bool { return m.Kind == directory.SCIM }) {
		return nil
	}
	return s.read(s.who.Facts.User)
}

// create makes a user of the person.
func (s *signIn) create(named *Login) error {
	if len(named.UserName) > maxName {
		return fault.New(fault.Invalid, "there is neither a user name nor an e-mail address, and the subject is too long to stand for them: %.64q…", s.Subject)
	}
	u := named.applied(directory.User{
		ID: directory.NewUserID(), Organization: s.by.Organization, Connection: s.by.Connection, Active: true,
		CreatedAt: s.now, ModifiedAt: s.now, Revision: 1,
	})
	s.tx.CreateUser(u)
	s.tx.CreateIdentity(s.Subject, u.ID, s.now)
	s.in.Created = true
	s.who = store.Identified{Known: true, Subject: store.Subject{
		Facts:   directory.Facts{User: u},
		Current: store.Assignment{Organization: s.by.Organization, User: u.ID},
	}}
	s.audit("user.created", u.ID, map[string]any{"user_name": u.UserName, "active": true, "subject": s.Subject})
	return nil
}

// rename stores what the login states of the names of a user that its connection owns. A
// userName that is another user's by now is not taken: it is no reason to lock a person
// out whom the subject names.
func (s *signIn) rename() error {
	before := s.who.Facts.User
	if before.Connection != s.by.Connection || s.in.Created {
		return nil
	}
	after := s.applied(before)
	if string(after.Resource) == string(before.Resource) {
		return nil
	}
	if names := newNames(before, after); names.UserName != "" {
		s.tx.LockNames([]string{names.ExternalID, names.UserName})
		taken := s.tx.UserNameTaken(after.UserName, before.ID)
		if err := s.tx.Flush(); err != nil {
			return err
		}
		if taken.Get() {
			kept := *s.Login
			kept.UserName = before.UserName
			if after = kept.applied(before); string(after.Resource) == string(before.Resource) {
				return nil
			}
		}
	}
	after.ModifiedAt = s.now
	after.Revision++
	s.tx.PutUser(after)
	s.who.Facts.User, s.in.User = after, after
	s.audit("user.changed", after.ID, userChange(before, after))
	return nil
}

// regroup makes the user's groups of this connection those that are stated. An absent or
// partial fact states nothing of them.
func (s *signIn) regroup() error {
	var stated []store.StatedGroup
	switch s.Fact {
	case directory.Stated:
		stated = s.stated()
	case directory.Empty:
	default:
		return nil
	}
	var leave []directory.GroupID
	held := make(map[string]bool, len(stated))
	for _, m := range s.who.Facts.Groups {
		if m.Connection != s.by.Connection {
			continue
		}
		folded := directory.Fold(m.DisplayName)
		if _, ok := slices.BinarySearchFunc(stated, folded, compareFolded); ok {
			held[folded] = true
		} else {
			leave = append(leave, m.Group)
			s.left = append(s.left, m.DisplayName)
		}
	}
	join := slices.DeleteFunc(stated, func(g store.StatedGroup) bool { return held[g.Folded] })
	if len(leave) > 0 {
		s.tx.Leave(s.who.Facts.User.ID, leave)
		s.who.Facts.Groups = slices.DeleteFunc(s.who.Facts.Groups, func(m directory.Membership) bool { _, gone := slices.BinarySearch(leave, m.Group); return gone })
	}
	if len(join) == 0 {
		return nil
	}
	for i := range join {
		join[i].ID = directory.NewGroupID()
		s.joined = append(s.joined, join[i].Name)
	}
	s.tx.JoinStated(s.who.Facts.User.ID, join, s.now)
	return s.read(s.who.Facts.User)
}

func compareFolded(g store.StatedGroup, folded string) int { return cmp.Compare(g.Folded, folded) }

// decide evaluates the user and stores what follows.
func (s *signIn) decide() error {
	basis := s.basis.Get()
	program, err := s.engine.programs.get(s.tx, basis)
	if err != nil {
		return err
	}
	if program.ExpandsNestedGroups() {
		if err := s.complete(); err != nil {
			return err
		}
	}
	s.who.Facts.Authority = basis.InEffect()
	s.in.Assignment = program.Evaluate(s.who.Facts)
	next, differs := record(s.tx, s.by, s.now, s.who.Subject, s.in.Assignment)
	s.in.Version, s.in.Epoch, s.in.Published = next.Version, next.Epoch, next.Published >= next.Version
	s.outcome.basis = basis
	if differs {
		s.outcome.assignments = []store.Assignment{next}
	}
	if s.SignOutAs != "" {
		s.tx.NoteIdentity(s.SignOutAs, s.in.User.ID, s.now)
	}
	if program.DeniesLogin(s.in.Assignment) {
		s.in.Refused = LoginDenied
	} else if s.Code != nil {
		s.tx.CreateCode(s.Code.ID, s.Code.Document(s.in), s.Code.ExpiresAt)
	}
	s.auditLogin()
	return nil
}

// explain says why the user has, or would have, what the login gives. Of a person who is no
// user there is nothing to say.
func (s *signIn) explain() (mapping.Explanation, error) {
	basis := s.basis.Get()
	program, err := s.engine.programs.get(s.tx, basis)
	if err != nil {
		return mapping.Explanation{}, err
	}
	if err := s.complete(); err != nil {
		return mapping.Explanation{}, err
	}
	facts := s.who.Facts
	facts.Authority = basis.InEffect()
	return mapping.Explain(program, facts), nil
}

// auditLogin tells who signed in, and what was stated that was not so before.
func (s *signIn) auditLogin() {
	detail := map[string]any{"connection": s.by.Connection}
	if s.in.Refused != Accepted {
		detail["refused"] = s.in.Refused
	}
	if len(s.joined) > 0 {
		detail["joined"] = memberDetail(s.joined)
	}
	if len(s.left) > 0 {
		detail["left"] = memberDetail(s.left)
	}
	s.audit("user.signed_in", s.in.User.ID, detail)
}

func (s *signIn) audit(action string, target directory.UserID, detail any) {
	audit(s.tx, s.by, s.now, action, string(target), detail)
}
