package scim

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// message is a recorded request, read.
type message struct {
	recorded
	method string
	rt     *resourceType
	body   value
}

func readMessage(t testing.TB, file string) message {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var m message
	if err := json.Unmarshal(data, &m.recorded); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if m.body, err = parseJSON(string(m.Body)); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	method, path, _ := strings.Cut(m.Request, " ")
	m.method, m.rt = method, userType
	if strings.HasPrefix(path, "/Groups") {
		m.rt = groupType
	}
	return m
}

// operations are those of a PATCH.
func (m message) operations() []member { return m.body.get("Operations").items }

// stated are the attributes that m gives without a path, by the key that it uses.
func (m message) stated() []member {
	if m.method != "PATCH" {
		return m.body.items
	}
	var out []member
	for _, o := range m.operations() {
		if o.value.get("path").kind == absent {
			out = append(out, o.value.get("value").items...)
		}
	}
	return out
}

// pathed are the values that m gives with a path, by that path.
func (m message) pathed(op operation) []member {
	var out []member
	for _, o := range m.operations() {
		path := o.value.get("path")
		if theirs, _ := parseOperation(o.value.get("op").text); path.kind == text && theirs == op {
			out = append(out, member{path.text, o.value.get("value")})
		}
	}
	return out
}

// given are all values that m gives, by path or key.
func (m message) given() []member {
	return slices.Concat(m.stated(), m.pathed(add), m.pathed(replace))
}

// statesKey recognises a key.
func statesKey(is func(key string) bool) func(message) bool {
	return func(m message) bool {
		return slices.ContainsFunc(m.stated(), func(x member) bool { return is(x.name) })
	}
}

// namesPath recognises a path.
func namesPath(is func(path string) bool) func(message) bool {
	return func(m message) bool {
		return slices.ContainsFunc(slices.Concat(m.pathed(add), m.pathed(replace), m.pathed(remove)), func(x member) bool { return is(x.name) })
	}
}

// hasValue recognises a value, at any depth, by its own name and what it is.
func hasValue(is func(name string, v value) bool) func(message) bool {
	var within func(x member) bool
	within = func(x member) bool {
		return is(x.name, x.value) || slices.ContainsFunc(x.value.items, within)
	}
	return func(m message) bool { return slices.ContainsFunc(m.given(), within) }
}

func (m message) capitalOp() bool {
	return slices.ContainsFunc(m.operations(), func(o member) bool {
		op := o.value.get("op").text
		return op != strings.ToLower(op)
	})
}

func (m message) capitalName() bool {
	return slices.ContainsFunc(slices.Concat(m.body.items, m.stated()), func(x member) bool {
		return len(x.name) > 1 && strings.ToUpper(x.name[1:]) == x.name[1:] || strings.Contains(x.name, ":USER:")
	})
}

// flatURN recognises "urn:…:User:department": … beside the attributes of the core.
func flatURN(method string) func(message) bool {
	is := statesKey(func(key string) bool {
		t, err := userType.target(key)
		return err == nil && t.extension != nil
	})
	return func(m message) bool { return m.method == method && is(m) }
}

func (m message) booleanString() bool {
	return hasValue(func(name string, v value) bool { return name == "active" && v.kind == text })(m)
}

func (m message) bareList() bool {
	return slices.ContainsFunc(m.given(), func(x member) bool {
		a := m.rt.attributes.find(x.name)
		return a != nil && a.multi && x.value.kind != array && x.value.kind != null
	})
}

// createsElement recognises a value path of whose attribute there is more afterwards.
func (m message) createsElement() bool {
	return slices.ContainsFunc(m.given(), func(x member) bool {
		name, _, filtered := strings.Cut(x.name, "[")
		before, _ := parseJSON(string(m.Before))
		after, _ := parseJSON(string(m.After))
		return filtered && len(after.get(name).items) > len(before.get(name).items)
	})
}

// manager recognises how the manager is given: its kind, and its text if one is asked for.
func manager(k kind, texts ...string) func(message) bool {
	is := func(x member) bool {
		return x.value.kind == k && (k != text || slices.Contains(texts, x.value.text) || len(texts) == 0 && x.value.text != "")
	}
	return func(m message) bool {
		return slices.ContainsFunc(m.given(), func(x member) bool {
			if x.name == enterpriseUserURN {
				x.value = x.value.get("manager")
				return is(x)
			}
			return strings.HasSuffix(x.name, ":manager") && is(x)
		})
	}
}

// removesMembers recognises a removal with the path members, by the kind of its value.
func removesMembers(kinds ...kind) func(message) bool {
	return func(m message) bool {
		return slices.ContainsFunc(m.pathed(remove), func(x member) bool { return x.name == "members" && slices.Contains(kinds, x.value.kind) })
	}
}

func (m message) statesAllMembers() bool {
	return m.rt == groupType && (m.method == "PUT" || slices.ContainsFunc(m.pathed(replace), func(x member) bool { return x.name == "members" }))
}

func (m message) readOnly() bool {
	names := []string{"id", "meta", "groups"}
	if m.method == "PATCH" {
		names = append(names, "schemas")
	}
	return statesKey(func(key string) bool { return slices.Contains(names, key) })(m)
}

func (m message) foreignSchemas() bool {
	return slices.ContainsFunc(m.body.get("schemas").items, func(s member) bool { return !strings.HasPrefix(s.value.text, "urn:ietf:params:scim:") })
}

// partial recognises an object for a single complex attribute in a PATCH.
func (m message) partial() bool {
	return m.method == "PATCH" && slices.ContainsFunc(m.given(), func(x member) bool {
		a := m.rt.attributes.find(x.name)
		return a != nil && !a.multi && a.kind == complexKind && !a.extension && x.value.kind == object
	})
}
