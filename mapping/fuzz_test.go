package mapping

// In the package, because the matchers of patterns are its own.

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
)

// FuzzCompile compiles whatever JSON says, against hostile names: no panic, every error
// a fault with a list, and a program that evaluates the same twice.
func FuzzCompile(f *testing.F) {
	const catalog = `{"roles":[{"key":"admin","rank":2,"permissions":["a:b"]},{"key":"member","rank":1}]}`
	for _, rules := range []string{
		`{"combine":"union","default_role":"member","rules":[{"id":"e","when":{"group":{"name":"Engineering"}},"grant":{"roles":["admin"]}}]}`,
		`{"combine":"highest","on_no_match":"deny_login","rules":[{"id":"e","when":{"group":{"glob":"E*\\?"}},"grant":{"permissions":["a:b"]}}]}`,
		`{"rules":[{"id":"e","paused":true,"when":{"group":{"regexp":"(?i)e{3,}|\\pL+","connection":"conn_x"}},"grant":{}}]}`,
		`{"rules":[{"id":"e","when":{"group":{"id":"grp_00000000000000000000000001"}},"grant":{"roles":["admin","nobody"]}}, {}]}`,
		`{"rules":null}`,
	} {
		f.Add(catalog, rules, "Engineering\r\n")
	}
	f.Fuzz(func(t *testing.T, catalogJSON, rulesJSON, name string) {
		var catalog Catalog
		var set RuleSet
		if json.Unmarshal([]byte(catalogJSON), &catalog) != nil || json.Unmarshal([]byte(rulesJSON), &set) != nil {
			return
		}
		program, err := Compile(catalog, set)
		if err != nil {
			problems, ok := errors.AsType[Problems](err)
			if kind, text := fault.Public(err); !ok || len(problems) == 0 || kind != fault.Invalid || text == "" {
				t.Fatalf("Compile gave the error %v, %d problems, %v", err, len(problems), kind)
			}
			for _, p := range problems {
				if p.Path == "" || p.Message == "" || strings.ContainsAny(p.String(), "\r\n") {
					t.Errorf("the problem %q has no path, no message or two lines", p)
				}
			}
			return
		}
		facts := directory.Facts{User: directory.User{Active: true}, Groups: []directory.Membership{
			{Group: "grp_00000000000000000000000001", DisplayName: name}, {Group: "grp_2", DisplayName: strings.ToUpper(name)},
		}}
		a := program.Evaluate(facts)
		if !a.Equal(Explain(program, facts).Assignment) || !Diff(a, program.Evaluate(facts)).Empty() {
			t.Errorf("Evaluate and Explain differ")
		}
		for i := 1; i < len(a.Permissions); i++ {
			if a.Permissions[i-1] >= a.Permissions[i] {
				t.Errorf("permissions are not in order: %q", a.Permissions)
			}
		}
	})
}

// FuzzGlob compares the matcher with one that tries everything, in a table instead of
// by backtracking.
func FuzzGlob(f *testing.F) {
	for _, seed := range [][2]string{
		{"*", ""}, {"a*b*c", "AxxBxxC"}, {"*a-*a", "sales-emea"}, {"caf?", "cafe\u0301"}, {"STRA?SE", "straße"},
		{`\*\?\\`, `*?\`}, {"**?**", "x"}, {"a\xff*", "a\xffb"}, {"*\u0301", "e\u0301"}, {`a\ `, "a "},
		{strings.Repeat("*a", 20) + "b*", strings.Repeat("a", 60)},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		g, err := parseGlob(pattern)
		if err != nil {
			return
		}
		folded := directory.Fold(name)
		if !utf8.ValidString(pattern) || !utf8.ValidString(name) {
			g.match(folded) // it must not panic; Compile refuses such a pattern, JSON has no such name
			return
		}
		if got, want := g.match(folded), globTable([]rune(directory.Fold(pattern)), []rune(folded)); got != want {
			t.Errorf("glob %q on %q = %v, want %v", pattern, folded, got, want)
		}
		// With its special characters escaped, a name is a glob for itself only.
		if folded == "" {
			return
		}
		literal, err := parseGlob(strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`).Replace(name))
		if err != nil || !literal.match(folded) {
			t.Errorf("the escaped name %q does not match itself: %v", name, err)
		}
		if other := directory.Fold(pattern); literal.match(other) != (other == folded) {
			t.Errorf("the escaped name %q matches %q", name, other)
		}
	})
}

// globTable fills, from the end, whether pattern[i:] matches name[j:].
func globTable(pattern, name []rune) bool {
	type token struct {
		r       rune
		special bool
	}
	var tokens []token
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '\\':
			i++
			tokens = append(tokens, token{pattern[i], false})
		case '*', '?':
			tokens = append(tokens, token{pattern[i], true})
		default:
			tokens = append(tokens, token{pattern[i], false})
		}
	}
	table := make([][]bool, len(tokens)+1)
	for i := len(tokens); i >= 0; i-- {
		table[i] = make([]bool, len(name)+1)
		for j := len(name); j >= 0; j-- {
			switch {
			case i == len(tokens):
				table[i][j] = j == len(name)
			case tokens[i] == token{'*', true}:
				table[i][j] = table[i+1][j] || j < len(name) && table[i][j+1]
			case j < len(name) && (tokens[i] == token{'?', true} || tokens[i].r == name[j]):
				table[i][j] = table[i+1][j+1]
			}
		}
	}
	return table[0][0]
}

// FuzzExpression compares our wrapping and our check of the prefix with the leftmost
// longest match of the bare pattern: if any match spans the name, that one does.
func FuzzExpression(f *testing.F) {
	for _, seed := range [][2]string{
		{"support-(emea|amer|apac)", "Support-EMEA"}, {"a|ab", "ab"}, {"cat|dog", "Dog"}, {"(?:cat|dog)s", "dogs"}, {"a)|(b", "b"}, {`\Qa`, "a"}, {"(?m)^a$", "a\nb"},
		{"sé", "ſe\u0301"}, {"k", "\u212a"}, {"(?-i:K)", "k"}, {"(?-i:K)x", "Kx"}, {"^a+?", "aa"}, {"", ""}, {"(a{30}){30}", "a"}, {"a\xff", "a\xff"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if len(pattern) > MaxPatternLength || len(name) > 1000 {
			return
		}
		e, _, err := parseExpression(pattern, maxExpressionSize)
		if err != nil {
			return
		}
		oracle := regexp.MustCompile("(?i)" + norm.NFC.String(pattern))
		oracle.Longest()
		name = plain(name)
		span := oracle.FindStringIndex(name)
		want := span != nil && span[0] == 0 && span[1] == len(name)
		if got := e.match(name); got != want {
			t.Errorf("regexp %q on %q = %v, want %v (prefix %q)", pattern, name, got, want, string(e.prefix))
		}
	})
}
