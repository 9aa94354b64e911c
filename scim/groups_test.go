package scim_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// memberIDs returns the members of a group as GET shows them, sorted.
func (tn *tenant) memberIDs(group string) []string {
	tn.t.Helper()
	r := tn.must(200, "GET", "/Groups/"+group, "")
	ids := make([]string, r.len("members"))
	for i := range ids {
		ids[i] = r.string("members", i, "value")
	}
	slices.Sort(ids)
	return ids
}

func (tn *tenant) expectMembers(group string, want ...string) {
	tn.t.Helper()
	slices.Sort(want)
	if diff := cmp.Diff(append([]string{}, want...), tn.memberIDs(group)); diff != "" {
		tn.t.Errorf("members of %s (-want +got):\n%s", group, diff)
	}
}

func TestLifeOfAGroup(t *testing.T) {
	databases(t, func(t *testing.T, s *service) {
		tn := s.newTenant()
		a, b, c := tn.user("a"), tn.user("b"), tn.user("c")
		created := tn.must(201, "POST", "/Groups", `{"displayName":"Tour Guides","externalId":"x","members":[{"value":"`+a+`","display":"A"}]}`)
		id := created.string("id")
		want := map[string]any{
			"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:Group"}, "id": id, "displayName": "Tour Guides", "externalId": "x",
			"members": []any{map[string]any{"value": a, "$ref": tn.base + "/Users/" + a, "type": "User"}},
			"meta": map[string]any{"resourceType": "Group", "created": created.at("meta", "created"), "lastModified": created.at("meta", "created"),
				"location": tn.base + "/Groups/" + id, "version": `W/"1"`},
		}
		if diff := cmp.Diff(want, created.body); diff != "" {
			t.Errorf("created (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(want, tn.must(200, "GET", created.header.Get("Location"), "").body); diff != "" {
			t.Errorf("GET of the location (-want +got):\n%s", diff)
		}
		wantGroups := []any{map[string]any{"value": id, "$ref": tn.base + "/Groups/" + id, "display": "Tour Guides", "type": "direct"}}
		if diff := cmp.Diff(any(wantGroups), tn.must(200, "GET", "/Users/"+a, "").at("groups")); diff != "" {
			t.Errorf("groups of the user (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(any(wantGroups), tn.must(200, "GET", "/Users", "").at("Resources", 0, "groups")); diff != "" {
			t.Errorf("groups of the listed user (-want +got):\n%s", diff)
		}

		at := "/Groups/" + id
		r := tn.must(200, "PATCH", at, patch("add", "members", memberList(b, c)))
		if r.len("members") != 3 || r.string("meta", "version") != `W/"2"` || r.string("displayName") != "Tour Guides" {
			t.Errorf("PATCH add = %s", r.text)
		}
		tn.must(200, "PATCH", at, patch("remove", `members[value eq "`+a+`"]`, ""))
		tn.expectMembers(id, b, c)
		tn.must(200, "PATCH", at, patch("remove", `members[value eq "`+a+`"]`, "")) // gone already
		tn.must(200, "PATCH", at, patch("Remove", "members", memberList(b)))
		tn.expectMembers(id, c)
		tn.must(200, "PATCH", at, patch("replace", "members", memberList(a, b)))
		tn.expectMembers(id, a, b)
		both := tn.must(200, "PATCH", at, `{"Operations":[{"op":"replace","value":{"id":"`+id+`","displayName":"Guides"}},{"op":"add","path":"members","value":`+memberList(c)+`}]}`)
		if both.string("displayName") != "Guides" || both.len("members") != 3 {
			t.Errorf("PATCH of name and members = %s", both.text)
		}
		same := tn.must(200, "PATCH", at, patch("replace", "displayName", `"Guides"`))
		if diff := cmp.Diff(both.body, same.body); diff != "" {
			t.Errorf("a PATCH that changes nothing changed (-before +after):\n%s", diff)
		}
		tn.must(200, "PATCH", at, patch("remove", "members", ""))
		tn.expectMembers(id)

		put := tn.must(200, "PUT", at, `{"displayName":"Guides","members":`+memberList(a, b)+`}`)
		if put.len("members") != 2 || put.at("externalId") != nil {
			t.Errorf("PUT = %s", put.text)
		}
		again := tn.must(200, "PUT", at, `{"displayName":"Guides","members":`+memberList(b, a)+`}`)
		if diff := cmp.Diff(put.body, again.body); diff != "" {
			t.Errorf("a PUT of the same changed (-before +after):\n%s", diff)
		}
		fewer := tn.must(200, "PUT", at, `{"displayName":"Guides","members":`+memberList(b)+`}`)
		if fewer.len("members") != 1 || fewer.string("meta", "version") == put.string("meta", "version") {
			t.Errorf("PUT with one member less = %s", fewer.text)
		}
		tn.must(200, "PUT", at, `{"displayName":"Guides"}`)
		tn.expectMembers(id)

		tn.must(200, "PATCH", at, patch("add", "members", memberList(a, b)))
		tn.must(204, "DELETE", "/Users/"+a, "")
		tn.expectMembers(id, b)
		tn.must(204, "DELETE", at, "")
		for _, method := range []string{"GET", "DELETE", "PUT", "PATCH"} {
			body := map[string]string{"PUT": `{"displayName":"x"}`, "PATCH": patch("add", "members", memberList(b))}[method]
			tn.fails(404, "", id, method, at, body)
		}
		if r := tn.must(200, "GET", "/Users/"+b, ""); r.at("groups") != nil {
			t.Errorf("a deleted group is still shown: %s", r.text)
		}
	})
}

func TestListGroups(t *testing.T) {
	tn := newService(t, "").newTenant()
	a := tn.user("a")
	tn.must(201, "POST", "/Groups", `{"displayName":"One","externalId":"X1"}`)
	two := tn.newGroup("Two", a)
	for query, want := range map[string]string{
		"":                               "One Two",
		filtered(`displayName eq "TWO"`): "Two",
		filtered(`externalId eq "X1"`):   "One",
		filtered(`externalId eq "x1"`):   "",
		filtered(`id eq "` + two + `"`):  "Two",
		filtered(`displayName eq "Two" and externalId eq "X1"`): "",
		"?startIndex=2": "Two",
	} {
		r := tn.must(200, "GET", "/Groups"+query, "")
		var names []string
		for i := range r.len("Resources") {
			names = append(names, r.string("Resources", i, "displayName"))
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%q lists %s, want %s", query, got, want)
		}
	}
	if r := tn.must(200, "GET", "/Groups"+filtered(`displayName eq "Two"`), ""); r.string("Resources", 0, "members", 0, "value") != a {
		t.Errorf("members are missing from the list: %s", r.text)
	}
	if r := tn.must(200, "GET", "/Groups"+filtered(`displayName eq "Two"`)+"&excludedAttributes=members", ""); r.at("Resources", 0, "members") != nil {
		t.Errorf("members are in the list: %s", r.text)
	}
}

// A member that the provider names before it creates the user becomes a member when
// the user appears, and fails nothing meanwhile.
func TestUnknownMembers(t *testing.T) {
	tn := newService(t, "").newTenant()
	a := tn.user("a")
	group := tn.newGroup("g", "00u-later", a)
	tn.expectMembers(group, a)
	tn.must(200, "PATCH", "/Groups/"+group, patch("add", "members", memberList("00u-second")))
	later := tn.must(201, "POST", "/Users", `{"userName":"later","externalId":"00u-later"}`).string("id")
	tn.expectMembers(group, a, later)
	if got := tn.must(200, "GET", "/Users/"+later, "").string("groups", 0, "value"); got != group {
		t.Errorf("groups of the new user: %q, want %q", got, group)
	}
	tn.must(200, "PATCH", "/Groups/"+group, patch("remove", "members", memberList("00u-second", "nobody")))
	tn.must(201, "POST", "/Users", `{"userName":"second","externalId":"00u-second"}`)
	tn.expectMembers(group, a, later)
}

func TestLargeGroups(t *testing.T) {
	tn := newService(t, "").newTenant()
	ids := make([]string, 101)
	for i := range ids {
		ids[i] = tn.user(fmt.Sprint("u", i))
	}
	group := tn.newGroup("g", ids[:99]...)
	at := "/Groups/" + group
	if r := tn.must(200, "PATCH", at, patch("add", "members", memberList(ids[99]))); r.len("members") != 100 {
		t.Errorf("100 members: %d shown", r.len("members"))
	}
	r := tn.must(204, "PATCH", at, patch("add", "members", memberList(ids[100])))
	if r.text != "" || r.header.Get("ETag") != `W/"3"` {
		t.Errorf("101 members: ETag %q, body %q", r.header.Get("ETag"), r.text)
	}
	tn.must(204, "PATCH", at, patch("replace", "displayName", `"h"`))
	if r := tn.must(200, "PATCH", at+"?excludedAttributes=members", patch("replace", "displayName", `"i"`)); r.string("displayName") != "i" || r.at("members") != nil {
		t.Errorf("without members: %s", r.text)
	}
	if r := tn.must(200, "PATCH", at+"?attributes=members", patch("replace", "displayName", `"j"`)); r.len("members") != 101 {
		t.Errorf("asked for members: %d shown", r.len("members"))
	}
	if got := tn.memberIDs(group); len(got) != 101 {
		t.Errorf("GET shows %d members", len(got))
	}
	tn.must(204, "PATCH", at, patch("remove", "members", memberList("nobody")))
	tn.must(200, "PATCH", at, patch("remove", `members[value eq "`+ids[0]+`"]`, ""))
}

func TestTenClientsAddAThousandMembers(t *testing.T) {
	if testing.Short() {
		t.Skip("a thousand requests")
	}
	databases(t, func(t *testing.T, s *service) {
		tn := s.newTenant()
		ids := make([]string, 1000)
		var creators sync.WaitGroup
		for part := range 4 {
			creators.Go(func() {
				for i := part; i < len(ids); i += 4 {
					ids[i] = tn.do("POST", "/Users", `{"userName":"u`+strconv.Itoa(i)+`"}`).string("id")
				}
			})
		}
		creators.Wait()
		group := tn.newGroup("g")
		var clients sync.WaitGroup
		for client := range 10 {
			clients.Go(func() {
				for _, id := range ids[client*100 : (client+1)*100] {
					if r := tn.do("PATCH", "/Groups/"+group, patch("add", "members", memberList(id))); r.status != 200 && r.status != 204 {
						t.Errorf("PATCH = %d %s", r.status, r.text)
					}
				}
			})
		}
		clients.Wait()
		tn.expectMembers(group, ids...)
		if got := tn.must(200, "GET", "/Groups/"+group+"?excludedAttributes=members", "").string("meta", "version"); got != `W/"1001"` {
			t.Errorf("version %s after a thousand changes, want W/\"1001\"", got)
		}
	})
}
