package scim

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolesync/rolesync/internal/fault"
)

// What every connection serves.
var userType, groupType = builtin.user, builtin.group

// The stored user that most tests begin with, in canonical form.
const bjensen = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],` +
	`"externalId":"701984","userName":"bjensen","name":{"familyName":"Jensen","givenName":"Barbara"},"active":true,` +
	`"emails":[{"value":"bjensen@example.com","type":"work","primary":true},{"value":"babs@jensen.org","type":"home"}],` +
	`"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Tours","manager":{"value":"26118915","$ref":"../Users/26118915"}}}`

const (
	ofBjensenEmails  = `"emails":[{"value":"bjensen@example.com","type":"work","primary":true},{"value":"babs@jensen.org","type":"home"}]`
	ofBjensenName    = `"name":{"familyName":"Jensen","givenName":"Barbara"}`
	ofBjensenManager = `"manager":{"value":"26118915","$ref":"../Users/26118915"}`
	enterprise       = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
)

func TestPatchUser(t *testing.T) {
	tests := []struct {
		name string
		ops  string // the operations, separated by commas
		from string // this part of bjensen …
		to   string // … is now this; both "": nothing changed
	}{
		// RFC 7644 §3.5.2.1
		{"add to a multi-valued attribute appends", `{"op":"add","path":"emails","value":[{"value":"b@other.org","type":"other"}]}`,
			`"type":"home"}]`, `"type":"home"},{"value":"b@other.org","type":"other"}]`},
		{"add of a single value that is bare", `{"op":"add","path":"emails","value":{"value":"b@other.org"}}`, `"type":"home"}]`, `"type":"home"},{"value":"b@other.org"}]`},
		{"add of an address as a string", `{"op":"add","path":"emails","value":"b@other.org"}`, `"type":"home"}]`, `"type":"home"},{"value":"b@other.org"}]`},
		{"add of what is there changes nothing", `{"op":"add","path":"emails","value":[{"value":"babs@jensen.org","type":"home"}]},{"op":"add","path":"userName","value":"bjensen"}`, ``, ``},
		{"add of a known type and value merges", `{"op":"add","path":"emails","value":[{"value":"babs@jensen.org","type":"home","display":"Babs"}]}`,
			`{"value":"babs@jensen.org",`, `{"value":"babs@jensen.org","display":"Babs",`},
		{"add of a second primary switches the first off", `{"op":"add","path":"emails","value":[{"value":"n@e.w","primary":true}]}`,
			ofBjensenEmails, `"emails":[{"value":"bjensen@example.com","type":"work","primary":false},{"value":"babs@jensen.org","type":"home"},{"value":"n@e.w","primary":true}]`},
		{"two primaries at once: the first stays", `{"op":"replace","path":"emails","value":[{"value":"a","primary":true},{"value":"b","primary":"True"}]}`,
			ofBjensenEmails, `"emails":[{"value":"a","primary":true},{"value":"b","primary":false}]`},
		{"add without a path merges attributes and appends values", `{"op":"add","value":{"emails":[{"value":"x@y.z"}],"nickName":"Babs"}}`,
			`"active":true,` + ofBjensenEmails, `"nickName":"Babs","active":true,` + strings.TrimSuffix(ofBjensenEmails, "]") + `,{"value":"x@y.z"}]`},
		{"add of a partial complex value merges", `{"op":"add","path":"name","value":{"middleName":"Jane"}}`,
			`"givenName":"Barbara"}`, `"givenName":"Barbara","middleName":"Jane"}`},

		// RFC 7644 §3.5.2.2
		{"remove of an attribute", `{"op":"remove","path":"name"}`, ofBjensenName + `,`, ``},
		{"remove of a sub-attribute", `{"op":"remove","path":"name.givenName"}`, `,"givenName":"Barbara"`, ``},
		{"remove of the last sub-attribute removes all", `{"op":"remove","path":"name.givenName"},{"op":"remove","path":"name.familyName"}`, ofBjensenName + `,`, ``},
		{"remove of one element", `{"op":"remove","path":"emails[type eq \"home\"]"}`, `,{"value":"babs@jensen.org","type":"home"}`, ``},
		{"remove of an element by two clauses", `{"op":"remove","path":"emails[type eq \"work\" and value ew \"example.com\"]"}`,
			`{"value":"bjensen@example.com","type":"work","primary":true},`, ``},
		{"remove of a sub-attribute of one element", `{"op":"remove","path":"emails[type eq \"work\"].primary"}`, `,"primary":true`, ``},
		{"remove of all elements", `{"op":"remove","path":"emails"}`, `,` + ofBjensenEmails, ``},
		{"remove by a list of values", `{"op":"remove","path":"emails","value":[{"value":"babs@jensen.org"}]}`, `,{"value":"babs@jensen.org","type":"home"}`, ``},
		{"remove that matches nothing", `{"op":"remove","path":"emails[type eq \"fax\"]"},{"op":"remove","path":"nickName"},{"op":"remove","path":"phoneNumbers"}`, ``, ``},
		{"remove of an extension", `{"op":"remove","path":"` + enterprise + `"}`,
			`,"` + enterprise + `":{"department":"Tours",` + ofBjensenManager + `}`, ``},
		{"remove of active: not active any more", `{"op":"remove","path":"active"}`, `"active":true,`, ``},

		// RFC 7644 §3.5.2.3
		{"replace of all values", `{"op":"replace","path":"emails","value":[{"value":"only@one.org"}]}`, ofBjensenEmails, `"emails":[{"value":"only@one.org"}]`},
		{"replace of one element keeps what selected it", `{"op":"replace","path":"emails[type eq \"work\"]","value":{"value":"new@example.com"}}`,
			`{"value":"bjensen@example.com","type":"work","primary":true}`, `{"value":"new@example.com","type":"work"}`},
		{"replace of a sub-attribute of one element", `{"op":"replace","path":"emails[type eq \"work\"].value","value":"new@example.com"}`, `bjensen@example.com`, `new@example.com`},
		{"replace of a sub-attribute of all elements", `{"op":"replace","path":"emails.display","value":"B"}`,
			ofBjensenEmails, `"emails":[{"value":"bjensen@example.com","display":"B","type":"work","primary":true},{"value":"babs@jensen.org","display":"B","type":"home"}]`},
		{"replace of a partial complex value merges", `{"op":"replace","path":"name","value":{"familyName":"Smith"}}`, `Jensen`, `Smith`},
		{"null takes one part of a complex value", `{"op":"replace","value":{"name":{"givenName":null}}}`, `,"givenName":"Barbara"`, ``},
		{"and one part beside another", `{"op":"replace","path":"name","value":{"givenName":"","familyName":"Smith"}}`, `"Jensen","givenName":"Barbara"`, `"Smith"`},
		{"all parts of null take all", `{"op":"replace","value":{"name":{"givenName":null,"familyName":""}}}`, ofBjensenName + `,`, ``},
		{"replace without a path: lists are replaced, the rest stays", `{"op":"replace","value":{"emails":[{"value":"only@one.org"}],"title":"Guide"}}`,
			`"active":true,` + ofBjensenEmails, `"title":"Guide","active":true,"emails":[{"value":"only@one.org"}]`},
		{"replace of what is not there adds", `{"op":"replace","path":"nickName","value":"Babs"}`, `"active":true`, `"nickName":"Babs","active":true`},
		{"operations work in order", `{"op":"remove","path":"emails"},{"op":"add","path":"emails","value":[{"value":"a@b.c"}]}`, ofBjensenEmails, `"emails":[{"value":"a@b.c"}]`},
		{"primary by a value path", `{"op":"replace","path":"emails[type eq \"home\"].primary","value":true}`,
			`"primary":true},{"value":"babs@jensen.org","type":"home"}`, `"primary":false},{"value":"babs@jensen.org","type":"home","primary":true}`},

		// SEMANTICS: a value path that matches nothing
		{"a canonical type creates the element", `{"op":"add","path":"phoneNumbers[type eq \"mobile\"].value","value":"555"}`,
			`"` + enterprise + `":{`, `"phoneNumbers":[{"value":"555","type":"mobile"}],"` + enterprise + `":{`},
		{"whole elements too", `{"op":"replace","path":"addresses[type eq \"work\"]","value":{"country":"US"}}`,
			`"` + enterprise + `":{`, `"addresses":[{"country":"US","type":"work"}],"` + enterprise + `":{`},
		{"and a canonical type with primary", `{"op":"add","path":"phoneNumbers[type eq \"work\" and primary eq true].value","value":"555"}`,
			`"` + enterprise + `":{`, `"phoneNumbers":[{"value":"555","type":"work","primary":true}],"` + enterprise + `":{`},
		{"sub-attributes may come in any order", `{"op":"add","path":"phoneNumbers[type eq \"work\"].primary","value":"true"},{"op":"add","path":"phoneNumbers[type eq \"work\"].value","value":"555"}`,
			`"` + enterprise + `":{`, `"phoneNumbers":[{"value":"555","type":"work","primary":true}],"` + enterprise + `":{`},
		{"an element without a value is not kept", `{"op":"add","path":"phoneNumbers[type eq \"work\"].primary","value":true}`, ``, ``},
		{"nor does it take the place of the primary one", `{"op":"add","path":"emails[type eq \"other\"].primary","value":true}`, ``, ``},
		{"an address emptied goes", `{"op":"replace","path":"emails[type eq \"home\"].value","value":""}`, `,{"value":"babs@jensen.org","type":"home"}`, ``},
		{"an element set to null goes", `{"op":"replace","path":"emails[type eq \"home\"]","value":null}`, `,{"value":"babs@jensen.org","type":"home"}`, ``},

		// dialects
		{"op in capitals", `{"op":"REPLACE","path":"active","value":false}`, `"active":true`, `"active":false`},
		{"keys in capitals", `{"OP":"replace","Path":"active","VALUE":false}`, `"active":true`, `"active":false`},
		{"names in another case", `{"op":"replace","path":"NAME.FAMILYNAME","value":"Smith"},{"op":"replace","value":{"ACTIVE":false}}`,
			`"Jensen","givenName":"Barbara"},"active":true`, `"Smith","givenName":"Barbara"},"active":false`},
		{"path null", `{"op":"replace","path":null,"value":{"active":false}}`, `"active":true`, `"active":false`},
		{"path empty", `{"op":"replace","path":"","value":{"active":false}}`, `"active":true`, `"active":false`},
		{"a boolean as a string", `{"op":"replace","path":"active","value":"fAlse"}`, `"active":true`, `"active":false`},
		{"a boolean as a number", `{"op":"replace","path":"active","value":0}`, `"active":true`, `"active":false`},
		{"a boolean as a numeric string", `{"op":"replace","path":"active","value":"0"}`, `"active":true`, `"active":false`},
		{"a number for a string", `{"op":"replace","path":"externalId","value":17}`, `"701984"`, `"17"`},
		{"a string wrapped as Entra's old clients did", `{"op":"replace","path":"externalId","value":[{"$ref":null,"value":"17"}]}`, `"701984"`, `"17"`},
		{"null removes", `{"op":"replace","path":"externalId","value":null}`, `"externalId":"701984",`, ``},
		{"an empty string removes", `{"op":"replace","value":{"externalId":""}}`, `"externalId":"701984",`, ``},
		{"an empty list removes", `{"op":"replace","value":{"emails":[]}}`, `,` + ofBjensenEmails, ``},
		{"null for a list removes", `{"op":"replace","value":{"emails":null}}`, `,` + ofBjensenEmails, ``},
		{"a dotted key", `{"op":"replace","value":{"name.familyName":"Smith"}}`, `Jensen`, `Smith`},
		{"a value path as a key", `{"op":"replace","value":{"emails[type eq \"work\"].value":"new@example.com"}}`, `bjensen@example.com`, `new@example.com`},
		{"a flat URN key", `{"op":"replace","value":{"` + strings.ToUpper(enterprise) + `:department":"R&D"}}`, `Tours`, `R&D`},
		{"a URN with a dotted attribute", `{"op":"replace","path":"` + enterprise + `:manager.value","value":"x"}`, `"26118915","$ref":"../Users/26118915"`, `"x"`},
		{"a nested URN key", `{"op":"add","value":{"` + enterprise + `":{"department":"R&D"}}}`, `Tours`, `R&D`},
		{"an extension as the path merges", `{"op":"replace","path":"` + enterprise + `","value":{"department":"R&D"}}`, `Tours`, `R&D`},
		{"a core URN in front", `{"op":"replace","path":"urn:ietf:params:scim:schemas:core:2.0:User:name.familyName","value":"Smith"}`, `Jensen`, `Smith`},
		{"another manager does not inherit the reference", `{"op":"replace","path":"` + enterprise + `:manager","value":{"value":"x"}}`, `"26118915","$ref":"../Users/26118915"`, `"x"`},
		{"read-only attributes are passed over without a path", `{"op":"replace","value":{"id":"x","meta":{"version":"1"},"groups":[{"value":"g"}],"schemas":["x"],"active":false}}`, `"active":true`, `"active":false`},
		{"schemas follow from the content", `{"op":"add","path":"schemas","value":["urn:x"]}`, ``, ``},
		{"a password is dropped", `{"op":"replace","path":"password","value":"t1meMa$heen"},{"op":"add","value":{"password":"x"}}`, ``, ``},
		{"a read-only sub-attribute is passed over in a value", `{"op":"replace","path":"` + enterprise + `:manager","value":{"value":"26118915","$ref":"../Users/26118915","displayName":"J"}}`, ``, ``},
		{"no operations", ``, ``, ``},
		{"white space around a path", `{"op":"replace","path":" active ","value":false}`, `"active":true`, `"active":false`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := strings.Replace(bjensen, tt.from, tt.to, 1)
			if tt.from != "" && want == bjensen {
				t.Fatal("the test changes nothing")
			}
			if !strings.Contains(want, `"`+enterprise+`":`) {
				want = strings.Replace(want, `,"`+enterprise+`"]`, `]`, 1)
			}
			got, _ := carryOut(t, userType, "PATCH", bjensen, `{"Operations":[`+tt.ops+`]}`)
			if diff := cmp.Diff(want, string(got)); diff != "" {
				t.Errorf("Patch(%s) (-want +got):\n%s", tt.ops, diff)
			}
		})
	}
}

func TestPatchRefuses(t *testing.T) {
	tests := []struct{ name, body, scimType, detail string }{
		{"no operations at all", `{}`, "invalidSyntax", "Operations must be an array, not nothing"},
		{"a body that is a list", `[]`, "invalidSyntax", "Operations"},
		{"an operation that is a string", `{"Operations":["x"]}`, "invalidSyntax", "op must be"},
		{"an unknown op", `{"Operations":[{"op":"frobnicate","path":"title","value":"x"}]}`, "invalidSyntax", `"frobnicate"`},
		{"no op", `{"Operations":[{"path":"title","value":"x"}]}`, "invalidSyntax", "op must be"},
		{"remove without a path", `{"Operations":[{"op":"remove"}]}`, "noTarget", "remove needs a path"},
		{"add without a path, of a string", `{"Operations":[{"op":"add","value":"x"}]}`, "invalidValue", "needs an object"},
		{"replace without a value", `{"Operations":[{"op":"replace","path":"title"}]}`, "invalidValue", `"title" has no value`},
		{"a path that is a number", `{"Operations":[{"op":"add","path":1,"value":"x"}]}`, "invalidPath", "path must be a string"},
		{"a malformed path", `{"Operations":[{"op":"replace","path":"noSuchAttribute[","value":"x"}]}`, "invalidPath", `"noSuchAttribute["`},
		{"a filter on a single value", `{"Operations":[{"op":"replace","path":"name[familyName eq \"x\"]","value":"x"}]}`, "invalidPath", "selects nothing"},
		{"a filter on an unknown sub-attribute", `{"Operations":[{"op":"replace","path":"emails[colour eq \"x\"].value","value":"x"}]}`, "invalidPath", `"colour"`},
		{"a filter that compares a boolean by size, also when nothing is there", `{"Operations":[{"op":"remove","path":"ims[primary gt true]"}]}`, "invalidPath", "primary"},
		{"a value path that selects nothing", `{"Operations":[{"op":"replace","path":"emails[value eq \"x\"].display","value":"x"}]}`, "noTarget", "emails"},
		{"a value path of an unknown type that selects nothing", `{"Operations":[{"op":"replace","path":"emails[type eq \"untyped\"].value","value":"x"}]}`, "noTarget", "emails"},
		{"a value path with not that selects nothing", `{"Operations":[{"op":"add","path":"ims[not (type eq \"work\")].value","value":"x"}]}`, "noTarget", "ims"},
		{"id by its path", `{"Operations":[{"op":"replace","path":"id","value":"x"}]}`, "mutability", `"id"`},
		{"meta by its path", `{"Operations":[{"op":"replace","path":"meta.created","value":"x"}]}`, "mutability", `"meta.created"`},
		{"groups by their path", `{"Operations":[{"op":"add","path":"groups","value":[{"value":"x"}]}]}`, "mutability", `"groups"`},
		{"a read-only sub-attribute by its path", `{"Operations":[{"op":"replace","path":"` + enterprise + `:manager.displayName","value":"x"}]}`, "mutability", "displayName"},
		{"removal of userName", `{"Operations":[{"op":"remove","path":"userName"}]}`, "mutability", "userName"},
		{"null for userName", `{"Operations":[{"op":"replace","value":{"userName":null}}]}`, "invalidValue", "userName is required"},
		{"a blank userName", `{"Operations":[{"op":"replace","path":"userName","value":"  "}]}`, "invalidValue", "userName is required"},
		{"an object for a string", `{"Operations":[{"op":"replace","path":"title","value":{"a":1}}]}`, "invalidValue", "title takes a string, not an object"},
		{"two strings for one", `{"Operations":[{"op":"replace","path":"title","value":["a","b"]}]}`, "invalidValue", "not an array of 2"},
		{"a word for a boolean", `{"Operations":[{"op":"replace","path":"active","value":"perhaps"}]}`, "invalidValue", `active takes true or false, not "perhaps"`},
		{"a string for a complex value", `{"Operations":[{"op":"replace","path":"name","value":"Barbara"}]}`, "invalidValue", `name takes an object, not "Barbara"`},
		{"a string for an extension", `{"Operations":[{"op":"replace","path":"` + enterprise + `","value":"x"}]}`, "invalidValue", "takes an object"},
		{"a list of lists", `{"Operations":[{"op":"add","path":"emails","value":[["a","b"]]}]}`, "invalidValue", "not an array of 2"},
		{"a userName too long for an index", `{"Operations":[{"op":"replace","path":"userName","value":"` + strings.Repeat("x", 513) + `"}]}`, "invalidValue", "userName is longer than 512 bytes"},
		{"an address too long for an index", `{"Operations":[{"op":"replace","path":"emails","value":"` + strings.Repeat("x", 513) + `"}]}`, "invalidValue", "emails.value is longer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := try(userType, "PATCH", bjensen, tt.body)
			if err == nil {
				t.Fatalf("Patch(%s) was accepted", tt.body)
			}
			if e := problem(err); e.Status != 400 || string(e.ScimType) != tt.scimType || !strings.Contains(e.Detail, tt.detail) {
				t.Errorf("Patch(%s) = %v, want %s with %q", tt.body, err, tt.scimType, tt.detail)
			}
		})
	}
}

func TestPatchTakes5000Operations(t *testing.T) {
	body := func(n int) string {
		return `{"Operations":[` + strings.TrimSuffix(strings.Repeat(`{"op":"replace","path":"active","value":true},`, n), ",") + `]}`
	}
	if _, _, err := try(userType, "PATCH", bjensen, body(5000)); err != nil {
		t.Errorf("5,000 operations: %v", err)
	}
	if _, _, err := try(userType, "PATCH", bjensen, body(5001)); !fault.Is(err, fault.TooLarge) {
		t.Errorf("5,001 operations: %v, want TooLarge", err)
	}
}

func TestPostAndPut(t *testing.T) {
	const core = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],`
	tests := []struct{ name, method, before, body, want string }{
		{"a user is active unless it says otherwise", "POST", ``, `{"userName":"a"}`, core + `"userName":"a","active":true}`},
		{"a user may be created inactive", "POST", ``, `{"userName":"a","active":"False"}`, core + `"userName":"a","active":false}`},
		{"schemas may be missing, wrong, or null", "POST", ``, `{"schemas":null,"userName":"a"}`, core + `"userName":"a","active":true}`},
		{"read-only attributes are ignored", "POST", ``, `{"userName":"a","id":"mine","meta":{"resourceType":"Group"},"groups":[{"value":"g"}]}`, core + `"userName":"a","active":true}`},
		{"keys in another case are put right", "POST", ``, `{"USERNAME":"a","Name":{"FAMILYNAME":"b"},"Emails":[{"VALUE":"c","Type":"work"}]}`,
			core + `"userName":"a","name":{"familyName":"b"},"active":true,"emails":[{"value":"c","type":"work"}]}`},
		{"what says nothing is not kept", "POST", ``, `{"userName":"a","title":"","name":{},"nickName":null,"emails":[],"phoneNumbers":[{"type":"work","value":null}],"roles":[{}],"` + enterprise + `":{}}`,
			core + `"userName":"a","active":true}`},
		{"an extension in another case, flat", "POST", ``, `{"userName":"a","URN:ietf:params:scim:schemas:extension:enterprise:2.0:user:Department":"R&D"}`,
			`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","` + enterprise + `"],"userName":"a","active":true,"` + enterprise + `":{"department":"R&D"}}`},
		{"an extension in another case, nested", "POST", ``, `{"userName":"a","URN:ietf:params:scim:schemas:extension:enterprise:2.0:user":{"DEPARTMENT":"R&D"}}`,
			`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","` + enterprise + `"],"userName":"a","active":true,"` + enterprise + `":{"department":"R&D"}}`},
		{"the same address twice is one", "POST", ``, `{"userName":"a","emails":[{"value":"c","type":"work"},{"value":"c","type":"work","primary":true}]}`,
			core + `"userName":"a","active":true,"emails":[{"value":"c","type":"work","primary":true}]}`},
		{"PUT clears what it does not state", "PUT", bjensen, `{"userName":"bjensen","active":true}`, core + `"userName":"bjensen","active":true}`},
		{"PUT without active leaves a deactivated user deactivated", "PUT", core + `"userName":"a","active":false}`, `{"userName":"a","title":"x"}`, core + `"userName":"a","title":"x","active":false}`},
		{"PUT without active leaves an active user active", "PUT", core + `"userName":"a","active":true}`, `{"userName":"b"}`, core + `"userName":"b","active":true}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := carryOut(t, userType, tt.method, tt.before, tt.body)
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("%s %s (-want +got):\n%s", tt.method, tt.body, diff)
			}
		})
	}
	for _, body := range []string{`{}`, `{"userName":""}`, `{"userName":null}`, `{"userName":" "}`, `{"name":{"familyName":"x"}}`} {
		if _, _, err := try(userType, "POST", "", body); problem(err).ScimType != "invalidValue" {
			t.Errorf("POST %s = %v, want invalidValue: userName is required", body, err)
		}
		if _, _, err := try(groupType, "POST", "", body); problem(err).ScimType != "invalidValue" {
			t.Errorf("POST %s = %v, want invalidValue: displayName is required", body, err)
		}
	}
	for _, body := range []string{`[]`, `"x"`, `null`, `1`} {
		if _, _, err := try(userType, "POST", "", body); problem(err).ScimType != "invalidSyntax" {
			t.Errorf("POST %s = %v, want invalidSyntax", body, err)
		}
	}
}

func TestUnknownAttributesAreListed(t *testing.T) {
	_, asked := carryOut(t, userType, "POST", "", `{"userName":"a","shoeSize":42,"name.colour":"x","emails[":1,"`+enterprise+`":{"cubicle":"7","MANAGER":{"managerId":"1"}},`+
		`"urn:x:y":{"z":1},"Name":{"nick":"b"},"emails":[{"value":"a@b.c","city":"x"},{"value":"d@b.c","city":"y"}]}`)
	want := []string{"shoeSize", "name.colour", "emails[", enterprise + ":cubicle", enterprise + ":manager.managerId", "urn:x:y", "name.nick", "emails.city"}
	if diff := cmp.Diff(want, asked.ignored); diff != "" {
		t.Errorf("ignored (-want +got):\n%s", diff)
	}
	var many strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&many, `"x%d":1,`, i)
	}
	if _, asked = carryOut(t, userType, "POST", "", `{`+many.String()+`"userName":"a"}`); len(asked.ignored) != maxIgnored {
		t.Errorf("%d ignored attributes are listed, want %d", len(asked.ignored), maxIgnored)
	}
}

func TestColumnsOfAUser(t *testing.T) {
	tests := []struct{ name, emails, want string }{
		{"the primary address", `[{"value":"a","type":"work"},{"value":"b","primary":true}]`, "b"},
		{"else that of work", `[{"value":"a"},{"value":"b","type":"WORK"}]`, "b"},
		{"else the first", `[{"value":"a","type":"home"},{"value":"b"}]`, "a"},
		{"none", `[]`, ""},
	}
	for _, tt := range tests {
		body, err := parseJSON(`{"userName":"U","displayName":"D","externalId":"E","emails":` + tt.emails + `}`)
		if err != nil {
			t.Fatal(err)
		}
		asked, err := userType.fromResource(body)
		if err != nil {
			t.Fatal(err)
		}
		u, err := newUser(asked, bare)
		if err != nil || u.UserName != "U" || u.DisplayName != "D" || u.ExternalID != "E" || !u.Active || u.Email != tt.want {
			t.Errorf("%s: %+v, %v", tt.name, u, err)
		}
	}
}
