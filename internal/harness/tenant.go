package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Tenant is one organization of a running service, with a SCIM connection.
type Tenant struct {
	Organization string
	Path         string // of the SCIM base, so that any process of the service can be asked
	token        string
	key          string // of the admin API
	client       *http.Client
}

// StatusError is an answer that is no success.
type StatusError struct {
	Status     int
	RetryAfter string
	Body       string
}

func (e *StatusError) Error() string { return fmt.Sprintf("%d: %s", e.Status, e.Body) }

// Rules of every tenant: a group's name leads to a role.
const rules = `{"version":0,"default_role":"member","rules":[
	{"id":"admins","when":{"group":{"name":"IT Admins"}},"grant":{"roles":["admin"]}},
	{"id":"developers","when":{"group":{"glob":"team-*"}},"grant":{"roles":["developer"]}},
	{"id":"billing","when":{"group":{"glob":"Finance*"}},"grant":{"roles":["billing"]}},
	{"id":"support","when":{"group":{"regexp":"support-(emea|amer|apac)"}},"grant":{"roles":["support"]}}]}`

// NewTenant makes an organization with roles, rules and a connection, through the
// admin API of a running service.
func NewTenant(ctx context.Context, s *Service, name string) (*Tenant, error) {
	out, err := s.Command(ctx, "admin-key", "harness").Output()
	if err != nil {
		return nil, fmt.Errorf("rolesync admin-key: %w", err)
	}
	t := &Tenant{key: strings.TrimSpace(string(out)), client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}, Timeout: 2 * time.Minute}}
	for i, role := range []string{"member", "support", "billing", "developer", "admin"} {
		body := fmt.Sprintf(`{"name":%q,"rank":%d,"permissions":["%s:read","%s:write"]}`, role, 10*(i+1), role, role)
		if err := t.Admin(ctx, s, "PUT", "/roles/"+role, []byte(body), nil); err != nil {
			return nil, err
		}
	}
	return NewTenantLike(ctx, s, name, t)
}

// NewTenantLike makes another organization, with the admin key and the roles that were
// made for the first.
func NewTenantLike(ctx context.Context, s *Service, name string, first *Tenant) (*Tenant, error) {
	t := &Tenant{key: first.key, client: first.client}
	admin := func(method, path, body string, into any) error {
		return t.Admin(ctx, s, method, path, []byte(body), into)
	}
	var organization struct{ ID string }
	if err := admin("POST", "/organizations", fmt.Sprintf(`{"name":%q}`, name), &organization); err != nil {
		return nil, err
	}
	t.Organization = organization.ID
	if err := admin("PUT", "/organizations/"+t.Organization+"/rules", rules, nil); err != nil {
		return nil, err
	}
	var connection struct {
		SCIMURL string `json:"scim_url"`
		Token   string `json:"token"`
	}
	if err := admin("POST", "/organizations/"+t.Organization+"/connections", `{"name":"Harness","kind":"scim"}`, &connection); err != nil {
		return nil, err
	}
	t.Path, t.token = strings.TrimPrefix(connection.SCIMURL, s.URL()), connection.Token
	return t, nil
}

// Send makes one SCIM request to a process of the service. An answer that is no
// success is a *StatusError.
func (t *Tenant) Send(ctx context.Context, s *Service, method, path string, body []byte, into any) error {
	return t.call(ctx, method, s.URL()+t.Path+path, t.token, "application/scim+json", body, into)
}

// Admin makes one request to the admin API of a process of the service, at a path
// below /api/v1. An answer that is no success is a *StatusError.
func (t *Tenant) Admin(ctx context.Context, s *Service, method, path string, body []byte, into any) error {
	return t.call(ctx, method, s.URL()+"/api/v1"+path, t.key, "application/json", body, into)
}

func (t *Tenant) call(ctx context.Context, method, url, token, contentType string, body []byte, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	if len(body) > 0 {
		request.Header.Set("Content-Type", contentType)
	}
	answer, err := t.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode >= 300 {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 1000)) // the status says enough
		return fmt.Errorf("%s %s: %w", method, url, &StatusError{Status: answer.StatusCode, RetryAfter: answer.Header.Get("Retry-After"), Body: string(text)})
	}
	if into == nil {
		_, err = io.Copy(io.Discard, answer.Body)
		return err
	}
	return json.NewDecoder(answer.Body).Decode(into)
}

// CreateUser makes a user as Okta does, and returns its id.
func (t *Tenant) CreateUser(ctx context.Context, s *Service, name string) (string, error) {
	body := fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"%[1]s@example.com","name":{"givenName":"Ada","familyName":"%[1]s"},
		"emails":[{"primary":true,"value":"%[1]s@example.com","type":"work"}],"displayName":"Ada %[1]s","locale":"en-US","externalId":"00u%[1]s","groups":[],"active":true}`, name)
	var user struct{ ID string }
	err := t.Send(ctx, s, "POST", "/Users", []byte(body), &user)
	return user.ID, err
}

// CreateGroup makes a group with members, and returns its id.
func (t *Tenant) CreateGroup(ctx context.Context, s *Service, name string, members []string) (string, error) {
	var group struct{ ID string }
	err := t.Send(ctx, s, "POST", "/Groups", GroupBody(name, members), &group)
	return group.ID, err
}

// GroupBody is the body of a POST or PUT of a group.
func GroupBody(name string, members []string) []byte {
	return encode(map[string]any{
		"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:Group"}, "displayName": name, "members": values(members),
	})
}

// AddMembers is the PATCH that Okta and Entra send.
func (t *Tenant) AddMembers(ctx context.Context, s *Service, group string, members ...string) error {
	return t.patch(ctx, s, "/Groups/"+group, map[string]any{"op": "add", "path": "members", "value": values(members)})
}

// RenameGroup is the PATCH that Okta sends.
func (t *Tenant) RenameGroup(ctx context.Context, s *Service, group, name string) error {
	return t.patch(ctx, s, "/Groups/"+group, map[string]any{"op": "replace", "value": map[string]any{"id": group, "displayName": name}})
}

// RemoveMember is the PATCH that Okta sends.
func (t *Tenant) RemoveMember(ctx context.Context, s *Service, group, member string) error {
	return t.patch(ctx, s, "/Groups/"+group, map[string]any{"op": "remove", "path": fmt.Sprintf("members[value eq %q]", member)})
}

// SetActive activates or deactivates a user.
func (t *Tenant) SetActive(ctx context.Context, s *Service, user string, active bool) error {
	return t.patch(ctx, s, "/Users/"+user, map[string]any{"op": "replace", "value": map[string]any{"active": active}})
}

func (t *Tenant) patch(ctx context.Context, s *Service, path string, operation map[string]any) error {
	return t.Send(ctx, s, "PATCH", path, encode(map[string]any{
		"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": []any{operation},
	}), nil)
}

func values(members []string) []map[string]string {
	list := make([]map[string]string, len(members))
	for i, member := range members {
		list[i] = map[string]string{"value": member}
	}
	return list
}

func encode(v any) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // maps of strings always marshal
	}
	return body
}
