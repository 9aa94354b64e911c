package scim

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolesync/rolesync/internal/directory"
)

var bare directory.User

const guides = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Tour Guides"}`

func TestPatchMembers(t *testing.T) {
	tests := []struct {
		name     string
		ops      string
		replaced bool
		added    string
		removed  string
	}{
		{"add a list", `{"op":"add","path":"members","value":[{"value":"a","display":"A","$ref":"x"},{"value":"b"}]}`, false, "a b", ""},
		{"add one object", `{"op":"add","path":"members","value":{"value":"a"}}`, false, "a", ""},
		{"add bare ids", `{"op":"add","path":"members","value":["a","b"]}`, false, "a b", ""},
		{"add one bare id", `{"op":"add","path":"members","value":"a"}`, false, "a", ""},
		{"add in another case", `{"op":"Add","path":"MEMBERS","value":[{"VALUE":"a"}]}`, false, "a", ""},
		{"add with a URN in front", `{"op":"add","path":"urn:ietf:params:scim:schemas:core:2.0:Group:members","value":[{"value":"a"}]}`, false, "a", ""},
		{"add without a path", `{"op":"add","value":{"members":[{"value":"a"}]}}`, false, "a", ""},
		{"add twice", `{"op":"add","path":"members","value":["a","a"]},{"op":"add","path":"members","value":["a"]}`, false, "a", ""},
		{"add null, add nothing", `{"op":"add","path":"members","value":null},{"op":"add","path":"members","value":[]}`, false, "", ""},
		{"remove by filter", `{"op":"remove","path":"members[value eq \"a\"]"}`, false, "", "a"},
		{"remove several by filter", `{"op":"remove","path":"members[value eq \"a\" or value eq \"b\"]"}`, false, "", "a b"},
		{"remove by value list", `{"op":"Remove","path":"members","value":[{"value":"a"},{"value":"b"}]}`, false, "", "a b"},
		{"remove by one object", `{"op":"remove","path":"members","value":{"value":"a"}}`, false, "", "a"},
		{"remove of an empty list removes nobody", `{"op":"remove","path":"members","value":[]}`, false, "", ""},
		{"remove all", `{"op":"remove","path":"members"}`, true, "", ""},
		{"remove all with null", `{"op":"remove","path":"members","value":null}`, true, "", ""},
		{"replace", `{"op":"replace","path":"members","value":[{"value":"a"}]}`, true, "a", ""},
		{"replace without a path", `{"op":"replace","value":{"members":[{"value":"a"}]}}`, true, "a", ""},
		{"replace by nothing", `{"op":"replace","path":"members","value":[]}`, true, "", ""},
		{"the last word counts", `{"op":"add","path":"members","value":["a","b"]},{"op":"remove","path":"members[value eq \"a\"]"}`, false, "b", "a"},
		{"and in the other order", `{"op":"remove","path":"members[value eq \"a\"]"},{"op":"add","path":"members","value":["a"]}`, false, "a", ""},
		{"replace, then less, then more", `{"op":"replace","path":"members","value":["a","b"]},{"op":"remove","path":"members","value":["b"]},{"op":"add","path":"members","value":["c"]}`, true, "a c", ""},
		{"what came before a replace is void", `{"op":"add","path":"members","value":["z"]},{"op":"remove","path":"members","value":["y"]},{"op":"replace","path":"members","value":["a"]}`, true, "a", ""},
		{"a number for an id", `{"op":"add","path":"members","value":[{"value":17}]}`, false, "17", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			after, asked := carryOut(t, groupType, "PATCH", guides, `{"Operations":[`+tt.ops+`]}`)
			m := asked.members
			got := fmt.Sprintf("replaced %v, added %v, removed %v", m.replaced, m.additions(), m.removals())
			want := fmt.Sprintf("replaced %v, added %v, removed %v", tt.replaced, strings.Fields(tt.added), strings.Fields(tt.removed))
			if got != want {
				t.Errorf("Patch(%s) = %s, want %s", tt.ops, got, want)
			}
			if m.empty() != (!tt.replaced && tt.added+tt.removed == "") {
				t.Errorf("empty() = %v", m.empty())
			}
			if string(after) != guides || len(asked.list) != 0 {
				t.Errorf("the group itself changed: %s", after)
			}
		})
	}
}

func TestPatchMembersRefuses(t *testing.T) {
	tests := []struct{ name, op, scimType, detail string }{
		{"a member without a value", `{"op":"add","path":"members","value":[{"value":"a"},{"display":"B"}]}`, "invalidValue", "members[1]"},
		{"a member that is a list", `{"op":"add","path":"members","value":[["a"]]}`, "invalidValue", "members[0]"},
		{"a member with an empty value", `{"op":"remove","path":"members","value":[{"value":""}]}`, "invalidValue", "members[0]"},
		{"a member with a huge value", `{"op":"add","path":"members","value":["` + strings.Repeat("x", 513) + `"]}`, "invalidValue", "members[0]"},
		{"removal by another attribute", `{"op":"remove","path":"members[display eq \"x\"]"}`, "invalidFilter", "value eq"},
		{"removal by and", `{"op":"remove","path":"members[value eq \"a\" and value eq \"b\"]"}`, "invalidFilter", "value eq"},
		{"removal by ne", `{"op":"remove","path":"members[value ne \"a\"]"}`, "invalidFilter", "value eq"},
		{"addition by filter", `{"op":"add","path":"members[value eq \"a\"]","value":"a"}`, "noTarget", "members"},
		{"change of a member's name", `{"op":"replace","path":"members[value eq \"a\"].display","value":"A"}`, "mutability", "member"},
		{"removal of displayName", `{"op":"remove","path":"displayName"}`, "mutability", "displayName"},
		{"an empty displayName", `{"op":"replace","path":"displayName","value":""}`, "invalidValue", "displayName is required"},
	}
	for _, tt := range tests {
		_, _, err := try(groupType, "PATCH", guides, `{"Operations":[`+tt.op+`]}`)
		if err == nil {
			t.Errorf("%s was accepted", tt.name)
			continue
		}
		if e := problem(err); e.Status != 400 || string(e.ScimType) != tt.scimType || !strings.Contains(e.Detail, tt.detail) {
			t.Errorf("%s: %v, want %s with %q", tt.name, err, tt.scimType, tt.detail)
		}
	}
}

func TestPatchOfOnlyMembersLeavesTheGroupUnread(t *testing.T) {
	for _, body := range []string{
		`{"Operations":[{"op":"add","path":"members","value":["a"]}]}`,
		`{"Operations":[{"op":"replace","value":{"id":"grp_x","schemas":["x"],"members":["a"],"colour":"x"}}]}`,
	} {
		v, err := parseJSON(body)
		if err != nil {
			t.Fatal(err)
		}
		asked, err := groupType.fromPatch(v)
		if err != nil || len(asked.list) != 0 || asked.members.empty() {
			t.Errorf("fromPatch(%s) has %d attribute changes, %v", body, len(asked.list), err)
		}
	}
}

func TestMembersAreTheSameInAnyOrder(t *testing.T) {
	var m memberChange
	m.set([]string{"a", "b"}, true)
	for list, want := range map[string]bool{"a b": true, "b a": true, "a": false, "a b c": false, "a c": false, "": false} {
		var members []directory.MemberID
		for _, id := range strings.Fields(list) {
			members = append(members, directory.MemberID(id))
		}
		if got := same(members, m.additions()); got != want {
			t.Errorf("same(%s) = %v, want %v", list, got, want)
		}
	}
	if diff := cmp.Diff([]string{"a", "b"}, m.additions()); diff != "" {
		t.Error(diff)
	}
}
