package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// problems loads and returns the lines of the error, with "FILE" for the file's path.
func problems(tb testing.TB, content string, environ ...string) []string {
	tb.Helper()
	path := write(tb, content)
	_, err := Load(path, environ)
	if err == nil {
		return nil
	}
	return strings.Split(strings.ReplaceAll(err.Error(), path, "FILE"), "\n")
}

func TestFileProblems(t *testing.T) {
	for _, test := range []struct{ name, content, want string }{
		{"unknown key", "\nlisten: :80\nlisen: :80", `FILE:3: lisen: unknown key; there are listen, public_url, data, sealing_keys, database, redis, scim, log`},
		{"unknown key in a section", "log:\n  colour: yes", `FILE:2: log.colour: unknown key; there are level, format`},
		{"unknown key that is no word", "log:\n  redis://:p@h: yes", `FILE:2: log.the value (hidden: it may hold a password): unknown key; there are level, format`},
		{"key stated twice", "data: a\nlog: {}\ndata: b", `FILE:3: data: is stated twice, first in line 1`},
		{"section stated twice", "log: {}\nlog: {}", `FILE:2: log: is stated twice, first in line 1`},
		{"unknown key stated twice", "x: 1\nx: 1", "FILE:1: x: unknown key; there are listen, public_url, data, sealing_keys, database, redis, scim, log\nFILE:2: x: is stated twice, first in line 1"},
		{"key that is a list", "log:\n  ? [a]\n  : b", `FILE:2: log: has a key that is not a word`},
		{"section that is a value", "redis: redis://:hunter2@h:1", `FILE:1: redis: is not a section of the form "key: value"`},
		{"file that is a list", "- listen", `FILE:1: is not a section of the form "key: value"`},
		{"sealing key without an id", "sealing_keys: AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", `FILE:1: sealing_keys: number 1 is not id:key, with a key from: openssl rand -base64 32`},
		{"sealing key that is too short", "sealing_keys: a:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=, b:AAECAw==", `FILE:1: sealing_keys: number 2 is not id:key, with a key from: openssl rand -base64 32`},
		{"sealing key with a stray bit", "sealing_keys: a:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=", `FILE:1: sealing_keys: number 1 is not id:key, with a key from: openssl rand -base64 32`},
		{"sealing keys of one id", "sealing_keys: a:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=, a:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", `FILE:1: sealing_keys: number 2 has the same id as one before`},
		{"value that is a section", "data: {a: b}", `FILE:1: data: is not a single plain value`},
		{"value with a tag", "data: !env HOME", `FILE:1: data: is not a single plain value`},
		{"list that is a value", "redis:\n  addresses: h:1", `FILE:2: redis.addresses: is not a list, like [one, two]`},
		{"list with a list in it", "redis:\n  addresses: [[h:1]]", `FILE:2: redis.addresses: has an item that is not a single plain value`},
		{"list that does not end", "redis:\n  addresses: [h:1, ]\n  db: 1\nlog:\n  level: [", "FILE:5: did not find expected node content"},
		{"two documents", "data: a\n---\ndata: b", `FILE: holds more than one document`},
		{"not YAML", "data: a\n  b: c", `FILE:2: mapping values are not allowed in this context`},
		{"not YAML from the first sign", "\x00", `FILE: control characters are not allowed`},
		{"password that looks like an alias", "redis: {password: *hunter2}", `FILE: an alias without its anchor; put a value that begins with * or & in quotes`},

		{"boolean", "redis: {tls: maybe}", `FILE:1: redis.tls: "maybe" is not true or false`},
		{"number", "database: {max_connections: many}", `FILE:1: database.max_connections: "many" is not a whole number`},
		{"duration", "redis: {timeout: fast}", `FILE:1: redis.timeout: "fast" is not a duration, like 500ms or 3s`},
		{"duration without a unit", "redis: {timeout: 3}", `FILE:1: redis.timeout: "3" is not a duration, like 500ms or 3s`},
		{"size", "scim: {max_body: 10}", `FILE:1: scim.max_body: "10" is not a size, like 512KiB or 10MiB`},
		{"log level", "log: {level: loud}", `FILE:1: log.level: "loud" is not a log level: debug, info, warn or error`},
		{"log format", "log: {format: xml}", `FILE:1: log.format: "xml" is not a log format: text or json`},
		{"long value", "log: {format: " + strings.Repeat("x", 100) + "}", `FILE:1: log.format: "` + strings.Repeat("x", 64) + `"… is not a log format: text or json`},

		{"listen without a port", "listen: localhost", `FILE:1: listen: "localhost" is not host:port, like 127.0.0.1:8080`},
		{"listen with a named port", "listen: localhost:http", `FILE:1: listen: "localhost:http" is not host:port, like 127.0.0.1:8080`},
		{"port too high", "listen: localhost:65536", `FILE:1: listen: "localhost:65536" is not host:port, like 127.0.0.1:8080`},
		{"public URL without a scheme", "public_url: example.com", `FILE:1: public_url: "example.com" is not a URL of the form https://host/path`},
		{"public URL with a password", "public_url: https://a:hunter2@h", `FILE:1: public_url: the value (hidden: it may hold a password) is not a URL of the form https://host/path`},
		{"public URL with a query", "public_url: https://h/?a=b", `FILE:1: public_url: "https://h/?a=b" is not a URL of the form https://host/path`},
		{"body too small", "scim: {max_body: 1B}", `FILE:1: scim.max_body: 1B is not between 1KiB and 1GiB`},
		{"body too large", "scim: {max_body: 2GiB}", `FILE:1: scim.max_body: 2GiB is not between 1KiB and 1GiB`},

		{"rate below 0", "scim: {rate_limit: -1}", `FILE:1: scim.rate_limit: -1 is not between 0 and 10000`},
		{"rate too high", "scim: {rate_burst: 100001}", `FILE:1: scim.rate_burst: 100001 is not between 0 and 100000`},
		{"rate with a unit", "scim: {rate_limit: 50/s}", `FILE:1: scim.rate_limit: "50/s" is not a whole number`},

		{"database of another kind", "database: {url: mysql://a:hunter2@h/d}", `FILE:1: database.url: begins with neither sqlite: nor postgres://`},
		{"database without a path", "database: {url: 'sqlite:'}", `FILE:1: database.url: has no path behind sqlite:`},
		{"database URL that does not parse", "database: {url: 'postgres://a:hunter2%@h/d'}", `FILE:1: database.url: is not a valid URL; signs like @ / : % # in a password are written as %40 %2F %3A %25 %23`},
		{"no connections", "database: {max_connections: 0}", `FILE:1: database.max_connections: 0 is not between 1 and 1000`},

		{"redis URL of another kind", "redis: {url: http://a:hunter2@h}", `FILE:1: redis.url: is not a URL of the form redis://user:password@host:port/db, or rediss:// for TLS`},
		{"redis address without a host", "redis: {addresses: [':6379']}", `FILE:1: redis.addresses: ":6379" is not host:port, like redis.example.com:6379`},
		{"redis address that is a URL", "redis: {addresses: ['redis://:hunter2@h:6379']}", `FILE:1: redis.addresses: the value (hidden: it may hold a password) is not host:port, like redis.example.com:6379`},
		{"redis database below 0", "redis: {addresses: [h:1], db: -1}", `FILE:1: redis.db: -1 is below 0`},
		{"redis timeout of nothing", "redis: {timeout: 0s}", `FILE:1: redis.timeout: 0s is not more than 0s`},
		{"redis prefix with a brace", "redis: {prefix: 'a{b'}", `FILE:1: redis.prefix: "a{b" is not 1 to 64 of the signs A-Z a-z 0-9 . _ : -`},
		{"redis URL and addresses", "redis: {url: redis://h, addresses: [h:1]}", `FILE:1: redis.addresses: are stated beside redis.url; state only one of them`},
		{"embedded redis with a password", "redis: {password: hunter2}", `FILE:1: redis.password: needs redis.addresses; without them Redis is embedded`},
		{"redis URL and a user", "redis: {url: redis://h, username: a}", `FILE:1: redis.username: goes with redis.addresses, not with redis.url, which says it itself`},
		{"redis URL and TLS", "redis: {url: redis://h, tls: true}", `FILE:1: redis.tls: goes with redis.addresses, not with redis.url, which says it itself`},
		{"embedded redis cluster", "redis: {cluster: true}", `FILE:1: redis.cluster: needs redis.addresses or redis.url; without them Redis is embedded`},
		{"sentinels and a cluster", "redis: {addresses: [h:1], master_name: m, cluster: true}", `FILE:1: redis.cluster: is stated beside redis.master_name; Sentinels do not lead to a cluster`},
		{"cluster with databases", "redis: {addresses: [h:1], db: 1, cluster: true}", `FILE:1: redis.db: 1 does not exist: a cluster has database 0 only`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := problems(t, test.content)
			if diff := cmp.Diff(strings.Split(test.want, "\n"), got); diff != "" {
				t.Errorf("Load(%q) (-want +got):\n%s", test.content, diff)
			}
		})
	}
}

func TestEnvironmentProblems(t *testing.T) {
	folder := t.TempDir()
	empty := filepath.Join(folder, "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, variable, want string }{
		{"unknown variable", "ROLESYNC_LISEN=:80", `ROLESYNC_LISEN: unknown variable; config/rolesync.example.yaml names all there are`},
		{"a port that Kubernetes did not set", "ROLESYNC_PORT=8080", `ROLESYNC_PORT: unknown variable; config/rolesync.example.yaml names all there are`},
		{"file of something that is no secret", "ROLESYNC_LISTEN_FILE=/x", `ROLESYNC_LISTEN_FILE: unknown variable; config/rolesync.example.yaml names all there are`},
		{"bad value", "ROLESYNC_REDIS_TIMEOUT=fast", `ROLESYNC_REDIS_TIMEOUT: "fast" is not a duration, like 500ms or 3s`},
		{"value out of range", "ROLESYNC_DATABASE_MAX_CONNECTIONS=1001", `ROLESYNC_DATABASE_MAX_CONNECTIONS: 1001 is not between 1 and 1000`},
		{"number too large to count", "ROLESYNC_DATABASE_MAX_CONNECTIONS=99999999999", `ROLESYNC_DATABASE_MAX_CONNECTIONS: "99999999999" is not a whole number`},
		{"secret file that is not there", "ROLESYNC_DATABASE_URL_FILE=/nowhere/url", `ROLESYNC_DATABASE_URL_FILE: the file "/nowhere/url" cannot be read: no such file or directory`},
		{"secret file that is empty", "ROLESYNC_DATABASE_URL_FILE=" + empty, `ROLESYNC_DATABASE_URL_FILE: the file "` + empty + `" is empty`},
		{"configuration file that is not there", "ROLESYNC_CONFIG=/nowhere/rolesync.yaml", `/nowhere/rolesync.yaml: the file cannot be read: no such file or directory`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Load("", []string{test.variable})
			if err == nil || err.Error() != test.want {
				t.Errorf("Load(%s) = %v, want %s", test.variable, err, test.want)
			}
		})
	}
	_, err := Load("", []string{"ROLESYNC_REDIS_PASSWORD=a", "ROLESYNC_REDIS_PASSWORD_FILE=" + empty, "ROLESYNC_REDIS_ADDRESSES=h:1"})
	if want := "ROLESYNC_REDIS_PASSWORD_FILE: states the same as ROLESYNC_REDIS_PASSWORD; set only one of them"; err == nil || err.Error() != want {
		t.Errorf("Load = %v, want %s", err, want)
	}
}

func TestAllProblemsComeTogether(t *testing.T) {
	got := problems(t, `listen: nowhere
lisen: x
data: a
data: b
redis:
  timeout: fast
  timeuot: 1s
  url: mysql://a:hunter2@h
scim:
  max_body: 1B
log: loud
`, "ROLESYNC_WHAT=1", "ROLESYNC_DATABASE_MAX_CONNECTIONS=0", "ROLESYNC_LOG_LEVEL=loud", "ROLESYNC_DATABASE_URL_FILE=/nowhere")
	want := []string{
		`FILE:1: listen: "nowhere" is not host:port, like 127.0.0.1:8080`,
		`FILE:2: lisen: unknown key; there are listen, public_url, data, sealing_keys, database, redis, scim, log`,
		`FILE:4: data: is stated twice, first in line 3`,
		`FILE:6: redis.timeout: "fast" is not a duration, like 500ms or 3s`,
		`FILE:7: redis.timeuot: unknown key; there are url, addresses, username, password, master_name, db, cluster, tls, prefix, timeout`,
		`FILE:8: redis.url: is not a URL of the form redis://user:password@host:port/db, or rediss:// for TLS`,
		`FILE:10: scim.max_body: 1B is not between 1KiB and 1GiB`,
		`FILE:11: log: is not a section of the form "key: value"`,
		`ROLESYNC_DATABASE_MAX_CONNECTIONS: 0 is not between 1 and 1000`,
		`ROLESYNC_DATABASE_URL_FILE: the file "/nowhere" cannot be read: no such file or directory`,
		`ROLESYNC_LOG_LEVEL: "loud" is not a log level: debug, info, warn or error`,
		`ROLESYNC_WHAT: unknown variable; config/rolesync.example.yaml names all there are`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Load (-want +got):\n%s", diff)
	}
}
