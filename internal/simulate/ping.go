package simulate

import (
	"context"
	"net/url"
)

// newPing plays the outbound provisioning of PingOne and the SCIM Provisioner of
// PingFederate, which replace users with PUT and change groups with PATCH.
//
// "SCIM filter expressions" (docs.pingidentity.com/pingone) gives the look-up, in its own
// letter case: username Eq "…". "User and group management" of the SCIM Provisioner says
// that users are matched by userName and groups by name, and that both are updated,
// renamed and deleted; "Supported SCIM features" of PingFederate, that it sends PATCH.
//
// Open there, and decided here: a page of one user as the connection test, which of the
// requests are PATCH (those about groups), one member in the path of a removal, and no
// User-Agent.
func newPing(c *client, _ Options) dialect {
	c.headers = nameless
	d := &classic{client: c}
	d.userQuery = func(userName string) string { return "?filter=" + url.QueryEscape(pingFilter("username", userName)) }
	d.groupQuery = func(displayName string) string {
		return "?filter=" + url.QueryEscape(pingFilter("displayName", displayName))
	}
	d.connect = func(ctx context.Context) error { return d.get(ctx, "/Users?startIndex=1&count=1") }
	d.user = func(p *person) any {
		return pingUser{
			Schemas:     []string{userSchema, enterpriseSchema},
			ID:          p.id,
			ExternalID:  p.externalID,
			UserName:    p.userName,
			Name:        name{Formatted: p.displayName(), FamilyName: p.family, GivenName: p.given},
			DisplayName: p.displayName(),
			Title:       p.title,
			Active:      p.active,
			Emails:      []address{{Value: p.email, Type: "work", Primary: true}},
			Enterprise:  enterprise{Department: p.department},
		}
	}
	d.group = func(g *group) any {
		return namedGroup{Schemas: []string{groupSchema}, ExternalID: g.externalID, DisplayName: g.name}
	}
	d.update = d.replaces
	d.join, d.leave, d.name = addsAll, removesEach, names
	return d
}

// pingFilter writes the operator with a capital letter.
func pingFilter(attribute, value string) string {
	filter := equal(attribute, value)
	return filter[:len(attribute)] + " Eq" + filter[len(attribute)+len(" eq"):]
}

type pingUser struct {
	Schemas     []string   `json:"schemas"`
	ID          string     `json:"id,omitempty"`
	ExternalID  string     `json:"externalId"`
	UserName    string     `json:"userName"`
	Name        name       `json:"name"`
	DisplayName string     `json:"displayName"`
	Title       string     `json:"title"`
	Active      bool       `json:"active"`
	Emails      []address  `json:"emails"`
	Enterprise  enterprise `json:"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"`
}
