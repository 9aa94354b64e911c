package admin

import (
	"context"
	"errors"
	"fmt"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/mapping"
	rolesync "github.com/rolesync/rolesync/sync"
)

// AnyVersion, as the version that a rule set was made from, publishes over whatever is
// in force.
const AnyVersion = rolesync.AnyVersion

// Rules returns the rules of an organization that are in force; version 0 is the empty
// rule set that every organization begins with.
func (s *Service) Rules(ctx context.Context, _ Actor, organization directory.OrganizationID) (RuleSetVersion, error) {
	return s.Store.RuleSet(ctx, organization)
}

// Publication is what publishing a rule set led to.
type Publication struct {
	Version   int64
	Remaining int // users who have yet to be evaluated with it
}

// PublishRules makes a rule set the next version of an organization's rules, and has
// everyone in it evaluated again, in the background. It is Conflict when the version
// in force is not the one that the rule set was made from, and mapping.Problems (an
// Invalid fault), with all of them, when the rule set is wrong; then nothing changes.
func (s *Service) PublishRules(ctx context.Context, by Actor, organization directory.OrganizationID, rules mapping.RuleSet, from int64, comment string) (Publication, error) {
	if err := prose("comment", comment, MaxComment); err != nil {
		return Publication{}, err
	}
	if from < AnyVersion {
		return Publication{}, fault.New(fault.Invalid, "version %d is no version", from)
	}
	if problems := textProblems(rules); len(problems) > 0 {
		catalog, err := s.Store.Catalog(ctx, organization)
		if err != nil {
			return Publication{}, err
		}
		_, err = mapping.Compile(catalog, rules)
		others, _ := errors.AsType[mapping.Problems](err)
		return Publication{}, append(problems, others...)
	}
	published, err := s.Engine.PublishRules(ctx, by.author(organization), rules, from, comment)
	if err != nil {
		return Publication{}, err
	}
	remaining, err := s.Store.Remaining(ctx, organization)
	return Publication{Version: published.Version, Remaining: remaining}, err
}

// textProblems checks what mapping does not, because it decides nothing.
func textProblems(rules mapping.RuleSet) mapping.Problems {
	var problems mapping.Problems
	for i, rule := range rules.Rules {
		for _, text := range []struct {
			field, value string
			most         int
		}{
			{"name", rule.Name, MaxName},
			{"description", rule.Description, MaxDescription},
		} {
			if err := prose(text.field, text.value, text.most); err != nil {
				_, message := fault.Public(err)
				problems = append(problems, mapping.Problem{Path: fmt.Sprintf("rules[%d].%s", i, text.field), Message: message})
			}
		}
	}
	return problems
}

// Progress returns how many users of an organization have yet to be evaluated with the
// rules and roles in force.
func (s *Service) Progress(ctx context.Context, _ Actor, organization directory.OrganizationID) (remaining int, err error) {
	if err := s.known(ctx, organization); err != nil {
		return 0, err
	}
	return s.Store.Remaining(ctx, organization)
}

// groupsAtOnce bounds the memory of matching all groups with all rules.
const groupsAtOnce = 500

// DanglingRules returns the rules that match none of the groups that the connections
// of an organization have pushed, in the order of the rule set: because the group is
// gone or has another name, or because it belongs to another connection than the rule
// asks for. Paused rules are looked at as if they were not.
func (s *Service) DanglingRules(ctx context.Context, _ Actor, organization directory.OrganizationID) ([]mapping.RuleOutcome, error) {
	force, err := s.inForce(ctx, organization)
	if err != nil {
		return nil, err
	}
	unpaused := make([]mapping.Rule, len(force.RuleSet.Rules))
	for i, rule := range force.RuleSet.Rules {
		rule.Paused = false
		unpaused[i] = rule
	}
	program, err := force.compile(mapping.RuleSet{Rules: unpaused})
	if err != nil {
		return nil, err
	}
	outcomes := mapping.Explain(program, directory.Facts{}).Rules
	for cursor, more := directory.GroupID(""), true; more; {
		groups, err := s.Store.GroupNames(ctx, organization, cursor, groupsAtOnce)
		if err != nil {
			return nil, err
		}
		if more = len(groups) == groupsAtOnce; more {
			cursor = groups[len(groups)-1].Group
		}
		for i, found := range mapping.Explain(program, directory.Facts{Groups: groups}).Rules {
			if found.Outcome == mapping.Matched || outcomes[i].Outcome == mapping.NoGroupMatches {
				outcomes[i] = found
			}
		}
	}
	dangling := []mapping.RuleOutcome{}
	for _, outcome := range outcomes {
		if outcome.Outcome != mapping.Matched {
			dangling = append(dangling, outcome)
		}
	}
	return dangling, nil
}

// force is what evaluation in one organization rests on besides facts.
type force struct {
	RuleSetVersion
	organization directory.OrganizationID
	catalog      mapping.Catalog
}

func (s *Service) inForce(ctx context.Context, organization directory.OrganizationID) (force, error) {
	version, err := s.Store.RuleSet(ctx, organization)
	if err != nil {
		return force{}, err
	}
	catalog, err := s.Store.Catalog(ctx, organization)
	return force{version, organization, catalog}, err
}

// compile makes a program of the rules in force, or of a variation of them. That it
// fails is our failure: what is in force was checked when it was published.
func (f force) compile(rules mapping.RuleSet) (*mapping.Program, error) {
	program, err := mapping.Compile(f.catalog, rules)
	if err != nil {
		return nil, fmt.Errorf("rules version %d of %s do not compile: %s", f.Version, f.organization, err)
	}
	return program, nil
}
