package adminapi_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rolesync/rolesync/internal/directory"
	rolesync "github.com/rolesync/rolesync/sync"
)

func TestUsers(t *testing.T) {
	s := start(t)
	org := s.organization("Acme")
	okta, entra := s.connection(org, "Okta"), s.connection(org, "Entra")
	anna := s.facts(org, okta.ID).user("Anna@acme.com", true, func(u *directory.User) { u.ExternalID = "00u/1"; u.DisplayName = "Anna" })
	ben := s.facts(org, entra.ID).user("ben@acme.com", false, func(u *directory.User) { u.Email = "anna@acme.com" })
	path := "/organizations/" + org + "/users"

	for query, want := range map[string][]directory.UserID{
		"":                           {anna, ben},
		"?limit=1":                   {anna},
		"?after=" + string(anna):     {ben},
		"?user_name=ANNA%40acme.com": {anna},
		"?user_name=anna":            nil,
		"?q=00u%2F1":                 {anna},
		"?q=00U%2F1":                 nil,
		"?q=" + string(ben):          {ben},
		"?q=anna@ACME.com":           {anna, ben},
		"?q=anna@acme.com&limit=1":   {anna},
		"?q=anna@acme.com&user_name=ben@acme.com": {ben},
		"?q=a%00b": nil,
	} {
		var got []directory.UserID
		for _, u := range into[listed[named]](s.do("GET", path+query, nil).want(200)).Items {
			got = append(got, directory.UserID(u.ID))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("GET users%s (-want +got):\n%s", query, diff)
		}
	}

	for _, name := range []string{string(anna), "00u%2F1"} {
		u := into[object](s.do("GET", path+"/"+name, nil).want(200))
		if u["id"] != string(anna) || u["user_name"] != "Anna@acme.com" || u["display_name"] != "Anna" || u["connection"] != okta.ID || u["active"] != true {
			t.Errorf("GET %s = %v", name, u)
		}
		if diff := cmp.Diff(object{"userName": "Anna@acme.com"}, u["resource"]); diff != "" {
			t.Errorf("resource (-want +got):\n%s", diff)
		}
	}
	s.do("GET", path+"/anna%40acme.com", nil).problem(http.StatusConflict).said(t, "anna@acme.com", "several")
	s.do("GET", path+"/nobody%00", nil).problem(http.StatusNotFound)
	s.do("GET", path+"/%ff", nil).problem(http.StatusNotFound)
	s.do("GET", path+"/nobody", nil).problem(http.StatusNotFound).said(t, "nobody")
	s.do("GET", path+"/"+string(directory.NewUserID()), nil).problem(http.StatusNotFound)
}

type source struct{ Role, Permission, Origin, Rule, Group, Connection string }

type ruleOutcome struct{ Rule, Outcome string }

type assignment struct {
	User      string
	UserName  string `json:"user_name"`
	Deleted   bool
	Active    bool
	Role      string
	Roles     []string
	Version   int
	Epoch     int
	Published int       `json:"published_version"`
	InRedis   bool      `json:"in_redis"`
	UpdatedAt time.Time `json:"updated_at"`
	Cause     string
	Aliases   []string
	Settled   bool
	Remaining int
	Expected  *struct {
		Roles []string
	}
	Reasons struct {
		RulesVersion int `json:"rules_version"`
		Decision     string
		Sources      []source
		Rules        []ruleOutcome
		Groups       []struct{ Group, Name string }
		Permissions  []struct {
			Permission string
			Roles      []string
		}
	}
}

func TestAssignmentWithReasons(t *testing.T) {
	s := start(t)
	s.roles()
	org := s.organization("Acme")
	c := s.connection(org, "Okta")
	paused := rule("paused", object{"name": "Engineering"}, "admin")
	paused["paused"] = true
	s.do("PUT", "/organizations/"+org+"/rules", object{"version": 0, "default_role": "member", "rules": []object{
		rule("it", object{"name": "IT"}, "admin"), rule("eng", object{"glob": "Eng*"}, "developer"), paused,
		rule("elsewhere", object{"name": "Engineering", "connection": directory.NewConnectionID()}, "admin"),
	}}).want(200)
	check(t, s.engine.WorkOff(t.Context()))
	facts := s.facts(org, c.ID)
	anna := facts.user("anna@acme.com", true)
	group := facts.group("Engineering", string(anna))
	path := "/organizations/" + org + "/users/"

	want := assignment{
		User: string(anna), UserName: "anna@acme.com", Active: true, Role: "developer", Roles: []string{"developer"},
		Version: 2, Epoch: 1, Published: 2, InRedis: true, Cause: "scim-1", Settled: true,
		Aliases: []string{"user_name:anna@acme.com", "email:anna@acme.com"},
	}
	want.Reasons.RulesVersion, want.Reasons.Decision = 1, "granted"
	want.Reasons.Sources = []source{{Role: "developer", Origin: "rule", Rule: "eng", Group: string(group), Connection: c.ID}}
	want.Reasons.Rules = []ruleOutcome{{"it", "no_group_matches"}, {"eng", "matched"}, {"paused", "paused"}, {"elsewhere", "connection_differs"}}
	want.Reasons.Groups = append(want.Reasons.Groups, struct{ Group, Name string }{string(group), "Engineering"})
	want.Reasons.Permissions = append(want.Reasons.Permissions, struct {
		Permission string
		Roles      []string
	}{"developer:do", []string{"developer"}})
	got := s.published(path + "anna%40acme.com/assignment")
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(assignment{}, "UpdatedAt")); diff != "" {
		t.Errorf("assignment (-want +got):\n%s", diff)
	}
	if time.Since(got.UpdatedAt) > time.Minute {
		t.Errorf("updated_at = %s", got.UpdatedAt)
	}

	// Rules are published; nobody has worked off the backlog yet.
	s.do("PUT", "/organizations/"+org+"/rules", object{"version": 1, "rules": []object{rule("eng", object{"glob": "Eng*"}, "admin")}}).want(200)
	waiting := into[assignment](s.do("GET", path+string(anna)+"/assignment", nil).want(200))
	if waiting.Settled || waiting.Role != "developer" || waiting.Expected == nil || !cmp.Equal(waiting.Expected.Roles, []string{"admin"}) ||
		waiting.Remaining != 1 || waiting.Reasons.RulesVersion != 2 || waiting.Reasons.Sources[0].Role != "admin" {
		t.Errorf("while the backlog waits: %+v", waiting)
	}
	check(t, s.engine.WorkOff(t.Context()))
	settled := into[assignment](s.do("GET", path+string(anna)+"/assignment", nil).want(200))
	if !settled.Settled || settled.Role != "admin" || settled.Version != 3 || settled.Expected != nil || !strings.Contains(settled.Cause, "rules version 2") {
		t.Errorf("afterwards: %+v", settled)
	}

	facts.change(func(tx *rolesync.Tx) error {
		if _, err := tx.User(anna); err != nil {
			return err
		}
		return tx.DeleteUser(anna)
	})
	buried := s.published(path + string(anna) + "/assignment")
	if !buried.Deleted || buried.Active || len(buried.Roles) > 0 || buried.Version != 4 || buried.Epoch != 2 || !buried.Settled || buried.Reasons.Decision != "inactive" {
		t.Errorf("the tombstone: %+v", buried)
	}
	s.do("GET", path+string(anna), nil).problem(http.StatusNotFound)
	s.do("GET", path+"anna%40acme.com/assignment", nil).problem(http.StatusNotFound)
}

// published asks until the assignment is in Redis.
func (s *service) published(path string) assignment {
	s.tb.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		a := into[assignment](s.do("GET", path, nil).want(200))
		if a.InRedis || time.Now().After(deadline) {
			return a
		}
	}
}

func TestInactiveUserIsExplained(t *testing.T) {
	s := start(t)
	s.roles()
	org := s.organization("Acme")
	s.do("PUT", "/organizations/"+org+"/rules", object{"version": 0, "default_role": "member", "rules": []object{rule("it", object{"name": "IT"}, "admin")}}).want(200)
	check(t, s.engine.WorkOff(t.Context()))
	facts := s.facts(org, s.connection(org, "Okta").ID)
	ben := facts.user("ben@acme.com", false)
	facts.group("IT", string(ben))
	got := into[assignment](s.do("GET", "/organizations/"+org+"/users/"+string(ben)+"/assignment", nil).want(200))
	if got.Active || got.Role != "" || got.Reasons.Decision != "inactive" || !got.Settled || !cmp.Equal(got.Reasons.Rules, []ruleOutcome{{"it", "matched"}}) {
		t.Errorf("an inactive user: %+v", got)
	}
}
