package simulate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"golang.org/x/tools/txtar"

	"github.com/rolesync/rolesync/claims"
)

const org = "org_1"

// publish has the server write assignments to Redis as the service does, and returns
// options that look there.
func (s *server) publish(t *testing.T, skip func(subject string) bool) Options {
	mini := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: mini.Addr()})
	t.Cleanup(func() { _ = client.Close() })
	keys := claims.Keys{}
	held := map[string]claims.Assignment{}
	s.changed = func(subjects []string, request string) {
		slices.Sort(subjects)
		for _, subject := range slices.Compact(subjects) {
			user := s.users[subject]
			next := claims.Assignment{Active: user != nil && user["active"] == true, Epoch: held[subject].Epoch}
			kind := claims.Deleted
			if next.Active {
				kind = claims.Assigned
				next.Roles = s.rolesOf(subject)
				next.Role = next.Roles[0]
			} else if user != nil {
				kind = claims.Deactivated
			}
			old := held[subject]
			if old.Active && !next.Active {
				next.Epoch++
			}
			if skip != nil && skip(subject) || old.Version > 0 && old.Active == next.Active && slices.Equal(old.Roles, next.Roles) {
				continue
			}
			next.Version, next.UpdatedAt = old.Version+1, time.Now()
			if user != nil {
				next.Aliases = []string{claims.UserName(user["userName"].(string))}
			}
			held[subject] = next
			data, _ := json.Marshal(next)
			mini.HSet(keys.Assignments(org), subject, string(data))
			change := claims.Change{Subject: subject, Version: next.Version, Epoch: next.Epoch, Kind: kind, Cause: request}
			if _, err := mini.XAdd(keys.Changes(org), "*", change.Values()); err != nil {
				t.Error(err)
			}
		}
	}
	options := small(s)
	options.Reader, options.Organization = claims.NewReader(client, keys), org
	return options
}

func TestTheReportSaysWhatIsInRedis(t *testing.T) {
	s := newServer(t, Entra)
	options := s.publish(t, nil)
	var out bytes.Buffer
	options.Out, options.Progress = &out, Steps
	report, err := Run(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		Note           string
		Active         bool
		Roles          string
		Version, Epoch int64
		Landed         bool
	}
	var got []row
	for _, u := range report.Users {
		got = append(got, row{u.Note, u.Active, strings.Join(u.Roles, " "), u.Version, u.Epoch, u.After != nil && *u.After >= 0})
	}
	if diff := cmp.Diff([]row{
		{"", true, "developer", 2, 0, true},
		{"moved from support-emea to Engineering", true, "developer", 4, 0, true},
		{"profile changed", true, "billing", 2, 0, true},
		{"deactivated", false, "", 3, 1, true},
		{"", true, "admin", 2, 0, true},
		{"deactivated, then active again", true, "developer", 4, 1, true},
		{"", true, "member", 1, 0, true},
		{"deleted", false, "", 3, 1, true},
	}, got); diff != "" {
		t.Errorf("users (-want +got):\n%s", diff)
	}
	// 8 created, 7 by the push of a group, 2 for the move, 1 + 2 + 1 for the rest.
	if c := report.Changes; c.Count != 21 || c.Unmatched != 0 || len(c.Late) != 0 || c.P50 > c.P99 || c.P99 > c.Max {
		t.Errorf("changes %+v, want 21", c)
	}
	for _, want := range []string{"connection test", "users                   8/8", "changes                 6/6", "wait for Redis          7/7", "21 changes in Redis after the SCIM answer: p50 "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if strings.ContainsAny(out.String(), "\x1b\r█") {
		t.Errorf("escapes or a bar outside a terminal:\n%s", out.String())
	}

	again, err := Run(t.Context(), options)
	if err != nil || again.Users[0].After != nil || again.Users[0].Version != 2 || again.Users[1].After == nil {
		t.Errorf("a second session: %v, the first user %+v, the one who moves %+v", err, again.Users[0], again.Users[1])
	}
}

func TestAnAssignmentThatDoesNotLandFailsTheSession(t *testing.T) {
	s := newServer(t, Okta)
	options := s.publish(t, func(subject string) bool { return subject == "usr-2" || subject == "usr-5" })
	options.limit = time.Second
	var out bytes.Buffer
	options.Out = &out
	report, err := Run(t.Context(), options)
	if err == nil || !strings.HasPrefix(err.Error(), "2 of the users are not in Redis as they should be after 1s, the first is ") {
		t.Errorf("Run: %v", err)
	}
	if want := []string{report.Users[1].UserName, report.Users[4].UserName}; !cmp.Equal(report.Changes.Late, want) {
		t.Errorf("late %v, want %v", report.Changes.Late, want)
	}
	if !strings.Contains(out.String(), "not in Redis in time: "+report.Users[4].UserName) || !strings.Contains(out.String(), "not there") {
		t.Errorf("printed\n%s", out.String())
	}
}

func TestLandingsArePrintedAsTheyLand(t *testing.T) {
	s := newServer(t, Okta)
	options := s.publish(t, nil)
	var out bytes.Buffer
	options.Out, options.Progress = &out, Landings
	report, err := Run(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	if want := fmt.Sprintf("  %-36s  %-24s  version ", report.Users[0].UserName, "member"); !strings.HasPrefix(lines[1], want[:len(report.Users[0].UserName)+2]) {
		t.Errorf("second line %q, want %q…", lines[1], want)
	}
	if strings.Contains(out.String(), "connection test") {
		t.Errorf("steps between the landings:\n%s", out.String())
	}
}

func TestRefusalsAreListedAndTheSessionGoesOn(t *testing.T) {
	scim := func(w http.ResponseWriter, status int, detail string) bool {
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"scimType":"uniqueness","detail":%q,"status":"%d"}`, detail, status)
		return true
	}
	for _, test := range []struct {
		name   string
		refuse func(w http.ResponseWriter, r *http.Request, body []byte) bool
		want   []Failure // About is left out
		goesOn bool
	}{
		{"a conflict", func(w http.ResponseWriter, r *http.Request, body []byte) bool {
			return r.Method == http.MethodPost && bytes.Contains(body, []byte(`"displayName":"Finance"`)) && scim(w, 409, "displayName is taken")
		}, []Failure{{Step: createGroup, Method: "POST", Path: "/Groups", Status: 409, Detail: "uniqueness: displayName is taken"}}, true},
		{"the token", func(w http.ResponseWriter, r *http.Request, _ []byte) bool { return scim(w, 401, "who are you?") },
			[]Failure{{Step: testConnection, Method: "GET", Path: "/Users", Status: 401, Detail: "uniqueness: who are you?"}}, false},
		{"a page of a proxy", func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
			if r.Method != http.MethodPut && r.Method != http.MethodDelete {
				return false
			}
			http.Error(w, "<h1>Bad\n\n  gateway</h1>"+strings.Repeat("x", 500), http.StatusBadGateway)
			return true
		}, []Failure{
			{Step: updateUser, Method: "PUT", Path: "/Users/usr-3", Status: 502, Detail: "<h1>Bad gateway</h1>" + strings.Repeat("x", 180) + "…"},
			{Step: deleteGroup, Method: "DELETE", Path: "/Groups/grp-6", Status: 502, Detail: "<h1>Bad gateway</h1>" + strings.Repeat("x", 180) + "…"},
		}, true},
		{"an empty list is not a list", func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
			if !strings.Contains(r.URL.RawQuery, "IT%20Admins") {
				return false
			}
			fmt.Fprint(w, `{"id":"x","Resources":[]}`)
			return true
		}, []Failure{{Step: lookUpGroup, Method: "GET", Path: "/Groups", Status: 200, Detail: "the answer is not a ListResponse: it has no totalResults"}}, true},
		{"a creation without a body", func(w http.ResponseWriter, r *http.Request, body []byte) bool {
			if !bytes.Contains(body, []byte(`"displayName":"Everyone","members"`)) {
				return false
			}
			w.WriteHeader(http.StatusCreated)
			return true
		}, []Failure{{Step: createGroup, Method: "POST", Path: "/Groups", Status: 201, Detail: "the answer is empty"}}, true},
		{"a creation without an id", func(w http.ResponseWriter, r *http.Request, body []byte) bool {
			if !bytes.Contains(body, []byte(`"displayName":"Everyone","members"`)) {
				return false
			}
			w.WriteHeader(http.StatusCreated)
			fmt.Fprint(w, `{"displayName":"Everyone"}`)
			return true
		}, []Failure{{Step: createGroup, Method: "POST", Path: "/Groups", Status: 201, Detail: "the answer has no id"}}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newServer(t, Okta)
			s.refuse = test.refuse
			options := small(s)
			var out bytes.Buffer
			options.Out = &out
			report, err := Run(t.Context(), options)
			if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("Okta would show %s; the first: %s, %s %s: %d: %s",
				count(len(test.want), "error"), test.want[0].Step, test.want[0].Method, test.want[0].Path, test.want[0].Status, test.want[0].Detail)) {
				t.Errorf("Run: %v", err)
			}
			got := slices.Clone(report.Failures)
			for i := range got {
				got[i].About = ""
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("failures (-want +got):\n%s", diff)
			}
			if went := strings.Contains(strings.Join(s.requests, "\n"), "DELETE"); went != test.goesOn {
				t.Errorf("the session went on: %v, want %v", went, test.goesOn)
			}
			if !test.goesOn && len(s.requests) != 1 {
				t.Errorf("%d requests after a failed connection test", len(s.requests)-1)
			}
			if !strings.Contains(out.String(), test.want[0].Detail) {
				t.Errorf("not listed:\n%s", out.String())
			}
		})
	}
}

func TestARequestThatIsPutOffIsRepeated(t *testing.T) {
	for _, test := range []struct {
		name     string
		times    int
		failures int
		repeats  int
	}{
		{"and then taken", 2, 0, 2},
		{"and never taken", 100, 1, 4},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newServer(t, Okta)
			left := test.times
			s.refuse = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
				if r.Method != http.MethodPut || left == 0 {
					return false
				}
				left--
				w.Header().Set("Retry-After", "0")
				w.WriteHeader(http.StatusServiceUnavailable)
				return true
			}
			report, err := Run(t.Context(), small(s))
			if len(report.Failures) != test.failures || (err != nil) != (test.failures > 0) || report.Repeats != test.repeats {
				t.Errorf("failures %v, repeats %d, error %v", report.Failures, report.Repeats, err)
			}
		})
	}
}

func TestAServerThatGoesAwayEndsTheSession(t *testing.T) {
	s := newServer(t, Okta)
	s.refuse = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if r.Method == http.MethodPost {
			panic(http.ErrAbortHandler)
		}
		return false
	}
	options := small(s)
	options.Users = 30
	report, err := Run(t.Context(), options)
	if err == nil || !strings.Contains(err.Error(), "push users: the server could not be reached 10 times") {
		t.Errorf("Run: %v", err)
	}
	if len(report.Failures) != 10 || report.Failures[0].Status != 0 || strings.Contains(report.Failures[0].Detail, s.url) {
		t.Errorf("failures %+v", report.Failures)
	}
}

func TestManySideBySide(t *testing.T) {
	s := newServer(t, Entra)
	options := s.publish(t, nil)
	options.Users, options.Groups, options.Concurrency = 120, 12, 8
	var out bytes.Buffer
	options.Out = &out
	report, err := Run(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Users) != 120 || !strings.Contains(out.String(), "… and 100 more") {
		t.Errorf("%d users, printed\n%s", len(report.Users), out.String())
	}
}

func TestACauseIsTheRequestWithItsIDOrTheNewestOnTheSubject(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(int64(ms)) }
	causes := newCauses([]exchange{
		{start: at(200), end: at(210), touches: []string{"usr-1", "usr-2"}, id: "b"},
		{start: at(100), end: at(110), touches: []string{"usr-1"}, id: "a"},
		{start: at(300), end: at(310), touches: []string{"usr-1"}},
	})
	for _, test := range []struct {
		name    string
		subject string
		cause   string
		at      int
		want    int // milliseconds, or none
	}{
		{"its id", "usr-1", "a", 250, 140},
		{"its id, though the request is not known to touch the user", "usr-9", "a", 250, 140},
		{"its id, before the answer", "usr-1", "b", 205, -5},
		{"another's id: the newest that had begun", "usr-1", "x", 250, 40},
		{"no id, before the answer", "usr-1", "", 305, -5},
		{"before the first request", "usr-1", "", 50, none},
		{"a user that the session does not know", "usr-9", "x", 500, none},
	} {
		d, ok := causes.delay(landing{claims.Change{Subject: test.subject, Cause: test.cause}, at(test.at)})
		if ok != (test.want != none) || ok && d != time.Duration(test.want)*time.Millisecond {
			t.Errorf("%s: %v, %v; want %d ms", test.name, d, ok, test.want)
		}
	}
}

const none = -1 << 30

func TestSpread(t *testing.T) {
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(100-i)*time.Millisecond)
	}
	for _, test := range []struct {
		durations []time.Duration
		want      Spread
	}{
		{nil, Spread{}},
		{[]time.Duration{3 * time.Millisecond}, Spread{1, 3, 3, 3}},
		{[]time.Duration{2 * time.Millisecond, time.Millisecond}, Spread{2, 1, 2, 2}},
		{hundred, Spread{100, 50, 99, 100}},
	} {
		if got := spread(test.durations); got != test.want {
			t.Errorf("spread of %d = %+v, want %+v", len(test.durations), got, test.want)
		}
	}
}

// TestWhatIsPrinted has a golden file that a person looks at.
func TestWhatIsPrinted(t *testing.T) {
	ms := func(m Milliseconds) *Milliseconds { return &m }
	report := Report{
		Provider: Entra, Milliseconds: 1234.5, Total: 97, Repeats: 1,
		Requests: []RequestTime{{testConnection, Spread{2, 0.8, 1.2, 1.2}}, {createUser, Spread{5, 3.2, 12, 12}}, {changeMembers, Spread{90, 2.6, 48, 1530}}},
		Users: []User{
			{UserName: "ines.petrov@example.com", Stated: true, Active: true, Role: "admin", Roles: []string{"admin", "developer"}, Version: 3, After: ms(2.4)},
			{UserName: "daniel.bianchi@example.com", Note: "moved from support-emea to Engineering", Stated: true, Active: true, Role: "developer", Roles: []string{"developer"}, Version: 12, After: ms(0)},
			{UserName: "zoe.ito@example.com", Note: string(deactivated), Stated: true, Roles: []string{}, Version: 2, Epoch: 1, After: ms(1200)},
			{UserName: "ben.kim@example.com", Stated: true, Active: true, Roles: []string{}, Version: 1},
			{UserName: "ana.lee@example.com", Roles: []string{}},
		},
		Changes: &Changes{Spread: Spread{9, 2.4, 1200, 1200}, Unmatched: 1, Late: []string{"ana.lee@example.com"}},
	}
	refused := Report{Provider: Okta, Milliseconds: 12, Total: 3,
		Requests: []RequestTime{{testConnection, Spread{1, 0.8, 0.8, 0.8}}},
		Failures: []Failure{
			{Step: createUser, About: "ines.petrov@example.com", Method: "POST", Path: "/Users", Status: 409, Detail: `uniqueness: userName "ines.petrov@example.com" is taken`},
			{Step: changeMembers, About: "Everyone", Method: "PATCH", Path: "/Groups/grp_01", Detail: "connection refused"},
		}}
	unchanged := Report{Provider: Okta, Milliseconds: 12, Total: 3, Requests: refused.Requests,
		Users: []User{report.Users[3]}, Changes: &Changes{}}
	var sections []txtar.File
	for _, s := range []struct {
		name   string
		report Report
		colour bool
	}{{"with Redis", report, false}, {"refused, without Redis", refused, false}, {"nothing changed", unchanged, false}, {"on a terminal", report, true}} {
		var out bytes.Buffer
		p := newPrinter(&out)
		p.colour = s.colour
		p.report(s.report)
		sections = append(sections, txtar.File{Name: s.name, Data: []byte(strings.ReplaceAll(out.String(), "\x1b", "␛"))})
	}
	for _, reached := range []int{0, 7, 20} {
		sections = append(sections, txtar.File{Name: fmt.Sprintf("bar at %d of 20", reached), Data: []byte(bar("users", reached, 20) + "\n")})
	}
	golden(t, "report.txtar", sections...)
}

func TestTheReportAsJSON(t *testing.T) {
	s := newServer(t, Entra)
	report, err := Run(t.Context(), s.publish(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	var again Report
	if err := json.Unmarshal(data, &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(report, again); diff != "" {
		t.Errorf("written and read again (-want +got):\n%s", diff)
	}
	for _, list := range []string{"requests", "failures", "users", "roles", "late"} {
		if bytes.Contains(data, []byte(`"`+list+`":null`)) {
			t.Errorf("%s is null: %s", list, data)
		}
	}
}

func TestTheBarGivesWayToLines(t *testing.T) {
	var out bytes.Buffer
	p := newPrinter(&out)
	p.terminal = true
	s := &steps{out: p}
	s.begin("users", 2)
	p.line("in between")
	s.set(2)
	s.end()
	const cleared = "\r\x1b[2K"
	want := bar("users", 0, 2) + cleared + "in between\n"
	if got := out.String(); !strings.HasPrefix(got, want) || !strings.HasSuffix(got, " ms\n") || !strings.Contains(got[len(want):], "2/2") {
		t.Errorf("wrote %q, want it to begin with %q", got, want)
	}
}

func TestPeopleAreTheSameForASeedAndNeverSharedByProviders(t *testing.T) {
	seen, ids := map[string]Provider{}, map[string]Provider{}
	for _, provider := range Providers() {
		options := Options{Provider: provider, Users: 3000, Groups: 9, Seed: 7}
		first, second := newPlan(options), newPlan(options)
		for i, p := range first.people {
			if p.userName != second.people[i].userName || p.externalID != second.people[i].externalID {
				t.Fatalf("%s: person %d is %s and then %s", provider, i, p.userName, second.people[i].userName)
			}
			if other, taken := seen[p.userName]; taken {
				t.Fatalf("%s is of %s and of %s", p.userName, other, provider)
			}
			seen[p.userName] = provider
			if other, taken := ids[p.externalID]; taken {
				t.Fatalf("%s is of %s and of %s", p.externalID, other, provider)
			}
			ids[p.externalID] = provider
			if strings.Trim(p.userName, "abcdefghijklmnopqrstuvwxyz0123456789.@") != "" {
				t.Errorf("userName %q", p.userName)
			}
		}
		options.Users, options.Groups = 20, 5
		for i, p := range newPlan(options).people {
			if p.userName != first.people[i].userName || p.externalID != first.people[i].externalID {
				t.Fatalf("%s: person %d of 3,000 is %s and of 20 %s", provider, i, first.people[i].userName, p.userName)
			}
		}
		options.Seed = 8
		if first.people[0].userName == newPlan(options).people[0].userName && first.people[1].userName == newPlan(options).people[1].userName {
			t.Errorf("%s: another seed, the same people", provider)
		}
		for i, g := range first.groups {
			if want := append(slices.Clone(groupNames), "team-001", "team-002", "team-003", "team-004")[i]; g.name != want {
				t.Errorf("group %d is %q, want %q", i, g.name, want)
			}
		}
		if n := len(first.groups[everyone].members); n != 3000 {
			t.Errorf("%d in Everyone", n)
		}
	}
}

func TestASessionOfFewLeavesOutWhatItCannotPlay(t *testing.T) {
	for _, provider := range Providers() {
		for _, size := range [][2]int{{1, 1}, {2, 2}, {3, 3}, {6, 4}} {
			t.Run(fmt.Sprintf("%s %v", provider, size), func(t *testing.T) {
				s := newServer(t, provider)
				options := small(s)
				options.Users, options.Groups = size[0], size[1]
				if _, err := Run(t.Context(), options); err != nil {
					t.Error(err)
				}
			})
		}
	}
}
