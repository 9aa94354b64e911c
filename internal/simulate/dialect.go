package simulate

import (
	"context"
	"net/http"
	"net/url"
	"strings"
)

// dialect is what one provider sends for each thing that it does. A method returns
// errRefused when a request failed and was noted, and then the rest of its requests
// was not sent; any other error ends the session.
type dialect interface {
	// test is what the provider sends when an administrator saves the connection.
	test(ctx context.Context) error
	// push looks a person up and creates or updates them.
	push(ctx context.Context, p *person) error
	// pushGroup looks a group up, creates or links it, and states its members.
	pushGroup(ctx context.Context, g *group) error
	// change sends a person's changed profile.
	change(ctx context.Context, p *person) error
	// activate and deactivate are what assigning and unassigning a known user sends.
	activate(ctx context.Context, p *person) error
	deactivate(ctx context.Context, p *person) error
	// rename gives a group another name.
	rename(ctx context.Context, g *group, name string) error
	// move says that a person has left one group and joined another. The members of both
	// are those of afterwards.
	move(ctx context.Context, p *person, from, to *group) error
	// deleteUser and deleteGroup are sent by those only whose profile says so.
	deleteUser(ctx context.Context, p *person) error
	deleteGroup(ctx context.Context, g *group) error
}

// The labels of the requests, as the report shows them.
const (
	testConnection = "test connection"
	lookUpUser     = "look up user"
	createUser     = "create user"
	readUser       = "read user"
	updateUser     = "update user"
	switchUser     = "activate, deactivate"
	deleteUser     = "delete user"
	lookUpGroup    = "look up group"
	createGroup    = "create group"
	readGroup      = "read group"
	renameGroup    = "name group"
	changeMembers  = "change members"
	deleteGroup    = "delete group"
)

const (
	userSchema       = "urn:ietf:params:scim:schemas:core:2.0:User"
	groupSchema      = "urn:ietf:params:scim:schemas:core:2.0:Group"
	enterpriseSchema = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	patchSchema      = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
	adSchema         = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"
)

// A PATCH in the order of keys that the vendors' pages show, like all bodies here.
type (
	patch struct {
		Schemas    []string    `json:"schemas"`
		Operations []operation `json:"Operations"`
	}
	operation struct {
		Op    string `json:"op"`
		Path  string `json:"path,omitempty"`
		Value any    `json:"value,omitempty"`
	}
)

func patchOf(operations ...operation) patch {
	return patch{Schemas: []string{patchSchema}, Operations: operations}
}

// setUser is a PATCH of one user.
func setUser(label string, p *person, operations ...operation) call {
	return call{label: label, method: http.MethodPatch, path: "/Users/" + url.PathEscape(p.id),
		body: patchOf(operations...), about: p.userName, touches: []string{p.id}}
}

// setGroup is a PATCH of one group that may change the assignments of touched.
func setGroup(label string, g *group, touched []*person, operations ...operation) call {
	return call{label: label, method: http.MethodPatch, path: "/Groups/" + url.PathEscape(g.id),
		body: patchOf(operations...), about: g.name, touches: ids(touched)}
}

// gone is the deletion of a user.
func gone(p *person) call {
	return call{label: deleteUser, method: http.MethodDelete, path: "/Users/" + url.PathEscape(p.id), about: p.userName, touches: []string{p.id}}
}

// dissolved is the deletion of a group.
func dissolved(g *group) call {
	return call{label: deleteGroup, method: http.MethodDelete, path: "/Groups/" + url.PathEscape(g.id), about: g.name, touches: ids(g.members)}
}

// equal is a filter that compares an attribute with a string. Strings are quoted as in
// JSON (RFC 7644 §3.4.2.2).
func equal(attribute, value string) string {
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value)
	return attribute + ` eq "` + quoted + `"`
}

// ids are the server's, of those people whom it has.
func ids(people []*person) []string {
	var list []string
	for _, p := range present(people) {
		list = append(list, p.id)
	}
	return list
}

// present are the people whom the server has: a push that was refused leaves one out.
func present(people []*person) []*person {
	var list []*person
	for _, p := range people {
		if p.id != "" && !p.gone {
			list = append(list, p)
		}
	}
	return list
}

// adopt takes the server's id from a resource.
func adopt(id *string, resource map[string]any) {
	if given, _ := resource["id"].(string); given != "" {
		*id = given
	}
}
