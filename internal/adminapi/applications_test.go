package adminapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
)

type application struct {
	ID           string   `json:"client_id"`
	Secret       string   `json:"client_secret"`
	Name         string   `json:"name"`
	RedirectURIs []string `json:"redirect_uris"`
	Secrets      []named  `json:"secrets"`
}

func (s *service) application(uris ...string) application {
	s.tb.Helper()
	return into[application](s.do("POST", "/applications", object{"name": "Billing", "redirect_uris": uris}).want(http.StatusCreated))
}

func TestApplications(t *testing.T) {
	s := start(t)
	a := s.application("https://app.example.com/cb", "http://localhost:3000/cb?x=1", "http://127.0.0.1/", "http://[::1]:8/", "https://[2606:4700::1]/x")
	b := s.application("https://other.example.com/")
	if !strings.HasPrefix(a.ID, "cli_") || !strings.HasPrefix(a.Secret, credential.ApplicationSecret) || len(a.Secrets) != 1 || len(a.RedirectURIs) != 5 {
		t.Errorf("created %+v", a)
	}
	path := "/applications/" + a.ID
	second := into[application](s.do("POST", path+"/secrets", object{"expires_at": time.Now().Add(time.Hour)}).want(http.StatusCreated))
	third := into[application](s.do("POST", path+"/secrets", nil).want(http.StatusCreated))
	stored, err := s.store.Application(t.Context(), a.ID)
	check(t, err)
	for secret, want := range map[string]int{a.Secret: 0, second.Secret: 1, third.Secret: 1} {
		n := 0
		for _, live := range stored.Secrets {
			if live.Matches(secret, directory.Now()) {
				n++
			}
		}
		if n != want || len(stored.Secrets) != 2 {
			t.Errorf("a secret matches %d of %d, want %d of 2", n, len(stored.Secrets), want)
		}
	}

	changed := into[application](s.do("PATCH", path, object{"redirect_uris": []string{"https://new.example.com/cb"}}).want(200))
	if changed.Name != "Billing" || changed.RedirectURIs[0] != "https://new.example.com/cb" || len(changed.RedirectURIs) != 1 {
		t.Errorf("changed %+v", changed)
	}
	if changed = into[application](s.do("PATCH", path, object{"name": " New "}).want(200)); changed.Name != "New" || len(changed.RedirectURIs) != 1 {
		t.Errorf("renamed %+v", changed)
	}
	if got := into[application](s.do("GET", path, nil).want(200)); cmp.Diff(changed, got) != "" {
		t.Errorf("get %+v, want %+v", got, changed)
	}
	list := into[listed[application]](s.do("GET", "/applications", nil).want(200)).Items
	if len(list) != 2 || list[0].ID != a.ID || list[1].ID != b.ID {
		t.Errorf("list: %+v", list)
	}
	s.do("DELETE", path+"/secrets/"+list[1].Secrets[0].ID, nil).problem(http.StatusNotFound) // of the other
	s.do("DELETE", path+"/secrets/"+list[0].Secrets[0].ID, nil).want(http.StatusNoContent)
	s.do("DELETE", path+"/secrets/"+list[0].Secrets[0].ID, nil).problem(http.StatusNotFound)

	org := s.organization("Acme")
	c, connection := s.saml(org, object{"idp_initiated": true, "application": a.ID})
	s.do("DELETE", path, nil).problem(http.StatusConflict).said(t, a.ID, c.ID)
	s.do("PATCH", connection+"/saml", object{"application": b.ID}).want(200)
	s.do("DELETE", path, nil).want(http.StatusNoContent)
	for _, call := range [][2]string{{"GET", ""}, {"PATCH", ""}, {"DELETE", ""}, {"POST", "/secrets"}, {"DELETE", "/secrets/key_1"}} {
		var body any
		if call[0] == "PATCH" {
			body = object{"name": "x"}
		}
		s.do(call[0], path+call[1], body).problem(http.StatusNotFound).said(t, a.ID)
	}
	everything := s.log.String() + string(s.do("GET", "/audit", nil).Body) + string(s.do("GET", "/applications", nil).Body)
	for _, secret := range []string{a.Secret, second.Secret, third.Secret, b.Secret} {
		if strings.Contains(everything, secret) {
			t.Error("a secret is shown again")
		}
	}
	for _, action := range []string{"application.created", "application.changed", "application.secret_created", "application.secret_deleted", "application.deleted"} {
		if !strings.Contains(everything, action) {
			t.Errorf("%s is not in the audit", action)
		}
	}
}

func TestRedirectURIs(t *testing.T) {
	s := start(t)
	many := make([]string, 21)
	for i := range many {
		many[i] = fmt.Sprintf("https://app.example.com/%d", i)
	}
	for situation, uris := range map[string][]string{
		"none": {}, "too many": many, "twice": {"https://a.example/", "https://a.example/"}, "http": {"http://app.example.com/cb"},
		"http on a name like it": {"http://localhost.example.com/"}, "http on an address of the network": {"http://192.168.0.1/"}, "a fragment": {"https://a.example/#x"}, "an empty fragment": {"https://a.example/#"},
		"a user": {"https://user:secret@a.example/"}, "relative": {"/cb"}, "no scheme": {"a.example/cb"}, "a scheme of its own": {"com.example.app:/cb"}, "no host": {"https:///cb"},
		"a script": {"javascript:alert(1)"}, "a wildcard": {"https://*.example.com/"}, "a backslash": {`https://a.example\@evil.example/`}, "a space": {"https://a.example/ x"},
		"a line end": {"https://a.example/\r\nx"}, "not ASCII": {"https://a.example/ü"}, "too long": {"https://a.example/" + strings.Repeat("x", 2000)}, "empty": {""}, "a quote": {`https://a.example/"`},
	} {
		got := s.do("POST", "/applications", object{"name": "x", "redirect_uris": uris})
		if p := got.problem(http.StatusBadRequest); !strings.Contains(p.Detail, "redirect_uris") || strings.Contains(p.Detail, "secret") {
			t.Errorf("%s: %s", situation, p.Detail)
		}
	}
	s.do("POST", "/applications", object{"name": " ", "redirect_uris": []string{"https://a.example/"}}).problem(http.StatusBadRequest).said(t, "name")
	s.do("POST", "/applications", object{"name": "x"}).problem(http.StatusBadRequest)
	if list := into[listed[application]](s.do("GET", "/applications", nil)).Items; len(list) != 0 {
		t.Errorf("a refused application was made: %+v", list)
	}
}
