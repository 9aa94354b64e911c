package scim_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// What the service selects, by index or by trying, is what a naive reading of the
// resources that it shows selects.
func TestFiltersAgreeWithNaiveReading(t *testing.T) {
	databases(t, func(t *testing.T, s *service) {
		tn := populated(t, s)
		list := tn.must(200, "GET", "/Users", "")
		var users []map[string]any
		for i := range list.len("Resources") {
			users = append(users, list.at("Resources", i).(map[string]any))
		}
		rapid.Check(t, func(r *rapid.T) {
			f := drawFilter(r, 3)
			answer := tn.must(200, "GET", "/Users"+filtered(f.text), "")
			var got, want []string
			for i := range answer.len("Resources") {
				got = append(got, answer.string("Resources", i, "userName"))
			}
			for _, u := range users {
				if f.holds(u) {
					want = append(want, u["userName"].(string))
				}
			}
			if !slices.Equal(got, want) {
				r.Fatalf("filter %s lists %q, want %q", f.text, got, want)
			}
		})
	})
}

type naive struct {
	text  string
	holds func(map[string]any) bool
}

func drawFilter(r *rapid.T, depth int) naive {
	if depth > 0 {
		switch rapid.IntRange(0, 4).Draw(r, "form") {
		case 0:
			a, b := drawFilter(r, depth-1), drawFilter(r, depth-1)
			return naive{"(" + a.text + " and " + b.text + ")", func(u map[string]any) bool { return a.holds(u) && b.holds(u) }}
		case 1:
			a, b := drawFilter(r, depth-1), drawFilter(r, depth-1)
			return naive{"(" + a.text + " or " + b.text + ")", func(u map[string]any) bool { return a.holds(u) || b.holds(u) }}
		case 2:
			a := drawFilter(r, depth-1)
			return naive{"not (" + a.text + ")", func(u map[string]any) bool { return !a.holds(u) }}
		}
	}
	path := rapid.SampledFrom([]string{"id", "userName", "externalId", "title", "name.familyName", "emails.value", "emails.type", "groups.value", "groups.display", "meta.created", "userType"}).Draw(r, "path")
	operator := rapid.SampledFrom([]string{"eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "pr"}).Draw(r, "operator")
	operand := rapid.SampledFrom([]string{"bjensen", "J", "j", "00uB", "00u", "work", "home", "Guides", "ADMINS", "example", "%", "ä", "x", "O'Malley"}).Draw(r, "operand")
	if path == "meta.created" {
		operand = "2026-11-20T00:00:00Z"
		if strings.Contains("co sw ew", operator) {
			operator = "gt"
		}
	}
	text := path + " " + operator
	if operator != "pr" {
		text += " " + quoted(operand)
	}
	return naive{text, func(u map[string]any) bool {
		values := valuesAt(u, strings.Split(path, "."))
		if operator == "pr" {
			return len(values) > 0
		}
		for _, v := range values {
			if naiveCompare(path, v, operator, operand) {
				return true
			}
		}
		return len(values) == 0 && operator == "ne"
	}}
}

func valuesAt(v any, path []string) []string {
	switch v := v.(type) {
	case map[string]any:
		if len(path) > 0 {
			return valuesAt(v[path[0]], path[1:])
		}
	case []any:
		var all []string
		for _, e := range v {
			all = append(all, valuesAt(e, path)...)
		}
		return all
	case string:
		return []string{v}
	}
	return nil
}

func naiveCompare(path, have, operator, want string) bool {
	if path == "meta.created" {
		at, _ := time.Parse(time.RFC3339Nano, have)
		have, want = at.UTC().Format("2006-01-02T15:04:05.000000"), "2026-11-20T00:00:00.000000"
	} else if path != "id" && path != "externalId" && path != "groups.value" {
		have, want = strings.ToLower(have), strings.ToLower(want)
	}
	return map[string]bool{
		"eq": have == want, "ne": have != want, "gt": have > want, "ge": have >= want, "lt": have < want, "le": have <= want,
		"co": strings.Contains(have, want), "sw": strings.HasPrefix(have, want), "ew": strings.HasSuffix(have, want),
	}[operator]
}
