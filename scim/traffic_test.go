package scim_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
)

// recorded stores what was recorded and returns all that is known of the connection.
func (tn *tenant) recorded() (store.Traffic, []store.Failure) {
	tn.t.Helper()
	ctx, scope := tn.t.Context(), store.Scope{Organization: tn.organization, Connection: tn.connection}
	if err := tn.traffic.Flush(ctx); err != nil {
		tn.t.Fatal(err)
	}
	all, _, err := tn.store.Traffic(ctx, scope)
	if err != nil {
		tn.t.Fatal(err)
	}
	failures, err := tn.store.Failures(ctx, scope, "", 1000)
	if err != nil {
		tn.t.Fatal(err)
	}
	return all, failures
}

func TestRequestsAreCountedByKind(t *testing.T) {
	databases(t, func(t *testing.T, s *service) {
		tn := s.newTenant()
		before := directory.Now()
		id := tn.user("anna@example.com")
		group := tn.newGroup("Admins", id)
		for _, request := range []struct{ method, path, body string }{
			{"GET", "/Users?count=1", ""}, {"GET", "/Users/" + id, ""}, {"HEAD", "/Users/" + id, ""},
			{"PATCH", "/Users/" + id, patch("replace", "active", "false")}, {"PUT", "/Users/" + id, `{"userName":"a"}`},
			{"GET", "/Groups", ""}, {"GET", "/Groups/" + group, ""}, {"PATCH", "/Groups/" + group, patch("remove", "members", "")},
			{"PUT", "/Groups/" + group, `{"displayName":"x"}`}, {"DELETE", "/Groups/" + group, ""}, {"DELETE", "/Users/" + id, ""},
			{"GET", "/ServiceProviderConfig", ""}, {"GET", "/Schemas", ""}, {"GET", "/ResourceTypes/User", ""},
			{"GET", "/Me", ""}, {"GET", "/Nothing", ""}, {"POST", "/Users/" + id, "{}"},
		} {
			tn.do(request.method, request.path, request.body)
		}
		traffic, _ := tn.recorded()
		got := map[string][2]int64{}
		for _, k := range traffic.Kinds {
			got[k.Kind] = [2]int64{k.Succeeded, k.Failed}
			if last := k.LastSuccess; k.Succeeded > 0 && (last.Before(before) || last.After(directory.Now())) {
				t.Errorf("the last %s was at %v", k.Kind, last)
			}
			if k.Succeeded == 0 && !k.LastSuccess.IsZero() || k.Failed == 0 && !k.LastFailure.IsZero() {
				t.Errorf("a time of nothing: %+v", k)
			}
		}
		want := map[string][2]int64{
			"users.create": {1, 0}, "users.list": {1, 0}, "users.get": {2, 0}, "users.patch": {1, 0}, "users.replace": {1, 0}, "users.delete": {1, 0},
			"groups.create": {1, 0}, "groups.list": {1, 0}, "groups.get": {1, 0}, "groups.patch": {1, 0}, "groups.replace": {1, 0}, "groups.delete": {1, 0},
			"discovery": {3, 0}, "me": {0, 1}, "other": {0, 2},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("succeeded and failed by kind (-want +got):\n%s", diff)
		}
	})
}

func TestFailuresAreListedWithWhyAndWithoutValues(t *testing.T) {
	databases(t, func(t *testing.T, s *service) {
		tn, other := s.newTenant(), s.newTenant()
		id := tn.user("anna@example.com")
		unknown := string(directory.NewUserID())
		const secret = "hunter2"
		for _, c := range []struct {
			situation, method, path, body string
			want                          store.Failure
		}{
			{"a name that is taken", "POST", "/Users", `{"userName":"anna@example.com","password":"` + secret + `"}`, store.Failure{
				Kind: "users.create", Status: 409, Code: "uniqueness", Path: "/Users", Body: `{"userName":"…","password":"…"}`,
			}},
			{"a value that cannot be", "PATCH", "/Users/" + id, patch("replace", `emails[value eq \"`+secret+`\"].value`, `"`+secret+`"`), store.Failure{
				Kind: "users.patch", Status: 400, Code: "invalidPath", Path: "/Users/" + id,
			}},
			{"text that is no JSON", "POST", "/Groups", `{"displayName":"` + secret + `", oops}`, store.Failure{
				Kind: "groups.create", Status: 400, Code: "invalidSyntax", Path: "/Groups", Body: `{"displayName":"…",…`,
			}},
			{"a body that is too large", "PUT", "/Users/" + id, `{"userName":"` + secret + `","nickName":"` + strings.Repeat(secret, 1<<18) + `"}`, store.Failure{
				Kind: "users.replace", Status: 413, Path: "/Users/" + id, Body: `{"userName":"…","nickName":…`,
			}},
			{"a user who is not there", "GET", "/Users/" + unknown, "", store.Failure{Kind: "users.get", Status: 404, Path: "/Users/" + unknown}},
			{"an id that names somebody", "DELETE", "/Users/" + secret, "", store.Failure{Kind: "users.delete", Status: 404, Path: "/Users/{id}"}},
			{"a filter that is none", "GET", "/Users?filter=userName", "", store.Failure{Kind: "users.list", Status: 400, Code: "invalidFilter", Path: "/Users"}},
			{"no such endpoint", "GET", "/People/anna", "", store.Failure{Kind: "other", Status: 404, Path: "…"}},
			{"no such method", "PUT", "/Users", "{}", store.Failure{Kind: "other", Status: 405, Path: "/Users"}},
		} {
			r := tn.do(c.method, c.path, c.body, "X-Request-Id", "req_of_ours")
			_, failures := tn.recorded()
			got := failures[0]
			if c.want.Body == "" {
				got.Body = ""
			}
			c.want.ID, c.want.At, c.want.Method, c.want.Request, c.want.Detail = got.ID, got.At, c.method, "req_of_ours", r.string("detail")
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.situation, diff)
			}
			if r.status != c.want.Status || strings.Contains(failures[0].Body, secret) {
				t.Errorf("%s: %d, and the body %s", c.situation, r.status, failures[0].Body)
			}
		}
		if traffic, failures := other.recorded(); len(traffic.Kinds)+len(failures) != 0 {
			t.Errorf("another connection has %+v and %+v", traffic, failures)
		}
	})
}

// Each operation of a bulk request is one of its kind, as if it had come alone.
func TestSecretsOfTheWrongTypeAreNotRepeated(t *testing.T) {
	tn := newService(t, "").newStrictTenant()
	type attribute = directory.SchemaAttribute
	tn.putSchema(tn.administrator(), employeeSchema(
		attribute{Name: "pin", Type: "integer", Returned: "never"},
		attribute{Name: "door", Type: "complex", Mutability: "writeOnly", SubAttributes: []attribute{{Name: "code"}}},
	))
	tn.fails(400, "invalidValue", "password takes a string", "POST", "/Users", `{`+coreUser+`,"userName":"a","password":4711}`)
	schemas := strings.Replace(coreUser, `]`, `,"`+employee+`"]`, 1)
	tn.fails(400, "invalidValue", "pin takes a whole number", "POST", "/Users", `{`+schemas+`,"userName":"a","`+employee+`":{"pin":"x4711"}}`)
	tn.fails(400, "invalidValue", "door.code takes a string", "POST", "/Users", `{`+schemas+`,"userName":"a","`+employee+`":{"door":{"code":4711}}}`)
	_, failures := tn.recorded()
	if len(failures) != 3 {
		t.Errorf("%d failures are recorded, want 3", len(failures))
	}
	for _, f := range failures {
		if strings.Contains(f.Detail+f.Body, "4711") {
			t.Errorf("recorded: %s %s", f.Detail, f.Body)
		}
	}
}

func TestOperationsOfABulkRequestAreCounted(t *testing.T) {
	databases(t, func(t *testing.T, s *service) {
		tn := s.newTenant()
		id := tn.user("anna@example.com")
		tn.must(200, "POST", "/Bulk", `{"Operations":[
			{"method":"POST","path":"/Users","bulkId":"a","data":{"userName":"bert@example.com","shoeSize":42}},
			{"method":"POST","path":"/Users","bulkId":"b","data":{"userName":"anna@example.com"}},
			{"method":"PATCH","path":"/Users/`+id+`","data":{"Operations":[{"op":"replace","path":"hunter2[","value":"hunter2"}]}},
			{"method":"DELETE","path":"/Users/hunter2"},
			{"method":"POST","path":"/hunter2","bulkId":"c","data":{}}]}`)
		traffic, failures := tn.recorded()
		got := map[string][2]int64{}
		for _, k := range traffic.Kinds {
			got[k.Kind] = [2]int64{k.Succeeded, k.Failed}
		}
		want := map[string][2]int64{"users.create": {2, 1}, "users.patch": {0, 1}, "users.delete": {0, 1}, "other": {0, 1}, "bulk": {1, 0}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("succeeded and failed by kind (-want +got):\n%s", diff)
		}
		if len(traffic.Unmapped) != 1 || traffic.Unmapped[0].Name != "shoeSize" {
			t.Errorf("unmapped = %+v, want shoeSize", traffic.Unmapped)
		}
		var listed []string
		for _, f := range failures {
			listed = append(listed, fmt.Sprint(f.Status, " ", f.Method, " ", f.Path, " ", f.Body))
		}
		if diff := cmp.Diff([]string{
			"400 POST … {}", "404 DELETE /Users/{id} ", `400 PATCH /Users/` + id + ` {"Operations":[{"op":"replace","path":"…","value":"…"}]}`,
			`409 POST /Users {"userName":"…"}`,
		}, listed); diff != "" {
			t.Errorf("failures (-want +got):\n%s", diff)
		}
	})
}

func TestRefusedAtTheDoor(t *testing.T) {
	databases(t, func(t *testing.T, s *service) {
		tn := s.newTenant()
		for i := range 30 {
			token := "wrong" + string(rune('a'+i/2)) // each one twice: the second is refused without a query
			tn.fails(http.StatusUnauthorized, "", "", "POST", "/Users", `{"userName":"anna"}`, "Authorization", "Bearer "+token)
		}
		traffic, failures := tn.recorded()
		if len(traffic.Kinds) != 1 || traffic.Kinds[0].Kind != store.KindAuth || traffic.Kinds[0].Failed != 30 {
			t.Errorf("kinds = %+v, want 30 failures of kind auth", traffic.Kinds)
		}
		if len(failures) != 1 || failures[0].Status != 401 || failures[0].Body != "" || failures[0].Path != "/Users" {
			t.Errorf("failures = %+v, want the newest, without a body, which nobody read", failures)
		}

		// Nobody's: there is no connection that it could be shown with.
		stranger := string(directory.NewConnectionID())
		tn.fails(http.StatusUnauthorized, "", "", "GET", s.url+"/scim/v2/"+stranger+"/Users", "")
		tn.transact(func(tx *store.Tx) { tx.DisableConnection() })
		s.handler.Forget(tn.connection)
		tn.fails(http.StatusForbidden, "", "disabled", "GET", "/Users", "")
		traffic, failures = tn.recorded()
		if i := slices.IndexFunc(traffic.Kinds, func(k store.KindTraffic) bool { return k.Kind == "users.list" }); i < 0 || traffic.Kinds[i].Failed != 1 {
			t.Errorf("kinds of a disabled connection: %+v", traffic.Kinds)
		}
		if failures[0].Status != 403 || !strings.Contains(failures[0].Detail, "disabled") {
			t.Errorf("the newest failure is %+v, want the 403", failures[0])
		}
	})
}

// The token endpoint and the limit are part of what a connection goes through: what its
// provider is refused there is seen, too.
func TestTokensAndLimitsAreRecorded(t *testing.T) {
	s := newService(t, "")
	s.handler.RateLimit, s.handler.RateBurst = 1, 2
	began := directory.Now() // time stands still, however long the requests take
	s.handler.Now = func() time.Time { return began }
	tn := s.newTenant()
	id, secret := tn.newClient(time.Time{})
	tn.grant(id, secret)
	if g := ask(t, "POST", tn.tokenURL(), inBody(id, "hunter2")); g.status != 401 {
		t.Fatalf("a wrong secret is answered %d", g.status)
	}
	tn.must(200, "GET", "/Users", "")
	tn.must(429, "POST", "/Users", `{"userName":"anna"}`)
	traffic, failures := tn.recorded()
	got := map[string][2]int64{}
	for _, k := range traffic.Kinds {
		got[k.Kind] = [2]int64{k.Succeeded, k.Failed}
	}
	want := map[string][2]int64{"token": {1, 0}, store.KindAuth: {0, 1}, "users.list": {1, 0}, "users.create": {0, 1}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("succeeded and failed by kind (-want +got):\n%s", diff)
	}
	listed := map[int]store.Failure{}
	for _, f := range failures {
		listed[f.Status] = f
	}
	if f := listed[401]; f.Code != "invalid_client" || f.Path != "/oauth/token" || f.Body != "" || len(listed) != 2 {
		t.Errorf("a wrong secret is listed as %+v", f)
	}
	if f := listed[429]; f.Kind != "users.create" || !strings.Contains(f.Detail, "limit of 1 requests") || f.Body != "" {
		t.Errorf("a request above the limit is listed as %+v; its body was not read", f)
	}
}

func TestUnmappedAttributesAreCounted(t *testing.T) {
	databases(t, func(t *testing.T, s *service) {
		tn := s.newTenant()
		id := tn.must(201, "POST", "/Users", `{"userName":"anna","shoeSize":42,"name":{"shirtSize":"M"},"emails":[{"value":"a@b.c","x":1},{"value":"d@e.f","x":2}]}`).string("id")
		tn.must(200, "PATCH", "/Users/"+id, patch("add", `pets[name eq "Rex"].age`, "3"))
		tn.must(200, "PATCH", "/Users/"+id, patch("add", "", `{"shoeSize":43,"anna@example.com":"x"}`))
		traffic, failures := tn.recorded()
		got := map[string]int64{}
		for _, u := range traffic.Unmapped {
			got[u.Name] = u.Count
			if u.LastAt.Before(u.FirstAt) || time.Since(u.FirstAt) > time.Minute {
				t.Errorf("%s was sent from %v to %v", u.Name, u.FirstAt, u.LastAt)
			}
		}
		want := map[string]int64{"shoeSize": 2, "name.shirtSize": 1, "emails.x": 1, `pets[name eq "…"].age`: 1, "…": 1}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("unmapped, by how many requests had it (-want +got):\n%s", diff)
		}
		if len(failures) != 0 {
			t.Errorf("failures = %+v", failures)
		}
	})
}
