package scim_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolesync/rolesync/claims"
)

// counted compares the numbers of resources.
func (s *side) counted() error {
	users, groups := s.living()
	for path, want := range map[string]int{"/Users": len(users), "/Groups": len(groups)} {
		if r := s.do("GET", path+"?count=0", ""); r.at("totalResults") != float64(want) {
			return fmt.Errorf("GET %s counts %v, want %d", path, r.at("totalResults"), want)
		}
	}
	return nil
}

func (s *side) living() (users, groups []string) {
	for id, u := range s.users {
		if !u.deleted {
			users = append(users, id)
		}
	}
	for id, g := range s.groups {
		if !g.deleted {
			groups = append(groups, id)
		}
	}
	return users, groups
}

// compare reads everything there is: lists, single resources, look-ups, what is gone.
func (s *side) compare() error {
	users, groups := s.living()
	for path, ids := range map[string][]string{"/Users": users, "/Groups": groups} {
		list := s.do("GET", path+"?count=1000", "")
		if list.status != 200 || list.len("Resources") != len(ids) {
			return fmt.Errorf("GET %s = %d %s, want %d resources", path, list.status, list.text, len(ids))
		}
		for n := range ids {
			id := list.string("Resources", n, "id")
			listed, _ := list.at("Resources", n).(document)
			single := s.do("GET", path+"/"+id, "")
			if diff := s.differs(id, listed, true) + s.differs(id, single.body, true); diff != "" {
				return fmt.Errorf("GET of %s, in the list or alone: %s", id, diff)
			}
		}
	}
	for _, id := range users {
		query := filtered("userName eq " + plainJSON(s.users[id].attributes["userName"]))
		if r := s.do("GET", "/Users"+query, ""); r.len("Resources") != 1 || r.string("Resources", 0, "id") != id {
			return fmt.Errorf("GET /Users%s = %s, want %s alone", query, r.text, id)
		}
	}
	for id, u := range s.users {
		if r := s.do("GET", "/Users/"+id, ""); u.deleted && r.status != 404 {
			return fmt.Errorf("GET of %s, which was deleted = %d %s", id, r.status, r.text)
		}
	}
	for id, g := range s.groups {
		if r := s.do("GET", "/Groups/"+id, ""); g.deleted && r.status != 404 {
			return fmt.Errorf("GET of %s, which was deleted = %d %s", id, r.status, r.text)
		}
	}
	return nil
}

// strangers asks for the resources of another tenant, which must not be found.
func (s *side) strangers(other *side) error {
	users, groups := other.living()
	for path, ids := range map[string][]string{"/Users/": users, "/Groups/": groups} {
		for _, id := range ids {
			if r := s.do("GET", path+id, ""); r.status != 404 {
				return fmt.Errorf("GET of %s, which is another tenant's = %d %s", id, r.status, r.text)
			}
		}
	}
	return nil
}

func plainJSON(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// differs compares a resource, as it was shown, with the model's. What was shown under a
// version once must be shown under it always, to the time.
func (s *side) differs(id string, shown document, groups bool) string {
	for _, list := range []string{"members", "groups"} {
		if elements, ok := shown[list].([]any); ok {
			slices.SortFunc(elements, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		}
	}
	meta, _ := shown["meta"].(document)
	key := fmt.Sprint(id, meta["version"])
	if s.shown[key] == nil {
		s.shown[key] = shown
	}
	if diff := cmp.Diff(s.shown[key], shown); diff != "" {
		return fmt.Sprintf("under the version %v, it was shown otherwise before (-before +now):\n%s", meta["version"], diff)
	}
	created, _ := time.Parse(time.RFC3339Nano, fmt.Sprint(meta["created"]))
	modified, _ := time.Parse(time.RFC3339Nano, fmt.Sprint(meta["lastModified"]))
	if created.IsZero() || modified.Before(created) {
		return fmt.Sprintf("created %v, modified %v", created, modified)
	}
	// The version of a user who is shown with groups ends in a digest of them.
	revision, _, _ := strings.Cut(strings.TrimSuffix(fmt.Sprint(meta["version"]), `"`), ".")
	shown, meta = maps.Clone(shown), maps.Clone(meta)
	meta["version"] = revision + `"`
	delete(meta, "created")
	delete(meta, "lastModified")
	shown["meta"] = meta
	return cmp.Diff(s.render(id, groups), shown)
}

// render is a resource as the model has it.
func (s *side) render(id string, groups bool) document {
	if g := s.groups[id]; g != nil {
		members := []any{}
		for _, member := range slices.Sorted(maps.Keys(g.members)) {
			members = append(members, document{"value": member, "$ref": s.base + "/Users/" + member, "type": "User"})
		}
		out := s.document(id, "Group", wireGroup, g.version)
		out["members"] = members
		for path, value := range g.attributes {
			out[path] = value
		}
		return out
	}
	u := s.users[id]
	if u == nil {
		return nil
	}
	out := s.document(id, "User", wireUser, u.version)
	for path, value := range u.attributes {
		rfc := wireDialects["rfc"]
		rfc.nest(out, path, value)
	}
	if out[wireEnterprise] != nil {
		out["schemas"] = []any{wireUser, wireEnterprise}
	}
	if len(u.emails) > 0 {
		out["emails"] = wireDialects["rfc"].emails(u.emails)
	}
	var in []any
	for _, group := range slices.Sorted(maps.Keys(s.groups)) {
		if g := s.groups[group]; g.members[id] && groups {
			in = append(in, document{"value": group, "$ref": s.base + "/Groups/" + group, "display": g.attributes["displayName"], "type": "direct"})
		}
	}
	if len(in) > 0 {
		slices.SortFunc(in, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		out["groups"] = in
	}
	return out
}

func (s *side) document(id, kind, schema string, version int) document {
	return document{"id": id, "schemas": []any{schema}, "meta": document{
		"resourceType": kind, "location": s.base + "/" + kind + "s/" + id, "version": fmt.Sprintf(`W/"%d"`, version),
	}}
}

// assigned compares what everybody has, in SQL and in Redis, once the service has had
// its time.
func (w world) assigned(s *side) (err error) {
	deadline := time.NewTimer(5 * time.Second)
	defer deadline.Stop()
	poll := time.NewTicker(2 * time.Millisecond)
	defer poll.Stop()
	for {
		if err = w.assignedNow(s); err == nil {
			return nil
		}
		select {
		case <-poll.C:
		case <-deadline.C:
			return err
		}
	}
}

func (w world) assignedNow(s *side) error {
	ctx := context.Background()
	rows, err := w.store.Assignments(ctx, s.organization, "", 1000)
	if err != nil {
		return err
	}
	stated := map[string]claims.Assignment{}
	for _, row := range rows {
		a := claims.Assignment{Version: row.Version}
		type plain *claims.Assignment // what is in SQL lacks the version
		if err := json.Unmarshal([]byte(row.Projection), plain(&a)); err != nil {
			return err
		}
		stated[string(row.User)] = a
	}
	issued, err := w.reader.Assignments(ctx, string(s.organization), slices.Collect(maps.Keys(s.users)))
	if err != nil {
		return err
	}
	if len(stated) != len(s.users) || len(issued) != len(s.users) {
		return fmt.Errorf("%d assignments in SQL, %d in Redis, want %d", len(stated), len(issued), len(s.users))
	}
	for id, u := range s.users {
		active, roles := !u.deleted && u.attributes["active"] == "true", s.rolesOf(id)
		for where, a := range map[string]claims.Assignment{"SQL": stated[id], "Redis": issued[id]} {
			if a.Active != active || !slices.Equal(a.Roles, roles) {
				return fmt.Errorf("assignment of %s (%v) in %s = active %v, %v; want %v, %v", id, u.attributes, where, a.Active, a.Roles, active, roles)
			}
		}
		if stated[id].Version != issued[id].Version {
			return fmt.Errorf("assignment of %s has version %d in SQL, %d in Redis", id, stated[id].Version, issued[id].Version)
		}
		if u.deleted {
			continue
		}
		alias := claims.UserName(u.attributes["userName"])
		if found, err := w.reader.Lookup(ctx, string(s.organization), alias); err != nil || found.Subject != id {
			return fmt.Errorf("Redis has %s %v for %s, want %s", found.Subject, err, alias, id)
		}
	}
	return nil
}
