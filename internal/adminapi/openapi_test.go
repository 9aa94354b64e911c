package adminapi_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// document is the part of an OpenAPI document that the tests look at.
type document struct {
	OpenAPI string
	Paths   map[string]map[string]struct {
		OperationID string
		Summary     string
		Responses   map[string]any
	}
	Components struct {
		Schemas map[string]struct {
			Properties map[string]struct {
				Description string
				Type        any
			}
		}
	}
}

func TestOpenAPI(t *testing.T) {
	s := start(t)
	got := s.do("GET", "/openapi.json", nil, "Authorization", "").want(200)
	if contentType := got.Header.Get("Content-Type"); contentType != "application/openapi+json" {
		t.Errorf("Content-Type = %q", contentType)
	}
	var pretty bytes.Buffer
	check(t, json.Indent(&pretty, got.Body, "", "  "))
	pretty.WriteByte('\n')
	golden := filepath.Join("testdata", "openapi.json")
	if *update {
		check(t, os.MkdirAll("testdata", 0o755))
		check(t, os.WriteFile(golden, pretty.Bytes(), 0o644))
	}
	want, err := os.ReadFile(golden)
	check(t, err)
	if diff := cmp.Diff(string(want), pretty.String()); diff != "" {
		t.Errorf("the OpenAPI document has changed; read it, then run with -update (-want +got):\n%s", diff)
	}

	d := into[document](got)
	if !strings.HasPrefix(d.OpenAPI, "3.1") {
		t.Errorf("openapi = %q, want 3.1", d.OpenAPI)
	}
	for path, operations := range d.Paths {
		for method, op := range operations {
			if op.OperationID == "" || op.Summary == "" || op.Responses["401"] == nil || op.Responses["422"] != nil {
				t.Errorf("%s %s is incompletely described", method, path)
			}
		}
	}
	for name, schema := range d.Components.Schemas {
		for property, p := range schema.Properties {
			if p.Description == "" {
				t.Errorf("%s.%s has no description", name, property)
			}
		}
	}
}

func TestOpenAPIAsYAML(t *testing.T) {
	s := start(t)
	got := s.do("GET", "/openapi.yaml", nil, "Authorization", "").want(200)
	if !bytes.Contains(got.Body, []byte("openapi: 3.1.0\n")) || !bytes.Contains(got.Body, []byte("operationId: put-rules\n")) {
		t.Errorf("this is not the document:\n%.400s", got.Body)
	}
}

func TestDocsPageNeedsNothingFromElsewhere(t *testing.T) {
	s := start(t)
	got := s.do("GET", "/docs", nil, "Authorization", "").want(200)
	html := string(got.Body)
	for path, operations := range into[document](s.do("GET", "/openapi.json", nil)).Paths {
		for _, op := range operations {
			if !strings.Contains(html, `id="`+op.OperationID+`"`) || !strings.Contains(html, path) {
				t.Errorf("the page leaves out %s", op.OperationID)
			}
		}
	}
	if outside := regexp.MustCompile(`<script|<link|@import|url\(|(src|href)="https?:`).FindString(html); outside != "" {
		t.Errorf("the page has %q", outside)
	}
	if policy := got.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("Content-Security-Policy = %q", policy)
	}
	if strings.Contains(html, "ZgotmplZ") {
		t.Error("the template engine has censored something")
	}
}

// operations calls each with every operation of the document, with its path filled in
// with ids that have the right form but do not exist.
func (s *service) operations(each func(method, path string)) {
	s.tb.Helper()
	filled := strings.NewReplacer(
		"{organization}", "org_"+strings.Repeat("0", 26), "{connection}", "conn_"+strings.Repeat("0", 26),
		"{user}", "anna%40example.com", "{token}", "key_1", "{client}", "cli_1", "{key}", "key_1", "{application}", "cli_1", "{secret}", "key_1", "{test}", "test_1",
	)
	n := 0
	for path, operations := range into[document](s.do("GET", "/openapi.json", nil)).Paths {
		for method := range operations {
			each(strings.ToUpper(method), filled.Replace(path))
			n++
		}
	}
	if n < 25 {
		s.tb.Errorf("the document has %d operations only", n)
	}
}

func TestEveryOperationNeedsAKey(t *testing.T) {
	s := start(t)
	s.operations(func(method, path string) {
		for situation, header := range map[string]string{
			"no key":         "",
			"another scheme": "Basic " + s.key,
			"an unknown key": "Bearer rs_admin_unknown",
			"an empty key":   "Bearer ",
			"a key alone":    s.key,
		} {
			got := s.do(method, path, `{"not": "looked at"`, "Authorization", header)
			p := got.problem(http.StatusUnauthorized)
			if challenge := got.Header.Get("WWW-Authenticate"); !strings.HasPrefix(challenge, "Bearer") {
				t.Errorf("%s %s with %s: WWW-Authenticate %q", method, path, situation, challenge)
			}
			if strings.Contains(p.Detail, s.key) {
				t.Errorf("%s: the key is told: %s", situation, p.Detail)
			}
		}
	})
	if strings.Contains(s.log.String(), s.key) {
		t.Error("the key is in the log")
	}
}

func TestWhatIsNoOperation(t *testing.T) {
	s := start(t)
	s.do("GET", "/nothing", nil).problem(http.StatusNotFound)
	s.do("GET", "/organizations/", nil).problem(http.StatusNotFound)
	got := s.do("PATCH", "/roles/admin", nil)
	got.problem(http.StatusMethodNotAllowed).said(t, "PATCH")
	if diff := cmp.Diff([]string{"PUT", "DELETE"}, got.Header.Values("Allow")); diff != "" {
		t.Errorf("Allow (-want +got):\n%s", diff)
	}
}
