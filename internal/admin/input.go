package admin

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rolesync/rolesync/internal/fault"
)

// The limits on what an admin writes, in characters.
const (
	MaxName        = 200
	MaxDescription = 2_000
	MaxComment     = 1_000
)

// line checks a text of one line that must not be blank, and returns it trimmed.
func line(field, value string, most int) (string, error) {
	value = strings.TrimSpace(value)
	if value == "" {
		return "", fault.New(fault.Invalid, "%s must not be blank", field)
	}
	if strings.ContainsFunc(value, unicode.IsControl) {
		return "", fault.New(fault.Invalid, "%s %q must not have control characters", field, first(value))
	}
	return value, length(field, value, most)
}

// prose checks a text that may be empty and may have several lines.
func prose(field, value string, most int) error {
	other := func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r' }
	if strings.ContainsFunc(value, other) {
		return fault.New(fault.Invalid, "%s must not have control characters other than tabs and line ends", field)
	}
	return length(field, value, most)
}

func length(field, value string, most int) error {
	if !utf8.ValidString(value) {
		return fault.New(fault.Invalid, "%s is not valid UTF-8", field)
	}
	if n := utf8.RuneCountInString(value); n > most {
		return fault.New(fault.Invalid, "%s has %d characters; at most %d are allowed", field, n, most)
	}
	return nil
}

// first shows at most 64 bytes of a value that came from outside.
func first(value string) string {
	if len(value) > 64 {
		return value[:64] + "…"
	}
	return value
}

// storable reports whether the databases can be asked for the text: PostgreSQL knows
// no NUL and nothing but UTF-8. What is not storable is not stored either.
func storable(value string) bool {
	return utf8.ValidString(value) && !strings.ContainsRune(value, 0)
}

// expiry checks when a credential ends; the zero time is never.
func expiry(at, now time.Time) (time.Time, error) {
	if at.IsZero() {
		return at, nil
	}
	at = at.UTC().Truncate(time.Microsecond)
	if !at.After(now) {
		return at, fault.New(fault.Invalid, "expires_at %s is not in the future", at.Format(time.RFC3339))
	}
	if at.Year() > 9999 {
		return at, fault.New(fault.Invalid, "expires_at is after the year 9999; leave it out for a credential that does not expire")
	}
	return at, nil
}

// MaxPage is the most that one call lists.
const MaxPage = 1_000

// Page asks for a part of a list.
type Page struct {
	After string // the Next of an earlier part; "" begins at the first
	Limit int    // 1 to MaxPage; less is 100, more is MaxPage
}

func (p Page) limit() int {
	if p.Limit < 1 {
		return 100
	}
	return min(p.Limit, MaxPage)
}

// after returns the cursor as an id, or a fault when it was not given out by the list.
func after[ID ~string](p Page, parse func(string) (ID, error)) (ID, error) {
	if p.After == "" {
		return "", nil
	}
	id, err := parse(p.After)
	if err != nil {
		return "", badCursor(p.After)
	}
	return id, nil
}

func badCursor(cursor string) error {
	return fault.New(fault.Invalid, "after %q is no cursor of this list; take it from next", first(cursor))
}

// List is a part of a list.
type List[T any] struct {
	Items []T
	Next  string // the cursor of what follows; "" when nothing does
}

// cut makes a part of the items, of which one more than the limit was asked for.
func cut[T any](items []T, limit int, cursor func(T) string) List[T] {
	if len(items) <= limit {
		return List[T]{Items: items}
	}
	items = items[:limit]
	return List[T]{Items: items, Next: cursor(items[limit-1])}
}
