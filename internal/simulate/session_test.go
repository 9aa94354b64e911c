package simulate

import (
	"bytes"
	"context"
	"flag"
	"fmt"
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
		{"onelogin.txtar", OneLogin, false},
		{"jumpcloud.txtar", JumpCloud, false},
		{"google.txtar", Google, false},
		{"ping.txtar", Ping, false},
		{"rippling.txtar", Rippling, false},
		{"keycloak.txtar", Keycloak, false},
		{"authentik.txtar", Authentik, false},
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

// check asserts what a small session leaves behind: nobody who was deleted, and no group
// but the five.
func (s *server) check(t *testing.T, session string) {
	t.Helper()
	people := newPlan(small(s)).people
	named := map[string]string{} // id to the number of the person
	active := map[string]bool{}
	for id, u := range s.users {
		n := slices.IndexFunc(people, func(p *person) bool { return p.userName == u["userName"] })
		named[id] = fmt.Sprint(n + 1)
		active[named[id]] = u["active"].(bool)
		if n == 2 {
			s.checkMarried(t, session, u)
		}
	}
	wantActive := map[string]bool{"1": true, "2": true, "3": true, "4": false, "5": true, "6": true, "7": true, "8": true}
	want := map[string]string{"Engineering": "1 2 4 6", "IT Admins": "5", "Finance & Accounting": "3", "support-emea": "8", "Everyone": "1 2 3 4 5 6 7 8"}
	if s.provider.profile().deletesUsers {
		delete(wantActive, "8")
		want["support-emea"], want["Everyone"] = "", "1 2 3 4 5 6 7"
	}
	if diff := cmp.Diff(wantActive, active); diff != "" {
		t.Errorf("%s: users (-want +got):\n%s", session, diff)
	}
	got := map[string]string{}
	for _, g := range s.groups {
		var members []string
		for _, id := range g.members {
			members = append(members, named[id])
		}
		slices.Sort(members)
		got[g.displayName] = strings.Join(members, " ")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: groups (-want +got):\n%s", session, diff)
	}
}

func (s *server) checkMarried(t *testing.T, session string, u map[string]any) {
	t.Helper()
	family := u["name"].(map[string]any)["familyName"].(string)
	if email := u["emails"].([]any)[0].(map[string]any)["value"]; !strings.HasSuffix(family, "-Lindqvist") || email == u["userName"] {
		t.Errorf("%s: the profile did not change: %v", session, u)
	}
}

// TestEveryProviderIsPlayed keeps the lists of the tests complete.
func TestEveryProviderIsPlayed(t *testing.T) {
	for _, provider := range Providers() {
		if _, known := etiquette[provider]; !known {
			t.Errorf("nobody checks what %s sends", provider)
		}
		if _, err := os.Stat(filepath.Join("testdata", string(provider)+".txtar")); err != nil {
			t.Errorf("no session of %s is kept: %v", provider, err)
		}
	}
}

func TestABigGroupIsPushedInBatchesByOktaAndOneByOneByEntra(t *testing.T) {
	for provider, want := range map[Provider]int{Okta: 3, Entra: 2100} {
		t.Run(string(provider), func(t *testing.T) {
			s := newServer(t, provider)
			options := small(s)
			options.Users, options.Concurrency = 2100, 8
			report, err := Run(t.Context(), options)
			if err != nil {
				t.Fatal(err)
			}
			left := 0
			for _, u := range report.Users {
				if u.Note != string(deleted) {
					left++
				}
			}
			if n := len(s.groups[s.idOf("Everyone")].members); n != left || n < 2099 {
				t.Errorf("Everyone has %d members, want %d", n, left)
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

func TestABigGroupOfOthersIsPushedInBatchesToo(t *testing.T) {
	people := make([]*person, 2100)
	for i := range people {
		people[i] = &person{id: fmt.Sprint(i)}
	}
	g := &group{id: "grp-1", members: people}
	few := &authentik{operations: 1000}
	all := &authentik{}
	for _, test := range []struct {
		name string
		got  []call
		want int
	}{
		{"all in one operation", addsAll(g, people), 3},
		{"one by one", addsEach(g, people), 2100},
		{"as many operations as the server allows", few.join(g, people), 3},
		{"as many operations as there are", all.join(g, people), 1},
		{"nobody", all.join(g, nil), 0},
	} {
		touched := 0
		for _, c := range test.got {
			touched += len(c.touches)
		}
		if len(test.got) != test.want || touched != len(people) && test.want > 0 {
			t.Errorf("%s: %d requests about %d people, want %d", test.name, len(test.got), touched, test.want)
		}
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
		{"no provider", Options{URL: "http://x"}, `provider "" is none of okta, entra, onelogin, jumpcloud, google, ping, rippling, keycloak, authentik`},
		{"no address", Options{Provider: Okta}, `"" is not the http address of a SCIM connection`},
		{"not http", Options{Provider: Okta, URL: "ftp://x"}, `"ftp://x" is not the http address of a SCIM connection`},
		{"negative", Options{Provider: Okta, URL: "http://x", Users: -1}, "users, groups and concurrency must not be negative"},
	} {
		if _, err := Run(t.Context(), test.options); err == nil || err.Error() != test.want {
			t.Errorf("%s: %v, want %s", test.name, err, test.want)
		}
	}
}
