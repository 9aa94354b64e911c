package sync_test

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/testserver"
	"github.com/rolesync/rolesync/mapping"
	rolesync "github.com/rolesync/rolesync/sync"
)

func TestAuthority(t *testing.T) {
	eachDatabase(t, func(t *testing.T, url string) {
		s := newService(t, url, "")
		for _, c := range []struct {
			name string
			test func(*testing.T, sso)
		}{
			{"what is set is in effect", testSetAuthority},
			{"auto is scim with its first group", testFirstGroup},
			{"the first group of many at once", testFirstGroupsAtOnce},
			{"explained", testExplainAuthority},
			{"nested groups", testNestedLogin},
			{"people sign in while scim pushes its first group", testFirstGroupWhileSigningIn},
		} {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.test(t, s.tenant(t).sso(t))
			})
		}
		t.Cleanup(func() { s.wantSound(noContext{t}) })
	})
}

func testSetAuthority(t *testing.T, s sso) {
	n := s.tenant
	user := n.user(t, "anna@example.com")
	n.group(t, "Admins", user)
	s.in(t, login("anna", "Engineers"))
	bert := newUser("bert@example.com")
	n.change(t, func(tx *rolesync.Tx) error { tx.CreateUser(bert); return nil })
	s.in(t, login("bert", "Admins"))
	for _, c := range []struct {
		authority  directory.Authority
		anna, bert []mapping.RoleKey
	}{
		{directory.AuthorityUnion, []mapping.RoleKey{"admin", "developer"}, []mapping.RoleKey{"admin"}},
		{directory.AuthoritySAML, []mapping.RoleKey{"developer"}, []mapping.RoleKey{"admin"}},
		{directory.AuthorityAuto, []mapping.RoleKey{"admin"}, []mapping.RoleKey{"member"}},
		{directory.AuthoritySCIM, []mapping.RoleKey{"admin"}, []mapping.RoleKey{"member"}},
		{directory.AuthorityAuto, []mapping.RoleKey{"admin"}, []mapping.RoleKey{"member"}},
		{directory.AuthoritySAML, []mapping.RoleKey{"developer"}, []mapping.RoleKey{"admin"}},
	} {
		if err := s.SetAuthority(t.Context(), s.by, c.authority); err != nil {
			t.Fatal(err)
		}
		// Whoever signs in is evaluated at once, before the backlog comes to it.
		in := s.in(t, login("anna", "Engineers"))
		equal(t, "roles at "+string(c.authority), in.Assignment.Roles, c.anna)
		n.workOff(t)
		s.wantRoles(t, user, c.anna...)
		s.wantRoles(t, bert.ID, c.bert...)
		stored, err := s.Store.GroupAuthority(t.Context(), s.by.Organization)
		if err != nil || stored.Set != c.authority || !stored.SCIMGroups {
			t.Errorf("GroupAuthority = %+v, %v", stored, err)
		}
	}
	before := n.versions(t)
	if err := s.SetAuthority(t.Context(), s.by, directory.AuthoritySAML); err != nil {
		t.Fatal(err)
	}
	n.workOff(t)
	equal(t, "versions after the same once more", n.versions(t), before)
	wantFault(t, s.SetAuthority(t.Context(), s.by, "everybody"), fault.Invalid)
	nobody := s.by
	nobody.Organization = directory.NewOrganizationID()
	wantFault(t, s.SetAuthority(t.Context(), nobody, directory.AuthorityUnion), fault.NotFound)
}

func testFirstGroup(t *testing.T, s sso) {
	n := s.tenant
	anna, bert := s.in(t, login("anna", "Admins")).User.ID, s.in(t, login("bert", "Admins")).User.ID
	scim := n.user(t, "carl@example.com")
	s.wantRoles(t, anna, "admin")
	g := n.group(t, "Engineering", scim)
	n.workOff(t)
	s.wantRoles(t, scim, "developer")
	s.wantRoles(t, anna, "member")
	s.wantRoles(t, bert, "member")
	// The last one going does not give the word back.
	n.change(t, deleteGroup(g))
	n.workOff(t)
	s.wantRoles(t, anna, "member")
	equal(t, "roles of the next login", s.in(t, login("anna", "Admins")).Assignment.Roles, []mapping.RoleKey{"member"})

	// A failed change gives it to nobody.
	other := s.service.tenant(t).sso(t)
	dora := other.in(t, login("dora", "Admins")).User.ID
	g2 := newGroup("Sales")
	if err := other.tenant.try(func(tx *rolesync.Tx) error { tx.CreateGroup(g2); return errBroken }); !errors.Is(err, errBroken) {
		t.Errorf("error = %v", err)
	}
	other.workOff(t)
	other.wantRoles(t, dora, "admin")
}

func testFirstGroupsAtOnce(t *testing.T, s sso) {
	users := s.tenant.users(t, 8)
	together(len(users), func(i int) {
		g := newGroup(fmt.Sprint("Engineers ", i))
		if err := s.tenant.try(func(tx *rolesync.Tx) error {
			tx.CreateGroup(g)
			tx.AddMembers(g.ID, []string{string(users[i])})
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	for _, u := range users {
		s.wantRoles(t, u, "developer")
	}
}

func testExplainAuthority(t *testing.T, s sso) {
	user := s.in(t, login("anna", "Admins")).User.ID
	s.tenant.group(t, "Engineering")
	s.workOff(t)
	why, in, err := s.PreviewLogin(t.Context(), s.by, login("anna", "Admins"))
	if err != nil || in.User.ID != user {
		t.Fatalf("PreviewLogin = %+v, %v", in, err)
	}
	i := slices.IndexFunc(why.Rules, func(r mapping.RuleOutcome) bool { return r.Rule == "admins" })
	if r := why.Rules[i]; r.Outcome != mapping.NotAuthoritative || len(r.Groups) != 1 || r.Groups[0].Name != "Admins" || r.Groups[0].Connection != s.by.Connection {
		t.Errorf("the rule is explained as %+v", r)
	}
	subjects, err := s.Store.Subjects(t.Context(), s.by.Organization, []directory.UserID{user})
	if err != nil || subjects[0].Facts.Authority != directory.AuthoritySCIM || subjects[0].Facts.Groups[0].Kind != directory.SAML {
		t.Errorf("Subjects = %+v, %v", subjects, err)
	}
}

func testFirstGroupWhileSigningIn(t *testing.T, s sso) {
	for round := range 6 {
		n := s.service.tenant(t)
		sso := n.sso(t)
		sso.in(t, login("p0", "Admins"))
		var pushed atomic.Bool
		together(6, func(worker int) {
			if worker == 0 {
				g := newGroup("Engineering")
				if err := n.try(func(tx *rolesync.Tx) error { tx.CreateGroup(g); return nil }); err != nil {
					t.Error(err)
				}
				pushed.Store(true)
				return
			}
			for i := 0; i < 6; i++ {
				after := pushed.Load()
				in, err := sso.tryIn(login(fmt.Sprintf("p%d", (worker+i)%4), "Admins", fmt.Sprint(round)))
				if err != nil || in.Refused != rolesync.Accepted {
					t.Errorf("Login = %q, %v", in.Refused, err)
				}
				if after && in.Assignment.Role != "member" {
					t.Errorf("a login after the first group gives %q", in.Assignment.Role)
				}
			}
		})
		n.workOff(t)
	}
	s.wantSound(t)
}

// Several processes at once, with Redis: people sign in while an admin turns the authority
// around and SCIM pushes groups.
func TestAuthorityChangesWhileSigningIn(t *testing.T) {
	t.Parallel()
	redis := testserver.Redis(t)
	url := prepared(t, testserver.Database(t))
	services := []*service{newService(t, url, redis.Addr()), newService(t, url, redis.Addr())}
	for _, s := range services {
		s.run(t)
	}
	n := services[0].tenant(t)
	sso := n.sso(t)
	authorities := []directory.Authority{directory.AuthorityAuto, directory.AuthoritySAML, directory.AuthorityUnion, directory.AuthoritySCIM}
	together(6, func(worker int) {
		here := sso
		here.tenant = n.at(services[worker%2])
		for i := range 20 {
			var err error
			switch worker {
			case 0:
				err = here.SetAuthority(t.Context(), here.by, authorities[i%len(authorities)])
			case 1:
				g := newGroup(fmt.Sprint("Engineers ", i))
				err = here.tenant.try(func(tx *rolesync.Tx) error { tx.CreateGroup(g); return nil })
			default:
				_, err = here.tryIn(login(fmt.Sprint("p", (worker*7+i)%9), "Admins", fmt.Sprint("Team ", i%3)))
			}
			if err != nil {
				t.Errorf("worker %d: %v", worker, err)
			}
		}
	})
	for _, s := range services {
		s.wantSettled(t)
	}
}

// Groups that are nested in groups of SCIM count for a login as they do for SCIM.
func testNestedLogin(t *testing.T, s sso) {
	n := s.tenant
	user := n.user(t, "anna@example.com")
	inner := n.group(t, "Inner", user)
	outer := n.group(t, "Admins")
	n.change(t, addMembers(outer, string(inner)))
	for _, expand := range []bool{true, false} {
		set := ruleSet
		set.ExpandNestedGroups = expand
		if _, err := n.PublishRules(t.Context(), n.by, set, rolesync.AnyVersion, ""); err != nil {
			t.Fatal(err)
		}
		want, outcome := []mapping.RoleKey{"member"}, mapping.NestedOnly
		if expand {
			want, outcome = []mapping.RoleKey{"admin"}, mapping.Matched
		}
		for range 2 {
			equal(t, "roles of a login", s.in(t, login("anna", "Sales")).Assignment.Roles, want)
		}
		why, _, err := s.PreviewLogin(t.Context(), s.by, login("anna", "Sales"))
		if err != nil || why.Rules[0].Outcome != outcome {
			t.Errorf("the rule is explained as %+v, %v; want %s", why.Rules, err, outcome)
		}
		n.workOff(t)
		s.wantRoles(t, user, want...)
	}
}
