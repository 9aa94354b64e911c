package app

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// A router that cleans paths turns "/a/../b" into /b: with the token of one customer
// in hand, that is a request to another one.
func TestPathTricksReachNobodyElse(t *testing.T) {
	r := start(t, settings(t))
	mine, a, token := r.connection(t, "Globex")
	theirs, b, otherToken := r.connection(t, "Initech")
	if status, body := r.ask(t, "POST", b+"/Users", otherToken, user("bill@initech.example")); status != 201 {
		t.Fatalf("create user: %d %s", status, body)
	}
	if status, body := r.ask(t, "GET", b+"/Users", otherToken, ""); status != 200 || !strings.Contains(body, "bill@") {
		t.Fatalf("their own request: %d %s", status, body)
	}
	other := strings.TrimPrefix(b, "/scim/v2/")
	for _, path := range []string{
		a + "/../" + other + "/Users",
		a + "/..%2f" + other + "/Users",
		a + "/..%2F" + other + "/Users",
		a + "/%2e%2e/" + other + "/Users",
		a + "/%2e%2e%2f" + other + "/Users",
		a + "/.%2e/" + other + "/Users",
		a + "/..%252f" + other + "/Users",
		a + "/..;/" + other + "/Users",
		a + "/..\\" + other + "/Users",
		a + "/..%5c" + other + "/Users",
		a + "/./../" + other + "/Users",
		a + "//../../" + other + "/Users",
		a + "/Users/../../" + other + "/Users",
		a + "%2f..%2f" + other + "/Users",
		a + "%00/../" + other + "/Users",
		a + ";" + other + "/Users",
		a + "," + other + "/Users",
		"//scim//v2//" + other + "//Users",
		"/scim/v2//" + other + "/Users",
		"/scim/v2/./" + other + "/Users",
		"/scim/v2/x/../" + other + "/Users",
		"/%73cim/v2/" + other + "/Users",
		"/scim%2fv2/" + other + "/Users",
		b + "/Users", b + "/Users/", b, b + "/",
		a + "/Users/..%2f..%2f" + other + "%2fUsers",
		"/api/v1/../../scim/v2/" + other + "/Users",
		"/api/v1/organizations/" + string(mine) + "/../" + string(theirs) + "/users",
		"/api/v1/organizations/" + string(mine) + "%2f..%2f" + string(theirs) + "/users",
		"/api/v1//organizations",
		"/api/v1/organizations/",
		"/healthz/../api/v1/organizations",
		"/healthz/", "//healthz", "/./healthz", "/",
	} {
		for _, method := range []string{"GET", "POST"} {
			answer, body := raw(t, r, method, path, token)
			if answer.StatusCode < 400 || answer.StatusCode >= 500 {
				t.Errorf("%s %s = %d, want a 4xx: %s", method, path, answer.StatusCode, body)
			}
			if location := answer.Header.Get("Location"); location != "" {
				t.Errorf("%s %s leads on to %s", method, path, location)
			}
			if strings.Contains(body, "bill") {
				t.Errorf("%s %s shows what belongs to another: %s", method, path, body)
			}
		}
	}
}

// raw sends a path as it is, which net/http's client would not.
func raw(t *testing.T, r *running, method, path, token string) (*http.Response, string) {
	t.Helper()
	address := strings.TrimPrefix(r.LocalURL(), "http://")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, err = fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}", method, path, address, token)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer, string(body)
}
