package scim

import (
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	defaultCount = 100
	maxCount     = 1000 // resources in one page; announced as filter.maxResults
)

// query is what a list is asked for, by a query string or by the body of a search, as
// far as it means something here. Names compare without case, so that a "Filter" cannot
// be overlooked.
type query struct {
	filter     string
	filtered   bool // filter was given, be it empty
	attributes string
	excluded   string
	startIndex string
	count      string
	sortBy     string
	sortOrder  string
	cursor     string
	paged      bool // cursor was given; empty, it asks for the first page
}

// parameter returns where a parameter goes; nil for one that means nothing here.
func (q *query) parameter(name string) *string {
	switch strings.ToLower(name) {
	case "filter":
		return &q.filter
	case "attributes":
		return &q.attributes
	case "excludedattributes":
		return &q.excluded
	case "startindex":
		return &q.startIndex
	case "count":
		return &q.count
	case "sortby":
		return &q.sortBy
	case "sortorder":
		return &q.sortOrder
	case "cursor":
		return &q.cursor
	}
	return nil
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
	seen := map[*string]bool{}
	for name, list := range values {
		into := q.parameter(name)
		if into == nil {
			continue // aadOptscim062020 and the like
		}
		if len(list) > 1 || seen[into] {
			return q, invalidValue("the query parameter %s is given twice", quote(name))
		}
		if !utf8.ValidString(list[0]) || strings.IndexByte(list[0], 0) >= 0 {
			return q, invalidValue("the query parameter %s is not text", quote(name))
		}
		seen[into] = true
		*into = list[0]
	}
	q.filtered, q.paged = seen[&q.filter], seen[&q.cursor]
	return q, q.bounded()
}

// maxNames bounds a list of attributes, in bytes.
const maxNames = 8 << 10

// bounded refuses lists of attributes that would take long to read: the body of a search
// may be large.
func (q query) bounded() error {
	if max(len(q.attributes), len(q.excluded)) > maxNames {
		return invalidValue("attributes and excludedAttributes are longer than %d bytes", maxNames)
	}
	return nil
}

// window returns the part of a list that is asked for. RFC 7644 §3.4.2.4: an index
// below 1 is 1, a count below 0 is 0.
func (q query) window(endpoint string) (window, error) {
	startIndex, err := integer("startIndex", q.startIndex, 1)
	if err != nil {
		return window{}, err
	}
	count, err := integer("count", q.count, defaultCount)
	if err != nil {
		return window{}, err
	}
	w := window{offset: max(startIndex, 1) - 1, limit: min(max(count, 0), maxCount)}
	switch {
	case !q.paged:
		return w, nil
	case strings.TrimSpace(q.startIndex) != "":
		return w, invalidValue("a page is asked for by startIndex or by cursor, not by both")
	}
	w.after = &cursor{}
	if q.cursor != "" {
		*w.after, err = parseCursor(q.cursor, q.fingerprint(endpoint))
	}
	return w, err
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
