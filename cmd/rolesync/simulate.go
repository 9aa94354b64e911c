package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/rolesync/rolesync/claims"
	"github.com/rolesync/rolesync/config"
	"github.com/rolesync/rolesync/internal/app"
	"github.com/rolesync/rolesync/internal/demo"
	"github.com/rolesync/rolesync/internal/simulate"
	rolesync "github.com/rolesync/rolesync/sync"
)

type simulateCommand struct {
	Provider     string `arg:"" enum:"${providers}" help:"One of ${providers}."`
	URL          string `placeholder:"URL" help:"SCIM base URL; that of the demo if not given."`
	Token        string `placeholder:"TOKEN" help:"Bearer token; that of the demo if not given."`
	Users        int    `default:"20" help:"How many users."`
	Groups       int    `default:"5" help:"How many groups."`
	Seed         uint64 `default:"1" help:"Chooses the people; the same ones with the same number."`
	Compliant    bool   `help:"Entra with its flag aadOptscim062020."`
	Redis        string `placeholder:"ADDRESS" help:"host:port or redis:// URL, to report what arrives there; that of the settings or of the demo if not given."`
	Organization string `placeholder:"ID" help:"Its id, to find its keys in Redis; that of the demo if not given."`
	JSON         bool   `help:"Print the report as JSON."`

	demoRedis string // the address in the demo's file, for a session with the demo
}

func (cmd simulateCommand) Run(ctx context.Context, p *program, line *commandLine) error {
	c, _, err := p.configuration(line)
	if err != nil {
		return err
	}
	if err := cmd.fromDemo(c.Data); err != nil {
		return exitError{exitUsage, err}
	}
	options := simulate.Options{
		Provider: simulate.Provider(cmd.Provider), URL: cmd.URL, Token: cmd.Token, Users: cmd.Users, Groups: cmd.Groups,
		Seed: cmd.Seed, Compliant: cmd.Compliant, Out: p.stdout,
	}
	if cmd.Users < 1 || cmd.Groups < 1 {
		return exitError{exitUsage, errors.New("--users and --groups must be at least 1")}
	}
	if err := options.Check(); err != nil {
		return exitError{exitUsage, err}
	}
	if cmd.JSON {
		options.Out, options.Progress = io.Discard, simulate.Silent
	}
	client, err := cmd.dialRedis(c)
	if err != nil {
		return exitError{exitUsage, err}
	}
	if client != nil {
		defer func() { _ = client.Close() }() // it only reads
		options.Reader, options.Organization = claims.NewReader(client, claims.Keys{Prefix: c.Redis.Prefix}), cmd.Organization
	}
	report, err := simulate.Run(ctx, options)
	if cmd.JSON {
		encoder := json.NewEncoder(p.stdout)
		encoder.SetIndent("", "  ")
		_ = encoder.Encode(report) // the exit code says whether it went well
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		err = fmt.Errorf("%w\nnothing listens there: does the service run?", err)
	}
	return err
}

// providers is the list of those that can be played, as kong reads it.
func providers() string {
	var list []string
	for _, p := range simulate.Providers() {
		list = append(list, string(p))
	}
	return strings.Join(list, ", ")
}

// dialRedis returns a client of the Redis to look into, nil when there is none to look
// into. The settings know more than the demo's file: a password, the way to the master.
func (cmd simulateCommand) dialRedis(c config.Config) (rolesync.Client, error) {
	options := rolesync.RedisOptions{Timeout: c.Redis.Timeout}
	switch {
	case cmd.Organization == "":
		return nil, nil
	case strings.Contains(cmd.Redis, "://"):
		options.URL = cmd.Redis
	case cmd.Redis != "":
		options.Addresses = []string{cmd.Redis}
	case !c.Redis.Embedded():
		options = app.RedisOptions(c)
	case cmd.demoRedis != "":
		options.Addresses = []string{cmd.demoRedis}
	default:
		return nil, nil
	}
	return rolesync.Dial(options)
}

// fromDemo takes what was not given from the demo's file, if the session is meant for
// the demo.
func (cmd *simulateCommand) fromDemo(data string) error {
	info, err := demo.Read(data)
	if errors.Is(err, os.ErrNotExist) {
		if cmd.URL == "" || cmd.Token == "" {
			return fmt.Errorf("give --url and --token, or start the demo first (make run): there is no %s in %s", demo.FileName, data)
		}
		return nil
	}
	if err != nil {
		return err
	}
	if cmd.URL == "" {
		cmd.URL = info.SCIMURL
	}
	if cmd.URL != info.SCIMURL { // another connection's: the rest is not for it
		if cmd.Token == "" {
			return errors.New("--token is missing: that of the demo is for another connection")
		}
		return nil
	}
	if cmd.Token == "" {
		cmd.Token = info.SCIMToken
	}
	cmd.demoRedis = info.RedisAddr
	if cmd.Organization == "" {
		cmd.Organization = info.Organization
	}
	return nil
}
