package scim_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
	rolesync "github.com/rolesync/rolesync/sync"
)

// saml makes a SAML connection of the organization, and returns what signs a person in.
func (tn *tenant) saml() func(l rolesync.Login) (rolesync.LoggedIn, error) {
	tn.t.Helper()
	by := rolesync.Author{Organization: tn.organization, Connection: directory.NewConnectionID(), Name: "test", Request: "req_saml"}
	err := tn.store.Transact(context.Background(), store.Scope{Organization: tn.organization, Connection: by.Connection}, store.Facts, func(tx *store.Tx) error {
		tx.CreateConnection(directory.Connection{ID: by.Connection, Kind: directory.SAML, Name: "ADFS", CreatedAt: directory.Now()})
		return nil
	})
	if err != nil {
		tn.t.Fatal(err)
	}
	return func(l rolesync.Login) (rolesync.LoggedIn, error) {
		l.JustInTime, l.Fact, l.Usable = true, directory.Stated, directory.Now().Add(time.Hour)
		return tn.engine.Login(context.Background(), by, l)
	}
}

func TestAdoption(t *testing.T) {
	databases(t, func(t *testing.T, s *service) {
		tn := s.newTenant()
		signIn := tn.saml()
		in, err := signIn(rolesync.Login{Subject: "s1", UserName: "anna", Email: "anna@example.com", Message: "_1", Groups: []string{"Of SAML"}})
		if err != nil || !in.Created {
			t.Fatalf("Login = %+v, %v", in, err)
		}
		id := string(in.User.ID)
		// SCIM knows nothing of the user, nor of the group, until it creates the user itself.
		tn.fails(404, "", id, "GET", "/Users/"+id, "")
		for _, path := range []string{"/Users", "/Groups"} {
			if r := tn.must(200, "GET", path, ""); r.at("totalResults") != 0.0 {
				t.Errorf("GET %s = %s, want nothing", path, r.text)
			}
		}
		bert := tn.user("bert@example.com")
		tn.fails(409, "uniqueness", "ANNA", "PATCH", "/Users/"+bert, patch("replace", "userName", `"ANNA"`))
		r := tn.must(201, "POST", "/Users", `{"userName":"anna.smith","displayName":"Anna","externalId":"00uA","emails":[{"value":"ANNA@example.com","primary":true}],"title":"Engineer"}`)
		if r.string("id") != id || r.header.Get("Location") != tn.base+"/Users/"+id || r.string("userName") != "anna.smith" {
			t.Errorf("POST of a user who signed in = %s, %s; want the user %s", r.text, r.header.Get("Location"), id)
		}
		got := tn.must(200, "GET", "/Users/"+id, "")
		if got.string("title") != "Engineer" || got.len("groups") != 0 {
			t.Errorf("GET of an adopted user = %s", got.text)
		}
		if r := tn.must(200, "GET", "/Users"+filtered(`groups.display eq "Of SAML"`), ""); r.at("totalResults") != 0.0 {
			t.Errorf("a filter on groups finds those of SAML: %s", r.text)
		}
		tn.fails(409, "uniqueness", "anna.smith", "POST", "/Users", `{"userName":"anna.smith"}`)
		if r := tn.must(200, "GET", "/Users", ""); r.at("totalResults") != 2.0 {
			t.Errorf("GET /Users = %s", r.text)
		}
		// A change of the user's groups by a login is none of what SCIM is shown.
		before := got.string("meta", "version")
		if _, err := signIn(rolesync.Login{Subject: "s1", Message: "_2", Groups: []string{"Other"}}); err != nil {
			t.Fatal(err)
		}
		if after := tn.must(200, "GET", "/Users/"+id, "").string("meta", "version"); after != before {
			t.Errorf("a login changed the version that SCIM is shown from %s to %s", before, after)
		}
		tn.must(204, "DELETE", "/Users/"+id, "")
		if in, err := signIn(rolesync.Login{Subject: "s1", UserName: "anna", Message: "_3"}); err != nil || in.Refused != rolesync.UserUnknown {
			t.Errorf("Login of a deleted user = %q, %v", in.Refused, err)
		}
	})
}

// A bulk request adopts, too.
func TestAdoptionInBulk(t *testing.T) {
	databases(t, func(t *testing.T, s *service) {
		tn := s.newTenant()
		in, err := tn.saml()(rolesync.Login{Subject: "s1", UserName: "anna@example.com", Message: "_1"})
		if err != nil {
			t.Fatal(err)
		}
		r := tn.must(200, "POST", "/Bulk", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[
			{"method":"POST","path":"/Users","bulkId":"u","data":{"userName":"anna@example.com"}},
			{"method":"POST","path":"/Groups","bulkId":"g","data":{"displayName":"Admins","members":[{"value":"bulkId:u"}]}}]}`)
		if r.string("Operations", 0, "status") != "201" || r.string("Operations", 0, "location") != tn.base+"/Users/"+string(in.User.ID) {
			t.Errorf("bulk = %s", r.text)
		}
		if r := tn.must(200, "GET", "/Users/"+string(in.User.ID), ""); r.string("groups", 0, "display") != "Admins" {
			t.Errorf("the adopted user = %s", r.text)
		}
	})
}

// The identity provider provisions a person who signs in at the same moment: whoever is
// first, it is one user in the end, whom SCIM owns.
func TestAdoptionRacesWithTheFirstLogin(t *testing.T) {
	databases(t, func(t *testing.T, s *service) {
		tn := s.newTenant()
		signIn := tn.saml()
		adopted, linked := 0, 0
		for round := range 200 {
			// Before SCIM has created its first user, the login may make one. So each
			// round has an organization of its own, but where SCIM begins.
			if round%2 == 0 {
				tn = s.newTenant()
				signIn = tn.saml()
			}
			email := fmt.Sprintf("p%d@example.com", round)
			body := fmt.Sprintf(`{"userName":"p%d","emails":[{"value":"P%d@Example.com","primary":true}]}`, round, round)
			if round%4 > 1 {
				body = fmt.Sprintf(`{"userName":"P%d@EXAMPLE.com"}`, round)
			}
			var in rolesync.LoggedIn
			var failed error
			var posted response
			var both sync.WaitGroup
			both.Go(func() {
				in, failed = signIn(rolesync.Login{Subject: fmt.Sprint("s", round), UserName: email, Email: email, Message: fmt.Sprint("_", round), Groups: []string{"Everyone"}})
			})
			for range round % 7 {
				_ = s.store.Ping(context.Background()) // to begin a little later
			}
			posted = tn.do("POST", "/Users", body)
			both.Wait()
			if failed != nil || posted.status != 201 {
				t.Fatalf("round %d: Login: %v; POST: %d %s", round, failed, posted.status, posted.text)
			}
			if in.Refused == rolesync.UserUnknown && round%2 == 1 {
				// SCIM provides the users here, and had not created this one yet.
				if in, failed = signIn(rolesync.Login{Subject: fmt.Sprint("s", round), UserName: email, Email: email, Message: fmt.Sprint("_again", round)}); failed != nil {
					t.Fatal(failed)
				}
			}
			id := posted.string("id")
			if in.Refused != rolesync.Accepted || string(in.User.ID) != id {
				t.Fatalf("round %d: the login found %q (%q), SCIM has %q", round, in.User.ID, in.Refused, id)
			}
			users, err := s.store.Assignments(context.Background(), tn.organization, "", 10)
			if want := 1 + round%2; err != nil || len(users) != want {
				t.Fatalf("round %d: there are %d users, %v; want %d", round, len(users), err, want)
			}
			tn.must(200, "GET", "/Users/"+id, "")
			switch {
			case in.Created:
				adopted++
			case in.Linked:
				linked++
			}
		}
		t.Logf("%d were adopted, %d linked", adopted, linked)
		if adopted == 0 || linked == 0 {
			t.Errorf("%d were adopted and %d linked: the test tests too little", adopted, linked)
		}
		verifier := rolesync.Verifier{Store: s.store}
		if found, err := verifier.Verify(context.Background()); err != nil || len(found.Differences) > 0 {
			t.Errorf("verify: %+v, %v", found.Differences, err)
		}
	})
}
