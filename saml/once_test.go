package saml_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/rolesync/rolesync/internal/testserver"
	"github.com/rolesync/rolesync/mapping"
	"github.com/rolesync/rolesync/saml/samltest"
)

// posts has many post the same form at once, in turn to each address, and returns how many
// were let in.
func posts(t *testing.T, client *http.Client, form url.Values, addresses ...string) (in int) {
	t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			answer, err := client.PostForm(addresses[i%len(addresses)], form)
			if err != nil {
				t.Error(err)
				return
			}
			_ = answer.Body.Close()
			mu.Lock()
			defer mu.Unlock()
			if answer.StatusCode == http.StatusSeeOther {
				in++
			} else if answer.StatusCode >= 500 {
				t.Errorf("status %d", answer.StatusCode)
			}
		})
	}
	all.Wait()
	return in
}

// Of many who present one answer at once, at two processes, one is let in.
func TestOneAnswerAtOnce(t *testing.T) {
	o := options{database: testserver.Database(t), redis: testserver.Redis(t).Addr()}
	s := newService(t, o)
	o.base = s.url
	other := newService(t, o)
	app := s.newApplication()
	tn := s.newTenant("acme", idpInitiated(app))
	b := s.newBrowser()
	here := tn.base + "/acs"
	there := strings.Replace(here, s.url, other.url, 1)

	if n := posts(t, b.client, tn.unsolicited(samltest.Message{}), here, there); n != 1 {
		t.Errorf("%d of 16 were let in with one assertion, want 1", n)
	}
	_, fields := tn.begin(b, app).form(t)
	if n := posts(t, b.client, fields, here, there); n != 1 {
		t.Errorf("%d of 16 were let in with one RelayState, want 1", n)
	}
}

// A Redis that takes nothing keeps nobody out, and the application is told.
func TestLoginWhileNothingIsPublished(t *testing.T) {
	s := newService(t, options{still: true})
	tn, app := s.newTenant("acme", nil), s.newApplication()
	tn.rules(mapping.GiveNone)
	tk := s.exchange(app, tn.login(s.newBrowser(), app).code(t))
	if tk.status != http.StatusOK || tk.Published || !tk.Assignment.HasRole("admin") {
		t.Errorf("token = %+v, want the role, and published false", tk)
	}
	if !strings.Contains(s.log.String(), "login answered before its assignment was published") {
		t.Error("the log does not say so")
	}
}
