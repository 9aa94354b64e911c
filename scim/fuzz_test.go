package scim

import (
	"encoding/json"
	"testing"

	"github.com/rolesync/rolesync/internal/directory"
)

// FuzzPatch sends bodies to PATCH, PUT and POST of both resource types. Whatever is
// accepted leaves a resource that holds together.
func FuzzPatch(f *testing.F) {
	for _, r := range allRecorded(f) {
		f.Add(string(r.Body))
	}
	for _, op := range []string{
		`{"op":"remove","path":"emails[type eq \"work\"]"}`, `{"op":"add","path":"emails[primary eq true and type eq \"home\"].value","value":["x"]}`,
		`{"op":"replace","path":"emails.primary","value":"True"}`, `{"op":"replace","path":"ims[not (type eq \"x\")]","value":{"value":"v"}}`,
		`{"op":"remove","path":"emails","value":[{"type":"home"}]}`, `{"op":"add","value":{"name.givenName":"x","emails[type eq \"fax\"].value":"1"}}`,
	} {
		f.Add(`{"Operations":[` + op + `]}`)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, rt := range []*resourceType{userType, groupType} {
			before := map[*resourceType]string{userType: bjensen, groupType: guides}[rt]
			for _, method := range []string{"POST", "PUT", "PATCH"} {
				after, _, err := try(rt, method, before, body)
				if err != nil {
					if e := problem(err); e.Status != 400 && e.Status != 413 || e.Detail == "" {
						t.Fatalf("%s %q = %v: not the client's fault?", method, body, err)
					}
					continue
				}
				holdsTogether(t, rt, after)
			}
		}
	})
}

func holdsTogether(t *testing.T, rt *resourceType, document json.RawMessage) {
	t.Helper()
	if again := canonical(t, rt, document); string(again) != string(document) {
		t.Fatalf("the stored form is not stable:\n%s\n%s", document, again)
	}
	r, err := rt.decode(document)
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range rt.attributes.list {
		n := &r.nodes[i]
		if n.set && a.storage != stored {
			t.Fatalf("%s is stored: %s", a.name, document)
		}
		if !a.multi || a.kind != complexKind {
			continue
		}
		primaries := 0
		for j := range n.parts {
			if n.parts[j].part(a.primary) == "true" {
				primaries++
			}
			if a.hollow(&n.parts[j]) {
				t.Fatalf("%s has an element that says nothing: %s", a.name, document)
			}
		}
		if primaries > 1 {
			t.Fatalf("%s has %d primary elements: %s", a.name, primaries, document)
		}
	}
	if name := r.node(map[string]string{"User": "userName", "Group": "displayName"}[rt.name]).text; directory.Fold(name) == "" {
		t.Fatalf("the name is missing: %s", document)
	}
	if containsNull(tree(t, document)) {
		t.Fatalf("null is stored: %s", document)
	}
}

func containsNull(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case []any:
		for _, e := range v {
			if containsNull(e) {
				return true
			}
		}
	case map[string]any:
		for _, e := range v {
			if containsNull(e) {
				return true
			}
		}
	}
	return false
}
