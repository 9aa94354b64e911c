package adminapi_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
)

func TestOrganizations(t *testing.T) {
	s := start(t)
	created := s.do("POST", "/organizations", object{"name": "  Acme "}).want(http.StatusCreated)
	acme := into[named](created)
	if acme.Name != "Acme" || !strings.HasPrefix(acme.ID, "org_") || time.Since(acme.CreatedAt) > time.Minute {
		t.Errorf("created %+v", acme)
	}
	if got := created.Header.Get("Location"); got != "/api/v1/organizations/"+acme.ID {
		t.Errorf("Location = %q", got)
	}
	if got := created.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control = %q", got)
	}
	if diff := cmp.Diff(acme, into[named](s.do("GET", "/organizations/"+acme.ID, nil).want(200))); diff != "" {
		t.Errorf("get (-created +got):\n%s", diff)
	}

	names := []string{"Acme", "Beta", "Gamma", "Delta", "Epsilon"}
	for _, name := range names[1:] {
		s.organization(name)
	}
	var got []string
	for query := "?limit=2"; ; {
		page := into[listed[named]](s.do("GET", "/organizations"+query, nil).want(200))
		if len(page.Items) > 2 {
			t.Fatalf("a page of %d", len(page.Items))
		}
		for _, o := range page.Items {
			got = append(got, o.Name)
		}
		if page.Next == "" {
			break
		}
		query = "?limit=2&after=" + page.Next
	}
	if diff := cmp.Diff(names, got); diff != "" {
		t.Errorf("page by page (-want +got):\n%s", diff)
	}

	for situation, name := range map[string]string{
		"blank": " \t", "too long": strings.Repeat("ä", 201), "a line end": "A\nB", "a NUL": "A\x00B",
	} {
		p := s.do("POST", "/organizations", object{"name": name}).problem(http.StatusBadRequest)
		if !strings.HasPrefix(p.Detail, "name ") {
			t.Errorf("%s: %s", situation, p.Detail)
		}
	}
	s.do("GET", "/organizations/org_nonsense", nil).problem(http.StatusNotFound).said(t, "org_nonsense")
	s.do("GET", "/organizations/"+string(directory.NewOrganizationID()), nil).problem(http.StatusNotFound)
	s.do("GET", "/organizations?after=org_nonsense", nil).problem(http.StatusBadRequest).said(t, "after", "org_nonsense")
}

func TestTokenIsShownOnceAndNeverAgain(t *testing.T) {
	s := start(t)
	org := s.organization("Acme")
	path := "/organizations/" + org + "/connections"
	c := s.connection(org, "Okta")
	if !strings.HasPrefix(c.Token, credential.SCIMToken) || c.SCIMURL != "https://sync.example.com/scim/v2/"+c.ID {
		t.Errorf("created %+v", c)
	}
	if len(c.Tokens) != 1 || !strings.HasSuffix(c.Token, c.Tokens[0].LastFour) || len(c.Tokens[0].LastFour) != 4 {
		t.Errorf("what is told of the token: %+v", c.Tokens)
	}
	rotated := into[named](s.do("POST", path+"/"+c.ID+"/tokens", nil).want(http.StatusCreated))
	key := into[named](s.do("POST", "/admin-keys", object{"name": "ci"}).want(http.StatusCreated)).Key
	stored, err := s.store.Connection(context.Background(), directory.ConnectionID(c.ID))
	check(t, err)
	if now := directory.Now(); !stored.Tokens[0].Matches(c.Token, now) || !stored.Tokens[1].Matches(rotated.Token, now) {
		t.Error("the tokens shown are not those that are stored")
	}

	for _, at := range []string{path, path + "/" + c.ID, path + "/" + c.ID + "/tokens", "/organizations/" + org + "/audit", "/audit", "/admin-keys"} {
		body := string(s.do("GET", at, nil).want(200).Body)
		for _, secret := range []string{c.Token, rotated.Token, key} {
			if strings.Contains(body, secret) {
				t.Errorf("GET %s shows a secret:\n%s", at, body)
			}
		}
	}
	if log := s.log.String(); strings.Contains(log, c.Token) || strings.Contains(log, key) {
		t.Error("a secret is in the log")
	}
}

func TestRotationKeepsTwoTokens(t *testing.T) {
	s := start(t)
	org := s.organization("Acme")
	c := s.connection(org, "Okta")
	path := "/organizations/" + org + "/connections/" + c.ID + "/tokens"
	end := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	second := into[named](s.do("POST", path, object{"expires_at": end}).want(http.StatusCreated))
	third := into[named](s.do("POST", path, nil).want(http.StatusCreated))
	if !s.forgot(c.ID) {
		t.Error("whoever holds the tokens in memory was not told")
	}
	list := into[listed[named]](s.do("GET", path, nil).want(200)).Items
	if len(list) != 2 || list[0].ID != second.ID || list[1].ID != third.ID || !list[0].ExpiresAt.Equal(end) || !list[1].ExpiresAt.IsZero() {
		t.Errorf("tokens = %+v, want the second, which expires, and the third", list)
	}
	stored, err := s.store.Connection(context.Background(), directory.ConnectionID(c.ID))
	check(t, err)
	for _, live := range stored.Tokens {
		if live.Matches(c.Token, directory.Now()) {
			t.Error("the first token still works")
		}
	}

	s.do("DELETE", path+"/"+second.ID, nil).want(http.StatusNoContent)
	s.do("DELETE", path+"/"+second.ID, nil).problem(http.StatusNotFound).said(t, second.ID)
	s.do("DELETE", path+"/"+third.ID, nil).want(http.StatusNoContent)
	if list := into[listed[named]](s.do("GET", path, nil).want(200)).Items; len(list) != 0 {
		t.Errorf("tokens = %+v, want none", list)
	}
	s.do("POST", path, object{"expires_at": "2001-01-01T00:00:00Z"}).problem(http.StatusBadRequest).said(t, "expires_at", "2001-01-01")
	s.do("POST", path, object{"expires_at": "soon"}).problem(http.StatusBadRequest).said(t, "expires_at", "soon")
}

func TestConnections(t *testing.T) {
	s := start(t)
	org := s.organization("Acme")
	path := "/organizations/" + org + "/connections"
	okta, entra := s.connection(org, "Okta"), s.connection(org, "Entra")
	list := into[listed[named]](s.do("GET", path, nil).want(200)).Items
	if len(list) != 2 || list[0].Name != "Okta" || list[1].Name != "Entra" || list[1].SCIMURL != entra.SCIMURL {
		t.Errorf("connections = %+v", list)
	}
	s.do("POST", path, object{"name": "ADFS", "kind": "saml", "strict": true}).problem(http.StatusBadRequest).said(t, "strict", "SCIM")
	s.do("POST", path, object{"name": "Okta", "saml": object{}}).problem(http.StatusBadRequest).said(t, "kind", "saml")
	s.do("POST", path, object{"name": "LDAP", "kind": "ldap"}).problem(http.StatusBadRequest).said(t, "ldap")
	s.do("POST", path, object{"name": ""}).problem(http.StatusBadRequest)
	if n := len(into[listed[named]](s.do("GET", path, nil)).Items); n != 2 {
		t.Errorf("a refused connection was made: %d", n)
	}

	for range 2 { // twice is once
		if c := into[named](s.do("POST", path+"/"+okta.ID+"/disable", nil).want(200)); !c.Disabled {
			t.Errorf("disabled: %+v", c)
		}
	}
	if !s.forgot(okta.ID) {
		t.Error("whoever holds the connection in memory was not told")
	}
	if c := into[named](s.do("GET", path+"/"+okta.ID, nil).want(200)); !c.Disabled || len(c.Tokens) != 1 {
		t.Errorf("frozen, not wiped: %+v", c)
	}
	if c := into[named](s.do("POST", path+"/"+okta.ID+"/enable", nil).want(200)); c.Disabled {
		t.Errorf("enabled: %+v", c)
	}
}

func TestConnectionSettings(t *testing.T) {
	s := start(t)
	org := s.organization("Acme")
	path := "/organizations/" + org + "/connections"
	type settings struct {
		ID, Name  string
		Strict    bool
		RateLimit int `json:"rate_limit"`
		RateBurst int `json:"rate_burst"`
	}
	plain := into[settings](s.do("POST", path, object{"name": "Entra"}).want(201))
	if diff := cmp.Diff(settings{ID: plain.ID, Name: "Entra"}, plain); diff != "" {
		t.Errorf("created without settings (-want +got):\n%s", diff)
	}
	want := into[settings](s.do("POST", path, object{"name": "Okta", "strict": true, "rate_limit": 10, "rate_burst": 20}).want(201))
	if diff := cmp.Diff(settings{want.ID, "Okta", true, 10, 20}, want); diff != "" {
		t.Errorf("created with settings (-want +got):\n%s", diff)
	}
	path += "/" + want.ID
	for _, step := range []struct {
		change object
		then   func()
	}{
		{object{}, func() {}},
		{object{"name": " Okta EU "}, func() { want.Name = "Okta EU" }},
		{object{"strict": false}, func() { want.Strict = false }},
		{object{"rate_limit": 10_000}, func() { want.RateLimit = 10_000 }},
		{object{"rate_limit": 0, "rate_burst": 100_000, "strict": true}, func() { want.RateLimit, want.RateBurst, want.Strict = 0, 100_000, true }},
	} {
		step.then()
		for name, got := range map[string]answer{"PATCH": s.do("PATCH", path, step.change), "GET": s.do("GET", path, nil)} {
			if diff := cmp.Diff(want, into[settings](got.want(200))); diff != "" {
				t.Errorf("%s after %v (-want +got):\n%s", name, step.change, diff)
			}
		}
	}
	if !s.forgot(want.ID) {
		t.Error("whoever holds the connection in memory was not told")
	}
	for _, refused := range []struct {
		change object
		names  []string
	}{
		{object{"name": " "}, []string{"name", "blank"}},
		{object{"strict": "yes"}, []string{"strict", "yes"}},
		{object{"rate_limit": -1}, []string{"rate_limit", "-1"}},
		{object{"rate_limit": 10_001}, []string{"rate_limit", "10001"}},
		{object{"rate_limit": 0.5}, []string{"rate_limit", "0.5"}},
		{object{"rate_burst": 100_001}, []string{"rate_burst", "100001"}},
		{object{"disabled": true}, []string{"disabled"}},
		{object{"name": "half", "rate_burst": -1}, []string{"rate_burst"}},
	} {
		s.do("PATCH", path, refused.change).problem(http.StatusBadRequest).said(t, refused.names...)
	}
	s.do("POST", "/organizations/"+org+"/connections", object{"name": "x", "rate_limit": -1}).problem(http.StatusBadRequest).said(t, "rate_limit", "-1")
	if diff := cmp.Diff(want, into[settings](s.do("GET", path, nil).want(200))); diff != "" {
		t.Errorf("after what was refused (-want +got):\n%s", diff)
	}
}

func TestAnotherOrganizationsIDsDoNotExist(t *testing.T) {
	s := start(t)
	s.roles()
	acme, other := s.organization("Acme"), s.organization("Other")
	mine, theirs := s.connection(acme, "Okta"), s.connection(other, "Entra")
	facts := s.facts(other, theirs.ID)
	anna := facts.user("anna@other.com", true)
	group := facts.group("Engineering", string(anna), "somebody@other.com")

	client := into[createdClient](s.do("POST", "/organizations/"+other+"/connections/"+theirs.ID+"/clients", nil).want(201))

	base := "/organizations/" + acme
	for _, call := range [][2]string{
		{"GET", "/connections/" + theirs.ID},
		{"POST", "/connections/" + theirs.ID + "/disable"},
		{"PATCH", "/connections/" + theirs.ID},
		{"POST", "/connections/" + theirs.ID + "/enable"},
		{"GET", "/connections/" + theirs.ID + "/tokens"},
		{"POST", "/connections/" + theirs.ID + "/tokens"},
		{"DELETE", "/connections/" + theirs.ID + "/tokens/" + theirs.Tokens[0].ID},
		{"DELETE", "/connections/" + mine.ID + "/tokens/" + theirs.Tokens[0].ID},
		{"GET", "/connections/" + theirs.ID + "/clients"},
		{"POST", "/connections/" + theirs.ID + "/clients"},
		{"DELETE", "/connections/" + theirs.ID + "/clients/" + client.ID},
		{"DELETE", "/connections/" + mine.ID + "/clients/" + client.ID},
		{"GET", "/connections/" + theirs.ID + "/pending"},
		{"GET", "/users/" + string(anna)},
		{"GET", "/users/anna@other.com"},
		{"GET", "/users/" + string(anna) + "/assignment"},
		{"GET", "/users/anna%40other.com/assignment"},
	} {
		body := any(nil)
		if call[0] == "PATCH" {
			body = object{"name": "Mine"}
		}
		s.do(call[0], base+call[1], body).problem(http.StatusNotFound)
	}
	for _, list := range []string{"/users", "/users?q=" + string(anna), "/groups", "/audit?target=" + string(anna), "/audit?target=" + string(group)} {
		if got := into[listed[object]](s.do("GET", base+list, nil).want(200)); len(got.Items) != 0 {
			t.Errorf("GET %s = %v, want nothing", list, got.Items)
		}
	}
	if c := into[named](s.do("GET", "/organizations/"+other+"/connections/"+theirs.ID, nil).want(200)); c.Disabled || len(c.Tokens) != 1 {
		t.Errorf("the other organization's connection was changed: %+v", c)
	}

	// An organization that does not exist has no empty lists either.
	s.operations(func(method, path string) {
		if strings.HasPrefix(path, "/organizations/") {
			body := any(nil)
			switch {
			case strings.HasSuffix(path, "/saml"):
				body = object{"clock_skew": 1}
			case strings.HasSuffix(path, "/group-authority"):
				body = object{"set": "union"}
			case strings.HasSuffix(path, "/saml/keys"):
				body = object{"use": "signing"}
			case method == "PATCH":
				body = object{"name": "Okta"}
			case method == "PUT" && strings.Contains(path, "/schemas/"):
				body = object{"resource_type": "User", "name": "Employee", "attributes": []object{{"name": "costCode"}}}
			case method == "PUT":
				body = object{"version": 0, "rules": []any{}}
			case strings.HasSuffix(path, "/connections") && method == "POST":
				body = object{"name": "Okta"}
			}
			s.do(method, path, body).problem(http.StatusNotFound)
		}
	})
}

func TestPendingMembers(t *testing.T) {
	s := start(t)
	org := s.organization("Acme")
	c := s.connection(org, "Okta")
	facts := s.facts(org, c.ID)
	group := facts.group("Engineering", "zoë@acme.com", "a\nb", "00u1")
	type pending struct {
		Group, GroupName, Value string
		Since                   time.Time
	}
	var got []string
	path := "/organizations/" + org + "/connections/" + c.ID + "/pending?limit=1"
	for next := ""; ; {
		page := into[listed[pending]](s.do("GET", path+next, nil).want(200))
		for _, p := range page.Items {
			got = append(got, p.Value)
			if p.Group != string(group) || p.Since.IsZero() {
				t.Errorf("pending %+v", p)
			}
		}
		if page.Next == "" {
			break
		}
		next = "&after=" + page.Next
	}
	if diff := cmp.Diff([]string{"00u1", "a\nb", "zoë@acme.com"}, got); diff != "" {
		t.Errorf("pending, one by one (-want +got):\n%s", diff)
	}
	s.do("GET", path+"&after=nonsense!", nil).problem(http.StatusBadRequest).said(t, "after")
}
