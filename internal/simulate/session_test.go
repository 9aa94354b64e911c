package simulate

import (
	"bytes"
	"context"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares sections with a file of testdata.
func golden(t *testing.T, file string, sections ...txtar.File) {
	t.Helper()
	path := filepath.Join("testdata", file)
	got := txtar.Format(&txtar.Archive{Files: sections})
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func section(name string, lines []string) txtar.File {
	return txtar.File{Name: name, Data: []byte(strings.Join(lines, "\n") + "\n")}
}

// small is a session of one request at a time, with everything in it.
func small(s *server) Options {
	return Options{Provider: s.provider, URL: s.url, Token: token, Users: 8, Groups: 5, Seed: 1, Concurrency: 1, Progress: Silent}
}

// TestSessionsAreOnTheWireWhatTheProviderSends has golden files to be read beside the
// vendors' pages. The second session meets what the first has left.
func TestSessionsAreOnTheWireWhatTheProviderSends(t *testing.T) {
	for _, test := range []struct {
		file      string
		provider  Provider
		compliant bool
	}{
		{"okta.txtar", Okta, false},
		{"entra.txtar", Entra, false},
		{"entra-compliant.txtar", Entra, true},
	} {
		t.Run(test.file, func(t *testing.T) {
			s := newServer(t, test.provider)
			options := small(s)
			if test.compliant {
				options.URL += "?aadOptscim062020"
			}
			var sections []txtar.File
			for _, session := range []string{"first session", "second session"} {
				s.requests = nil
				if _, err := Run(t.Context(), options); err != nil {
					t.Fatalf("%s: %v", session, err)
				}
				sections = append(sections, section(session, s.requests))
				s.check(t, session)
			}
			golden(t, test.file, sections...)
		})
	}
}

// check asserts what a small session leaves behind.
func (s *server) check(t *testing.T, session string) {
	t.Helper()
	active := map[string]bool{}
	for id, u := range s.users {
		active[id] = u["active"].(bool)
	}
	wantActive := map[string]bool{"usr-1": true, "usr-2": true, "usr-3": true, "usr-4": false, "usr-5": true, "usr-6": true, "usr-7": true, "usr-8": true}
	last := "usr-8"
	if s.provider == Entra { // which deletes the last, and creates them again the next time
		delete(wantActive, "usr-8")
		last = map[string]string{"first session": "usr-8", "second session": "usr-9"}[session]
		if s.users[last] != nil {
			t.Errorf("%s: %s is not deleted", session, last)
		}
	}
	if diff := cmp.Diff(wantActive, active); diff != "" {
		t.Errorf("%s: users (-want +got):\n%s", session, diff)
	}
	everyone := []string{"usr-1", "usr-2", "usr-3", "usr-4", "usr-5", "usr-6", "usr-7", "usr-8"}
	supporters := []string{"usr-8"}
	if session == "second session" && s.provider == Entra {
		everyone, supporters = append(everyone, last), append(supporters, last)
	}
	want := map[string][]string{
		"Engineering":          {"usr-1", "usr-2", "usr-4", "usr-6"},
		"IT Admins":            {"usr-5"},
		"Finance & Accounting": {"usr-3"},
		"support-emea":         supporters,
		"Everyone":             everyone,
	}
	got := map[string][]string{}
	for _, g := range s.groups {
		got[g.displayName] = slices.Sorted(slices.Values(g.members))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: groups (-want +got):\n%s", session, diff)
	}
	married := s.users["usr-3"]
	if !strings.HasSuffix(married["displayName"].(string), "-Lindqvist") || married["emails"].([]any)[0].(map[string]any)["value"] == married["userName"] {
		t.Errorf("%s: the profile did not change: %v", session, married)
	}
}

func TestABigGroupIsPushedInBatchesByOktaAndOneByOneByEntra(t *testing.T) {
	for provider, want := range map[Provider]int{Okta: 3, Entra: 2100} {
		t.Run(string(provider), func(t *testing.T) {
			s := newServer(t, provider)
			options := small(s)
			options.Users, options.Concurrency = 2100, 8
			if _, err := Run(t.Context(), options); err != nil {
				t.Fatal(err)
			}
			if n := len(s.groups["grp-5"].members); n != 2100 {
				for _, g := range s.groups {
					n = max(n, len(g.members))
				}
				if n != 2100 {
					t.Errorf("the biggest group has %d members, want 2100", n)
				}
			}
			adds := 0
			for _, r := range s.requests {
				if strings.Contains(r, "PATCH /Groups/"+s.idOf("Everyone")+"\n") && strings.Contains(r, `"path":"members"`) {
					adds++
				}
			}
			if adds != want {
				t.Errorf("%d requests added the members of Everyone, want %d", adds, want)
			}
		})
	}
}

func (s *server) idOf(displayName string) string {
	for id, g := range s.groups {
		if g.displayName == displayName {
			return id
		}
	}
	return ""
}

func TestASessionEndsWithItsContext(t *testing.T) {
	s := newServer(t, Okta)
	ctx, cancel := context.WithCancel(t.Context())
	s.refuse = func(_ http.ResponseWriter, r *http.Request, _ []byte) bool {
		if r.Method == http.MethodPost {
			cancel()
		}
		return false
	}
	var out bytes.Buffer
	options := small(s)
	options.Out = &out
	report, err := Run(ctx, options)
	if err == nil || ctx.Err() == nil || len(report.Failures) != 0 || report.Total == 0 || len(s.requests) > 5 {
		t.Errorf("Run = %d requests, failures %v, error %v after %d on the wire", report.Total, report.Failures, err, len(s.requests))
	}
}

func TestOptionsThatMakeNoSession(t *testing.T) {
	for _, test := range []struct {
		name    string
		options Options
		want    string
	}{
		{"no provider", Options{URL: "http://x"}, `provider "" is neither okta nor entra`},
		{"no address", Options{Provider: Okta}, `"" is not the http address of a SCIM connection`},
		{"not http", Options{Provider: Okta, URL: "ftp://x"}, `"ftp://x" is not the http address of a SCIM connection`},
		{"negative", Options{Provider: Okta, URL: "http://x", Users: -1}, "users, groups and concurrency must not be negative"},
	} {
		if _, err := Run(t.Context(), test.options); err == nil || err.Error() != test.want {
			t.Errorf("%s: %v, want %s", test.name, err, test.want)
		}
	}
}
