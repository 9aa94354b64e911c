package scim

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolesync/rolesync/internal/directory"
)

// recorded is a request as an identity provider sends it, and what comes of it.
type recorded struct {
	Source  string          // where the shape is from
	Request string          // "PATCH /Users/{id}"
	Before  json.RawMessage // the stored resource; none for POST
	Body    json.RawMessage
	After   json.RawMessage
	// What is asked for the members of a group.
	Replaced       bool
	Added, Removed []string
	Ignored        []string
}

// allRecorded reads every recorded request.
func allRecorded(t testing.TB) []message {
	t.Helper()
	files, err := filepath.Glob("testdata/*/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded requests: %v", err)
	}
	all := make([]message, len(files))
	for i, file := range files {
		all[i] = readMessage(t, file)
	}
	return all
}

// TestProvidersDialects carries out every recorded request. Their overview, by shape and
// by provider, is testdata/README.md.
func TestProvidersDialects(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded requests: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(strings.TrimPrefix(file, "testdata/"), ".json"), func(t *testing.T) {
			t.Parallel()
			r := readMessage(t, file)
			rt, method := r.rt, r.method
			after, asked := carryOut(t, rt, method, string(r.Before), string(r.Body))
			if diff := cmp.Diff(tree(t, r.After), tree(t, after)); diff != "" {
				t.Errorf("%s: resource (-want +got):\n%s", r.Request, diff)
			}
			if again := canonical(t, rt, after); string(again) != string(after) {
				t.Errorf("stored form is not stable:\n%s\n%s", after, again)
			}
			m := asked.members
			got := []any{m.replaced, m.additions(), m.removals(), asked.ignored}
			want := []any{r.Replaced || method == "PUT" && rt == groupType, r.Added, r.Removed, r.Ignored}
			if method == "PUT" {
				got[0] = want[0] // PutGroup replaces whatever is stated
			}
			if diff := cmp.Diff(want, got, nilIsEmpty); diff != "" {
				t.Errorf("%s: members and ignored attributes (-want +got):\n%s", r.Request, diff)
			}
		})
	}
}

var nilIsEmpty = cmp.FilterValues(func(a, b []string) bool { return len(a)+len(b) == 0 }, cmp.Ignore())

// carryOut does what the handlers do between the body and the store.
func carryOut(t testing.TB, rt *resourceType, method, before, body string) (json.RawMessage, *changes) {
	t.Helper()
	after, asked, err := try(rt, method, before, body)
	if err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	return after, asked
}

func try(rt *resourceType, method, before, body string) (json.RawMessage, *changes, error) {
	parsed, err := parseJSON(body)
	if err != nil {
		return nil, nil, err
	}
	read := rt.fromResource
	if method == "PATCH" {
		read = rt.fromPatch
	}
	asked, err := read(parsed)
	if err != nil {
		return nil, nil, err
	}
	if rt == groupType {
		do := newGroup
		if method == "PATCH" {
			do = patchGroup
		}
		g, err := do(asked, directory.Group{Resource: json.RawMessage(before)})
		return g.Resource, asked, err
	}
	do := map[string]func(*changes, directory.User) (directory.User, error){"POST": newUser, "PUT": putUser, "PATCH": patchUser}[method]
	u, err := do(asked, directory.User{Resource: json.RawMessage(before)})
	return u.Resource, asked, err
}

// canonical decodes and encodes a stored resource.
func canonical(t testing.TB, rt *resourceType, document json.RawMessage) json.RawMessage {
	t.Helper()
	r, err := rt.decode(document)
	if err != nil {
		t.Fatal(err)
	}
	return r.encode()
}

func tree(t testing.TB, data []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	return v
}
