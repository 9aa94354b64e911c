package store

import (
	"time"

	"github.com/rolesync/rolesync/internal/directory"
)

// Identified is who a subject of a SAML connection is, with what most evaluations need.
type Identified struct {
	Known bool
	// Without the authority, which Basis has, and without the groups that the user is in
	// only through nested ones.
	Subject
}

// Identify locks the user that a subject of the transaction's connection is, and returns
// the facts and the assignment with the next flush.
func (tx *Tx) Identify(subject string) *Later[Identified] {
	later := &Later[Identified]{}
	who := &later.value
	args := []any{tx.Organization, tx.Connection, subject}
	tx.queue(statement{sql: lockIdentified, args: args, each: func(r row) (err error) {
		who.Facts.User, err = scanUser(r, tx.Organization)
		who.Current = Assignment{Organization: tx.Organization, User: who.Facts.User.ID}
		who.Known = true
		return err
	}})
	// Where nobody was found above, somebody may be found below, who is not locked.
	tx.queue(statement{sql: assignmentOfIdentified, args: args, each: func(r row) error {
		a, err := scanAssignment(r)
		if who.Known {
			who.Current = a
		}
		return err
	}})
	tx.queue(groupsOf(groupsOfIdentified, args, func(user directory.UserID, held []directory.Membership) {
		if who.Known {
			who.Facts.Groups = held
		}
	}))
	return later
}

// CreateIdentity makes a subject of the transaction's connection a locked user. Whoever
// makes one holds the lock on its name.
func (tx *Tx) CreateIdentity(subject string, user directory.UserID, now time.Time) {
	tx.queue(statement{
		sql:  same(`INSERT INTO saml_identities (organization_id, connection_id, subject, user_id, created_at) VALUES ($1, $2, $3, $4, $5)`),
		args: []any{tx.Organization, tx.Connection, subject, user, micros(now)},
	})
}

// NoteIdentity makes a subject of the transaction's connection a locked user, whoever it was
// before. It writes nothing if it is that user already.
func (tx *Tx) NoteIdentity(subject string, user directory.UserID, now time.Time) {
	tx.queue(statement{
		sql: same(`INSERT INTO saml_identities (organization_id, connection_id, subject, user_id, created_at) SELECT $1, $2, $3, $4, $5
			WHERE NOT EXISTS (SELECT 1 FROM saml_identities WHERE organization_id = $1 AND connection_id = $2 AND subject = $3 AND user_id = $4)
			ON CONFLICT (organization_id, connection_id, subject) DO UPDATE SET user_id = excluded.user_id, created_at = excluded.created_at`),
		args: []any{tx.Organization, tx.Connection, subject, user, micros(now)},
	})
}

// Candidate is a user who may be somebody else's, too.
type Candidate struct {
	Kind directory.Kind // of the connection that owns the user
	directory.User
}

func scanCandidate(r row, organization directory.OrganizationID) (c Candidate, err error) {
	c.User, err = scanUser(behind{r, []any{&c.Kind}}, organization)
	return c, err
}

// Candidates locks the users of the organization who may be a person of these names, and
// returns them in order of id with the next flush: all that decide whether an externalId
// (of SCIM), a userName or an e-mail address means exactly one user. A transaction that
// locked many of them may find that they match no longer.
func (tx *Tx) Candidates(externalID, userName, email string) *Later[[]Candidate] {
	later := &Later[[]Candidate]{}
	tx.queue(statement{
		sql:  lockCandidates,
		args: []any{tx.Organization, externalID, directory.Fold(userName), directory.Fold(email)},
		each: func(r row) error {
			c, err := scanCandidate(r, tx.Organization)
			later.value = append(later.value, c)
			return err
		},
	})
	return later
}

// SCIMProvidesUsers returns, with the next flush, whether a SCIM connection of the
// organization has ever created a user: its tally stays.
func (tx *Tx) SCIMProvidesUsers() *Later[bool] {
	later := &Later[bool]{}
	tx.queue(statement{
		sql: same(`SELECT EXISTS (SELECT 1 FROM connections AS c CROSS JOIN user_tallies AS t
			WHERE c.organization_id = $1 AND c.kind = 'scim' AND t.organization_id = $1 AND t.connection_id = c.id)`),
		args: []any{tx.Organization},
		each: func(r row) error { return r.Scan(&later.value) },
	})
	return later
}

// UserNameTaken returns, with the next flush, whether another user of the organization
// has the name.
func (tx *Tx) UserNameTaken(userName string, by directory.UserID) *Later[bool] {
	later := &Later[bool]{}
	tx.queue(statement{
		sql:  same(`SELECT EXISTS (SELECT 1 FROM users WHERE organization_id = $1 AND user_name_folded = $2 AND id <> $3)`),
		args: []any{tx.Organization, directory.Fold(userName), by},
		each: func(r row) error { return r.Scan(&later.value) },
	})
	return later
}

// StatedGroup is a group as a SAML login states it, with an id for it if it is new.
type StatedGroup struct {
	ID     directory.GroupID `json:"id"`
	Name   string            `json:"name"`
	Folded string            `json:"folded"`
}

// JoinStated makes a locked user a member of groups of the transaction's SAML connection,
// creating those that nobody has stated before. No row of a group is locked: a group of a
// SAML connection keeps its name, and its revision does not count members.
func (tx *Tx) JoinStated(user directory.UserID, groups []StatedGroup, now time.Time) {
	folded := make([]string, len(groups))
	for i, g := range groups {
		folded[i] = g.Folded
	}
	tx.queue(statement{
		sql:   insertStatedGroups,
		args:  []any{tx.Organization, tx.Connection, micros(now), jsonText(groups)},
		grows: grown{groups: len(groups)},
	})
	tx.queue(statement{
		sql:   insertStatedMemberships,
		args:  []any{tx.Organization, tx.Connection, user, folded},
		grows: grown{memberships: len(groups)},
	})
}

// Leave ends memberships of a locked user in groups whose rows guard nothing: those of
// SAML connections.
func (tx *Tx) Leave(user directory.UserID, groups []directory.GroupID) {
	tx.queue(statement{sql: deleteMemberships, args: []any{tx.Organization, user, strs(groups)}})
}
