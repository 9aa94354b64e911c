package config

import (
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

// equal compares Secrets by what they hold; a difference still prints redacted.
var equal = cmp.Comparer(func(a, b Secret) bool { return a == b })

// write puts content into a file named rolesync.yaml and returns its path.
func write(tb testing.TB, content string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "rolesync.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// loaded is Default as Load completes it.
func loaded() Config {
	c := Default()
	c.PublicURL = "http://127.0.0.1:8080"
	return c
}

func TestLoadWithoutFileAndVariables(t *testing.T) {
	got, err := Load("", nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(loaded(), got, equal); diff != "" {
		t.Errorf("Load of nothing (-want +got):\n%s", diff)
	}
	if !got.Redis.Embedded() {
		t.Error("Redis is not embedded by default")
	}
}

func TestExampleIsTheDefaults(t *testing.T) {
	got, err := Load("rolesync.example.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(loaded(), got, equal); diff != "" {
		t.Errorf("rolesync.example.yaml is not the defaults (-want +got):\n%s", diff)
	}
}

func TestExampleNamesEverySetting(t *testing.T) {
	content, err := os.ReadFile("rolesync.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var document map[string]any
	if err := yaml.Unmarshal(content, &document); err != nil {
		t.Fatal(err)
	}
	for _, s := range newLoader().settings {
		var at any = document
		for key := range strings.SplitSeq(s.path, ".") {
			section, _ := at.(map[string]any)
			value, ok := section[key]
			if !ok {
				t.Errorf("rolesync.example.yaml does not name %s", s.path)
				break
			}
			at = value
		}
	}
}

func TestVariableIsThePathInCapitals(t *testing.T) {
	for _, s := range newLoader().settings {
		want := "ROLESYNC_" + strings.ToUpper(strings.ReplaceAll(s.path, ".", "_"))
		if s.variable != want {
			t.Errorf("the variable of %s is %s, want %s", s.path, s.variable, want)
		}
		if serviceVariable.MatchString(s.variable) || strings.HasSuffix(s.variable, "_PORT") {
			t.Errorf("%s looks like a variable that Kubernetes sets", s.variable)
		}
		if s.secret() != (s.kind == reflect.TypeOf(Secret{})) || strings.HasSuffix(s.variable, fromFile) {
			t.Errorf("%s cannot be told from the file of a secret", s.variable)
		}
	}
}

const full = `
listen: ":9000"
public_url: https://rolesync.example.com/sync/
data: /var/lib/rolesync
sealing_keys: "b:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=, a:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
database:
  url: postgres://app:hunter2@db/rolesync
  max_connections: 40
redis:
  addresses: [a.example.com:26379, "[::1]:26379"]
  username: app
  password: 0123
  master_name: main
  db: 3
  tls: true
  prefix: prod:rolesync
  timeout: 250ms
scim: {max_body: 2MiB, rate_limit: 5, rate_burst: 10}
log:
  level: debug
  format: json
`

func fullConfig() Config {
	return Config{
		Listen:      ":9000",
		PublicURL:   "https://rolesync.example.com/sync",
		Data:        "/var/lib/rolesync",
		SealingKeys: NewSecret("b:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=, a:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
		Database:    Database{URL: NewSecret("postgres://app:hunter2@db/rolesync"), MaxConnections: 40},
		Redis: Redis{
			Addresses: []string{"a.example.com:26379", "[::1]:26379"}, Username: "app", Password: NewSecret("0123"),
			MasterName: "main", DB: 3, TLS: true, Prefix: "prod:rolesync", Timeout: 250 * time.Millisecond,
		},
		SCIM: SCIM{MaxBody: 2 << 20, RateLimit: 5, RateBurst: 10},
		Log:  Log{Level: slog.LevelDebug, Format: JSON},
	}
}

func TestLoadFile(t *testing.T) {
	got, err := Load(write(t, full), nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fullConfig(), got, equal); diff != "" {
		t.Errorf("Load (-want +got):\n%s", diff)
	}
}

func TestLoadVariables(t *testing.T) {
	got, err := Load("", []string{
		"PATH=/bin", "ROLESYNC_LISTEN=:9000", "ROLESYNC_PUBLIC_URL=https://rolesync.example.com/sync/",
		"ROLESYNC_DATA=/var/lib/rolesync", "ROLESYNC_DATABASE_URL=postgres://app:hunter2@db/rolesync",
		"ROLESYNC_SEALING_KEYS=b:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=, a:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		"ROLESYNC_DATABASE_MAX_CONNECTIONS=40", "ROLESYNC_REDIS_ADDRESSES=a.example.com:26379, [::1]:26379",
		"ROLESYNC_REDIS_USERNAME=app", "ROLESYNC_REDIS_PASSWORD=0123", "ROLESYNC_REDIS_MASTER_NAME=main",
		"ROLESYNC_REDIS_DB=3", "ROLESYNC_REDIS_TLS=1", "ROLESYNC_REDIS_PREFIX=prod:rolesync",
		"ROLESYNC_REDIS_TIMEOUT=250ms", "ROLESYNC_REDIS_CLUSTER=false", "ROLESYNC_REDIS_URL=",
		"ROLESYNC_SCIM_MAX_BODY=2MiB", "ROLESYNC_SCIM_RATE_LIMIT=5", "ROLESYNC_SCIM_RATE_BURST=10", "ROLESYNC_LOG_LEVEL=debug", "ROLESYNC_LOG_FORMAT=json",
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fullConfig(), got, equal); diff != "" {
		t.Errorf("Load (-want +got):\n%s", diff)
	}
}

func TestEnvironmentWinsOverFile(t *testing.T) {
	got, err := Load(write(t, full), []string{
		"ROLESYNC_LISTEN=127.0.0.1:1", "ROLESYNC_DATA=", "ROLESYNC_REDIS_ADDRESSES=other:6379", "ROLESYNC_REDIS_TLS=false",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := fullConfig()
	want.Listen, want.Redis.Addresses, want.Redis.TLS = "127.0.0.1:1", []string{"other:6379"}, false
	if diff := cmp.Diff(want, got, equal); diff != "" {
		t.Errorf("Load (-want +got):\n%s", diff)
	}
}

func TestFileNamedByVariable(t *testing.T) {
	got, err := Load("", []string{"ROLESYNC_CONFIG=" + write(t, "data: /srv")})
	if err != nil || got.Data != "/srv" {
		t.Errorf("Load = %q, %v, want the data folder of the named file", got.Data, err)
	}
	got, err = Load(write(t, "data: /given"), []string{"ROLESYNC_CONFIG=/nowhere"})
	if err != nil || got.Data != "/given" {
		t.Errorf("Load = %q, %v, want the data folder of the given file", got.Data, err)
	}
}

func TestVariablesOfOthersAreLeftAlone(t *testing.T) {
	_, err := Load("", []string{
		"ROLESYNC_TEST_ALL=1", "ROLESYNC_TEST_SEED=7", "ROLESYNCER=x", "rolesync_listen=x", "=C:=C:\\",
		// What Kubernetes sets for the services rolesync and rolesync-redis.
		"ROLESYNC_SERVICE_HOST=10.0.0.1", "ROLESYNC_SERVICE_PORT=80", "ROLESYNC_SERVICE_PORT_HTTP=80",
		"ROLESYNC_PORT=tcp://10.0.0.1:80", "ROLESYNC_PORT_80_TCP=tcp://10.0.0.1:80", "ROLESYNC_PORT_80_TCP_PROTO=tcp",
		"ROLESYNC_REDIS_SERVICE_HOST=10.0.0.2", "ROLESYNC_REDIS_PORT=tcp://10.0.0.2:6379", "ROLESYNC_REDIS_PORT_6379_TCP_ADDR=10.0.0.2",
	})
	if err != nil {
		t.Error(err)
	}
}

func TestSecretFromFile(t *testing.T) {
	file := write(t, "postgres://app:hunter2@db/rolesync\r\n")
	got, err := Load(write(t, "database: {url: sqlite:other.db}"), []string{"ROLESYNC_DATABASE_URL_FILE=" + file, "ROLESYNC_REDIS_PASSWORD_FILE="})
	if err != nil {
		t.Fatal(err)
	}
	if url := got.Database.URL.Reveal(); url != "postgres://app:hunter2@db/rolesync" {
		t.Errorf("database.url = %q, want the content of the file", url)
	}
}

func TestPublicURL(t *testing.T) {
	for _, test := range []struct{ name, listen, want string }{
		{"a host", "rolesync.internal:80", "http://rolesync.internal:80"},
		{"all addresses", ":8080", "http://127.0.0.1:8080"},
		{"all IPv4 addresses", "0.0.0.0:8080", "http://127.0.0.1:8080"},
		{"all IPv6 addresses", "[::]:8080", "http://[::1]:8080"},
		{"a free port", "127.0.0.1:0", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Load("", []string{"ROLESYNC_LISTEN=" + test.listen})
			if err != nil || got.PublicURL != test.want {
				t.Errorf("the public URL of %s is %q, %v, want %q", test.listen, got.PublicURL, err, test.want)
			}
		})
	}
}

func TestSizeText(t *testing.T) {
	for text, want := range map[string]Size{"1B": 1, "512KiB": 512 << 10, "10MiB": 10 << 20, "1GB": 1e9, "0B": 0, "7 MB": 7e6, "3kB": 3e3} {
		var got Size
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("UnmarshalText(%q) = %d, %v, want %d", text, got, err, want)
		}
		var again Size
		if err := again.UnmarshalText([]byte(got.String())); err != nil || again != got {
			t.Errorf("UnmarshalText(%q) = %d, %v, want %d", got, again, err, got)
		}
	}
	for _, text := range []string{"", "10", "MiB", "-1B", "1.5MiB", "1 TiB", "9223372036854775807KiB", "1B "} {
		if err := new(Size).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("UnmarshalText(%q) is accepted", text)
		}
	}
}

// FuzzLoad looks for a file that panics, and for one that loads and then cannot be
// written and loaded again.
func FuzzLoad(f *testing.F) {
	example, err := os.ReadFile("rolesync.example.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{string(example), full, "", "- a", "a: &a [*a]", "redis: &r {cluster: *r}", "redis: *x", "? [a]\n: b", "--- {}\n--- {}", "<<: {data: x}", "data: !!binary aGk="} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		first := newLoader()
		first.readContent("fuzz.yaml", content)
		first.check()
		if err := first.err(); err != nil {
			if strings.Contains(err.Error(), "anchor '") {
				t.Errorf("the message shows the name of an anchor: %v", err)
			}
			return
		}
		if c := first.config; !c.Database.URL.IsZero() || !c.Redis.URL.IsZero() || !c.Redis.Password.IsZero() {
			return // does not survive being written
		}
		text, err := yaml.Marshal(first.config)
		if err != nil {
			t.Fatal(err)
		}
		second := newLoader()
		second.readContent("again.yaml", text)
		second.check()
		if err := second.err(); err != nil {
			t.Fatalf("what was loaded is refused when it is written: %v\n%s", err, text)
		}
		if diff := cmp.Diff(first.config, second.config, equal); diff != "" {
			t.Errorf("written and loaded again (-first +second):\n%s", diff)
		}
	})
}
