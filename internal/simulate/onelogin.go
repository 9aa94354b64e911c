package simulate

import (
	"context"
	"net/http"
	"net/url"
)

// newOneLogin plays the "SCIM Provisioner with SAML" of OneLogin, which replaces users
// with PUT and adds members to a group one request at a time.
//
// Its page "Implement RESTful SCIM APIs for Your App" (developers.onelogin.com/scim)
// names the calls and their order: a look-up of somebody who cannot be there as the
// connection test, the groups, then for each user a look-up by userName. The bodies and
// headers are from a recording in goauthentik/authentik issue 11249: schemas that no
// standard knows, no User-Agent, no Accept, a query that ends with "&" and a "?" with
// nothing after it. That one shows the length of a body that adds a member and not its
// text; the text here is the only usual one of that length.
//
// Open there, and decided here: what the recorded user has after name, where the log
// breaks off; a removal names the member in the path; a rename is a PATCH. Groups are
// never deleted (SAML Jackson's FAQ on directory sync); users are, as "when users are
// deleted in OneLogin" can be set.
func newOneLogin(c *client, _ Options) dialect {
	c.headers, c.tail = oneLoginHeaders, "?"
	d := &classic{client: c}
	d.userQuery = func(userName string) string { return "?filter=" + url.QueryEscape(equal("userName", userName)) + "&" }
	d.connect = func(ctx context.Context) error {
		if err := d.get(ctx, "/Users"+d.userQuery("onelogin.connection.test@example.com")); err != nil {
			return err
		}
		return d.takeGroups(ctx, startingAt)
	}
	d.user = func(p *person) any {
		return oneLoginUser{
			Schemas:     []string{"urn:scim:schemas:core:2.0", "urn:scim:schemas:extension:enterprise:2.0"},
			UserName:    p.userName,
			Name:        oneLoginName{FamilyName: p.family, GivenName: p.given, Formatted: p.displayName()},
			DisplayName: p.displayName(),
			Emails:      []address{{Value: p.email, Type: "work", Primary: true}},
			ExternalID:  p.externalID,
			Title:       p.title,
			Active:      p.active,
		}
	}
	d.group = func(g *group) any {
		return bareGroup{Schemas: []string{"urn:scim:schemas:core:2.0"}, DisplayName: g.name}
	}
	d.update, d.join, d.leave, d.name = d.replaces, addsEach, removesEach, names
	return d
}

func oneLoginHeaders(h http.Header) {
	h.Set("User-Agent", "")
	h.Del("Accept")
	if h.Get("Content-Type") != "" {
		h.Set("Content-Type", "application/scim+json")
	}
}

type oneLoginUser struct {
	Schemas     []string     `json:"schemas"`
	UserName    string       `json:"userName"`
	Name        oneLoginName `json:"name"`
	DisplayName string       `json:"displayName"`
	Emails      []address    `json:"emails"`
	ExternalID  string       `json:"externalId"` // a number, as a string
	Title       string       `json:"title"`
	Active      bool         `json:"active"`
}

type oneLoginName struct {
	FamilyName string `json:"familyName"`
	GivenName  string `json:"givenName"`
	Formatted  string `json:"formatted"`
}
