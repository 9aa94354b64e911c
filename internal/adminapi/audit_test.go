package adminapi_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
)

type entry struct {
	ID, Actor, Action, Target, Request string
	At                                 time.Time
	Detail                             object
}

func TestEveryChangeIsAudited(t *testing.T) {
	s := start(t)
	s.do("PUT", "/roles/admin", object{"name": "Admin", "rank": 90}).want(200)
	s.do("PUT", "/roles/spare", object{"name": "Spare", "rank": 1}).want(200)
	s.do("DELETE", "/roles/spare", nil).want(204)
	key := into[named](s.do("POST", "/admin-keys", object{"name": "ci"}).want(201))
	s.do("DELETE", "/admin-keys/"+key.ID, nil).want(204)

	org := s.organization("Acme")
	c := s.connection(org, "Okta")
	path := "/organizations/" + org
	token := into[named](s.do("POST", path+"/connections/"+c.ID+"/tokens", nil).want(201))
	s.do("DELETE", path+"/connections/"+c.ID+"/tokens/"+token.ID, nil).want(204)
	client := into[createdClient](s.do("POST", path+"/connections/"+c.ID+"/clients", nil).want(201))
	s.do("DELETE", path+"/connections/"+c.ID+"/clients/"+client.ID, nil).want(204)
	s.do("POST", path+"/connections/"+c.ID+"/disable", nil).want(200)
	s.do("PATCH", path+"/connections/"+c.ID, object{"strict": true}).want(200)
	s.do("PATCH", path+"/connections/"+c.ID, object{}).want(200) // changes nothing
	s.do("POST", path+"/connections/"+c.ID+"/enable", nil).want(200)
	s.do("PUT", path+"/rules", object{"version": 0, "rules": []object{}}).want(200)
	// What is refused leaves no trace.
	s.do("PUT", path+"/rules", object{"version": 0, "rules": []object{}}).problem(http.StatusConflict)
	s.do("DELETE", path+"/connections/"+c.ID+"/tokens/"+token.ID, nil).problem(http.StatusNotFound)

	type did struct{ Action, Target string }
	read := func(path string) (actions []did) {
		seen := map[string]bool{}
		for next := ""; ; {
			page := into[listed[entry]](s.do("GET", path+"?limit=2"+next, nil).want(200))
			for _, e := range page.Items {
				actions = append(actions, did{e.Action, e.Target})
				if !strings.HasPrefix(e.Actor, "admin key key_") || !strings.HasPrefix(e.Request, "req_") || seen[e.Request] || e.Detail == nil || time.Since(e.At) > time.Minute {
					t.Errorf("entry %+v", e)
				}
				seen[e.Request] = true
			}
			if page.Next == "" {
				return actions
			}
			next = "&after=" + page.Next
		}
	}
	want := []did{
		{"rules.published", org}, {"connection.enabled", c.ID}, {"connection.changed", c.ID}, {"connection.disabled", c.ID},
		{"client.deleted", c.ID}, {"client.created", c.ID}, {"token.deleted", c.ID}, {"token.created", c.ID},
		{"connection.created", c.ID}, {"organization.created", org},
	}
	if diff := cmp.Diff(want, read(path+"/audit")); diff != "" {
		t.Errorf("the organization's audit (-want +got):\n%s", diff)
	}
	want = []did{{"admin_key.deleted", key.ID}, {"admin_key.created", key.ID}, {"role.deleted", "spare"}, {"role.put", "spare"}, {"role.put", "admin"}}
	if diff := cmp.Diff(want, read("/audit")); diff != "" {
		t.Errorf("the deployment's audit (-want +got):\n%s", diff)
	}
	if got := into[listed[entry]](s.do("GET", path+"/audit?target="+org, nil).want(200)).Items; len(got) != 2 {
		t.Errorf("about the organization itself: %+v", got)
	}
	if got := into[listed[entry]](s.do("GET", "/audit?target=spare&limit=1", nil).want(200)); len(got.Items) != 1 || got.Items[0].Action != "role.deleted" || got.Next == "" {
		t.Errorf("about the role: %+v", got)
	}
}

func TestAdminKeys(t *testing.T) {
	s := start(t)
	end := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	created := into[named](s.do("POST", "/admin-keys", object{"name": "ci", "expires_at": end}).want(http.StatusCreated))
	if !strings.HasPrefix(created.Key, credential.AdminKey) || !strings.HasSuffix(created.Key, created.LastFour) || !created.ExpiresAt.Equal(end) {
		t.Errorf("created %+v", created)
	}
	s.do("GET", "/organizations", nil, "Authorization", "bearer  "+created.Key).want(200)
	keys := into[listed[named]](s.do("GET", "/admin-keys", nil).want(200)).Items
	if len(keys) != 2 || keys[0].Name != "test" || keys[1].ID != created.ID {
		t.Errorf("keys = %+v", keys)
	}

	s.do("DELETE", "/admin-keys/"+created.ID, nil).want(http.StatusNoContent)
	s.do("GET", "/organizations", nil, "Authorization", "Bearer "+created.Key).problem(http.StatusUnauthorized)
	s.do("DELETE", "/admin-keys/"+created.ID, nil).problem(http.StatusNotFound).said(t, created.ID)
	s.do("POST", "/admin-keys", object{"name": "  "}).problem(http.StatusBadRequest)
	s.do("POST", "/admin-keys", object{"name": "x", "expires_at": "1999-01-01T00:00:00Z"}).problem(http.StatusBadRequest).said(t, "1999")
}

func TestExpiredAdminKeyIsRefused(t *testing.T) {
	s := start(t)
	now := directory.Now()
	key, stored := credential.New(credential.AdminKey, now.Add(-time.Hour), now.Add(-time.Second))
	check(t, s.store.Transact(context.Background(), store.Scope{}, store.Facts, func(tx *store.Tx) error {
		tx.CreateAdminKey(store.AdminKey{Stored: stored, Name: "old"})
		return nil
	}))
	s.do("GET", "/organizations", nil, "Authorization", "Bearer "+key).problem(http.StatusUnauthorized)
}
