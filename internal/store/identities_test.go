package store_test

import (
	"testing"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
)

func (n tenant) identify(t *testing.T, subject string) store.Identified {
	t.Helper()
	var who *store.Later[store.Identified]
	n.change(t, func(tx *store.Tx) { who = tx.Identify(subject) })
	return who.Get()
}

func testIdentities(t *testing.T, d *database) {
	scim := d.tenant(t)
	saml := scim.saml(t, directory.SAMLSettings{}, store.SAMLFetch{})
	u := scim.user(t, "anna@example.com")
	g := scim.group(t, "Of SCIM")
	now := directory.Now()
	stated := func(names ...string) (groups []store.StatedGroup) {
		for _, name := range names {
			groups = append(groups, store.StatedGroup{ID: directory.NewGroupID(), Name: name, Folded: directory.Fold(name)})
		}
		return groups
	}
	scim.assignment(t, u.ID)
	scim.change(t, func(tx *store.Tx) { tx.AddMembers(g.ID, []string{string(u.ID)}) })
	saml.change(t, func(tx *store.Tx) {
		tx.CreateIdentity("s1", u.ID, now)
		tx.JoinStated(u.ID, stated("Admins", `a"b`, "OF scim"), now)
		tx.JoinStated(u.ID, stated("ADMINS", "B"), now)
	})
	names := func(who store.Identified) map[string]directory.Kind {
		kinds := map[string]directory.Kind{}
		for _, m := range who.Facts.Groups {
			kinds[m.DisplayName] = m.Kind
		}
		return kinds
	}
	who := saml.identify(t, "s1")
	equal(t, "user", who.Facts.User, u)
	equal(t, "version", who.Current.Version, 1)
	equal(t, "groups", names(who), map[string]directory.Kind{
		"Of SCIM": directory.SCIM, "Admins": directory.SAML, `a"b`: directory.SAML, "OF scim": directory.SAML, "B": directory.SAML,
	})
	for _, by := range []tenant{scim, scim.saml(t, directory.SAMLSettings{}, store.SAMLFetch{}), d.tenant(t)} {
		if who := by.identify(t, "s1"); who.Known || len(who.Facts.Groups) > 0 {
			t.Errorf("another connection knows the subject as %+v", who)
		}
	}
	if who := saml.identify(t, "S1"); who.Known {
		t.Errorf("another subject is %+v", who)
	}

	// SCIM is not shown, and does not raise, groups of SAML.
	shown := must[map[directory.UserID][]directory.Membership](t)(d.UserGroups(t.Context(), scim.Organization, []directory.UserID{u.ID}))
	equal(t, "groups that SCIM is shown", len(shown[u.ID]), 1)
	scim.change(t, func(tx *store.Tx) { tx.RaiseGroupsOf(u.ID, nil, now) })
	for _, seen := range must[[]store.SeenGroup](t)(d.SeenGroups(t.Context(), scim.Organization, "", 10)) {
		want := int64(1)
		if seen.Kind == directory.SCIM {
			want = 2
		}
		if seen.Revision != want || seen.Members != 1 {
			t.Errorf("%s group %s has revision %d and %d members", seen.Kind, seen.DisplayName, seen.Revision, seen.Members)
		}
	}
	for _, m := range must[[]directory.Membership](t)(d.GroupNames(t.Context(), scim.Organization, "", 10)) {
		if (m.Kind == directory.SCIM) != (m.Group == g.ID) {
			t.Errorf("GroupNames has %+v", m)
		}
	}
	if page := must[store.Page[directory.Group]](t)(d.Groups(t.Context(), store.Query{Scope: scim.Scope, Limit: 10})); page.Total != 1 {
		t.Errorf("SCIM lists %d groups", page.Total)
	}

	saml.change(t, func(tx *store.Tx) { tx.Leave(u.ID, []directory.GroupID{who.Facts.Groups[1].Group, "grp_none"}) })
	equal(t, "groups after leaving one", len(saml.identify(t, "s1").Facts.Groups), 4)

	scim.change(t, func(tx *store.Tx) { tx.DeleteUser(u.ID) })
	if who := saml.identify(t, "s1"); who.Known {
		t.Errorf("a deleted user is %+v", who)
	}
	var left int
	if err := d.raw(t).QueryRowContext(t.Context(), `SELECT count(*) FROM saml_identities WHERE user_id = $1`, string(u.ID)).Scan(&left); err != nil || left > 0 {
		t.Errorf("%d subjects are left of a deleted user, %v", left, err)
	}
}

func testEmailFolded(t *testing.T, d *database) {
	n := d.tenant(t)
	u := n.newUser("straße")
	u.Email = "STRASSE@Example.com"
	n.change(t, func(tx *store.Tx) { tx.CreateUser(u) })
	find := func(name string) error {
		found, err := d.UserByAlias(t.Context(), n.Organization, name)
		if err == nil && found.ID != u.ID {
			t.Errorf("UserByAlias(%q) = %s", name, found.ID)
		}
		return err
	}
	if err := find("straße@example.COM"); err != nil {
		t.Error(err)
	}
	u.Email = "new@example.com"
	n.change(t, func(tx *store.Tx) { tx.PutUser(u) })
	if err := find("NEW@example.com"); err != nil {
		t.Error(err)
	}
	wantFault(t, find("strasse@example.com"), fault.NotFound)
	wantFault(t, find(""), fault.NotFound)
}

func testAuthority(t *testing.T, d *database) {
	n := d.tenant(t)
	authority := must[store.GroupAuthority](t)
	equal(t, "at first", authority(d.GroupAuthority(t.Context(), n.Organization)), store.GroupAuthority{Set: directory.AuthorityAuto})
	set := func(change func(*store.Tx)) {
		t.Helper()
		if err := d.Transact(t.Context(), n.Scope, store.Rules, func(tx *store.Tx) error { change(tx); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	var stated *store.Later[bool]
	set(func(tx *store.Tx) { stated = tx.SetSCIMGroups() })
	equal(t, "groups were stated", stated.Get(), false)
	set(func(tx *store.Tx) { tx.SetAuthority(directory.AuthorityUnion) })
	want := store.GroupAuthority{Set: directory.AuthorityUnion, SCIMGroups: true}
	equal(t, "afterwards", authority(d.GroupAuthority(t.Context(), n.Organization)), want)
	var basis *store.Later[store.Basis]
	n.change(t, func(tx *store.Tx) { basis = tx.Basis() })
	equal(t, "the basis", basis.Get().GroupAuthority, want)
	_, err := d.GroupAuthority(t.Context(), "org_none")
	wantFault(t, err, fault.NotFound)
	for _, c := range []struct {
		set        directory.Authority
		scimGroups bool
		want       directory.Authority
	}{
		{directory.AuthorityAuto, false, directory.AuthoritySAML},
		{directory.AuthorityAuto, true, directory.AuthoritySCIM},
		{directory.AuthoritySAML, true, directory.AuthoritySAML},
		{directory.AuthoritySCIM, false, directory.AuthoritySCIM},
		{directory.AuthorityUnion, true, directory.AuthorityUnion},
	} {
		equal(t, "in effect", store.GroupAuthority{Set: c.set, SCIMGroups: c.scimGroups}.InEffect(), c.want)
	}
}
