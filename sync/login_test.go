package sync_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/internal/testserver"
	"github.com/rolesync/rolesync/mapping"
	rolesync "github.com/rolesync/rolesync/sync"
)

// sso is a SAML connection of a tenant.
type sso struct {
	tenant
	by rolesync.Author
}

// sso makes another connection of the tenant's organization.
func (n tenant) sso(t tester) sso {
	t.Helper()
	by := n.by
	by.Connection = directory.NewConnectionID()
	s := sso{n, by}
	err := n.Store.Transact(t.Context(), s.scope(), store.Facts, func(tx *store.Tx) error {
		tx.CreateConnection(directory.Connection{ID: by.Connection, Kind: directory.SAML, Name: "ADFS", CreatedAt: directory.Now()})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s sso) scope() store.Scope {
	return store.Scope{Organization: s.by.Organization, Connection: s.by.Connection}
}

var messages atomic.Int64

// login is what a person's first or next assertion states.
func login(subject string, groups ...string) rolesync.Login {
	l := rolesync.Login{
		Subject: subject, UserName: subject + "@example.com", Email: subject + "@example.com", GivenName: "Anna",
		JustInTime: true, Fact: directory.Stated, Groups: groups,
		Message: fmt.Sprint("_", messages.Add(1)), Usable: directory.Now().Add(time.Hour),
	}
	return l
}

// tryIn logs in.
func (s sso) tryIn(l rolesync.Login) (rolesync.LoggedIn, error) {
	return s.Login(context.Background(), s.by, l)
}

// in logs in, which must be accepted.
func (s sso) in(t testing.TB, l rolesync.Login) rolesync.LoggedIn {
	t.Helper()
	in, err := s.tryIn(l)
	if err != nil || in.Refused != rolesync.Accepted {
		t.Fatalf("Login(%s) = %q, %v", l.Subject, in.Refused, err)
	}
	return in
}

func (s sso) wantRefused(t testing.TB, l rolesync.Login, want rolesync.Refusal) rolesync.LoggedIn {
	t.Helper()
	in, err := s.tryIn(l)
	if err != nil || in.Refused != want {
		t.Errorf("Login(%s) = %q, %v; want %q", l.Subject, in.Refused, err, want)
	}
	return in
}

func TestLogin(t *testing.T) {
	eachDatabase(t, func(t *testing.T, url string) {
		s := newService(t, url, "")
		for _, c := range []struct {
			name string
			test func(*testing.T, sso)
		}{
			{"a person becomes a user", testFirstLogin},
			{"what a login states of groups", testStates},
			{"names", testNames},
			{"rules that deny a login", testDenied},
			{"five thousand groups", testManyGroups},
			{"a preview stores nothing", testPreview},
			{"signing out", testSignOut},
			{"hostile values", testHostile},
			{"replay", testReplay},
			{"the first day", testFirstDay},
			{"one person in several windows", testOnePersonAtOnce},
		} {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.test(t, s.tenant(t).sso(t))
			})
		}
		t.Cleanup(func() { s.wantSound(noContext{t}) })
	})
}

func testFirstLogin(t *testing.T, s sso) {
	l := login("anna", "Admins", "Everyone", " admins ")
	in := s.in(t, l)
	equal(t, "roles", in.Assignment.Roles, []mapping.RoleKey{"admin"})
	if !in.Created || in.Linked || in.Version != 1 || in.Published || in.User.UserName != "anna@example.com" || in.User.Connection != s.by.Connection {
		t.Errorf("the first login gives %+v", in)
	}
	s.wantRoles(t, in.User.ID, "admin")
	again := s.in(t, login("anna", "Everyone", "Admins"))
	if again.Created || again.Version != 1 || again.User.ID != in.User.ID || again.User.Revision != 1 {
		t.Errorf("the second login gives %+v", again)
	}
	s.wantRefused(t, l, rolesync.Replayed)
	wantFault(t, func() error { _, err := s.tryIn(rolesync.Login{Subject: "x"}); return err }(), fault.Invalid)
}

func testStates(t *testing.T, s sso) {
	user := s.in(t, login("anna", "Admins", "Engineering")).User.ID
	for _, c := range []struct {
		fact   directory.GroupFact
		groups []string
		want   []mapping.RoleKey
	}{
		{directory.Absent, nil, []mapping.RoleKey{"admin", "developer"}},
		{directory.Partial, []string{"Sales"}, []mapping.RoleKey{"admin", "developer"}},
		{directory.Stated, []string{"engineering", "Sales"}, []mapping.RoleKey{"developer"}},
		{directory.Empty, nil, []mapping.RoleKey{"member"}},
		{directory.Absent, nil, []mapping.RoleKey{"member"}},
		{directory.Stated, []string{"ADMINS"}, []mapping.RoleKey{"admin"}},
		{directory.Stated, nil, []mapping.RoleKey{"member"}},
	} {
		l := login("anna", c.groups...)
		l.Fact = c.fact
		in := s.in(t, l)
		if !slices.Equal(in.Assignment.Roles, c.want) {
			t.Errorf("%s %q gives %v, want %v", c.fact, c.groups, in.Assignment.Roles, c.want)
		}
		s.wantRoles(t, user, c.want...)
	}
}

func testNames(t *testing.T, s sso) {
	first := s.in(t, login("anna", "Admins"))
	renamed := login("anna", "Admins")
	renamed.UserName, renamed.Email, renamed.GivenName, renamed.DisplayName = "Anna.Smith@example.com", "", "", "Anna Smith"
	in := s.in(t, renamed)
	stored, err := s.Store.User(t.Context(), s.scope(), first.User.ID)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "user", in.User, stored)
	if stored.UserName != "Anna.Smith@example.com" || stored.Email != "anna@example.com" || stored.DisplayName != "Anna Smith" || stored.Revision != 2 {
		t.Errorf("the user is %+v", stored)
	}
	equal(t, "resource", string(stored.Resource),
		`{"userName":"Anna.Smith@example.com","name":{"givenName":"Anna"},"displayName":"Anna Smith","emails":[{"value":"anna@example.com","primary":true}],"active":true}`)
	equal(t, "version", in.Version, 2) // another alias

	// A userName that is somebody else's is no reason to lock anybody out.
	s.in(t, login("bert"))
	taken := login("anna", "Admins")
	taken.UserName, taken.Email = "BERT@example.com", "a@example.com"
	in = s.in(t, taken)
	if in.User.UserName != "Anna.Smith@example.com" || in.User.Email != "a@example.com" || in.User.Revision != 3 {
		t.Errorf("after a name that is taken the user is %+v", in.User)
	}
	again := taken
	again.Message = "_again"
	if in = s.in(t, again); in.User.Revision != 3 {
		t.Errorf("the same once more makes revision %d", in.User.Revision)
	}
}

func testDenied(t *testing.T, s sso) {
	set := ruleSet
	set.DefaultRole, set.OnNoMatch = "", mapping.DenyLogin
	if _, err := s.PublishRules(t.Context(), s.by, set, rolesync.AnyVersion, ""); err != nil {
		t.Fatal(err)
	}
	code := func(l rolesync.Login) rolesync.Login {
		l.Code = &rolesync.NewCode{ID: l.Message, ExpiresAt: directory.Now().Add(time.Minute), Document: func(in rolesync.LoggedIn) string { return string(in.User.ID) }}
		return l
	}
	denied := code(login("anna", "Sales"))
	in := s.wantRefused(t, denied, rolesync.LoginDenied)
	if !in.Created || in.User.ID == "" {
		t.Errorf("a denied login gives %+v, want the user", in)
	}
	_, err := s.Store.TakeCode(t.Context(), s.by.Organization, denied.Code.ID, directory.Now())
	wantFault(t, err, fault.NotFound)
	s.wantRefused(t, denied, rolesync.Replayed)

	// The facts were stored, so that an admin sees why.
	subjects, err := s.Store.Subjects(t.Context(), s.by.Organization, []directory.UserID{in.User.ID})
	if err != nil || len(subjects) != 1 || len(subjects[0].Facts.Groups) != 1 || subjects[0].Facts.Groups[0].DisplayName != "Sales" {
		t.Errorf("facts = %+v, %v", subjects, err)
	}
	accepted := code(login("anna", "Engineers"))
	s.in(t, accepted)
	document, err := s.Store.TakeCode(t.Context(), s.by.Organization, accepted.Code.ID, directory.Now())
	if err != nil || document != string(in.User.ID) {
		t.Errorf("TakeCode = %q, %v", document, err)
	}
}

func testManyGroups(t *testing.T, s sso) {
	var names []string
	for i := range 5_000 {
		names = append(names, fmt.Sprintf("Group %d\r\n:*{%d}..", i, i))
	}
	in := s.in(t, login("anna", append(names, "Admins")...))
	equal(t, "roles", in.Assignment.Roles, []mapping.RoleKey{"admin"})
	in = s.in(t, login("anna", names[1:]...))
	equal(t, "roles", in.Assignment.Roles, []mapping.RoleKey{"member"})
	groups, err := s.Store.SeenGroups(t.Context(), s.by.Organization, "", 10_000)
	if err != nil || len(groups) != 5_001 {
		t.Fatalf("there are %d groups, %v", len(groups), err)
	}
	for _, g := range groups {
		if g.Kind != directory.SAML || g.Connection != s.by.Connection || g.Members > 1 || g.Revision != 1 {
			t.Fatalf("a group is %+v", g)
		}
	}
	equal(t, "memberships that are left", len(subjectsGroups(t, s, in.User.ID)), 4_999)
}

func subjectsGroups(t testing.TB, s sso, user directory.UserID) []directory.Membership {
	t.Helper()
	subjects, err := s.Store.Subjects(t.Context(), s.by.Organization, []directory.UserID{user})
	if err != nil || len(subjects) != 1 {
		t.Fatalf("Subjects = %+v, %v", subjects, err)
	}
	return subjects[0].Facts.Groups
}

func testPreview(t *testing.T, s sso) {
	audits := func() int {
		entries, err := s.Store.AuditEntries(t.Context(), s.by.Organization, "", "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	before := audits()
	l := login("anna", "Admins", "New")
	why, in, err := s.PreviewLogin(t.Context(), s.by, l)
	if err != nil || !in.Created || why.Decision != mapping.Granted || why.Assignment.Role != "admin" || why.User != in.User.ID {
		t.Errorf("PreviewLogin = %+v, %+v, %v", why, in, err)
	}
	_, err = s.Store.Assignment(t.Context(), s.by.Organization, in.User.ID)
	wantFault(t, err, fault.NotFound)
	groups, err := s.Store.SeenGroups(t.Context(), s.by.Organization, "", 10)
	if err != nil || len(groups) > 0 || audits() != before {
		t.Errorf("a preview leaves %+v, %v and %d audit entries", groups, err, audits()-before)
	}
	// It has not used the message either.
	in = s.in(t, l)
	equal(t, "roles", in.Assignment.Role, "admin")
	if _, in, err = s.PreviewLogin(t.Context(), s.by, l); err != nil || in.Refused != rolesync.Replayed {
		t.Errorf("PreviewLogin of a used message = %q, %v", in.Refused, err)
	}
	unknown := login("bert")
	unknown.JustInTime = false
	if why, in, err = s.PreviewLogin(t.Context(), s.by, unknown); err != nil || in.Refused != rolesync.UserUnknown || why.Decision != mapping.Inactive {
		t.Errorf("PreviewLogin of nobody = %q, %s, %v", in.Refused, why.Decision, err)
	}
}

func testSignOut(t *testing.T, s sso) {
	in := s.in(t, login("anna", "Admins"))
	out := func(subject, message string) error {
		user, err := s.SignOut(t.Context(), s.by, subject, message, directory.Now().Add(time.Minute))
		if err == nil && user != in.User.ID {
			t.Errorf("SignOut(%s) = %s", subject, user)
		}
		return err
	}
	if err := out("anna", "_out"); err != nil {
		t.Fatal(err)
	}
	a := s.assignment(t, in.User.ID)
	if a.Version != in.Version+1 || a.Epoch != in.Epoch+1 || rolesOf(t, a)[0] != "admin" {
		t.Errorf("after it the assignment is %+v", a)
	}
	wantFault(t, out("anna", "_out"), fault.Conflict)
	wantFault(t, out("nobody", "_other"), fault.NotFound)
	wantFault(t, out("", "_other"), fault.Invalid)
	equal(t, "epoch", s.assignment(t, in.User.ID).Epoch, a.Epoch)

	// A logout request cannot use up an assertion of the same id.
	l := login("anna", "Admins")
	if err := out("anna", l.Message); err != nil {
		t.Error(err)
	}
	again := s.in(t, l)
	equal(t, "epoch of the next login", again.Epoch, a.Epoch+1)

	other := s.tenant.sso(t)
	if _, err := other.SignOut(t.Context(), other.by, "anna", "_out2", directory.Now()); !fault.Is(err, fault.NotFound) {
		t.Errorf("another connection signs out: %v", err)
	}
}

func testHostile(t *testing.T, s sso) {
	long := string(make([]byte, 2_000))
	for name, edit := range map[string]func(*rolesync.Login){
		"no subject":       func(l *rolesync.Login) { l.Subject = "" },
		"no message":       func(l *rolesync.Login) { l.Message = "" },
		"a long subject":   func(l *rolesync.Login) { l.Subject = long },
		"a long user name": func(l *rolesync.Login) { l.UserName = long },
		"a long address":   func(l *rolesync.Login) { l.Email = long },
		"a long id":        func(l *rolesync.Login) { l.ExternalID = long },
		"a long group":     func(l *rolesync.Login) { l.Groups = []string{"Admins", long} },
		"a long subject that has to stand for a name": func(l *rolesync.Login) {
			l.Subject, l.UserName, l.Email = long[:1_000], "", ""
		},
	} {
		l := login("anna", "Admins")
		edit(&l)
		_, err := s.tryIn(l)
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v, want a fault of kind invalid", name, err)
		}
	}
	for i, subject := range []string{"'; DROP TABLE users; --", "%", "anna", "ANNA", " anna", "a\r\nb", "😀", `{"a":1}`, "usr_"} {
		l := login(subject, subject, "*", "..", "\u2028", `"`, "a:b", " ")
		l.UserName, l.Email = fmt.Sprint("person ", i), ""
		first := s.in(t, l)
		l.Message += "b"
		if second := s.in(t, l); second.User.ID != first.User.ID || second.Version != first.Version || second.User.Revision != 1 {
			t.Errorf("%q is %s at first and %s then", subject, first.User.ID, second.User.ID)
		}
	}
	l := login("carl")
	l.UserName, l.Email = "", ""
	if in := s.in(t, l); in.User.UserName != "carl" {
		t.Errorf("without a name the user is %+v", in.User)
	}
	message := l
	message.Message = string(make([]byte, 1<<16))
	s.in(t, message)
	s.wantRefused(t, message, rolesync.Replayed)
}

// A message is used once by however many at once, and remembered whatever it says of its
// own end.
func testReplay(t *testing.T, s sso) {
	for round := range 10 {
		l := login("anna", "Admins")
		l.Usable = directory.Now().Add(-time.Hour * time.Duration(round))
		var accepted, replayed atomic.Int32
		together(8, func(int) {
			switch in, err := s.tryIn(l); {
			case err != nil:
				t.Error(err)
			case in.Refused == rolesync.Accepted:
				accepted.Add(1)
			case in.Refused == rolesync.Replayed:
				replayed.Add(1)
			}
		})
		if accepted.Load() != 1 || replayed.Load() != 7 {
			t.Errorf("%d were accepted and %d refused, want 1 and 7", accepted.Load(), replayed.Load())
		}
		if _, err := s.Store.SweepExpired(t.Context(), directory.Now()); err != nil {
			t.Error(err)
		}
		s.wantRefused(t, l, rolesync.Replayed)
	}
	// A refusal uses it up, too.
	l := login("nobody")
	l.JustInTime = false
	s.wantRefused(t, l, rolesync.UserUnknown)
	l.JustInTime = true
	s.wantRefused(t, l, rolesync.Replayed)
	// It is the connection's own.
	l.Subject = "somebody"
	l.UserName, l.Email = "x", ""
	s.tenant.sso(t).in(t, l)
}

// Everyone is in Everyone: the first logins of many people with the same groups.
func testFirstDay(t *testing.T, s sso) {
	groups := []string{"Everyone", "Admins", "A", "B", "C", "D"}
	together(8, func(worker int) {
		for i := range 12 {
			l := login(fmt.Sprintf("p%d-%d", worker, i), append(slices.Clone(groups[:2]), groups[2+(i+worker)%4], groups[2+i%3])...)
			if worker%2 == 1 {
				slices.Reverse(l.Groups)
			}
			s.in(t, l)
			l.Message += "again"
			s.in(t, l)
		}
	})
	list, err := s.Store.SeenGroups(t.Context(), s.by.Organization, "", 100)
	if err != nil || len(list) != len(groups) {
		t.Errorf("there are %d groups, %v; want %d", len(list), err, len(groups))
	}
	for _, g := range list {
		if g.DisplayName == "Everyone" && g.Members != 96 {
			t.Errorf("Everyone has %d members", g.Members)
		}
	}
}

// A person signs in for the first time in several windows at once.
func testOnePersonAtOnce(t *testing.T, s sso) {
	for round := range 10 {
		ids := make([]directory.UserID, 6)
		var created atomic.Int32
		together(len(ids), func(i int) {
			l := login(fmt.Sprint("p", round), "Admins", fmt.Sprint("Window ", i))
			in, err := s.tryIn(l)
			if err != nil || in.Refused != rolesync.Accepted {
				t.Errorf("Login = %q, %v", in.Refused, err)
			}
			if in.Created {
				created.Add(1)
			}
			ids[i] = in.User.ID
		})
		if slices.Sort(ids); ids[0] != ids[len(ids)-1] || created.Load() != 1 {
			t.Errorf("one person is %v, created %d times", slices.Compact(ids), created.Load())
		}
		equal(t, "groups", len(subjectsGroups(t, s, ids[0])), 2)
	}
}

// People who are known sign in, with groups that come and go, while SCIM changes the same
// users: none of them ever holds what the other waits for.
func TestLoginsDoNotDeadlock(t *testing.T) {
	t.Parallel()
	s := newService(t, prepared(t, testserver.Database(t)), "")
	n := s.tenant(t)
	people := make([]directory.UserID, 16)
	sso := n.sso(t)
	for i := range people {
		people[i] = n.user(t, fmt.Sprintf("p%d@example.com", i))
		sso.in(t, login(fmt.Sprint("p", i)))
	}
	groups := []directory.GroupID{n.group(t, "Admins"), n.group(t, "Engineering")}
	together(8, func(worker int) {
		r := rand.New(rand.NewPCG(uint64(worker), 11))
		for range 40 {
			var err error
			switch r.IntN(5) {
			case 0:
				err = n.try(replaceMembers(pick(r, groups), string(pick(r, people)), string(pick(r, people)), string(pick(r, people))))
			case 1:
				err = n.try(setActive(pick(r, people), true))
			default:
				l := login(fmt.Sprint("p", r.IntN(len(people))), "Everyone")
				for range 6 {
					l.Groups = append(l.Groups, fmt.Sprint("Group ", r.IntN(200)))
				}
				_, err = sso.tryIn(l)
			}
			if err != nil {
				t.Error(err)
			}
		}
	})
	equal(t, "transactions that ran again", s.again.Load(), 0)
	s.wantSound(t)
}
