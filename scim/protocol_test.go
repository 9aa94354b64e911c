package scim_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/internal/testserver"
)

func TestAuthentication(t *testing.T) {
	s := newService(t, "")
	tn, other := s.newTenant(), s.newTenant()
	unknown := strings.Replace(tn.base, string(tn.connection), string(directory.NewConnectionID()), 1)
	saml := directory.NewConnectionID()
	tn.transact(func(tx *store.Tx) {
		tx.CreateConnection(directory.Connection{ID: saml, Kind: directory.SAML, Name: "SAML", CreatedAt: directory.Now()})
	})
	var texts []string
	for _, tt := range []struct{ name, url, authorization string }{
		{"no token", tn.base, ""},
		{"a wrong token", tn.base, "Bearer wrong"},
		{"a token as Okta's test sends it", tn.base, "non-token"},
		{"another scheme", tn.base, "Basic " + tn.token},
		{"no scheme", tn.base, tn.token},
		{"an empty token", tn.base, "Bearer "},
		{"another tenant's token", tn.base, "Bearer " + other.token},
		{"a connection that does not exist", unknown, "Bearer " + tn.token},
		{"a connection whose id is malformed", s.url + "/scim/v2/conn_1", "Bearer " + tn.token},
		{"a SAML connection", strings.Replace(tn.base, string(tn.connection), string(saml), 1), "Bearer " + tn.token},
	} {
		for _, path := range []string{"/Users", "/ServiceProviderConfig", "/Widgets", "/Me", ""} {
			r := tn.fails(401, "", "token", "GET", tt.url+path, "", "Authorization", tt.authorization)
			if got := r.header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "Bearer") {
				t.Errorf("%s: WWW-Authenticate %q", tt.name, got)
			}
			texts = append(texts, r.text)
		}
	}
	for _, text := range texts {
		if text != texts[0] {
			t.Errorf("refusals differ: %s and %s", texts[0], text)
		}
	}
	tn.must(200, "GET", "/Users", "", "Authorization", "bearer "+tn.token)
}

func TestTokensRotate(t *testing.T) {
	s := newService(t, "")
	tn := s.newTenant()
	tn.must(200, "GET", "/Users", "")
	first := "Bearer " + tn.token
	now := directory.Now()
	second, stored := credential.New(credential.SCIMToken, now, now.Add(time.Hour))
	tn.transact(func(tx *store.Tx) { tx.CreateToken(stored) })
	tn.must(200, "GET", "/Users", "", "Authorization", "Bearer "+second) // at once, though the connection is cached
	tn.must(200, "GET", "/Users", "", "Authorization", first)

	tn.transact(func(tx *store.Tx) { tx.KeepTokens(1) })
	tn.must(200, "GET", "/Users", "", "Authorization", first) // for two seconds more
	s.handler.Forget(tn.connection)
	tn.fails(401, "", "", "GET", "/Users", "", "Authorization", first)
	tn.must(200, "GET", "/Users", "", "Authorization", "Bearer "+second)

	s.offset.Store(int64(time.Hour)) // the second has expired, cached or not
	tn.fails(401, "", "", "GET", "/Users", "", "Authorization", "Bearer "+second)
	s.offset.Store(0)
	tn.must(200, "GET", "/Users", "", "Authorization", "Bearer "+second)

	tn.transact(func(tx *store.Tx) { tx.DeleteToken(stored.ID) })
	s.offset.Store(int64(3 * time.Second)) // without Forget, as in another process
	tn.fails(401, "", "", "GET", "/Users", "", "Authorization", "Bearer "+second)
}

func TestDisabledConnectionIsFrozen(t *testing.T) {
	s := newService(t, "")
	tn := s.newTenant()
	user := tn.user("a")
	tn.transact(func(tx *store.Tx) { tx.DisableConnection() })
	s.handler.Forget(tn.connection)
	for _, method := range []string{"GET", "DELETE"} {
		tn.fails(403, "", "frozen", method, "/Users/"+user, "")
	}
	tn.fails(401, "", "token", "GET", "/Users", "", "Authorization", "Bearer wrong")
	tn.transact(func(tx *store.Tx) { tx.EnableConnection() })
	s.handler.Forget(tn.connection)
	tn.must(200, "GET", "/Users/"+user, "")
}

func TestAnotherOrganizationIsOutOfReach(t *testing.T) {
	databases(t, func(t *testing.T, s *service) {
		tn, other := s.newTenant(), s.newTenant()
		user, group := other.user("theirs"), other.newGroup("Theirs")
		mine := tn.newGroup("Mine")
		before := other.must(200, "GET", "/Groups/"+group, "").text
		for _, tt := range []struct{ method, path, body string }{
			{"GET", "/Users/" + user, ""},
			{"PUT", "/Users/" + user, `{"userName":"x"}`},
			{"PATCH", "/Users/" + user, patch("replace", "active", "false")},
			{"DELETE", "/Users/" + user, ""},
			{"GET", "/Groups/" + group, ""},
			{"PUT", "/Groups/" + group, `{"displayName":"x"}`},
			{"PATCH", "/Groups/" + group, patch("replace", "displayName", `"x"`)},
			{"PATCH", "/Groups/" + group, patch("add", "members", memberList(tn.user("u-"+group)))},
			{"PATCH", "/Groups/" + group, patch("remove", "members", "")},
			{"PATCH", "/Groups/" + group, `{"Operations":[]}`},
			{"DELETE", "/Groups/" + group, ""},
			{"GET", "/Users/" + group, ""},
			{"GET", "/Groups/" + user, ""},
			{"GET", "/Users/%2e%2e", ""},
			{"GET", "/Users/2819c223-7f76-453a-919d-413861904646", ""},
			{"GET", "/Users/" + strings.Replace(user, "_", "%5F", 1), ""},
			{"GET", "/Users/" + strings.Replace(user, "_", "%255F", 1), ""},
			{"GET", "/Users/" + strings.ToUpper(user), ""},
			{"GET", "/Users/" + user + "%00", ""},
			{"GET", "/Users/" + user + "/", ""},
			{"GET", "//Users", ""},
			{"GET", "/../" + string(other.connection) + "/Users", ""},
			{"GET", "/%2e%2e/" + string(other.connection) + "/Users", ""},
			{"GET", "/Users/..%2f..%2f" + string(other.connection) + "%2fUsers%2f" + user, ""},
			{"POST", "/../" + string(other.connection) + "/Users", `{"userName":"intruder"}`},
		} {
			if r := tn.do(tt.method, tt.path, tt.body); r.status != 404 || strings.Contains(r.text, "theirs") {
				t.Errorf("%s %s = %d %.300s, want 404", tt.method, tt.path, r.status, r.text)
			}
		}
		tn.must(200, "PATCH", "/Groups/"+mine, patch("add", "members", memberList(user)))
		tn.expectMembers(mine)
		if r := tn.must(200, "GET", "/Users"+filtered(`id eq "`+user+`"`), ""); r.at("totalResults") != 0.0 {
			t.Errorf("a filter found another organization's user: %s", r.text)
		}
		if after := other.must(200, "GET", "/Groups/"+group, "").text; after != before {
			t.Errorf("the other organization's group changed:\n%s\n%s", before, after)
		}
		if r := other.must(200, "GET", "/Users", ""); r.at("totalResults") != 1.0 || r.at("Resources", 0, "groups") != nil {
			t.Errorf("the other organization's users changed: %s", r.text)
		}
	})
}

func TestMethodsAndEndpoints(t *testing.T) {
	tn := newService(t, "").newTenant()
	user, group := tn.user("a"), tn.newGroup("g")
	for _, tt := range []struct{ method, path, allow string }{
		{"DELETE", "/Users", "GET, HEAD, POST"},
		{"PUT", "/Users", "GET, HEAD, POST"},
		{"POST", "/Users/" + user, "DELETE, GET, HEAD, PATCH, PUT"},
		{"PATCH", "/Groups", "GET, HEAD, POST"},
		{"POST", "/Groups/" + group, "DELETE, GET, HEAD, PATCH, PUT"},
		{"OPTIONS", "/Users", "GET, HEAD, POST"},
		{"TRACE", "/Users", "GET, HEAD, POST"},
		{"POST", "/ServiceProviderConfig", "GET, HEAD"},
		{"POST", "/Schemas", "GET, HEAD"},
		{"DELETE", "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User", "GET, HEAD"},
		{"POST", "/ResourceTypes", "GET, HEAD"},
		{"PUT", "/ResourceTypes/User", "GET, HEAD"},
		{"GET", "/.search", "POST"},
		{"GET", "/Users/.search", "POST"},
	} {
		r := tn.fails(405, "", tt.method, tt.method, tt.path, "")
		if got := r.header.Get("Allow"); got != tt.allow {
			t.Errorf("%s %s: Allow %q, want %q", tt.method, tt.path, got, tt.allow)
		}
	}
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		tn.fails(501, "", "not supported", method, "/Me", "")
	}
	for _, path := range []string{"", "/", "/Widgets", "/users", "/Users/", "/Users/x/y", "/v2/Users"} {
		tn.fails(404, "", "there is no", "GET", path, "")
	}
	r := tn.do("HEAD", "/Users/"+user, "")
	if r.status != 200 || r.text != "" || r.header.Get("ETag") != `W/"1"` {
		t.Errorf("HEAD = %d %q %v", r.status, r.text, r.header)
	}
}

func TestDiscovery(t *testing.T) {
	tn := newService(t, "").newTenant()
	provider := tn.must(200, "GET", "/ServiceProviderConfig", "")
	on, off := map[string]any{"supported": true}, map[string]any{"supported": false}
	want := map[string]any{
		"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"},
		"patch":   map[string]any{"supported": true},
		"bulk":    map[string]any{"supported": true, "maxOperations": 5000.0, "maxPayloadSize": float64(1 << 20)},
		"filter":  map[string]any{"supported": true, "maxResults": 1000.0}, "changePassword": off, "sort": on, "etag": on,
		"pagination": map[string]any{"cursor": true, "index": true, "defaultPaginationMethod": "index", "defaultPageSize": 100.0, "maxPageSize": 1000.0},
		"authenticationSchemes": []any{
			map[string]any{"type": "oauthbearertoken", "name": "OAuth Bearer Token", "primary": true,
				"description": "The token of the connection, in the Authorization header.", "specUri": "https://www.rfc-editor.org/info/rfc6750"},
			map[string]any{"type": "oauth2", "name": "OAuth 2.0 Client Credentials", "primary": false,
				"description": "A token from oauth/token of the connection, for a client id and secret, in the Authorization header.",
				"specUri":     "https://www.rfc-editor.org/info/rfc6749"},
		},
		"meta": map[string]any{"resourceType": "ServiceProviderConfig", "location": tn.base + "/ServiceProviderConfig"},
	}
	if diff := cmp.Diff(want, provider.body); diff != "" {
		t.Errorf("ServiceProviderConfig (-want +got):\n%s", diff)
	}
	for path, count := range map[string]int{"/ResourceTypes": 2, "/Schemas": 3} {
		list := tn.must(200, "GET", path, "")
		if list.at("totalResults") != float64(count) || list.len("Resources") != count {
			t.Errorf("%s lists %s", path, list.text)
		}
		for i := range list.len("Resources") {
			single := tn.must(200, "GET", list.string("Resources", i, "meta", "location"), "")
			if diff := cmp.Diff(list.at("Resources", i), any(single.body)); diff != "" {
				t.Errorf("%s: the listed and the single document differ:\n%s", path, diff)
			}
			if strings.Contains(single.text, `:""`) || strings.Contains(single.text, "null") {
				t.Errorf("%s: something is empty in %s", path, single.text)
			}
		}
	}
	user := tn.must(200, "GET", "/ResourceTypes/User", "")
	if user.string("endpoint") != "/Users" || user.string("schemaExtensions", 0, "schema") != "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User" {
		t.Errorf("ResourceTypes/User = %s", user.text)
	}
	tn.must(200, "GET", "/Schemas/urn%3Aietf%3Aparams%3Ascim%3Aschemas%3Acore%3A2.0%3AUser", "")
	tn.must(200, "GET", "/Schemas/URN:ietf:params:scim:schemas:core:2.0:group", "")
	for _, path := range []string{"/ResourceTypes/Nope", "/Schemas/urn:nope", "/Schemas/"} {
		tn.fails(404, "", "", "GET", path, "")
	}
	for _, path := range []string{"/ServiceProviderConfig", "/ResourceTypes", "/ResourceTypes/User", "/Schemas", "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User"} {
		tn.fails(403, "", "filter", "GET", path+filtered(`attributes eq "x"`), "")
	}
}

func TestBodies(t *testing.T) {
	tn := newService(t, "").newTenant() // the limit is 1 MiB
	user := "/Users/" + tn.user("a")
	for _, tt := range []struct {
		name, method, path, body string
		status                   int
		scimType, detail         string
	}{
		{"cut short", "POST", "/Users", `{"schemas":[`, 400, "invalidSyntax", "ends too early"},
		{"empty", "POST", "/Users", ``, 400, "invalidSyntax", "ends too early"},
		{"a list", "POST", "/Users", `[]`, 400, "invalidSyntax", "must be an object"},
		{"a key twice", "POST", "/Users", `{"userName":"x","userName":"y"}`, 400, "invalidSyntax", `"userName" appears twice`},
		{"trailing garbage", "POST", "/Users", `{"userName":"x"}}`, 400, "invalidSyntax", "after the JSON value"},
		{"too deep", "POST", "/Users", strings.Repeat(`{"a":`, 65) + `1` + strings.Repeat(`}`, 65), 400, "invalidSyntax", "deeper than 64"},
		{"no userName", "POST", "/Users", `{}`, 400, "invalidValue", "userName"},
		{"no displayName", "POST", "/Groups", `{}`, 400, "invalidValue", "displayName"},
		{"U+0000", "POST", "/Users", `{"userName":"a\u0000b"}`, 400, "invalidSyntax", "U+0000"},
		{"no operations", "PATCH", user, `{"schemas":[]}`, 400, "invalidSyntax", "Operations"},
		{"an unknown op", "PATCH", user, patch("move", "active", "false"), 400, "invalidSyntax", `"move"`},
		{"a malformed path", "PATCH", user, patch("replace", "x[", "1"), 400, "invalidPath", `"x["`},
		{"too large", "POST", "/Users", `{"userName":"` + strings.Repeat("x", 1<<20) + `"}`, 413, "", "larger than 1048576 bytes"},
		{"too large for PATCH", "PATCH", user, `{"Operations":[` + strings.Repeat(" ", 1<<20) + `]}`, 413, "", "larger than"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tn.fails(tt.status, tt.scimType, tt.detail, tt.method, tt.path, tt.body)
		})
	}
	// Half of a PATCH that fails is not done.
	tn.fails(400, "invalidPath", "", "PATCH", user, `{"Operations":[{"op":"replace","path":"title","value":"after"},{"op":"replace","path":"x[","value":"x"}]}`)
	tn.fails(400, "invalidValue", "", "PATCH", user, `{"Operations":[{"op":"replace","path":"title","value":"after"},{"op":"replace","path":"active","value":"x"}]}`)
	if r := tn.must(200, "GET", user, ""); r.at("title") != nil || r.string("meta", "version") != `W/"1"` {
		t.Errorf("half a PATCH was done: %s", r.text)
	}
	tn.must(201, "POST", "/Users", `{"userName":"without a type"}`, "Content-Type", "")
	tn.must(201, "POST", "/Users", `{"userName":"with json"}`, "Content-Type", "application/json; charset=utf-8")
}

// A chunked body has no length to refuse it by.
func TestChunkedBodies(t *testing.T) {
	tn := newService(t, "").newTenant()
	send := func(chunks ...string) string {
		conn, err := net.Dial("tcp", strings.TrimPrefix(tn.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST %s/Users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nTransfer-Encoding: chunked\r\n\r\n", strings.TrimPrefix(tn.base, tn.url), tn.token)
		for _, chunk := range chunks {
			fmt.Fprintf(conn, "%x\r\n%s\r\n", len(chunk), chunk)
		}
		fmt.Fprint(conn, "0\r\n\r\n")
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		return answer.Status
	}
	if got := send(`{"user`, `Name":"chunked"}`); got != "201 Created" {
		t.Errorf("two chunks: %s", got)
	}
	many := make([]string, 33)
	for i := range many {
		many[i] = strings.Repeat(" ", 1<<15)
	}
	if got := send(many...); got != "413 Request Entity Too Large" {
		t.Errorf("a chunked body above the limit: %s", got)
	}
}

func TestBaseURL(t *testing.T) {
	s := newService(t, "")
	tn := s.newTenant()
	s.handler.BaseURL = "https://roles.example.com/"
	r := tn.must(201, "POST", "/Users", `{"userName":"a"}`)
	want := "https://roles.example.com/scim/v2/" + string(tn.connection) + "/Users/" + r.string("id")
	if r.string("meta", "location") != want || r.header.Get("Location") != want {
		t.Errorf("location %q, want %q", r.string("meta", "location"), want)
	}
}

// With the database away, a request is refused in SCIM form and may be repeated; what
// it would have changed is not changed.
func TestDatabaseAway(t *testing.T) {
	server := testserver.Postgres(t)
	tn := newService(t, server.URL()).newTenant()
	user := tn.user("a")
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	for _, r := range []response{
		tn.fails(503, "", "", "GET", "/Users/"+user, ""),
		tn.fails(503, "", "", "POST", "/Users", `{"userName":"b"}`),
		tn.fails(503, "", "", "PATCH", "/Users/"+user, patch("replace", "active", "false")),
		tn.fails(503, "", "", "GET", "/Users", "", "Authorization", "Bearer wrong"),
	} {
		if r.header.Get("Retry-After") != "1" || strings.Contains(r.text, "127.0.0.1") {
			t.Errorf("with the database away: %v %s", r.header, r.text)
		}
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	if r := tn.must(200, "GET", "/Users", ""); r.at("totalResults") != 1.0 || r.at("Resources", 0, "active") != true {
		t.Errorf("a refused change was made: %s", r.text)
	}
}

// A caller that goes away is nobody's failure.
func TestCancelledRequest(t *testing.T) {
	s := newService(t, "")
	tn := s.newTenant()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	request, err := http.NewRequestWithContext(ctx, "GET", tn.base+"/Users", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := http.DefaultTransport.RoundTrip(request); err == nil {
		t.Fatal("a cancelled request was answered")
	}
	tn.must(200, "GET", "/Users", "")
}
