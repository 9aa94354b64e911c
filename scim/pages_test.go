package scim

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestEveryProviderHasAPage holds docs/providers to the recordings: one page for each,
// short enough to be read while clicking, listed in the index, with links that lead
// somewhere.
func TestEveryProviderHasAPage(t *testing.T) {
	const pages = "../docs/providers"
	index := readPage(t, pages+"/README.md")
	recordings, err := filepath.Glob("testdata/*/*.json")
	if err != nil {
		t.Fatal(err)
	}
	providers := []string{"README"}
	for _, file := range recordings {
		provider := providerOf(file)
		if slices.Contains(providers, provider) {
			continue
		}
		providers = append(providers, provider)
		if !strings.Contains(index, "]("+provider+".md)") {
			t.Errorf("the index has no link to %s.md", provider)
		}
		page := readPage(t, filepath.Join(pages, provider+".md"))
		if n := strings.Count(page, "\n"); n > 100 {
			t.Errorf("%s.md has %d lines; at most 100 are read", provider, n)
		}
		if !strings.Contains(page, "rolesync simulate "+provider) {
			t.Errorf("%s.md does not say how to play the provider", provider)
		}
	}
	link := regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	files, err := filepath.Glob(pages + "/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if provider := strings.TrimSuffix(filepath.Base(file), ".md"); !slices.Contains(providers, provider) {
			t.Errorf("%s is of a provider of whom nothing is recorded", file)
		}
		for _, match := range link.FindAllStringSubmatch(readPage(t, file), -1) {
			if _, err := os.Stat(filepath.Join(pages, match[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", file, match[1])
			}
		}
	}
}

func readPage(t testing.TB, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
