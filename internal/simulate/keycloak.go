package simulate

import (
	"context"
	"net/http"
	"net/url"
)

// newKeycloak plays the SCIM client plugin for Keycloak (libre.sh's keycloak-scim, as
// mitodl/keycloak-scim maintains it), which replaces users and groups with PUT, all
// members in it. Keycloak itself sends no SCIM.
//
// Bodies, headers and order are those of its source: ScimClient, UserAdapter,
// GroupAdapter and ScimEventListenerProvider in sh.libre.scim. There is no connection
// test; a synchronization begins with an import, which lists users and groups. An e-mail
// address has neither type nor primary, and a member's $ref is relative. A membership
// that changes replaces the group and then the user.
//
// Open there, and decided here: the versions in User-Agent, no Accept, and no members key
// for a group without any. The plugin reads one page, since it keeps ids in a table of
// its own. A session has no such table, so here the import goes on to the last page. Its
// settings user-patchOp and group-patchOp, off by default, are not played.
func newKeycloak(c *client, _ Options) dialect {
	c.headers = keycloakHeaders
	d := &classic{client: c, creates: true}
	d.connect = func(ctx context.Context) error {
		if err := d.takeUsers(ctx, startingAt); err != nil {
			return err
		}
		return d.takeGroups(ctx, startingAt)
	}
	d.user = func(p *person) any {
		return keycloakUser{
			Schemas:     []string{userSchema},
			ExternalID:  p.externalID,
			UserName:    p.userName,
			ID:          p.id,
			DisplayName: p.displayName(),
			Name:        shortName{GivenName: p.given, FamilyName: p.family},
			Emails:      []member{{p.email}},
			Active:      p.active,
		}
	}
	d.group = func(g *group) any { return keycloakGroupOf(g) }
	d.update = d.replaces
	d.name = func(g *group) []call { return []call{keycloakPut(renameGroup, g)} }
	d.meet = func(ctx context.Context, g *group) error {
		return d.send(ctx, []call{keycloakPut(changeMembers, g)})
	}
	d.join = func(g *group, people []*person) []call {
		calls := []call{keycloakPut(changeMembers, g, people...)}
		for _, p := range people {
			calls = append(calls, d.replaces(updateUser, p))
		}
		return calls
	}
	d.leave = d.join
	return d
}

// keycloakHeaders has those of the library under the plugin, Apache HttpClient, and its
// Content-Type, which goes with every request.
func keycloakHeaders(h http.Header) {
	h.Set("User-Agent", "Apache-HttpClient/4.5.14 (Java/21.0.5)")
	h.Del("Accept")
	h.Set("Content-Type", "application/scim+json")
}

// keycloakPut replaces a group, which may change its members and those who have left.
func keycloakPut(label string, g *group, left ...*person) call {
	return call{label: label, method: http.MethodPut, path: "/Groups/" + url.PathEscape(g.id), body: keycloakGroupOf(g),
		about: g.name, touches: append(ids(g.members), ids(left)...)}
}

func keycloakGroupOf(g *group) keycloakGroup {
	body := keycloakGroup{Schemas: []string{groupSchema}, ID: g.id, ExternalID: g.externalID, DisplayName: g.name}
	for _, p := range present(g.members) {
		body.Members = append(body.Members, keycloakMember{Value: p.id, Type: "User", Ref: "Users/" + p.id})
	}
	return body
}

type keycloakUser struct {
	Schemas     []string  `json:"schemas"`
	ExternalID  string    `json:"externalId"`
	UserName    string    `json:"userName"`
	ID          string    `json:"id,omitempty"`
	DisplayName string    `json:"displayName"`
	Name        shortName `json:"name"`
	Emails      []member  `json:"emails"` // neither type nor primary
	Active      bool      `json:"active"`
}

type keycloakGroup struct {
	Schemas     []string         `json:"schemas"`
	ID          string           `json:"id,omitempty"`
	ExternalID  string           `json:"externalId"`
	DisplayName string           `json:"displayName"`
	Members     []keycloakMember `json:"members,omitempty"`
}

type keycloakMember struct {
	Value string `json:"value"`
	Type  string `json:"type"`
	Ref   string `json:"$ref"`
}
