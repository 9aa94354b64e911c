package scim

import (
	"slices"
	"strings"
)

// bulkReference is in front of a bulkId where an id belongs, RFC 7644 §3.7.2.
const bulkReference = "bulkId:"

// references appends the bulkIds that a value refers to.
func references(v value, to []string) []string {
	if bulkID, ok := strings.CutPrefix(v.text, bulkReference); ok && v.kind == text {
		return append(to, bulkID)
	}
	for i := range v.items {
		to = references(v.items[i].value, to)
	}
	return to
}

// resolve returns the value with ids in the place of the bulkIds for which something
// has been created.
func (r *bulkRun) resolve(v value) value {
	if len(references(v, nil)) == 0 {
		return v
	}
	if v.kind == text {
		if bulkID := v.text[len(bulkReference):]; !r.missing(bulkID) {
			v.text = r.byBulkID[bulkID].id
		}
		return v
	}
	items := slices.Clone(v.items)
	for i := range items {
		items[i].value = r.resolve(items[i].value)
	}
	v.items = items
	return v
}

// without returns the value without what still refers to a bulkId: attributes, and the
// elements of lists that hold such a reference.
func without(v value) value {
	if len(references(v, nil)) == 0 {
		return v
	}
	items := make([]member, 0, len(v.items))
	for _, item := range v.items {
		refers := len(references(item.value, nil)) > 0
		if refers && (v.kind == array || item.value.kind == text) {
			continue
		}
		item.value = without(item.value)
		items = append(items, item)
	}
	v.items = items
	return v
}
