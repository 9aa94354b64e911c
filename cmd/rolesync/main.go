// Rolesync receives users and groups from identity providers, turns groups into
// roles by each organization's rules, and writes the result to Redis.
//
// The program is a value: main only hands it the world, so a test can run the whole
// of it in its own process.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/rolesync/rolesync/config"
	rolesync "github.com/rolesync/rolesync/sync"
)

func main() {
	p := &program{name: os.Args[0], environ: os.Environ(), stdout: os.Stdout, stderr: os.Stderr}
	os.Exit(p.run(untilSignal(), os.Args[1:]))
}

// untilSignal returns a context that the first SIGINT or SIGTERM ends, for an orderly
// end. The second one ends the process at once: by then it is the system's again.
func untilSignal() context.Context {
	ctx, end := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() { // until the process ends
		<-signals
		signal.Stop(signals)
		end()
	}()
	return ctx
}

// The exit codes.
const (
	exitOK          = 0
	exitFailure     = 1 // it could not be done; standard error says why
	exitUsage       = 2 // the command line or the configuration is wrong
	exitDifferences = 3 // verify found differences
)

// program is the world as the commands see it.
type program struct {
	name           string // as it was called
	environ        []string
	stdout, stderr io.Writer
}

// commandLine is every command with its flags.
type commandLine struct {
	Config string `short:"c" type:"path" placeholder:"FILE" help:"Settings, as in config/rolesync.example.yaml. ROLESYNC_… variables win over it."`

	Serve    serveCommand    `cmd:"" default:"withargs" help:"Run the service."`
	Simulate simulateCommand `cmd:"" help:"Play an identity provider against a running service."`
	Verify   verifyCommand   `cmd:"" help:"Prove that assignments follow from facts and rules, and that Redis has them."`
	Migrate  migrateCommand  `cmd:"" help:"Bring the database schema up to date. The service does so by itself when it starts."`
	AdminKey adminKeyCommand `cmd:"" name:"admin-key" help:"Create a key of the admin API and print it, once."`
	Version  versionCommand  `cmd:"" help:"Print the version."`
}

// exitError ends the program with a code of its own, silently if err is nil.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.code)
	}
	return e.err.Error()
}

func (e exitError) Unwrap() error { return e.err }

// run parses the arguments, runs the command and returns the exit code.
func (p *program) run(ctx context.Context, args []string) int {
	var line commandLine
	ended := -1
	parser, err := kong.New(&line,
		kong.Name("rolesync"),
		kong.Description("Groups of identity providers in, roles for token issuers out."),
		kong.Vars{"providers": providers()},
		kong.Writers(p.stdout, p.stderr),
		kong.Exit(func(code int) { ended = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Bind(p, &line),
		kong.BindTo(ctx, (*context.Context)(nil)),
	)
	if err != nil {
		return p.fail(err)
	}
	parsed, err := parser.Parse(args)
	if ended >= 0 { // --help was asked for, and given
		return ended
	}
	if err != nil {
		return p.fail(exitError{exitUsage, err})
	}
	if err := parsed.Run(); err != nil {
		return p.fail(err)
	}
	return exitOK
}

func (p *program) fail(err error) int {
	code := exitFailure
	e, ok := errors.AsType[exitError](err)
	if ok {
		code = e.code
	}
	if !ok || e.err != nil {
		p.complain(err)
	}
	return code
}

// complain tells a person of an error. Further lines are parts of the first: problems
// of a list, causes of a failure.
func (p *program) complain(err error) {
	text := strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "\n  ")
	_, _ = fmt.Fprintf(p.stderr, "rolesync: %s\n", text) // nobody else is there to tell
}

// configuration loads the settings and makes the log that they ask for.
func (p *program) configuration(line *commandLine) (config.Config, *slog.Logger, error) {
	c, err := config.Load(line.Config, p.environ)
	if err != nil {
		return c, nil, exitError{exitUsage, fmt.Errorf("the settings are wrong:\n%w", err)}
	}
	options := &slog.HandlerOptions{Level: c.Log.Level}
	log := slog.New(slog.NewTextHandler(p.stderr, options))
	if c.Log.Format == config.JSON {
		log = slog.New(slog.NewJSONHandler(p.stderr, options))
	}
	rolesync.LogClient(log)
	return c, log, nil
}

// count says how many there are of something: "1 user", "2 entries".
func count(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

type versionCommand struct{}

func (versionCommand) Run(p *program) error {
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
	}
	_, err := fmt.Fprintln(p.stdout, "rolesync", version)
	return err
}
