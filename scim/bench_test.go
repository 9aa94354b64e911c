package scim

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
)

// The work between the socket and the store, without either.

func mustParse(b *testing.B, body string) value {
	v, err := parseJSON(body)
	if err != nil {
		b.Fatal(err)
	}
	return v
}

func benchmarkBody(b *testing.B, file string) string {
	data, err := os.ReadFile("testdata/" + file)
	if err != nil {
		b.Fatal(err)
	}
	return string(appendValue(nil, mustParse(b, string(data)).get("body")))
}

func BenchmarkCreateUser(b *testing.B) {
	body := benchmarkBody(b, "entra/create_user_full_mapping.json")
	v := view{base: "https://roles.example.com/scim/v2/conn_06h00itep5q9r5i23e6glu5oao", show: projection{of: userType}}
	var buffer []byte
	b.ReportAllocs()
	for b.Loop() {
		asked, err := userType.fromResource(mustParse(b, body))
		if err != nil {
			b.Fatal(err)
		}
		u, err := newUser(asked, directory.User{ID: "usr_06h00itep5q9r5i23e6glu5oao", CreatedAt: time.Now().UTC(), Revision: 1})
		if err != nil {
			b.Fatal(err)
		}
		if buffer, _, err = v.appendUser(buffer[:0], &u, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPatchUser(b *testing.B) {
	body := benchmarkBody(b, "entra/replace_many_legacy.json")
	b.ReportAllocs()
	for b.Loop() {
		asked, err := userType.fromPatch(mustParse(b, body))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := patchUser(asked, directory.User{Resource: []byte(bjensen)}); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkMembers(b *testing.B, body string, want int) {
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		asked, err := groupType.fromPatch(mustParse(b, body))
		if err != nil || len(asked.members.additions())+len(asked.members.removals()) != want {
			b.Fatal(err)
		}
	}
}

func BenchmarkPatchAddOneMember(b *testing.B) {
	benchmarkMembers(b, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"add","path":"members","value":[{"value":"usr_06h00itep5q9r5i23e6glu5oao","display":"a@b.c"}]}]}`, 1)
}

func BenchmarkPatchRemoveThousandMembers(b *testing.B) {
	var ops strings.Builder
	for range 1000 {
		ops.WriteString(`{"op":"remove","path":"members[value eq \"` + string(directory.NewUserID()) + `\"]"},`)
	}
	benchmarkMembers(b, `{"Operations":[`+strings.TrimSuffix(ops.String(), ",")+`]}`, 1000)
}

func BenchmarkPutGroupOfTenThousand(b *testing.B) {
	var list strings.Builder
	for range 10_000 {
		list.WriteString(`{"value":"` + string(directory.NewUserID()) + `","display":"someone@example.com"},`)
	}
	body := `{"displayName":"g","members":[` + strings.TrimSuffix(list.String(), ",") + `]}`
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		asked, err := groupType.fromResource(mustParse(b, body))
		if err != nil || len(asked.members.additions()) != 10_000 {
			b.Fatal(err)
		}
	}
}

func BenchmarkRenderGroupOfTenThousand(b *testing.B) {
	members := make([]directory.MemberID, 10_000)
	for i := range members {
		members[i] = directory.MemberID(directory.NewUserID())
	}
	g := directory.Group{ID: directory.NewGroupID(), Resource: []byte(guides)}
	v := view{base: "https://roles.example.com/scim/v2/conn_06h00itep5q9r5i23e6glu5oao", show: projection{of: groupType}}
	var buffer []byte
	var err error
	b.ReportAllocs()
	for b.Loop() {
		if buffer, err = v.appendGroup(buffer[:0], &g, whole(members)); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(buffer)))
}

func BenchmarkRenderUserProjected(b *testing.B) {
	u := directory.User{ID: directory.NewUserID(), Resource: []byte(bjensen)}
	v := view{base: "https://roles.example.com/scim/v2/conn_06h00itep5q9r5i23e6glu5oao"}
	var buffer []byte
	var err error
	b.ReportAllocs()
	for b.Loop() {
		v.show = newProjection(userType, "userName,name.familyName", "")
		if buffer, _, err = v.appendUser(buffer[:0], &u, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLookUpFilter(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		q, err := parseQuery(`filter=userName+eq+%22test.user%40okta.local%22&startIndex=1&count=100`)
		if err != nil {
			b.Fatal(err)
		}
		if s, err := newSelection(userType, q, nil); err != nil || !s.clause.exact {
			b.Fatal(err)
		}
	}
}
