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
	"net/url"
	"regexp"
	"slices"
	"strconv"
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
	manners  manners
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
	s := &server{tb: tb, provider: provider, manners: etiquette[provider], users: map[string]map[string]any{}, groups: map[string]*serverGroup{}}
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
	path, _, _ := strings.Cut(target, "?")
	after := strings.TrimPrefix(target, path)
	kind, id, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch {
	case path == "/ServiceProviderConfig" && s.manners.discovers && r.Method == http.MethodGet:
		return http.StatusOK, map[string]any{"patch": map[string]any{"supported": true},
			"bulk": map[string]any{"supported": true, "maxOperations": maxOperations}}, nil, nil
	case kind == "Users" && id == "" && r.Method == http.MethodGet:
		answer, err = s.list(after, "userName", s.manners.users)
		return http.StatusOK, answer, nil, err
	case kind == "Groups" && id == "" && r.Method == http.MethodGet:
		answer, err = s.list(after, "displayName", s.manners.groups)
		return http.StatusOK, answer, nil, err
	case after != s.manners.after(r.Method, kind):
		return 0, nil, nil, bad("%q after %s", after, path)
	case kind == "Users" && id == "" && r.Method == http.MethodPost:
		return s.createUser(body)
	case kind == "Groups" && id == "" && r.Method == http.MethodPost:
		return s.createGroup(body)
	case !s.manners.may(r.Method, kind):
		return 0, nil, nil, &refusal{http.StatusMethodNotAllowed, r.Method + " is not what this provider sends"}
	case kind == "Users" && s.users[id] != nil:
		return s.user(r.Method, id, body)
	case kind == "Groups" && s.groups[id] != nil:
		return s.group(r.Method, id, body)
	}
	return 0, nil, nil, &refusal{http.StatusNotFound, "there is no " + path}
}

func (s *server) checkHeaders(h http.Header, body bool) error {
	want := maps.Clone(s.manners.headers)
	if body && s.manners.body != "" {
		want["Content-Type"] = s.manners.body
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

// pageSize makes even a small session read more than one page.
const pageSize = 3

func (s *server) list(after, attribute string, expected *regexp.Regexp) (any, error) {
	match := expected.FindStringSubmatch(after)
	if match == nil {
		return nil, bad("unexpected query %q", after)
	}
	part := func(name string) string {
		if i := expected.SubexpIndex(name); i > 0 {
			return match[i]
		}
		return ""
	}
	wanted, err := url.QueryUnescape(part("value"))
	if err != nil {
		return nil, bad("%v", err)
	}
	resources := []any{}
	if attribute == "userName" {
		for _, id := range s.userIDs {
			if u := s.users[id]; u != nil && (wanted == "" || u["userName"] == wanted) {
				resources = append(resources, u)
			}
		}
	} else {
		for _, id := range s.groupIDs {
			if g := s.groups[id]; g != nil && (wanted == "" || g.displayName == wanted) {
				resources = append(resources, g.resource(id))
			}
		}
	}
	total := len(resources)
	if start, err := strconv.Atoi(part("start")); err == nil {
		resources = resources[min(start-1, total):]
	}
	resources = resources[:min(len(resources), pageSize)]
	return map[string]any{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:ListResponse"},
		"totalResults": total, "startIndex": 1, "itemsPerPage": len(resources), "Resources": resources}, nil
}

func (g *serverGroup) resource(id string) map[string]any {
	var members []any
	for _, m := range g.members {
		members = append(members, map[string]any{"value": m})
	}
	return map[string]any{"schemas": []string{groupSchema}, "id": id, "displayName": g.displayName, "externalId": g.externalID, "members": members}
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
	if err := strict(body, s.manners.user()); err != nil {
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
	if err := s.state(g, body); err != nil {
		return 0, nil, nil, err
	}
	if err := s.free(g.displayName, nil); err != nil {
		return 0, nil, nil, err
	}
	id := fmt.Sprintf("grp-%d", len(s.groupIDs)+1)
	s.groups[id], s.groupIDs = g, append(s.groupIDs, id)
	return http.StatusCreated, g.resource(id), g.members, nil
}

// state reads a whole group.
func (s *server) state(g *serverGroup, body []byte) error {
	if err := strict(body, s.manners.group()); err != nil {
		return err
	}
	var stated struct {
		DisplayName, ExternalID string
		Members                 []any
	}
	if err := json.Unmarshal(body, &stated); err != nil {
		return bad("%v", err)
	}
	members, err := s.membersOf(stated.Members)
	g.displayName, g.externalID, g.members = stated.DisplayName, stated.ExternalID, members
	return err
}

// membersOf reads a list of members, who must be there.
func (s *server) membersOf(list []any) ([]string, error) {
	var members []string
	for _, element := range list {
		m, _ := element.(map[string]any)
		value, _ := m["value"].(string)
		if s.users[value] == nil {
			return nil, bad("there is no user %v", m["value"])
		}
		members = append(members, value)
	}
	return members, nil
}

func (s *server) free(displayName string, but *serverGroup) error {
	for _, g := range s.groups {
		if g != but && g.displayName == displayName {
			return &refusal{http.StatusConflict, fmt.Sprintf("displayName %q is taken", displayName)}
		}
	}
	return nil
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
