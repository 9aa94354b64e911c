package simulate

import (
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

func (s *server) user(method, id string, body []byte) (int, any, []string, error) {
	switch method {
	case http.MethodGet:
		return http.StatusOK, s.users[id], nil, nil
	case http.MethodDelete:
		delete(s.users, id)
		for _, g := range s.groups {
			g.members = slices.DeleteFunc(g.members, func(m string) bool { return m == id })
		}
		return http.StatusNoContent, nil, []string{id}, nil
	case http.MethodPut:
		user, err := s.replaced(id, body)
		if err != nil {
			return 0, nil, nil, err
		}
		s.users[id] = user
		return http.StatusOK, user, []string{id}, nil
	}
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

// replaced is the user of a PUT. Okta repeats all that the server has said; the others
// send what they create, some with the id.
func (s *server) replaced(id string, body []byte) (map[string]any, error) {
	var user map[string]any
	if err := json.Unmarshal(body, &user); err != nil {
		return nil, bad("%v", err)
	}
	if s.provider == Okta {
		if user["id"] != id || user["meta"] == nil || user["password"] != nil {
			return nil, bad("a PUT must repeat id and meta")
		}
		return user, nil
	}
	if err := strict(body, s.manners.user()); err != nil {
		return nil, err
	}
	if stated, given := user["id"]; given && stated != id {
		return nil, bad("the id is %v", stated)
	}
	user["id"], user["meta"] = id, s.users[id]["meta"]
	return user, nil
}

func (s *server) patchUser(user map[string]any, op operation) error {
	values, pathless := op.Value.(map[string]any)
	if !pathless {
		values = map[string]any{op.Path: op.Value}
	}
	for path, value := range values {
		switch path {
		case "active":
			if text, ok := value.(string); ok && s.manners.active == "text" && (text == "True" || text == "False") {
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
		case workEmail, primaryEmail:
			user["emails"].([]any)[0].(map[string]any)["value"] = value
		case enterpriseSchema + ":department":
			user[enterpriseSchema].(map[string]any)["department"] = value
		default:
			return bad("unexpected path %q", path)
		}
	}
	return nil
}

func (s *server) group(method, id string, body []byte) (int, any, []string, error) {
	g := s.groups[id]
	before := slices.Clone(g.members)
	switch method {
	case http.MethodGet:
		return http.StatusOK, g.resource(id), nil, nil
	case http.MethodDelete:
		delete(s.groups, id)
		return http.StatusNoContent, nil, before, nil
	case http.MethodPut:
		stated := &serverGroup{}
		if err := s.state(stated, body); err != nil {
			return 0, nil, nil, err
		}
		if err := s.free(stated.displayName, g); err != nil {
			return 0, nil, nil, err
		}
		s.groups[id] = stated
		return http.StatusOK, stated.resource(id), slices.Concat(before, stated.members), nil
	}
	var p patch
	if err := strict(body, &p); err != nil {
		return 0, nil, nil, err
	}
	if len(p.Operations) > s.manners.operations {
		return 0, nil, nil, bad("%d operations", len(p.Operations))
	}
	for _, op := range p.Operations {
		if err := s.patchGroup(id, g, op); err != nil {
			return 0, nil, nil, err
		}
	}
	return http.StatusNoContent, nil, slices.Concat(before, g.members), nil
}

var removal = regexp.MustCompile(`^members\[value eq "(usr-\d+)"\]$`)

func (s *server) patchGroup(id string, g *serverGroup, op operation) error {
	if values, ok := op.Value.(map[string]any); ok && op.Path == "" {
		if values["id"] != id || !slices.Equal(slices.Sorted(maps.Keys(values)), s.manners.pathless) {
			return bad("value %v", values)
		}
		op.Path, op.Value = "displayName", values["displayName"]
	}
	// The flag of Entra changes this too.
	if match := removal.FindStringSubmatch(op.Path); match != nil && op.Op == "remove" && op.Value == nil && (!s.manners.byValue || s.provider == Entra) {
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
		members, err := s.membersOf(list)
		if err != nil {
			return err
		}
		if len(members) == 0 || s.manners.single && len(members) != 1 {
			return bad("%d members in one operation", len(members))
		}
		return g.change(strings.ToLower(op.Op), members, s.manners.byValue)
	}
	return bad("unexpected operation %+v", op)
}

func (g *serverGroup) change(op string, members []string, byValue bool) error {
	switch {
	case op == "replace":
		g.members = members
	case op == "add":
		g.members = append(g.members, slices.DeleteFunc(members, func(m string) bool { return slices.Contains(g.members, m) })...)
	case op == "remove" && byValue:
		g.members = slices.DeleteFunc(g.members, func(m string) bool { return slices.Contains(members, m) })
	default:
		return bad("unexpected %s of members", op)
	}
	return nil
}

func cmpError(err, standard error) error {
	if err != nil {
		return err
	}
	return standard
}
