package scim

import "testing"

// The library's slices have room to spare, so that an append to one schema would write
// into another.
func TestSchemasAreClipped(t *testing.T) {
	for _, rt := range []*resourceType{builtin.user, builtin.group} {
		if n := cap(rt.schema.Attributes); n != len(rt.schema.Attributes) {
			t.Errorf("%s has room for %d attributes and %d of them", rt.schema.ID, n, len(rt.schema.Attributes))
		}
		for _, e := range rt.extensions {
			if n := cap(e.Attributes); n != len(e.Attributes) {
				t.Errorf("%s has room for %d attributes and %d of them", e.ID, n, len(e.Attributes))
			}
		}
	}
}
