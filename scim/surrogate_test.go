package scim_test

import "testing"

// Both were stored as U+FFFD, so that the second user was taken for the first.
func TestDifferentHalvesOfSurrogatePairsAreNotOneExternalID(t *testing.T) {
	tn := newService(t, "").newTenant()
	for _, half := range []string{`\udc00`, `\udc01`, `\ud83d`} {
		tn.fails(400, "invalidSyntax", "at byte 30", "POST", "/Users", `{"userName":"a","externalId":"`+half+`"}`)
	}
	if r := tn.must(200, "GET", "/Users", ""); r.at("totalResults") != 0.0 {
		t.Errorf("stored: %s", r.text)
	}
	tn.fails(400, "invalidFilter", "surrogate", "GET", "/Users"+filtered(`externalId eq "\udc00"`), "")
	tn.must(201, "POST", "/Users", `{"userName":"a","externalId":"\ud83d\ude00"}`)
	tn.must(201, "POST", "/Users", `{"userName":"b","externalId":"\ufffd"}`)
}
