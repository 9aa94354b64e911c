package adminapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func rule(id string, group object, roles ...string) object {
	return object{"id": id, "when": object{"group": group}, "grant": object{"roles": roles}}
}

type role struct {
	Key, Name   string
	Rank        int
	Permissions []string
}

func TestRoles(t *testing.T) {
	s := start(t)
	s.roles()
	got := into[role](s.do("PUT", "/roles/billing", object{"name": "Billing", "rank": 40, "permissions": []string{"b:view", "a:view", "b:view"}}).want(200))
	want := role{"billing", "Billing", 40, []string{"a:view", "b:view"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("put (-want +got):\n%s", diff)
	}
	want.Name = "Billing and invoices"
	s.do("PUT", "/roles/billing", object{"key": "billing", "name": want.Name, "rank": 40, "permissions": want.Permissions}).want(200)
	list := into[listed[role]](s.do("GET", "/roles", nil).want(200)).Items
	var keys []string
	for _, r := range list {
		keys = append(keys, r.Key)
	}
	if diff := cmp.Diff([]string{"admin", "developer", "billing", "member"}, keys); diff != "" {
		t.Errorf("roles by rank (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, list[2]); diff != "" {
		t.Errorf("after the change (-want +got):\n%s", diff)
	}

	s.do("PUT", "/roles/support", object{"name": "Support", "rank": 90}).problem(http.StatusConflict).said(t, "90", `"admin"`)
	s.do("PUT", "/roles/support", object{"key": "other", "name": "Support", "rank": 30}).problem(http.StatusBadRequest).said(t, "other", "support")
	s.do("PUT", "/roles/Su%20pport", object{"name": "Support", "rank": 30}).problem(http.StatusBadRequest).said(t, "Su pport")
	p := s.do("PUT", "/roles/support", object{"name": "Support", "rank": -1, "permissions": []string{"a:b", "all", "*:*"}}).problem(http.StatusBadRequest)
	var paths []string
	for _, e := range p.Errors {
		paths = append(paths, e.Path)
	}
	if diff := cmp.Diff([]string{"rank", "permissions[0]", "permissions[2]"}, paths); diff != "" {
		// Permissions are sorted before they are checked: *:* a:b all.
		t.Errorf("paths of a wrong role (-want +got):\n%s\n%+v", diff, p)
	}
	s.do("DELETE", "/roles/nothing", nil).problem(http.StatusNotFound).said(t, "nothing")
	s.do("DELETE", "/roles/billing", nil).want(http.StatusNoContent)
}

func TestDeletingARoleInUseNamesTheRules(t *testing.T) {
	s := start(t)
	s.roles()
	acme, beta := s.organization("Acme"), s.organization("Beta")
	s.do("PUT", "/organizations/"+acme+"/rules", object{"version": 0, "rules": []object{rule("it-admins", object{"name": "IT"}, "admin")}}).want(200)
	s.do("PUT", "/organizations/"+beta+"/rules", object{"version": 0, "default_role": "admin", "rules": []object{}}).want(200)
	s.do("DELETE", "/roles/admin", nil).problem(http.StatusConflict).said(t, `"admin"`, `rule "it-admins" of organization `+acme, "default role of organization "+beta)
	s.do("DELETE", "/roles/developer", nil).want(http.StatusNoContent)
	if n := len(into[listed[role]](s.do("GET", "/roles", nil)).Items); n != 2 {
		t.Errorf("%d roles are left, want 2", n)
	}
}

func TestRules(t *testing.T) {
	s := start(t)
	s.roles()
	org := s.organization("Acme")
	facts := s.facts(org, s.connection(org, "Okta").ID)
	for i := range 3 {
		facts.user(fmt.Sprintf("user%d@acme.com", i), true)
	}
	path := "/organizations/" + org + "/rules"

	first := s.do("GET", path, nil).want(200)
	if first.Header.Get("ETag") != `"0"` || string(first.Body) != `{"version":0,"rules":[]}`+"\n" {
		t.Errorf("the empty rule set: %s %s", first.Header.Get("ETag"), first.Body)
	}
	rules := []object{rule("it", object{"name": "IT Admins"}, "admin"), rule("eng", object{"glob": "Eng*"}, "developer")}
	published := s.do("PUT", path, object{"version": 0, "comment": "begin\nhere", "default_role": "member", "rules": rules}).want(200)
	if got := into[object](published); published.Header.Get("ETag") != `"1"` || got["version"] != 1.0 || got["remaining"] != 3.0 {
		t.Errorf("published %s %v, want version 1 with 3 users remaining", published.Header.Get("ETag"), got)
	}
	if got := into[object](s.do("GET", path+"/progress", nil).want(200)); got["remaining"] != 3.0 {
		t.Errorf("progress = %v, want 3 remaining", got)
	}
	check(t, s.engine.WorkOff(t.Context()))
	if got := into[object](s.do("GET", path+"/progress", nil).want(200)); got["remaining"] != 0.0 {
		t.Errorf("progress = %v, want none remaining", got)
	}

	// What get answers can be put back as it is.
	got := s.do("GET", path, nil).want(200)
	v := into[object](got)
	if !strings.HasPrefix(v["author"].(string), "admin key key_") || v["comment"] != "begin\nhere" || v["created_at"] == nil {
		t.Errorf("rules = %v", v)
	}
	s.do("PUT", path, string(got.Body)).want(200)
	again := into[object](s.do("GET", path, nil).want(200))
	if diff := cmp.Diff(v["rules"], again["rules"]); diff != "" || again["version"] != 2.0 {
		t.Errorf("after the round trip, version %v (-before +after):\n%s", again["version"], diff)
	}
}

func TestRulesThatHaveMovedOn(t *testing.T) {
	s := start(t)
	org := s.organization("Acme")
	path := "/organizations/" + org + "/rules"
	empty := object{"rules": []object{}}
	with := func(version int) object { return object{"version": version, "rules": []object{}} }
	s.do("PUT", path, with(0)).want(200)
	s.do("PUT", path, empty, "If-Match", `"1"`).want(200)

	s.do("PUT", path, with(1)).problem(http.StatusConflict).said(t, "version 2", "version 1")
	s.do("PUT", path, empty, "If-Match", `"1"`).problem(http.StatusPreconditionFailed).said(t, "version 2", "version 1")
	s.do("PUT", path, empty).problem(http.StatusBadRequest).said(t, "version is missing")
	s.do("PUT", path, with(2), "If-Match", `"1"`).problem(http.StatusBadRequest).said(t, "differ")
	for _, wrong := range []string{"2", `W/"2"`, `"2", "3"`, `"two"`, `"-1"`, `"02"`} {
		s.do("PUT", path, empty, "If-Match", wrong).problem(http.StatusBadRequest).said(t, "If-Match")
	}
	s.do("PUT", path, with(-1)).problem(http.StatusBadRequest).said(t, "version")
	if got := s.do("GET", path, nil).Header.Get("ETag"); got != `"2"` {
		t.Errorf("ETag = %s, want that nothing has changed", got)
	}
	s.do("PUT", path, empty, "If-Match", "*").want(200)
	if got := s.do("GET", path, nil).Header.Get("ETag"); got != `"3"` {
		t.Errorf("ETag = %s, want version 3", got)
	}
}

func TestWrongRulesListAllProblems(t *testing.T) {
	s := start(t)
	s.roles()
	org := s.organization("Acme")
	path := "/organizations/" + org + "/rules"
	long := strings.Repeat("x", 201)
	p := s.do("PUT", path, object{"version": 0, "combine": "best", "default_role": "nobody", "rules": []object{
		rule("it", object{"name": "IT", "glob": "IT*"}, "admin"),
		rule("it", object{"regexp": "a)("}, "root", "admin"),
		{"id": "long", "name": long, "when": object{"group": object{"id": "engineering"}}, "grant": object{}},
	}}).problem(http.StatusBadRequest)
	var paths []string
	for _, e := range p.Errors {
		paths = append(paths, e.Path)
		if e.Message == "" {
			t.Errorf("%s has no message", e.Path)
		}
	}
	slices.Sort(paths)
	want := []string{
		"combine", "default_role", "rules[0].when.group", "rules[1].grant.roles[0]", "rules[1].id", "rules[1].when.group.regexp",
		"rules[2].grant", "rules[2].name", "rules[2].when.group.id",
	}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if !strings.Contains(p.Detail, "(and 8 more)") {
		t.Errorf("detail = %q", p.Detail)
	}

	// The form is checked before the meaning, also all of it.
	p = s.do("PUT", path, object{"version": 0, "rules": []object{
		{"id": 7, "when": object{"groups": object{}}, "grant": object{"roles": "admin"}},
		{"id": "x", "when": object{"group": object{"name": "X"}}},
	}}).problem(http.StatusBadRequest)
	paths = nil
	for _, e := range p.Errors {
		paths = append(paths, e.Path)
	}
	slices.Sort(paths)
	want = []string{"rules[0].grant.roles", "rules[0].id", "rules[0].when", "rules[0].when.groups", "rules[1]"}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Errorf("problems of form (-want +got):\n%s\n%+v", diff, p.Errors)
	}
	if got := s.do("GET", path, nil).Header.Get("ETag"); got != `"0"` {
		t.Errorf("ETag = %s, want that nothing has changed", got)
	}
}

func TestDanglingRules(t *testing.T) {
	s := start(t)
	s.roles()
	org := s.organization("Acme")
	okta, entra := s.connection(org, "Okta"), s.connection(org, "Entra")
	facts := s.facts(org, okta.ID)
	id := facts.group("Engineering")
	gone := facts.group("Gone")
	paused := rule("paused", object{"name": "nobody"}, "admin")
	paused["paused"] = true
	s.do("PUT", "/organizations/"+org+"/rules", object{"version": 0, "rules": []object{
		rule("by-id", object{"id": id}, "admin"),
		rule("by-other-id", object{"id": strings.Replace(string(gone), string(gone[len(gone)-3:]), "000", 1)}, "admin"),
		rule("by-name", object{"name": "ENGINEERING"}, "admin"),
		rule("elsewhere", object{"name": "engineering", "connection": entra.ID}, "admin"),
		rule("by-glob", object{"glob": "Sales*"}, "admin"),
		rule("by-regexp", object{"regexp": "eng.*"}, "admin"),
		paused,
	}}).want(200)
	type outcome struct{ Rule, Outcome string }
	got := into[listed[outcome]](s.do("GET", "/organizations/"+org+"/rules/dangling", nil).want(200)).Items
	want := []outcome{
		{"by-other-id", "no_group_matches"}, {"elsewhere", "connection_differs"}, {"by-glob", "no_group_matches"}, {"paused", "no_group_matches"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("dangling (-want +got):\n%s", diff)
	}
}

func TestGroupsSeen(t *testing.T) {
	s := start(t)
	s.roles()
	org := s.organization("Acme")
	okta, entra := s.connection(org, "Okta"), s.connection(org, "Entra")
	facts := s.facts(org, okta.ID)
	anna, ben := facts.user("anna@acme.com", true), facts.user("ben@acme.com", false)
	facts.group("Everyone", string(anna), string(ben), "somebody-else")
	facts.group("Engineering", string(anna))
	s.facts(org, entra.ID).group("Engineering")
	paused := rule("paused", object{"glob": "*"}, "admin")
	paused["paused"] = true
	both := rule("both", object{"name": "engineering", "connection": okta.ID}, "developer", "admin")
	both["grant"].(object)["permissions"] = []string{"code:push"}
	s.do("PUT", "/organizations/"+org+"/rules", object{"version": 0, "combine": "highest", "default_role": "member", "rules": []object{
		paused, both, rule("all-engineers", object{"glob": "eng*"}, "developer"),
	}}).want(200)

	type group struct {
		Connection, DisplayName   string
		Members                   int
		Mapped                    bool
		Rules, Roles, Permissions []string
	}
	type wire struct {
		Connection                string
		DisplayName               string `json:"display_name"`
		Members                   int
		Mapped                    bool
		Rules, Roles, Permissions []string
	}
	var got []group
	for query := "?limit=1"; ; {
		page := into[listed[wire]](s.do("GET", "/organizations/"+org+"/groups"+query, nil).want(200))
		for _, g := range page.Items {
			got = append(got, group(g))
		}
		if page.Next == "" {
			break
		}
		query = "?limit=1&after=" + page.Next
	}
	want := []group{
		{okta.ID, "Everyone", 2, false, []string{}, []string{}, []string{}},
		{okta.ID, "Engineering", 1, true, []string{"all-engineers", "both"}, []string{"admin", "developer"}, []string{"code:push"}},
		{entra.ID, "Engineering", 0, true, []string{"all-engineers"}, []string{"developer"}, []string{}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
}
