package mapping_test

import (
	"fmt"
	"testing"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/mapping"
)

// The shapes of a large rule set; each returns the matcher of rule i.
func byName(i int) mapping.GroupMatcher {
	return mapping.GroupMatcher{Name: fmt.Sprintf("Team %04d Engineering", i)}
}

func byID(i int) mapping.GroupMatcher { return mapping.GroupMatcher{ID: groupID(i)} }

func byGlob(i int) mapping.GroupMatcher {
	return mapping.GroupMatcher{Glob: fmt.Sprintf("team %04d*", i)}
}

func byInnerGlob(i int) mapping.GroupMatcher {
	return mapping.GroupMatcher{Glob: fmt.Sprintf("*%04d*", i)}
}

func byRegexp(i int) mapping.GroupMatcher {
	return mapping.GroupMatcher{Regexp: fmt.Sprintf("team %04d (engineering|sales)", i)}
}

func byInnerRegexp(i int) mapping.GroupMatcher {
	return mapping.GroupMatcher{Regexp: fmt.Sprintf(".* %04d (engineering|sales)", i)}
}

// mixed is a rule set as people write them: nearly all by id and name.
func mixed(i int) mapping.GroupMatcher {
	switch {
	case i%50 == 0:
		return byGlob(i)
	case i%50 == 1:
		return byRegexp(i)
	case i%2 == 0:
		return byID(i)
	default:
		return byName(i)
	}
}

// benchmarkCase is a user in 200 groups and a rule set of which each tenth rule or so
// matches one of them.
func benchmarkCase(t testing.TB, rules int, matcher func(i int) mapping.GroupMatcher) (*mapping.Program, directory.Facts) {
	t.Helper()
	var catalog mapping.Catalog
	for i := range 50 {
		catalog.Roles = append(catalog.Roles, mapping.Role{
			Key: mapping.RoleKey(fmt.Sprintf("role-%d", i)), Rank: i,
			Permissions: []mapping.Permission{
				mapping.Permission(fmt.Sprintf("thing-%d:read", i)), mapping.Permission(fmt.Sprintf("thing-%d:write", i)),
			},
		})
	}
	set := mapping.RuleSet{DefaultRole: "role-0"}
	for i := range rules {
		set.Rules = append(set.Rules, mapping.Rule{
			ID:    mapping.RuleID(fmt.Sprintf("rule-%d", i)),
			When:  mapping.Condition{Group: matcher(i)},
			Grant: mapping.Grant{Roles: []mapping.RoleKey{catalog.Roles[i%50].Key}},
		})
	}
	facts := directory.Facts{User: directory.User{Active: true}}
	for i := range 200 {
		facts.Groups = append(facts.Groups, directory.Membership{
			Group: groupID(i * 10), Connection: connectionID("okta"), DisplayName: fmt.Sprintf("Team %04d Engineering", i*10),
		})
	}
	return compile(t, catalog, set), facts
}

// BenchmarkEvaluate: 200 groups against 1,000 rules. The bound of the design is 200 µs
// for rules by id and name.
func BenchmarkEvaluate(b *testing.B) {
	for _, shape := range []struct {
		name    string
		matcher func(i int) mapping.GroupMatcher
	}{
		{"name", byName}, {"id", byID}, {"mixed", mixed},
		{"glob", byGlob}, {"glob-without-prefix", byInnerGlob},
		{"regexp", byRegexp}, {"regexp-without-prefix", byInnerRegexp},
	} {
		b.Run(shape.name, func(b *testing.B) {
			program, facts := benchmarkCase(b, 1000, shape.matcher)
			b.ReportAllocs()
			for b.Loop() {
				program.Evaluate(facts)
			}
		})
	}
	b.Run("name-beyond-ascii", func(b *testing.B) {
		program, facts := benchmarkCase(b, 1000, byName)
		for i := range facts.Groups {
			facts.Groups[i].DisplayName = "Équipe " + facts.Groups[i].DisplayName
		}
		b.ReportAllocs()
		for b.Loop() {
			program.Evaluate(facts)
		}
	})
	b.Run("usual-user", func(b *testing.B) {
		program, facts := benchmarkCase(b, 20, mixed)
		facts.Groups = facts.Groups[:5]
		b.ReportAllocs()
		for b.Loop() {
			program.Evaluate(facts)
		}
	})
}

func BenchmarkCompile(b *testing.B) {
	var set mapping.RuleSet
	catalog := mapping.Catalog{Roles: []mapping.Role{{Key: "member", Rank: 1}}}
	for i := range 1000 {
		set.Rules = append(set.Rules, mapping.Rule{
			ID:    mapping.RuleID(fmt.Sprintf("rule-%d", i)),
			When:  mapping.Condition{Group: mixed(i)},
			Grant: mapping.Grant{Roles: []mapping.RoleKey{"member"}},
		})
	}
	b.ReportAllocs()
	for b.Loop() {
		compile(b, catalog, set)
	}
}
