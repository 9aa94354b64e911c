package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rolesync/rolesync/config"
)

func TestOpenSealer(t *testing.T) {
	const old, key = "old:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "new:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	local := config.Config{Data: t.TempDir()}
	made, err := OpenSealer(local)
	if err != nil || made.Ready() != nil {
		t.Fatalf("SQLite without a key: %v, %v", made, err)
	}
	sealed := made.Seal([]byte("secret"), "x")
	again, err := OpenSealer(local)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := again.Open(sealed, "x"); err != nil || string(plain) != "secret" {
		t.Errorf("after a restart: %q, %v", plain, err)
	}

	server := config.Config{Data: t.TempDir(), Database: config.Database{URL: config.NewSecret("postgres://h/d")}}
	if none, err := OpenSealer(server); err != nil || none.Ready() == nil {
		t.Errorf("PostgreSQL without a key: %v, %v, want none", none, err)
	}
	if _, err := os.Stat(filepath.Join(server.Data, "sealing.key")); err == nil {
		t.Error("a file was made that other processes do not have")
	}
	server.SealingKeys = config.NewSecret(old)
	before, err := OpenSealer(server)
	if err != nil {
		t.Fatal(err)
	}
	sealed = before.Seal([]byte("secret"), "x")
	server.SealingKeys = config.NewSecret(key + ", " + old)
	after, err := OpenSealer(server)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := after.Open(sealed, "x"); err != nil || string(plain) != "secret" {
		t.Errorf("with a new key in front: %q, %v", plain, err)
	}
	if newer := string(after.Seal(nil, "x")); !strings.HasPrefix(newer, "new:") {
		t.Errorf("sealed with %.4s, want the key in front", newer)
	}
}
