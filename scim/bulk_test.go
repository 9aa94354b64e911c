package scim_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func bulkBody(operations ...string) string {
	return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[` + strings.Join(operations, ",") + `]}`
}

// statuses are those of the operations of a bulk response, in order.
func statuses(r response) string {
	var list []string
	for i := range r.len("Operations") {
		list = append(list, r.string("Operations", i, "status"))
	}
	return strings.Join(list, " ")
}

// RFC 7644 §3.7, its own example.
func TestBulk(t *testing.T) {
	databases(t, func(t *testing.T, s *service) {
		tn := s.newTenant()
		two, three := tn.user("second"), tn.user("third")
		one := tn.user("first")
		r := tn.must(200, "POST", "/Bulk", bulkBody(
			`{"method":"POST","path":"/Users","bulkId":"qwerty","data":{"userName":"Alice"}}`,
			`{"method":"PUT","path":"/Users/`+one+`","version":"W/\"1\"","data":{"userName":"Bob"}}`,
			`{"method":"patch","path":"/Users/`+two+`","data":{"Operations":[{"op":"replace","path":"nickName","value":"Dave"}]}}`,
			`{"method":"DELETE","path":"`+tn.base+`/Users/`+three+`"}`,
		))
		if got := statuses(r); got != "201 200 200 204" || r.string("schemas", 0) != "urn:ietf:params:scim:api:messages:2.0:BulkResponse" {
			t.Fatalf("bulk = %s", r.text)
		}
		alice := r.string("Operations", 0, "location")
		if got := tn.must(200, "GET", alice, ""); got.string("userName") != "Alice" || r.string("Operations", 0, "bulkId") != "qwerty" || r.string("Operations", 0, "version") != `W/"1"` {
			t.Errorf("created %s by %s", got.text, r.text)
		}
		if r.string("Operations", 1, "location") != tn.base+"/Users/"+one || r.string("Operations", 1, "version") != `W/"2"` || r.string("Operations", 1, "method") != "PUT" {
			t.Errorf("replaced by %s", r.text)
		}
		tn.must(404, "GET", "/Users/"+three, "")
	})
}

func TestBulkReferences(t *testing.T) {
	databases(t, func(t *testing.T, s *service) {
		tn := s.newTenant()
		t.Run("backwards and forwards", func(t *testing.T) {
			r := tn.must(200, "POST", "/Bulk", bulkBody(
				`{"method":"POST","path":"/Groups","bulkId":"g1","data":{"displayName":"Forwards","members":[{"value":"bulkId:u1"}]}}`,
				`{"method":"POST","path":"/Users","bulkId":"u1","data":{"userName":"u1"}}`,
				`{"method":"POST","path":"/Groups","bulkId":"g2","data":{"displayName":"Backwards","members":[{"value":"bulkId:u1"}]}}`,
				`{"method":"PATCH","path":"/Groups/bulkId:g1","data":{"Operations":[{"op":"replace","path":"displayName","value":"Renamed"}]}}`,
			))
			if got := statuses(r); got != "201 201 201 200" {
				t.Fatalf("bulk = %s", r.text)
			}
			user := tn.must(200, "GET", r.string("Operations", 1, "location"), "")
			for i, name := range map[int]string{0: "Renamed", 2: "Backwards"} {
				g := tn.must(200, "GET", r.string("Operations", i, "location"), "")
				if g.string("displayName") != name || g.len("members") != 1 || g.string("members", 0, "value") != user.string("id") {
					t.Errorf("group %s", g.text)
				}
			}
		})
		t.Run("in a circle", func(t *testing.T) {
			manager := func(id string) string {
				return `"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":"bulkId:` + id + `"}}`
			}
			r := tn.must(200, "POST", "/Bulk", bulkBody(
				`{"method":"POST","path":"/Users","bulkId":"a","data":{"userName":"a","title":"A",`+manager("b")+`}}`,
				`{"method":"POST","path":"/Users","bulkId":"b","data":{"userName":"b",`+manager("a")+`}}`,
			))
			if got := statuses(r); got != "201 201" {
				t.Fatalf("bulk = %s", r.text)
			}
			a, b := tn.must(200, "GET", r.string("Operations", 0, "location"), ""), tn.must(200, "GET", r.string("Operations", 1, "location"), "")
			const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
			if a.string(enterprise, "manager", "value") != b.string("id") || b.string(enterprise, "manager", "value") != a.string("id") || a.string("title") != "A" {
				t.Errorf("a circle became %s and %s", a.text, b.text)
			}
		})
		t.Run("to what cannot be created", func(t *testing.T) {
			r := tn.must(200, "POST", "/Bulk", bulkBody(
				`{"method":"POST","path":"/Groups","bulkId":"g3","data":{"displayName":"Lost","members":[{"value":"bulkId:u3"}]}}`,
				`{"method":"POST","path":"/Users","bulkId":"u3","data":{"userName":" "}}`,
				`{"method":"POST","path":"/Groups","bulkId":"g4","data":{"displayName":"Lost too","members":[{"value":"bulkId:nobody"}]}}`,
				`{"method":"DELETE","path":"/Users/bulkId:u3"}`,
			))
			if got := statuses(r); got != "400 400 400 400" {
				t.Fatalf("bulk = %s", r.text)
			}
			if detail := r.string("Operations", 2, "response", "detail"); !strings.Contains(detail, "nobody") {
				t.Errorf("detail %q", detail)
			}
		})
		t.Run("in a circle that breaks", func(t *testing.T) {
			r := tn.must(200, "POST", "/Bulk", bulkBody(
				`{"method":"POST","path":"/Groups","bulkId":"x","data":{"displayName":"X","members":[{"value":"bulkId:y"}]}}`,
				`{"method":"POST","path":"/Users","bulkId":"y","data":{"userName":" ","title":"bulkId:x"}}`,
			))
			if got := statuses(r); got != "400 400" {
				t.Fatalf("bulk = %s", r.text)
			}
			if list := tn.must(200, "GET", "/Groups"+filtered(`displayName eq "X"`), ""); list.at("totalResults") != 0.0 {
				t.Errorf("half of an operation is left: %s", list.text)
			}
		})
	})
}

func TestBulkErrors(t *testing.T) {
	databases(t, func(t *testing.T, s *service) {
		tn, other := s.newTenant(), s.newTenant()
		stranger := other.user("stranger")
		create := func(name string) string {
			return fmt.Sprintf(`{"method":"POST","path":"/Users","bulkId":%[1]q,"data":{"userName":%[1]q}}`, name)
		}
		tn.user("taken")
		mixed := []string{create("one"), create("taken"), `{"method":"DELETE","path":"/Users/` + stranger + `"}`, create("two"),
			`{"method":"PUT","path":"/Users/usr_x","version":"W/\"7\"","data":{"userName":"x"}}`, create("three")}
		r := tn.must(200, "POST", "/Bulk", bulkBody(mixed...))
		if got := statuses(r); got != "201 409 404 201 404 201" {
			t.Errorf("bulk = %s", r.text)
		}
		if failed := r.at("Operations", 1).(map[string]any); failed["location"] != nil || r.string("Operations", 1, "response", "scimType") != "uniqueness" ||
			r.string("Operations", 1, "response", "schemas", 0) != "urn:ietf:params:scim:api:messages:2.0:Error" {
			t.Errorf("failed operation %v", failed)
		}
		other.must(200, "GET", "/Users/"+stranger, "")

		for i := range mixed {
			mixed[i] = strings.NewReplacer("one", "uno", "two", "due", "three", "tre").Replace(mixed[i])
		}
		if r := tn.must(200, "POST", "/Bulk", `{"failOnErrors":2,`+bulkBody(mixed...)[1:]); statuses(r) != "201 409 404" {
			t.Errorf("failOnErrors 2: %s", r.text)
		}
		if list := tn.must(200, "GET", "/Users"+filtered(`userName eq "tre"`), ""); list.at("totalResults") != 0.0 {
			t.Errorf("what came after the second failure was carried out")
		}
		tn.must(200, "POST", "/Bulk", bulkBody())
		for _, tt := range []struct{ operation, status, detail string }{
			{`{"method":"POST","path":"/Users","data":{"userName":"x"}}`, "400", "bulkId"},
			{`{"method":"GET","path":"/Users"}`, "400", "GET"},
			{`{"method":"POST","path":"/Users/usr_1","bulkId":"b","data":{}}`, "400", "/Users/usr_1"},
			{`{"method":"DELETE","path":"/Users"}`, "400", "/Users"},
			{`{"method":"POST","path":"/Bulk","bulkId":"b","data":{}}`, "400", "/Bulk"},
			{`{"method":"DELETE","path":"/Users/` + stranger + `/.."}`, "400", ".."},
			{`{"method":"DELETE","path":"/../` + string(other.connection) + `/Users/` + stranger + `"}`, "400", "Users"},
			{`{"method":"DELETE","path":"` + other.base + `/Users/` + stranger + `"}`, "400", "Users"},
			{`{"method":"DELETE","path":"/Users/..%2f` + stranger + `"}`, "404", "there is no user"},
			{`{"method":"POST","path":"/Users","bulkId":"b","data":"x"}`, "400", "data"},
			{`{"method":1,"path":"/Users","bulkId":"b"}`, "400", "method"},
			{`{"method":"DELETE","path":"/Groups/bulkId:"}`, "400", "bulkId"},
			{`"x"`, "400", ""},
		} {
			r := tn.must(200, "POST", "/Bulk", bulkBody(tt.operation))
			if statuses(r) != tt.status || !strings.Contains(r.string("Operations", 0, "response", "detail"), tt.detail) {
				t.Errorf("%s = %s, want %s with %q", tt.operation, r.text, tt.status, tt.detail)
			}
		}
		other.must(200, "GET", "/Users/"+stranger, "")
		tn.fails(400, "invalidValue", "two operations", "POST", "/Bulk", bulkBody(create("same"), create("same")))
		tn.fails(400, "invalidSyntax", "Operations", "POST", "/Bulk", `{}`)
		tn.fails(400, "invalidValue", "failOnErrors", "POST", "/Bulk", `{"failOnErrors":0,"Operations":[]}`)
		tn.fails(413, "", "5001 operations", "POST", "/Bulk", bulkBody(strings.Split(strings.Repeat(`{},`, 5000)+`{}`, ",")...))
	})
}

// What is changed of a resource comes after its references were put in: else that would
// undo it.
func TestChangeOfAResourceInACircleIsNotLost(t *testing.T) {
	tn := newService(t, "").newTenant()
	const group = `{"method":"POST","path":"/Groups","bulkId":"%s","data":{"displayName":"%[1]s","members":[{"value":"bulkId:%s"}]}}`
	rename := `{"method":"PATCH","path":"/Groups/bulkId:one","data":{"Operations":[{"op":"replace","path":"displayName","value":"Renamed"}]}}`
	r := tn.must(200, "POST", "/Bulk", bulkBody(fmt.Sprintf(group, "one", "two"), rename, fmt.Sprintf(group, "two", "one")))
	if got := statuses(r); got != "201 200 201" {
		t.Fatalf("bulk = %s", r.text)
	}
	if g := tn.must(200, "GET", r.string("Operations", 0, "location"), ""); g.string("displayName") != "Renamed" || g.len("members") != 1 {
		t.Errorf("the group is %s", g.text)
	}
	// When the circle breaks, there is nothing to change.
	r = tn.must(200, "POST", "/Bulk", bulkBody(
		fmt.Sprintf(group, "three", "four"), strings.Replace(rename, "one", "three", 1),
		`{"method":"POST","path":"/Groups","bulkId":"four","data":{"members":[{"value":"bulkId:three"}]}}`,
	))
	if got := statuses(r); got != "400 400 400" {
		t.Errorf("of a broken circle: %s", r.text)
	}
	if r.at("Operations", 1, "location") != nil {
		t.Errorf("there is a location of what was not created: %s", r.text)
	}
	if list := tn.must(200, "GET", "/Groups", ""); list.at("totalResults") != 2.0 {
		t.Errorf("left are %s", list.text)
	}
}

// Thousands of operations that wait for the last one cost no more than the others.
func TestBulkOfManyReferences(t *testing.T) {
	s := newService(t, "")
	s.handler.MaxBody = 10 << 20
	tn := s.newTenant()
	list := strings.Repeat(`{"value":"bulkId:z"},`, 149) + `{"value":"bulkId:z"}`
	var operations []string
	for range 2500 {
		operations = append(operations, `{"method":"PATCH","path":"/Groups/x","data":{"x":[`+list+`]}}`, `{"method":"DELETE","path":"/Users/x"}`)
	}
	operations[len(operations)-1] = `{"method":"POST","path":"/Users","bulkId":"z","data":{"userName":"z"}}`
	start := time.Now()
	if r := tn.must(200, "POST", "/Bulk", bulkBody(operations...)); r.len("Operations") != 5000 || r.string("Operations", 4999, "status") != "201" {
		t.Errorf("bulk = %.300s", r.text)
	}
	if took := time.Since(start); took > 40*time.Second { // a minute, when each step looked at all references
		t.Errorf("it took %s", took)
	}
}
