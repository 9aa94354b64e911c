package demo

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolesync/rolesync/config"
	"github.com/rolesync/rolesync/internal/app"
)

// demoOf is a demo that was made by a service with the settings.
func demoOf(c config.Config) *Demo {
	return &Demo{
		Info: Info{
			APIURL: "http://127.0.0.1:8080/api/v1", APIKey: "rs_admin_K", Organization: "org_1",
			SCIMURL: "http://127.0.0.1:8080/scim/v2/conn_1", SCIMToken: "rs_scim_T", RedisAddr: "127.0.0.1:7000",
		},
		First: true, Program: "bin/rolesync", service: &app.Service{Config: c},
	}
}

func TestPrint(t *testing.T) {
	const head = `
rolesync demo

  Admin API    http://127.0.0.1:8080/api/v1
  Key          rs_admin_K
  SCIM         http://127.0.0.1:8080/scim/v2/conn_1
  Token        rs_scim_T
  Redis        127.0.0.1:7000
  For scripts  data/demo.json

  All assignments of the demo organization, as a token issuer reads them:

    redis-cli -h 127.0.0.1 -p 7000 HGETALL 'rolesync:{org_1}:assignments'

`
	for _, test := range []struct {
		name            string
		first, replaced bool
		more            string
	}{
		{"first start", true, false, ""},
		{"second start", false, false, "  The demo organization and its data are those of the last start.\n"},
		{"another database", true, true, "  data/demo.json was about another database. Here the demo organization is new.\n\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := demoOf(config.Default())
			d.First, d.replaced = test.first, test.replaced
			var out bytes.Buffer
			d.Print(&out)
			if diff := cmp.Diff(head+test.more, out.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestPrintNext(t *testing.T) {
	const curl = "    curl -H 'Authorization: Bearer rs_admin_K' http://127.0.0.1:8080/api/v1/organizations/org_1/users\n"
	t.Run("as make run starts it", func(t *testing.T) {
		want := `
  Next, in another terminal:

    bin/rolesync simulate entra   another provider's session, with a report per user
    bin/rolesync verify           proves that facts, rules, SQL and Redis agree
` + curl + `
  Ctrl-C stops; the data stays in ./data.

`
		var out bytes.Buffer
		demoOf(config.Default()).PrintNext(&out)
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("with settings that the other terminal needs", func(t *testing.T) {
		c := config.Default()
		c.Database.URL = config.NewSecret("postgres://u:hunter2@db/x")
		d := demoOf(c)
		d.Program, d.Settings = "rolesync --config my.yaml", []string{"ROLESYNC_DATA", "ROLESYNC_DATABASE_URL"}
		want := `
  Next, in another terminal with the same ROLESYNC_DATA, ROLESYNC_DATABASE_URL:

    rolesync --config my.yaml simulate entra   another provider's session, with a report per user
    rolesync --config my.yaml verify           proves that facts, rules, SQL and Redis agree
` + curl + `
  Ctrl-C stops; the data stays in the database.

`
		var out bytes.Buffer
		d.PrintNext(&out)
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestRedisCLI(t *testing.T) {
	url := func(u string) config.Redis { return config.Redis{URL: config.NewSecret(u)} }
	for _, test := range []struct {
		name  string
		redis config.Redis
		want  string // before HGETALL
	}{
		{"embedded", config.Redis{}, "redis-cli -h 127.0.0.1 -p 7000"},
		{"a URL", url("redis://127.0.0.1:7000"), "redis-cli -h 127.0.0.1 -p 7000"},
		{"a URL with a database", url("redis://127.0.0.1:7000/3"), "redis-cli -h 127.0.0.1 -p 7000 -n 3"},
		{"a URL with a password", url("redis://:hunter2@127.0.0.1:7000"), "REDISCLI_AUTH=… redis-cli -h 127.0.0.1 -p 7000"},
		{"a URL with a user, over TLS", url("rediss://anna:hunter2@127.0.0.1:7000"), "REDISCLI_AUTH=… redis-cli -h 127.0.0.1 -p 7000 --user anna --tls"},
		{"addresses with everything", config.Redis{Username: "anna", Password: config.NewSecret("hunter2"), DB: 2, TLS: true}, "REDISCLI_AUTH=… redis-cli -h 127.0.0.1 -p 7000 --user anna --tls -n 2"},
		{"a cluster", config.Redis{Cluster: true}, "redis-cli -h 127.0.0.1 -p 7000 -c"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := config.Default()
			prefix := c.Redis.Prefix
			c.Redis = test.redis
			c.Redis.Prefix = prefix
			got := demoOf(c).redisCLI()
			if want := test.want + " HGETALL 'rolesync:{org_1}:assignments'"; got != want {
				t.Errorf("redisCLI = %s\nwant %s", got, want)
			}
			if strings.Contains(got, "hunter2") {
				t.Error("it shows the password")
			}
		})
	}
}
