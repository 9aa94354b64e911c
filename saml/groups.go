package saml

import (
	"slices"
	"strings"

	"github.com/rolesync/rolesync/internal/directory"
)

// groups returns what the assertion states about groups, and which:
//
//	Entra's groups.link is there     partial   too many to be listed
//	no attribute of groups           absent    no statement; empty where the connection says so
//	attributes, none with a value    empty     no groups
//	attributes with values           stated    these and no others
//
// The link counts unless the connection names its group attributes itself and one of them
// is there: then what it lists is not what was left out. Values of several attributes are
// joined, in order, each once as names compare.
func (r *reading) groups() (directory.GroupFact, []string) {
	var values []string
	found, link := false, false
	for _, attribute := range r.assertion.Attributes {
		link = link || attribute.Name == groupsLink
		if slices.Contains(r.names.Groups, attribute.Name) {
			found = true
			values = append(values, attribute.Values...)
		}
	}
	switch {
	case link && !(found && len(r.settings.Attributes.Groups) > 0):
		return directory.Partial, nil
	case !found && r.settings.AbsentGroupsMeanNone:
		return directory.Empty, nil
	case !found:
		return directory.Absent, nil
	}
	// One value may be a list, where the connection says so. Several are groups as they
	// are, whatever stands in them.
	if r.settings.GroupSeparator != "" && len(values) == 1 {
		values = strings.Split(values[0], r.settings.GroupSeparator)
	}
	if values = r.groupNames(values); len(values) == 0 {
		return directory.Empty, nil
	}
	return directory.Stated, values
}

// groupNames makes names of values: trimmed, the CN where the connection says so, each once
// as names compare and as it was first written. What is blank or too long is ignored.
func (r *reading) groupNames(values []string) []string {
	seen := make(map[string]bool, len(values))
	var names []string
	for _, value := range values {
		if r.settings.GroupCommonName {
			if name, ok := commonName(strings.TrimSpace(value)); ok {
				value = name
			}
		}
		if strings.TrimSpace(value) == "" {
			r.ignore("a blank value of the groups was ignored")
			continue
		}
		value = r.clean("the groups", value)
		switch folded := directory.Fold(value); {
		case folded == "":
		case !seen[folded]:
			seen[folded] = true
			names = append(names, value)
		}
	}
	return names
}
