package sso_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/sso"
)

func TestAnswerKeepsTheQueryOfARedirectURI(t *testing.T) {
	service := &sso.Service{Issuer: issuer}
	for uri, want := range map[string]string{
		"https://a.example/cb":       "https://a.example/cb?code=c&iss=https%3A%2F%2Froles.example&state=s%26t%3D%C3%A4",
		"https://a.example/cb?":      "https://a.example/cb?code=c&iss=https%3A%2F%2Froles.example&state=s%26t%3D%C3%A4",
		"https://a.example/cb?x=1":   "https://a.example/cb?x=1&code=c&iss=https%3A%2F%2Froles.example&state=s%26t%3D%C3%A4",
		"http://127.0.0.1:8000":      "http://127.0.0.1:8000?code=c&iss=https%3A%2F%2Froles.example&state=s%26t%3D%C3%A4",
		"https://a.example/cb?x=%3F": "https://a.example/cb?x=%3F&code=c&iss=https%3A%2F%2Froles.example&state=s%26t%3D%C3%A4",
	} {
		if got := service.Answer(sso.Request{RedirectURI: uri, State: "s&t=ä"}, "c"); got != want {
			t.Errorf("Answer(%s) = %s, want %s", uri, got, want)
		}
	}
	if got := service.Answer(sso.Request{RedirectURI: "https://a.example/cb"}, "c"); strings.Contains(got, "state") {
		t.Errorf("without a state = %s", got)
	}
}

func TestAuthorizeTellsTheApplication(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/sso.db")
	good := url.Values{
		"response_type": {"code"}, "client_id": {w.app.id}, "redirect_uri": {w.app.redirect}, "state": {"s"},
		"code_challenge": {challenge(verifier)}, "code_challenge_method": {"S256"},
	}
	if r, err := w.service.Authorize(t.Context(), good); err != nil || r.Client != w.app.id || r.State != "s" || r.Challenge != challenge(verifier) {
		t.Fatalf("Authorize = %+v, %v", r, err)
	}
	for name, test := range map[string]struct {
		change func(url.Values)
		code   string
		told   bool // the application
	}{
		"a repeated state":     {func(v url.Values) { v.Add("state", "t") }, "invalid_request", true},
		"a state of no UTF-8":  {func(v url.Values) { v.Set("state", "\xff") }, "invalid_request", true},
		"a repeated challenge": {func(v url.Values) { v.Add("code_challenge", "x") }, "invalid_request", true},
		"a quoting type":       {func(v url.Values) { v.Set("response_type", "\"\\\n☃") }, "unsupported_response_type", true},
		"another's address":    {func(v url.Values) { v.Set("redirect_uri", w.other.redirect) }, "invalid_request", false},
		"a long client":        {func(v url.Values) { v.Set("client_id", strings.Repeat("x", 1000)) }, "invalid_request", false},
	} {
		v := url.Values{}
		for key, values := range good {
			v[key] = append([]string{}, values...)
		}
		test.change(v)
		_, err := w.service.Authorize(t.Context(), v)
		wrong, ok := errors.AsType[*sso.RequestError](err)
		if !ok || wrong.Code != test.code || (wrong.Redirect != "") != test.told {
			t.Errorf("%s: %v, %+v", name, err, wrong)
			continue
		}
		if !test.told {
			continue
		}
		to, err := url.Parse(wrong.Redirect)
		if err != nil || to.Host != "app.example" {
			t.Errorf("%s leads to %q, %v", name, wrong.Redirect, err)
			continue
		}
		if description := to.Query().Get("error_description"); description == "" || strings.ContainsFunc(description, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
			t.Errorf("%s: error_description = %q", name, description)
		}
	}
}

func TestUnsolicited(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/sso.db")
	r, err := w.service.Unsolicited(t.Context(), w.app.id)
	if err != nil || r.RedirectURI != w.app.redirect || r.Challenge != "" || r.State != "" {
		t.Errorf("Unsolicited = %+v, %v", r, err)
	}
	code := w.keep(w.service.NewCode(w.organization, w.connection, r))
	if a := w.post(w.app.form(code, "code_verifier", "").Encode()); a.status != 200 {
		t.Errorf("exchange = %+v", a)
	}
	for _, client := range []string{"", "x", directory.NewClientID()} {
		if _, err := w.service.Unsolicited(t.Context(), client); !fault.Is(err, fault.NotFound) {
			t.Errorf("Unsolicited(%q) = %v, want NotFound", client, err)
		}
	}
}
