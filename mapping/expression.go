package mapping

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// An RE2 expression of 512 characters can ask for a program of 100 MB (a{1000} and
// the like), so its size is limited, per expression and per rule set. The unit is
// about one instruction or character range, 50 bytes; a usual expression has 10 to 100.
const (
	maxExpressionSize      = 10_000
	maxExpressionSizeTotal = 250_000
)

// expression matches plain names (see plain) in full, without regard to case.
type expression struct {
	prefix []rune // what every match begins with, apart from case; checked first
	re     *regexp.Regexp
}

// plain is the form of a name that expressions see: trimmed and in NFC.
func plain(name string) string { return norm.NFC.String(strings.TrimSpace(name)) }

// parseExpression compiles the pattern and returns its size. If that is more than room
// it does not compile it, and returns an expression that must not be used. Its errors
// are for the author of the rule.
func parseExpression(pattern string, room int) (expression, int, error) {
	pattern = norm.NFC.String(pattern)
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		// Alone, before it is wrapped: "a)|(b" must not close our group.
		return expression{}, 0, authorError(err)
	}
	size := sizeOf(tree)
	if size > maxExpressionSize {
		return expression{}, size, errors.New("too large when its repetitions are written out")
	}
	if size > room {
		return expression{}, size, nil
	}
	re, err := regexp.Compile(`(?i:^(?:` + pattern + `)$)`)
	if err != nil {
		if strings.Contains(pattern, `\Q`) {
			err = errors.New(`\Q needs its \E`) // else it quotes the end of our group
		}
		return expression{}, size, authorError(err)
	}
	return expression{prefix: prefixOf(tree), re: re}, size, nil
}

func (e expression) match(name string) bool {
	return hasPrefixAnyCase(name, e.prefix) && e.re.MatchString(name)
}

// authorError leaves out what regexp says about itself: "error parsing regexp: …".
func authorError(err error) error {
	if e, ok := errors.AsType[*syntax.Error](err); ok {
		return fmt.Errorf("%s", e.Code)
	}
	return err
}

// sizeOf is the size of the program that the tree compiles to, in the unit of
// maxExpressionSize. The parser bounds the product of nested repetitions by 1,000, so
// it cannot overflow.
func sizeOf(tree *syntax.Regexp) int {
	size := 1 + len(tree.Rune)
	for _, sub := range tree.Sub {
		size += sizeOf(sub)
	}
	if tree.Op == syntax.OpRepeat {
		size *= max(tree.Min, tree.Max, 1)
	}
	return size
}

// prefixOf returns characters that every match begins with, apart from case: none
// when it cannot tell.
func prefixOf(tree *syntax.Regexp) []rune {
	switch tree.Op {
	case syntax.OpLiteral:
		return tree.Rune
	case syntax.OpCapture:
		return prefixOf(tree.Sub[0])
	case syntax.OpConcat:
		for _, sub := range tree.Sub {
			if sub.Op != syntax.OpBeginText && sub.Op != syntax.OpBeginLine {
				return prefixOf(sub)
			}
		}
	}
	return nil
}

// hasPrefixAnyCase compares as (?i) does, character by character. (Go's regexp finds
// a literal prefix by itself, but not without regard to case.)
func hasPrefixAnyCase(s string, prefix []rune) bool {
	for _, want := range prefix {
		got, size := utf8.DecodeRuneInString(s)
		if size == 0 || got != want && !sameLetter(got, want) {
			return false
		}
		s = s[size:]
	}
	return true
}

func sameLetter(a, b rune) bool {
	if a < utf8.RuneSelf && b < utf8.RuneSelf {
		a |= 0x20 // which makes a letter small, and nothing else a letter
		return a == b|0x20 && 'a' <= a && a <= 'z'
	}
	for r := unicode.SimpleFold(a); r != a; r = unicode.SimpleFold(r) {
		if r == b {
			return true
		}
	}
	return false
}
