package mapping_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/mapping"
)

var update = flag.Bool("update", false, "write what the golden files should hold; a person reads the diff")

// testFacts is how a golden file writes directory.Facts, which have no JSON of their own.
type testFacts struct {
	User   directory.UserID         `json:"user"`
	Active bool                     `json:"active"`
	Groups []mapping.GroupReference `json:"groups"`
}

func (f testFacts) facts() directory.Facts {
	facts := directory.Facts{User: directory.User{ID: f.User, Active: f.Active}}
	for _, g := range f.Groups {
		facts.Groups = append(facts.Groups, directory.Membership{Group: g.Group, DisplayName: g.Name, Connection: g.Connection, Via: g.Via})
	}
	return facts
}

// TestGolden runs each file of testdata: catalog.json, rules.json and facts.json give
// assignment.json and explain.json (the explanation without the assignment that is in
// it); or catalog.json and rules.json alone give problems.txt.
func TestGolden(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var catalog mapping.Catalog
			var rules mapping.RuleSet
			decode(t, archive, "catalog.json", &catalog)
			decode(t, archive, "rules.json", &rules)
			program, err := mapping.Compile(catalog, rules)

			want := &txtar.Archive{Comment: archive.Comment, Files: inputs(archive)}
			add := func(name string, data []byte) { want.Files = append(want.Files, txtar.File{Name: name, Data: data}) }
			if err != nil {
				checkProblems(t, err)
				if slices.ContainsFunc(archive.Files, func(f txtar.File) bool { return f.Name == "facts.json" }) {
					t.Fatalf("Compile: %v", err)
				}
				add("problems.txt", []byte(err.Error()+"\n"))
			} else {
				var facts testFacts
				decode(t, archive, "facts.json", &facts)
				assignment := program.Evaluate(facts.facts())
				explanation := mapping.Explain(program, facts.facts())
				if diff := cmp.Diff(assignment, explanation.Assignment); diff != "" {
					t.Errorf("Explain has another assignment than Evaluate (-Evaluate +Explain):\n%s", diff)
				}
				add("assignment.json", encode(t, assignment))
				add("explain.json", withoutAssignment(t, explanation))
			}
			got := txtar.Format(want)
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(txtar.Format(archive)), string(got)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", path, diff)
			}
		})
	}
}

// checkProblems checks what holds for every error of Compile.
func checkProblems(t testing.TB, err error) {
	t.Helper()
	problems, ok := errors.AsType[mapping.Problems](err)
	if !ok || len(problems) == 0 {
		t.Fatalf("Compile gave %v, which has no Problems", err)
	}
	for _, p := range problems {
		if p.Path == "" || p.Message == "" {
			t.Errorf("Compile gave a problem without path or message: %+v", p)
		}
	}
	kind, text := fault.Public(err)
	if kind != fault.Invalid || text != err.Error() {
		t.Errorf("fault.Public(%v) = %v, %q", err, kind, text)
	}
}

func inputs(archive *txtar.Archive) []txtar.File {
	var files []txtar.File
	for _, f := range archive.Files {
		switch f.Name {
		case "catalog.json", "rules.json", "facts.json":
			files = append(files, f)
		}
	}
	return files
}

func decode(t testing.TB, archive *txtar.Archive, name string, into any) {
	t.Helper()
	for _, f := range archive.Files {
		if f.Name != name {
			continue
		}
		d := json.NewDecoder(bytes.NewReader(f.Data))
		d.DisallowUnknownFields()
		if err := d.Decode(into); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return
	}
	t.Fatalf("there is no %s", name)
}

func encode(t testing.TB, value any) []byte {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(value); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func withoutAssignment(t testing.TB, e mapping.Explanation) []byte {
	t.Helper()
	return encode(t, struct {
		User        directory.UserID           `json:"user"`
		Decision    mapping.Decision           `json:"decision"`
		Dropped     []mapping.RoleKey          `json:"dropped"`
		Permissions []mapping.PermissionReason `json:"permissions"`
		Rules       []mapping.RuleOutcome      `json:"rules"`
	}{e.User, e.Decision, e.Dropped, e.Permissions, e.Rules})
}
