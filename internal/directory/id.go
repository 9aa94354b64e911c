package directory

import (
	"encoding/base32"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/rolesync/rolesync/internal/fault"
)

// The ids are opaque to callers: a prefix that names the kind, then 26 characters
// of lower-case base32hex over a version 7 UUID (RFC 9562 §5.7), so that ids sort
// by time of creation and a new row lands at the end of its index.
type (
	// OrganizationID names one customer: "org_…".
	OrganizationID string
	// ConnectionID names one identity-provider integration: "conn_…".
	ConnectionID string
	// UserID names one user of one organization: "usr_…". It is the subject in Redis.
	UserID string
	// GroupID names one group as a connection pushed it: "grp_…".
	GroupID string
	// MemberID names a member of a group: a UserID, or the GroupID of a nested group.
	// In order, the groups come first.
	MemberID string
)

// IsGroup reports whether the member is a group.
func (id MemberID) IsGroup() bool { return strings.HasPrefix(string(id), groupPrefix) }

const (
	organizationPrefix = "org_"
	connectionPrefix   = "conn_"
	userPrefix         = "usr_"
	groupPrefix        = "grp_"
	clientPrefix       = "cli_"
	idLength           = 26
)

// NewOrganizationID returns a fresh id.
func NewOrganizationID() OrganizationID { return OrganizationID(newID(organizationPrefix)) }

// NewConnectionID returns a fresh id.
func NewConnectionID() ConnectionID { return ConnectionID(newID(connectionPrefix)) }

// NewUserID returns a fresh id.
func NewUserID() UserID { return UserID(newID(userPrefix)) }

// NewGroupID returns a fresh id.
func NewGroupID() GroupID { return GroupID(newID(groupPrefix)) }

// NewChangeID returns a fresh id of an audited change: "chg_…".
func NewChangeID() string { return newID("chg_") }

// NewRequestID returns a fresh id of a request: "req_…".
func NewRequestID() string { return newID("req_") }

// Reference is what a person is shown of a request's id, to read out to an admin, who finds
// the request by it: its end.
func Reference(request string) string {
	return strings.ToUpper(request[max(0, len(request)-8):])
}

// NewFailureID returns a fresh id of a failed request of a connection: "fail_…".
func NewFailureID() string { return newID("fail_") }

// NewKeyID returns a fresh id of an admin key, a token, or a key of a SAML connection: "key_…".
func NewKeyID() string { return newID("key_") }

// NewClientID returns a fresh id of an OAuth client, or of an application: "cli_…".
func NewClientID() string { return newID(clientPrefix) }

// NewTrialID returns a fresh id of a test login: "test_…".
func NewTrialID() string { return newID("test_") }

// ParseClientID checks the form of an id that came from outside.
func ParseClientID(s string) (string, error) { return s, check(s, clientPrefix, "client") }

// ParseOrganizationID checks the form of an id that came from outside.
func ParseOrganizationID(s string) (OrganizationID, error) {
	return OrganizationID(s), check(s, organizationPrefix, "organization")
}

// ParseConnectionID checks the form of an id that came from outside.
func ParseConnectionID(s string) (ConnectionID, error) {
	return ConnectionID(s), check(s, connectionPrefix, "connection")
}

// ParseUserID checks the form of an id that came from outside.
func ParseUserID(s string) (UserID, error) { return UserID(s), check(s, userPrefix, "user") }

// ParseGroupID checks the form of an id that came from outside.
func ParseGroupID(s string) (GroupID, error) { return GroupID(s), check(s, groupPrefix, "group") }

var encoding = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// newID panics only when the system has no randomness, in which case nothing that
// this program does is safe.
func newID(prefix string) string {
	id := uuid.Must(uuid.NewV7())
	return prefix + encoding.EncodeToString(id[:])
}

func check(s, prefix, kind string) error {
	rest, ok := strings.CutPrefix(s, prefix)
	if !ok || len(rest) != idLength || strings.Trim(rest, "0123456789abcdefghijklmnopqrstuv") != "" {
		return fault.New(fault.NotFound, "there is no %s %s", kind, quote(s))
	}
	return nil
}

// quote shows at most 64 bytes of a value that came from outside.
func quote(s string) string {
	if len(s) > 64 {
		return fmt.Sprintf("%q…", s[:64])
	}
	return fmt.Sprintf("%q", s)
}
