package admin

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/mapping"
)

// Assignment is what one user has, and why.
type Assignment struct {
	Stored store.Assignment   // what is in force, and how much of it is in Redis
	Holds  mapping.Assignment // what Stored gives; without sources
	User   *directory.User    // nil: the user was deleted, and Stored is the tombstone
	Groups []directory.Membership

	// RulesVersion and Why are the evaluation of the current facts with the rules in
	// force. Expected is what it gives when that is not what the user holds: then a
	// change of rules, roles or a large group has yet to reach this user.
	RulesVersion int64
	Why          mapping.Explanation
	Expected     *mapping.Assignment
	Remaining    int // users of the organization of whom that is so; 0 without Expected
}

// Assignment explains what a user has, by what User takes. A deleted user is found by
// id, as long as the tombstone is kept.
func (s *Service) Assignment(ctx context.Context, by Actor, organization directory.OrganizationID, name string) (Assignment, error) {
	user, err := s.User(ctx, by, organization, name)
	if err == nil {
		return s.explain(ctx, organization, user)
	}
	id, parsing := directory.ParseUserID(name)
	if parsing != nil || !fault.Is(err, fault.NotFound) {
		return Assignment{}, err
	}
	return s.buried(ctx, organization, id)
}

func (s *Service) buried(ctx context.Context, organization directory.OrganizationID, id directory.UserID) (Assignment, error) {
	stored, err := s.Store.Assignment(ctx, organization, id)
	if err != nil {
		return Assignment{}, err
	}
	rules, err := s.Rules(ctx, Actor{}, organization)
	if err != nil {
		return Assignment{}, err
	}
	why := mapping.Explanation{
		User: id, Decision: mapping.Inactive, Assignment: mapping.Nothing(),
		Dropped: []mapping.RoleKey{}, Permissions: []mapping.PermissionReason{}, Rules: []mapping.RuleOutcome{},
	}
	return Assignment{Stored: stored, Holds: mapping.Nothing(), Groups: []directory.Membership{}, RulesVersion: rules.Version, Why: why}, nil
}

// explain reads the facts and the assignment one after the other, so it reads again
// when a change came between them.
func (s *Service) explain(ctx context.Context, organization directory.OrganizationID, user directory.User) (Assignment, error) {
	const attempts = 3
	for attempt := 1; ; attempt++ {
		subjects, err := s.Store.Subjects(ctx, organization, []directory.UserID{user.ID})
		if err != nil {
			return Assignment{}, err
		}
		if len(subjects) == 0 {
			return s.buried(ctx, organization, user.ID) // deleted since it was looked up
		}
		stored, err := s.Store.Assignment(ctx, organization, user.ID)
		if err != nil {
			return Assignment{}, err
		}
		if stored.Version == subjects[0].Current.Version || attempt == attempts {
			return s.why(ctx, user, stored, subjects[0].Facts)
		}
	}
}

func (s *Service) why(ctx context.Context, user directory.User, stored store.Assignment, facts directory.Facts) (Assignment, error) {
	force, err := s.inForce(ctx, stored.Organization)
	if err != nil {
		return Assignment{}, err
	}
	program, err := force.compile(force.RuleSet)
	if err != nil {
		return Assignment{}, err
	}
	// The activity that was evaluated is that of the facts, not of an earlier look.
	user.Active = facts.User.Active
	a := Assignment{
		Stored: stored, User: &user, Groups: facts.Groups,
		RulesVersion: force.Version, Why: mapping.Explain(program, facts),
	}
	if a.Groups == nil {
		a.Groups = []directory.Membership{}
	}
	if err := json.Unmarshal([]byte(stored.Projection), &a.Holds); err != nil {
		return Assignment{}, fmt.Errorf("assignment of %s: %w", stored.User, err)
	}
	if a.Why.Assignment.Equal(a.Holds) {
		return a, nil
	}
	expected := a.Why.Assignment
	a.Expected = &expected
	a.Remaining, err = s.Store.Remaining(ctx, stored.Organization)
	return a, err
}
