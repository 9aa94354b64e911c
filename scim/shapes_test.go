package scim

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write testdata/README.md; a person reads the diff")

// shape is one way in which providers depart from RFC 7644, or use what few others
// do. It is recognised in the recorded bodies, so the table cannot claim what no
// provider sends; that the outcome is so, TestProvidersDialects shows for each file.
type shape struct {
	name    string
	outcome string
	in      func(message) bool
}

var shapes = []shape{
	{"`op` in another letter case", "understood", message.capitalOp},
	{"names of attributes in another letter case", "understood", message.capitalName},
	{"PATCH without a path", "each attribute of the value is changed", func(m message) bool { return m.method == "PATCH" && len(m.stated()) > 0 }},
	{"dotted key: `\"name.givenName\": …`", "the sub-attribute is set, its siblings stay", statesKey(func(key string) bool {
		return strings.Contains(key, ".") && !strings.ContainsAny(key, "[:")
	})},
	{"key with a filter: `\"emails[type eq \\\"work\\\"].value\": …`", "as a path", statesKey(func(key string) bool { return strings.Contains(key, "[") })},
	{"flat URN key in POST", "merged into the extension", flatURN("POST")},
	{"flat URN key in PUT", "merged into the extension", flatURN("PUT")},
	{"flat URN key in PATCH", "merged into the extension", flatURN("PATCH")},
	{"URN with a dot: `urn:…:User.department`", "as with a colon", namesPath(func(path string) bool { return strings.Contains(path, "User.") })},
	{"boolean as a string: `\"False\"`", "a boolean", message.booleanString},
	{"boolean as a string in a filter: `primary eq \"True\"`", "a boolean", namesPath(func(path string) bool { return strings.Contains(path, `primary eq "`) })},
	{"number for a string", "its digits", hasValue(func(_ string, v value) bool { return v.kind == number })},
	{"one object, or one value, where a list belongs", "a list of one", message.bareList},
	{"`emails[type eq \"work\"].value` that selects nothing", "the element is created, with that type", message.createsElement},
	{"manager as a string", "its value", manager(text)},
	{"manager as an object", "its value; displayName is ours to say", manager(object)},
	{"manager as an array", "its one element", manager(array)},
	{"manager as `\"\"`", "removed", manager(text, "")},
	{"manager as `null`", "removed", manager(null)},
	{"`null` for an attribute", "removed, or not set", hasValue(func(name string, v value) bool { return v.kind == null && name != "$ref" && name != "members" })},
	{"`\"\"` for an attribute", "removed, or not set", hasValue(func(_ string, v value) bool { return v.kind == text && v.text == "" })},
	{"`[]` for an attribute", "removed, or not set", hasValue(func(name string, v value) bool { return v.kind == array && len(v.items) == 0 && name != "members" })},
	{"`members[value eq \"…\"]` removed", "that member leaves", namesPath(func(path string) bool { return strings.HasPrefix(path, "members[") })},
	{"`members` removed with a list of values", "the listed leave, nobody else", removesMembers(array)},
	{"`members` removed with one object", "that member leaves, nobody else", removesMembers(object)},
	{"`members` removed with `null`, or without a value", "all leave", removesMembers(null, absent)},
	{"all members stated: PUT, or `replace members`", "exactly these; `[]` is nobody", message.statesAllMembers},
	{"a member that is nobody yet", "kept, and a member once the user appears", func(m message) bool {
		return slices.ContainsFunc(m.Added, func(id string) bool { return !strings.HasPrefix(id, "usr_") })
	}},
	{"read-only attributes stated: `id`, `meta`, `groups`, `schemas` in a PATCH", "passed over", message.readOnly},
	{"an attribute, a sub-attribute or a schema that is not known", "ignored and counted", func(m message) bool { return len(m.Ignored) > 0 }},
	{"schemas of a draft, or of nobody", "passed over: what is there says which", message.foreignSchemas},
	{"a part of a complex attribute", "merged", message.partial},
	{"password", "accepted, dropped, never stored", statesKey(func(key string) bool { return key == "password" })},
}

const overviewHead = `# What identity providers send

Recorded requests, one a file, with what comes of each: the stored resource, the members
who join and leave, the attributes that are ignored. **No provider needs a setting for
it.** Where no recording is public, the file says what it was made from.

This page is written by a test from the bodies, and fails it when they disagree:
` + "`go test ./scim -run TestOverviewOfShapes -update`" + `.

## Shapes

| shape | sent by | what comes of it |
|---|---|---|
`

// TestOverviewOfShapes makes testdata/README.md of the recordings. Every shape must be
// in one of them.
func TestOverviewOfShapes(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.json")
	if err != nil {
		t.Fatal(err)
	}
	messages := make([]message, len(files))
	for i, file := range files {
		messages[i] = readMessage(t, file)
	}
	var b strings.Builder
	b.WriteString(overviewHead)
	for _, s := range shapes {
		var shown []string
		for i, m := range messages {
			if s.in(m) {
				shown = append(shown, files[i])
			}
		}
		if len(shown) == 0 {
			t.Errorf("no recorded request has the shape %s", s.name)
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", s.name, byProvider(shown), s.outcome)
	}
	provider := ""
	for i, m := range messages {
		if p := providerOf(files[i]); p != provider {
			provider = p
			fmt.Fprintf(&b, "\n## %s\n\n| request | body | from |\n|---|---|---|\n", provider)
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", m.Request, link(files[i]), m.Source)
	}
	const page = "testdata/README.md"
	if *update {
		if err := os.WriteFile(page, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b.String(), string(have)); diff != "" {
		t.Errorf("%s is not what the recordings say; run with -update (-want +have):\n%s", page, diff)
	}
}

// byProvider lists up to two files of each provider, and counts the others.
func byProvider(files []string) string {
	const listed = 2
	var out []string
	for len(files) > 0 {
		p := providerOf(files[0])
		n := slices.IndexFunc(files, func(file string) bool { return providerOf(file) != p })
		if n < 0 {
			n = len(files)
		}
		var links []string
		for _, file := range files[:min(n, listed)] {
			links = append(links, link(file))
		}
		line := p + ": " + strings.Join(links, ", ")
		if n > listed {
			line += fmt.Sprintf(" and %d more", n-listed)
		}
		out, files = append(out, line), files[n:]
	}
	return strings.Join(out, "<br>")
}

func providerOf(file string) string { return filepath.Base(filepath.Dir(file)) }

func link(file string) string {
	return fmt.Sprintf("[%s](%s/%s)", strings.TrimSuffix(filepath.Base(file), ".json"), providerOf(file), filepath.Base(file))
}
