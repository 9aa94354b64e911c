package scim

import (
	"iter"
	"strconv"
	"strings"

	"github.com/rolesync/rolesync/internal/fault"
)

// matches refuses a change when If-Match names other versions than the one that is
// stored (RFC 7644 §3.14). The groups of a user are not the user's to change, so the
// digest of them does not count.
func (c *call) matches(revision int64) error {
	condition := c.Header.Get("If-Match")
	if condition == "" || condition == "*" {
		return nil
	}
	want := strconv.FormatInt(revision, 10)
	for tag := range tags(condition) {
		if number, _, _ := strings.Cut(tag, "."); number == want {
			return nil
		}
	}
	return fault.New(fault.PreconditionFailed, "the resource has changed since: its version is %s", version(revision))
}

// known reports whether the client has what it asks for already, by If-None-Match.
func (c *call) known(version string) bool {
	condition := c.Header.Get("If-None-Match")
	if condition == "*" {
		return true
	}
	for tag := range tags(condition) {
		if `W/"`+tag+`"` == version {
			return true
		}
	}
	return false
}

// tags are the entity tags of a header, without quotes and the mark of a weak one: the
// comparison is the weak one of RFC 9110 §8.8.3.2.
func tags(header string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for tag := range strings.SplitSeq(header, ",") {
			tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
			if len(tag) >= 2 && tag[0] == '"' && tag[len(tag)-1] == '"' && !yield(tag[1:len(tag)-1]) {
				return
			}
		}
	}
}
