package scim_test

import (
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
)

// What elimity-com/scim was measured to do at the version that go.mod names, and what
// this package does in its place: a server built on it would fail each of these.

const enterpriseURN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

func TestWhereTheLibraryCrashes(t *testing.T) {
	tn := newService(t, "").newTenant()
	user := tn.user("anna")
	t.Run("a filter of 100,000 parentheses overflows its stack", func(t *testing.T) {
		deep := strings.Repeat("(", 100_000)
		tn.fails(400, "invalidFilter", "longer than", "GET", "/Users?filter="+deep, "")
		tn.fails(400, "invalidFilter", "longer than", "POST", "/Users/.search", `{"filter":"`+deep+`"}`)
		tn.fails(400, "invalidFilter", "nests deeper", "GET", "/Users?filter="+deep[:8000], "")
		tn.fails(400, "invalidPath", "longer than", "PATCH", "/Users/"+user, patch("remove", deep, ""))
	})
	t.Run("a filter of the schemas panics", func(t *testing.T) {
		tn.fails(403, "", "filter", "GET", "/Schemas"+filtered(`attributes eq "x"`), "")
	})
	t.Run("it writes into what a handler returns", func(t *testing.T) {
		paths := []string{"/Users/" + user, "/Users", "/Schemas", "/ResourceTypes", "/ServiceProviderConfig"}
		var wg sync.WaitGroup
		for _, path := range paths {
			first := tn.must(200, "GET", path, "")
			for range 8 { // a race is for the detector to find
				wg.Go(func() {
					if again := tn.do("GET", path, ""); again.text != first.text {
						t.Errorf("GET %s gave %s, then %s", path, first.text, again.text)
					}
				})
			}
		}
		wg.Wait()
	})
}

func TestWhereTheLibraryIsSilent(t *testing.T) {
	tn := newService(t, "").newTenant()
	tn.user("anna")
	for name, query := range map[string]string{
		"a semicolon drops the filter": `?filter=userName+eq+"bert";x`, "a bad escape drops the filter": `?filter=userName+eq+%zz`,
	} {
		t.Run(name, func(t *testing.T) {
			tn.fails(400, "invalidValue", "query string", "GET", "/Users"+query, "")
		})
	}
	for name, body := range map[string]string{
		"an extension in other letter case is dropped": `{"userName":"b","` + strings.ToUpper(enterpriseURN) + `":{"DEPARTMENT":"Tours"}}`,
		"a flat extension is dropped":                  `{"userName":"c","` + enterpriseURN + `:department":"Tours"}`,
	} {
		t.Run(name, func(t *testing.T) {
			if r := tn.must(201, "POST", "/Users", body); r.string(enterpriseURN, "department") != "Tours" {
				t.Errorf("%s became %s", body, r.text)
			}
		})
	}
	t.Run("a password is echoed", func(t *testing.T) {
		const secret = "t1meMa$heen"
		r := tn.must(201, "POST", "/Users", `{"userName":"d","password":"`+secret+`"}`)
		at := "/Users/" + r.string("id")
		for _, r := range []response{r, tn.must(200, "GET", at, ""), tn.must(200, "GET", at+"?attributes=password", ""), tn.must(200, "GET", "/Users?attributes=password", ""),
			tn.must(200, "PATCH", at, patch("replace", "password", `"`+secret+`"`)), tn.must(200, "PUT", at, `{"userName":"d","password":"`+secret+`"}`)} {
			if strings.Contains(r.text, secret) || strings.Contains(r.text, "password") {
				t.Errorf("a password is shown: %s", r.text)
			}
		}
		tn.fails(400, "invalidFilter", "password", "GET", "/Users"+filtered(`password eq "`+secret+`"`), "")
	})
}

func TestWhereTheLibraryAnswersWrongly(t *testing.T) {
	tn := newService(t, "").newTenant()
	created := tn.must(201, "POST", "/Users", `{"userName":"anna","title":"Guide"}`)
	at := "/Users/" + created.string("id")
	t.Run("201 without Location, meta.location not absolute", func(t *testing.T) {
		if want := tn.base + at; created.header.Get("Location") != want || created.string("meta", "location") != want {
			t.Errorf("Location %q, meta.location %q, want %s", created.header.Get("Location"), created.string("meta", "location"), want)
		}
	})
	t.Run("413 on PATCH is a 500", func(t *testing.T) {
		tn.fails(413, "", "larger than", "PATCH", at, patch("replace", "title", `"`+strings.Repeat("x", 1<<20)+`"`))
	})
	t.Run("304 is a 500", func(t *testing.T) {
		tn.must(304, "GET", at, "", "If-None-Match", created.header.Get("ETag"))
	})
	t.Run("attributes and excludedAttributes", func(t *testing.T) {
		if r := tn.must(200, "GET", at+"?attributes=title", ""); r.string("title") != "Guide" || r.at("userName") != nil || r.string("id") == "" {
			t.Errorf("attributes=title shows %s", r.text)
		}
		if r := tn.must(200, "GET", "/Users?excludedAttributes=title", ""); r.at("Resources", 0, "title") != nil || r.string("Resources", 0, "userName") != "anna" {
			t.Errorf("excludedAttributes=title shows %s", r.text)
		}
	})
	t.Run("sorting, cursors, .search and Bulk", func(t *testing.T) {
		tn.user("bert")
		if got := names(tn.must(200, "GET", "/Users?sortBy=userName&sortOrder=descending", "")); got != "bert anna" {
			t.Errorf("sorted: %s", got)
		}
		if r := tn.must(200, "GET", "/Users?cursor=&count=1", ""); r.string("nextCursor") == "" {
			t.Errorf("no cursor: %s", r.text)
		}
		tn.must(200, "POST", "/.search", `{"filter":"userName pr"}`)
		tn.must(200, "POST", "/Bulk", bulkBody())
	})
	t.Run("flags of ServiceProviderConfig are fixed", func(t *testing.T) {
		config := tn.must(200, "GET", "/ServiceProviderConfig", "")
		for _, feature := range []string{"patch", "bulk", "filter", "sort", "etag"} {
			if config.at(feature, "supported") != true {
				t.Errorf("%s is served and not announced: %s", feature, config.text)
			}
		}
		if config.at("changePassword", "supported") != false || config.at("bulk", "maxPayloadSize") != float64(1<<20) {
			t.Errorf("announced is what is not so: %s", config.text)
		}
	})
	t.Run("/Me", func(t *testing.T) { tn.fails(501, "", "not supported", "GET", "/Me", "") })
}

func TestWhatTheLibraryRefuses(t *testing.T) {
	tn := newService(t, "").newTenant()
	id := tn.must(201, "POST", "/Users", `{"userName":"anna","externalId":"00u1","active":"True",
		"emails":[{"type":"work","value":"anna@example.com","primary":true},{"type":"home","value":"anna@example.org"}]}`).string("id")
	at := "/Users/" + id
	for _, tt := range []struct {
		name, body string
		path       []any
		want       any
	}{
		{"a boolean as a string", patch("replace", "active", `"False"`), []any{"active"}, false},
		{"a value without path and with an unknown key", patch("replace", "", `{"nickName":"Ann","favouriteColour":"red"}`), []any{"nickName"}, "Ann"},
		{"null", patch("replace", "nickName", `null`), []any{"nickName"}, nil},
		{"manager as a string", patch("add", enterpriseURN+":manager", `"m-1"`), []any{enterpriseURN, "manager", "value"}, "m-1"},
		{"manager as an array", patch("add", enterpriseURN+":manager", `[{"value":"m-2"}]`), []any{enterpriseURN, "manager", "value"}, "m-2"},
		{"manager emptied", patch("replace", enterpriseURN+":manager", `""`), []any{enterpriseURN}, nil},
		{"a URN in other letter case", patch("add", strings.ToUpper(enterpriseURN)+":Department", `"Tours"`), []any{enterpriseURN, "department"}, "Tours"},
		{"three clauses in a value path", patch("replace", `emails[type eq "work" and primary eq true and value ew "example.com"].display`, `"Anna"`), []any{"emails", 0, "display"}, "Anna"},
		{"no operations", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[]}`, []any{"userName"}, "anna"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if r := tn.must(200, "PATCH", at, tt.body); !reflect.DeepEqual(r.at(tt.path...), tt.want) {
				t.Errorf("%s: %v = %v, want %v", tt.body, tt.path, r.at(tt.path...), tt.want)
			}
		})
	}
	for _, filter := range []string{`id eq "` + id + `"`, `externalId eq "00u1"`, `emails[type eq "work" and primary eq true and value co "example"]`} {
		t.Run(filter, func(t *testing.T) {
			if r := tn.must(200, "GET", "/Users"+filtered(filter), ""); r.string("Resources", 0, "id") != id {
				t.Errorf("found %s", r.text)
			}
		})
	}
	t.Run("DELETE /Users/ deletes what has no id", func(t *testing.T) {
		tn.fails(http.StatusNotFound, "", "there is no endpoint", "DELETE", "/Users/", "")
		tn.must(200, "GET", at, "")
	})
}
