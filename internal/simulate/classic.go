package simulate

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// classic is what all providers but Okta and Entra have in common: they look for a
// person or a group, create what is not there, and state what is. What differs is in
// the fields, as each provider's file fills them.
type classic struct {
	*client

	// connect is the connection test, and whatever comes before the first person.
	connect func(ctx context.Context) error
	// userQuery and groupQuery make the query that looks somebody or something up. Without
	// one, connect has to list what there is.
	userQuery, groupQuery func(value string) string
	// user and group make what is created.
	user  func(p *person) any
	group func(g *group) any
	// update sends a profile, and whether the person is active.
	update func(label string, p *person) call
	// activity sends only the latter; nil where that is an update like any other.
	activity func(p *person) call
	// join, leave and name change a group that is there. As for the members of the group,
	// g has those of afterwards.
	join, leave func(g *group, people []*person) []call
	name        func(g *group) []call
	// creates says that a group is created with its members in it.
	creates bool
	// meet brings a group that was there already to what the provider has; nil is a name,
	// where it differs, and join. Members that have left meanwhile stay then.
	meet func(ctx context.Context, g *group) error
	// suspends says that a user is deactivated before being deleted.
	suspends bool

	known inventory
}

// inventory is what a provider has listed: by folded userName, and by displayName.
type inventory struct {
	users, groups map[string]map[string]any
}

func (c *classic) test(ctx context.Context) error { return c.connect(ctx) }

func (c *classic) push(ctx context.Context, p *person) error {
	known, err := c.findUser(ctx, p)
	if err != nil {
		return err
	}
	if known != nil {
		adopt(&p.id, known)
		return c.change(ctx, p)
	}
	created, err := c.do(ctx, call{label: createUser, method: http.MethodPost, path: "/Users", about: p.userName, body: c.user(p)})
	adopt(&p.id, created)
	return err
}

func (c *classic) findUser(ctx context.Context, p *person) (map[string]any, error) {
	if c.userQuery == nil {
		return c.known.users[strings.ToLower(p.userName)], nil
	}
	found, err := c.do(ctx, call{label: lookUpUser, method: http.MethodGet, lists: true, about: p.userName,
		path: "/Users" + c.userQuery(p.userName)})
	return first(found), err
}

func (c *classic) change(ctx context.Context, p *person) error {
	_, err := c.do(ctx, c.update(updateUser, p))
	return err
}

func (c *classic) activate(ctx context.Context, p *person) error   { return c.turn(ctx, p, true) }
func (c *classic) deactivate(ctx context.Context, p *person) error { return c.turn(ctx, p, false) }

func (c *classic) turn(ctx context.Context, p *person, active bool) error {
	turned := *p
	turned.active = active
	request := c.update(switchUser, &turned)
	if c.activity != nil {
		request = c.activity(&turned)
	}
	_, err := c.do(ctx, request)
	return err
}

func (c *classic) pushGroup(ctx context.Context, g *group) error {
	known, err := c.findGroup(ctx, g)
	if err != nil {
		return err
	}
	if known == nil {
		created, err := c.do(ctx, call{label: createGroup, method: http.MethodPost, path: "/Groups", about: g.name, body: c.group(g)})
		if adopt(&g.id, created); err != nil || c.creates {
			return err
		}
		return c.send(ctx, c.join(g, present(g.members)))
	}
	adopt(&g.id, known)
	if c.meet != nil {
		return c.meet(ctx, g)
	}
	var calls []call
	if displayName, _ := known["displayName"].(string); displayName != g.name {
		calls = c.name(g)
	}
	return c.send(ctx, append(calls, c.join(g, present(g.members))...))
}

// findGroup looks a group up by its name, and one that a former session has renamed by
// that name too: the provider itself would know it by its id.
func (c *classic) findGroup(ctx context.Context, g *group) (map[string]any, error) {
	for _, displayName := range []string{g.name, g.formerName} {
		if displayName == "" {
			continue
		}
		if c.groupQuery == nil {
			if known := c.known.groups[displayName]; known != nil {
				return known, nil
			}
			continue
		}
		found, err := c.do(ctx, call{label: lookUpGroup, method: http.MethodGet, lists: true, about: g.name,
			path: "/Groups" + c.groupQuery(displayName)})
		if known := first(found); err != nil || known != nil {
			return known, err
		}
	}
	return nil, nil
}

func (c *classic) rename(ctx context.Context, g *group, to string) error {
	g.name = to
	return c.send(ctx, c.name(g))
}

func (c *classic) move(ctx context.Context, p *person, from, to *group) error {
	who := []*person{p}
	return c.send(ctx, append(c.leave(from, who), c.join(to, who)...))
}

func (c *classic) deleteUser(ctx context.Context, p *person) error {
	if c.suspends {
		if err := c.deactivate(ctx, p); err != nil {
			return err
		}
		p.active = false
	}
	_, err := c.do(ctx, gone(p))
	return err
}

func (c *classic) deleteGroup(ctx context.Context, g *group) error {
	_, err := c.do(ctx, dissolved(g))
	return err
}

// send sends the calls in order. A refused one does not keep the others out.
func (c *classic) send(ctx context.Context, calls []call) error {
	var refused error
	for _, request := range calls {
		_, err := c.do(ctx, request)
		if err != nil && !errors.Is(err, errRefused) {
			return err
		}
		if err != nil {
			refused = err
		}
	}
	return refused
}

// take lists everybody and everything into the inventory. query makes the query of a
// page from how many resources came before it.
func (c *classic) take(ctx context.Context, label, collection, key string, query func(seen int) string) (map[string]map[string]any, error) {
	found := map[string]map[string]any{}
	for seen := 0; ; {
		page, err := c.do(ctx, call{label: label, method: http.MethodGet, path: collection + query(seen), lists: true})
		if err != nil {
			return nil, err
		}
		resources, _ := page["Resources"].([]any)
		for _, element := range resources {
			resource, _ := element.(map[string]any)
			value, _ := resource[key].(string)
			if key == "userName" {
				value = strings.ToLower(value)
			}
			found[value] = resource
		}
		seen += len(resources)
		if total, _ := page["totalResults"].(float64); seen >= int(total) || len(resources) == 0 {
			return found, nil
		}
	}
}

func (c *classic) takeUsers(ctx context.Context, query func(seen int) string) (err error) {
	c.known.users, err = c.take(ctx, lookUpUser, "/Users", "userName", query)
	return err
}

func (c *classic) takeGroups(ctx context.Context, query func(seen int) string) (err error) {
	c.known.groups, err = c.take(ctx, lookUpGroup, "/Groups", "displayName", query)
	return err
}

// startingAt is the query of a page by those who ask for no number of resources: none
// for the first page.
func startingAt(seen int) string {
	if seen == 0 {
		return ""
	}
	return "?startIndex=" + strconv.Itoa(seen+1)
}

// get is a request whose only purpose is to see whether it is answered.
func (c *classic) get(ctx context.Context, path string) error {
	_, err := c.do(ctx, call{label: testConnection, method: http.MethodGet, path: path, lists: true})
	return err
}

// replaces is an update that sends the whole person.
func (c *classic) replaces(label string, p *person) call {
	return call{label: label, method: http.MethodPut, path: "/Users/" + url.PathEscape(p.id), body: c.user(p),
		about: p.userName, touches: []string{p.id}}
}

// classicBatch is how many members one request names, where it names all of them. No
// vendor's page gives a number; this keeps the body of a big group below any usual limit.
const classicBatch = 1000

// addsAll names all members in one operation.
func addsAll(g *group, people []*person) []call {
	var calls []call
	for batch := range slices.Chunk(people, classicBatch) {
		calls = append(calls, setGroup(changeMembers, g, batch, operation{Op: "add", Path: "members", Value: values(batch)}))
	}
	return calls
}

// addsEach sends a request for each member.
func addsEach(g *group, people []*person) []call {
	return oneByOne(people, func(who []*person) call {
		return setGroup(changeMembers, g, who, operation{Op: "add", Path: "members", Value: values(who)})
	})
}

// removesEach sends a request for each member, who is named by a filter in the path
// (RFC 7644 §3.5.2.2).
func removesEach(g *group, people []*person) []call {
	return oneByOne(people, func(who []*person) call {
		return setGroup(changeMembers, g, who, operation{Op: "remove", Path: "members[" + equal("value", who[0].id) + "]"})
	})
}

// names replaces the displayName.
func names(g *group) []call {
	return []call{setGroup(renameGroup, g, g.members, operation{Op: "replace", Path: "displayName", Value: g.name})}
}

func oneByOne(people []*person, request func(who []*person) call) []call {
	var calls []call
	for who := range slices.Chunk(people, 1) {
		calls = append(calls, request(who))
	}
	return calls
}

func values(people []*person) []member {
	list := []member{}
	for _, p := range people {
		list = append(list, member{p.id})
	}
	return list
}
