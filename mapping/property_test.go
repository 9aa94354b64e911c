package mapping_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/mapping"
)

// The words are few, so that rules and groups meet often.
var (
	names = []string{
		"Engineering", "engineering ", "ENG", "Finance EMEA", "Finance", "support-emea", "Support-APAC",
		"Straße", "STRASSE", "Café", "cafe\u0301", "*", "a\r\nb", "..", "",
	}
	globs       = []string{"*", "eng*", "F*a*", "support-????", "stra?se", "caf?", "\\*", "?\r*", ".."}
	expressions = []string{".*", "eng.*", "finance( emea)?", "support-(emea|apac)", "caf.", "(?-i:ENG)", "STRA(SS|ß)E", "(?s).{4}", "e|f", "^eng"}
	permissions = []mapping.Permission{"a:read", "a:write", "b:read", "c:read", "d:all"}
	connections = []directory.ConnectionID{connectionID("okta"), connectionID("entra")}
	kinds       = []directory.Kind{directory.SCIM, directory.SAML} // of the connections
)

func groupID(n int) directory.GroupID { return directory.GroupID(fmt.Sprintf("grp_%026d", n)) }

func connectionID(s string) directory.ConnectionID {
	return directory.ConnectionID("conn_" + strings.Repeat("0", 26-len(s)) + s)
}

func genCatalog(t *rapid.T) mapping.Catalog {
	keys := []mapping.RoleKey{"owner", "admin", "developer", "billing", "member"}
	keys = rapid.Permutation(keys).Draw(t, "roles")[:rapid.IntRange(1, len(keys)).Draw(t, "role count")]
	ranks := rapid.SliceOfNDistinct(rapid.IntRange(0, 20), len(keys), len(keys), rapid.ID).Draw(t, "ranks")
	var catalog mapping.Catalog
	for i, key := range keys {
		catalog.Roles = append(catalog.Roles, mapping.Role{
			Key: key, Rank: ranks[i], Permissions: rapid.SliceOfN(rapid.SampledFrom(permissions), 0, 4).Draw(t, "permissions"),
		})
	}
	return catalog
}

func genRules(t *rapid.T, catalog mapping.Catalog) mapping.RuleSet {
	var keys []mapping.RoleKey
	for _, role := range catalog.Roles {
		keys = append(keys, role.Key)
	}
	set := mapping.RuleSet{
		Combine:   rapid.SampledFrom([]mapping.Combine{"", mapping.Union, mapping.Highest}).Draw(t, "combine"),
		OnNoMatch: rapid.SampledFrom([]mapping.OnNoMatch{"", mapping.GiveNone, mapping.DenyLogin}).Draw(t, "on no match"),

		ExpandNestedGroups: rapid.Bool().Draw(t, "expand nested groups"),
	}
	if rapid.Bool().Draw(t, "has default") {
		set.DefaultRole = rapid.SampledFrom(keys).Draw(t, "default role")
		if rapid.Bool().Draw(t, "says default") {
			set.OnNoMatch = mapping.GiveDefault
		}
	}
	for i := range rapid.IntRange(0, 8).Draw(t, "rule count") {
		r := mapping.Rule{
			ID:     mapping.RuleID(fmt.Sprintf("r%d", i)),
			Paused: rapid.IntRange(0, 5).Draw(t, "paused") == 0,
			Grant: mapping.Grant{
				Roles:       rapid.SliceOfN(rapid.SampledFrom(keys), 0, 3).Draw(t, "granted roles"),
				Permissions: rapid.SliceOfN(rapid.SampledFrom(permissions), 0, 2).Draw(t, "granted permissions"),
			},
		}
		if len(r.Grant.Roles)+len(r.Grant.Permissions) == 0 {
			r.Grant.Roles = keys[:1]
		}
		g := &r.When.Group
		switch rapid.IntRange(0, 3).Draw(t, "matcher") {
		case 0:
			g.ID = groupID(rapid.IntRange(0, 6).Draw(t, "id"))
		case 1:
			g.Name = rapid.SampledFrom(names[:len(names)-1]).Draw(t, "name")
		case 2:
			g.Glob = rapid.SampledFrom(globs).Draw(t, "glob")
		case 3:
			g.Regexp = rapid.SampledFrom(expressions).Draw(t, "regexp")
		}
		if rapid.IntRange(0, 3).Draw(t, "bound") == 0 {
			g.Connection = rapid.SampledFrom(connections).Draw(t, "connection")
		}
		set.Rules = append(set.Rules, r)
	}
	return set
}

func genFacts(t *rapid.T) directory.Facts {
	return directory.Facts{
		User: directory.User{ID: "usr_1", Active: rapid.IntRange(0, 9).Draw(t, "active") > 0},
		Groups: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) directory.Membership {
			from := rapid.IntRange(0, len(connections)-1).Draw(t, "from")
			return directory.Membership{
				Group:       groupID(rapid.IntRange(0, 6).Draw(t, "group")),
				DisplayName: rapid.SampledFrom(names).Draw(t, "display name"),
				Connection:  connections[from],
				Kind:        kinds[from],
				Via:         rapid.SampledFrom([]directory.GroupID{"", "", groupID(0), groupID(7)}).Draw(t, "via"),
			}
		}), 0, 8).Draw(t, "groups"),
		Authority: rapid.SampledFrom([]directory.Authority{"", directory.AuthorityUnion, directory.AuthoritySCIM, directory.AuthoritySAML}).Draw(t, "authority"),
	}
}

// model is Evaluate as SEMANTICS has it, word by word and without a thought for speed.
func model(catalog mapping.Catalog, set mapping.RuleSet, facts directory.Facts) mapping.Assignment {
	a := mapping.Nothing()
	if !facts.User.Active {
		return a
	}
	a.Active = true
	roles := map[mapping.RoleKey]bool{}
	held := map[mapping.Permission]bool{}
	for _, r := range set.Rules {
		if r.Paused || !slices.ContainsFunc(facts.Groups, func(m directory.Membership) bool { return counts(set, facts, m) && modelMatches(r.When.Group, m) }) {
			continue
		}
		for _, key := range r.Grant.Roles {
			roles[key] = true
		}
		for _, permission := range r.Grant.Permissions {
			held[permission] = true
		}
	}
	if len(roles) == 0 && set.DefaultRole != "" && (set.OnNoMatch == "" || set.OnNoMatch == mapping.GiveDefault) {
		roles[set.DefaultRole] = true
	}
	ranked := slices.SortedFunc(slices.Values(catalog.Roles), func(a, b mapping.Role) int { return cmp.Compare(b.Rank, a.Rank) })
	for _, role := range ranked {
		if !roles[role.Key] || set.Combine == mapping.Highest && len(a.Roles) == 1 {
			continue
		}
		a.Roles = append(a.Roles, role.Key)
		for _, permission := range role.Permissions {
			held[permission] = true
		}
	}
	if len(a.Roles) > 0 {
		a.Role = a.Roles[0]
	}
	for permission := range held {
		a.Permissions = append(a.Permissions, permission)
	}
	slices.Sort(a.Permissions)
	return a
}

func counts(set mapping.RuleSet, facts directory.Facts, m directory.Membership) bool {
	return authoritative(facts.Authority, m) && (m.Via == "" || set.ExpandNestedGroups)
}

func authoritative(a directory.Authority, m directory.Membership) bool {
	return a == "" || a == directory.AuthorityUnion || string(a) == string(m.Kind)
}

func modelMatches(g mapping.GroupMatcher, m directory.Membership) bool {
	if g.Connection != "" && g.Connection != m.Connection {
		return false
	}
	switch {
	case g.ID != "":
		return g.ID == m.Group
	case g.Name != "":
		return directory.Fold(g.Name) == directory.Fold(m.DisplayName)
	case g.Glob != "":
		return modelGlob([]rune(directory.Fold(g.Glob)), []rune(directory.Fold(m.DisplayName)))
	default:
		return modelRegexp(g.Regexp, m.DisplayName)
	}
}

// modelGlob tries everything.
func modelGlob(pattern, name []rune) bool {
	switch {
	case len(pattern) == 0:
		return len(name) == 0
	case pattern[0] == '*':
		return modelGlob(pattern[1:], name) || len(name) > 0 && modelGlob(pattern, name[1:])
	case len(name) == 0:
		return false
	case pattern[0] == '?':
		return modelGlob(pattern[1:], name[1:])
	case pattern[0] == '\\':
		return pattern[1] == name[0] && modelGlob(pattern[2:], name[1:])
	default:
		return pattern[0] == name[0] && modelGlob(pattern[1:], name[1:])
	}
}

// modelRegexp asks for the longest match without wrapping the pattern in anything: if
// any match spans the name, the leftmost longest one does.
func modelRegexp(pattern, name string) bool {
	re := regexp.MustCompile("(?i)" + norm.NFC.String(pattern))
	re.Longest()
	name = norm.NFC.String(strings.TrimSpace(name))
	span := re.FindStringIndex(name)
	return span != nil && span[0] == 0 && span[1] == len(name)
}

func check(t *testing.T, property func(t *rapid.T, catalog mapping.Catalog, set mapping.RuleSet, facts directory.Facts)) {
	t.Helper()
	rapid.Check(t, func(t *rapid.T) {
		catalog := genCatalog(t)
		property(t, catalog, genRules(t, catalog), genFacts(t))
	})
}

func evaluate(t *rapid.T, catalog mapping.Catalog, set mapping.RuleSet, facts directory.Facts) mapping.Assignment {
	t.Helper()
	program, err := mapping.Compile(catalog, set)
	if err != nil {
		t.Fatalf("Compile: %v", err)
	}
	return program.Evaluate(facts)
}

func TestEvaluateIsWhatTheSemanticsSay(t *testing.T) {
	check(t, func(t *rapid.T, catalog mapping.Catalog, set mapping.RuleSet, facts directory.Facts) {
		want, got := model(catalog, set, facts), evaluate(t, catalog, set, facts)
		got.Sources = want.Sources
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("Evaluate (-model +got):\n%s", diff)
		}
	})
}

func TestOutputIsSortedAndComplete(t *testing.T) {
	check(t, func(t *rapid.T, catalog mapping.Catalog, set mapping.RuleSet, facts directory.Facts) {
		a := evaluate(t, catalog, set, facts)
		if a.Roles == nil || a.Permissions == nil || a.Licenses == nil || a.Entitlements == nil || a.Sources == nil {
			t.Errorf("a list is nil: %+v", a)
		}
		rank := map[mapping.RoleKey]int{"": -1}
		for _, role := range catalog.Roles {
			rank[role.Key] = role.Rank
		}
		increasing(t, "roles", a.Roles, func(a, b mapping.RoleKey) int { return cmp.Compare(rank[b], rank[a]) })
		increasing(t, "permissions", a.Permissions, cmp.Compare)
		increasing(t, "sources", a.Sources, func(a, b mapping.Source) int {
			return cmp.Or(
				cmp.Compare(rank[b.Role], rank[a.Role]),
				cmp.Compare(a.Permission, b.Permission),
				cmp.Compare(a.Rule, b.Rule),
				cmp.Compare(a.Group, b.Group),
				cmp.Compare(a.Connection, b.Connection),
				cmp.Compare(a.GroupName, b.GroupName))
		})
		if primary := append(slices.Clone(a.Roles), "")[0]; a.Role != primary {
			t.Errorf("the primary role is %q, want %q", a.Role, primary)
		}
	})
}

func increasing[T any](t *rapid.T, what string, list []T, compare func(a, b T) int) {
	t.Helper()
	for i := 1; i < len(list); i++ {
		if compare(list[i-1], list[i]) >= 0 {
			t.Errorf("%s are not in order at %d: %+v", what, i, list)
		}
	}
}

func TestEverySourceIsTrueAndEveryRoleHasOne(t *testing.T) {
	check(t, func(t *rapid.T, catalog mapping.Catalog, set mapping.RuleSet, facts directory.Facts) {
		a := evaluate(t, catalog, set, facts)
		reasons := map[string]bool{}
		for _, s := range a.Sources {
			reasons[string(s.Role)] = true
			held := s.Role != "" && slices.Contains(a.Roles, s.Role) && s.Permission == "" ||
				s.Permission != "" && slices.Contains(a.Permissions, s.Permission) && s.Role == ""
			if !held {
				t.Errorf("%+v is a source of nothing in %+v", s, a)
			}
			if s.Origin == mapping.FromDefault {
				if s != (mapping.Source{Role: set.DefaultRole, Origin: mapping.FromDefault}) {
					t.Errorf("%+v is no source for the default role", s)
				}
				continue
			}
			i := slices.IndexFunc(set.Rules, func(r mapping.Rule) bool { return r.ID == s.Rule })
			m := directory.Membership{Group: s.Group, Connection: s.Connection, Kind: kinds[slices.Index(connections, s.Connection)], DisplayName: s.GroupName, Via: s.Via}
			grants := set.Rules[i].Grant
			if set.Rules[i].Paused || !counts(set, facts, m) || !slices.Contains(facts.Groups, m) || !modelMatches(set.Rules[i].When.Group, m) ||
				!slices.Contains(grants.Roles, s.Role) && !slices.Contains(grants.Permissions, s.Permission) {
				t.Errorf("%+v is not so", s)
			}
		}
		for _, role := range a.Roles {
			if !reasons[string(role)] {
				t.Errorf("role %s has no source", role)
			}
		}
	})
}

func TestInputsAreLeftAlone(t *testing.T) {
	check(t, func(t *rapid.T, catalog mapping.Catalog, set mapping.RuleSet, facts directory.Facts) {
		before := snapshot(t, catalog, set, facts)
		evaluate(t, catalog, set, facts)
		program, err := mapping.Compile(catalog, set)
		if err != nil {
			t.Fatal(err)
		}
		mapping.Explain(program, facts)
		if diff := gocmp.Diff(before, snapshot(t, catalog, set, facts)); diff != "" {
			t.Errorf("an input has changed (-before +after):\n%s", diff)
		}
	})
}

func snapshot(t *rapid.T, values ...any) string {
	t.Helper()
	b, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestOrderDoesNotMatter(t *testing.T) {
	check(t, func(t *rapid.T, catalog mapping.Catalog, set mapping.RuleSet, facts directory.Facts) {
		want := evaluate(t, catalog, set, facts)
		shuffled := set
		shuffled.Rules = rapid.Permutation(set.Rules).Draw(t, "rules in another order")
		for i := range shuffled.Rules {
			grant := &shuffled.Rules[i].Grant
			grant.Roles = rapid.Permutation(grant.Roles).Draw(t, "grants in another order")
		}
		catalog.Roles = rapid.Permutation(catalog.Roles).Draw(t, "roles in another order")
		facts.Groups = rapid.Permutation(facts.Groups).Draw(t, "groups in another order")
		if len(facts.Groups) > 0 && rapid.Bool().Draw(t, "repeat") {
			facts.Groups = append(facts.Groups, facts.Groups[0])
		}
		if diff := gocmp.Diff(want, evaluate(t, catalog, shuffled, facts)); diff != "" {
			t.Errorf("in another order (-want +got):\n%s", diff)
		}
	})
}

func TestDiffAppliedGivesTheDesired(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Two catalogs: between the assignments, ranks may change and roles come and go.
		draw := func() mapping.Assignment {
			catalog := genCatalog(t)
			return evaluate(t, catalog, genRules(t, catalog), genFacts(t))
		}
		before, after := draw(), draw()
		delta := mapping.Diff(before, after)
		if got := delta.Apply(before); !got.Equal(after) {
			t.Errorf("Diff(before, after).Apply(before) = %+v\nwant %+v\ndelta %+v", got, after, delta)
		}
		if delta.Empty() != before.Equal(after) {
			t.Errorf("Empty() = %v, but Equal = %v", delta.Empty(), before.Equal(after))
		}
		if !mapping.Diff(after, after).Empty() {
			t.Errorf("Diff(a, a) = %+v", mapping.Diff(after, after))
		}
		var back mapping.Delta // deltas are stored as JSON in the audit
		if b, err := json.Marshal(delta); err != nil || json.Unmarshal(b, &back) != nil || !back.Apply(before).Equal(after) {
			t.Errorf("the delta does not survive JSON: %+v", back)
		}
	})
}

func TestInactiveUserHasNothing(t *testing.T) {
	check(t, func(t *rapid.T, catalog mapping.Catalog, set mapping.RuleSet, facts directory.Facts) {
		facts.User.Active = false
		if diff := gocmp.Diff(mapping.Nothing(), evaluate(t, catalog, set, facts)); diff != "" {
			t.Errorf("an inactive user (-want +got):\n%s", diff)
		}
	})
}

func TestAnotherGroupTakesNoGrantedRoleInUnion(t *testing.T) {
	check(t, func(t *rapid.T, catalog mapping.Catalog, set mapping.RuleSet, facts directory.Facts) {
		set.Combine, set.DefaultRole, set.OnNoMatch = mapping.Union, "", mapping.GiveNone
		more := facts
		more.Groups = slices.Concat(facts.Groups, genFacts(t).Groups)
		if delta := mapping.Diff(evaluate(t, catalog, set, facts), evaluate(t, catalog, set, more)); len(delta.RolesLost)+len(delta.PermissionsLost) > 0 {
			t.Errorf("more groups take %+v", delta)
		}
	})
}

// The authority decides which groups count, and nothing else.
func TestGroupsThatDoNotCountMightAsWellBeAway(t *testing.T) {
	check(t, func(t *rapid.T, catalog mapping.Catalog, set mapping.RuleSet, facts directory.Facts) {
		without := facts
		without.Groups = slices.DeleteFunc(slices.Clone(facts.Groups), func(m directory.Membership) bool { return !authoritative(facts.Authority, m) })
		want := evaluate(t, catalog, set, without)
		if diff := gocmp.Diff(want, evaluate(t, catalog, set, facts)); diff != "" {
			t.Errorf("with groups that do not count (-without +with):\n%s", diff)
		}
		without.Authority = ""
		if diff := gocmp.Diff(want, evaluate(t, catalog, set, without)); diff != "" {
			t.Errorf("an authority over groups that all count (-with +without):\n%s", diff)
		}
	})
}

func TestAWiderAuthorityTakesNoGrantedRoleInUnion(t *testing.T) {
	check(t, func(t *rapid.T, catalog mapping.Catalog, set mapping.RuleSet, facts directory.Facts) {
		set.Combine, set.DefaultRole, set.OnNoMatch = mapping.Union, "", mapping.GiveNone
		wider := facts
		wider.Authority = directory.AuthorityUnion
		if delta := mapping.Diff(evaluate(t, catalog, set, facts), evaluate(t, catalog, set, wider)); len(delta.RolesLost)+len(delta.PermissionsLost) > 0 {
			t.Errorf("from %q to union takes %+v", facts.Authority, delta)
		}
	})
}

func TestExplainAgreesWithEvaluate(t *testing.T) {
	check(t, func(t *rapid.T, catalog mapping.Catalog, set mapping.RuleSet, facts directory.Facts) {
		program, err := mapping.Compile(catalog, set)
		if err != nil {
			t.Fatal(err)
		}
		e := mapping.Explain(program, facts)
		if diff := gocmp.Diff(program.Evaluate(facts), e.Assignment); diff != "" {
			t.Errorf("assignment (-Evaluate +Explain):\n%s", diff)
		}
		if denied := e.Decision == mapping.LoginDenied; denied != program.DeniesLogin(e.Assignment) {
			t.Errorf("decision %s, but DeniesLogin is %v", e.Decision, !denied)
		}
		for i, r := range set.Rules {
			matching := slices.ContainsFunc(facts.Groups, func(m directory.Membership) bool { return counts(set, facts, m) && modelMatches(r.When.Group, m) })
			below := slices.ContainsFunc(facts.Groups, func(m directory.Membership) bool {
				return authoritative(facts.Authority, m) && modelMatches(r.When.Group, m)
			})
			overruled := slices.ContainsFunc(facts.Groups, func(m directory.Membership) bool { return modelMatches(r.When.Group, m) })
			anywhere := r.When.Group
			anywhere.Connection = ""
			elsewhere := slices.ContainsFunc(facts.Groups, func(m directory.Membership) bool { return modelMatches(anywhere, m) })
			want := mapping.NoGroupMatches
			switch {
			case r.Paused:
				want = mapping.Paused
			case matching:
				want = mapping.Matched
			case below:
				want = mapping.NestedOnly
			case overruled:
				want = mapping.NotAuthoritative
			case elsewhere:
				want = mapping.ConnectionDiffers
			}
			if got := e.Rules[i]; got.Rule != r.ID || got.Outcome != want {
				t.Errorf("rule %s is explained as %+v, want %s", r.ID, got, want)
			}
		}
		var held []mapping.Permission
		for _, reason := range e.Permissions {
			held = append(held, reason.Permission)
			if len(reason.Roles)+len(reason.Sources) == 0 {
				t.Errorf("permission %s has no reason", reason.Permission)
			}
		}
		if !slices.Equal(held, e.Assignment.Permissions) {
			t.Errorf("reasons for %v, want %v", held, e.Assignment.Permissions)
		}
		snapshot(t, e)
	})
}
