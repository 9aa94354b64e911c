package claims_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolesync/rolesync/claims"
)

const admin = `{"v":7,"epoch":2,"active":true,"role":"admin","roles":["admin","billing"],"permissions":["billing:view"],"licenses":["pro"],"entitlements":["export"],"updated_at":"2026-11-21T10:20:30.123456Z","aliases":["user_name:jane@example.com"]}`

func adminAssignment() claims.Assignment {
	return claims.Assignment{
		Version: 7, Epoch: 2, Active: true,
		Role: "admin", Roles: []string{"admin", "billing"}, Permissions: []string{"billing:view"},
		Licenses: []string{"pro"}, Entitlements: []string{"export"},
		UpdatedAt: time.Date(2026, 11, 21, 10, 20, 30, 123456000, time.UTC),
		Aliases:   []string{"user_name:jane@example.com"},
	}
}

func TestAssignmentIsWrittenInTheOrderOfTheContract(t *testing.T) {
	east := time.FixedZone("east", 3600)
	for _, test := range []struct {
		name string
		a    claims.Assignment
		want string
	}{
		{"everything", adminAssignment(), admin},
		{"nothing stated, nil lists, another zone, and no key fields",
			claims.Assignment{Organization: "org_1", Subject: "usr_1", Version: 1, Active: true, UpdatedAt: time.Date(2026, 1, 2, 1, 0, 0, 0, east)},
			`{"v":1,"epoch":0,"active":true,"role":"","roles":[],"permissions":[],"licenses":[],"entitlements":[],"updated_at":"2026-01-02T00:00:00Z","aliases":[]}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := json.Marshal(test.a)
			if err != nil || string(got) != test.want {
				t.Errorf("Marshal = %s, %v\nwant %s", got, err, test.want)
			}
		})
	}
}

func TestAssignmentIsReadWholeOrNotAtAll(t *testing.T) {
	inactive := claims.Assignment{
		Version: 8, Epoch: 3, Roles: []string{}, Permissions: []string{}, Licenses: []string{}, Entitlements: []string{}, Aliases: []string{},
	}
	without := func(key string) string {
		var m map[string]any
		if err := json.Unmarshal([]byte(admin), &m); err != nil {
			t.Fatal(err)
		}
		delete(m, key)
		data, _ := json.Marshal(m)
		return string(data)
	}
	newer := strings.TrimSuffix(admin, "}") + `,"groups":["x"]}`
	want := adminAssignment()
	for _, test := range []struct {
		name, data string
		want       *claims.Assignment // nil: ErrMalformed
	}{
		{"the contract", admin, &want},
		{"a newer writer's extra key", newer, &want},
		{"an inactive user that still lists roles", `{"v":8,"epoch":3,"active":false,"role":"admin","roles":["admin"],"permissions":["a:b"],"licenses":["l"],"entitlements":["e"]}`, &inactive},
		{"no version", without("v"), nil},
		{"no epoch", without("epoch"), nil},
		{"no active", without("active"), nil},
		{"no role", without("role"), nil},
		{"no roles", without("roles"), nil},
		{"no permissions", without("permissions"), nil},
		{"no licenses", without("licenses"), nil},
		{"no entitlements", without("entitlements"), nil},
		{"version 0", strings.Replace(admin, `"v":7`, `"v":0`, 1), nil},
		{"negative epoch", strings.Replace(admin, `"epoch":2`, `"epoch":-1`, 1), nil},
		{"active as a string", strings.Replace(admin, `"active":true`, `"active":"true"`, 1), nil},
		{"roles as a string", strings.Replace(admin, `["admin","billing"]`, `"admin"`, 1), nil},
		{"a number among the roles", strings.Replace(admin, `["admin","billing"]`, `["admin",1]`, 1), nil},
		{"roles null", strings.Replace(admin, `["admin","billing"]`, `null`, 1), nil},
		{"null", `null`, nil},
		{"a list", `[]`, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got claims.Assignment
			err := got.UnmarshalJSON([]byte(test.data))
			if test.want == nil {
				if !errors.Is(err, claims.ErrMalformed) {
					t.Errorf("Unmarshal error = %v, want ErrMalformed", err)
				}
				test.want = &claims.Assignment{}
			} else if err != nil {
				t.Fatalf("Unmarshal error = %v", err)
			}
			if diff := cmp.Diff(*test.want, got); diff != "" {
				t.Errorf("Unmarshal (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHasAndRequire(t *testing.T) {
	a := adminAssignment()
	gone := adminAssignment()
	gone.Active = false
	for _, test := range []struct {
		name string
		a    claims.Assignment
		ask  []string
		want string // of the error
	}{
		{"held", a, []string{"billing:view"}, ""},
		{"active is enough when nothing is asked", a, nil, ""},
		{"some missing", a, []string{"billing:view", "billing:edit", "users:read"}, "access denied: missing billing:edit, users:read"},
		{"no wildcard", a, []string{"billing:*"}, "access denied: missing billing:*"},
		{"inactive, though listed", gone, []string{"billing:view"}, "access denied: the user is not active"},
		{"inactive and nothing asked", gone, nil, "access denied: the user is not active"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := test.a.Require(test.ask...)
			if test.want == "" && err != nil || test.want != "" && (err == nil || err.Error() != test.want || !errors.Is(err, claims.ErrDenied)) {
				t.Errorf("Require(%q) = %v, want %q", test.ask, err, test.want)
			}
		})
	}
	if !a.HasRole("billing") || a.HasRole("Billing") || gone.HasRole("billing") || gone.Has("billing:view") {
		t.Error("HasRole and Has must be exact, and false for an inactive user")
	}
}

func TestClaimsOfAnInactiveUserStateNothing(t *testing.T) {
	a := adminAssignment()
	a.Organization = "org_1"
	const want = `{"org_id":"org_1","role":"admin","roles":["admin","billing"],"permissions":["billing:view"],"licenses":["pro"],"entitlements":["export"],"epoch":2,"rolesync_version":7}`
	if got, _ := json.Marshal(a.Claims()); string(got) != want {
		t.Errorf("Claims = %s\nwant %s", got, want)
	}
	var fromStruct, fromMap map[string]any
	asStruct, _ := json.Marshal(a.Claims())
	asMap, _ := json.Marshal(a.Claims().Map())
	if json.Unmarshal(asStruct, &fromStruct) != nil || json.Unmarshal(asMap, &fromMap) != nil {
		t.Fatal("claims are not JSON")
	}
	if diff := cmp.Diff(fromStruct, fromMap); diff != "" {
		t.Errorf("Map differs from the struct (-struct +map):\n%s", diff)
	}
	a.Active = false
	const none = `{"org_id":"org_1","role":"","roles":[],"permissions":[],"licenses":[],"entitlements":[],"epoch":2,"rolesync_version":7}`
	if got, _ := json.Marshal(a.Claims()); string(got) != none {
		t.Errorf("Claims of an inactive user = %s\nwant %s", got, none)
	}
}

func TestKeysAndAliases(t *testing.T) {
	for _, test := range []struct{ name, got, want string }{
		{"assignments", claims.Keys{}.Assignments("org_1"), "rolesync:{org_1}:assignments"},
		{"aliases", claims.Keys{}.Aliases("org_1"), "rolesync:{org_1}:aliases"},
		{"meta", claims.Keys{}.Meta("org_1"), "rolesync:{org_1}:meta"},
		{"another prefix", claims.Keys{Prefix: "acme:roles"}.Changes("org_1"), "acme:roles:{org_1}:changes"},
		{"userName is folded", claims.UserName("  Jane.DOE@Example.com "), "user_name:jane.doe@example.com"},
		{"e-mail is folded", claims.Email("STRASSE@example.com"), "email:strasse@example.com"},
		{"folded as Unicode says", claims.Email("straße@example.com"), "email:strasse@example.com"},
		{"externalId is taken as it is", claims.ExternalID(" 00uA1 "), "external_id: 00uA1 "},
		{"NameID is folded", claims.NameID("Jane@Example.com"), "name_id:jane@example.com"},
		{"nobody's userName", claims.UserName("  "), ""},
		{"nobody's externalId", claims.ExternalID(""), ""},
	} {
		if test.got != test.want {
			t.Errorf("%s: %q, want %q", test.name, test.got, test.want)
		}
	}
}

func FuzzAssignment(f *testing.F) {
	f.Add([]byte(admin))
	f.Add([]byte(`{"v":8,"epoch":3,"active":false,"role":"x","roles":["x"],"permissions":[],"licenses":[],"entitlements":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var a claims.Assignment
		if err := json.Unmarshal(data, &a); err != nil {
			if !cmp.Equal(a, claims.Assignment{}) {
				t.Fatalf("a part was read: %+v", a)
			}
			return
		}
		if !a.Active && (a.Role != "" || len(a.Roles)+len(a.Permissions)+len(a.Licenses)+len(a.Entitlements) > 0) {
			t.Fatalf("an inactive user holds something: %+v", a)
		}
		again, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		var b claims.Assignment
		if err := json.Unmarshal(again, &b); err != nil || !cmp.Equal(a, b) {
			t.Fatalf("written and read again: %v\n%s", err, cmp.Diff(a, b))
		}
	})
}
