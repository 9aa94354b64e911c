package mapping_test

import (
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/mapping"
)

func TestCompileLimits(t *testing.T) {
	member := mapping.Grant{Roles: []mapping.RoleKey{"member"}}
	rules := func(n int, matcher func(i int) mapping.GroupMatcher) mapping.RuleSet {
		var set mapping.RuleSet
		for i := range n {
			set.Rules = append(set.Rules, mapping.Rule{
				ID:    mapping.RuleID(fmt.Sprintf("rule-%d", i)),
				When:  mapping.Condition{Group: matcher(i)},
				Grant: member,
			})
		}
		return set
	}
	named := func(i int) mapping.GroupMatcher { return mapping.GroupMatcher{Name: fmt.Sprintf("group %d", i)} }
	roles := func(n int) mapping.Catalog {
		catalog := mapping.Catalog{Roles: []mapping.Role{{Key: "member", Rank: n}}}
		for i := 1; i < n; i++ {
			catalog.Roles = append(catalog.Roles, mapping.Role{Key: mapping.RoleKey(fmt.Sprintf("role-%d", i)), Rank: i})
		}
		return catalog
	}
	permissions := make([]mapping.Permission, mapping.MaxPermissions+1)
	for i := range permissions {
		permissions[i] = mapping.Permission(fmt.Sprintf("thing:action-%d", i))
	}
	rolePermissions := func(n int) mapping.Catalog {
		return mapping.Catalog{Roles: []mapping.Role{{Key: "member", Permissions: permissions[:n]}}}
	}
	granted := rules(1, named)
	granted.Rules[0].Grant = mapping.Grant{Permissions: permissions}

	tests := []struct {
		name    string
		catalog mapping.Catalog
		set     mapping.RuleSet
		want    mapping.Problems
	}{
		{"as many rules as allowed", roles(1), rules(mapping.MaxRules, named), nil},
		{"a rule too many", roles(1), rules(mapping.MaxRules+1, named),
			mapping.Problems{{Path: "rules", Message: "5001 rules are too many; at most 5000 are allowed"}}},
		{"as many roles as allowed", roles(mapping.MaxRoles), rules(1, named), nil},
		{"a role too many", roles(mapping.MaxRoles + 1), rules(1, named),
			mapping.Problems{{Path: "roles", Message: "1001 roles are too many; at most 1000 are allowed"}}},
		{"as many permissions of a role as allowed", rolePermissions(mapping.MaxPermissions), rules(1, named), nil},
		{"a permission of a role too many", rolePermissions(mapping.MaxPermissions + 1), rules(1, named),
			mapping.Problems{{Path: "roles[0].permissions", Message: "1001 permissions are too many; at most 1000 are allowed"}}},
		{"a granted permission too many", roles(1), granted,
			mapping.Problems{{Path: "rules[0].grant.permissions", Message: "1001 permissions are too many; at most 1000 are allowed"}}},
		{"patterns as long as allowed, in characters", roles(1), rules(3, func(i int) mapping.GroupMatcher {
			long := strings.Repeat("販", mapping.MaxPatternLength)
			return []mapping.GroupMatcher{{Name: long}, {Glob: long}, {Regexp: long}}[i]
		}), nil},
		{"names that are not UTF-8", roles(1), rules(3, func(i int) mapping.GroupMatcher {
			return []mapping.GroupMatcher{{Name: "a\xff"}, {Glob: "a\xff"}, {Regexp: "a\xff"}}[i]
		}), mapping.Problems{
			{Path: "rules[0].when.group.name", Message: `"a\xff": not valid UTF-8`},
			{Path: "rules[1].when.group.glob", Message: `"a\xff": not valid UTF-8`},
			{Path: "rules[2].when.group.regexp", Message: `"a\xff": not valid UTF-8`},
		}},
		{"usual expressions in every rule", roles(1), rules(mapping.MaxRules, func(i int) mapping.GroupMatcher {
			return mapping.GroupMatcher{Regexp: fmt.Sprintf("support-(emea|amer|apac)-%d", i)}
		}), nil},
		{"expressions that are too large together", roles(1), rules(mapping.MaxRules, func(i int) mapping.GroupMatcher {
			return mapping.GroupMatcher{Regexp: `(\w{1,60}\W){15}`}
		}), mapping.Problems{{Path: "rules", Message: "the regular expressions are too large together when their repetitions are written out"}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := mapping.Compile(test.catalog, test.set)
			got, _ := errors.AsType[mapping.Problems](err)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("Compile (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParse(t *testing.T) {
	for _, s := range []string{"a", "0", "admin", "billing-admin_2", strings.Repeat("a", 64)} {
		if key, err := mapping.ParseRoleKey(s); err != nil || string(key) != s {
			t.Errorf("ParseRoleKey(%q) = %q, %v", s, key, err)
		}
	}
	for _, s := range []string{"", "-a", "_a", "A", "a b", "a.b", "é", "a\n", strings.Repeat("a", 65)} {
		if key, err := mapping.ParseRoleKey(s); !fault.Is(err, fault.Invalid) || key != "" {
			t.Errorf("ParseRoleKey(%q) = %q, %v, want a fault.Invalid", s, key, err)
		}
	}
	for _, s := range []string{"billing:view", "a:b", "billing.invoices:view_all", "api-keys:rotate"} {
		if permission, err := mapping.ParsePermission(s); err != nil || string(permission) != s {
			t.Errorf("ParsePermission(%q) = %q, %v", s, permission, err)
		}
	}
	for _, s := range []string{"", ":", "a:", ":a", "a", "a:b:c", "a:*", "*", "A:b", "a :b", "a:b\n"} {
		if permission, err := mapping.ParsePermission(s); !fault.Is(err, fault.Invalid) || permission != "" {
			t.Errorf("ParsePermission(%q) = %q, %v, want a fault.Invalid", s, permission, err)
		}
	}
}

func TestDeniesLogin(t *testing.T) {
	catalog := mapping.Catalog{Roles: []mapping.Role{{Key: "member", Rank: 1}}}
	rules := []mapping.Rule{{
		ID:    "staff",
		When:  mapping.Condition{Group: mapping.GroupMatcher{Name: "Staff"}},
		Grant: mapping.Grant{Roles: []mapping.RoleKey{"member"}},
	}}
	staff := []directory.Membership{{Group: "grp_1", DisplayName: "Staff"}}
	tests := []struct {
		name   string
		set    mapping.RuleSet
		active bool
		groups []directory.Membership
		want   bool
	}{
		{"a user without a role", mapping.RuleSet{OnNoMatch: mapping.DenyLogin, Rules: rules}, true, nil, true},
		{"a user with a role", mapping.RuleSet{OnNoMatch: mapping.DenyLogin, Rules: rules}, true, staff, false},
		{"an inactive user is refused for that", mapping.RuleSet{OnNoMatch: mapping.DenyLogin, Rules: rules}, false, staff, false},
		{"nobody is refused under none", mapping.RuleSet{OnNoMatch: mapping.GiveNone, Rules: rules}, true, nil, false},
		{"nobody is refused with a default role", mapping.RuleSet{DefaultRole: "member", Rules: rules}, true, nil, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			program := compile(t, catalog, test.set)
			a := program.Evaluate(directory.Facts{User: directory.User{Active: test.active}, Groups: test.groups})
			if got := program.DeniesLogin(a); got != test.want {
				t.Errorf("DeniesLogin(%+v) = %v, want %v", a, got, test.want)
			}
		})
	}
}

func TestSourcesAreLimited(t *testing.T) {
	catalog := mapping.Catalog{Roles: []mapping.Role{{Key: "member", Rank: 1}}}
	everyone := mapping.Condition{Group: mapping.GroupMatcher{Glob: "*"}}
	set := mapping.RuleSet{Rules: []mapping.Rule{
		{ID: "b", When: everyone, Grant: mapping.Grant{Roles: []mapping.RoleKey{"member"}, Permissions: []mapping.Permission{"a:b"}}},
		{ID: "a", When: everyone, Grant: mapping.Grant{Roles: []mapping.RoleKey{"member"}}},
	}}
	facts := directory.Facts{User: directory.User{Active: true}}
	for i := range mapping.MaxSources + 20 {
		facts.Groups = append(facts.Groups, directory.Membership{Group: directory.GroupID(fmt.Sprintf("grp_%03d", i))})
	}
	e := mapping.Explain(compile(t, catalog, set), facts)
	count := map[mapping.Source]int{}
	for _, s := range e.Assignment.Sources {
		count[mapping.Source{Role: s.Role, Permission: s.Permission, Rule: s.Rule}]++
	}
	want := map[mapping.Source]int{
		{Role: "member", Rule: "a"}:    mapping.MaxSources,
		{Permission: "a:b", Rule: "b"}: mapping.MaxSources,
	}
	if diff := cmp.Diff(want, count); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
	for _, rule := range e.Rules {
		if len(rule.Groups) != mapping.MaxSources || rule.More != 20 {
			t.Errorf("rule %s lists %d groups and %d more", rule.Rule, len(rule.Groups), rule.More)
		}
	}
}

func TestEqual(t *testing.T) {
	base := mapping.Nothing()
	tests := []struct {
		name   string
		change func(a *mapping.Assignment)
		want   bool
	}{
		{"nothing", func(*mapping.Assignment) {}, true},
		{"active", func(a *mapping.Assignment) { a.Active = true }, false},
		{"the primary role", func(a *mapping.Assignment) { a.Role = "x" }, false},
		{"roles", func(a *mapping.Assignment) { a.Roles = []mapping.RoleKey{"x"} }, false},
		{"permissions", func(a *mapping.Assignment) { a.Permissions = []mapping.Permission{"x:x"} }, false},
		{"licenses", func(a *mapping.Assignment) { a.Licenses = []string{"x"} }, false},
		{"entitlements", func(a *mapping.Assignment) { a.Entitlements = []string{"x"} }, false},
		{"sources", func(a *mapping.Assignment) { a.Sources = []mapping.Source{{Role: "x"}} }, true},
		{"nil for empty lists", func(a *mapping.Assignment) { *a = mapping.Assignment{} }, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			other := mapping.Nothing()
			test.change(&other)
			if base.Equal(other) != test.want || other.Equal(base) != test.want {
				t.Errorf("Equal(%+v) = %v, %v, want %v", other, base.Equal(other), other.Equal(base), test.want)
			}
			delta := mapping.Diff(base, other)
			if delta.Empty() != test.want {
				t.Errorf("Diff(%+v).Empty() = %v, want %v", other, delta.Empty(), test.want)
			}
			if got := delta.Apply(base); !got.Equal(other) {
				t.Errorf("Apply = %+v, want %+v", got, other)
			}
		})
	}
}

func TestDiffNamesWhatChanged(t *testing.T) {
	admin := mapping.Assignment{Active: true, Role: "admin", Roles: []mapping.RoleKey{"admin", "member"}, Permissions: []mapping.Permission{"a:a", "b:b"}}
	member := mapping.Assignment{Active: true, Role: "member", Roles: []mapping.RoleKey{"member"}, Permissions: []mapping.Permission{"b:b", "c:c"}, Licenses: []string{"pro"}}
	reversed := admin
	reversed.Role, reversed.Roles = "member", []mapping.RoleKey{"member", "admin"}
	resourced := admin
	resourced.Sources = []mapping.Source{{Role: "admin", Origin: mapping.FromDefault}}

	tests := []struct {
		name          string
		before, after mapping.Assignment
		want          mapping.Delta
	}{
		{"a new user", mapping.Assignment{}, member, mapping.Delta{
			Activated: true, RoleAfter: "member",
			RolesGained: []mapping.RoleKey{"member"}, RolesAfter: []mapping.RoleKey{"member"},
			PermissionsGained: []mapping.Permission{"b:b", "c:c"}, LicensesGained: []string{"pro"},
		}},
		{"a demotion", admin, member, mapping.Delta{
			RoleBefore: "admin", RoleAfter: "member",
			RolesLost: []mapping.RoleKey{"admin"}, RolesAfter: []mapping.RoleKey{"member"},
			PermissionsGained: []mapping.Permission{"c:c"}, PermissionsLost: []mapping.Permission{"a:a"},
			LicensesGained: []string{"pro"},
		}},
		{"a deactivation", member, mapping.Nothing(), mapping.Delta{
			Deactivated: true, RoleBefore: "member",
			RolesLost: []mapping.RoleKey{"member"}, RolesAfter: []mapping.RoleKey{},
			PermissionsLost: []mapping.Permission{"b:b", "c:c"}, LicensesLost: []string{"pro"},
		}},
		{"only the ranks changed", admin, reversed, mapping.Delta{
			RoleBefore: "admin", RoleAfter: "member", RolesAfter: []mapping.RoleKey{"member", "admin"},
		}},
		{"only the sources changed", admin, resourced, mapping.Delta{}},
		{"nobody is still nobody", mapping.Assignment{}, mapping.Nothing(), mapping.Delta{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := mapping.Diff(test.before, test.after)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("Diff (-want +got):\n%s", diff)
			}
			if got.Empty() != test.before.Equal(test.after) {
				t.Errorf("Empty() = %v, Equal = %v", got.Empty(), test.before.Equal(test.after))
			}
			if applied := got.Apply(test.before); !applied.Equal(test.after) {
				t.Errorf("Apply = %+v, want %+v", applied, test.after)
			}
		})
	}
}

func TestProgramIsSafeForConcurrentUse(t *testing.T) {
	program, facts := benchmarkCase(t, 200, mixed)
	want := program.Evaluate(facts)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range 20 {
				got := program.Evaluate(facts)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("Evaluate beside others (-want +got):\n%s", diff)
				}
				// A result is the caller's own: writing to it must not reach the program.
				clear(got.Roles)
				clear(got.Permissions)
				clear(got.Sources)
				mapping.Explain(program, facts)
			}
		})
	}
	wait.Wait()
}

func TestProgramKeepsNothingOfItsInput(t *testing.T) {
	catalog := mapping.Catalog{Roles: []mapping.Role{{Key: "member", Rank: 1, Permissions: []mapping.Permission{"a:b"}}}}
	set := mapping.RuleSet{Rules: []mapping.Rule{{
		ID:    "staff",
		When:  mapping.Condition{Group: mapping.GroupMatcher{Name: "Staff"}},
		Grant: mapping.Grant{Roles: []mapping.RoleKey{"member"}, Permissions: []mapping.Permission{"c:d"}},
	}}}
	program := compile(t, catalog, set)
	facts := directory.Facts{User: directory.User{Active: true}, Groups: []directory.Membership{{Group: "grp_1", DisplayName: "Staff"}}}
	want := program.Evaluate(facts)
	catalog.Roles[0].Permissions[0] = "x:x"
	catalog.Roles[0].Key = "x"
	set.Rules[0].Grant.Roles[0] = "x"
	set.Rules[0].Grant.Permissions[0] = "x:x"
	set.Rules[0].When.Group.Name = "x"
	if diff := cmp.Diff(want, program.Evaluate(facts)); diff != "" {
		t.Errorf("Evaluate after the catalog and the rules were overwritten (-want +got):\n%s", diff)
	}
}

// TestPackageIsPure keeps clocks, contexts, logs, databases and networks out.
func TestPackageIsPure(t *testing.T) {
	allowed := map[string]bool{
		"cmp": true, "errors": true, "fmt": true, "regexp": true, "regexp/syntax": true, "slices": true,
		"strings": true, "unicode": true, "unicode/utf8": true,
		"golang.org/x/text/unicode/norm":                  true,
		"github.com/rolesync/rolesync/internal/directory": true,
		"github.com/rolesync/rolesync/internal/fault":     true,
	}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		name := entry.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range file.Imports {
			if path, _ := strconv.Unquote(spec.Path.Value); !allowed[path] {
				t.Errorf("%s imports %s", name, path)
			}
		}
	}
}

func compile(t testing.TB, catalog mapping.Catalog, set mapping.RuleSet) *mapping.Program {
	t.Helper()
	program, err := mapping.Compile(catalog, set)
	if err != nil {
		t.Fatalf("Compile: %v", err)
	}
	return program
}
