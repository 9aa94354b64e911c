package simulate

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// okta plays an integration of the Okta Integration Network, which updates users with
// PUT, switches them with PATCH, and changes groups with PATCH. (One made with the
// wizard uses PUT for all of it.)
type okta struct{ *client }

func newOkta(c *client, _ Options) dialect {
	c.headers = oktaHeaders
	return &okta{c}
}

func oktaHeaders(h http.Header) {
	h.Set("User-Agent", "Okta SCIM Client 1.0.0")
	h.Set("Accept-Charset", "utf-8")
}

// oktaBatch is how many members one operation names. Okta's page gives no number; this
// keeps the body of a big group below any usual limit.
const oktaBatch = 1000

type oktaUser struct {
	Schemas     []string    `json:"schemas"`
	UserName    string      `json:"userName"`
	Name        shortName   `json:"name"`
	Emails      []oktaEmail `json:"emails"`
	DisplayName string      `json:"displayName"`
	Locale      string      `json:"locale"`
	ExternalID  string      `json:"externalId"`
	Groups      []string    `json:"groups"`
	Password    string      `json:"password"` // always sent, also when passwords are not synchronized
	Active      bool        `json:"active"`
}

type oktaEmail struct {
	Primary bool   `json:"primary"`
	Value   string `json:"value"`
	Type    string `json:"type"`
}

type oktaGroup struct {
	Schemas     []string     `json:"schemas"`
	DisplayName string       `json:"displayName"`
	Members     []oktaMember `json:"members"`
}

type oktaMember struct {
	Value   string `json:"value"`
	Display string `json:"display"`
}

// oktaQuery writes a filter as Okta does, with %20 for a space.
func oktaQuery(filter string) string {
	return "?filter=" + strings.ReplaceAll(url.QueryEscape(filter), "+", "%20") + "&startIndex=1&count=100"
}

// test is Okta's "Test API credentials": two users, then groups, because groups are
// pushed.
func (o *okta) test(ctx context.Context) error {
	for _, path := range []string{"/Users?startIndex=1&count=2", "/Groups?startIndex=1&count=100"} {
		if _, err := o.do(ctx, call{label: testConnection, method: http.MethodGet, path: path, lists: true}); err != nil {
			return err
		}
	}
	return nil
}

func (o *okta) push(ctx context.Context, p *person) error {
	found, err := o.do(ctx, call{label: lookUpUser, method: http.MethodGet, lists: true, about: p.userName,
		path: "/Users" + oktaQuery(equal("userName", p.userName))})
	if err != nil {
		return err
	}
	if known := first(found); known != nil {
		adopt(&p.id, known)
		return o.change(ctx, p)
	}
	created, err := o.do(ctx, call{label: createUser, method: http.MethodPost, path: "/Users", about: p.userName, body: oktaUser{
		Schemas:     []string{userSchema},
		UserName:    p.userName,
		Name:        shortName{GivenName: p.given, FamilyName: p.family},
		Emails:      []oktaEmail{{Primary: true, Value: p.email, Type: "work"}},
		DisplayName: p.displayName(),
		Locale:      "en-US",
		ExternalID:  p.externalID,
		Groups:      []string{},
		Password:    p.password,
		Active:      true,
	}})
	adopt(&p.id, created)
	return err
}

// change reads the user and sends all of it back with the profile merged in, the
// server's id, meta and unknown attributes included.
func (o *okta) change(ctx context.Context, p *person) error {
	path := "/Users/" + url.PathEscape(p.id)
	user, err := o.do(ctx, call{label: readUser, method: http.MethodGet, path: path, about: p.userName})
	if err != nil {
		return err
	}
	names, _ := user["name"].(map[string]any)
	if names == nil {
		names = map[string]any{}
	}
	names["givenName"], names["familyName"] = p.given, p.family
	user["userName"] = p.userName
	user["name"] = names
	user["emails"] = []oktaEmail{{Primary: true, Value: p.email, Type: "work"}}
	user["displayName"] = p.displayName()
	user["locale"] = "en-US"
	user["externalId"] = p.externalID
	user["active"] = p.active
	_, err = o.do(ctx, call{label: updateUser, method: http.MethodPut, path: path, body: user, about: p.userName, touches: []string{p.id}})
	return err
}

func (o *okta) activate(ctx context.Context, p *person) error   { return o.turn(ctx, p, true) }
func (o *okta) deactivate(ctx context.Context, p *person) error { return o.turn(ctx, p, false) }

func (o *okta) turn(ctx context.Context, p *person, active bool) error {
	_, err := o.do(ctx, setUser(switchUser, p, operation{Op: "replace", Value: map[string]bool{"active": active}}))
	return err
}

// pushGroup creates the group empty and adds its members. A group that is there already
// is linked: its members become those that Okta has.
func (o *okta) pushGroup(ctx context.Context, g *group) error {
	known, err := o.find(ctx, g)
	if err != nil {
		return err
	}
	op := "replace"
	if known == nil {
		op = "add"
		if known, err = o.do(ctx, call{label: createGroup, method: http.MethodPost, path: "/Groups", about: g.name,
			body: oktaGroup{Schemas: []string{groupSchema}, DisplayName: g.name, Members: []oktaMember{}}}); err != nil {
			return err
		}
	}
	adopt(&g.id, known)
	for batch := range slices.Chunk(present(g.members), oktaBatch) {
		if err := o.members(ctx, g, batch, operation{Op: op, Path: "members", Value: oktaMembers(batch)}); err != nil {
			return err
		}
		op = "add"
	}
	return nil
}

// find looks a group up by its name, and one that a former session has renamed by that
// name too: Okta itself would know it by its id.
func (o *okta) find(ctx context.Context, g *group) (map[string]any, error) {
	for _, displayName := range []string{g.name, g.formerName} {
		if displayName == "" {
			continue
		}
		found, err := o.do(ctx, call{label: lookUpGroup, method: http.MethodGet, lists: true, about: g.name,
			path: "/Groups" + oktaQuery(equal("displayName", displayName))})
		if known := first(found); err != nil || known != nil {
			return known, err
		}
	}
	return nil, nil
}

// members changes the membership of the touched, after the name: "the group name update
// operation is triggered each time there's a group membership update operation".
func (o *okta) members(ctx context.Context, g *group, touched []*person, operations ...operation) error {
	if err := o.name(ctx, g, touched); err != nil {
		return err
	}
	_, err := o.do(ctx, setGroup(changeMembers, g, touched, operations...))
	return err
}

// name repeats id and name in a value without a path.
func (o *okta) name(ctx context.Context, g *group, touched []*person) error {
	_, err := o.do(ctx, setGroup(renameGroup, g, touched, operation{Op: "replace", Value: struct {
		ID          string `json:"id"`
		DisplayName string `json:"displayName"`
	}{g.id, g.name}}))
	return err
}

func (o *okta) rename(ctx context.Context, g *group, to string) error {
	g.name = to
	return o.name(ctx, g, g.members)
}

func (o *okta) move(ctx context.Context, p *person, from, to *group) error {
	who := []*person{p}
	if err := o.members(ctx, from, who, operation{Op: "remove", Path: "members[" + equal("value", p.id) + "]"}); err != nil {
		return err
	}
	return o.members(ctx, to, who, operation{Op: "add", Path: "members", Value: oktaMembers(who)})
}

// deleteGroup unlinks a pushed group with "delete the group in the target app".
func (o *okta) deleteGroup(ctx context.Context, g *group) error {
	_, err := o.do(ctx, dissolved(g))
	return err
}

// deleteUser is never sent: Okta "doesn't perform DELETE operations on User objects".
func (o *okta) deleteUser(context.Context, *person) error { return nil }

func oktaMembers(people []*person) []oktaMember {
	list := []oktaMember{}
	for _, p := range people {
		list = append(list, oktaMember{Value: p.id, Display: p.userName})
	}
	return list
}
