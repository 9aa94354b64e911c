package verifier

import (
	"debug/buildinfo"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"testing"
)

// TestLibrariesOfABuild builds a program with this package and reads what it was built with
// (go test leaves that out of its own binaries).
func TestLibrariesOfABuild(t *testing.T) {
	folder, err := os.MkdirTemp("testdata", "build")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) }) // of a test: nothing depends on it
	const program = `package main

import _ "github.com/rolesync/rolesync/saml/verifier"

func main() {}
`
	if err := os.WriteFile(filepath.Join(folder, "main.go"), []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "program")
	if output, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./"+folder).CombinedOutput(); err != nil {
		t.Fatalf("go build = %v: %s", err, output)
	}
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckLibraries(info); err != nil {
		t.Error(err)
	}
	found := 0
	for _, module := range info.Deps {
		if _, watched := least[module.Path]; watched {
			found++
		}
	}
	if found != len(least) {
		t.Errorf("the build lists %d of the %d libraries", found, len(least))
	}
}

func TestCheckLibraries(t *testing.T) {
	const dsig = "github.com/russellhaering/goxmldsig"
	tests := []struct {
		name   string
		module debug.Module
		pass   bool
	}{
		{"the least", debug.Module{Path: dsig, Version: "v1.6.1"}, true},
		{"a later one", debug.Module{Path: dsig, Version: "v1.10.0"}, true},
		{"the exploitable one", debug.Module{Path: dsig, Version: "v1.4.0"}, false},
		{"one before the least", debug.Module{Path: dsig, Version: "v1.6.0"}, false},
		{"a commit", debug.Module{Path: dsig, Version: "v1.6.2-0.20260101000000-abcdefabcdef"}, false},
		{"a replacement", debug.Module{Path: dsig, Version: "v1.6.1", Replace: &debug.Module{Path: "example.com/fork", Version: "v1.0.0"}}, false},
		{"no version", debug.Module{Path: dsig}, false},
		{"another library", debug.Module{Path: "example.com/x", Version: "v0.0.1"}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := CheckLibraries(&debug.BuildInfo{Deps: []*debug.Module{&test.module}}); (err == nil) != test.pass {
				t.Errorf("CheckLibraries = %v, want it to pass: %v", err, test.pass)
			}
		})
	}
}
