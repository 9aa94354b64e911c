package app_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/rolesync/rolesync/"

// mayImport is the architecture: for each package, the packages of ours that it may
// import. Tests may import more.
var mayImport = map[string][]string{
	"cmd/rolesync": {"claims", "config", "internal/admin", "internal/app", "internal/demo", "internal/directory", "internal/fault", "internal/simulate", "sync"},

	"internal/demo": {"claims", "internal/admin", "internal/app", "internal/directory", "internal/fault", "internal/simulate", "mapping", "sync"},
	"internal/app": {"config", "internal/admin", "internal/adminapi", "internal/credential", "internal/directory", "internal/sso", "internal/store",
		"internal/traffic", "internal/web", "saml", "saml/metadata", "saml/verifier", "scim", "sync"},

	"internal/adminapi": {"internal/admin", "internal/directory", "internal/fault", "mapping"},
	"internal/admin":    {"internal/credential", "internal/directory", "internal/fault", "internal/store", "internal/traffic", "mapping", "saml/metadata", "sync"},
	"internal/web":      {"internal/directory"},
	"scim":              {"internal/credential", "internal/directory", "internal/fault", "internal/oauth", "internal/store", "internal/traffic", "sync"},

	"saml": {"internal/credential", "internal/directory", "internal/fault", "internal/sso", "internal/store", "internal/traffic",
		"mapping", "saml/metadata", "saml/verifier", "sync"},
	"saml/verifier": {"internal/directory", "internal/fault"},
	"saml/metadata": {"internal/directory", "internal/fault"},

	"internal/sso":        {"claims", "internal/credential", "internal/directory", "internal/fault", "internal/oauth", "internal/store"},
	"internal/oauth":      {},
	"internal/traffic":    {"internal/directory", "internal/fault", "internal/store"},
	"sync":                {"claims", "internal/directory", "internal/fault", "internal/store", "mapping"},
	"internal/store":      {"internal/credential", "internal/directory", "internal/fault", "mapping"},
	"internal/credential": {"internal/directory"},
	"claims":              {"internal/directory"},
	"mapping":             {"internal/directory", "internal/fault"},
	"internal/directory":  {"internal/fault"},
	"internal/fault":      {},
	"config":              {},

	// What is not part of the service: it sees the service as users do.
	"claims/example":      {"claims"},
	"internal/simulate":   {"claims"},
	"internal/harness":    {},
	"internal/testserver": {},
	"internal/bench":      {"claims", "internal/harness", "internal/testserver", "saml/samltest", "sync"},
	"internal/badtimes":   {},
	"internal/interop":    {},
	"saml/samltest":       {},
}

// onlyIn names, for a library, the packages that may import it: a library is an
// implementation detail of one package, so that it can be replaced there.
var onlyIn = map[string][]string{
	"database/sql":                        {"internal/store"},
	"github.com/jackc/pgx":                {"internal/store", "internal/testserver"},
	"modernc.org/sqlite":                  {"internal/store"},
	"github.com/pressly/goose":            {"internal/store"},
	"github.com/redis/go-redis":           {"sync", "claims", "claims/example"},
	"github.com/alicebob/miniredis":       {"sync"},
	"github.com/elimity-com/scim":         {"scim"},
	"github.com/scim2/filter-parser":      {"scim"},
	"github.com/crewjam/saml":             {"saml", "saml/metadata", "saml/verifier"},
	"github.com/russellhaering/goxmldsig": {"saml/verifier"},
	"github.com/beevik/etree":             {"saml/metadata", "saml/verifier"},
	"golang.org/x/time":                   {"scim"},
	"github.com/danielgtaylor/huma":       {"internal/adminapi"},
	"github.com/alecthomas/kong":          {"cmd/rolesync"},
	"gopkg.in/yaml.v3":                    {"config"},
	"github.com/caarlos0/env":             {"config"},
}

// pure names packages that decide and do nothing else, and what they must not know.
var pure = map[string][]string{
	"mapping":            {"context", "time", "log", "log/slog", "net", "net/http", "os"},
	"internal/directory": {"context", "log", "log/slog", "net", "net/http", "os"},
	"internal/fault":     {"context", "time", "log", "log/slog", "net", "net/http", "os"},
}

func TestImportsPointOneWay(t *testing.T) {
	root := filepath.Join("..", "..")
	seen := map[string]bool{}
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && name != root && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata" || entry.Name() == "data") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		pkg := path.Dir(filepath.ToSlash(relative))
		allowed, known := mayImport[pkg]
		if !known {
			t.Errorf("%s: package %s is not in the architecture; say here what it may import", relative, pkg)
			return nil
		}
		seen[pkg] = true
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			checkImport(t, relative, pkg, imported, allowed)
			if alias := spec.Name; imported == module+"sync" && (alias == nil || alias.Name != "rolesync") {
				t.Errorf("%s imports our sync without the name rolesync", relative)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range mayImport {
		if !seen[pkg] {
			t.Errorf("the architecture names %s, which has no code", pkg)
		}
	}
}

func checkImport(t *testing.T, file, pkg, imported string, allowed []string) {
	t.Helper()
	if ours, ok := strings.CutPrefix(imported, module); ok && !slices.Contains(allowed, ours) {
		t.Errorf("%s imports %s, which %s may not know", file, ours, pkg)
	}
	for library, packages := range onlyIn {
		if (imported == library || strings.HasPrefix(imported, library+"/")) && !slices.Contains(packages, pkg) {
			t.Errorf("%s imports %s, which only %v may", file, imported, packages)
		}
	}
	if slices.Contains(pure[pkg], imported) {
		t.Errorf("%s imports %s, but %s is pure", file, imported, pkg)
	}
}
