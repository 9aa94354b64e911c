package saml

import (
	"fmt"
	"strings"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/mapping"
)

// trialView is a result as its page shows it.
type trialView struct {
	TrialResult
	Connection string
}

func newTrialView(p *party, r TrialResult) *trialView {
	return &trialView{r, p.Name + " (" + string(p.ID) + ")"}
}

// mostShown is how many groups or values a person would read.
const mostShown = 100

// ShownGroups are the first groups.
func (v *trialView) ShownGroups() []string {
	return v.Groups.Values[:min(len(v.Groups.Values), mostShown)]
}

// MoreGroups is how many are not shown.
func (v *trialView) MoreGroups() int { return max(len(v.Groups.Values)-mostShown, 0) }

// FactSentence says what the group fact means.
func (v *trialView) FactSentence() string {
	switch v.Groups.Fact {
	case directory.Stated:
		return fmt.Sprintf("Stated: the person is in these %d groups, and in no others of this connection.", len(v.Groups.Values))
	case directory.Empty:
		return "Empty: the attribute is there without values. The person would leave all groups of this connection."
	case directory.Partial:
		return "Partial: the provider sends a link instead of the groups (groups.link), because they are too many. Memberships would stay as they are."
	default:
		return "Absent: there is no attribute of groups. Memberships would stay as they are."
	}
}

// roleReason is a role and why the person would have it.
type roleReason struct {
	Role mapping.RoleKey
	Why  string
}

// Reasons lists the roles, each with its sources.
func (v *trialView) Reasons() []roleReason {
	var reasons []roleReason
	for _, role := range v.Roles.Assignment.Roles {
		var why []string
		for _, source := range v.Roles.Assignment.Sources {
			if source.Role == role && len(why) < mostShown {
				why = append(why, v.sentence(source))
			}
		}
		reasons = append(reasons, roleReason{role, strings.Join(why, "; ")})
	}
	return reasons
}

func (v *trialView) sentence(s mapping.Source) string {
	if s.Origin == mapping.FromDefault {
		return "the default role"
	}
	name := string(s.Rule)
	for _, rule := range v.Roles.Rules {
		if rule.Rule == s.Rule && rule.Name != "" {
			name = rule.Name
		}
	}
	return fmt.Sprintf("rule %q, by the group %q", name, s.GroupName)
}

// Shorten lists the first values of an attribute.
func (v *trialView) Shorten(values []string) string {
	if len(values) <= mostShown {
		return strings.Join(values, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(values[:mostShown], ", "), len(values)-mostShown)
}
