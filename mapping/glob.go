package mapping

import (
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rolesync/rolesync/internal/directory"
)

// glob matches folded names in full. The literal beginning and end of the pattern are
// kept apart, because most names fail on them.
type glob struct {
	prefix string
	rest   []rune // after the prefix, with the suffix: characters, anyRun and anyOne
	suffix string // of rest, so empty without a * or ?
}

const (
	anyRun rune = -1 // *
	anyOne rune = -2 // ?
)

var (
	errGlobEscape = errors.New("the backslash at its end escapes nothing")
	errBlank      = errors.New("blank, so it would match no group")
)

// parseGlob folds the pattern as a whole, which leaves its three special characters as
// they are: no other character folds or composes to one of them, and none of them
// composes with a character that follows.
func parseGlob(pattern string) (glob, error) {
	folded := directory.Fold(pattern)
	if folded == "" {
		return glob{}, errBlank
	}
	var tokens []rune
	escaped := false
	for _, r := range folded {
		switch {
		case escaped:
			tokens, escaped = append(tokens, r), false
		case r == '\\':
			escaped = true
		case r == '?':
			tokens = append(tokens, anyOne)
		case r == '*':
			if n := len(tokens); n == 0 || tokens[n-1] != anyRun {
				tokens = append(tokens, anyRun)
			}
		default:
			tokens = append(tokens, r)
		}
	}
	if escaped {
		return glob{}, errGlobEscape
	}
	special := func(r rune) bool { return r < 0 }
	first := slices.IndexFunc(tokens, special)
	if first < 0 {
		return glob{prefix: string(tokens)}, nil
	}
	end := len(tokens)
	for !special(tokens[end-1]) {
		end--
	}
	return glob{prefix: string(tokens[:first]), rest: tokens[first:], suffix: string(tokens[end:])}, nil
}

// match reports whether the pattern matches the whole folded name. When characters
// stop matching, only the last * seen takes one more: earlier ones never need to, as
// what they would take the last one can take too. So the cost is at most the product
// of both lengths.
func (g glob) match(name string) bool {
	if !strings.HasPrefix(name, g.prefix) || !strings.HasSuffix(name, g.suffix) {
		return false
	}
	name = name[len(g.prefix):]
	at, token := 0, 0         // where we are in the name and in the pattern
	retry, afterStar := 0, -1 // where to go on when we are stuck; no * seen yet
	for at < len(name) {
		r, size := utf8.DecodeRuneInString(name[at:])
		switch {
		case token < len(g.rest) && g.rest[token] == anyRun:
			token++
			retry, afterStar = at, token
		case token < len(g.rest) && (g.rest[token] == anyOne || g.rest[token] == r):
			at += size
			token++
		case afterStar >= 0:
			_, size := utf8.DecodeRuneInString(name[retry:])
			retry += size
			if afterStar < len(g.rest) && g.rest[afterStar] >= 0 {
				skip := strings.IndexRune(name[retry:], g.rest[afterStar])
				if skip < 0 {
					return false
				}
				retry += skip
			}
			at, token = retry, afterStar
		default:
			return false
		}
	}
	return token == len(g.rest) || token == len(g.rest)-1 && g.rest[token] == anyRun
}
