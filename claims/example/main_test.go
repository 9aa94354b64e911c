package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"github.com/rolesync/rolesync/claims"
)

func TestExample(t *testing.T) {
	server := miniredis.RunT(t)
	keys := claims.Keys{}
	server.HSet(keys.Assignments("org_1"),
		"usr_jane", `{"v":3,"epoch":1,"active":true,"role":"admin","roles":["admin"],"permissions":["users:edit"],"licenses":[],"entitlements":[],"updated_at":"2026-11-21T10:20:30Z","aliases":[]}`,
		"usr_john", `{"v":4,"epoch":2,"active":false,"role":"","roles":[],"permissions":[],"licenses":[],"entitlements":[],"updated_at":"2026-11-21T10:20:30Z","aliases":[]}`)
	server.HSet(keys.Aliases("org_1"), "user_name:jane@example.com", "usr_jane", "user_name:shared", "usr_jane usr_john")
	demo := filepath.Join(t.TempDir(), "demo.json")
	if err := os.WriteFile(demo, []byte(`{"redis_addr":"`+server.Addr()+`","organization":"org_1"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	const jane = `{
  "org_id": "org_1",
  "role": "admin",
  "roles": [
    "admin"
  ],
  "permissions": [
    "users:edit"
  ],
  "licenses": [],
  "entitlements": [],
  "epoch": 1,
  "rolesync_version": 3
}
`
	for _, test := range []struct {
		name      string
		args      []string
		want      string
		wantError string
	}{
		{"by userName", []string{"-demo", demo, "-user", "Jane@Example.com"}, jane, ""},
		{"by subject", []string{"-redis", server.Addr(), "-org", "org_1", "-user", "usr_jane"}, jane, ""},
		{"deactivated", []string{"-demo", demo, "-user", "usr_john"}, "", "no token: usr_john (usr_john) is not active"},
		{"unknown", []string{"-demo", demo, "-user", "nobody"}, "", `no token: nothing is stated about "nobody" in org_1`},
		{"shared", []string{"-demo", demo, "-user", "shared"}, "", `no token: "shared" names several users of org_1`},
		{"Redis is away", []string{"-redis", "127.0.0.1:1", "-org", "org_1", "-user", "x"}, "", "no token: look up user_name:x in org_1: "},
		{"no such file", []string{"-demo", demo + "x"}, "", "no such file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			err := run(t.Context(), test.args, &out)
			if (err == nil) != (test.wantError == "") || err != nil && !strings.Contains(err.Error(), test.wantError) {
				t.Errorf("error = %v, want %q", err, test.wantError)
			}
			if out.String() != test.want {
				t.Errorf("printed %s\nwant %s", out.String(), test.want)
			}
		})
	}
}
