package simulate

import (
	"context"
	"fmt"
	"net/http"
)

// newRippling plays a custom integration of Rippling with "User Management via SCIM",
// which changes users and groups with PATCH.
//
// What it supports is in the vendors' set-up pages (workos.com/docs/integrations/rippling-scim,
// help.kombo.dev "Rippling SCIM"): pagination, groups with "Use PATCH to edit Groups" and
// "Create & Delete Groups", the attributes externalId, emails.primary, name.givenName and
// name.familyName, and an installation that matches existing accounts. The connection
// test is from authn.sh's guide, and so is the address by emails[primary eq true]. That a
// group is created without members, which follow by PATCH, is from
// valon-technologies/gestalt pull request 3171.
//
// Open there, and decided here: lists by pages of 100 for the matching, one operation
// for each attribute in one PATCH, one request for each member, and no User-Agent.
func newRippling(c *client, _ Options) dialect {
	c.headers = nameless
	d := &classic{client: c}
	d.connect = func(ctx context.Context) error {
		if _, err := d.do(ctx, call{label: testConnection, method: http.MethodGet, path: "/ServiceProviderConfig", learns: true}); err != nil {
			return err
		}
		page := func(seen int) string { return fmt.Sprintf("?startIndex=%d&count=100", seen+1) }
		if err := d.takeUsers(ctx, page); err != nil {
			return err
		}
		return d.takeGroups(ctx, page)
	}
	d.user = func(p *person) any {
		return ripplingUser{
			Schemas:    []string{userSchema},
			UserName:   p.userName,
			ExternalID: p.externalID,
			Name:       shortName{GivenName: p.given, FamilyName: p.family},
			Emails:     []address{{Value: p.email, Type: "work", Primary: true}},
			Title:      p.title,
			Active:     p.active,
		}
	}
	d.group = func(g *group) any {
		return namedGroup{Schemas: []string{groupSchema}, ExternalID: g.externalID, DisplayName: g.name}
	}
	d.update = func(label string, p *person) call {
		return setUser(label, p,
			operation{Op: "replace", Path: "externalId", Value: p.externalID},
			operation{Op: "replace", Path: "name.givenName", Value: p.given},
			operation{Op: "replace", Path: "name.familyName", Value: p.family},
			operation{Op: "replace", Path: primaryEmail, Value: p.email},
			operation{Op: "replace", Path: "title", Value: p.title},
			operation{Op: "replace", Path: "active", Value: p.active})
	}
	d.activity = func(p *person) call {
		return setUser(switchUser, p, operation{Op: "replace", Path: "active", Value: p.active})
	}
	d.join, d.leave, d.name = addsEach, removesEach, names
	return d
}

const primaryEmail = "emails[primary eq true].value"

type ripplingUser struct {
	Schemas    []string  `json:"schemas"`
	UserName   string    `json:"userName"`
	ExternalID string    `json:"externalId"`
	Name       shortName `json:"name"`
	Emails     []address `json:"emails"`
	Title      string    `json:"title"`
	Active     bool      `json:"active"`
}
