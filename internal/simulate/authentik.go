package simulate

import (
	"context"
	"net/http"
	"net/url"
	"slices"
)

// newAuthentik plays the SCIM provider of authentik, which replaces users with PUT and
// changes groups with PATCH if ServiceProviderConfig says that it may.
//
// Bodies, headers and order are those of its source, authentik/providers/scim/clients
// (base.py, users.py, groups.py) with the default mappings of
// blueprints/system/providers-scim.yaml, before pull request 23950: a group is changed by
// a value without a path that repeats id and schemas, and a member is removed by a list
// of one as the value of "members". There is no connection test: a synchronization reads
// ServiceProviderConfig and lists users and groups. One request holds as many operations
// as its bulk.maxOperations allows. After a group is changed it is read, and only the
// members that differ are added and removed.
//
// Open there, and decided here: the version in User-Agent, and displayName and active as
// later mappings have them. A server without PATCH is not played.
func newAuthentik(c *client, _ Options) dialect {
	c.headers = authentikHeaders
	d := &classic{client: c}
	a := &authentik{classic: d}
	d.connect = func(ctx context.Context) error {
		config, err := d.do(ctx, call{label: testConnection, method: http.MethodGet, path: "/ServiceProviderConfig", learns: true})
		if err != nil {
			return err
		}
		a.configure(config)
		if err := d.takeUsers(ctx, startingAt); err != nil {
			return err
		}
		return d.takeGroups(ctx, startingAt)
	}
	d.user = func(p *person) any {
		return authentikUser{
			Schemas:     []string{userSchema},
			ID:          p.id,
			ExternalID:  p.externalID,
			UserName:    p.userName,
			Name:        name{Formatted: p.displayName(), FamilyName: p.family, GivenName: p.given},
			DisplayName: p.displayName(),
			Active:      p.active,
			Emails:      []address{{Value: p.email, Type: "other", Primary: true}},
			Photos:      []string{},
		}
	}
	d.group = func(g *group) any { return authentikGroupOf(g) }
	d.update, d.join, d.leave = d.replaces, a.join, a.leave
	d.name = func(g *group) []call {
		return []call{setGroup(renameGroup, g, g.members, operation{Op: "replace", Value: authentikGroupOf(g)})}
	}
	d.meet = a.meet
	return a
}

func authentikHeaders(h http.Header) {
	h.Set("User-Agent", "authentik@2025.10.0")
	h.Set("Accept", "application/scim+json")
	h.Set("Content-Type", "application/scim+json")
}

// authentik adds to classic what it has learned from ServiceProviderConfig.
type authentik struct {
	*classic
	operations int // in one request; 0 is all
}

func (a *authentik) configure(config map[string]any) {
	bulk, _ := config["bulk"].(map[string]any)
	most, _ := bulk["maxOperations"].(float64)
	a.operations = max(int(most), 0)
}

func (a *authentik) join(g *group, people []*person) []call {
	return a.patches(g, people, "add")
}

func (a *authentik) leave(g *group, people []*person) []call {
	return a.patches(g, people, "remove")
}

// patches makes an operation for each member, and as few requests as may be.
func (a *authentik) patches(g *group, people []*person, op string) []call {
	size := a.operations
	if size == 0 {
		size = max(len(people), 1)
	}
	var calls []call
	for batch := range slices.Chunk(people, size) {
		var operations []operation
		for _, p := range batch {
			operations = append(operations, operation{Op: op, Path: "members", Value: []member{{p.id}}})
		}
		calls = append(calls, setGroup(changeMembers, g, batch, operations...))
	}
	return calls
}

// rename reads the group after it, as any change of a group does.
func (a *authentik) rename(ctx context.Context, g *group, to string) error {
	g.name = to
	return a.meet(ctx, g)
}

// meet states the group, reads it, and brings its members to what authentik has.
func (a *authentik) meet(ctx context.Context, g *group) error {
	if err := a.send(ctx, a.name(g)); err != nil {
		return err
	}
	known, err := a.do(ctx, call{label: readGroup, method: http.MethodGet, path: "/Groups/" + url.PathEscape(g.id), about: g.name})
	if err != nil {
		return err
	}
	there := map[string]bool{}
	var strangers []*person
	members, _ := known["members"].([]any)
	for _, element := range members {
		m, _ := element.(map[string]any)
		id, _ := m["value"].(string)
		there[id] = true
		if !slices.ContainsFunc(present(g.members), func(p *person) bool { return p.id == id }) {
			strangers = append(strangers, &person{id: id})
		}
	}
	missing := slices.DeleteFunc(present(g.members), func(p *person) bool { return there[p.id] })
	return a.send(ctx, append(a.join(g, missing), a.leave(g, strangers)...))
}

func authentikGroupOf(g *group) authentikGroup {
	return authentikGroup{Schemas: []string{groupSchema}, ID: g.id, ExternalID: g.externalID, DisplayName: g.name}
}

type authentikUser struct {
	Schemas     []string  `json:"schemas"`
	ID          string    `json:"id,omitempty"`
	ExternalID  string    `json:"externalId"`
	UserName    string    `json:"userName"`
	Name        name      `json:"name"`
	DisplayName string    `json:"displayName"`
	Active      bool      `json:"active"`
	Emails      []address `json:"emails"`
	Photos      []string  `json:"photos"`
}

type authentikGroup struct {
	Schemas     []string `json:"schemas"`
	ID          string   `json:"id,omitempty"`
	ExternalID  string   `json:"externalId"`
	DisplayName string   `json:"displayName"`
}
