package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rolesync/rolesync/claims"
	"github.com/rolesync/rolesync/internal/simulate"
	"github.com/rolesync/rolesync/internal/testserver"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"rolesync": main})
}

// commands are those of the scripts, besides the ones that testscript has and rolesync
// itself, which runs as a process of its own.
var commands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"exits":   exits,
	"serve":   serve,
	"signal":  sendSignal,
	"await":   await,
	"ended":   ended,
	"hang":    hang,
	"demo":    readDemo,
	"api":     askAPI,
	"keys":    askKeys,
	"port":    takePort,
	"subject": subjectOf,
	"redis":   askRedis,
	"sql":     changeSQL,
	"roles":   printRoles,
	"session": playSession,
	"holds":   holds,
	"mode":    mode,
	"readme":  readme,
}

// params are those of all scripts: a free port, and no other setting.
func params(dir string, setup func(*testscript.Env) error) testscript.Params {
	repository, _ := filepath.Abs(filepath.Join("..", "..")) // readme fails without it
	return testscript.Params{
		Dir: dir, Cmds: commands, RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			env.Vars = append(env.Vars, "ROLESYNC_LISTEN=127.0.0.1:0", "repository="+repository,
				// The race detector would wait a second at the end of each process.
				"GORACE="+strings.TrimSpace(os.Getenv("GORACE")+" atexit_sleep_ms=0"))
			env.Values[processes] = map[string]*process{}
			if setup != nil {
				return setup(env)
			}
			return nil
		},
	}
}

func TestScripts(t *testing.T) { testscript.Run(t, params("testdata/script", nil)) }

func TestScriptsWithServers(t *testing.T) {
	database, cache := testserver.Database(t), testserver.Redis(t, testserver.Password("hunter2"))
	testscript.Run(t, params("testdata/servers", func(env *testscript.Env) error {
		env.Vars = append(env.Vars, "database_url="+database, "redis_url="+cache.URL(), "redis_addr="+cache.Addr(), "redis_password=hunter2")
		return nil
	}))
}

// exits CODE PROGRAM ARGS… runs a program that must end with exactly this exit code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		got = failed.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// demo FOLDER sets variables to what demo.json in the folder holds: $api_url and so on.
func readDemo(ts *testscript.TestScript, _ bool, args []string) {
	var info map[string]string
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(filepath.Join(args[0], "demo.json"))), &info))
	for name, value := range info {
		ts.Setenv(name, value)
	}
}

// ask makes a request of the admin API, prints the answer's body and returns the status.
func ask(ts *testscript.TestScript, method, url, key string) int {
	request, err := http.NewRequest(method, url, nil)
	ts.Check(err)
	request.Header.Set("Authorization", "Bearer "+key)
	answer, err := (&http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	ts.Check(err)
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	ts.Check(err)
	_, _ = fmt.Fprintf(ts.Stdout(), "%s\n", text)
	return answer.StatusCode
}

// api STATUS METHOD PATH asks the admin API of the demo.
func askAPI(ts *testscript.TestScript, _ bool, args []string) {
	if got := ask(ts, args[1], ts.Getenv("api_url")+args[2], ts.Getenv("api_key")); fmt.Sprint(got) != args[0] {
		ts.Fatalf("%s %s = %d, want %s", args[1], args[2], got, args[0])
	}
}

// keys FILE lists the admin keys of the service at $url, with the key in the file.
func askKeys(ts *testscript.TestScript, _ bool, args []string) {
	ask(ts, "GET", ts.Getenv("url")+"/api/v1/admin-keys", strings.TrimSpace(ts.ReadFile(args[0])))
}

// port NAME sets a variable to an address that is taken until the script ends.
func takePort(ts *testscript.TestScript, _ bool, args []string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { _ = listener.Close() })
	ts.Setenv(args[0], listener.Addr().String())
}

// subject USERNAME sets $subject to the subject of a user of the demo organization.
func subjectOf(ts *testscript.TestScript, _ bool, args []string) {
	subject, err := redisOf(ts).HGet(context.Background(), claims.Keys{}.Aliases(ts.Getenv("organization")), "user_name:"+args[0]).Result()
	ts.Check(err)
	ts.Setenv("subject", subject)
}

func redisOf(ts *testscript.TestScript) *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: ts.Getenv("redis_addr"), Password: ts.Getenv("redis_password")})
	ts.Defer(func() { _ = client.Close() })
	return client
}

// redis COMMAND… asks the Redis at $redis_addr.
func askRedis(ts *testscript.TestScript, _ bool, args []string) {
	var command []any
	for _, arg := range args {
		command = append(command, arg)
	}
	reply, err := redisOf(ts).Do(context.Background(), command...).Result()
	ts.Check(err)
	_, _ = fmt.Fprintln(ts.Stdout(), reply)
}

// roles FILE writes "userName role active" of everybody in the demo organization, as
// Redis has it.
func printRoles(ts *testscript.TestScript, _ bool, args []string) {
	client, organization := redisOf(ts), ts.Getenv("organization")
	keys := claims.Keys{}
	subjects, err := client.HKeys(context.Background(), keys.Assignments(organization)).Result()
	ts.Check(err)
	found, err := claims.NewReader(client, keys).Assignments(context.Background(), organization, subjects)
	ts.Check(err)
	var lines []string
	for _, a := range found {
		for _, alias := range a.Aliases {
			if userName, ok := strings.CutPrefix(alias, "user_name:"); ok {
				lines = append(lines, fmt.Sprintf("%s %s %v\n", userName, a.Role, a.Active))
			}
		}
	}
	slices.Sort(lines)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Join(lines, "")), 0o600))
}

// session PROVIDER FLAGS… plays a session with the demo, without a refused request or a
// late assignment, and then Redis must have the lines, as roles writes them, of the file
// that is called like the provider.
func playSession(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(ts.Exec("rolesync", append([]string{"simulate", "--json"}, args...)...))
	var report simulate.Report
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &report))
	if report.Total == 0 || len(report.Failures) > 0 || report.Changes == nil || len(report.Changes.Late) > 0 {
		ts.Fatalf("%s: %d requests, failures %v, changes %+v", args[0], report.Total, report.Failures, report.Changes)
	}
	const now = "roles-now.txt"
	printRoles(ts, false, []string{now})
	holds(ts, false, []string{now, args[0]})
}

// holds FILE LINES says that each line of the second file is in the first.
func holds(ts *testscript.TestScript, _ bool, args []string) {
	all := ts.ReadFile(args[0])
	for line := range strings.Lines(ts.ReadFile(args[1])) {
		if !strings.Contains(all, line) {
			ts.Fatalf("%s lacks %s", args[0], line)
		}
	}
}

// mode FILE PERMISSIONS checks the permissions of a file.
func mode(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[1] {
		ts.Fatalf("%s has mode %s, want %s", args[0], got, args[1])
	}
}

// readme TEXT FILE writes the shell commands of README.md that hold the text to a file.
func readme(ts *testscript.TestScript, _ bool, args []string) {
	text, err := os.ReadFile(filepath.Join(ts.Getenv("repository"), "README.md"))
	ts.Check(err)
	for _, block := range strings.Split(string(text), "```sh\n")[1:] {
		commands, _, _ := strings.Cut(block, "```")
		if strings.Contains(commands, args[0]) {
			commands = strings.ReplaceAll(commands, "bin/rolesync", "rolesync")
			ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(commands), 0o600))
			return
		}
	}
	ts.Fatalf("README.md has no commands with %s", args[0])
}
