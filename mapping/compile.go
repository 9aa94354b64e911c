package mapping

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rolesync/rolesync/internal/directory"
)

// Compile checks a catalog and a rule set and makes them ready for evaluation. It
// reports everything that is wrong at once, as Problems (a fault.Invalid). Over
// MaxRoles or MaxRules it reports that alone. A rule that names a group which does not
// exist is no problem: it stays, and matches nothing.
func Compile(catalog Catalog, set RuleSet) (*Program, error) {
	var c compiler
	if c.tooMany(catalog, set); len(c.problems) > 0 {
		return nil, c.problems
	}
	c.catalog(catalog)
	c.settings(set)
	c.collectPermissions(catalog, set)
	c.rules = make(map[RuleID]int, len(set.Rules))
	for i, r := range set.Rules {
		c.rule(fmt.Sprintf("rules[%d]", i), i, r)
	}
	if c.size > maxExpressionSizeTotal {
		c.problems.add("rules", "the regular expressions are too large together when their repetitions are written out")
	}
	if len(c.problems) > 0 {
		return nil, c.problems
	}
	return c.program(), nil
}

// compiler gathers problems and the parts of a program; the parts are complete only
// if there is no problem.
type compiler struct {
	problems    Problems
	p           Program
	ranked      []Role               // by rank, highest first
	roles       map[RoleKey]int32    // to number
	permissions map[Permission]int32 // to number
	rules       map[RuleID]int       // to position
	matchers    []matcher            // of p.rules
	size        int                  // of all expressions
}

// matcher is a checked GroupMatcher.
type matcher struct {
	id         directory.GroupID
	name       string // folded
	glob       *glob
	expression *expression
}

func (c *compiler) tooMany(catalog Catalog, set RuleSet) {
	if n := len(catalog.Roles); n > MaxRoles {
		c.problems.add("roles", "%d roles are too many; at most %d are allowed", n, MaxRoles)
	}
	if n := len(set.Rules); n > MaxRules {
		c.problems.add("rules", "%d rules are too many; at most %d are allowed", n, MaxRules)
	}
}

func (c *compiler) catalog(catalog Catalog) {
	keys := make(map[RoleKey]int, len(catalog.Roles))
	ranks := make(map[int]int, len(catalog.Roles))
	for i, role := range catalog.Roles {
		path := fmt.Sprintf("roles[%d]", i)
		if !validKey(string(role.Key), "_-") {
			c.problems.add(path+".key", "%s %s", quote(role.Key), wantKey)
		} else if first, ok := keys[role.Key]; ok {
			c.problems.add(path+".key", "%s is already the key of roles[%d]", quote(role.Key), first)
		} else {
			keys[role.Key] = i
		}
		if role.Rank < 0 || role.Rank > MaxRank {
			c.problems.add(path+".rank", "%d must be from 0 to %d", role.Rank, MaxRank)
		} else if first, ok := ranks[role.Rank]; ok {
			c.problems.add(path+".rank", "%d is already the rank of roles[%d]", role.Rank, first)
		} else {
			ranks[role.Rank] = i
		}
		c.checkPermissions(path+".permissions", role.Permissions)
	}

	c.ranked = slices.Clone(catalog.Roles)
	slices.SortStableFunc(c.ranked, func(a, b Role) int { return cmp.Compare(b.Rank, a.Rank) })
	c.roles = make(map[RoleKey]int32, len(c.ranked))
	for i, role := range c.ranked {
		c.p.roles = append(c.p.roles, role.Key)
		c.roles[role.Key] = int32(i)
	}
}

func (c *compiler) settings(set RuleSet) {
	c.p.combine = cmp.Or(set.Combine, Union)
	if c.p.combine != Union && c.p.combine != Highest {
		c.problems.add("combine", "%s must be %q or %q", quote(set.Combine), Union, Highest)
	}

	c.p.expand = set.ExpandNestedGroups

	number, ok := c.roles[set.DefaultRole]
	if set.DefaultRole != "" && !ok {
		c.problems.add("default_role", "%s is not a role of the catalog", quote(set.DefaultRole))
	}
	c.p.defaultRole = number

	c.p.onNoMatch = set.OnNoMatch
	switch set.OnNoMatch {
	case GiveNone, DenyLogin:
	case GiveDefault:
		if set.DefaultRole == "" {
			c.problems.add("on_no_match", "%q needs a default_role", GiveDefault)
		}
	case "":
		c.p.onNoMatch = GiveNone
		if set.DefaultRole != "" {
			c.p.onNoMatch = GiveDefault
		}
	default:
		c.problems.add("on_no_match", "%s must be %q, %q or %q", quote(set.OnNoMatch), GiveDefault, GiveNone, DenyLogin)
	}
}

// collectPermissions numbers all permissions after the roles, in order.
func (c *compiler) collectPermissions(catalog Catalog, set RuleSet) {
	var all []Permission
	for _, role := range catalog.Roles {
		all = append(all, role.Permissions...)
	}
	for _, r := range set.Rules {
		all = append(all, r.Grant.Permissions...)
	}
	slices.Sort(all)
	c.p.permissions = slices.Clip(slices.Compact(all))
	c.permissions = make(map[Permission]int32, len(c.p.permissions))
	for i, permission := range c.p.permissions {
		c.permissions[permission] = int32(len(c.p.roles) + i)
	}
}

func (c *compiler) rule(path string, position int, r Rule) {
	if !validKey(string(r.ID), "_-") {
		c.problems.add(path+".id", "%s %s", quote(r.ID), wantKey)
	} else if first, ok := c.rules[r.ID]; ok {
		c.problems.add(path+".id", "%s is already the id of rules[%d]", quote(r.ID), first)
	} else {
		c.rules[r.ID] = position
	}
	c.matchers = append(c.matchers, c.matcher(path+".when.group", r.When.Group))
	c.p.rules = append(c.p.rules, rule{
		id:         r.ID,
		name:       r.Name,
		position:   position,
		paused:     r.Paused,
		connection: r.When.Group.Connection,
		grants:     c.grant(path+".grant", r.Grant),
	})
}

func (c *compiler) matcher(path string, g GroupMatcher) matcher {
	var m matcher
	var given []string
	if g.ID != "" {
		given = append(given, "id")
		if _, err := directory.ParseGroupID(string(g.ID)); err != nil {
			c.problems.add(path+".id", "%s is not a group id", quote(g.ID))
		}
		m.id = g.ID
	}
	if g.Name != "" {
		given = append(given, "name")
		if m.name = directory.Fold(g.Name); m.name == "" {
			c.problems.add(path+".name", "%s: %s", quote(g.Name), errBlank)
		}
		c.text(path+".name", g.Name)
	}
	if g.Glob != "" {
		given = append(given, "glob")
		if c.text(path+".glob", g.Glob) {
			parsed, err := parseGlob(g.Glob)
			if err != nil {
				c.problems.add(path+".glob", "%s: %s", quote(g.Glob), err)
			}
			m.glob = &parsed
		}
	}
	if g.Regexp != "" {
		given = append(given, "regexp")
		if c.text(path+".regexp", g.Regexp) {
			// Past the total nothing is compiled any more: the rule set is refused, and
			// must not have cost the memory first.
			parsed, size, err := parseExpression(g.Regexp, maxExpressionSizeTotal-c.size)
			if err != nil {
				c.problems.add(path+".regexp", "%s: %s", quote(g.Regexp), err)
			}
			m.expression = &parsed
			c.size += min(size, maxExpressionSize)
		}
	}
	switch len(given) {
	case 0:
		c.problems.add(path, "needs one of id, name, glob and regexp")
	case 1:
	default:
		c.problems.add(path, "has %s; only one of id, name, glob and regexp is allowed", strings.Join(given, " and "))
	}
	if g.Connection != "" {
		if _, err := directory.ParseConnectionID(string(g.Connection)); err != nil {
			c.problems.add(path+".connection", "%s is not a connection id", quote(g.Connection))
		}
	}
	return m
}

// text checks what a name and a pattern have in common.
func (c *compiler) text(path, s string) bool {
	if n := utf8.RuneCountInString(s); n > MaxPatternLength {
		c.problems.add(path, "%s: %d characters are too many; at most %d are allowed", quote(s), n, MaxPatternLength)
		return false
	}
	if !utf8.ValidString(s) {
		c.problems.add(path, "%s: not valid UTF-8", quote(s))
		return false
	}
	return true
}

// grant returns the numbers of what is granted, in order, each once.
func (c *compiler) grant(path string, g Grant) []int32 {
	if len(g.Roles) == 0 && len(g.Permissions) == 0 {
		c.problems.add(path, "needs at least one role or permission")
	}
	var numbers []int32
	for i, key := range g.Roles {
		number, ok := c.roles[key]
		if !ok {
			c.problems.add(fmt.Sprintf("%s.roles[%d]", path, i), "%s is not a role of the catalog", quote(key))
		}
		numbers = append(numbers, number)
	}
	c.checkPermissions(path+".permissions", g.Permissions)
	for _, permission := range g.Permissions {
		numbers = append(numbers, c.permissions[permission])
	}
	slices.Sort(numbers)
	return slices.Clip(slices.Compact(numbers))
}

func (c *compiler) checkPermissions(path string, permissions []Permission) {
	if n := len(permissions); n > MaxPermissions {
		c.problems.add(path, "%d permissions are too many; at most %d are allowed", n, MaxPermissions)
		return
	}
	for i, permission := range permissions {
		if _, err := ParsePermission(string(permission)); err != nil {
			c.problems.add(fmt.Sprintf("%s[%d]", path, i), "%s %s", quote(permission), wantPermission)
		}
	}
}

// program puts the checked parts together, with the rules in order of their ids.
func (c *compiler) program() *Program {
	p := &c.p
	for _, role := range c.ranked {
		numbers := make([]int32, 0, len(role.Permissions))
		for _, permission := range role.Permissions {
			numbers = append(numbers, c.permissions[permission])
		}
		slices.Sort(numbers)
		p.carries = append(p.carries, slices.Compact(numbers))
	}
	// c.matchers goes by position, which the sorted rules keep.
	slices.SortFunc(p.rules, func(a, b rule) int { return strings.Compare(string(a.id), string(b.id)) })
	p.byID = make(map[directory.GroupID][]int32)
	p.byName = make(map[string][]int32)
	for i := range p.rules {
		if p.rules[i].paused {
			continue
		}
		number := int32(i)
		switch m := c.matchers[p.rules[i].position]; {
		case m.id != "":
			p.byID[m.id] = append(p.byID[m.id], number)
		case m.name != "":
			p.byName[m.name] = append(p.byName[m.name], number)
		case m.glob != nil:
			p.globs = append(p.globs, patternRule[glob]{*m.glob, number})
		case m.expression != nil:
			p.expressions = append(p.expressions, patternRule[expression]{*m.expression, number})
		}
	}
	return p
}
