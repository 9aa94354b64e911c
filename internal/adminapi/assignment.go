package adminapi

import (
	"time"

	"github.com/rolesync/rolesync/internal/admin"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/mapping"
)

// Holding is what a user has.
type Holding struct {
	Active       bool                 `json:"active" doc:"False: the user has nothing."`
	Role         mapping.RoleKey      `json:"role" doc:"The primary role, the highest-ranked one; empty when there is none."`
	Roles        []mapping.RoleKey    `json:"roles" nullable:"false" doc:"All roles, highest rank first."`
	Permissions  []mapping.Permission `json:"permissions" nullable:"false" doc:"All permissions, sorted."`
	Licenses     []string             `json:"licenses" nullable:"false" doc:"All licenses, sorted."`
	Entitlements []string             `json:"entitlements" nullable:"false" doc:"All entitlements, sorted."`
}

func holdingOf(a mapping.Assignment) Holding {
	return Holding{a.Active, a.Role, a.Roles, a.Permissions, a.Licenses, a.Entitlements}
}

// Assignment is what a user has, and why.
type Assignment struct {
	User    directory.UserID `json:"user" doc:"usr_…; the subject in Redis."`
	Name    string           `json:"user_name,omitempty" doc:"Absent when the user was deleted."`
	Deleted bool             `json:"deleted" doc:"The user was deleted; this is what is left."`

	Holding
	Version   int64     `json:"version" doc:"Raised by one with each change of this assignment."`
	Epoch     int64     `json:"epoch" doc:"Raised when access had to end at once; older tokens are void."`
	Published int64     `json:"published_version" doc:"The newest version that is known to be in Redis."`
	InRedis   bool      `json:"in_redis" doc:"Whether that is this version."`
	UpdatedAt time.Time `json:"updated_at" doc:"When this version was made."`
	Cause     string    `json:"cause" doc:"The id of the request that led to this version, or the versions of rules and roles that did."`
	Aliases   []string  `json:"aliases" nullable:"false" doc:"By what a token issuer may look the user up."`

	Settled   bool     `json:"settled" doc:"Whether this is what the current facts and rules give. If not, a change has yet to reach this user."`
	Expected  *Holding `json:"expected,omitempty" doc:"What they give, when the assignment is not settled."`
	Remaining int      `json:"remaining,omitempty" doc:"How many users of the organization a change has yet to reach, when the assignment is not settled."`

	Reasons Reasons `json:"reasons" doc:"The evaluation of the current facts by the rules in force."`
}

// Reasons is an evaluation, with what led to it.
type Reasons struct {
	RulesVersion int64                      `json:"rules_version" doc:"The version of the rules."`
	Decision     mapping.Decision           `json:"decision" enum:"inactive,granted,default,none,deny_login" doc:"How the roles came about: the user is inactive; rules granted them; the default role; none; none, and a login is refused."`
	Groups       []mapping.GroupReference   `json:"groups" nullable:"false" doc:"The user's groups, also those it is in only through nested ones (via)."`
	Sources      []mapping.Source           `json:"sources" nullable:"false" doc:"Each reason for a role, or for a permission that is granted beside roles."`
	Permissions  []mapping.PermissionReason `json:"permissions" nullable:"false" doc:"Where each permission comes from."`
	Dropped      []mapping.RoleKey          `json:"dropped" nullable:"false" doc:"Roles that rules grant, but that give way to one of higher rank (combine is highest)."`
	Rules        []mapping.RuleOutcome      `json:"rules" nullable:"false" doc:"What became of each rule, in the order of the rule set: also of those that did not match, and why not."`
}

func assignmentOf(a admin.Assignment) Assignment {
	answer := Assignment{
		User: a.Stored.User, Deleted: a.User == nil,
		Holding: holdingOf(a.Holds),
		Version: a.Stored.Version, Epoch: a.Stored.Epoch,
		Published: a.Stored.Published, InRedis: a.Stored.Published >= a.Stored.Version,
		UpdatedAt: a.Stored.UpdatedAt, Cause: a.Stored.Cause, Aliases: a.Stored.Aliases,
		Settled: a.Expected == nil, Remaining: a.Remaining,
		Reasons: Reasons{
			RulesVersion: a.RulesVersion, Decision: a.Why.Decision, Groups: mapping.References(a.Groups), Sources: a.Why.Assignment.Sources,
			Permissions: a.Why.Permissions, Dropped: a.Why.Dropped, Rules: a.Why.Rules,
		},
	}
	if answer.Aliases == nil {
		answer.Aliases = []string{}
	}
	if a.User != nil {
		answer.Name = a.User.UserName
	}
	if a.Expected != nil {
		expected := holdingOf(*a.Expected)
		answer.Expected = &expected
	}
	return answer
}
