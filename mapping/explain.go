package mapping

import (
	"slices"

	"github.com/rolesync/rolesync/internal/directory"
)

// Explanation is an assignment with all that led to it.
type Explanation struct {
	User       directory.UserID `json:"user"`
	Decision   Decision         `json:"decision"`
	Assignment Assignment       `json:"assignment"`
	// Dropped is the roles that rules grant but Highest leaves out, by rank.
	Dropped []RoleKey `json:"dropped"`
	// Permissions has a reason for each permission of the assignment, in its order.
	Permissions []PermissionReason `json:"permissions"`
	// Rules says of each rule what became of it, in the order of the rule set; for an
	// inactive user, what would have.
	Rules []RuleOutcome `json:"rules"`
}

// Decision says in a word how the roles came about.
type Decision string

// The decisions.
const (
	Inactive    Decision = "inactive"   // the user is not active and has nothing
	Granted     Decision = "granted"    // rules gave at least one role
	Defaulted   Decision = "default"    // no rule gave a role: the default role
	NoRole      Decision = "none"       // no rule gave a role, and there is no default
	LoginDenied Decision = "deny_login" // no rule gave a role: a login is refused
)

// withoutRole says what follows when no role is left.
func withoutRole(o OnNoMatch) Decision {
	switch o {
	case GiveDefault:
		return Defaulted
	case DenyLogin:
		return LoginDenied
	default:
		return NoRole
	}
}

// PermissionReason says where a permission comes from: from roles that the user has,
// whose sources are in the assignment, or from rules that grant it directly, or both.
type PermissionReason struct {
	Permission Permission `json:"permission"`
	Roles      []RoleKey  `json:"roles"`   // by rank
	Sources    []Source   `json:"sources"` // as in the assignment
}

// RuleOutcome is what became of one rule.
type RuleOutcome struct {
	Rule    RuleID  `json:"rule"`
	Name    string  `json:"name,omitempty"`
	Outcome Outcome `json:"outcome"`
	// Groups is the user's groups that the rule matches, in order of their ids; for
	// NestedOnly, those it would match if nested groups counted; for NotAuthoritative, if
	// groups of their connections counted; for ConnectionDiffers, those it would match in
	// its own connection. At most MaxSources are listed, More
	// counts the others.
	Groups []GroupReference `json:"groups"`
	More   int              `json:"more,omitempty"`
}

// Outcome says in a word what became of a rule.
type Outcome string

// The outcomes.
const (
	Matched           Outcome = "matched"
	Paused            Outcome = "paused"             // it was not tried
	NoGroupMatches    Outcome = "no_group_matches"   // none of the user's groups, which is also how a dangling rule shows
	NestedOnly        Outcome = "nested_only"        // a group matches, but the user is in it only through nested ones, which the rule set does not count
	NotAuthoritative  Outcome = "not_authoritative"  // a group matches, but comes from a kind of connection whose groups do not count in the organization
	ConnectionDiffers Outcome = "connection_differs" // a group matches, but comes from another connection
)

// GroupReference is a group as an explanation shows it.
type GroupReference struct {
	Group      directory.GroupID      `json:"group"`
	Name       string                 `json:"name"`
	Connection directory.ConnectionID `json:"connection"`
	// Via is the user's own group through which it is in this one, if it is not directly.
	Via     directory.GroupID `json:"via,omitempty"`
	ViaName string            `json:"via_name,omitempty"`
}

// References returns the groups of a user, in order of their ids, as an explanation
// shows them.
func References(groups []directory.Membership) []GroupReference {
	groups = distinct(groups)
	references := make([]GroupReference, len(groups))
	for i := range groups {
		references[i] = reference(groups, i)
	}
	return references
}

func reference(groups []directory.Membership, i int) GroupReference {
	g := groups[i]
	return GroupReference{g.Group, g.DisplayName, g.Connection, g.Via, nameOf(groups, g.Via)}
}

// Explain evaluates the facts like Program.Evaluate and says why the result is what it
// is. Its size is proportional to the rule set, so it is for people, one user at a time.
func Explain(p *Program, facts directory.Facts) Explanation {
	groups := distinct(facts.Groups)
	matches := p.matches(facts.Authority, groups)
	e := Explanation{
		User:        facts.User.ID,
		Decision:    Inactive,
		Assignment:  Nothing(),
		Dropped:     []RoleKey{},
		Permissions: []PermissionReason{},
		Rules:       p.outcomes(groups, matches),
	}
	if facts.User.Active {
		e.Assignment, e.Decision, e.Dropped = p.grant(groups, matches)
		e.Permissions = p.permissionReasons(e.Assignment)
	}
	return e
}

// outcomes returns one outcome per rule; matches are in the order of p.rules.
func (p *Program) outcomes(groups []directory.Membership, matches []match) []RuleOutcome {
	outcomes := make([]RuleOutcome, len(p.rules))
	for i := range p.rules {
		r := &p.rules[i]
		end := 0
		for end < len(matches) && matches[end].rule == int32(i) {
			end++
		}
		own := matches[:end]
		matches = matches[end:]

		outcome := RuleOutcome{Rule: r.id, Name: r.name, Groups: []GroupReference{}}
		best := foreign
		for _, m := range own {
			best = min(best, m.standing)
		}
		switch {
		case r.paused:
			outcome.Outcome = Paused
		case len(own) == 0:
			outcome.Outcome = NoGroupMatches
		case best == foreign:
			outcome.Outcome = ConnectionDiffers
		case best == overruled:
			outcome.Outcome = NotAuthoritative
		case best == nested:
			outcome.Outcome = NestedOnly
		default:
			outcome.Outcome = Matched
		}
		for _, m := range own {
			if m.standing != best {
				continue
			}
			if len(outcome.Groups) == MaxSources {
				outcome.More++
				continue
			}
			outcome.Groups = append(outcome.Groups, reference(groups, int(m.group)))
		}
		outcomes[r.position] = outcome
	}
	return outcomes
}

func (p *Program) permissionReasons(a Assignment) []PermissionReason {
	reasons := make([]PermissionReason, len(a.Permissions))
	at := make(map[Permission]int, len(a.Permissions))
	for i, permission := range a.Permissions {
		reasons[i] = PermissionReason{Permission: permission, Roles: []RoleKey{}, Sources: []Source{}}
		at[permission] = i
	}
	for role, key := range p.roles {
		if !slices.Contains(a.Roles, key) {
			continue
		}
		for _, number := range p.carries[role] {
			reason := &reasons[at[p.permissions[int(number)-len(p.roles)]]]
			reason.Roles = append(reason.Roles, key)
		}
	}
	for _, source := range a.Sources {
		if source.Permission != "" {
			reason := &reasons[at[source.Permission]]
			reason.Sources = append(reason.Sources, source)
		}
	}
	return reasons
}
