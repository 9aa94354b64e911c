package simulate

import (
	"context"
	"errors"
	"net/http"
	"net/url"
)

// entra plays the provisioning service of Microsoft Entra ID: it knows no PUT, states
// a boolean as a string, capitalises operations, and adds members one request at a
// time. With compliant it sends what the flag aadOptscim062020 changes.
type entra struct {
	*client
	compliant bool
}

func newEntra(c *client, o Options) dialect {
	c.headers = nameless
	return &entra{client: c, compliant: o.Compliant}
}

type entraUser struct {
	Schemas     []string     `json:"schemas"`
	ExternalID  string       `json:"externalId"`
	UserName    string       `json:"userName"`
	Active      bool         `json:"active"`
	DisplayName string       `json:"displayName"`
	Emails      []email      `json:"emails"`
	Meta        resourceType `json:"meta"`
	Name        name         `json:"name"`
	Roles       []string     `json:"roles"`
	Title       string       `json:"title"`
	Enterprise  enterprise   `json:"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"`
}

type email struct {
	Primary bool   `json:"primary"`
	Type    string `json:"type"`
	Value   string `json:"value"`
}

type resourceType struct {
	ResourceType string `json:"resourceType"`
}

type entraGroup struct {
	Schemas     []string     `json:"schemas"`
	ExternalID  string       `json:"externalId"`
	DisplayName string       `json:"displayName"`
	Meta        resourceType `json:"meta"`
}

type entraMember struct {
	Ref   *string `json:"$ref"` // always null
	Value string  `json:"value"`
}

// test is Entra's "Test Connection": a user and a group that cannot be there, which
// must give 200 and an empty list.
func (e *entra) test(ctx context.Context) error {
	const nobody = "8f2dd0dc-7d1c-4e8f-b1c3-6a5e0f0a9d11"
	for _, path := range []string{
		"/Users?filter=" + url.QueryEscape(equal("userName", nobody)),
		"/Groups?excludedAttributes=members&filter=" + url.QueryEscape(equal("displayName", nobody)),
	} {
		if _, err := e.do(ctx, call{label: testConnection, method: http.MethodGet, path: path, lists: true}); err != nil {
			return err
		}
	}
	return nil
}

func (e *entra) push(ctx context.Context, p *person) error {
	found, err := e.do(ctx, call{label: lookUpUser, method: http.MethodGet, lists: true, about: p.userName,
		path: "/Users?filter=" + url.QueryEscape(equal("userName", p.userName))})
	if err != nil {
		return err
	}
	if known := first(found); known != nil {
		adopt(&p.id, known)
		return e.reconcile(ctx, p, known)
	}
	created, err := e.do(ctx, call{label: createUser, method: http.MethodPost, path: "/Users", about: p.userName, body: entraUser{
		Schemas:     []string{userSchema, enterpriseSchema},
		ExternalID:  p.externalID,
		UserName:    p.userName,
		Active:      true,
		DisplayName: p.displayName(),
		Emails:      []email{{Primary: true, Type: "work", Value: p.email}},
		Meta:        resourceType{"User"},
		Name:        name{Formatted: p.displayName(), FamilyName: p.family, GivenName: p.given},
		Roles:       []string{},
		Title:       p.title,
		Enterprise:  enterprise{Department: p.department},
	}})
	adopt(&p.id, created)
	return err
}

func (e *entra) change(ctx context.Context, p *person) error {
	known, err := e.read(ctx, p)
	if err != nil {
		return err
	}
	return e.reconcile(ctx, p, known)
}

func (e *entra) read(ctx context.Context, p *person) (map[string]any, error) {
	return e.do(ctx, call{label: readUser, method: http.MethodGet, path: "/Users/" + url.PathEscape(p.id), about: p.userName})
}

const workEmail = `emails[type eq "work"].value`

// reconcile sends the mapped attributes that differ from what the server has, and
// nothing when none does. The order is that of the mapping table.
func (e *entra) reconcile(ctx context.Context, p *person, known map[string]any) error {
	names, _ := known["name"].(map[string]any)
	extension, _ := known[enterpriseSchema].(map[string]any)
	var operations []operation
	pathless := map[string]any{}
	if known["active"] != p.active {
		operations = append(operations, e.active(p.active))
	}
	for _, a := range []struct {
		path    string
		is      any
		want    string
		byValue bool // goes into the value without a path when compliant
	}{
		{"displayName", known["displayName"], p.displayName(), true},
		{"title", known["title"], p.title, true},
		{workEmail, work(known["emails"]), p.email, false},
		{"name.givenName", names["givenName"], p.given, true},
		{"name.familyName", names["familyName"], p.family, true},
		{"name.formatted", names["formatted"], p.displayName(), true},
		{"externalId", known["externalId"], p.externalID, true},
		{enterpriseSchema + ":department", extension["department"], p.department, true},
	} {
		switch {
		case a.is == a.want:
		case e.compliant && a.byValue && a.is != nil:
			pathless[a.path] = a.want
		case a.is == nil:
			operations = append(operations, operation{Op: e.op("Add"), Path: a.path, Value: a.want})
		default:
			operations = append(operations, operation{Op: e.op("Replace"), Path: a.path, Value: a.want})
		}
	}
	if len(pathless) > 0 {
		operations = append(operations, operation{Op: "replace", Value: pathless})
	}
	if len(operations) == 0 {
		return nil
	}
	_, err := e.do(ctx, setUser(updateUser, p, operations...))
	return err
}

// work is the address of type work among the emails, nil when there is none.
func work(emails any) any {
	list, _ := emails.([]any)
	for _, element := range list {
		if m, _ := element.(map[string]any); m["type"] == "work" {
			return m["value"]
		}
	}
	return nil
}

func (e *entra) op(capitalised string) string {
	if e.compliant {
		return map[string]string{"Add": "add", "Replace": "replace", "Remove": "remove"}[capitalised]
	}
	return capitalised
}

func (e *entra) active(active bool) operation {
	if e.compliant {
		return operation{Op: "replace", Path: "active", Value: active}
	}
	return operation{Op: "Replace", Path: "active", Value: map[bool]string{true: "True", false: "False"}[active]}
}

func (e *entra) activate(ctx context.Context, p *person) error   { return e.turn(ctx, p, true) }
func (e *entra) deactivate(ctx context.Context, p *person) error { return e.turn(ctx, p, false) }

func (e *entra) turn(ctx context.Context, p *person, active bool) error {
	if _, err := e.read(ctx, p); err != nil {
		return err
	}
	_, err := e.do(ctx, setUser(switchUser, p, e.active(active)))
	return err
}

// pushGroup creates the group without members and adds them one by one. It states none
// that left while it did not look: Entra's first cycle only adds.
func (e *entra) pushGroup(ctx context.Context, g *group) error {
	known, err := e.find(ctx, g)
	if err != nil {
		return err
	}
	if known == nil {
		known, err = e.do(ctx, call{label: createGroup, method: http.MethodPost, path: "/Groups", about: g.name, body: entraGroup{
			Schemas: []string{groupSchema, adSchema}, ExternalID: g.externalID, DisplayName: g.name, Meta: resourceType{"Group"}}})
		if err != nil {
			return err
		}
	}
	adopt(&g.id, known)
	if displayName, _ := known["displayName"].(string); displayName != g.name {
		if err := e.name(ctx, g, g.members); err != nil {
			return err
		}
	}
	return e.members(ctx, g, "Add", present(g.members)...)
}

// find looks a group up by its name, and one that a former session has renamed by that
// name too: Entra itself would know it by its id.
func (e *entra) find(ctx context.Context, g *group) (map[string]any, error) {
	for _, displayName := range []string{g.name, g.formerName} {
		if displayName == "" {
			continue
		}
		found, err := e.do(ctx, call{label: lookUpGroup, method: http.MethodGet, lists: true, about: g.name,
			path: "/Groups?excludedAttributes=members&filter=" + url.QueryEscape(equal("displayName", displayName))})
		if known := first(found); err != nil || known != nil {
			return known, err
		}
	}
	return nil, nil
}

// readGroup always leaves the members out.
func (e *entra) readGroup(ctx context.Context, g *group) error {
	_, err := e.do(ctx, call{label: readGroup, method: http.MethodGet, about: g.name,
		path: "/Groups/" + url.PathEscape(g.id) + "?excludedAttributes=members"})
	return err
}

// members reads the group and then adds or removes people, one request each. A refused
// one does not keep the others out.
func (e *entra) members(ctx context.Context, g *group, op string, people ...*person) error {
	if len(people) == 0 {
		return nil
	}
	if err := e.readGroup(ctx, g); err != nil {
		return err
	}
	var refused error
	for _, p := range people {
		change := operation{Op: e.op(op), Path: "members", Value: []entraMember{{Value: p.id}}}
		if e.compliant && op == "Remove" {
			change = operation{Op: "remove", Path: "members[" + equal("value", p.id) + "]"}
		}
		_, err := e.do(ctx, setGroup(changeMembers, g, []*person{p}, change))
		if err != nil && !errors.Is(err, errRefused) {
			return err
		}
		if err != nil {
			refused = err
		}
	}
	return refused
}

func (e *entra) name(ctx context.Context, g *group, touched []*person) error {
	_, err := e.do(ctx, setGroup(renameGroup, g, touched, operation{Op: e.op("Replace"), Path: "displayName", Value: g.name}))
	return err
}

func (e *entra) rename(ctx context.Context, g *group, to string) error {
	if err := e.readGroup(ctx, g); err != nil {
		return err
	}
	g.name = to
	return e.name(ctx, g, g.members)
}

func (e *entra) move(ctx context.Context, p *person, from, to *group) error {
	if err := e.members(ctx, from, "Remove", p); err != nil {
		return err
	}
	return e.members(ctx, to, "Add", p)
}

// deleteUser deletes as Entra does: unassigned first, deleted for good 30 days later.
func (e *entra) deleteUser(ctx context.Context, p *person) error {
	if err := e.turn(ctx, p, false); err != nil {
		return err
	}
	p.active = false
	_, err := e.do(ctx, gone(p))
	return err
}

// deleteGroup is not played: of the two, Entra's session shows the user.
func (e *entra) deleteGroup(context.Context, *group) error { return nil }
