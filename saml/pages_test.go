package saml_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The pages that a customer's administrator reads are all reached from the index, and lead
// nowhere that is not there.
func TestPagesOfProviders(t *testing.T) {
	const folder = "../docs/sso"
	files, err := filepath.Glob(folder + "/*.md")
	if err != nil || len(files) < 9 {
		t.Fatalf("%d pages, %v", len(files), err)
	}
	read := func(file string) string {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	index := read(folder + "/README.md")
	link := regexp.MustCompile(`\]\(([^)#:]*)(?:#([^)]*))?\)`)
	for _, file := range files {
		name, page := filepath.Base(file), read(file)
		if name != "README.md" && !strings.Contains(index, "]("+name+")") {
			t.Errorf("the index has no link to %s", name)
		}
		if name != "README.md" && !strings.Contains(page, "README.md#the-usual-red-rows") {
			t.Errorf("%s does not lead to what a refusal means", name)
		}
		for _, match := range link.FindAllStringSubmatch(page, -1) {
			target := filepath.Join(folder, match[1])
			if match[1] == "" {
				target = file
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which is not there", name, match[1])
			} else if match[2] != "" && !strings.Contains(anchors(read(target)), "#"+match[2]+"\n") {
				t.Errorf("%s links to #%s, which %s does not have", name, match[2], target)
			}
		}
	}
}

// anchors are those of the headings of a page, a line each.
func anchors(page string) string {
	var b strings.Builder
	for line := range strings.Lines(page) {
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			title = regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(title), "")
			b.WriteString("#" + strings.ReplaceAll(strings.TrimSpace(title), " ", "-") + "\n")
		}
	}
	return b.String()
}
