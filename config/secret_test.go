package config

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

const hidden = "hunter2"

// secretive is a Config with hidden in each of its secrets.
func secretive() Config {
	c := Default()
	c.Database.URL = NewSecret("postgres://app:" + hidden + "@db/rolesync")
	c.Redis.URL = NewSecret("redis://:" + hidden + "@redis:6379")
	c.Redis.Password = NewSecret(hidden)
	return c
}

func TestSecretsNeverPrint(t *testing.T) {
	c := secretive()
	prints := make(map[string]string)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%08.3f", "%t", "%c", "%U"} {
		prints["Config as "+verb] = fmt.Sprintf(verb, c)
		prints["pointer as "+verb] = fmt.Sprintf(verb, &c)
		prints["Secret as "+verb] = fmt.Sprintf(verb, c.Redis.Password)
		prints["slice as "+verb] = fmt.Sprintf(verb, []Secret{c.Redis.Password})
		prints["map as "+verb] = fmt.Sprintf(verb, map[string]any{"a": c.Redis.Password})
	}
	prints["String"] = c.Redis.Password.String()
	prints["GoString"] = c.Redis.Password.GoString()
	prints["error"] = fmt.Errorf("open %v", c.Database.URL).Error()
	for name, marshal := range map[string]func(any) ([]byte, error){"json": json.Marshal, "yaml": yaml.Marshal} {
		text, err := marshal(c)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		prints[name] = string(text)
	}
	text, err := xml.Marshal(c.Redis)
	if err != nil {
		t.Fatal(err)
	}
	prints["xml"] = string(text)
	for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"slog text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		"slog json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		var b bytes.Buffer
		slog.New(handler(&b)).Info("start", "config", c, "pointer", &c, "secret", c.Redis.Password)
		prints[name] = b.String()
	}
	for name, text := range prints {
		if strings.Contains(text, hidden) || strings.Contains(strings.ToLower(text), fmt.Sprintf("%x", hidden)) {
			t.Errorf("%s shows the secret: %s", name, text)
		}
		if !strings.Contains(text, redacted) && !strings.HasPrefix(name, "pointer as") {
			t.Errorf("%s = %s, want %s in it", name, text, redacted)
		}
	}
}

func TestSecretReveals(t *testing.T) {
	if got := NewSecret(hidden).Reveal(); got != hidden {
		t.Errorf("Reveal = %q, want %q", got, hidden)
	}
	var s Secret
	if got := fmt.Sprintf("%v %q %#v", s, s, s); got != ` "" config.Secret("")` || !s.IsZero() {
		t.Errorf("an empty secret prints as %s", got)
	}
}

// TestProblemsHideSecrets puts a secret wherever one could be put by mistake.
func TestProblemsHideSecrets(t *testing.T) {
	address := "redis://:" + hidden + "@h:1"
	for _, content := range []string{
		"database: " + address, "database: {url: [" + hidden + "]}", "database: {url: {" + hidden + ": a}}",
		"database: {url: '" + address + "'}", "database: {url: 'postgres://a:" + hidden + "%@h'}",
		"redis: {url: " + hidden + "}", "redis: {addresses: ['" + address + "']}", "redis: {password: *" + hidden + "}",
		"redis: {password: !" + hidden + " a}", "redis: {password: \"" + hidden + "}", "redis: {password: " + hidden + ", password: " + hidden + "2}",
		"redis: {url: redis://h, password: " + hidden + "}", "public_url: http://a:" + hidden + "@h", "listen: " + address,
		"redis: {url, " + address + "}", "redis: {prefix: '" + address + "'}", "redis: {password: " + hidden + "}\n bad",
	} {
		_, err := Load(write(t, content), nil)
		if err == nil {
			t.Errorf("Load(%q) is accepted", content)
		} else if strings.Contains(err.Error(), hidden) {
			t.Errorf("Load(%q) shows the secret: %v", content, err)
		}
	}
}
