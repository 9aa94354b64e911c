package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolesync/rolesync/claims"
	"github.com/rolesync/rolesync/config"
	"github.com/rolesync/rolesync/internal/admin"
	"github.com/rolesync/rolesync/internal/app"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/mapping"
)

var by = admin.Actor{Name: "test"}

func settings(t *testing.T) config.Config {
	t.Helper()
	c := config.Default()
	c.Listen, c.Data = "127.0.0.1:0", filepath.Join(t.TempDir(), "data")
	return c
}

// open makes a service that answers nothing yet.
func open(t *testing.T, c config.Config) *app.Service {
	t.Helper()
	s, err := app.New(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func prepare(t *testing.T, s *app.Service) *Demo {
	t.Helper()
	d, err := Prepare(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// organizations are the names of those in the database.
func organizations(t *testing.T, s *app.Service) []string {
	t.Helper()
	list, err := s.Admin.Organizations(t.Context(), by, admin.Page{})
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, o := range list.Items {
		names = append(names, o.Name)
	}
	return names
}

func TestFirstStartMakesTheDemo(t *testing.T) {
	c := settings(t)
	s := open(t, c)
	defer s.Close()
	d := prepare(t, s)
	if !d.First {
		t.Error("it is not the first start")
	}
	name := filepath.Join(c.Data, FileName)
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode = %v, but it holds keys", info.Mode())
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"api_url": s.LocalURL() + "/api/v1", "api_key": d.APIKey, "organization": d.Organization,
		"scim_url": s.LocalURL() + d.scimPath(), "scim_token": d.SCIMToken,
		"redis_addr": s.EmbeddedRedis(), "database_url": "sqlite:" + filepath.Join(c.Data, "rolesync.db"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", FileName, diff)
	}
	for key, prefix := range map[string]string{"api_key": "rs_admin_", "organization": "org_", "scim_token": "rs_scim_"} {
		if !strings.HasPrefix(got[key], prefix) {
			t.Errorf("%s = %q, want %s…", key, got[key], prefix)
		}
	}
	if _, err := s.Admin.Authenticate(t.Context(), d.APIKey, ""); err != nil {
		t.Errorf("the key does not open the API: %v", err)
	}
	entries, err := os.ReadDir(c.Data)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), FileName+".") {
			t.Errorf("%s was left behind", entry.Name())
		}
	}
}

func TestSecondStartFindsTheDemo(t *testing.T) {
	c := settings(t)
	s := open(t, c)
	first := prepare(t, s)
	s.Close()
	s = open(t, c)
	defer s.Close()
	second := prepare(t, s)
	if second.First || second.replaced {
		t.Error("the second start takes itself for the first")
	}
	want := first.Info
	want.APIURL, want.SCIMURL, want.RedisAddr = s.LocalURL()+"/api/v1", s.LocalURL()+first.scimPath(), s.EmbeddedRedis()
	if diff := cmp.Diff(want, second.Info); diff != "" {
		t.Errorf("what is new besides the addresses (-want +got):\n%s", diff)
	}
	if onDisk, err := Read(c.Data); err != nil || onDisk != second.Info {
		t.Errorf("%s holds %v, %v; the demo has %v", FileName, onDisk, err, second.Info)
	}
	if got := organizations(t, s); !slices.Equal(got, []string{"Acme Inc."}) {
		t.Errorf("organizations = %v", got)
	}
}

func TestDemoFileOfAnotherDatabase(t *testing.T) {
	c := settings(t)
	s := open(t, c)
	first := prepare(t, s)
	s.Close()
	c.Database.URL = config.NewSecret("sqlite:" + filepath.Join(t.TempDir(), "other.db"))
	s = open(t, c)
	defer s.Close()
	d := prepare(t, s)
	if !d.First || !d.replaced || d.Organization == first.Organization || d.APIKey == first.APIKey {
		t.Errorf("another database has the demo %+v, after %+v", d.Info, first.Info)
	}
	if d.DatabaseURL != c.Database.URL.Reveal() {
		t.Errorf("database_url = %s", d.DatabaseURL)
	}
	var out bytes.Buffer
	d.Print(&out)
	if want := FileName + " was about another database."; !strings.Contains(out.String(), want) {
		t.Errorf("it prints %s\nwithout %q", &out, want)
	}
}

func TestDamagedDemoFile(t *testing.T) {
	c := settings(t)
	s := open(t, c)
	defer s.Close()
	whole := prepare(t, s).Info
	without := func(empty func(*Info)) string {
		info := whole
		empty(&info)
		text, err := json.Marshal(info)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for _, test := range []struct{ name, text string }{
		{"empty", ""},
		{"cut short", `{"api_url":`},
		{"a list", `[]`},
		{"nothing in it", `{}`},
		{"no key", without(func(i *Info) { i.APIKey = "" })},
		{"no organization", without(func(i *Info) { i.Organization = "" })},
		{"no token", without(func(i *Info) { i.SCIMToken = "" })},
		{"no connection", without(func(i *Info) { i.SCIMURL = "http://127.0.0.1:8080/scim/v2/" })},
	} {
		t.Run(test.name, func(t *testing.T) {
			name := filepath.Join(c.Data, FileName)
			if err := os.WriteFile(name, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Prepare(t.Context(), s)
			if err == nil || !strings.HasPrefix(err.Error(), name+" is not as the demo wrote it: ") {
				t.Errorf("Prepare = %v, want an error that begins with the name of the file", err)
			}
			if err != nil && (strings.Contains(err.Error(), whole.APIKey) || strings.Contains(err.Error(), whole.SCIMToken)) {
				t.Errorf("the error shows a secret: %v", err)
			}
			if kept, err := os.ReadFile(name); err != nil || string(kept) != test.text {
				t.Errorf("the file was changed to %q, %v", kept, err)
			}
		})
	}
	if got := organizations(t, s); len(got) != 1 {
		t.Errorf("organizations = %v, want no new one", got)
	}
}

// ROLESYNC_DATABASE_URL may lead to a database that is in use.
func TestDemoChangedRolesThatWereThere(t *testing.T) {
	s := open(t, settings(t))
	defer s.Close()
	theirs := mapping.Role{Key: "admin", Name: "Our own", Rank: 91, Permissions: []mapping.Permission{"everything:do"}}
	if _, err := s.Admin.PutRole(t.Context(), by, theirs); err != nil {
		t.Fatal(err)
	}
	prepare(t, s)
	held, err := s.Admin.Roles(t.Context(), by)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, role := range held {
		keys = append(keys, string(role.Key))
		if role.Key == "admin" && !cmp.Equal(role, theirs) {
			t.Errorf("the role admin is now %+v", role)
		}
	}
	if want := []string{"owner", "admin", "developer", "billing", "support", "member"}; !slices.Equal(keys, want) {
		t.Errorf("roles = %v, want %v", keys, want)
	}
}

func TestFailedDemoLeftAKeyBehind(t *testing.T) {
	c := settings(t)
	s := open(t, c)
	defer s.Close()
	if _, err := s.Admin.PutRole(t.Context(), by, mapping.Role{Key: "auditor", Name: "Auditor", Rank: 50}); err != nil {
		t.Fatal(err)
	}
	_, err := Prepare(t.Context(), s)
	if want := `make the demo organization: rank 50 belongs to role "auditor"; ranks are unique`; err == nil || err.Error() != want {
		t.Errorf("Prepare = %v, want %s", err, want)
	}
	if keys, err := s.Admin.AdminKeys(t.Context(), by); err != nil || len(keys) != 0 {
		t.Errorf("admin keys = %v, %v, want none that nobody knows", keys, err)
	}
	if _, err := Read(c.Data); !os.IsNotExist(err) {
		t.Errorf("Read = %v, want no file", err)
	}
}

// The public URL may lead through a proxy that does not run yet.
func TestPlay(t *testing.T) {
	c := settings(t)
	c.PublicURL = "https://roles.example.com"
	s := open(t, c)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	d := prepare(t, s)
	go func() { done <- s.Run(ctx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	if d.SCIMURL != "https://roles.example.com"+d.scimPath() {
		t.Errorf("scim_url = %s", d.SCIMURL)
	}
	var out bytes.Buffer
	if err := d.Play(t.Context(), &out); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	if !strings.Contains(out.String(), "lena.fischer@example.com              admin                     version 2\n") {
		t.Errorf("it does not print how lena.fischer becomes admin:\n%s", &out)
	}
	scope := store.Scope{Organization: directory.OrganizationID(d.Organization), Connection: directory.ConnectionID(path.Base(d.SCIMURL))}
	users, err := s.Store.Users(t.Context(), store.Query{Scope: scope, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	var subjects []string
	for _, u := range users.Items {
		subjects = append(subjects, string(u.ID))
	}
	found, err := claims.NewReader(s.Redis, claims.Keys{}).Assignments(t.Context(), d.Organization, subjects)
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, a := range found {
		count[fmt.Sprintf("%s %v", a.Role, a.Active)]++
	}
	want := map[string]int{"admin true": 2, "developer true": 8, "billing true": 2, "support true": 3, "member true": 4, " false": 1}
	if diff := cmp.Diff(want, count); diff != "" {
		t.Errorf("roles in Redis, of %d users (-want +got):\n%s", len(found), diff)
	}
	if strings.Contains(out.String(), d.SCIMToken) || strings.Contains(out.String(), d.APIKey) {
		t.Errorf("it prints a secret:\n%s", &out)
	}
}

func TestEveryRuleGivesARoleOfTheDemo(t *testing.T) {
	held := map[mapping.RoleKey]bool{}
	for _, role := range roles {
		held[role.Key] = true
	}
	for _, rule := range rules.Rules {
		for _, key := range rule.Grant.Roles {
			if !held[key] {
				t.Errorf("rule %s grants %s, which is none of %v", rule.ID, key, slices.Sorted(maps.Keys(held)))
			}
		}
	}
	if _, err := mapping.Compile(mapping.Catalog{Roles: roles}, rules); err != nil {
		t.Error(err)
	}
}
