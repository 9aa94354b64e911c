package scim_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/mapping"
	rolesync "github.com/rolesync/rolesync/sync"
)

// publish publishes rules, and has everybody evaluated.
func (tn *tenant) publish(rules mapping.RuleSet) {
	tn.t.Helper()
	by := rolesync.Author{Organization: tn.organization, Name: "test"}
	if _, err := tn.engine.PublishRules(context.Background(), by, rules, rolesync.AnyVersion, ""); err != nil {
		tn.t.Fatal(err)
	}
	if err := tn.engine.WorkOff(context.Background()); err != nil {
		tn.t.Fatal(err)
	}
}

// rules give the role billing to everybody in Finance.
func (tn *tenant) rules() mapping.RuleSet {
	tn.t.Helper()
	if err := tn.engine.PutRole(context.Background(), rolesync.Author{Name: "test"}, mapping.Role{Key: "billing", Name: "Billing", Rank: 40}); err != nil {
		tn.t.Fatal(err)
	}
	return mapping.RuleSet{Rules: []mapping.Rule{{
		ID: "finance", When: mapping.Condition{Group: mapping.GroupMatcher{Name: "Finance"}}, Grant: mapping.Grant{Roles: []mapping.RoleKey{"billing"}},
	}}}
}

// expectRoles looks at assignments in SQL.
func (tn *tenant) expectRoles(want string, users ...string) {
	tn.t.Helper()
	for _, user := range users {
		a, err := tn.store.Assignment(context.Background(), tn.organization, directory.UserID(user))
		if err != nil {
			tn.t.Fatal(err)
		}
		var held mapping.Assignment
		if err := json.Unmarshal([]byte(a.Projection), &held); err != nil {
			tn.t.Fatal(err)
		}
		if got := fmt.Sprint(held.Roles); got != want {
			tn.t.Errorf("roles of %s = %s, want %s", user, got, want)
		}
	}
}

// expectSound compares all assignments with a full recomputation.
func (tn *tenant) expectSound() {
	tn.t.Helper()
	found, err := (&rolesync.Verifier{Store: tn.store}).Verify(context.Background())
	if err != nil {
		tn.t.Fatal(err)
	}
	for _, d := range found.Differences {
		tn.t.Errorf("verify: %s", d)
	}
}

// groupsShown returns a user's groups as GET shows them: "Finance indirect".
func (tn *tenant) groupsShown(user string) (shown []string) {
	tn.t.Helper()
	r := tn.must(200, "GET", "/Users/"+user, "")
	for i := range r.len("groups") {
		shown = append(shown, r.string("groups", i, "display")+" "+r.string("groups", i, "type"))
	}
	slices.Sort(shown)
	return shown
}

func TestNestedGroups(t *testing.T) {
	databases(t, func(t *testing.T, s *service) {
		tn := s.newTenant()
		rules := tn.rules()
		tn.publish(rules)
		anna, bert := tn.user("anna"), tn.user("bert")
		emea := tn.newGroup("Finance EMEA", anna)
		created := tn.must(201, "POST", "/Groups", `{"displayName":"Finance","members":`+memberList(bert, emea)+`}`)
		finance := created.string("id")
		want := []any{
			map[string]any{"value": emea, "$ref": tn.base + "/Groups/" + emea, "type": "Group"},
			map[string]any{"value": bert, "$ref": tn.base + "/Users/" + bert, "type": "User"},
		}
		for what, got := range map[string]any{
			"POST": created.at("members"),
			"GET":  tn.must(200, "GET", "/Groups/"+finance, "").at("members"),
			"list": tn.must(200, "GET", "/Groups"+filtered(`members.value eq "`+emea+`"`), "").at("Resources", 0, "members"),
		} {
			if diff := cmp.Diff(any(want), got); diff != "" {
				t.Errorf("members as %s shows them (-want +got):\n%s", what, diff)
			}
		}
		tn.expectRoles("[billing]", bert)
		tn.expectRoles("[]", anna)
		if got := tn.groupsShown(anna); !slices.Equal(got, []string{"Finance EMEA direct"}) {
			t.Errorf("without expansion: groups %q", got)
		}

		rules.ExpandNestedGroups = true
		tn.publish(rules)
		tn.expectRoles("[billing]", anna, bert)
		if got := tn.groupsShown(anna); !slices.Equal(got, []string{"Finance EMEA direct", "Finance indirect"}) {
			t.Errorf("with expansion: groups %q", got)
		}
		if got := tn.groupsShown(bert); !slices.Equal(got, []string{"Finance direct"}) {
			t.Errorf("with expansion: groups %q", got)
		}
		carl := tn.must(201, "POST", "/Users", `{"userName":"carl"}`).string("id")
		tn.must(200, "PATCH", "/Groups/"+emea, patch("add", "members", memberList(carl)))
		tn.expectRoles("[billing]", carl)

		tn.must(200, "PATCH", "/Groups/"+finance, patch("replace", "displayName", `"Money"`))
		tn.expectRoles("[]", anna, bert, carl)
		tn.must(200, "PATCH", "/Groups/"+finance, patch("replace", "displayName", `"Finance"`))
		tn.expectRoles("[billing]", anna, bert, carl)
		tn.must(204, "DELETE", "/Groups/"+emea, "")
		tn.expectRoles("[]", anna, carl)
		tn.expectMembers(finance, bert)

		rules.ExpandNestedGroups = false
		tn.publish(rules)
		tn.expectSound()
	})
}

// Each way to change members does to a nested group what it does to a user.
func TestMembersThatAreGroups(t *testing.T) {
	databases(t, func(t *testing.T, s *service) {
		tn := s.newTenant()
		rules := tn.rules()
		rules.ExpandNestedGroups = true
		tn.publish(rules)
		anna, bert := tn.user("anna"), tn.user("bert")
		one, two := tn.newGroup("One", anna), tn.newGroup("Two")
		finance := tn.newGroup("Finance")
		at := "/Groups/" + finance
		roles := func(held bool) string {
			if held {
				return "[billing]"
			}
			return "[]"
		}
		for _, step := range []struct {
			method, body string
			want         []string
		}{
			{"PATCH", patch("add", "members", memberList(one, bert)), []string{one, bert}},
			{"PATCH", patch("add", "members", memberList(one, two)), []string{one, two, bert}},
			{"PATCH", patch("remove", `members[value eq "`+one+`"]`, ""), []string{two, bert}},
			{"PATCH", patch("Add", "", `{"members":`+memberList(one)+`}`), []string{one, two, bert}},
			{"PATCH", patch("remove", "members", memberList(two, bert)), []string{one}},
			{"PATCH", patch("replace", "members", memberList(two, anna)), []string{two, anna}},
			{"PUT", `{"displayName":"Finance","members":` + memberList(one, bert) + `}`, []string{one, bert}},
			{"PUT", `{"displayName":"Finance","members":` + memberList(one, two) + `}`, []string{one, two}},
			{"PATCH", patch("remove", "members", ""), nil},
			{"PATCH", patch("add", "members", memberList(one)), []string{one}},
			{"PUT", `{"displayName":"Finance"}`, nil},
		} {
			t.Run(step.method+" "+step.body, func(t *testing.T) {
				before := tn.must(200, "GET", at, "").string("meta", "version")
				answer := tn.must(200, step.method, at, step.body)
				if answer.len("members") != len(step.want) {
					t.Errorf("answer %s, want %d members", answer.text, len(step.want))
				}
				tn.expectMembers(finance, step.want...)
				if after := tn.must(200, "GET", at, "").string("meta", "version"); after == before || after != answer.string("meta", "version") {
					t.Errorf("version %s was %s; the answer said %s", after, before, answer.string("meta", "version"))
				}
				tn.expectRoles(roles(slices.Contains(step.want, one) || slices.Contains(step.want, anna)), anna)
				tn.expectRoles(roles(slices.Contains(step.want, bert)), bert)
				tn.expectSound()
			})
		}

		t.Run("a PUT of the same", func(t *testing.T) {
			body := `{"displayName":"Finance","members":` + memberList(bert, two, one) + `}`
			first := tn.must(200, "PUT", at, body)
			if again := tn.must(200, "PUT", at, body); again.text != first.text {
				t.Errorf("first %s, again %s", first.text, again.text)
			}
		})
		t.Run("itself", func(t *testing.T) {
			tn.fails(400, "invalidValue", finance, "PATCH", at, patch("add", "members", memberList(finance)))
			tn.fails(400, "invalidValue", finance, "PUT", at, `{"displayName":"Finance","members":`+memberList(bert, finance)+`}`)
			tn.must(200, "PATCH", at, patch("remove", "members", memberList(finance)))
			tn.expectMembers(finance, one, two, bert)
		})
		t.Run("a circle", func(t *testing.T) {
			tn.must(200, "PATCH", "/Groups/"+one, patch("add", "members", memberList(finance)))
			tn.expectMembers(one, anna, finance)
			tn.expectRoles("[billing]", anna, bert)
			if got, want := tn.groupsShown(bert), []string{"Finance direct", "One indirect"}; !slices.Equal(got, want) {
				t.Errorf("groups %q, want %q", got, want)
			}
			tn.must(200, "PATCH", at, patch("remove", "members", ""))
			tn.expectRoles("[]", anna, bert)
			tn.expectSound()
		})
		t.Run("groups of others, and of nobody", func(t *testing.T) {
			foreign := s.newTenant().newGroup("Foreign")
			gone := tn.newGroup("Gone")
			tn.must(204, "DELETE", "/Groups/"+gone, "")
			tn.must(200, "PATCH", "/Groups/"+two, patch("add", "members", memberList(foreign, gone, anna)))
			tn.expectMembers(two, anna)
		})
	})
}

func TestMoreThanAHundredMembersOfBothKinds(t *testing.T) {
	tn := newService(t, "").newTenant()
	var members []string
	for i := range 60 {
		members = append(members, tn.newGroup(fmt.Sprint("g", i)))
	}
	members = append(members, tn.crowd(41, 0)...)
	all := tn.newGroup("All", members...)
	at := "/Groups/" + all
	tn.must(204, "PATCH", at, patch("replace", "displayName", `"Everyone"`))
	tn.expectMembers(all, members...)
	r := tn.must(200, "PATCH", at, patch("remove", "members", memberList(members[0])))
	if r.len("members") != 100 || strings.Count(r.text, `"type":"Group"`) != 59 {
		t.Errorf("%d members, of them %d groups, are shown; want 100 and 59", r.len("members"), strings.Count(r.text, `"type":"Group"`))
	}
}

// Whatever changes what is shown of a group changes its version.
func TestVersionOfAGroupIsHonest(t *testing.T) {
	databases(t, func(t *testing.T, s *service) {
		tn := s.newTenant()
		anna, bert, carl := tn.user("anna"), tn.user("bert"), tn.user("carl")
		child := tn.newGroup("Child")
		group, other := tn.newGroup("Group", anna, bert, child, "00u-later", "charles"), tn.newGroup("Other")
		get := func() (response, response) {
			return tn.must(200, "GET", "/Groups/"+group, ""), tn.must(200, "GET", "/Groups/"+other, "")
		}
		for _, c := range []struct {
			situation string
			change    func()
			shown     bool
		}{
			{"a pending member appears", func() { tn.must(201, "POST", "/Users", `{"userName":"later","externalId":"00u-later"}`) }, true},
			{"a user gets the name of a pending member", func() { tn.must(200, "PATCH", "/Users/"+carl, patch("replace", "userName", `"charles"`)) }, true},
			{"a member is deleted", func() { tn.must(204, "DELETE", "/Users/"+anna, "") }, true},
			{"a nested group is deleted", func() { tn.must(204, "DELETE", "/Groups/"+child, "") }, true},
			{"a member changes, but not the list", func() { tn.must(200, "PATCH", "/Users/"+bert, patch("replace", "displayName", `"B"`)) }, false},
		} {
			before, otherBefore := get()
			c.change()
			after, otherAfter := get()
			if shown := !cmp.Equal(before.at("members"), after.at("members")); shown != c.shown {
				t.Errorf("%s: members changed: %v, from %s to %s", c.situation, shown, before.text, after.text)
			}
			for _, attribute := range []string{"version", "lastModified"} {
				was, is := before.string("meta", attribute), after.string("meta", attribute)
				if was == is == c.shown {
					t.Errorf("%s: %s was %s and is %s", c.situation, attribute, was, is)
				}
			}
			if otherBefore.text != otherAfter.text {
				t.Errorf("%s: another group changed from %s to %s", c.situation, otherBefore.text, otherAfter.text)
			}
		}
		tn.expectSound()
	})
}
