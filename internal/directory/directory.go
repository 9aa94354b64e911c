// Package directory holds the words of the domain: organizations, connections,
// users, groups, and the facts about one user that rules are evaluated on.
//
// It is a leaf without I/O. What always holds: every value belongs to exactly one
// organization, names are compared through Fold, and a time is UTC with
// microsecond precision (what both databases keep).
package directory

import (
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Organization is one customer of the application.
type Organization struct {
	ID        OrganizationID
	Name      string
	CreatedAt time.Time
}

// Kind is the protocol of a connection.
type Kind string

// The kinds of connection.
const (
	SCIM Kind = "scim"
	SAML Kind = "saml"
)

// Connection is one identity-provider integration of an organization. A disabled
// connection is frozen: its requests are refused, its facts stay.
type Connection struct {
	ID           ConnectionID
	Organization OrganizationID
	Kind         Kind
	Name         string
	Disabled     bool
	Strict       bool // whether SCIM is held to the letter, where it is else understood with good will
	RateLimit    int  // requests a second, sustained; 0: the deployment's
	RateBurst    int  // requests at once; 0: the deployment's
	CreatedAt    time.Time
}

// User is a person as one connection states them. UserName is unique per
// organization without regard to case. ExternalID compares with it, and several users
// may share one (RFC 7643 §3.1): then it names none of them.
type User struct {
	ID           UserID
	Organization OrganizationID
	Connection   ConnectionID
	ExternalID   string // the provider's own id, "" when it gave none
	UserName     string
	DisplayName  string
	Email        string // the primary e-mail address, "" when there is none
	Active       bool
	Resource     json.RawMessage // the SCIM resource without id, meta, groups and password
	CreatedAt    time.Time
	ModifiedAt   time.Time
	Revision     int64 // raised by one at each change of the resource; the ETag
}

// Group is a group as one connection pushed it. DisplayName is unique per
// connection through Fold; its members are rows of their own, never part of Resource.
type Group struct {
	ID           GroupID
	Organization OrganizationID
	Connection   ConnectionID
	Kind         Kind // of the connection
	ExternalID   string
	DisplayName  string
	Resource     json.RawMessage // the SCIM resource without id, meta and members
	CreatedAt    time.Time
	ModifiedAt   time.Time
	Revision     int64
}

// Facts is all that an assignment may depend on, for one user.
type Facts struct {
	User   User
	Groups []Membership // in order of group id
	// Authority says which of them count; the zero value: all.
	Authority Authority
}

// Membership is one group of a user, as the rules see it.
type Membership struct {
	Group       GroupID
	Connection  ConnectionID
	Kind        Kind // of the connection
	DisplayName string
	// Via is "" when the user is a member itself. Else it is a group that the user is a
	// member of, and that is in Group, directly or by way of others: a nested group.
	Via GroupID
}

// NestingDepth is how many steps, from a group to one that contains it, are followed.
// What is further away counts for nothing, and so a cycle has an end.
const NestingDepth = 5

// Fold returns the form in which names are compared: trimmed, Unicode NFC, case
// folded (SEMANTICS, "Match").
func Fold(name string) string { return FoldCase(strings.TrimSpace(name)) }

// FoldCase is Fold for what may be a part of a name: white space counts.
func FoldCase(name string) string {
	for i := 0; i < len(name); i++ {
		if name[i] >= 0x80 {
			// NFC again, because folding can leave a sequence decomposed.
			return norm.NFC.String(cases.Fold().String(norm.NFC.String(name)))
		}
	}
	return strings.ToLower(name) // the same, on ASCII, without the tables
}

// Disguised reports whether folding a name makes ASCII of what is none: a long s is folded
// to s, a Kelvin sign to k, a ligature to its letters. Such a name compares as equal to one
// that somebody else may have, and that providers tell apart from it.
func Disguised(name string) bool {
	for _, r := range name {
		if r >= utf8.RuneSelf && strings.ContainsFunc(FoldCase(string(r)), func(f rune) bool { return f < utf8.RuneSelf }) {
			return true
		}
	}
	return false
}

// Now returns the time as both databases keep it. It is the one default of every
// injected clock.
func Now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
