package scim_test

import (
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func filtered(f string) string { return "?filter=" + url.QueryEscape(f) }

func TestLifeOfAUser(t *testing.T) {
	tn := newService(t, "").newTenant()
	created := tn.must(201, "POST", "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"externalId":"00u1","userName":"Barbara",
		"name":{"familyName":"Jensen"},"emails":[{"value":"b@example.com","type":"work","primary":true}],"password":"t1meMa$heen"}`)
	id := created.string("id")
	location := tn.base + "/Users/" + id
	want := map[string]any{
		"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:User"}, "id": id, "externalId": "00u1", "userName": "Barbara", "active": true,
		"name": map[string]any{"familyName": "Jensen"}, "emails": []any{map[string]any{"value": "b@example.com", "type": "work", "primary": true}},
		"meta": map[string]any{"resourceType": "User", "created": created.at("meta", "created"), "lastModified": created.at("meta", "created"),
			"location": location, "version": `W/"1"`},
	}
	if diff := cmp.Diff(want, created.body); diff != "" {
		t.Errorf("created (-want +got):\n%s", diff)
	}
	if got := created.header.Get("Location"); got != location {
		t.Errorf("Location %q, want %q", got, location)
	}
	got := tn.must(200, "GET", location, "")
	if diff := cmp.Diff(want, got.body); diff != "" {
		t.Errorf("GET of the location (-want +got):\n%s", diff)
	}
	if got.header.Get("ETag") != `W/"1"` || got.header.Get("Content-Length") != strconv.Itoa(len(got.text)) {
		t.Errorf("headers %v", got.header)
	}

	changed := tn.must(200, "PATCH", "/Users/"+id, patch("replace", "", `{"active":false}`))
	if changed.at("active") != false || changed.string("meta", "version") != `W/"2"` || changed.header.Get("ETag") != `W/"2"` {
		t.Errorf("PATCH = %s", changed.text)
	}
	same := tn.must(200, "PATCH", "/Users/"+id, patch("Replace", "active", `"False"`))
	if diff := cmp.Diff(changed.body, same.body); diff != "" {
		t.Errorf("a PATCH that changes nothing changed (-before +after):\n%s", diff)
	}
	put := tn.must(200, "PUT", "/Users/"+id, `{"userName":"barbara","title":"Guide"}`)
	if put.at("active") != false || put.at("name") != nil || put.at("externalId") != nil || put.string("title") != "Guide" || put.string("meta", "version") != `W/"3"` {
		t.Errorf("PUT = %s", put.text)
	}
	again := tn.must(200, "PUT", "/Users/"+id, `{"userName":"barbara","title":"Guide"}`)
	if diff := cmp.Diff(put.body, again.body); diff != "" {
		t.Errorf("a PUT of the same changed (-before +after):\n%s", diff)
	}

	if r := tn.must(204, "DELETE", "/Users/"+id, ""); r.text != "" {
		t.Errorf("DELETE answered %q", r.text)
	}
	for _, method := range []string{"GET", "DELETE", "PUT", "PATCH"} {
		body := map[string]string{"PUT": `{"userName":"x"}`, "PATCH": patch("replace", "title", `"x"`)}[method]
		tn.fails(404, "", id, method, "/Users/"+id, body)
	}
	if second := tn.user("BARBARA"); second == id {
		t.Error("the id came back")
	}
}

func TestListUsers(t *testing.T) {
	databases(t, func(t *testing.T, s *service) {
		tn, other := s.newTenant(), s.newTenant()
		other.user("bjensen")
		tn.must(201, "POST", "/Users", `{"userName":"BJensen","externalId":"E1","displayName":"Babs"}`)
		jane := tn.user("jane")
		tn.must(201, "POST", "/Users", `{"userName":"quo\"te","displayName":"Babs"}`)
		for _, tt := range []struct {
			name, query, want string
		}{
			{"all", "", "BJensen jane quo\"te"},
			{"userName", filtered(`userName eq "bjensen"`), "BJensen"},
			{"userName in another case, of attribute and value", filtered(`USERNAME Eq "JANE"`), "jane"},
			{"userName with URN", filtered(`urn:ietf:params:scim:schemas:core:2.0:User:userName eq "jane"`), "jane"},
			{"userName with a quotation mark", filtered(`userName eq "quo\"te"`), "quo\"te"},
			{"externalId", filtered(`externalId eq "E1"`), "BJensen"},
			{"externalId compares with case", filtered(`externalId eq "e1"`), ""},
			{"displayName", filtered(`displayName eq "babs"`), "BJensen quo\"te"},
			{"id", filtered(`id eq "` + jane + `"`), "jane"},
			{"an id that is none", filtered(`id eq "2819c223"`), ""},
			{"and", filtered(`displayName eq "Babs" and userName eq "bjensen"`), "BJensen"},
			{"nobody", filtered(`userName eq "b4fa7c1e"`), ""},
			{"an empty value is nobody's", filtered(`externalId eq ""`), ""},
			{"a page", "?startIndex=2&count=1", "jane"},
			{"a page beyond the end", "?startIndex=9&count=1", ""},
			{"a start below one", "?startIndex=-3&count=1", "BJensen"},
			{"no resources", "?count=0", ""},
			{"a negative count", "?count=-5", ""},
			{"more than there are", "?count=100000", "BJensen jane quo\"te"},
			{"a parameter in another case", "?STARTINDEX=2&Count=1", "jane"},
			{"unknown parameters", "?aadOptscim062020&sortBy=userName&count=1", "BJensen"},
			{"an empty attributes list", "?attributes=&count=1", "BJensen"},
		} {
			r := tn.must(200, "GET", "/Users"+tt.query, "")
			var names []string
			for i := range r.len("Resources") {
				names = append(names, r.string("Resources", i, "userName"))
			}
			if got := strings.Join(names, " "); got != tt.want {
				t.Errorf("%s: %s lists %s, want %s", tt.name, tt.query, got, tt.want)
			}
			if r.string("schemas", 0) != "urn:ietf:params:scim:api:messages:2.0:ListResponse" || r.at("itemsPerPage") != float64(len(names)) || r.at("Resources") == nil {
				t.Errorf("%s: malformed list %s", tt.name, r.text)
			}
		}
		for query, want := range map[string]float64{"": 3, "?count=0": 3, "?startIndex=9": 3, "?startIndex=2&count=1": 3, filtered(`displayName eq "Babs"`) + "&count=1": 2, filtered(`userName eq "x"`): 0, filtered(`userName eq "jane"`) + "&count=0": 1} {
			if r := tn.must(200, "GET", "/Users"+query, ""); r.at("totalResults") != want {
				t.Errorf("totalResults of %q = %v, want %v", query, r.at("totalResults"), want)
			}
		}
	})
}

// A filter that is not understood must never list everyone.
func TestRefusedQueries(t *testing.T) {
	tn := newService(t, "").newTenant()
	tn.user("bjensen")
	for _, f := range []string{
		`userName`, `userName eq`, `userName xx "a"`, `(((`, `userName eq "a" and`, `userName eq "a`, `eq "a"`, `userName eq "a")`,
		`emails[type eq "work"`, ``, `active gt true`, `active eq "maybe"`, `emails[type eq "work"].noSuch eq "a"`, `noSuch eq "a"`, `name.noSuch pr`,
		`name eq "a"`, `meta eq "a"`, `meta.version eq "a"`, `meta.created gt "yesterday"`, `meta.created co "2026"`, `userName gt null`, `password pr`, `name[familyName eq "x"]`,
		`title[value eq "x"]`, `emails[colour eq "x"]`, `emails[ims[type pr]]`, `groups.type eq "direct"`, `groups[type eq "direct"]`, `urn:nope:User:department eq "x"`,
		strings.Repeat(`groups pr or `, 21) + `title pr`,
		strings.Repeat("(", 100_000), strings.Repeat(`userName eq "a" and `, 1000) + `userName eq "a"`,
	} {
		tn.fails(400, "invalidFilter", "", "GET", "/Users"+filtered(f), "")
	}
	tn.fails(400, "invalidFilter", "noSuch", "GET", "/Users"+filtered(`noSuch eq "a"`), "")
	tn.fails(400, "invalidFilter", "members can be selected by value", "GET", "/Groups"+filtered(`members.type eq "User"`), "")
	for _, query := range []string{
		`?filter=userName eq "a";x`, `?filter=userName%20eq%20%zz`, `?filter=userName%20eq%20"a"&filter=x`, `?Filter=a&filter=b`, `?%zz=1`,
		`?startIndex=one`, `?count=1.5`, `?startIndex=99999999999999999999`, `?filter=userName%20eq%20"a%00"`, `?filter=%ff`,
	} {
		r := tn.do("GET", strings.ReplaceAll("/Users"+query, " ", "%20"), "")
		if r.status != 400 || r.string("detail") == "" {
			t.Errorf("GET /Users%s = %d %s", query, r.status, r.text)
		}
	}
}

func TestAttributesAndExcludedAttributes(t *testing.T) {
	tn := newService(t, "").newTenant()
	id := tn.must(201, "POST", "/Users", `{"userName":"a","title":"t","name":{"familyName":"F","givenName":"G"},"emails":[{"value":"e","type":"work"}],
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"D","costCenter":"C"}}`).string("id")
	group := tn.newGroup("g", id)
	const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	tests := []struct{ query, want string }{
		{"attributes=userName", `{"userName":"a"}`},
		{"attributes=USERNAME,title", `{"userName":"a","title":"t"}`},
		{"attributes=name.familyName,urn:ietf:params:scim:schemas:core:2.0:User:userName", `{"userName":"a","name":{"familyName":"F"}}`},
		{"attributes=emails.value", `{"emails":[{"value":"e"}]}`},
		{"attributes=emails.primary", `{}`},
		{"attributes=" + enterprise + ":department", `{"` + enterprise + `":{"department":"D"}}`},
		{"attributes=" + enterprise, `{"` + enterprise + `":{"department":"D","costCenter":"C"}}`},
		{"attributes=noSuch", `{}`},
		{"attributes=groups", `{"groups":[{"value":"` + group + `","$ref":"` + tn.base + "/Groups/" + group + `","display":"g","type":"direct"}]}`},
		{"excludedAttributes=title,id,schemas,meta,groups,name,emails," + enterprise, `{"userName":"a","active":true}`},
		{"excludedAttributes=title,meta,groups,name.givenName,emails.type," + enterprise + ":costCenter",
			`{"userName":"a","active":true,"name":{"familyName":"F"},"emails":[{"value":"e"}],"` + enterprise + `":{"department":"D"}}`},
		{"attributes=userName,title&excludedAttributes=title", `{"userName":"a"}`},
	}
	for _, tt := range tests {
		single := tn.must(200, "GET", "/Users/"+id+"?"+tt.query, "").body
		listed := tn.must(200, "GET", "/Users?"+tt.query, "").at("Resources", 0)
		if diff := cmp.Diff(any(single), listed); diff != "" {
			t.Errorf("%s: single and listed differ:\n%s", tt.query, diff)
		}
		if single["id"] != id || single["schemas"] == nil {
			t.Errorf("%s: id or schemas are missing: %v", tt.query, single)
		}
		delete(single, "id")
		delete(single, "schemas")
		var want map[string]any
		unmarshal(t, tt.want, &want)
		if diff := cmp.Diff(want, single); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.query, diff)
		}
	}
	r := tn.must(200, "PATCH", "/Users/"+id+"?attributes=title", patch("replace", "title", `"u"`))
	if r.string("title") != "u" || r.at("userName") != nil {
		t.Errorf("PATCH with attributes = %s", r.text)
	}
	if r := tn.must(200, "GET", "/Groups/"+group+"?excludedAttributes=members", ""); r.at("members") != nil || r.string("displayName") != "g" {
		t.Errorf("a group without members = %s", r.text)
	}
	if r := tn.must(200, "GET", "/Groups?attributes=members", ""); r.len("Resources", 0, "members") != 1 || r.at("Resources", 0, "displayName") != nil {
		t.Errorf("groups with members only = %s", r.text)
	}
}

func TestEightCreationsOfOneUserName(t *testing.T) {
	databases(t, func(t *testing.T, s *service) {
		tn := s.newTenant()
		for round := range 5 {
			statuses := make([]int, 8)
			var wait sync.WaitGroup
			for i := range statuses {
				wait.Go(func() {
					r := tn.do("POST", "/Users", `{"userName":"Twin`+strconv.Itoa(round)+strings.Repeat("!", i%2)+`"}`)
					if r.status == 409 && r.string("scimType") != "uniqueness" {
						t.Errorf("409 without uniqueness: %s", r.text)
					}
					statuses[i] = r.status
				})
			}
			wait.Wait()
			count := map[int]int{}
			for _, status := range statuses {
				count[status]++
			}
			if count[201] != 2 || count[409] != 6 { // two names, four clients each
				t.Errorf("round %d: statuses %v, want 201 twice and 409 six times", round, statuses)
			}
		}
		statuses := make(chan int, 8)
		for range cap(statuses) {
			go func() { statuses <- tn.do("POST", "/Users", `{"userName":"one@example.com"}`).status }()
		}
		count := map[int]int{}
		for range cap(statuses) {
			count[<-statuses]++
		}
		if diff := cmp.Diff(map[int]int{201: 1, 409: 7}, count); diff != "" {
			t.Errorf("eight creations (-want +got):\n%s", diff)
		}
	})
}

func TestConflicts(t *testing.T) {
	tn := newService(t, "").newTenant()
	tn.must(201, "POST", "/Users", `{"userName":"bjensen","externalId":"1"}`)
	second := tn.user("other")
	tn.fails(409, "uniqueness", "BJENSEN", "POST", "/Users", `{"userName":"BJENSEN"}`)
	tn.must(201, "POST", "/Users", `{"userName":"third","externalId":"1"}`) // RFC 7643 §3.1 does not have it unique
	tn.fails(409, "uniqueness", "bjensen", "PUT", "/Users/"+second, `{"userName":"bjensen"}`)
	tn.fails(409, "uniqueness", "bjensen", "PATCH", "/Users/"+second, patch("replace", "userName", `"bjensen"`))
	tn.newGroup("Tour Guides")
	group := tn.newGroup("Others")
	tn.fails(409, "uniqueness", "tour guides", "POST", "/Groups", `{"displayName":"tour guides"}`)
	tn.fails(409, "uniqueness", "Tour Guides", "PATCH", "/Groups/"+group, patch("replace", "displayName", `"Tour Guides"`))
	if got := tn.must(200, "GET", "/Users/"+second, "").string("meta", "version"); got != `W/"1"` {
		t.Errorf("a refused change left version %s", got)
	}
}

func TestIfMatch(t *testing.T) {
	tn := newService(t, "").newTenant()
	user := "/Users/" + tn.user("a")
	group := "/Groups/" + tn.newGroup("g")
	for _, at := range []string{user, group} {
		body := patch("replace", "externalId", `"1"`)
		tn.fails(412, "", `W/"1"`, "PATCH", at, body, "If-Match", `W/"7"`)
		tn.fails(412, "", "", "PUT", at, `{"userName":"a","displayName":"g"}`, "If-Match", `W/"stale"`)
		tn.fails(412, "", "", "DELETE", at, "", "If-Match", `W/"2"`)
		tn.must(200, "PATCH", at, body, "If-Match", `W/"9", W/"1"`)
		tn.must(200, "PATCH", at, body, "If-Match", `*`)
		tn.must(204, "DELETE", at, "", "If-Match", `"2"`)
	}
}
