package adminapi_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestWrongBodies(t *testing.T) {
	s := start(t)
	for _, test := range []struct {
		situation, body string
		status          int
		said            string // by the detail
	}{
		{"nothing", "", 400, "body is required"},
		{"no JSON", "name=Acme", 400, "line 1, column 2"},
		{"cut off", `{"name": "Acme"`, 400, "unexpected end"},
		{"more behind it", `{"name": "Acme"} {}`, 400, "line 1, column 18"},
		{"an error on a later line", "{\n  \"name\": \"Acme\",\n}", 400, "line 3, column 1"},
		{"an unknown field", `{"name": "Acme", "nmae": "x"}`, 400, "nmae: unexpected property"},
		{"a missing field", `{}`, 400, "name"},
		{"another type", `{"name": ["Acme"]}`, 400, "name: expected string"},
		{"null", `{"name": null}`, 400, "name: expected string"},
		{"a list", `["Acme"]`, 400, "expected object"},
		{"a repeated key", `{"name": "Acme", "name": "Beta"}`, 400, `column 23: key "name" is repeated`},
		{"a repeated key in other case", `{"name": "Acme", "NAME": "Beta"}`, 400, `key "NAME" is repeated`},
		{"a repeated key in a list", `{"name": [{"a": 1}, {"a": 1, "b": [], "a": {}}]}`, 400, `key "a" is repeated`},
		{"bytes that are no UTF-8", "{\"name\": \"\xff\"}", 400, "UTF-8"},
		{"deep nesting", `{"name": ` + strings.Repeat("[", 20_000), 400, "nested deeper"},
		{"too much", `{"name": "` + strings.Repeat("x", 1<<20) + `"}`, http.StatusRequestEntityTooLarge, "1048576 bytes"},
	} {
		got := s.do("POST", "/organizations", test.body)
		p := got.problem(test.status)
		if !strings.Contains(p.Detail, test.said) {
			t.Errorf("%s: detail %q, want %q in it", test.situation, p.Detail, test.said)
		}
		if len(got.Body) > 1_000 {
			t.Errorf("%s: the answer has %d bytes; does it echo?", test.situation, len(got.Body))
		}
	}
	for _, contentType := range []string{"application/x-www-form-urlencoded", "text/plain; charset=utf-8", "a;b+c"} {
		s.do("POST", "/organizations", `{"name": "Acme"}`, "Content-Type", contentType).
			problem(http.StatusUnsupportedMediaType).said(t, contentType, "application/json")
	}
	s.do("POST", "/organizations", `{"name": "Acme"}`, "Content-Type", "application/json; charset=utf-8").want(201)
	s.do("POST", "/organizations", `{"name": "Acme"}`, "Content-Type", "").want(201)
	if n := len(into[listed[named]](s.do("GET", "/organizations", nil)).Items); n != 2 {
		t.Errorf("%d organizations, want 2: a refused one was created", n)
	}
}

func TestBodyOfExactlyTheLimit(t *testing.T) {
	s := start(t)
	body := `{"name": "Acme"}`
	body += strings.Repeat(" ", 1<<20-len(body))
	s.do("POST", "/organizations", body).want(201)
	s.do("POST", "/organizations", body+" ").problem(http.StatusRequestEntityTooLarge)
	org := s.organization("Beta")
	rules := `{"version": 0, "rules": []}`
	s.do("PUT", "/organizations/"+org+"/rules", rules+strings.Repeat(" ", 4<<20-len(rules))).want(200)
}

func TestSecretInAWrongPlaceIsNotEchoed(t *testing.T) {
	s := start(t)
	const secret = "hunter2-is-my-password"
	for _, body := range []string{
		`{"name": "x", "password": "` + secret + `"}`,
		`{"name": {"password": "` + secret + `"}}`,
		`{"password": "` + secret + `"}`,
		`{"name": "x" "password": "` + secret + `"}`,
	} {
		got := s.do("POST", "/admin-keys", body)
		got.problem(http.StatusBadRequest)
		if strings.Contains(string(got.Body), secret) {
			t.Errorf("%s is answered with\n%s", body, got.Body)
		}
	}
	if strings.Contains(s.log.String(), secret) {
		t.Error("it is in the log")
	}
}

func TestWrongQueries(t *testing.T) {
	s := start(t)
	org := s.organization("Acme")
	s.facts(org, s.connection(org, "Okta").ID).user("anna@acme.com", true)
	for query, said := range map[string]string{
		"?username=anna":           "username",
		"?user_name=":              "user_name",
		"?user_name":               "user_name",
		"?user_name=a&user_name=b": "2 times",
		"?user_name=%zz":           "malformed",
		"?user_name=a;q=b":         "malformed",
		"?limit=0":                 "limit",
		"?limit=1001":              "1001",
		"?limit=ten":               `"ten"`,
		"?after=nonsense":          "nonsense",
	} {
		s.do("GET", "/organizations/"+org+"/users"+query, nil).problem(http.StatusBadRequest).said(t, said)
	}
}

func TestPathsThatClimb(t *testing.T) {
	s := start(t)
	acme, other := s.organization("Acme"), s.organization("Other")
	for _, path := range []string{
		"/organizations/" + acme + "%2F..%2F" + other,
		"/organizations/..%2F..",
		"/organizations/" + acme + "/users/%2e%2e",
		"/organizations/" + acme + "/connections/..%2F..%2F" + other,
		"/organizations/" + acme + "/users/..%2f..%2f" + other + "%2frules",
	} {
		s.do("GET", path, nil).problem(http.StatusNotFound)
	}
}
