package scim

import (
	"strings"
	"testing"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
)

func TestAppendUser(t *testing.T) {
	at := time.Date(2026, 5, 13, 4, 42, 34, 120_000_000, time.UTC)
	u := directory.User{ID: "usr_1", Connection: "conn_1", Resource: []byte(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"a"}`), CreatedAt: at, ModifiedAt: at.Add(time.Microsecond), Revision: 7}
	const head = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"a","id":"usr_1"`
	const tail = `,"meta":{"resourceType":"User","created":"2026-05-13T04:42:34.12Z","lastModified":"2026-05-13T04:42:34.120001Z",` +
		`"location":"https://x/Users/usr_1","version":"W/\"7` // then a digest of the groups
	own := directory.Membership{Group: "grp_1", Connection: "conn_1", DisplayName: `Tour "Guides"`}
	second := directory.Membership{Group: "grp_2", Connection: "conn_1", DisplayName: "B"}
	foreign := directory.Membership{Group: "grp_3", Connection: "conn_2", DisplayName: "of a SAML login"}
	const first = `{"value":"grp_1","$ref":"https://x/Groups/grp_1","display":"Tour \"Guides\"","type":"direct"}`
	for _, tt := range []struct {
		name   string
		groups []directory.Membership
		want   string
	}{
		{"no groups", nil, ``},
		{"groups of another connection", []directory.Membership{foreign}, ``},
		{"one among others", []directory.Membership{foreign, own, foreign}, `,"groups":[` + first + `]`},
		{"two", []directory.Membership{own, second}, `,"groups":[` + first + `,{"value":"grp_2","$ref":"https://x/Groups/grp_2","display":"B","type":"direct"}]`},
	} {
		got, _, err := view{base: "https://x", show: projection{of: userType}}.appendUser(nil, &u, tt.groups)
		if err != nil || !strings.HasPrefix(string(got), head+tt.want+tail) {
			t.Errorf("%s:\n%s\n%s", tt.name, got, head+tt.want+tail)
		}
	}
}
