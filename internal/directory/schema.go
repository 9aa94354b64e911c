package directory

// ExtensionSchema is a schema that an organization adds to a resource type, in the
// terms of RFC 7643 §7. What is stored has every characteristic spelt out, and keeps
// to the rules that package admin checks.
type ExtensionSchema struct {
	URN          string            `json:"id"`
	ResourceType string            `json:"resource_type"` // User or Group
	Name         string            `json:"name"`
	Description  string            `json:"description,omitempty"`
	Attributes   []SchemaAttribute `json:"attributes"`
}

// SchemaAttribute is an attribute of an ExtensionSchema, or of a complex attribute.
type SchemaAttribute struct {
	Name            string            `json:"name"`
	Type            string            `json:"type"` // string, boolean, decimal, integer, dateTime, reference, binary or complex
	Description     string            `json:"description,omitempty"`
	MultiValued     bool              `json:"multiValued"`
	Required        bool              `json:"required"`
	CanonicalValues []string          `json:"canonicalValues,omitempty"` // of a string: suggestions
	CaseExact       bool              `json:"caseExact"`
	Mutability      string            `json:"mutability"`               // readWrite, immutable or writeOnly
	Returned        string            `json:"returned"`                 // always, default, request or never
	Uniqueness      string            `json:"uniqueness"`               // none
	ReferenceTypes  []string          `json:"referenceTypes,omitempty"` // of a reference: User, Group, external, uri
	SubAttributes   []SchemaAttribute `json:"subAttributes,omitempty"`  // of a complex attribute: one level, of one value each
}
