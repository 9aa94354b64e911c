package scim

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolesync/rolesync/internal/directory"
)

const ownURN = "urn:acme:2.0:Badge"

// ownTypes has an attribute of each type and characteristic.
var ownTypes = newTypes([]directory.ExtensionSchema{{URN: ownURN, ResourceType: "User", Name: "Badge", Attributes: []directory.SchemaAttribute{
	{Name: "colour", Type: "string", CanonicalValues: []string{"red"}},
	{Name: "code", Type: "string", CaseExact: true},
	{Name: "level", Type: "integer"},
	{Name: "weight", Type: "decimal"},
	{Name: "lost", Type: "boolean"},
	{Name: "since", Type: "dateTime"},
	{Name: "photo", Type: "binary"},
	{Name: "page", Type: "reference", ReferenceTypes: []string{"external"}},
	{Name: "tags", Type: "string", MultiValued: true},
	{Name: "serial", Type: "string", Mutability: "immutable"},
	{Name: "batch", Type: "string", MultiValued: true, Mutability: "immutable"},
	{Name: "pin", Type: "string", Mutability: "writeOnly", Returned: "never"},
	{Name: "hidden", Type: "string", Returned: "never"},
	{Name: "shown", Type: "string", Returned: "always"},
	{Name: "asked", Type: "string", Returned: "request"},
	{Name: "owner", Type: "complex", SubAttributes: []directory.SchemaAttribute{
		{Name: "value", Type: "string", Required: true}, {Name: "note", Type: "string"},
		{Name: "born", Type: "dateTime", Mutability: "immutable"}, {Name: "secret", Type: "string", Mutability: "writeOnly", Returned: "never"},
		{Name: "label", Type: "string", Returned: "request"},
	}},
	{Name: "doors", Type: "complex", MultiValued: true, SubAttributes: []directory.SchemaAttribute{
		{Name: "value", Type: "string", Required: true}, {Name: "type", Type: "string"}, {Name: "primary", Type: "boolean"}, {Name: "secret", Type: "string", Returned: "never"},
	}},
}}})

// badge is a stored user with the given members of the extension.
func badge(members string) string {
	if members == "" {
		return `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"anna","active":true}`
	}
	return `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","` + ownURN + `"],"userName":"anna","active":true,"` + ownURN + `":{` + members + `}}`
}

// attempt is try, for a user's text.
func attempt(rt *resourceType, method, before, body string) (string, error) {
	after, _, err := try(rt, method, before, body)
	return string(after), err
}

func TestValuesOfEachType(t *testing.T) {
	tests := []struct {
		name, member string // as it is sent
		want         string // as it is stored; else a part of the error
	}{
		{"string", `"colour":"red"`, `"colour":"red"`},
		{"a string beside the canonical ones", `"colour":"green"`, `"colour":"green"`},
		{"a number for a string", `"colour":7`, `"colour":"7"`},
		{"name in another letter case", `"COLOUR":"red"`, `"colour":"red"`},
		{"integer", `"level":-5`, `"level":-5`},
		{"integer as a string", `"level":"5"`, `"level":5`},
		{"integer with a fraction", `"level":5.5`, `level takes a whole number, not 5.5`},
		{"integer with an exponent", `"level":1e3`, `level takes a whole number, not 1e3`},
		{"integer beyond 64 bits", `"level":9223372036854775808`, `level takes a whole number, not 9223372036854775808`},
		{"true for an integer", `"level":true`, `level takes a whole number, not true`},
		{"decimal", `"weight":1.50`, `"weight":1.50`},
		{"decimal as a string", `"weight":"1.5"`, `"weight":1.5`},
		{"a word for a decimal", `"weight":"heavy"`, `weight takes a number, not "heavy"`},
		{"a decimal that nothing can hold", `"weight":1e999`, `weight takes a number, not 1e999`},
		{"boolean", `"lost":true`, `"lost":true`},
		{"boolean as Entra has it", `"lost":"False"`, `"lost":false`},
		{"a word for a boolean", `"lost":"maybe"`, `lost takes true or false, not "maybe"`},
		{"dateTime", `"since":"2008-01-23T04:56:22Z"`, `"since":"2008-01-23T04:56:22Z"`},
		{"dateTime with fraction and offset", `"since":"2008-01-23T04:56:22.125+02:00"`, `"since":"2008-01-23T04:56:22.125+02:00"`},
		{"dateTime without a zone", `"since":"2008-01-23T04:56:22"`, `"since":"2008-01-23T04:56:22"`},
		{"date", `"since":"2008-01-23"`, `since takes a time like 2008-01-23T04:56:22Z, not "2008-01-23"`},
		{"a day that is not", `"since":"2008-02-30T04:56:22Z"`, `not "2008-02-30T04:56:22Z"`},
		{"a short hour", `"since":"2008-01-23T4:56:22Z"`, `not "2008-01-23T4:56:22Z"`},
		{"a number for a dateTime", `"since":1200000000`, `not 1200000000`},
		{"binary", `"photo":"aGk="`, `"photo":"aGk="`},
		{"binary without padding", `"photo":"aGk"`, `"photo":"aGk="`},
		{"binary in lines", `"photo":"aG\nk=\n"`, `"photo":"aGk="`},
		{"binary of an impossible length", `"photo":"aGkaa"`, `photo takes base64, not "aGkaa"`},
		{"binary with other characters", `"photo":"a-_="`, `photo takes base64, not "a-_="`},
		{"reference", `"page":"https://example.com/a?b#c"`, `"page":"https://example.com/a?b#c"`},
		{"relative reference", `"page":"../Users/1"`, `"page":"../Users/1"`},
		{"reference with a space", `"page":"https://example.com/a b"`, `page takes a URI, not "https://example.com/a b"`},
		{"reference with a bad escape", `"page":"https://example.com/%zz"`, `page takes a URI`},
		{"several values", `"tags":["a","b"]`, `"tags":["a","b"]`},
		{"one value, bare", `"tags":"a"`, `"tags":["a"]`},
		{"a value again in other case", `"tags":["a","A"]`, `"tags":["a"]`},
		{"several values for one", `"colour":["a","b"]`, `colour takes one value, not an array of 2`},
		{"an object for a string", `"colour":{"x":1}`, `colour takes a string, not an object`},
		{"complex", `"owner":{"Value":"1","NOTE":"n"}`, `"owner":{"value":"1","note":"n"}`},
		{"complex without what it requires", `"owner":{"note":"n"}`, ownURN + `:owner.value is required`},
		{"several complex values, one without what it requires", `"doors":[{"value":"1"},{"type":"work"}]`, ownURN + `:doors.value is required`},
		{"two primaries", `"doors":[{"value":"1","primary":true},{"value":"2","primary":true}]`, `"doors":[{"value":"1","primary":true},{"value":"2","primary":false}]`},
		{"write only", `"pin":"1234","colour":"red"`, `"colour":"red"`},
		{"write only within", `"owner":{"value":"1","secret":"s"}`, `"owner":{"value":"1"}`},
		{"never returned is kept", `"hidden":"h"`, `"hidden":"h"`},
		{"null, empty", `"colour":null,"tags":[],"code":"","owner":{}`, ``},
		{"what the schema does not know", `"size":1`, ``},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bodies := []string{`{"userName":"anna","` + strings.ToUpper(ownURN) + `":{` + tt.member + `}}`}
			if !strings.ContainsAny(tt.member, "[{") { // flat, as Entra has it
				bodies = append(bodies, `{"userName":"anna",`+strings.ReplaceAll(","+tt.member, `,"`, `,"`+ownURN+`:`)[1:]+`}`)
			}
			for _, body := range bodies {
				got, err := attempt(ownTypes.user, "POST", "", body)
				if strings.Contains(tt.want, `":`) || tt.want == "" {
					if err != nil || got != badge(tt.want) {
						t.Errorf("POST %s = %s, %v, want %s", body, got, err, badge(tt.want))
					}
				} else if e := problem(err); err == nil || e.ScimType != "invalidValue" || !strings.Contains(e.Detail, tt.want) {
					t.Errorf("POST %s = %s, %v, want invalidValue: %s", body, got, err, tt.want)
				}
			}
		})
	}
}

func TestMutability(t *testing.T) {
	const before = `"colour":"red","serial":"S1","batch":["a","b"],"owner":{"value":"1","note":"n","born":"2008-01-23T04:56:22Z"}`
	const whole = `"userName":"anna","` + ownURN + `":{`
	tests := []struct {
		name, method, body string
		want               string // of the extension; else a part of the error
	}{
		{"the same values", "PUT", `{` + whole + `"serial":"S1","batch":["b","a"],"owner":{"value":"1","born":"2008-01-23T05:56:22+01:00"}}}`,
			`"serial":"S1","batch":["a","b"],"owner":{"value":"1","born":"2008-01-23T04:56:22Z"}`},
		{"the same in other letter case", "PUT", `{` + whole + `"serial":"s1"}}`, `"serial":"S1","batch":["a","b"],"owner":{"value":"1","note":"n","born":"2008-01-23T04:56:22Z"}`},
		{"a PUT that does not mention it", "PUT", `{"userName":"anna"}`, `"serial":"S1","batch":["a","b"],"owner":{"value":"1","note":"n","born":"2008-01-23T04:56:22Z"}`},
		{"another value by PUT", "PUT", `{` + whole + `"serial":"S2"}}`, ownURN + `:serial is immutable`},
		{"fewer values by PUT", "PUT", `{` + whole + `"batch":["a"]}}`, ownURN + `:batch is immutable`},
		{"another value by PATCH", "PATCH", `replace ` + ownURN + `:serial "S2"`, ownURN + `:serial is immutable`},
		{"the same value by PATCH", "PATCH", `replace ` + ownURN + `:serial "S1"`, before},
		{"one more value", "PATCH", `add ` + ownURN + `:batch ["c"]`, ownURN + `:batch is immutable`},
		{"a value that is there", "PATCH", `add ` + ownURN + `:batch ["a"]`, before},
		{"removal", "PATCH", `remove ` + ownURN + `:serial`, ownURN + `:serial is immutable`},
		{"removal by null", "PATCH", `replace ` + ownURN + `:serial null`, ownURN + `:serial is immutable`},
		{"removal of the whole extension", "PATCH", `remove ` + ownURN, ownURN + `:serial is immutable`},
		{"within a complex value", "PATCH", `replace ` + ownURN + `:owner.born "2009-01-23T04:56:22Z"`, ownURN + `:owner.born is immutable`},
		{"beside it", "PATCH", `replace ` + ownURN + `:owner.note "m"`, strings.Replace(before, `"n"`, `"m"`, 1)},
		{"the value of a complex attribute that is no reference", "PATCH", `replace ` + ownURN + `:owner.value "2"`, strings.Replace(before, `"value":"1"`, `"value":"2"`, 1)},
		{"write only by path", "PATCH", `replace ` + ownURN + `:pin "1"`, before},
		{"write only within, by path", "PATCH", `replace ` + ownURN + `:owner.secret "1"`, before},
		{"removal of what is required within", "PATCH", `remove ` + ownURN + `:owner.value`, ownURN + `:owner.value is required`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.method == "PATCH" {
				op, rest, _ := strings.Cut(tt.body, " ")
				path, v, _ := strings.Cut(rest, " ")
				if v == "" {
					v = "null"
				}
				tt.body = `{"Operations":[{"op":"` + op + `","path":"` + path + `","value":` + v + `}]}`
			}
			got, err := attempt(ownTypes.user, tt.method, badge(before), tt.body)
			if strings.HasPrefix(tt.want, `"`) {
				if err != nil || got != badge(tt.want) {
					t.Errorf("%s %s:\n%v\n%s", tt.method, tt.body, err, cmp.Diff(badge(tt.want), got))
				}
			} else if e := problem(err); err == nil || !strings.Contains(e.Detail, tt.want) {
				t.Errorf("%s %s = %s, %v, want %s", tt.method, tt.body, got, err, tt.want)
			}
		})
	}
	got, err := attempt(ownTypes.user, "PATCH", badge(`"colour":"red"`), `{"Operations":[{"op":"add","path":"`+ownURN+`:serial","value":"S9"}]}`)
	if want := badge(`"colour":"red","serial":"S9"`); err != nil || got != want {
		t.Errorf("the first value of an immutable attribute = %s, %v, want %s", got, err, want)
	}
}

// A schema that has become stricter, or is gone, must not stop a deactivation.
func TestStoredValuesThatNoLongerFit(t *testing.T) {
	const active = `{"Operations":[{"op":"replace","value":{"active":false}}]}`
	for _, tt := range []struct{ name, stored, want string }{
		{"another type", `"level":"many","colour":"red"`, `"colour":"red"`},
		{"several values where one is possible", `"colour":["red","blue"],"code":"c"`, `"code":"c"`},
		{"an attribute that is gone", `"size":5,"code":"c"`, `"code":"c"`},
		{"nothing that fits", `"level":{"x":1}`, ``},
		{"what is required now is not there", `"owner":{"note":"n"}`, `"owner":{"note":"n"}`},
		{"what is write only now", `"pin":"1"`, ``},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := attempt(ownTypes.user, "PATCH", badge(tt.stored), active)
			if want := strings.Replace(badge(tt.want), `"active":true`, `"active":false`, 1); err != nil || got != want {
				t.Errorf("PATCH = %v\n%s", err, cmp.Diff(want, got))
			}
			shown, err := projection{of: ownTypes.user}.appendResource(nil, []byte(badge(tt.stored)))
			if want := badge(tt.want); err != nil || string(shown)+"}" != want {
				t.Errorf("it is shown as %v\n%s", err, cmp.Diff(want, string(shown)+"}"))
			}
		})
	}
	shown, err := projection{of: builtin.user}.appendResource(nil, []byte(badge(`"colour":"red"`)))
	if err != nil || string(shown)+"}" != badge("") {
		t.Errorf("without the schema it is shown as %s, %v", shown, err)
	}
}

func TestReturned(t *testing.T) {
	const stored = `"colour":"red","hidden":"h","shown":"s","asked":"a","owner":{"value":"1","label":"l"},"doors":[{"value":"d","secret":"x"}]`
	const whole = `"colour":"red","shown":"s","owner":{"value":"1"},"doors":[{"value":"d"}]`
	for _, tt := range []struct{ name, attributes, excluded, want string }{
		{"by default", "", "", whole},
		{"other attributes only", "userName,active", "", `"shown":"s"`},
		{"always, although excluded", "", ownURN + ":shown," + ownURN + ":colour", `"shown":"s","owner":{"value":"1"},"doors":[{"value":"d"}]`},
		{"the whole extension excluded", "", ownURN, `"shown":"s"`},
		{"on request", "userName,active," + ownURN + ":asked", "", `"shown":"s","asked":"a"`},
		{"on request, in other letter case", "userName,active," + strings.ToUpper(ownURN) + ":ASKED", "", `"shown":"s","asked":"a"`},
		{"the extension does not ask for what is in it", "userName,active," + ownURN, "", whole},
		{"on request within", "userName,active," + ownURN + ":owner.label", "", `"shown":"s","owner":{"label":"l"}`},
		{"the attribute does not ask for what is in it", "userName,active," + ownURN + ":owner", "", `"shown":"s","owner":{"value":"1"}`},
		{"never, although asked for", "userName,active," + ownURN + ":hidden," + ownURN + ":doors.secret", "", `"shown":"s"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newProjection(ownTypes.user, tt.attributes, tt.excluded)
			shown, err := p.appendResource(nil, []byte(badge(stored)))
			if want := badge(tt.want); err != nil || string(shown)+"}" != want {
				t.Errorf("%v\n%s", err, cmp.Diff(want, string(shown)+"}"))
			}
		})
	}
}

// What decides that a stored resource is shown as it is must not be true of more.
func TestNothingOfScimIsHidden(t *testing.T) {
	for _, rt := range []*resourceType{userType, groupType} {
		var check func(as *attributes)
		check = func(as *attributes) {
			for _, a := range as.list {
				if a.storage == stored && (a.returned == never || a.returned == onRequest || a.fixed) {
					t.Errorf("%s of %s is not shown as it is stored", a.name, rt.name)
				}
				if a.subs != nil && a.storage == stored {
					check(a.subs)
				}
			}
		}
		check(rt.attributes)
	}
	if userType.isPlain([]byte(badge(`"colour":"red"`))) || !userType.isPlain([]byte(bjensen)) || !groupType.isPlain([]byte(guides)) {
		t.Error("isPlain is wrong")
	}
}

func TestValuePathsOverOwnAttributes(t *testing.T) {
	before := badge(`"doors":[{"value":"d","type":"work","secret":"x"}]`)
	got, err := attempt(ownTypes.user, "PATCH", before, `{"Operations":[{"op":"replace","path":"`+ownURN+`:doors[type eq \"work\"].value","value":"e"}]}`)
	if want := strings.Replace(before, `"d"`, `"e"`, 1); err != nil || got != want {
		t.Errorf("replace by a value path = %s, %v, want %s", got, err, want)
	}
	_, err = attempt(ownTypes.user, "PATCH", before, `{"Operations":[{"op":"remove","path":"`+ownURN+`:doors[secret eq \"x\"]"}]}`)
	if e := problem(err); e.ScimType != "invalidPath" || !strings.Contains(e.Detail, "secret") {
		t.Errorf("a filter by what is never returned = %v, want invalidPath", err)
	}
}

func TestDocumentsOfOwnSchemas(t *testing.T) {
	documents := func(list []document) map[string]map[string]any {
		all := map[string]map[string]any{}
		for _, d := range list {
			var v map[string]any
			unmarshalDocument(t, d, &v)
			all[d.id] = v
		}
		return all
	}
	own := documents(ownTypes.schemas)[ownURN]
	list, _ := own["attributes"].([]any)
	if len(list) != 17 || own["name"] != "Badge" {
		t.Fatalf("the document of the schema is %v", own)
	}
	want := map[string]any{
		"name": "page", "type": "reference", "multiValued": false, "required": false, "caseExact": true,
		"mutability": "readWrite", "returned": "default", "uniqueness": "none", "referenceTypes": []any{"external"},
	}
	if diff := cmp.Diff(want, list[7]); diff != "" {
		t.Errorf("the attribute page (-want +got):\n%s", diff)
	}
	extensions, _ := json.Marshal(documents(ownTypes.resourceTypes)["User"]["schemaExtensions"])
	if want := `[{"required":false,"schema":"` + enterprise + `"},{"required":false,"schema":"` + ownURN + `"}]`; string(extensions) != want {
		t.Errorf("schemaExtensions = %s, want %s", extensions, want)
	}
	if documents(builtin.schemas)[ownURN] != nil {
		t.Error("the built-in types know the schema")
	}
}

func unmarshalDocument(t *testing.T, d document, into any) {
	t.Helper()
	if err := json.Unmarshal(d.append(nil, "https://x"), into); err != nil {
		t.Fatal(err)
	}
}
