package sso_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
	rolesync "github.com/rolesync/rolesync/sync"
)

func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
}

func TestExchange(t *testing.T) {
	databases(t, func(t *testing.T, w *world) {
		for name, exchange := range map[string]func() answer{
			"in the body": func() answer { return w.post(w.app.form(w.code(w.app)).Encode()) },
			"by Basic": func() answer {
				return w.post(w.app.form(w.code(w.app), "client_id", "", "client_secret", "").Encode(), "Authorization", basic(w.app.id, w.app.secret))
			},
			"by Basic, with a client_id": func() answer {
				return w.post(w.app.form(w.code(w.app), "client_secret", "").Encode(), "Authorization", basic(w.app.id, w.app.secret))
			},
		} {
			t.Run(name, func(t *testing.T) {
				a := exchange()
				p := a.Profile
				if a.status != http.StatusOK || p.Sub != w.user || p.Organization != w.organization || p.Connection != w.connection ||
					p.UserName != "anna" || p.Email != "anna@acme.example" || p.GivenName != "Anna" || p.FamilyName != "Ek" {
					t.Errorf("exchange = %+v", a)
				}
				if a.Published {
					t.Error("it is published, though nobody writes to Redis")
				}
				if !strings.HasPrefix(string(a.Assignment), `{"v":1,"epoch":1,"active":true,`) {
					t.Errorf("assignment = %s", a.Assignment)
				}
				if info := w.userinfo("Authorization", "Bearer "+a.AccessToken); info.status != http.StatusOK || info.Profile != p {
					t.Errorf("userinfo = %+v", info)
				}
			})
		}
		if err := w.store.MarkPublished(t.Context(), []store.Written{{Organization: w.organization, User: w.user, Version: 1}}); err != nil {
			t.Fatal(err)
		}
		if a := w.post(w.app.form(w.code(w.app)).Encode()); !a.Published {
			t.Errorf("it is not published: %+v", a)
		}
	})
}

// An admin ends a redirect URI because somebody else may have its host by now. What was sent
// there since, by logins that began before, is of no use to anybody.
func TestCodeOfARedirectURIThatIsGone(t *testing.T) {
	databases(t, func(t *testing.T, w *world) {
		code := w.code(w.app)
		w.transact(store.Scope{}, func(tx *store.Tx) {
			tx.SetRedirectURIs(w.app.id, []string{"https://app.example/new"})
		})
		if a := w.post(w.app.form(code).Encode()); a.status != http.StatusBadRequest || a.Error != "invalid_grant" {
			t.Errorf("exchange = %+v, want invalid_grant", a)
		}
	})
}

// Whatever is wrong with an exchange of a client: the code is gone.
func TestCodeIsUsedOnce(t *testing.T) {
	databases(t, func(t *testing.T, w *world) {
		for name, first := range map[string]func(code string) answer{
			"a success": func(code string) answer { return w.post(w.app.form(code).Encode()) },
			"a wrong verifier": func(code string) answer {
				return w.post(w.app.form(code, "code_verifier", strings.Repeat("x", 43)).Encode())
			},
			"no verifier": func(code string) answer { return w.post(w.app.form(code, "code_verifier", "").Encode()) },
			"the challenge itself": func(code string) answer {
				return w.post(w.app.form(code, "code_verifier", challenge(verifier)).Encode())
			},
			"another redirect_uri": func(code string) answer {
				return w.post(w.app.form(code, "redirect_uri", "https://app.example/cb2").Encode())
			},
			"no redirect_uri": func(code string) answer { return w.post(w.app.form(code, "redirect_uri", "").Encode()) },
			"another client":  func(code string) answer { return w.post(w.other.form(code, "redirect_uri", w.app.redirect).Encode()) },
		} {
			t.Run(name, func(t *testing.T) {
				code := w.code(w.app)
				if a := first(code); (a.status == http.StatusOK) != (name == "a success") || a.status != http.StatusOK && a.Error != "invalid_grant" {
					t.Errorf("the first = %+v", a)
				}
				if a := w.post(w.app.form(code).Encode()); a.status != http.StatusBadRequest || a.Error != "invalid_grant" {
					t.Errorf("the second = %+v, want invalid_grant", a)
				}
			})
		}
		t.Run("of many at once, one", func(t *testing.T) {
			body := w.app.form(w.code(w.app)).Encode()
			var all sync.WaitGroup
			got := make([]answer, 16)
			for i := range got {
				all.Go(func() { got[i] = w.post(body) })
			}
			all.Wait()
			succeeded := 0
			for _, a := range got {
				if a.status == http.StatusOK {
					succeeded++
				} else if a.Error != "invalid_grant" {
					t.Errorf("answer = %+v", a)
				}
			}
			if succeeded != 1 {
				t.Errorf("%d exchanges succeeded, want 1", succeeded)
			}
		})
		t.Run("not by a stranger", func(t *testing.T) {
			code := w.code(w.app)
			if a := w.post(w.app.form(code, "client_secret", "rs_app_wrong").Encode()); a.status != http.StatusUnauthorized || a.Error != "invalid_client" {
				t.Errorf("a stranger = %+v", a)
			}
			if a := w.post(w.app.form(code).Encode()); a.status != http.StatusOK {
				t.Errorf("the client = %+v", a)
			}
		})
		t.Run("until it expires", func(t *testing.T) {
			code := w.code(w.app)
			w.offset.Store(int64(time.Minute))
			defer w.offset.Store(0)
			if a := w.post(w.app.form(code).Encode()); a.Error != "invalid_grant" {
				t.Errorf("after a minute = %+v", a)
			}
		})
	})
}

func TestExchangeRefused(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/sso.db")
	code := w.code(w.app)
	form := func(changes ...string) string { return w.app.form(code, changes...).Encode() }
	for name, test := range map[string]struct {
		got    answer
		status int
		code   string
	}{
		"no secret":               {w.post(form("client_secret", "")), 401, "invalid_client"},
		"another's secret":        {w.post(form("client_secret", w.other.secret)), 401, "invalid_client"},
		"an unknown client":       {w.post(form("client_id", directory.NewClientID())), 401, "invalid_client"},
		"no client":               {w.post(form("client_id", "")), 401, "invalid_client"},
		"a client that is no id":  {w.post(form("client_id", "x\x00")), 401, "invalid_client"},
		"Basic that is no base64": {w.post(form("client_secret", ""), "Authorization", "Basic !"), 401, "invalid_client"},
		"Bearer":                  {w.post(form("client_secret", ""), "Authorization", "Bearer x"), 401, "invalid_client"},
		"two ways":                {w.post(form(), "Authorization", basic(w.app.id, w.app.secret)), 400, "invalid_request"},
		"two headers":             {w.post(form("client_secret", ""), "Authorization", basic(w.app.id, w.app.secret), "Authorization", "Basic x"), 400, "invalid_request"},
		"two clients":             {w.post(form("client_id", w.other.id, "client_secret", ""), "Authorization", basic(w.app.id, w.app.secret)), 400, "invalid_request"},
		"no grant_type":           {w.post(form("grant_type", "")), 400, "invalid_request"},
		"another grant_type":      {w.post(form("grant_type", "password")), 400, "unsupported_grant_type"},
		"no code":                 {w.post(form("code", "")), 400, "invalid_request"},
		"no code of ours":         {w.post(form("code", "x")), 400, "invalid_grant"},
		"a code that is long":     {w.post(form("code", code+strings.Repeat("x", 200))), 400, "invalid_grant"},
		"a code cut short":        {w.post(form("code", code[:len(code)-1])), 400, "invalid_grant"},
		"a code of elsewhere":     {w.post(form("code", string(directory.NewOrganizationID())+code[len(w.organization):])), 400, "invalid_grant"},
		"a repeated parameter":    {w.post(form() + "&code=x"), 400, "invalid_request"},
		"a malformed body":        {w.post("%zz"), 400, "invalid_request"},
		"a large body":            {w.post(form() + "&x=" + strings.Repeat("x", 16<<10)), 413, "invalid_request"},
	} {
		if test.got.status != test.status || test.got.Error != test.code {
			t.Errorf("%s = %d %s, want %d %s", name, test.got.status, test.got.Error, test.status, test.code)
		}
		if test.status == 401 && !strings.HasPrefix(test.got.header.Get("WWW-Authenticate"), "Basic realm=") {
			t.Errorf("%s: WWW-Authenticate = %q", name, test.got.header.Get("WWW-Authenticate"))
		}
	}
	for name, r := range map[string]func() (*http.Request, error){
		"GET": func() (*http.Request, error) { return http.NewRequest("GET", w.url+"/sso/token", nil) },
		"JSON": func() (*http.Request, error) {
			return http.NewRequest("POST", w.url+"/sso/token", strings.NewReader(form()))
		},
		"a query": func() (*http.Request, error) {
			return http.NewRequest("POST", w.url+"/sso/token?code="+code, strings.NewReader(form()))
		},
	} {
		request, err := r()
		if err != nil {
			t.Fatal(err)
		}
		if got := w.do(request); got.Error != "invalid_request" {
			t.Errorf("%s = %d %s", name, got.status, got.Error)
		}
	}
	if a := w.post(form()); a.status != http.StatusOK {
		t.Errorf("after all of that = %+v", a)
	}
}

// A secret that has expired opens nothing, a second one does.
func TestSecretsOverlap(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/sso.db")
	now := directory.Now()
	second, stored := credential.New(credential.ApplicationSecret, now, now.Add(time.Hour))
	w.transact(store.Scope{}, func(tx *store.Tx) { tx.CreateApplicationSecret(w.app.id, stored) })
	if a := w.post(w.app.form(w.code(w.app), "client_secret", second).Encode()); a.status != http.StatusOK {
		t.Errorf("the second secret = %+v", a)
	}
	code := w.code(w.app)
	w.offset.Store(int64(time.Hour))
	if a := w.post(w.app.form(code, "client_secret", second).Encode()); a.Error != "invalid_client" {
		t.Errorf("an expired secret = %+v", a)
	}
}

// Access that has ended is ended for codes and tokens from before.
func TestEndedAccess(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/sso.db")
	code := w.code(w.app)
	token := w.post(w.app.form(w.code(w.app)).Encode()).AccessToken
	ended := func(t *testing.T) {
		t.Helper()
		if a := w.userinfo("Authorization", "Bearer "+token); a.status != http.StatusUnauthorized || a.Error != "invalid_token" {
			t.Errorf("userinfo = %+v", a)
		}
		if a := w.post(w.app.form(code).Encode()); a.Error != "invalid_grant" {
			t.Errorf("exchange = %+v", a)
		}
	}
	w.setActive(false)
	ended(t)
	code = w.code(w.app)
	ended(t)
	w.setActive(true) // but the epoch has risen
	if a := w.userinfo("Authorization", "Bearer "+token); a.Error != "invalid_token" {
		t.Errorf("userinfo after the user came back = %+v", a)
	}
	code, token = w.code(w.app), w.post(w.app.form(w.code(w.app)).Encode()).AccessToken
	w.change(func(tx *rolesync.Tx) error {
		if _, err := tx.Leaver(w.user); err != nil {
			return err
		}
		tx.DeleteUser(w.user)
		return nil
	})
	ended(t)
}

func TestUserinfoRefused(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/sso.db")
	token := w.post(w.app.form(w.code(w.app)).Encode()).AccessToken
	flipped := token[:len(token)-5] + strings.Map(func(r rune) rune { return r ^ 1 }, token[len(token)-5:len(token)-4]) + token[len(token)-4:]
	for name, header := range map[string]string{
		"another scheme": "Basic " + token, "no token": "Bearer ", "no token of ours": "Bearer x", "one sign changed": "Bearer " + flipped,
		"cut short": "Bearer " + token[:len(token)-8], "a long one": "Bearer " + token + strings.Repeat("A", 2000),
		"a secret": "Bearer " + w.app.secret,
	} {
		a := w.userinfo("Authorization", header)
		if a.status != http.StatusUnauthorized || !strings.HasPrefix(a.header.Get("WWW-Authenticate"), `Bearer realm="rolesync"`) {
			t.Errorf("%s = %+v", name, a)
		}
	}
	if a := w.userinfo(); a.status != http.StatusUnauthorized || a.Error != "" {
		t.Errorf("without a header = %+v", a)
	}
	if a := w.userinfo("Authorization", "Bearer "+token, "Authorization", "Bearer "+token); a.status != http.StatusUnauthorized {
		t.Errorf("two headers = %+v", a)
	}
	w.offset.Store(int64(10 * time.Minute))
	if a := w.userinfo("Authorization", "Bearer "+token); a.Error != "invalid_token" {
		t.Errorf("after ten minutes = %+v", a)
	}
	w.offset.Store(0)
	w.transact(store.Scope{}, func(tx *store.Tx) { tx.DeleteApplication(w.app.id) })
	if a := w.userinfo("Authorization", "Bearer "+token); a.Error != "invalid_token" {
		t.Errorf("after the application was deleted = %+v", a)
	}
}
