package scim_test

import "testing"

// An externalId that two users share names neither of them when somebody is to join a
// group, and both when somebody is to leave.
func TestSharedExternalID(t *testing.T) {
	databases(t, func(t *testing.T, s *service) {
		tn := s.newTenant()
		one := tn.must(201, "POST", "/Users", `{"userName":"one","externalId":"e-1"}`).string("id")
		two := tn.must(201, "POST", "/Users", `{"userName":"two","externalId":"e-1"}`).string("id")
		if r := tn.must(200, "GET", "/Users"+filtered(`externalId eq "e-1"`), ""); r.at("totalResults") != 2.0 {
			t.Errorf("the look-up finds %s", r.text)
		}
		group := tn.newGroup("Admins", "e-1")
		if r := tn.must(200, "GET", "/Groups/"+group, ""); r.len("members") != 0 {
			t.Errorf("a name that two users share let in %s", r.text)
		}
		tn.must(200, "PATCH", "/Groups/"+group, patch("add", "members", memberList(one, two)))
		tn.must(200, "PATCH", "/Groups/"+group, patch("remove", `members[value eq "e-1"]`, ""))
		if r := tn.must(200, "GET", "/Groups/"+group, ""); r.len("members") != 0 {
			t.Errorf("a removal of a name that two users share left %s", r.text)
		}

		tn.must(200, "PATCH", "/Groups/"+group, patch("add", "members", memberList("e-1")))
		// Nor does it let in who has it as userName, whether the group or the user comes first.
		tn.user("e-1")
		later := tn.newGroup("Owners", "e-1")
		for _, id := range []string{group, later} {
			if r := tn.must(200, "GET", "/Groups/"+id, ""); r.len("members") != 0 {
				t.Errorf("a userName that two users share as externalId let in %s", r.text)
			}
		}
	})
}
