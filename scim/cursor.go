package scim

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"

	elimity "github.com/elimity-com/scim/errors"
)

// cursor is a place in a list, RFC 9865: behind the resource of this id. It means
// nothing to the client, and nothing beyond the client's own connection to us: what it
// leads to is selected anew, so a forged one shows another page of the same list. It
// does not expire.
type cursor struct {
	Query    string  `json:"q"` // of what list: a digest of the filter, the order and the types
	Endpoint string  `json:"e"` // of the resource
	Key      sortKey `json:"k,omitzero"`
	ID       string  `json:"i"`
}

// String encodes a cursor in unreserved characters (RFC 9865 §2.1).
func (c cursor) String() string {
	text, err := json.Marshal(c)
	if err != nil {
		return "" // strings always marshal
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// parseCursor reads a cursor that was given out for the same list.
func parseCursor(s, query string) (cursor, error) {
	var c cursor
	text, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	if err != nil || c.Query == "" {
		return c, invalidCursor("the cursor %s was not given out here", quote(s))
	}
	if c.Query != query {
		return c, invalidCursor("the cursor %s belongs to a list with another filter or order", quote(s))
	}
	return c, nil
}

// fingerprint tells lists apart that a cursor must not move between.
func (q query) fingerprint(endpoint string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{endpoint, q.filter, strings.ToLower(q.sortBy), strings.ToLower(q.sortOrder)}, "\x00")))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// scimTypeInvalidCursor is of RFC 9865 §2.4.
const scimTypeInvalidCursor elimity.ScimType = "invalidCursor"

func invalidCursor(format string, args ...any) error {
	return badRequest(scimTypeInvalidCursor, format, args)
}
