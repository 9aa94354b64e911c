package interop

import (
	"net/url"
	"testing"
)

func TestFormOf(t *testing.T) {
	here := &url.URL{Scheme: "https", Host: "idp.example.com", Path: "/sso", RawQuery: "a=b"}
	for _, test := range []struct {
		name, body   string
		method       string
		action       string
		fields       string
		formNotFound bool
	}{
		{
			name:   "a login form, with an action that has entities",
			body:   `<form method="post" action="/sso?a=b&amp;c=%20d"><input name="username"><INPUT type="password" name='password'/></form>`,
			method: "POST", action: "https://idp.example.com/sso?a=b&c=%20d", fields: "password=&username=",
		},
		{
			name:   "a form that posts to where it is",
			body:   `<form method="POST" action="?"><input name="AuthState" value="x&#58;y"><input name="password"></form>`,
			method: "POST", action: "https://idp.example.com/sso?", fields: "AuthState=x%3Ay&password=",
		},
		{
			name:   "a message after the form of a language menu",
			body:   `<form action="/language"><input name="language" value="en"></form><form action="https://sp/acs" method="post"><input type="hidden" name="SAMLResponse" value="PHg+"/></form>`,
			method: "POST", action: "https://sp/acs", fields: "SAMLResponse=PHg%2B",
		},
		{name: "no form that leads on", body: `<form action="/search"><input name="q"></form>`, formNotFound: true},
		{name: "no form", body: `<h1>Signed in</h1>`, formNotFound: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, ok := formOf(page{url: here, body: test.body})
			if ok == test.formNotFound {
				t.Fatalf("formOf(%s) found %v, want %v", test.body, ok, !test.formNotFound)
			}
			if !ok {
				return
			}
			if f.method != test.method || f.action.String() != test.action || f.fields.Encode() != test.fields {
				t.Errorf("formOf(%s) = %s %s %s, want %s %s %s", test.body, f.method, f.action, f.fields.Encode(), test.method, test.action, test.fields)
			}
		})
	}
}
