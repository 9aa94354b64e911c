package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
)

// Assignment is one row of the materialized view, in the form that goes to Redis.
type Assignment struct {
	Organization directory.OrganizationID
	User         directory.UserID
	Version      int64 // raised by one at each change; 0: there is no row yet
	Epoch        int64 // raised when access must end now
	Deleted      bool  // a tombstone: the user is gone
	Projection   string
	Aliases      []string
	Cause        string // the request that made this version
	UpdatedAt    time.Time
	Published    int64 // the newest version known to be in Redis
}

// Subject is one user with all that an evaluation needs: the facts, and the
// assignment that they led to last time.
type Subject struct {
	Facts   directory.Facts
	Current Assignment
}

const selectFacts = `SELECT u.id, u.connection_id, u.external_id, u.user_name, u.display_name, u.email, u.active,
		COALESCE(a.version, 0), COALESCE(a.epoch, 0), COALESCE(a.deleted, false), COALESCE(a.projection, ''), COALESCE(a.aliases, '[]'), COALESCE(a.published_version, 0)
	FROM users AS u LEFT JOIN assignments AS a ON a.organization_id = u.organization_id AND a.user_id = u.id`

// Subjects returns, with the next flush, the facts and assignments of locked users
// in order of id, without the authority, which Basis has. Users that are gone are left
// out.
func (tx *Tx) Subjects(users []directory.UserID) *Later[[]Subject] {
	later := &Later[[]Subject]{}
	for _, s := range subjectsOf(tx.Organization, users, &later.value) {
		tx.queue(s)
	}
	return later
}

// Subjects returns the facts and assignments of users, in order of id, as a reader
// sees them.
func (s *Store) Subjects(ctx context.Context, organization directory.OrganizationID, users []directory.UserID) ([]Subject, error) {
	var subjects []Subject
	authority := &one[GroupAuthority]{}
	statements := append(subjectsOf(organization, users, &subjects),
		statement{sql: same(selectAuthority), args: []any{organization}, each: authority.scan(scanAuthority)})
	err := s.db.read(ctx, statements)
	for i := range subjects {
		subjects[i].Facts.Authority = authority.value.InEffect()
	}
	return subjects, err
}

func subjectsOf(organization directory.OrganizationID, users []directory.UserID, into *[]Subject) []statement {
	index := make(map[directory.UserID]int, len(users))
	return []statement{{
		sql:  factsOfUsers,
		args: []any{organization, strs(users)},
		each: func(r row) error {
			subject, err := scanSubject(r, organization)
			index[subject.Facts.User.ID] = len(*into)
			*into = append(*into, subject)
			return err
		},
	}, groupsOf(groupsOfUsers, []any{organization, strs(users), directory.NestingDepth}, func(user directory.UserID, groups []directory.Membership) {
		if i, ok := index[user]; ok {
			(*into)[i].Facts.Groups = groups
		}
	})}
}

func scanSubject(r row, organization directory.OrganizationID) (Subject, error) {
	u := directory.User{Organization: organization}
	a := Assignment{Organization: organization}
	var aliases string
	if err := r.Scan(&u.ID, &u.Connection, &u.ExternalID, &u.UserName, &u.DisplayName, &u.Email, &u.Active,
		&a.Version, &a.Epoch, &a.Deleted, &a.Projection, &aliases, &a.Published); err != nil {
		return Subject{}, err
	}
	a.User = u.ID
	err := json.Unmarshal([]byte(aliases), &a.Aliases)
	return Subject{Facts: directory.Facts{User: u}, Current: a}, err
}

// CreateAssignment stores the first version of a user's assignment.
func (tx *Tx) CreateAssignment(a Assignment) {
	tx.queue(statement{
		sql: same(`INSERT INTO assignments (organization_id, user_id, version, epoch, deleted, projection, aliases, cause, updated_at, published_version)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0)`),
		args: assignmentArgs(a),
	})
}

// PutAssignment replaces the assignment of a locked user by its next version.
func (tx *Tx) PutAssignment(a Assignment) {
	tx.queue(statement{
		sql: same(`UPDATE assignments SET version = $3, epoch = $4, deleted = $5, projection = $6, aliases = $7, cause = $8, updated_at = $9
			WHERE organization_id = $1 AND user_id = $2`),
		args: assignmentArgs(a),
	})
}

func assignmentArgs(a Assignment) []any {
	if a.Aliases == nil {
		a.Aliases = []string{}
	}
	return []any{a.Organization, a.User, a.Version, a.Epoch, a.Deleted, a.Projection, jsonText(a.Aliases), a.Cause, micros(a.UpdatedAt)}
}

const selectAssignment = `SELECT organization_id, user_id, version, epoch, deleted, projection, aliases, cause, updated_at, published_version FROM assignments`

func scanAssignment(r row) (Assignment, error) {
	var a Assignment
	var aliases string
	var updated int64
	if err := r.Scan(&a.Organization, &a.User, &a.Version, &a.Epoch, &a.Deleted, &a.Projection, &aliases, &a.Cause, &updated, &a.Published); err != nil {
		return a, err
	}
	a.UpdatedAt = moment(updated)
	if aliases == "[]" {
		return a, nil
	}
	err := json.Unmarshal([]byte(aliases), &a.Aliases)
	return a, err
}

// Assignment returns what one user has; NotFound when the user never existed.
func (s *Store) Assignment(ctx context.Context, organization directory.OrganizationID, user directory.UserID) (Assignment, error) {
	assignment := &one[Assignment]{}
	err := s.db.read(ctx, []statement{{
		sql:  same(selectAssignment + ` WHERE organization_id = $1 AND user_id = $2`),
		args: []any{organization, user},
		each: assignment.scan(scanAssignment),
	}})
	return assignment.orNotFound(err, "user", string(user))
}

// Published returns the newest version of a user's assignment that is known to be in
// Redis; 0 when there is none.
func (s *Store) Published(ctx context.Context, organization directory.OrganizationID, user directory.UserID) (version int64, err error) {
	err = s.db.read(ctx, []statement{{
		sql:  same(`SELECT published_version FROM assignments WHERE organization_id = $1 AND user_id = $2`),
		args: []any{organization, user},
		each: func(r row) error { return r.Scan(&version) },
	}})
	return version, err
}

// Assignment reads one user's assignment at once, within the transaction.
func (tx *Tx) Assignment(user directory.UserID) (Assignment, error) {
	assignment := &one[Assignment]{}
	tx.queue(statement{
		sql:  same(selectAssignment + ` WHERE organization_id = $1 AND user_id = $2`),
		args: []any{tx.Organization, user},
		each: assignment.scan(scanAssignment),
	})
	return assignment.orNotFound(tx.Flush(), "assignment of user", string(user))
}

// Assignments returns an organization's assignments, tombstones too, after the given
// user, in order of id.
func (s *Store) Assignments(ctx context.Context, organization directory.OrganizationID, after directory.UserID, limit int) ([]Assignment, error) {
	return s.assignments(ctx, statement{
		sql:  same(selectAssignment + ` WHERE organization_id = $1 AND user_id > $2 ORDER BY user_id LIMIT $3`),
		args: []any{organization, after, limit},
	})
}

// Unpublished returns assignments that have yet to reach Redis after (organization,
// user), in that order. Those made within less than age of now are left out, before it
// or, by another machine's clock, after it; age 0 leaves out none.
func (s *Store) Unpublished(ctx context.Context, now time.Time, age time.Duration, organization directory.OrganizationID, after directory.UserID, limit int) ([]Assignment, error) {
	return s.assignments(ctx, statement{
		sql: same(selectAssignment + ` WHERE published_version < version AND abs(updated_at - $1) >= $2 AND (organization_id, user_id) > ($3, $4)
			ORDER BY organization_id, user_id LIMIT $5`),
		args: []any{micros(now), age.Microseconds(), organization, after, limit},
	})
}

func (s *Store) assignments(ctx context.Context, query statement) ([]Assignment, error) {
	var list []Assignment
	query.each = func(r row) error {
		a, err := scanAssignment(r)
		list = append(list, a)
		return err
	}
	err := s.db.read(ctx, []statement{query})
	return list, err
}

// Written names a version of an assignment that Redis has acknowledged.
type Written struct {
	Organization directory.OrganizationID
	User         directory.UserID
	Version      int64
}

// MarkPublished remembers versions that Redis holds. What it does not manage to
// mark, because a change holds the row, is written again later: harmless.
func (s *Store) MarkPublished(ctx context.Context, written []Written) error {
	if len(written) == 0 {
		return nil
	}
	tx, err := s.db.begin(ctx)
	if err != nil {
		return err
	}
	defer tx.rollback()
	if _, sqlite := s.db.(*sqliteDB); sqlite {
		statements := make([]statement, len(written))
		for i, w := range written {
			statements[i] = statement{sql: markPublished, args: []any{w.Organization, w.User, w.Version}}
		}
		return tx.commit(ctx, statements)
	}
	organizations, users, versions := make([]string, len(written)), make([]string, len(written)), make([]int64, len(written))
	for i, w := range written {
		organizations[i], users[i], versions[i] = string(w.Organization), string(w.User), w.Version
	}
	return tx.commit(ctx, []statement{{sql: asynchronousCommit}, {sql: markPublished, args: []any{organizations, users, versions}}})
}

// UserByAlias finds the users of an organization by id, userName, e-mail or
// externalId: what an admin may type.
func (s *Store) UserByAlias(ctx context.Context, organization directory.OrganizationID, name string) (directory.User, error) {
	var found []directory.User
	err := s.db.read(ctx, []statement{{
		sql:  same(selectUser + ` WHERE organization_id = $1 AND ` + alsoNamed("$2", "$3") + ` ORDER BY id LIMIT 2`),
		args: []any{organization, name, directory.Fold(name)},
		each: func(r row) error {
			u, err := scanUser(r, organization)
			found = append(found, u)
			return err
		},
	}})
	switch {
	case err != nil:
		return directory.User{}, err
	case len(found) == 0:
		return directory.User{}, fault.New(fault.NotFound, "there is no user %q", name)
	case len(found) > 1:
		return directory.User{}, fault.New(fault.Conflict, "%q is the name of several users; use an id", name)
	}
	return found[0], nil
}

// UsersWithoutAssignment returns users that were never evaluated: there must be none.
func (s *Store) UsersWithoutAssignment(ctx context.Context, organization directory.OrganizationID, limit int) ([]directory.UserID, error) {
	var users []directory.UserID
	err := s.db.read(ctx, []statement{{
		sql: same(`SELECT u.id FROM users AS u WHERE u.organization_id = $1 AND NOT EXISTS
			(SELECT 1 FROM assignments AS a WHERE a.organization_id = u.organization_id AND a.user_id = u.id) ORDER BY u.id LIMIT $2`),
		args: []any{organization, limit},
		each: func(r row) error {
			var id directory.UserID
			if err := r.Scan(&id); err != nil {
				return err
			}
			users = append(users, id)
			return nil
		},
	}})
	return users, err
}

// BuryOrphans makes tombstones of assignments whose users are gone, with the given
// projection of nothing: for repairs only, since a deletion does it by itself.
func (tx *Tx) BuryOrphans(nowMicros int64, nothing string) {
	tx.queue(statement{
		sql: same(`UPDATE assignments SET version = version + 1, epoch = epoch + 1, deleted = $2, projection = $3, aliases = '[]', cause = 'verify --repair', updated_at = $4
			WHERE organization_id = $1 AND (NOT deleted OR projection <> $3 OR aliases <> '[]') AND NOT EXISTS
			(SELECT 1 FROM users AS u WHERE u.organization_id = assignments.organization_id AND u.id = assignments.user_id)`),
		args: []any{tx.Organization, true, nothing, nowMicros},
	})
}
