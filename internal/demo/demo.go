// Package demo makes the first minute: an organization with roles, rules and a SCIM
// connection, and a short Okta session against the service's own address, so that a
// newcomer sees assignments arrive in Redis before having read anything.
//
// It goes the ways that everybody goes: the admin use cases, and SCIM over HTTP. What
// it made is in data/demo.json (mode 0600, as it holds credentials); a second start
// finds it there and makes nothing.
package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rolesync/rolesync/claims"
	"github.com/rolesync/rolesync/internal/admin"
	"github.com/rolesync/rolesync/internal/app"
	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/simulate"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/mapping"
	rolesync "github.com/rolesync/rolesync/sync"
)

// Info is what data/demo.json holds, for people and scripts.
type Info struct {
	APIURL       string `json:"api_url"`
	APIKey       string `json:"api_key"`
	Organization string `json:"organization"`
	SCIMURL      string `json:"scim_url"`
	SCIMToken    string `json:"scim_token"`
	RedisAddr    string `json:"redis_addr"`
	DatabaseURL  string `json:"database_url"`
}

// FileName is where the information is, within the data folder.
const FileName = "demo.json"

// Read returns what an earlier start of the demo left in the data folder.
func Read(data string) (Info, error) {
	text, err := os.ReadFile(filepath.Join(data, FileName))
	if err != nil {
		return Info{}, err
	}
	var info Info
	if err := json.Unmarshal(text, &info); err != nil {
		return Info{}, fmt.Errorf("%s: %w", filepath.Join(data, FileName), err)
	}
	return info, nil
}

// Demo is the demo of one service.
type Demo struct {
	Info
	// First says that this start made it: nothing has been synchronised yet.
	First bool

	service *app.Service
}

// Prepare finds or makes the demo organization of a service, and brings demo.json up
// to date: addresses may have changed since the last start.
func Prepare(ctx context.Context, s *app.Service) (*Demo, error) {
	d := &Demo{service: s}
	info, err := Read(s.Config.Data)
	switch {
	case errors.Is(err, os.ErrNotExist):
		d.First = true
	case err != nil:
		return nil, err
	default:
		// Another database may be configured since.
		_, err := s.Store.Organization(ctx, directory.OrganizationID(info.Organization))
		if d.First = fault.Is(err, fault.NotFound); err != nil && !d.First {
			return nil, err
		}
		d.Info = info
	}
	if d.First {
		if err := d.make(ctx); err != nil {
			return nil, fmt.Errorf("make the demo organization: %w", err)
		}
	}
	connection := d.SCIMURL[strings.LastIndexByte(d.SCIMURL, '/')+1:]
	d.APIURL = s.BaseURL + "/api/v1"
	d.SCIMURL = s.BaseURL + "/scim/v2/" + connection
	d.DatabaseURL = app.DatabaseURL(s.Config)
	if d.RedisAddr = s.EmbeddedRedis(); d.RedisAddr == "" {
		d.RedisAddr = rolesync.AddressOf(app.RedisOptions(s.Config))
	}
	return d, d.write()
}

// make creates a key of the admin API, and with it, so to speak, the rest.
func (d *Demo) make(ctx context.Context) error {
	a := d.service.Admin
	key, stored := credential.New(credential.AdminKey, directory.Now(), time.Time{})
	if err := d.service.Store.CreateAdminKey(ctx, store.AdminKey{Stored: stored, Name: "demo"}); err != nil {
		return err
	}
	by := admin.Actor{Name: "admin key " + stored.ID, Request: directory.NewRequestID()}
	for _, role := range roles {
		if _, err := a.PutRole(ctx, by, role); err != nil {
			return err
		}
	}
	organization, err := a.CreateOrganization(ctx, by, "Acme Inc.")
	if err != nil {
		return err
	}
	if _, err := a.PublishRules(ctx, by, organization.ID, rules, 0, "the rules of the demo"); err != nil {
		return err
	}
	connection, token, err := a.CreateConnection(ctx, by, organization.ID, admin.NewConnection{Name: "Okta", Kind: directory.SCIM})
	if err != nil {
		return err
	}
	d.Info = Info{APIKey: key, Organization: string(organization.ID), SCIMURL: "/" + string(connection.ID), SCIMToken: token}
	return nil
}

// roles and rules are those that the README explains.
var roles = []mapping.Role{
	{Key: "owner", Name: "Owner", Rank: 100, Permissions: []mapping.Permission{"organization:delete", "organization:transfer"}},
	{Key: "admin", Name: "Administrator", Rank: 90, Permissions: []mapping.Permission{"members:invite", "members:remove", "settings:edit"}},
	{Key: "developer", Name: "Developer", Rank: 50, Permissions: []mapping.Permission{"projects:create", "projects:deploy"}},
	{Key: "billing", Name: "Billing", Rank: 40, Permissions: []mapping.Permission{"invoices:pay", "invoices:view"}},
	{Key: "support", Name: "Support", Rank: 30, Permissions: []mapping.Permission{"tickets:answer"}},
	{Key: "member", Name: "Member", Rank: 10, Permissions: []mapping.Permission{"projects:view"}},
}

var rules = mapping.RuleSet{
	Combine:     mapping.Union,
	DefaultRole: "member",
	Rules: []mapping.Rule{
		{ID: "administrators", Name: "IT administers", When: groupNamed("IT Admins"), Grant: mapping.Grant{Roles: []mapping.RoleKey{"admin"}}},
		{ID: "developers", Name: "Engineering develops", When: groupNamed("Engineering"), Grant: mapping.Grant{Roles: []mapping.RoleKey{"developer"}}},
		{ID: "billing", Name: "Finance pays", When: mapping.Condition{Group: mapping.GroupMatcher{Glob: "Finance*"}}, Grant: mapping.Grant{Roles: []mapping.RoleKey{"billing"}}},
		{ID: "support", Name: "Regional support answers", When: mapping.Condition{Group: mapping.GroupMatcher{Regexp: "support-(emea|amer|apac)"}}, Grant: mapping.Grant{Roles: []mapping.RoleKey{"support"}}},
	},
}

func groupNamed(name string) mapping.Condition {
	return mapping.Condition{Group: mapping.GroupMatcher{Name: name}}
}

// write replaces demo.json as a whole, or not at all.
func (d *Demo) write() error {
	text, err := json.MarshalIndent(d.Info, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(d.service.Config.Data, 0o700); err != nil {
		return err
	}
	path := filepath.Join(d.service.Config.Data, FileName)
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", FileName, err)
	}
	return os.Rename(path+".new", path)
}

// Play has Okta synchronise 20 users and 5 groups into the running service, over HTTP,
// and prints each assignment as it lands in Redis.
func (d *Demo) Play(ctx context.Context, out io.Writer) error {
	_, err := simulate.Run(ctx, simulate.Options{
		Provider: simulate.Okta, URL: d.SCIMURL, Token: d.SCIMToken, Users: 20, Groups: 5, Seed: 1, // as rolesync simulate has by default
		Reader: claims.NewReader(d.service.Redis, claims.Keys{Prefix: d.service.Config.Redis.Prefix}), Organization: d.Organization,
		Out: out, Progress: simulate.Landings,
	})
	return err
}

// Print tells a person where everything is.
func (d *Demo) Print(out io.Writer) {
	host, port, err := net.SplitHostPort(d.RedisAddr)
	if err != nil {
		host, port = d.RedisAddr, "6379"
	}
	keys := claims.Keys{Prefix: d.service.Config.Redis.Prefix}
	fmt.Fprintf(out, `
rolesync demo

  Admin API   %s
  Key         %s
  SCIM        %s
  Token       %s
  Redis       %s
  For scripts %s

  All assignments of the demo organization, as a token issuer reads them:

    redis-cli -h %s -p %s HGETALL '%s'

`, d.APIURL, d.APIKey, d.SCIMURL, d.SCIMToken, d.RedisAddr, filepath.Join(d.service.Config.Data, FileName), host, port, keys.Assignments(d.Organization))
}

// PrintNext tells a person what to try.
func (d *Demo) PrintNext(out io.Writer) {
	fmt.Fprintf(out, `
  Next, in another terminal:

    go run ./cmd/rolesync simulate entra      another provider's session, with a report per user
    go run ./cmd/rolesync verify              proves that facts, rules, SQL and Redis agree
    curl -H 'Authorization: Bearer %s' %s/organizations/%s/users

  Ctrl-C stops; the data stays in %s.

`, d.APIKey, d.APIURL, d.Organization, d.service.Config.Data)
}
