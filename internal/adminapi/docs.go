package adminapi

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed docs.css
var style string

//go:embed docs.html
var docsHTML string

// styleHash, in the policy, lets the page use its one style sheet and nothing else.
func styleHash() string {
	sum := sha256.Sum256([]byte(style))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// page renders the OpenAPI document for people, without a script.
func page(document *huma.OpenAPI) ([]byte, error) {
	parsed, err := template.New("docs").Funcs(template.FuncMap{
		"kind": kindOf,
		"ref":  func(s *huma.Schema) string { return path.Base(cmp.Or(s.Ref, itemRef(s), ".")) },
	}).Parse(docsHTML)
	if err != nil {
		return nil, fmt.Errorf("docs page: %w", err)
	}
	var b bytes.Buffer
	err = parsed.Execute(&b, map[string]any{
		"Document": document, "Style": template.CSS(style), "Base": Base,
		"Sections": sectionsOf(document), "Schemas": schemasOf(document),
	})
	if err != nil {
		return nil, fmt.Errorf("docs page: %w", err)
	}
	return b.Bytes(), nil
}

// section is the operations of a tag, by path.
type section struct {
	*huma.Tag
	Operations []*huma.Operation
}

func sectionsOf(document *huma.OpenAPI) []section {
	sections := make([]section, len(document.Tags))
	for i, tag := range document.Tags {
		sections[i].Tag = tag
		for _, at := range slices.Sorted(maps.Keys(document.Paths)) {
			item := document.Paths[at]
			for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
				if op != nil && slices.Contains(op.Tags, tag.Name) {
					sections[i].Operations = append(sections[i].Operations, op)
				}
			}
		}
	}
	return sections
}

// namedSchema is a schema of the document with the properties in order of name.
type namedSchema struct {
	Name       string
	Properties []property
}

type property struct {
	Name     string
	Required bool
	Schema   *huma.Schema
}

func schemasOf(document *huma.OpenAPI) []namedSchema {
	all := document.Components.Schemas.Map()
	schemas := make([]namedSchema, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		schema := namedSchema{Name: name}
		for _, at := range slices.Sorted(maps.Keys(all[name].Properties)) {
			schema.Properties = append(schema.Properties, property{at, slices.Contains(all[name].Required, at), all[name].Properties[at]})
		}
		schemas = append(schemas, schema)
	}
	return schemas
}

// kindOf says in a few words what a value is.
func kindOf(s *huma.Schema) string {
	switch {
	case s == nil:
		return ""
	case s.Ref != "":
		return path.Base(s.Ref)
	case s.Type == huma.TypeArray:
		return "list of " + kindOf(s.Items)
	case s.Format == "date-time":
		return "time"
	case s.Type == "":
		return "any"
	case len(s.Enum) > 0:
		return strings.Trim(strings.ReplaceAll(fmt.Sprint(s.Enum), " ", " | "), "[]")
	}
	return s.Type
}

func itemRef(s *huma.Schema) string {
	if s.Items != nil {
		return s.Items.Ref
	}
	return ""
}
