package scim_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// wireDialect is a manner of writing: a column for each thing that providers write
// differently. Each is named after the provider that it takes most from; but any row
// must be understood for any intent, whether or not that provider ever has it. What
// providers send to the letter is in testdata.
type wireDialect struct {
	op      func(string) string // letter case of add, replace and remove
	verb    string              // what sets an attribute: add or replace
	boolean func(bool) any
	update  string // "paths": an operation each; "whole": nested, "flat": by dotted keys, without a path
	unset   string // "remove", "null" or ""
	manager string // "text", "object", "list"
	join    string // "list", "each", "bare", "one" (without an array, if alone), "pathless"
	leave   string // "filter", "or", "list", "each"
	name    func(string) string
	// Members of resources, of members of groups, and of values without path that must
	// change nothing.
	resource, member, pathless string
}

func plain(s string) string { return s }
func capital(s string) string {
	return strings.ToUpper(s[:1]) + s[1:]
}
func truth(b bool) any { return b }
func word(b bool) any  { return capital(strconv.FormatBool(b)) } // "True", "False"
func digit(b bool) any {
	if b {
		return 1
	}
	return 0
}
func lower(b bool) any { return strconv.FormatBool(b) }

const (
	wireUser       = "urn:ietf:params:scim:schemas:core:2.0:User"
	wireGroup      = "urn:ietf:params:scim:schemas:core:2.0:Group"
	wireEnterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	wirePatch      = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
)

// withURN puts the core URN in front of a path, which is the RFC's full form.
func withURN(path string) string {
	if strings.HasPrefix(path, "urn:") || path == "externalId" {
		return path
	}
	return wireUser + ":" + path
}

// The manners of writing. The columns are those of wireDialect, in its order.
var wireDialects = map[string]wireDialect{
	// op, verb, boolean, update, unset, manager, join, leave, name; resource, member, pathless
	"rfc": {plain, "add", truth, "paths", "remove", "object", "list", "filter", plain, ``, ``, ``},
	"okta": {plain, "replace", truth, "whole", "", "object", "list", "filter", plain,
		`"password":"1mz050nq","groups":[],"meta":{"resourceType":"User"}`, `"display":"x@okta.local"`, `"id":"23a35c27"`},
	"entra, old": {capital, "add", word, "paths", "remove", "text", "each", "list", plain,
		`"roles":[],"meta":{"resourceType":"User"}`, `"$ref":null`, ``},
	"entra": {plain, "replace", truth, "flat", "remove", "list", "list", "filter", plain,
		`"roles":[],"urn:ietf:params:scim:schemas:extension:CustomExtensionName:2.0:User":{"tag":"1"}`, ``, `"urn:ietf:params:scim:schemas:extension:CustomExtensionName:2.0:User:tag":"1"`},
	"onelogin":  {plain, "replace", lower, "paths", "", "object", "list", "filter", plain, `"groups":null`, ``, ``},
	"jumpcloud": {plain, "replace", truth, "whole", "null", "object", "one", "list", plain, `"id":null`, `"display":null`, `"meta":null`},
	"google":    {plain, "replace", truth, "paths", "null", "text", "list", "or", plain, `"kind":"admin#user"`, ``, ``},
	"ping":      {plain, "replace", truth, "whole", "null", "object", "pathless", "filter", plain, `"population":{"id":"1"}`, ``, `"population":{"id":"1"}`},
	"rippling":  {capital, "replace", lower, "flat", "null", "text", "bare", "each", plain, ``, ``, ``},
	"keycloak":  {strings.ToUpper, "replace", truth, "paths", "remove", "object", "list", "or", withURN, `"meta":{}`, `"$ref":"http://127.0.0.1/Users/1"`, ``},
	"authentik": {plain, "add", truth, "whole", "remove", "object", "list", "list", plain, ``, ``, `"schemas":["` + wireUser + `"]`},
	"shouting":  {strings.ToUpper, "replace", digit, "flat", "", "list", "each", "filter", strings.ToUpper, ``, ``, `"ID":"1"`},
}

// document is a JSON object. It is written in the order of its names.
type document = map[string]any

// request writes an intent. Of the path, the id is left to the intent.
func (d wireDialect) request(i intent) (method, path, body string) {
	path = "/Users"
	if i.ofGroup() {
		path = "/Groups"
	}
	if !strings.HasPrefix(i.do, "post ") {
		path += "/" + i.id
	}
	switch verb, _, _ := strings.Cut(i.do, " "); verb {
	case "post", "put":
		return strings.ToUpper(verb), path, d.json(d.full(i))
	case "delete":
		return "DELETE", path, ""
	}
	operations := d.operations(i)
	if operations == nil {
		operations = []any{}
	}
	return "PATCH", path, d.json(document{"schemas": []string{wirePatch}, "Operations": operations})
}

func (d wireDialect) json(v any) string {
	b, _ := json.Marshal(v) // plain values
	return string(b)
}

// full is the whole resource, with what it does not have as the dialect unsets it.
func (d wireDialect) full(i intent) document {
	whole := document{}
	attributes := []string{"displayName", "externalId"}
	if !i.ofGroup() {
		attributes = userPaths
		if len(i.emails) > 0 || d.unset != "remove" {
			whole[d.key("emails")] = d.emails(i.emails)
		}
	}
	if len(i.join) > 0 || d.unset != "remove" && i.ofGroup() {
		whole[d.key("members")] = d.members(i.join)
	}
	for _, path := range attributes {
		if value := i.set[path]; value != "" || d.unset != "remove" {
			d.nest(whole, path, value)
		}
	}
	addTo(whole, d.resource)
	return whole
}

// key is the name of a top-level attribute in an object.
func (d wireDialect) key(name string) string {
	if d.update == "whole" || d.update == "paths" {
		return name
	}
	return d.name(name)
}

// nest puts an attribute to its place in a resource.
func (d wireDialect) nest(whole document, path, value string) {
	parent, name := "", path
	if at := strings.LastIndexAny(path, ".:"); strings.HasPrefix(path, "urn:") || strings.Contains(path, ".") {
		parent, name = path[:at], path[at+1:]
	}
	into := whole
	if parent != "" {
		if whole[parent] == nil {
			whole[parent] = document{}
		}
		into = whole[parent].(document)
	}
	into[d.key(name)] = d.value(path, value)
}

// value is that of a path, the dialect's nothing for "".
func (d wireDialect) value(path, value string) any {
	switch {
	case value == "" && d.unset == "":
		return ""
	case value == "":
		return nil
	case path == "active":
		return d.boolean(value == "true")
	case path == wireManager && d.manager != "text":
		object := document{"value": value}
		if d.manager == "list" {
			return []any{object}
		}
		return object
	}
	return value
}

func (d wireDialect) emails(list []modelEmail) any {
	out := []any{}
	for _, e := range list {
		object := document{"type": e.Type, "value": e.Value}
		if e.Primary != "" {
			object["primary"] = d.boolean(e.Primary == "true")
		}
		out = append(out, object)
	}
	if d.join == "one" && len(out) == 1 {
		return out[0]
	}
	return out
}

func (d wireDialect) members(list []string) any {
	out := []any{}
	for _, value := range list {
		if d.join == "bare" {
			out = append(out, value)
			continue
		}
		out = append(out, addTo(document{"value": value}, d.member))
	}
	if d.join == "one" && len(out) == 1 {
		return out[0]
	}
	return out
}

// addTo adds members that are written as JSON, without the braces.
func addTo(object document, members string) document {
	if err := json.Unmarshal([]byte("{"+members+"}"), &object); err != nil {
		panic(err) // a mistake in the table
	}
	return object
}

// at is an operation with a path; one whose value is absent has none.
func (d wireDialect) at(op, path string, value any) document {
	operation := document{"op": d.op(op), "path": path, "value": value}
	if value == absent {
		delete(operation, "value")
	}
	return operation
}

const absent = "no value at all"

// set is an operation that sets one attribute, or part of one, to a value.
func (d wireDialect) set(op, path string, value any) document {
	if d.update == "paths" {
		return d.at(op, path, value)
	}
	return document{"op": d.op(op), "path": nil, "value": addTo(document{path: value}, d.pathless)}
}

func selected(attribute, sub, value string) string {
	return attribute + "[" + sub + ` eq "` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"]`
}

// operations are those of a PATCH.
func (d wireDialect) operations(i intent) (list []any) {
	add := func(operation document) { list = append(list, operation) }
	switch i.do {
	case "set email", "make email primary":
		path, sub, value := selected("emails", "type", i.emails[0].Type), ".value", any(i.emails[0].Value)
		if i.do == "make email primary" {
			sub, value = ".primary", d.boolean(true)
		}
		if value == "" && d.unset == "remove" {
			add(d.at("remove", path, absent))
		} else if value == "" {
			add(d.set("replace", path+sub, d.value("", "")))
		} else {
			add(d.set(d.verb, path+sub, value))
		}
	case "remove email":
		if d.leave == "list" {
			add(d.at("remove", d.name("emails"), []any{document{"type": i.emails[0].Type}}))
		} else {
			add(d.at("remove", selected(d.name("emails"), "type", i.emails[0].Type), absent))
		}
	case "remove emails":
		if d.unset == "null" {
			add(d.set("replace", "emails", nil))
		} else {
			add(d.at("remove", d.name("emails"), absent))
		}
	case "add emails", "replace emails":
		op, _, _ := strings.Cut(i.do, " ")
		add(d.set(op, "emails", d.emails(i.emails)))
	case "replace members of group":
		if d.join == "pathless" {
			add(document{"op": d.op("replace"), "value": document{"members": d.members(i.join)}})
		} else {
			add(d.at("replace", "members", d.members(i.join)))
		}
	case "remove all members of group":
		add(d.at("remove", "members", absent))
	case "patch group backwards":
		list = append(list, slices.Concat(d.attributes(i.set), d.joining(i.join), d.leaving(i.leave))...)
	default:
		list = append(list, slices.Concat(d.attributes(i.set), d.leaving(i.leave), d.joining(i.join))...)
	}
	return list
}

// attributes are the operations that set and unset attributes.
func (d wireDialect) attributes(values map[string]string) (list []any) {
	whole := document{}
	for _, path := range slices.Sorted(maps.Keys(values)) {
		named := path
		if path != "displayName" { // the one that groups have too, under another URN
			named = d.name(path)
		}
		switch {
		case values[path] == "" && d.unset == "remove":
			list = append(list, d.at("remove", named, absent))
		case d.update == "paths":
			list = append(list, d.at(d.verb, named, d.value(path, values[path])))
		case d.update == "flat":
			whole[named] = d.value(path, values[path])
		default:
			d.nest(whole, path, values[path])
		}
	}
	if len(whole) > 0 {
		list = append(list, document{"op": d.op(d.verb), "value": addTo(whole, d.pathless)})
	}
	return list
}

func (d wireDialect) joining(values []string) (list []any) {
	switch {
	case len(values) == 0:
	case d.join == "pathless":
		list = append(list, document{"op": d.op("add"), "value": document{"members": d.members(values)}})
	case d.join == "each":
		for _, value := range values {
			list = append(list, d.at("add", "members", d.members([]string{value})))
		}
	default:
		list = append(list, d.at("add", "members", d.members(values)))
	}
	return list
}

func (d wireDialect) leaving(values []string) (list []any) {
	switch {
	case len(values) == 0:
	case d.leave == "list":
		list = append(list, d.at("remove", "members", d.members(values)))
	case d.leave == "or":
		var clauses []string
		for _, value := range values {
			clauses = append(clauses, strings.TrimSuffix(strings.TrimPrefix(selected("", "value", value), "["), "]"))
		}
		list = append(list, d.at("remove", "members["+strings.Join(clauses, " or ")+"]", absent))
	default:
		for _, value := range values {
			if d.leave == "each" {
				list = append(list, d.at("remove", "members", document{"value": value}))
			} else {
				list = append(list, d.at("remove", selected("members", "value", value), absent))
			}
		}
	}
	return list
}

const (
	wireDepartment = wireEnterprise + ":department"
	wireManager    = wireEnterprise + ":manager"
)

// userPaths are the attributes of a user that sequences set.
var userPaths = []string{
	"userName", "externalId", "active", "displayName", "nickName", "title", "name.givenName", "name.familyName", wireDepartment, wireManager,
}
