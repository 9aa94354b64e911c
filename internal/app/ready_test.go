package app

import (
	"strings"
	"testing"

	"github.com/rolesync/rolesync/config"
	"github.com/rolesync/rolesync/internal/testserver"
)

func TestReadinessFollowsTheServers(t *testing.T) {
	database, redis := testserver.Postgres(t), testserver.Redis(t, testserver.Password("hunter2"))
	c := settings(t)
	c.Database.URL, c.Redis.URL = config.NewSecret(database.URL()), config.NewSecret(redis.URL())
	r := start(t, c)
	r.becomes(t, "200 ok: database ok, redis ok")
	_, path, token := r.connection(t, "Globex")

	if err := redis.Stop(); err != nil {
		t.Fatal(err)
	}
	if status, body := r.ask(t, "POST", path+"/Users", token, user("anna@globex.example")); status != 201 {
		t.Errorf("without Redis, create user: %d %s", status, body)
	}
	body := r.becomes(t, "200 degraded: database ok, redis degraded")
	if !strings.Contains(body, `"reason": "`) || !strings.Contains(body, `"since": "`) {
		t.Errorf("it does not say why and since when: %s", body)
	}
	if err := redis.Start(); err != nil {
		t.Fatal(err)
	}
	r.becomes(t, "200 ok: database ok, redis ok")

	if err := database.Stop(); err != nil {
		t.Fatal(err)
	}
	body = r.becomes(t, "503 unavailable: database unavailable, ") // Redis cannot follow, either
	if !strings.Contains(body, "the database does not answer") {
		t.Errorf("it does not say why: %s", body)
	}
	if status, _ := r.ask(t, "GET", "/healthz", "", ""); status != 200 {
		t.Errorf("/healthz = %d while the database is away, but the process lives", status)
	}
	if err := database.Start(); err != nil {
		t.Fatal(err)
	}
	r.becomes(t, "200 ok: database ok, redis ok")

	if strings.Contains(r.log.String(), "hunter2") || strings.Contains(r.log.String(), token) {
		t.Errorf("the log holds a secret:\n%s", r.log)
	}
}

// With nothing to write, nobody would have noticed until the first change.
func TestReadyzSaidOKWhileRedisWasNeverThere(t *testing.T) {
	c := settings(t)
	c.Redis.Addresses = []string{"127.0.0.1:1"}
	r := start(t, c)
	r.becomes(t, "200 degraded: database ok, redis degraded")
}
