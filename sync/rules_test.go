package sync_test

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/mapping"
	rolesync "github.com/rolesync/rolesync/sync"
)

// Roles belong to all organizations, so these tests have a database to themselves.
func TestRulesAndRoles(t *testing.T) {
	eachDatabase(t, func(t *testing.T, url string) {
		s := newService(t, url, "")
		for _, c := range []struct {
			name string
			test func(*testing.T, *service)
		}{
			{"publish", testPublish},
			{"problems", testProblems},
			{"two publish at once", testPublishAtOnce},
			{"another process publishes", testAnotherPublishes},
			{"roles", testRoles},
		} {
			t.Run(c.name, func(t *testing.T) { c.test(t, s) })
		}
		s.wantSound(t)
	})
}

// actions lists what the audit has of an organization, oldest first.
func (n tenant) actions(t *testing.T, organization directory.OrganizationID) (actions []string) {
	t.Helper()
	entries, err := n.Store.AuditEntries(t.Context(), organization, "", "", 1000)
	must(t, err)
	for _, e := range slices.Backward(entries) {
		actions = append(actions, e.Action+" "+e.Target)
	}
	return actions
}

func testPublish(t *testing.T, s *service) {
	ctx := t.Context()
	n, other := s.tenant(t), s.tenant(t)
	users := n.users(t, 3)
	n.group(t, "Admins", users[0])
	foreign := other.user(t, "foreign@example.com")
	before := n.versions(t)

	rules := mapping.RuleSet{DefaultRole: "developer", Rules: ruleSet.Rules[:1]}
	_, err := n.PublishRules(ctx, n.by, rules, 0, "")
	wantFault(t, err, fault.Conflict)
	_, err = n.PublishRules(ctx, n.by, rules, 2, "")
	wantFault(t, err, fault.Conflict)
	published, err := n.PublishRules(ctx, n.by, rules, 1, "second")
	if err != nil || published.Version != 2 || published.Comment != "second" || published.Author != n.by.Name {
		t.Errorf("PublishRules = %+v, %v", published, err)
	}
	n.wantRoles(t, users[1], "member") // until the backlog is worked off
	late := n.user(t, "late@example.com")
	n.wantRoles(t, late, "developer") // who comes after it has the new rules at once
	n.workOff(t)
	n.wantRoles(t, users[0], "admin")
	n.wantRoles(t, users[1], "developer")
	after := n.versions(t)
	for i, raised := range []int64{0, 1, 1} {
		if got := after[users[i]] - before[users[i]]; got != raised {
			t.Errorf("version of user %d rose by %d, want %d", i, got, raised)
		}
	}
	if after[late] != 1 {
		t.Errorf("version of a user who came after the rules = %d, want 1", after[late])
	}
	other.wantRoles(t, foreign, "member")
	if actions := n.actions(t, n.by.Organization); slices.Contains(actions, "rules.published "+string(n.by.Organization)) == false ||
		strings.Count(strings.Join(actions, "\n"), "rules.published") != 2 {
		t.Errorf("audit = %q, want two publications", actions)
	}

	again, err := n.PublishRules(ctx, n.by, rules, 2, "the same")
	if err != nil || again.Version != 3 {
		t.Errorf("PublishRules = %+v, %v", again, err)
	}
	n.workOff(t)
	equal(t, "versions after the same rules", n.versions(t), after)
	current, err := n.Store.RuleSet(ctx, n.by.Organization)
	must(t, err)
	equal(t, "RuleSet", current.RuleSet, rules)
}

func testProblems(t *testing.T, s *service) {
	n := s.tenant(t)
	before := n.actions(t, n.by.Organization)
	_, err := n.PublishRules(t.Context(), n.by, mapping.RuleSet{DefaultRole: "king", Rules: []mapping.Rule{
		{ID: "a", When: mapping.Condition{Group: mapping.GroupMatcher{Regexp: "("}}, Grant: mapping.Grant{Roles: []mapping.RoleKey{"queen"}}},
	}}, rolesync.AnyVersion, "")
	problems, ok := errors.AsType[mapping.Problems](err)
	if !ok || len(problems) < 3 || !fault.Is(err, fault.Invalid) {
		t.Errorf("PublishRules = %v, want a list of at least three problems that is Invalid", err)
	}
	equal(t, "audit after a refusal", n.actions(t, n.by.Organization), before)
	current, err := n.Store.RuleSet(t.Context(), n.by.Organization)
	if err != nil || current.Version != 1 {
		t.Errorf("version in force = %d, %v, want 1", current.Version, err)
	}
	unknown := n.by
	unknown.Organization = directory.NewOrganizationID()
	_, err = n.PublishRules(t.Context(), unknown, mapping.RuleSet{}, rolesync.AnyVersion, "")
	wantFault(t, err, fault.NotFound)
}

func testPublishAtOnce(t *testing.T, s *service) {
	n := s.tenant(t)
	users := n.users(t, 20)
	g := n.group(t, "Admins")
	var published, refused atomic.Int32
	together(6, func(worker int) {
		for i := range 5 {
			if worker > 3 { // beside changes of facts
				if err := n.try(addMembers(g, string(users[i*2+worker%2]))); err != nil {
					t.Error(err)
				}
				continue
			}
			switch _, err := n.PublishRules(t.Context(), n.by, ruleSet, int64(i+1), ""); {
			case err == nil:
				published.Add(1)
			case fault.Is(err, fault.Conflict):
				refused.Add(1)
			default:
				t.Error(err)
			}
		}
	})
	current, err := n.Store.RuleSet(t.Context(), n.by.Organization)
	if must(t, err); current.Version != int64(published.Load())+1 || published.Load() == 0 || refused.Load() == 0 {
		t.Errorf("%d were published and %d refused, and version %d is in force", published.Load(), refused.Load(), current.Version)
	}
	n.workOff(t)
	n.wantRoles(t, users[0], "admin")
	n.wantRoles(t, users[19], "member")
}

// Compiled rules are kept in memory, but never used after another process has
// published others.
func testAnotherPublishes(t *testing.T, s *service) {
	n := s.tenant(t)
	u := n.user(t, "anna@example.com")
	n.wantRoles(t, u, "member")
	other := n.at(newService(t, s.url, ""))
	for _, role := range []mapping.RoleKey{"developer", "admin", "member"} {
		_, err := other.PublishRules(t.Context(), n.by, mapping.RuleSet{DefaultRole: role}, rolesync.AnyVersion, "")
		must(t, err)
		n.change(t, putUser(u, func(u *directory.User) { u.DisplayName = string(role) }))
		n.wantRoles(t, u, role)
	}
	n.workOff(t)
}

func testRoles(t *testing.T, s *service) {
	ctx := t.Context()
	n := s.tenant(t)
	u := n.user(t, "anna@example.com")
	deployment := rolesync.Author{Name: "admin key key_1", Request: "req_1"}
	viewer := mapping.Role{Key: "viewer", Name: "Viewer", Rank: 5, Permissions: []mapping.Permission{"docs:read"}}
	must(t, s.PutRole(ctx, deployment, viewer))
	_, err := n.PublishRules(ctx, n.by, mapping.RuleSet{DefaultRole: "viewer"}, rolesync.AnyVersion, "")
	must(t, err)
	n.workOff(t)
	n.wantRoles(t, u, "viewer")
	version := n.assignment(t, u).Version

	viewer.Permissions = []mapping.Permission{"docs:read", "docs:list"}
	must(t, s.PutRole(ctx, deployment, viewer))
	n.workOff(t)
	if a := n.assignment(t, u); a.Version != version+1 || !strings.Contains(a.Projection, `"permissions":["docs:list","docs:read"]`) {
		t.Errorf("assignment after a change of the role = %+v", a)
	}
	before := n.actions(t, "")

	wantFault(t, s.DeleteRole(ctx, deployment, "viewer"), fault.Conflict)
	wantFault(t, s.DeleteRole(ctx, deployment, "nobody"), fault.NotFound)
	twin := viewer
	twin.Key = "twin" // of the same rank
	err = s.PutRole(ctx, deployment, twin)
	if problems, ok := errors.AsType[mapping.Problems](err); !ok || len(problems) == 0 || !fault.Is(err, fault.Invalid) {
		t.Errorf("PutRole of a rank that is taken = %v, want problems", err)
	}
	equal(t, "audit after refusals", n.actions(t, ""), before)
	catalog, err := s.Store.Catalog(ctx, n.by.Organization)
	must(t, err)
	if len(catalog.Roles) != 4 {
		t.Errorf("the catalog has %d roles after refusals, want 4", len(catalog.Roles))
	}

	_, err = n.PublishRules(ctx, n.by, ruleSet, rolesync.AnyVersion, "")
	must(t, err)
	must(t, s.DeleteRole(ctx, deployment, "viewer"))
	n.workOff(t)
	n.wantRoles(t, u, "member")
	equal(t, "audit", n.actions(t, "")[len(before):], []string{"role.deleted viewer"})
}
