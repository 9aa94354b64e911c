package scim_test

import (
	"testing"
	"time"

	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
)

// beside is another connection of the same organization.
func (tn *tenant) beside() *tenant {
	tn.t.Helper()
	other := &tenant{service: tn.service, organization: tn.organization, connection: directory.NewConnectionID()}
	now := directory.Now()
	token, stored := credential.New(credential.SCIMToken, now, time.Time{})
	other.token = token
	other.transact(func(tx *store.Tx) {
		tx.CreateConnection(directory.Connection{ID: other.connection, Kind: directory.SCIM, Name: "Entra ID", CreatedAt: now})
		tx.CreateToken(stored)
	})
	other.base = tn.url + "/scim/v2/" + string(other.connection)
	return other
}

// A userName is one person's in the whole organization, the name of a group that of one
// group in its connection.
func TestUniquenessAcrossConnections(t *testing.T) {
	databases(t, func(t *testing.T, s *service) {
		tn := s.newTenant()
		beside, elsewhere := tn.beside(), s.newTenant()
		anna := tn.must(201, "POST", "/Users", `{"userName":"Anna@example.com","externalId":"e-1"}`).string("id")
		group := tn.newGroup("Admins", anna)
		before := tn.must(200, "GET", "/Users/"+anna, "").text

		other := beside.user("bert@example.com")
		beside.fails(409, "uniqueness", "ANNA@example.com", "POST", "/Users", `{"userName":"ANNA@example.com"}`)
		beside.fails(409, "uniqueness", "anna@example.com", "PUT", "/Users/"+other, `{"userName":"anna@example.com"}`)
		beside.fails(409, "uniqueness", "anna@example.com", "PATCH", "/Users/"+other, patch("replace", "userName", `"anna@example.com"`))
		elsewhere.user("anna@example.com")

		theirs := beside.newGroup("admins")
		elsewhere.newGroup("admins")
		beside.fails(409, "uniqueness", "ADMINS", "POST", "/Groups", `{"displayName":"ADMINS"}`)

		// What one connection owns, the other neither sees nor changes.
		for _, path := range []string{"/Users/" + anna, "/Groups/" + group} {
			beside.fails(404, "", "there is no", "GET", path, "")
			beside.fails(404, "", "there is no", "PATCH", path, patch("replace", "externalId", `"x"`))
			beside.fails(404, "", "there is no", "DELETE", path, "")
		}
		for path, want := range map[string]string{"/Users": other, "/Groups": theirs} {
			if r := beside.must(200, "GET", path, ""); r.at("totalResults") != 1.0 || r.string("Resources", 0, "id") != want {
				t.Errorf("GET %s of the connection beside it lists %s", path, r.text)
			}
		}
		if after := tn.must(200, "GET", "/Users/"+anna, "").text; after != before {
			t.Errorf("%s became %s", before, after)
		}
	})
}
