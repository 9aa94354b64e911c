package adminapi_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
)

type createdClient struct {
	ID        string    `json:"client_id"`
	Secret    string    `json:"client_secret"`
	LastFour  string    `json:"last_four"`
	TokenURL  string    `json:"token_url"`
	SCIMURL   string    `json:"scim_url"`
	ExpiresAt time.Time `json:"expires_at"`
	LastUsed  time.Time `json:"last_used_at"`
}

func TestClientSecretIsShownOnceAndNeverAgain(t *testing.T) {
	s := start(t)
	org := s.organization("Acme")
	c := s.connection(org, "Entra")
	connection := "/organizations/" + org + "/connections/" + c.ID
	path := connection + "/clients"
	end := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	first := into[createdClient](s.do("POST", path, object{"expires_at": end}).want(http.StatusCreated))
	if !strings.HasPrefix(first.ID, "cli_") || !strings.HasPrefix(first.Secret, credential.ClientSecret) ||
		!strings.HasSuffix(first.Secret, first.LastFour) || len(first.LastFour) != 4 || !first.ExpiresAt.Equal(end) ||
		first.SCIMURL != c.SCIMURL || first.TokenURL != c.SCIMURL+"/oauth/token" {
		t.Errorf("created %+v", first)
	}
	second := into[createdClient](s.do("POST", path, nil).want(http.StatusCreated))
	third := into[createdClient](s.do("POST", path, nil).want(http.StatusCreated))

	now := directory.Now()
	_, access := credential.New(credential.AccessToken, now, now.Add(time.Hour))
	scope := store.Scope{Organization: directory.OrganizationID(org), Connection: directory.ConnectionID(c.ID)}
	check(t, s.store.Transact(context.Background(), scope, store.Facts, func(tx *store.Tx) error {
		tx.CreateAccessToken(third.ID, access, 20)
		return nil
	}))
	listed := into[listed[createdClient]](s.do("GET", path, nil).want(200)).Items
	if len(listed) != 2 || listed[0].ID != second.ID || listed[1].ID != third.ID || !listed[0].LastUsed.IsZero() || !listed[1].LastUsed.Equal(now) {
		t.Errorf("clients = %+v, want the second and the third, which was used", listed)
	}
	if tokens := into[named](s.do("GET", connection, nil).want(200)).Tokens; len(tokens) != 1 {
		t.Errorf("access tokens are listed as tokens: %+v", tokens)
	}
	for _, at := range []string{path, connection, connection + "/tokens", "/organizations/" + org + "/audit"} {
		if body := string(s.do("GET", at, nil).want(200).Body); strings.Contains(body, second.Secret) || strings.Contains(body, third.Secret) {
			t.Errorf("GET %s shows a secret:\n%s", at, body)
		}
	}
	s.do("DELETE", connection+"/tokens/"+access.ID, nil).problem(http.StatusNotFound)
	s.do("DELETE", path+"/"+second.ID, nil).want(http.StatusNoContent)
	s.do("DELETE", path+"/"+second.ID, nil).problem(http.StatusNotFound).said(t, second.ID)
	s.do("POST", path, object{"expires_at": "2001-01-01T00:00:00Z"}).problem(http.StatusBadRequest).said(t, "expires_at", "2001-01-01")
}
