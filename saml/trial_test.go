package saml_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/mapping"
	"github.com/rolesync/rolesync/saml"
	"github.com/rolesync/rolesync/saml/samltest"
)

// newTrial makes a test login, as the admin API does, and returns its id and address.
func (tn *tenant) newTrial(t *testing.T) (id, address string) {
	t.Helper()
	now := directory.Now()
	secret, stored := credential.New(credential.TrialSecret, now, now.Add(time.Hour))
	id = directory.NewTrialID()
	err := tn.store.Transact(context.Background(), tn.scope(), store.Facts, func(tx *store.Tx) error {
		tx.CreateTrial(store.Trial{ID: id, Digest: stored.Digest, CreatedAt: now, ExpiresAt: stored.ExpiresAt})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return id, tn.base + "/test/" + id + "?secret=" + secret
}

func (tn *tenant) trialResult(t *testing.T, id string) saml.TrialResult {
	t.Helper()
	trial, err := tn.store.Trial(context.Background(), tn.scope(), id)
	if err != nil {
		t.Fatal(err)
	}
	var r saml.TrialResult
	if err := json.Unmarshal([]byte(trial.Document), &r); err != nil {
		t.Fatalf("%q: %v", trial.Document, err)
	}
	return r
}

// contents are all rows of all tables of an SQLite file, but for those of tables that a
// test login or the health of connections is kept in.
func contents(t *testing.T, file string) map[string][]string {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	names, err := column(db, `SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name`)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for _, name := range names {
		switch name {
		case "saml_trials", "connection_traffic", "connection_failures", "connection_unmapped":
			continue
		}
		columns, err := column(db, `SELECT name FROM pragma_table_info('`+name+`')`)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := column(db, `SELECT concat_ws('|', `+strings.Join(columns, ", ")+`) FROM `+name+` ORDER BY 1`)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[name] = rows
	}
	return all
}

func column(db *sql.DB, query string) (values []string, err error) {
	rows, err := db.Query(query)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var v string
		if err := rows.Scan(&v); err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, rows.Err()
}

func TestTrialWritesNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "trial.db")
	s := newService(t, options{database: "sqlite:" + file})
	tn := s.newTenant("acme", nil) // without an application
	tn.rules(mapping.GiveNone)
	b := s.newBrowser()
	// Somebody is known already, so that a login would change facts.
	app := s.newApplication()
	tn.answer = func(samltest.Request) samltest.Message {
		return samltest.Message{NameID: "known@acme.example", Groups: []string{"Everyone"}}
	}
	tn.login(b, app).code(t)
	if err := s.engine.WorkOff(t.Context()); err != nil {
		t.Fatal(err)
	}

	for name, test := range map[string]struct {
		answer  samltest.Message
		created bool
	}{
		"somebody new":            {samltest.Message{NameID: "anna@acme.example", Groups: []string{"Admins", "New <b>group</b>"}}, true},
		"somebody who is known":   {samltest.Message{NameID: "known@acme.example", Groups: []string{"Admins", "New <b>group</b>"}}, false},
		"somebody new, encrypted": {samltest.Message{NameID: "bo@acme.example", Groups: []string{"Admins", "New <b>group</b>"}, Encrypt: &samltest.Encryption{For: ourCertificate(directory.Encryption)}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			tn.answer = func(samltest.Request) samltest.Message { return test.answer }
			id, address := tn.newTrial(t)
			quiesce(t, s)
			before := contents(t, file)
			p := b.submit(b.get(address))
			if diff := cmp.Diff(before, contents(t, file)); diff != "" {
				t.Errorf("the test login has written (-before +after):\n%s", diff)
			}
			if p.status != 200 || !strings.Contains(p.text, "would be let in") || strings.Contains(p.text, "<b>group") || !strings.Contains(p.text, "New &lt;b&gt;group&lt;/b&gt;") {
				t.Errorf("the page is %d:\n%s", p.status, p.text)
			}
			for _, part := range []string{"Admins are admins", "admin", test.answer.NameID, "Stated", "assertion_signature"} {
				if !strings.Contains(p.text, part) {
					t.Errorf("the page has no %q", part)
				}
			}
			r := tn.trialResult(t, id)
			if !r.Accepted || r.Refusal != nil || r.Person == nil || r.Person.Created != test.created || (r.Person.User != "") == test.created {
				t.Errorf("result = %+v %+v", r, r.Person)
			}
			for _, check := range r.Checks {
				if !check.Passed || check.Skipped {
					t.Errorf("the check %s has not passed, and the login is accepted", check.Name)
				}
			}
			if last := r.Checks[len(r.Checks)-1]; last.Name != "login" {
				t.Errorf("the last check is %s", last.Name)
			}
			if r.Groups.Fact != directory.Stated || len(r.Groups.Values) != 2 || r.Roles == nil || r.Roles.Assignment.Role != "admin" {
				t.Errorf("groups = %+v, roles = %+v", r.Groups, r.Roles)
			}
			if r.Assertion.NameID != test.answer.NameID || r.Assertion.Encrypted != (test.answer.Encrypt != nil) || !strings.Contains(r.Message, test.answer.NameID) {
				t.Errorf("assertion = %+v, message:\n%s", r.Assertion, r.Message)
			}
		})
	}
}

// quiesce waits until Redis holds all that SQL does, so that nothing is noted meanwhile.
func quiesce(t *testing.T, s *service) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(10 * time.Second)
	for {
		page, err := s.store.Unpublished(t.Context(), directory.Now(), 0, "", "", 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal("some assignments stay unpublished")
		}
	}
}

// That is what it is for: to see why.
func TestTrialOfWhatIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "trial.db")
	s := newService(t, options{database: "sqlite:" + file})
	tn := s.newTenant("acme", func(settings *directory.SAMLSettings) { settings.EmailDomains = []string{"acme.example"} })
	tn.rules(mapping.DenyLogin)
	if err := s.engine.WorkOff(t.Context()); err != nil {
		t.Fatal(err)
	}
	b := s.newBrowser()
	for name, test := range map[string]struct {
		answer samltest.Message
		code   string
		failed string // check
		roles  bool
	}{
		"another audience": {samltest.Message{NameID: "anna@acme.example", Audience: "https://other.example"}, "audience", "audience", false},
		"an old assertion": {samltest.Message{NameID: "anna@acme.example", Now: time.Now().Add(-time.Hour)}, "issue_instant", "issue_instant", false},
		"a stranger's key": {samltest.Message{NameID: "anna@acme.example", Signature: samltest.Signature{Key: samltest.New("https://stranger.example").Key}}, "signature", "assertion_signature", false},
		"no signature":     {samltest.Message{NameID: "anna@acme.example", Sign: samltest.SignNothing}, "unsigned", "assertion_signature", false},
		"a transient name": {samltest.Message{NameID: "_x", Format: samltest.Transient}, "name_id", "identity", false},
		"another domain":   {samltest.Message{NameID: "anna@evil.example"}, "email_domain", "identity", false},
		"nobody's group":   {samltest.Message{NameID: "anna@acme.example", Groups: []string{"Nobodies"}}, "login_denied", "login", true},
		"no XML":           {samltest.Message{NameID: "anna@acme.example", Bytes: func(string) string { return "<hello" }}, "malformed", "message", false},
	} {
		t.Run(name, func(t *testing.T) {
			tn.answer = func(samltest.Request) samltest.Message { return test.answer }
			id, address := tn.newTrial(t)
			before := contents(t, file)
			p := b.submit(b.get(address))
			if diff := cmp.Diff(before, contents(t, file)); diff != "" {
				t.Errorf("the test login has written (-before +after):\n%s", diff)
			}
			r := tn.trialResult(t, id)
			if r.Accepted || r.Refusal == nil || r.Refusal.Code != test.code || (r.Roles != nil) != test.roles {
				t.Errorf("result = %+v, refusal %+v, want %s", r, r.Refusal, test.code)
			}
			failed := ""
			for _, check := range r.Checks {
				if !check.Passed && !check.Skipped && failed == "" {
					failed = check.Name
				}
			}
			if failed != test.failed {
				t.Errorf("the check that failed is %q, want %q: %+v", failed, test.failed, r.Checks)
			}
			if last := r.Checks[len(r.Checks)-1]; last.Name != "login" || last.Passed || last.Skipped == (test.failed == "login") {
				t.Errorf("the last check is %+v", last)
			}
			if p.status != 200 || !strings.Contains(p.text, "would be refused") || !strings.Contains(p.text, test.code) {
				t.Errorf("the page is %d:\n%s", p.status, p.text)
			}
			if f := tn.failures()[0]; f.Kind != "test" || f.Code != test.code {
				t.Errorf("failure = %+v", f)
			}
		})
	}
}

// A connection is tried before people can sign in through it.
func TestTrialOfADisabledConnection(t *testing.T) {
	s := newService(t, options{})
	tn := s.newTenant("acme", nil)
	tn.rules(mapping.GiveNone)
	tn.transact(tn.scope(), store.Rules, func(tx *store.Tx) error { tx.DisableConnection(); return nil })
	id, address := tn.newTrial(t)
	b := s.newBrowser()
	if p := b.submit(b.get(address)); p.status != 200 || !strings.Contains(p.text, "would be refused") {
		t.Errorf("the page is %d:\n%s", p.status, p.text)
	}
	r := tn.trialResult(t, id)
	if r.Accepted || r.Refusal == nil || r.Refusal.Code != "connection_disabled" || r.Roles == nil || r.Roles.Assignment.Role != "admin" {
		t.Fatalf("result = %+v, refusal %+v, want all of it, and that the connection is disabled", r, r.Refusal)
	}
	for _, check := range r.Checks {
		if check.Passed == (check.Name == "login") {
			t.Errorf("the check %+v", check)
		}
	}
}

// Somebody else's browser, a wrong secret, an old address: there is no test login.
func TestTrialAddresses(t *testing.T) {
	s := newService(t, options{})
	tn, other := s.newTenant("acme", nil), s.newTenant("other", nil)
	id, address := tn.newTrial(t)
	for name, wrong := range map[string]string{
		"no secret":          tn.base + "/test/" + id,
		"a wrong secret":     tn.base + "/test/" + id + "?secret=rs_test_x",
		"another connection": strings.Replace(address, string(tn.connection), string(other.connection), 1),
		"another trial":      strings.Replace(address, id, directory.NewTrialID(), 1),
		"a NUL":              tn.base + "/test/%00?secret=x",
		"no UTF-8":           tn.base + "/test/%ff?secret=x",
	} {
		if p := s.newBrowser().get(wrong); p.status != 404 || p.reference() == "" {
			t.Errorf("%s = %d %s", name, p.status, p.text)
		}
	}
	b := s.newBrowser()
	action, fields := b.get(address).form(t)
	tn.refuses(t, s.newBrowser().post(action, fields), "auth", "cookie")
	s.offset.Store(int64(2 * time.Hour))
	if p := b.get(address); p.status != 404 {
		t.Errorf("after two hours = %d", p.status)
	}
}

// A page shows the first of many, and the rest as a number.
func TestTrialWithManyGroups(t *testing.T) {
	s := newService(t, options{})
	tn := s.newTenant("acme", nil)
	var groups []string
	for i := range 5000 {
		groups = append(groups, fmt.Sprintf("group %d", i))
	}
	tn.answer = func(samltest.Request) samltest.Message {
		return samltest.Message{NameID: "anna@acme.example", Groups: groups}
	}
	id, address := tn.newTrial(t)
	b := s.newBrowser()
	p := b.submit(b.get(address))
	if !strings.Contains(p.text, "4900 more") || len(p.text) > 1<<20 {
		t.Errorf("the page has %d bytes", len(p.text))
	}
	if r := tn.trialResult(t, id); len(r.Groups.Values) != 5000 || !r.Accepted {
		t.Errorf("%d groups, %+v", len(r.Groups.Values), r.Refusal)
	}
}
