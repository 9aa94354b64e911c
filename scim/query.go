package scim

import (
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	filter "github.com/scim2/filter-parser/v2"
)

const (
	defaultCount = 100
	maxCount     = 1000 // resources in one page; announced as filter.maxResults
)

// query is the query string of a request, as far as it means something here. Names
// compare without case, so that a "Filter" cannot be overlooked.
type query struct {
	filter     string
	filtered   bool // filter was given, be it empty
	attributes string
	excluded   string
	startIndex string
	count      string
}

// parseQuery refuses what net/url would drop in silence (a semicolon, a bad escape),
// since with it the filter would be gone and everyone listed, and a parameter that
// is given twice.
func parseQuery(raw string) (query, error) {
	var q query
	if raw == "" {
		return q, nil
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return q, invalidValue("the query string is malformed: %s", err)
	}
	seen := map[string]bool{}
	for name, list := range values {
		name = strings.ToLower(name)
		var into *string
		switch name {
		case "filter":
			into, q.filtered = &q.filter, true
		case "attributes":
			into = &q.attributes
		case "excludedattributes":
			into = &q.excluded
		case "startindex":
			into = &q.startIndex
		case "count":
			into = &q.count
		default:
			continue // aadOptscim062020 and the like
		}
		if len(list) > 1 || seen[name] {
			return q, invalidValue("the query parameter %s is given twice", name)
		}
		if !utf8.ValidString(list[0]) || strings.IndexByte(list[0], 0) >= 0 {
			return q, invalidValue("the query parameter %s is not text", name)
		}
		seen[name] = true
		*into = list[0]
	}
	return q, nil
}

// page returns the first index, from 1, and the number of resources asked for.
// RFC 7644 §3.4.2.4: an index below 1 is 1, a count below 0 is 0.
func (q query) page() (startIndex, count int, err error) {
	if startIndex, err = integer("startIndex", q.startIndex, 1); err != nil {
		return 0, 0, err
	}
	if count, err = integer("count", q.count, defaultCount); err != nil {
		return 0, 0, err
	}
	return max(startIndex, 1), min(max(count, 0), maxCount), nil
}

func integer(name, s string, otherwise int) (int, error) {
	if s = strings.TrimSpace(s); s == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil {
		return 0, invalidValue("%s must be a whole number, not %s", name, quote(s))
	}
	return int(n), nil
}

// equalities reads a filter that the store can answer: eq on the searchable
// attributes, joined by and. It returns the operand for each attribute, by its exact
// name. Every other filter is an invalidFilter that names the clause; none is ever
// dropped.
func (q query) equalities(rt *resourceType, searchable ...string) (map[string]*string, error) {
	if !q.filtered {
		return nil, nil
	}
	e, err := parseFilter(q.filter)
	if err != nil {
		return nil, invalidFilter("the filter %s is malformed, %s", quote(q.filter), err)
	}
	found := map[string]*string{}
	var collect func(filter.Expression) error
	collect = func(e filter.Expression) error {
		switch e := e.(type) {
		case *filter.LogicalExpression:
			if e.Operator != filter.AND {
				return unsupportedFilter(rt, "or", searchable)
			}
			if err := collect(e.Left); err != nil {
				return err
			}
			return collect(e.Right)
		case *filter.AttributeExpression:
			t, err := rt.target(e.AttributePath.String())
			if err != nil {
				return invalidFilter("the filter names an attribute that does not exist: %s", quote(e.AttributePath.String()))
			}
			for _, name := range searchable {
				if t.attr.name != name || t.extension != nil || t.sub != nil || e.Operator != filter.EQ {
					continue
				}
				operand, ok := e.CompareValue.(string)
				if !ok {
					return invalidFilter("%s is compared with a string, not with %v", name, e.CompareValue)
				}
				if found[name] != nil && *found[name] != operand {
					return invalidFilter("%s cannot equal two values", name)
				}
				found[name] = &operand
				return nil
			}
			return unsupportedFilter(rt, e.String(), searchable)
		case *filter.ValuePath:
			return unsupportedFilter(rt, e.String(), searchable)
		}
		return unsupportedFilter(rt, "not", searchable)
	}
	return found, collect(e)
}

func unsupportedFilter(rt *resourceType, what string, searchable []string) error {
	return invalidFilter("%s cannot be filtered by %s; eq is supported on %s, also joined by and",
		rt.endpoint[1:], quote(what), strings.Join(searchable, ", "))
}

// impossible reports whether a condition holds for no resource: an attribute that is
// not set is not equal to "".
func impossible(conditions map[string]*string) bool {
	for _, operand := range conditions {
		if *operand == "" {
			return true
		}
	}
	return false
}
