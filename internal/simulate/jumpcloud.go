package simulate

import (
	"context"
	"net/url"
	"strings"
)

// newJumpCloud plays a custom SCIM integration of JumpCloud, which replaces users with
// PUT and changes groups with PATCH.
//
// Its article "Identity Management using a Custom SCIM Integration" (support.jumpcloud.com)
// says that the connection test creates a test user and a test group and deletes both,
// that a user is looked up before being created or updated, that one who has lost access
// is changed to inactive, that nothing but the core schema is mapped, and that the groups
// deleted in JumpCloud are deleted. Members are values and nothing else, and a removal
// lists them as a value of "members" (app.uni-moni.com/en/kb/sso-setup-jumpcloud).
//
// Open there, and decided here: a list of users before the test, the filters, externalId,
// all members in one operation, a rename by PATCH, and no User-Agent.
func newJumpCloud(c *client, _ Options) dialect {
	c.headers = nameless
	d := &classic{client: c}
	d.userQuery = func(userName string) string { return jumpCloudQuery("userName", userName) }
	d.groupQuery = func(displayName string) string { return jumpCloudQuery("displayName", displayName) }
	d.connect = d.rehearse
	d.user = func(p *person) any {
		return jumpCloudUser{
			Schemas:     []string{userSchema},
			UserName:    p.userName,
			ExternalID:  p.externalID,
			Name:        shortName{GivenName: p.given, FamilyName: p.family},
			DisplayName: p.displayName(),
			Emails:      []address{{Value: p.email, Type: "work", Primary: true}},
			Title:       p.title,
			Active:      p.active,
		}
	}
	d.group = func(g *group) any {
		return oktaGroup{Schemas: []string{groupSchema}, DisplayName: g.name, Members: []oktaMember{}}
	}
	d.update, d.join, d.name = d.replaces, addsAll, names
	d.leave = func(g *group, people []*person) []call {
		return []call{setGroup(changeMembers, g, people, operation{Op: "remove", Path: "members", Value: values(people)})}
	}
	return d
}

func jumpCloudQuery(attribute, value string) string {
	return "?filter=" + strings.ReplaceAll(url.QueryEscape(equal(attribute, value)), "+", "%20")
}

// jumpCloudTester is the address that an administrator gives for the test user.
const jumpCloudTester = "scim.test@jumpcloud.example"

// rehearse is a connection test that creates, changes and deletes.
func (c *classic) rehearse(ctx context.Context) error {
	who := &person{userName: jumpCloudTester, email: jumpCloudTester, given: "JumpCloud", family: "Test",
		externalID: "000000000000000000000000", active: true}
	all := &group{name: "JumpCloud Test Group", members: []*person{who}}
	for _, step := range []func() error{
		func() error { return c.get(ctx, "/Users") },
		func() error { return c.push(ctx, who) },
		func() error { return c.change(ctx, who) },
		func() error { return c.pushGroup(ctx, all) },
		func() error { return c.deleteGroup(ctx, all) },
		func() error { return c.deleteUser(ctx, who) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

type jumpCloudUser struct {
	Schemas     []string  `json:"schemas"`
	UserName    string    `json:"userName"`
	ExternalID  string    `json:"externalId"`
	Name        shortName `json:"name"`
	DisplayName string    `json:"displayName"`
	Emails      []address `json:"emails"`
	Title       string    `json:"title,omitempty"`
	Active      bool      `json:"active"`
}
