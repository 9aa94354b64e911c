package mapping

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/rolesync/rolesync/internal/fault"
)

// Problem is one reason why a catalog or a rule set cannot be compiled.
type Problem struct {
	Path    string `json:"path"`    // where, in terms of the JSON: rules[3].when.group.regexp
	Message string `json:"message"` // what, beginning with the offending value if there is one
}

func (p Problem) String() string { return p.Path + ": " + p.Message }

// Problems is all that is wrong, first the catalog (paths roles…), then the rule set,
// each in the order of the document. It is the error that Compile returns: ask for
// the list with errors.AsType[Problems]. It unwraps to one fault.Invalid whose message
// has all of them, one per line.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the fault that an edge shows to its caller.
func (ps Problems) Unwrap() error { return fault.New(fault.Invalid, "%s", ps.Error()) }

func (ps *Problems) add(path, format string, args ...any) {
	*ps = append(*ps, Problem{Path: path, Message: fmt.Sprintf(format, args...)})
}

// quote shows at most 64 characters of a value that came from outside, on one line.
func quote[S ~string](value S) string {
	s := string(value)
	for i := range s {
		if utf8.RuneCountInString(s[:i]) == 64 {
			return fmt.Sprintf("%q…", s[:i])
		}
	}
	return fmt.Sprintf("%q", s)
}
