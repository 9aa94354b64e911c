package oauth_test

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rolesync/rolesync/internal/oauth"
)

var errWrong = errors.New("wrong")

// What the two token endpoints refuse alike, by what they say of it.
func TestRequests(t *testing.T) {
	for name, test := range map[string]struct {
		target, kind, body string
		basic              []string // user and password
		want               string   // of the error; "": the client and its secret
	}{
		"in the body":                  {body: "grant_type=g&client_id=c&client_secret=s"},
		"by Basic":                     {body: "grant_type=g", basic: []string{"c", "s"}},
		"by Basic, the id twice":       {body: "grant_type=g&client_id=c", basic: []string{"c", "s"}},
		"with a charset":               {kind: "application/x-www-form-urlencoded; charset=utf-8", body: "grant_type=g&client_id=c&client_secret=s"},
		"another id in the body":       {body: "grant_type=g&client_id=d", basic: []string{"c", "s"}, want: "client_id is another"},
		"in both":                      {body: "grant_type=g&client_secret=s", basic: []string{"c", "s"}, want: "more than one way"},
		"no secret":                    {body: "grant_type=g&client_id=c", want: "wrong"},
		"a secret that is not encoded": {body: "grant_type=g", basic: []string{"c", "%zz"}, want: "wrong"},
		"parameters in the URL":        {target: "/?grant_type=g", want: "not into the URL"},
		"JSON":                         {kind: "application/json", body: "{}", want: "Content-Type"},
		"a parameter twice":            {body: "grant_type=g&grant_type=g", want: "grant_type is repeated"},
		"a strange parameter twice":    {body: "a%22=1&a%22=2", want: "that was sent is repeated"},
		"too much":                     {body: "a=" + strings.Repeat("x", 1<<10), want: "larger than 1 KiB"},
		"no form":                      {body: "%zz", want: "not in the form"},
		"no grant":                     {body: "client_id=c", want: "grant_type is missing; it is g"},
		"another grant":                {body: "grant_type=password", want: "grant_type password is not supported"},
	} {
		target, kind := "/", "application/x-www-form-urlencoded"
		if test.target != "" {
			target = test.target
		}
		if test.kind != "" {
			kind = test.kind
		}
		r := httptest.NewRequest("POST", target, strings.NewReader(test.body))
		r.Header.Set("Content-Type", kind)
		if test.basic != nil {
			r.SetBasicAuth(test.basic[0], test.basic[1])
		}
		var id, secret string
		form, err := oauth.ReadForm(httptest.NewRecorder(), r, 1)
		if err == nil {
			err = oauth.NeedGrant(form, "g")
		}
		if err == nil {
			id, secret, err = oauth.Client(r, form, errWrong)
		}
		switch {
		case test.want == "" && (err != nil || id != "c" || secret != "s"):
			t.Errorf("%s: %q %q, %v", name, id, secret, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
		if known, ok := errors.AsType[oauth.Error](err); ok && (known.Status < 400 || strings.ContainsAny(known.Description, `"\`)) {
			t.Errorf("%s: %+v", name, known)
		}
	}
}

func TestReply(t *testing.T) {
	recorder := httptest.NewRecorder()
	oauth.Reply(recorder, 400, oauth.InvalidRequest("no"))
	if got := recorder.Body.String(); got != `{"error":"invalid_request","error_description":"no"}`+"\n" || recorder.Code != 400 {
		t.Errorf("%d %s", recorder.Code, got)
	}
	if h := recorder.Header(); h.Get("Cache-Control") != "no-store" || h.Get("Content-Type") != "application/json" {
		t.Errorf("header %v", h)
	}
}
