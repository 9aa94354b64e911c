package scim_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// The population of the tests of lists: what is looked for is set for some, and for
// others unset, in another case, or elsewhere.
var population = []string{
	`{"userName":"bjensen","externalId":"00uB","name":{"familyName":"O'Malley","givenName":"Barbara"},"title":"Tour Guide","userType":"Employee","active":true,
		"emails":[{"type":"work","value":"bjensen@example.com","primary":true},{"type":"home","value":"babs@jensen.org"}],
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"701984","department":"Tours","manager":{"value":"m-1"}}}`,
	`{"userName":"Jsmith","externalId":"00ub","name":{"familyName":"smith","givenName":"James"},"userType":"Intern","emails":[{"type":"home","value":"jsmith@example.org"}],
		"ims":[{"type":"xmpp","value":"jsmith@foo.com"}]}`,
	`{"userName":"jane","title":"Chief","userType":"Contractor","emails":[{"type":"work","value":"jane@other.net"}],"displayName":"Ännchen"}`,
	`{"userName":"nobody","active":false,"displayName":"änne"}`,
	`{"userName":"äpfel%_\"'\\","title":"100%","externalId":"X"}`,
}

// populated has a tenant with the population and two groups.
func populated(t testing.TB, s *service) *tenant {
	tn := s.newTenant()
	ids := map[string]string{}
	for _, body := range population {
		r := tn.must(201, "POST", "/Users", body)
		ids[r.string("userName")] = r.string("id")
	}
	tn.newGroup("Guides", ids["bjensen"], ids["jane"])
	tn.newGroup("admins", ids["jane"])
	tn.newGroup("Empty")
	other := s.newTenant()
	other.must(201, "POST", "/Users", population[0])
	other.newGroup("Guides")
	return tn
}

func names(r response) string {
	var list []string
	for i := range r.len("Resources") {
		list = append(list, r.string("Resources", i, "userName")+r.string("Resources", i, "displayName"))
	}
	return strings.Join(list, " ")
}

func TestFilters(t *testing.T) {
	databases(t, func(t *testing.T, s *service) {
		tn := populated(t, s)
		guides := tn.must(200, "GET", "/Groups"+filtered(`displayName eq "guides"`), "").string("Resources", 0, "id")
		jane := tn.must(200, "GET", "/Users"+filtered(`userName eq "JANE"`), "").string("Resources", 0, "id")
		const all = "bjensen Jsmith jane nobody äpfel%_\"'\\"
		for _, tt := range []struct{ filter, want string }{
			{`userName eq "BJensen"`, "bjensen"},
			{`userName eq "bjensen" or userName eq "jane"`, "bjensen jane"},
			{`userName sw "J"`, "Jsmith jane"},
			{`userName co "%"`, `äpfel%_"'\`},
			{`userName co "_\"'\\"`, `äpfel%_"'\`},
			{`userName sw "Ä"`, `äpfel%_"'\`},
			{`userName ew "sen" and not (userName sw "j")`, "bjensen"},
			{`externalId eq "00uB"`, "bjensen"},
			{`externalId eq "00ub"`, "Jsmith"},
			{`not (externalId sw "00u")`, `jane nobody äpfel%_"'\`},
			{`externalId pr`, `bjensen Jsmith äpfel%_"'\`},
			{`externalId eq null`, `jane nobody`},
			{`id eq "` + jane + `"`, "jane"},
			{`id eq "usr_x" or id eq "` + jane + `"`, "jane"},
			{`displayName sw "ÄNN"`, "jane nobody"},
			{`title pr`, `bjensen jane äpfel%_"'\`},
			{`title pr and userType eq "Employee"`, "bjensen"},
			{`userName sw "j" and title pr`, "jane"},
			{`title eq "100%"`, `äpfel%_"'\`},
			{`userType ne "Employee" and not (emails co "example.com" or emails.value co "example.org")`, `jane nobody äpfel%_"'\`},
			{`emails[type eq "work" and value co "@example.com"] or ims[type eq "xmpp" and value co "@foo.com"]`, "bjensen Jsmith"},
			{`emails[type eq "home" and value co "@example.com"]`, ""},
			{`emails.type eq "work"`, "bjensen jane"},
			{`emails.type ne "work"`, `bjensen Jsmith nobody äpfel%_"'\`},
			{`emails pr and not (emails.primary eq true)`, "Jsmith jane"},
			{`active eq false`, "nobody"},
			{`active eq "True" and name pr`, "bjensen Jsmith"},
			{`name.familyName ge "P"`, "Jsmith"},
			{`urn:ietf:params:scim:schemas:core:2.0:User:userName eq "jane"`, "jane"},
			{`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber eq "701984"`, "bjensen"},
			{`URN:ietf:params:scim:schemas:extension:enterprise:2.0:user:DEPARTMENT co "our"`, "bjensen"},
			{`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager eq "m-1"`, "bjensen"},
			{`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User pr`, "bjensen"},
			{`schemas eq "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"`, "bjensen"},
			{`schemas co "core:2.0:user"`, all},
			{`meta.resourceType eq "User"`, all},
			{`meta.resourceType eq "Group"`, ""},
			{`meta.lastModified gt "2011-05-13T04:42:34Z"`, all},
			{`meta.lastModified gt "2011-05-13T04:42:34"`, all},
			{`meta.created le "2011-05-13T04:42:34+02:00"`, ""},
			{`meta.created gt "2011-05-13T04:42:34.0000000001Z" and title pr`, `bjensen jane äpfel%_"'\`},
			{`meta.location ew "` + jane + `"`, "jane"},
			{`meta pr`, all},
			{`groups.value eq "` + guides + `"`, "bjensen jane"},
			{`groups eq "` + guides + `"`, "bjensen jane"},
			{`groups[value eq "` + guides + `" and display sw "G"]`, "bjensen jane"},
			{`groups.display eq "ADMINS"`, "jane"},
			{`groups.display ne "admins"`, `bjensen Jsmith jane nobody äpfel%_"'\`},
			{`groups pr`, "bjensen jane"},
			{`not (groups pr) and active eq false`, "nobody"},
			{`groups.display eq "admins" or userType eq "Intern"`, "Jsmith jane"},
			{`groups eq null or title eq "Chief"`, `Jsmith jane nobody äpfel%_"'\`},
			{`(userName eq "bjensen" or userName eq "nobody") and title pr`, "bjensen"},
			{`userName eq "a" and userName eq "b"`, ""},
			{`userName eq ""`, ""},
			{`userName ne ""`, all},
			{`userName eq 5 or externalId eq true`, ""},
			{strings.Repeat("(", 20) + "title pr" + strings.Repeat(")", 20) + ` and userName sw "b"`, "bjensen"},
		} {
			for _, r := range []response{
				tn.must(200, "GET", "/Users"+filtered(tt.filter), ""),
				tn.must(200, "POST", "/Users/.search", fmt.Sprintf(`{"filter":%s}`, quoted(tt.filter))),
			} {
				for i := range r.len("Resources") { // names are shown alone
					delete(r.at("Resources", i).(map[string]any), "displayName")
				}
				if got := names(r); got != tt.want || r.at("totalResults") != float64(r.len("Resources")) {
					t.Errorf("filter %s lists %s of %v, want %s", tt.filter, got, r.at("totalResults"), tt.want)
				}
			}
		}
		for filter, want := range map[string]string{
			`displayName eq "GUIDES"`: "Guides", `displayName co "i" and members pr`: "Guides admins", `members.value eq "` + jane + `"`: "Guides admins",
			`members[value eq "` + jane + `"] and displayName sw "g"`: "Guides", `id eq "` + guides + `" and members eq "` + jane + `"`: "Guides",
			`id eq "` + guides + `" and members eq "usr_nobody"`: "", `not (members pr)`: "Empty", `members eq null`: "Empty", `externalId pr`: "",
		} {
			if got := names(tn.must(200, "GET", "/Groups"+filtered(filter), "")); got != want {
				t.Errorf("filter %s lists the groups %s, want %s", filter, got, want)
			}
		}
	})
}

// SQLite takes no expression that is deeper than a thousand, and a filter can have
// almost as many parts as that.
func TestFilterOfManyPartsIsNoInternalError(t *testing.T) {
	databases(t, func(t *testing.T, s *service) {
		tn := populated(t, s)
		for part, want := range map[string]float64{
			"id gt 1 or ": 5, "id gt 1 and ": 5, "groups pr or ": 2, "groups pr and ": 2, "title pr or ": 3,
		} {
			operand := part[:strings.LastIndex(part[:len(part)-1], " ")]
			filter := strings.Repeat(part, 8000/len(part)) + operand
			if r := tn.must(200, "POST", "/Users/.search", `{"filter":`+quoted(filter)+`}`); r.at("totalResults") != want {
				t.Errorf("%s again and again selects %v, want %v", part, r.at("totalResults"), want)
			}
		}
		many := "groups[" + strings.Repeat("value gt 1 or ", 500) + "value gt 1]"
		if r := tn.must(200, "POST", "/Users/.search", `{"filter":`+quoted(many)+`}`); r.at("totalResults") != 2.0 {
			t.Errorf("a value path of many parts selects %v, want 2", r.at("totalResults"))
		}
	})
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func TestSorting(t *testing.T) {
	databases(t, func(t *testing.T, s *service) {
		tn := populated(t, s)
		for query, want := range map[string]string{
			"sortBy=userName":                                         `bjensen jane Jsmith nobody äpfel%_"'\`,
			"sortBy=userName&sortOrder=descending":                    `äpfel%_"'\ nobody Jsmith jane bjensen`,
			"sortBy=name.familyName":                                  `bjensen Jsmith jane nobody äpfel%_"'\`,
			"sortBy=name.familyName&sortOrder=Descending":             `äpfel%_"'\ nobody jane Jsmith bjensen`,
			"sortBy=emails":                                           `bjensen jane Jsmith nobody äpfel%_"'\`,
			"sortBy=emails.type&sortOrder=ascending":                  `Jsmith bjensen jane nobody äpfel%_"'\`,
			"sortBy=meta.created&sortOrder=descending":                `äpfel%_"'\ nobody jane Jsmith bjensen`,
			"sortBy=meta.lastModified":                                `bjensen Jsmith jane nobody äpfel%_"'\`,
			"sortBy=id&sortOrder=descending&count=2":                  `äpfel%_"'\ nobody`,
			"sortOrder=descending&count=1":                            `bjensen`,
			"sortBy=externalId&filter=externalId+pr":                  `bjensen Jsmith äpfel%_"'\`,
			"sortBy=userName&filter=title+pr&count=1&startIndex=2":    `jane`,
			"sortBy=urn:ietf:params:scim:schemas:core:2.0:User:title": `äpfel%_"'\ jane bjensen Jsmith nobody`,
		} {
			r := tn.must(200, "GET", "/Users?"+query, "")
			for i := range r.len("Resources") {
				delete(r.at("Resources", i).(map[string]any), "displayName")
			}
			got := names(r)
			if got != want {
				t.Errorf("%s lists %s, want %s", query, got, want)
			}
		}
		for _, query := range []string{"sortBy=noSuch", "sortBy=name", "sortBy=password", "sortBy=groups", "sortBy=schemas", "sortBy=meta.version", "sortBy=userName&sortOrder=up", `sortBy=emails[type+eq+"work"]`} {
			tn.fails(400, "invalidValue", "sort", "GET", "/Users?"+query, "")
		}
	})
}

// What a list is sorted by may be long; what is kept of it, and is in a cursor, is not.
func TestCursorOfALongValueIsShort(t *testing.T) {
	tn := newService(t, "").newTenant()
	for i, ending := range []string{"b", "a", "ä"} {
		tn.must(201, "POST", "/Users", fmt.Sprintf(`{"userName":"u%d","nickName":"%s%s"}`, i, strings.Repeat("ä", 20_000), ending))
	}
	tn.must(201, "POST", "/Users", `{"userName":"u3","nickName":"a"}`)
	var walk []string
	for next := ""; len(walk) < 5; {
		r := tn.must(200, "GET", "/Users?sortBy=nickName&attributes=userName&count=1&cursor="+next, "")
		if walk = append(walk, names(r)); len(r.string("nextCursor")) > 2000 {
			t.Errorf("the cursor has %d bytes", len(r.string("nextCursor")))
		}
		if next = r.string("nextCursor"); next == "" {
			break
		}
	}
	if got := strings.Join(walk, " "); got != "u3 u0 u1 u2" {
		t.Errorf("a walk meets %s", got)
	}
}

func TestLongListsOfAttributesAreRefused(t *testing.T) {
	tn := newService(t, "").newTenant()
	long := strings.Repeat("a,", 5000)
	tn.fails(400, "invalidValue", "attributes", "GET", "/Users?attributes="+long, "")
	tn.fails(400, "invalidValue", "excludedAttributes", "POST", "/.search", `{"excludedAttributes":"`+long+`"}`)
}

// A walk by cursor meets everybody once, also while the list changes.
func TestCursors(t *testing.T) {
	databases(t, func(t *testing.T, s *service) {
		tn := populated(t, s)
		for _, query := range []string{"", "sortBy=userName", "sortBy=name.familyName&sortOrder=descending", "filter=" + url.QueryEscape(`meta.resourceType eq "User"`),
			"sortBy=meta.created&sortOrder=descending", "sortBy=emails.value&filter=" + url.QueryEscape(`not (userName eq "nobody")`)} {
			for _, count := range []int{1, 2, 5, 100} {
				whole := names(tn.must(200, "GET", "/Users?"+query, ""))
				var pages []string
				next := ""
				for range 10 {
					r := tn.must(200, "GET", fmt.Sprintf("/Users?%s&count=%d&cursor=%s", query, count, next), "")
					if r.at("startIndex") != nil || r.at("totalResults") == nil {
						t.Errorf("%s: malformed page %.200s", query, r.text)
					}
					pages = append(pages, names(r))
					if next = r.string("nextCursor"); next == "" {
						break
					}
					if strings.Trim(next, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~") != "" {
						t.Errorf("cursor %s: not all of it is unreserved", next)
					}
				}
				if got := strings.Join(pages, " "); got != whole {
					t.Errorf("%s by %d: %s, want %s", query, count, got, whole)
				}
			}
		}
		first := tn.must(200, "GET", "/Users?cursor=&count=2", "")
		tn.must(204, "DELETE", "/Users/"+first.string("Resources", 1, "id"), "")
		if r := tn.must(200, "GET", "/Users?count=2&cursor="+first.string("nextCursor"), ""); r.string("Resources", 0, "userName") != "jane" {
			t.Errorf("after a deletion the next page begins with %s", names(r))
		}
		cursor := first.string("nextCursor")
		for _, query := range []string{"cursor=nonsense", "cursor=e30", "cursor=" + cursor + "&sortBy=userName", "cursor=" + cursor + "&filter=title+pr"} {
			tn.fails(400, "invalidCursor", "cursor", "GET", "/Users?"+query, "")
		}
		tn.fails(400, "invalidCursor", "another", "GET", "/Groups?cursor="+cursor, "")
		tn.fails(400, "invalidValue", "not by both", "GET", "/Users?startIndex=1&cursor="+cursor, "")
		// Another tenant's cursor leads nowhere but to one's own list.
		if r := s.newTenant().must(200, "GET", "/Users?cursor="+cursor, ""); r.at("totalResults") != 0.0 {
			t.Errorf("another tenant is shown %s", r.text)
		}
	})
}

func TestSearchOfAllTypes(t *testing.T) {
	databases(t, func(t *testing.T, s *service) {
		tn := populated(t, s)
		search := func(body string) response { t.Helper(); return tn.must(200, "POST", "/.search", body) }
		for body, want := range map[string]string{
			`{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":"displayName pr","attributes":["displayName"]}`: "Ännchen änne Guides admins Empty",
			`{"filter":"displayName pr","attributes":"displayName","startIndex":2,"count":2}`:                                            "änne Guides",
			`{"filter":"displayName pr","attributes":"displayName","startIndex":4,"count":9}`:                                            "admins Empty",
			`{"filter":"userName eq \"jane\"","attributes":["userName"]}`:                                                                "jane",
			`{"filter":"userName eq \"jane\" or displayName eq \"guides\"","attributes":["userName"]}`:                                   "jane ",
			`{"filter":"not (title pr)","attributes":["displayName"],"sortBy":"displayName","sortOrder":"descending"}`:                   " änne Guides Empty admins",
			`{"count":0}`: "",
			`{"filter":null,"count":1,"sortBy":null}`:         "bjensen",
			`{"filter":"meta.resourceType eq \"Group\""}`:     "Guides admins Empty",
			`{"filter":"members pr","sortBy":"displayName"}`:  "admins Guides",
			`{"FILTER":"USERNAME eq \"nobody\"","COUNT":"5"}`: "nobodyänne",
		} {
			if got := names(search(body)); got != want {
				t.Errorf("search %s lists %q, want %q", body, got, want)
			}
		}
		for count := 1; count <= 9; count++ {
			var got []string
			next := ""
			for range 20 {
				r := search(fmt.Sprintf(`{"count":%d,"cursor":%q}`, count, next))
				if r.at("totalResults") != 8.0 {
					t.Errorf("totalResults = %v", r.at("totalResults"))
				}
				for i := range r.len("Resources") {
					got = append(got, r.string("Resources", i, "id"))
				}
				if next = r.string("nextCursor"); next == "" {
					break
				}
			}
			if sorted := slices.Compact(slices.Sorted(slices.Values(got))); len(got) != 8 || len(sorted) != 8 {
				t.Errorf("by %d: %d resources, %d of them once", count, len(got), len(sorted))
			}
		}
		tn.fails(400, "invalidFilter", "noSuch", "POST", "/.search", `{"filter":"noSuch pr"}`)
		tn.fails(400, "invalidFilter", "malformed", "POST", "/.search", `{"filter":""}`)
		tn.fails(400, "invalidValue", "filter", "POST", "/Users/.search", `{"filter":["userName pr"]}`)
		tn.fails(400, "invalidValue", "attributes", "POST", "/Users/.search", `{"attributes":[1]}`)
		tn.fails(400, "invalidSyntax", "object", "POST", "/Users/.search", `[]`)
		tn.fails(400, "invalidSyntax", "twice", "POST", "/Users/.search", `{"filter":"userName pr","Filter":"title pr"}`)
	})
}
