package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/rolesync/rolesync/claims"
	"github.com/rolesync/rolesync/internal/demo"
	"github.com/rolesync/rolesync/internal/simulate"
	rolesync "github.com/rolesync/rolesync/sync"
)

type simulateCommand struct {
	Provider     string `arg:"" enum:"okta,entra" help:"okta or entra."`
	URL          string `help:"SCIM base URL; that of the demo if not given."`
	Token        string `help:"Bearer token; that of the demo if not given."`
	Users        int    `default:"20" help:"How many users."`
	Groups       int    `default:"5" help:"How many groups."`
	Seed         uint64 `default:"1" help:"Chooses the people; the same ones with the same number."`
	Compliant    bool   `help:"Entra with its flag aadOptscim062020."`
	Redis        string `help:"host:port or redis:// URL, to report what arrives there; that of the demo if not given."`
	Organization string `help:"Its id, to find its keys in Redis; that of the demo if not given."`
	JSON         bool   `help:"Print the report as JSON."`
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
	if cmd.JSON {
		options.Out, options.Progress = io.Discard, simulate.Silent
	}
	if cmd.Redis != "" && cmd.Organization != "" {
		redis := rolesync.RedisOptions{Addresses: []string{cmd.Redis}, Timeout: 5 * time.Second}
		if strings.Contains(cmd.Redis, "://") {
			redis = rolesync.RedisOptions{URL: cmd.Redis, Timeout: 5 * time.Second}
		}
		client, err := rolesync.Dial(redis)
		if err != nil {
			return exitError{exitUsage, err}
		}
		defer func() { _ = client.Close() }() // it only reads
		options.Reader, options.Organization = claims.NewReader(client, claims.Keys{Prefix: c.Redis.Prefix}), cmd.Organization
	}
	report, err := simulate.Run(ctx, options)
	if cmd.JSON {
		encoder := json.NewEncoder(p.stdout)
		encoder.SetIndent("", "  ")
		_ = encoder.Encode(report) // standard output is gone, or it is not
	}
	return err
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
	if cmd.URL != info.SCIMURL {
		return nil // another connection's: the rest is not for it
	}
	if cmd.Token == "" {
		cmd.Token = info.SCIMToken
	}
	if cmd.Redis == "" {
		cmd.Redis = info.RedisAddr
	}
	if cmd.Organization == "" {
		cmd.Organization = info.Organization
	}
	return nil
}
