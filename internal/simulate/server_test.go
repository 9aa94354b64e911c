package simulate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

const token = "a-bearer-token"

// server is a SCIM server in memory that accepts what a provider is documented to send
// and nothing else: exact headers, exact filters, known keys only, ids that exist. It
// keeps the requests as they were on the wire.
type server struct {
	tb       testing.TB
	provider Provider
	url      string

	// refuse may answer a request before the server does; it returns whether it has.
	refuse func(w http.ResponseWriter, r *http.Request, body []byte) bool
	// changed is told which users a request has changed, before the request is answered.
	changed func(subjects []string, request string)

	mu       sync.Mutex
	users    map[string]map[string]any
	groups   map[string]*serverGroup
	userIDs  []string
	groupIDs []string
	requests []string
}

type serverGroup struct {
	displayName, externalID string
	members                 []string
}

func newServer(tb testing.TB, provider Provider) *server {
	s := &server{tb: tb, provider: provider, users: map[string]map[string]any{}, groups: map[string]*serverGroup{}}
	listener := httptest.NewServer(s)
	tb.Cleanup(listener.Close)
	s.url = listener.URL + "/scim/v2/conn_1"
	return s
}

// refusal is what a handler panics with nowhere: it is returned.
type refusal struct {
	status int
	detail string
}

func (r *refusal) Error() string { return r.detail }

func bad(format string, args ...any) error {
	return &refusal{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.tb.Error(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	target := strings.TrimPrefix(r.RequestURI, "/scim/v2/conn_1")
	line := r.Method + " " + target
	if len(body) > 0 {
		line += "\n  " + string(body)
	}
	s.requests = append(s.requests, line)
	request := fmt.Sprintf("req-%d", len(s.requests))
	w.Header().Set("X-Request-Id", request)
	w.Header().Set("Content-Type", "application/scim+json")
	if s.refuse != nil && s.refuse(w, r, body) {
		return
	}
	status, answer, touched, err := s.answer(r, target, body)
	if refused, ok := errors.AsType[*refusal](err); ok {
		status, answer = refused.status, map[string]any{
			"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:Error"}, "status": fmt.Sprint(refused.status), "detail": refused.detail}
	}
	if s.changed != nil && len(touched) > 0 {
		s.changed(touched, request)
	}
	w.WriteHeader(status)
	if answer != nil {
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			s.tb.Error(err)
		}
	}
}

func (s *server) answer(r *http.Request, target string, body []byte) (status int, answer any, touched []string, err error) {
	if r.Header.Get("Authorization") != "Bearer "+token {
		return 0, nil, nil, &refusal{http.StatusUnauthorized, "the token is unknown"}
	}
	if err := s.checkHeaders(r.Header, len(body) > 0); err != nil {
		return 0, nil, nil, err
	}
	path, query, _ := strings.Cut(target, "?")
	kind, id, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch {
	case kind == "Users" && id == "" && r.Method == http.MethodGet:
		answer, err = s.list(query, "userName")
		return http.StatusOK, answer, nil, err
	case kind == "Groups" && id == "" && r.Method == http.MethodGet:
		answer, err = s.list(query, "displayName")
		return http.StatusOK, answer, nil, err
	case kind == "Users" && id == "" && r.Method == http.MethodPost:
		return s.createUser(body)
	case kind == "Groups" && id == "" && r.Method == http.MethodPost:
		return s.createGroup(body)
	case kind == "Users" && s.users[id] != nil:
		return s.user(r.Method, id, query, body)
	case kind == "Groups" && s.groups[id] != nil:
		return s.group(r.Method, id, query, body)
	}
	return 0, nil, nil, &refusal{http.StatusNotFound, "there is no " + path}
}

func (s *server) checkHeaders(h http.Header, body bool) error {
	want := map[string]string{"Accept": "application/scim+json"}
	if body {
		want["Content-Type"] = "application/scim+json; charset=utf-8"
	}
	if s.provider == Okta {
		want["User-Agent"], want["Accept-Charset"] = "Okta SCIM Client 1.0.0", "utf-8"
	}
	got := map[string]string{}
	for key, values := range h {
		if key != "Authorization" && key != "Content-Length" && key != "Accept-Encoding" {
			got[key] = strings.Join(values, ", ")
		}
	}
	if !maps.Equal(got, want) {
		return bad("headers %v, want %v", got, want)
	}
	return nil
}

var queries = map[Provider]map[string]*regexp.Regexp{
	Okta: {
		"userName":    regexp.MustCompile(`^(?:filter=userName%20eq%20%22([^&+ ]+)%22&startIndex=1&count=100|startIndex=1&count=2)$`),
		"displayName": regexp.MustCompile(`^(?:filter=displayName%20eq%20%22([^&+ ]+)%22&startIndex=1&count=100|startIndex=1&count=100)$`),
	},
	Entra: {
		"userName":    regexp.MustCompile(`^filter=userName\+eq\+%22([^& ]+)%22$`),
		"displayName": regexp.MustCompile(`^excludedAttributes=members&filter=displayName\+eq\+%22([^& ]+)%22$`),
	},
}

func (s *server) list(query, attribute string) (any, error) {
	match := queries[s.provider][attribute].FindStringSubmatch(query)
	if match == nil {
		return nil, bad("unexpected query %q", query)
	}
	wanted := strings.NewReplacer("+", " ", "%20", " ", "%40", "@", "%26", "&", "%27", "'").Replace(match[1])
	resources := []any{}
	if attribute == "userName" {
		for _, id := range s.userIDs {
			if u := s.users[id]; u != nil && (match[1] == "" || u["userName"] == wanted) {
				resources = append(resources, u)
			}
		}
	} else {
		for _, id := range s.groupIDs {
			if g := s.groups[id]; g != nil && (match[1] == "" || g.displayName == wanted) {
				resources = append(resources, g.resource(id))
			}
		}
	}
	return map[string]any{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:ListResponse"},
		"totalResults": len(resources), "startIndex": 1, "itemsPerPage": len(resources), "Resources": resources}, nil
}

func (g *serverGroup) resource(id string) map[string]any {
	return map[string]any{"schemas": []string{groupSchema}, "id": id, "displayName": g.displayName, "externalId": g.externalID}
}

// strict decodes a body and refuses unknown keys.
func strict(body []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return bad("body: %v", err)
	}
	return nil
}

func (s *server) createUser(body []byte) (int, any, []string, error) {
	var err error
	if s.provider == Okta {
		err = strict(body, new(oktaUser))
	} else {
		err = strict(body, new(entraUser))
	}
	if err != nil {
		return 0, nil, nil, err
	}
	var user map[string]any
	if err := json.Unmarshal(body, &user); err != nil {
		return 0, nil, nil, bad("%v", err)
	}
	for _, id := range s.userIDs {
		if u := s.users[id]; u != nil && u["userName"] == user["userName"] {
			return 0, nil, nil, &refusal{http.StatusConflict, fmt.Sprintf("userName %q is taken", user["userName"])}
		}
	}
	id := fmt.Sprintf("usr-%d", len(s.userIDs)+1)
	delete(user, "password")
	user["id"], user["meta"] = id, map[string]any{"resourceType": "User", "created": "2026-11-21T10:00:00Z"}
	s.users[id], s.userIDs = user, append(s.userIDs, id)
	return http.StatusCreated, user, []string{id}, nil
}

func (s *server) createGroup(body []byte) (int, any, []string, error) {
	g := &serverGroup{}
	if s.provider == Okta {
		var group oktaGroup
		if err := strict(body, &group); err != nil {
			return 0, nil, nil, err
		}
		g.displayName = group.DisplayName
	} else {
		var group entraGroup
		if err := strict(body, &group); err != nil {
			return 0, nil, nil, err
		}
		g.displayName, g.externalID = group.DisplayName, group.ExternalID
	}
	if err := s.free(g.displayName, nil); err != nil {
		return 0, nil, nil, err
	}
	id := fmt.Sprintf("grp-%d", len(s.groupIDs)+1)
	s.groups[id], s.groupIDs = g, append(s.groupIDs, id)
	return http.StatusCreated, g.resource(id), nil, nil
}

func (s *server) free(displayName string, but *serverGroup) error {
	for _, g := range s.groups {
		if g != but && g.displayName == displayName {
			return &refusal{http.StatusConflict, fmt.Sprintf("displayName %q is taken", displayName)}
		}
	}
	return nil
}

func (s *server) user(method, id, query string, body []byte) (int, any, []string, error) {
	if query != "" {
		return 0, nil, nil, bad("unexpected query %q", query)
	}
	switch {
	case method == http.MethodGet:
		return http.StatusOK, s.users[id], nil, nil
	case method == http.MethodDelete && s.provider == Entra:
		delete(s.users, id)
		return http.StatusNoContent, nil, []string{id}, nil
	case method == http.MethodPut && s.provider == Okta:
		var user map[string]any
		if err := json.Unmarshal(body, &user); err != nil || user["id"] != id || user["meta"] == nil || user["password"] != nil {
			return 0, nil, nil, bad("a PUT must repeat id and meta: %v", err)
		}
		s.users[id] = user
		return http.StatusOK, user, []string{id}, nil
	case method == http.MethodPatch:
		var p patch
		if err := strict(body, &p); err != nil {
			return 0, nil, nil, err
		}
		for _, op := range p.Operations {
			if err := s.patchUser(s.users[id], op); err != nil {
				return 0, nil, nil, err
			}
		}
		return http.StatusOK, s.users[id], []string{id}, nil
	}
	return 0, nil, nil, &refusal{http.StatusMethodNotAllowed, method + " is not what this provider sends"}
}

func (s *server) patchUser(user map[string]any, op operation) error {
	values, pathless := op.Value.(map[string]any)
	if !pathless {
		values = map[string]any{op.Path: op.Value}
	}
	for path, value := range values {
		switch path {
		case "active":
			if text, ok := value.(string); ok && s.provider == Entra && (text == "True" || text == "False") {
				value = text == "True"
			}
			if _, ok := value.(bool); !ok {
				return bad("active is %v", value)
			}
			user["active"] = value
		case "displayName", "title", "externalId":
			user[path] = value
		case "name.givenName", "name.familyName", "name.formatted":
			user["name"].(map[string]any)[strings.TrimPrefix(path, "name.")] = value
		case workEmail:
			user["emails"].([]any)[0].(map[string]any)["value"] = value
		case enterpriseSchema + ":department":
			user[enterpriseSchema].(map[string]any)["department"] = value
		default:
			return bad("unexpected path %q", path)
		}
	}
	return nil
}

var removal = regexp.MustCompile(`^members\[value eq "(usr-\d+)"\]$`)

func (s *server) group(method, id, query string, body []byte) (int, any, []string, error) {
	g := s.groups[id]
	switch {
	case method == http.MethodGet && s.provider == Entra && query == "excludedAttributes=members":
		return http.StatusOK, g.resource(id), nil, nil
	case query != "":
		return 0, nil, nil, bad("unexpected query %q", query)
	case method == http.MethodDelete && s.provider == Okta:
		delete(s.groups, id)
		return http.StatusNoContent, nil, g.members, nil
	case method != http.MethodPatch:
		return 0, nil, nil, &refusal{http.StatusMethodNotAllowed, method + " is not what this provider sends"}
	}
	var p patch
	if err := strict(body, &p); err != nil {
		return 0, nil, nil, err
	}
	before := slices.Clone(g.members)
	for _, op := range p.Operations {
		if err := s.patchGroup(id, g, op); err != nil {
			return 0, nil, nil, err
		}
	}
	return http.StatusNoContent, nil, slices.Concat(before, g.members), nil
}

func (s *server) patchGroup(id string, g *serverGroup, op operation) error {
	if values, ok := op.Value.(map[string]any); ok && op.Path == "" { // Okta repeats the id
		if values["id"] != id || len(values) != 2 {
			return bad("value %v", values)
		}
		op.Path, op.Value = "displayName", values["displayName"]
	}
	if match := removal.FindStringSubmatch(op.Path); match != nil && op.Op == "remove" && op.Value == nil {
		g.members = slices.DeleteFunc(g.members, func(m string) bool { return m == match[1] })
		return nil
	}
	switch op.Path {
	case "displayName":
		displayName, _ := op.Value.(string)
		if err := s.free(displayName, g); displayName == "" || err != nil {
			return cmpError(err, bad("displayName is %v", op.Value))
		}
		g.displayName = displayName
		return nil
	case "members":
		list, _ := op.Value.([]any)
		var members []string
		for _, element := range list {
			m, _ := element.(map[string]any)
			value, _ := m["value"].(string)
			if s.users[value] == nil {
				return bad("there is no user %v", m["value"])
			}
			members = append(members, value)
		}
		if len(members) == 0 || s.provider == Entra && len(members) != 1 {
			return bad("%d members in one operation", len(members))
		}
		switch strings.ToLower(op.Op) {
		case "replace":
			g.members = members
		case "add":
			g.members = append(g.members, slices.DeleteFunc(members, func(m string) bool { return slices.Contains(g.members, m) })...)
		case "remove":
			g.members = slices.DeleteFunc(g.members, func(m string) bool { return slices.Contains(members, m) })
		}
		return nil
	}
	return bad("unexpected operation %+v", op)
}

func cmpError(err, standard error) error {
	if err != nil {
		return err
	}
	return standard
}

// rolesOf says what the demo organization's rules would give to a user.
func (s *server) rolesOf(id string) []string {
	var roles []string
	for _, rule := range [][2]string{{"IT Admins", "admin"}, {"Engineering", "developer"}, {"Finance", "billing"}, {"support-", "support"}} {
		for _, g := range s.groups {
			if strings.HasPrefix(g.displayName, rule[0]) && slices.Contains(g.members, id) {
				roles = append(roles, rule[1])
			}
		}
	}
	if len(roles) == 0 {
		roles = []string{"member"}
	}
	return roles
}
