package sso

import (
	"strconv"
	"strings"
)

// quote shows at most 64 bytes of a value that came from outside.
func quote(s string) string {
	if len(s) > 64 {
		return strconv.Quote(s[:64]) + "…"
	}
	return strconv.Quote(s)
}

// ascii returns a description as an error_description may hold it (RFC 6749 §4.1.2.1 and
// §5.2): printable ASCII without quotation marks and backslashes.
func ascii(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '"', r == '\\':
			return '\''
		case r < ' ' || r > '~':
			return '.'
		}
		return r
	}, s)
}
