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
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/rolesync/rolesync/claims"
	"github.com/rolesync/rolesync/internal/admin"
	"github.com/rolesync/rolesync/internal/app"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/simulate"
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

// Read returns what an earlier start of the demo left in the data folder. Its errors
// name the file.
func Read(data string) (Info, error) {
	name := filepath.Join(data, FileName)
	text, err := os.ReadFile(name)
	if err != nil {
		return Info{}, err
	}
	var info Info
	if err := json.Unmarshal(text, &info); err != nil {
		return Info{}, damaged(name, err)
	}
	if _, err := directory.ParseConnectionID(path.Base(info.SCIMURL)); err != nil {
		return Info{}, damaged(name, fmt.Errorf("scim_url: %w", err))
	}
	if info.APIKey == "" || info.Organization == "" || info.SCIMToken == "" {
		return Info{}, damaged(name, errors.New("api_key, organization or scim_token is missing"))
	}
	return info, nil
}

func damaged(name string, err error) error {
	return fmt.Errorf("%s is not as the demo wrote it: %w; without the file, the next start makes a new demo organization", name, err)
}

// Demo is the demo of one service.
type Demo struct {
	Info
	// First says that this start made it: nothing has been synchronised yet.
	First bool

	// Program is how a person calls this program, and Settings are the names of the
	// variables that it was given and that another call needs as well.
	Program  string
	Settings []string

	service  *app.Service
	replaced bool // there was a demo.json, of another database
}

// Prepare finds or makes the demo organization of a service, and brings demo.json up
// to date: addresses may have changed since the last start.
func Prepare(ctx context.Context, s *app.Service) (*Demo, error) {
	d := &Demo{Program: "rolesync", service: s}
	info, err := Read(s.Config.Data)
	switch {
	case errors.Is(err, os.ErrNotExist):
		d.First = true
	case err != nil:
		return nil, err
	default:
		d.Info = info
		_, err := s.Store.Organization(ctx, directory.OrganizationID(info.Organization))
		d.replaced = fault.Is(err, fault.NotFound) // another database is configured since
		d.First = d.replaced
		if err != nil && !d.replaced {
			return nil, err
		}
	}
	if d.First {
		if err := d.make(ctx); err != nil {
			return nil, fmt.Errorf("make the demo organization: %w", err)
		}
	}
	d.APIURL = s.BaseURL + "/api/v1"
	d.SCIMURL = s.BaseURL + d.scimPath()
	d.DatabaseURL = app.DatabaseURL(s.Config)
	if d.RedisAddr = s.EmbeddedRedis(); d.RedisAddr == "" {
		d.RedisAddr = rolesync.AddressOf(app.RedisOptions(s.Config))
	}
	return d, d.write()
}

// scimPath is the path of the SCIM base URL.
func (d *Demo) scimPath() string { return "/scim/v2/" + path.Base(d.SCIMURL) }

// make creates the organization and all that belongs to it. Roles that the deployment
// has already stay as they are. The key comes last, so that a failure before it leaves
// no key behind that nobody knows.
func (d *Demo) make(ctx context.Context) error {
	a := d.service.Admin
	by := admin.Actor{Name: "rolesync serve --demo", Request: directory.NewRequestID()}
	held, err := a.Roles(ctx, by)
	if err != nil {
		return err
	}
	for _, role := range roles {
		if slices.ContainsFunc(held, func(other mapping.Role) bool { return other.Key == role.Key }) {
			continue
		}
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
	_, key, err := a.CreateAdminKey(ctx, by, "demo", time.Time{})
	if err != nil {
		return err
	}
	d.Info = Info{APIKey: key, Organization: string(organization.ID), SCIMURL: string(connection.ID), SCIMToken: token}
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
	data := d.service.Config.Data
	if err := os.MkdirAll(data, 0o700); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	file, err := os.CreateTemp(data, FileName+".*") // mode 0600
	if err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	_, err = file.Write(append(text, '\n'))
	err = errors.Join(err, file.Close())
	if err == nil {
		err = os.Rename(file.Name(), filepath.Join(data, FileName))
	}
	if err != nil {
		_ = os.Remove(file.Name()) // the first error is the one to tell
		return fmt.Errorf("write %s: %w", FileName, err)
	}
	return nil
}

// Play has Okta synchronise 20 users and 5 groups into the running service, over HTTP,
// and prints each assignment as it lands in Redis.
func (d *Demo) Play(ctx context.Context, out io.Writer) error {
	_, err := simulate.Run(ctx, simulate.Options{
		Provider: simulate.Okta, Users: 20, Groups: 5, Seed: 1, // as rolesync simulate has by default
		URL: d.service.LocalURL() + d.scimPath(), Token: d.SCIMToken, // the public URL may lead through a proxy that does not run yet
		Reader: claims.NewReader(d.service.Redis, claims.Keys{Prefix: d.service.Config.Redis.Prefix}), Organization: d.Organization,
		Out: out, Progress: simulate.Landings,
	})
	return err
}
