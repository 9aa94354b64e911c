package scim

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestRedact(t *testing.T) {
	for _, c := range []struct{ situation, body, want string }{
		{"a user", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"], "userName":"anna@example.com", "active":true, "n":-1.5e3, "x":null, "password":"hunter2"}`,
			`{"schemas":["…"],"userName":"…","active":boolean,"n":number,"x":null,"password":"…"}`},
		{"an empty string is a hint", `{"emails":[{"type":"work","value":""}],"roles":[]}`, `{"emails":[{"type":"…","value":""}],"roles":[]}`},
		{"names under a URN and dotted", `{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"R&D"},"name.givenName":"Anna"}`,
			`{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"…"},"name.givenName":"…"}`},
		{"operations", `{"Operations":[{"op":"Replace","path":"emails[type eq \"work\" and not (value sw \"anna\")].value","value":"a@b.c"},{"op":"add","value":{"title":"Dr."}}]}`,
			`{"Operations":[{"op":"Replace","path":"emails[type eq \"…\" and not (value sw \"…\")].value","value":"…"},{"op":"add","value":{"title":"…"}}]}`},
		{"a filter with an escape and a number", `{"operations":[{"OP":"remove","Path":"members[value eq \"a\\\"b\" or n gt 42 or primary eq true]"}]}`,
			`{"operations":[{"OP":"remove","Path":"members[value eq \"…\" or n gt number or primary eq true]"}]}`},
		{"a path as the name of an attribute", `{"emails[type eq \"work\"].value":"a@b.c"}`, `{"emails[type eq \"…\"].value":"…"}`},
		{"a path that is none", `{"Operations":[{"op":"anna","path":"anna@example.com"}]}`, `{"Operations":[{"op":"…","path":"…"}]}`},
		{"op and path outside of operations", `{"op":"add","path":"userName","Operations":[{"op":"add","value":{"op":"add","path":"title"}}]}`,
			`{"op":"…","path":"…","Operations":[{"op":"add","value":{"op":"…","path":"…"}}]}`},
		{"a bulk operation", `{"Operations":[{"method":"POST","path":"/Users","bulkId":"anna","data":{"userName":"anna"}}]}`,
			`{"Operations":[{"method":"POST","path":"…","bulkId":"…","data":{"userName":"…"}}]}`},
		{"a name that is none", `{"anna@example.com":1,"":2,"x` + strings.Repeat("y", 200) + `":3}`, `{"…":number,"…":number,"…":number}`},
		{"no colon", `{"userName":"x","hunter2"}`, `{"userName":"…",…`},
		{"cut off in a value", `{"userName":"anna`, `{"userName":…`},
		{"text behind", `{"userName":"x"} hunter2`, `{"userName":"…"}…`},
		{"a word", `{"a":trueanna,"b":1}`, `{"a":boolean…`},
		{"a form", `client_secret=hunter2`, `…`},
		{"nothing", ``, `…`},
		{"not UTF-8", "{\"\xff\":\"\xfe\"}", `{"…":"…"}`},
		{"deep", strings.Repeat("[", 100), strings.Repeat("[", 64) + "…"},
	} {
		if got := redact(c.body); got != c.want {
			t.Errorf("%s: redact(%s)\n= %s, want\n  %s", c.situation, c.body, got, c.want)
		}
	}
	if got := redact(`{"members":[` + strings.Repeat(`{"value":"usr_1"},`, 5000) + `]}`); len(got) > maxRedacted || len(got) < maxRedacted/2 || !strings.HasSuffix(got, "…") {
		t.Errorf("a large body is shown as %d bytes that end in %q", len(got), got[len(got)-10:])
	}
}

// A secret as the value of everything is shown by no part of any body, and by no body
// of which one byte is missing or another.
func TestRedactShowsNoValueOfABrokenBody(t *testing.T) {
	const secret = "Xq"
	body := `{"schemas":["Xq"],"userName":"Xq","name":{"givenName":"Xq\"Xq"},"emails":[{"value":"Xq","primary":true},{"value":"Xq"}],` +
		`"Operations":[{"op":"add","path":"emails[type eq \"Xq\" and value co \"Xq\\\"Xq\"].value","value":[{"value":"Xq"},"Xq"]},{"op":"remove","path":"x[y eq \"Xq\"]"}]}`
	check := func(body string) {
		t.Helper()
		if shown := redact(body); strings.Contains(shown, secret) {
			t.Errorf("redact(%s)\nshows a value: %s", body, shown)
		}
	}
	for i := range body {
		check(body[:i])
		check(body[i:])
		check(body[:i] + body[i+1:])
		for _, other := range `"\{}[],: x` {
			check(body[:i] + string(other) + body[i+1:])
		}
	}
}

// FuzzRedact: what is shown of a body does not depend on its values, however they are
// changed. Of what is no JSON at all, that it is short and well-formed text.
func FuzzRedact(f *testing.F) {
	for _, r := range allRecorded(f) {
		f.Add(string(r.Body))
	}
	f.Add(`{"Operations":[{"op":"x","path":"a[b eq \"c\" or d gt 1]","value":[1,true,null,"",{"op":"add"}]}],"a":{"path":"b"}}`)
	f.Fuzz(func(t *testing.T, body string) {
		shown := redact(body)
		if len(shown) > maxRedacted || !utf8.ValidString(shown) {
			t.Fatalf("redact(%q) has %d bytes, or is not UTF-8: %q", body, len(shown), shown)
		}
		v, err := parseJSON(body)
		if err != nil {
			return
		}
		other := string(appendValue(nil, otherValues(v, false, "")))
		if got := redact(other); got != shown {
			t.Fatalf("a value is shown:\n%s\n%s\nof\n%s\n%s", shown, got, body, other)
		}
	})
}

// otherValues returns v with another value wherever there may be a secret.
func otherValues(v value, operation bool, name string) value {
	list := strings.EqualFold(name, "Operations")
	switch v.kind {
	case boolean:
		v.text = "false"
	case number:
		v.text = "-17e4"
	case text:
		switch shown := redactString(operation, name, v.text); {
		case v.text == "":
		case shown == blank:
			v.text = "anna@example.com"
		default: // an operation's op, method or path
			v.text = strings.ReplaceAll(shown, " number", " 99")
		}
	case array, object:
		items := make([]member, len(v.items))
		for i, item := range v.items {
			inner := item.name
			if v.kind == array && list {
				inner = name
			}
			items[i] = member{item.name, otherValues(item.value, v.kind == object && list, inner)}
		}
		v.items = items
	}
	return v
}
