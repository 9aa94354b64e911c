package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/rolesync/rolesync/internal/admin"
	"github.com/rolesync/rolesync/internal/app"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	rolesync "github.com/rolesync/rolesync/sync"
)

type migrateCommand struct{}

func (migrateCommand) Run(ctx context.Context, p *program, line *commandLine) error {
	c, log, err := p.configuration(line)
	if err != nil {
		return err
	}
	s, err := app.OpenStore(ctx, c, log)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }() // what was migrated is committed
	if err := s.Migrate(ctx); err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.stdout, "the schema is up to date")
	return err
}

type adminKeyCommand struct {
	Name    string         `arg:"" help:"Who or what will use it, for the audit."`
	Expires *time.Duration `placeholder:"DURATION" help:"End it after this time, such as 720h; never if not given."`
}

func (cmd adminKeyCommand) Run(ctx context.Context, p *program, line *commandLine) error {
	now, expires := directory.Now(), time.Time{}
	if cmd.Expires != nil {
		// Zero must not come to mean never.
		if *cmd.Expires <= 0 {
			return exitError{exitUsage, fmt.Errorf("--expires: %s is not more than 0s", *cmd.Expires)}
		}
		expires = now.Add(*cmd.Expires)
	}
	c, log, err := p.configuration(line)
	if err != nil {
		return err
	}
	s, err := app.OpenStore(ctx, c, log)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }() // the key is committed
	if err := s.Migrate(ctx); err != nil {
		return err
	}
	keys := &admin.Service{Store: s, Now: func() time.Time { return now }}
	by := admin.Actor{Name: "rolesync admin-key", Request: directory.NewRequestID()}
	_, key, err := keys.CreateAdminKey(ctx, by, cmd.Name, expires)
	if fault.Is(err, fault.Invalid) {
		return exitError{exitUsage, err}
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.stdout, key)
	return err
}

type verifyCommand struct {
	Repair bool          `help:"Mend what differs, then verify again."`
	Settle time.Duration `default:"5s" help:"How long a difference may take to heal by itself: a running service is always some milliseconds from equal."`
	JSON   bool          `help:"Print the result as JSON."`
}

func (cmd verifyCommand) Help() string {
	return "It exits with 0 when nothing differs, with 3 when something does, and with 1 when it could not find out."
}

// verified is the result as JSON.
type verified struct {
	rolesync.Verification
	RedisVerified bool                  `json:"redis_verified"`
	Repaired      []rolesync.Difference `json:"repaired,omitempty"` // what was found before the repair
}

func (cmd verifyCommand) Run(ctx context.Context, p *program, line *commandLine) error {
	c, log, err := p.configuration(line)
	if err != nil {
		return err
	}
	if path, ok := strings.CutPrefix(app.DatabaseURL(c), "sqlite:"); ok {
		// Opening it would make an empty one, in which nothing can differ.
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("there is no database to verify: %w", err)
		}
	}
	s, err := app.OpenStore(ctx, c, log)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }() // nothing is left to write
	// A look must not change the schema under a running service.
	if current, err := s.Migrated(ctx); err != nil {
		return err
	} else if !current {
		return errors.New("the schema of the database is older than this program: run rolesync migrate first")
	}
	client, err := app.DialRedis(c)
	if err != nil {
		return err
	}
	verifier := &rolesync.Verifier{Store: s, Settle: cmd.Settle}
	writer := rolesync.NewWriter(s, client, c.Redis.Prefix, log)
	if client != nil {
		defer func() { _ = client.Close() }() // nothing is left to write
		verifier.Writer = writer
	}
	result := verified{RedisVerified: client != nil}
	if result.Verification, err = verifier.Verify(ctx); err != nil {
		return err
	}
	if cmd.Repair && len(result.Differences) > 0 {
		if !cmd.JSON {
			result.print(p)
		}
		engine := rolesync.New(rolesync.Options{Store: s, Writer: writer, Log: log})
		if err := verifier.Repair(ctx, engine, result.Verification); err != nil {
			return fmt.Errorf("repair: %w", err)
		}
		result.Repaired = result.Differences
		if result.Verification, err = verifier.Verify(ctx); err != nil {
			return err
		}
		if !cmd.JSON {
			_, _ = fmt.Fprintln(p.stdout, "\nAfter the repair:") // as below
		}
	}
	if cmd.JSON {
		encoder := json.NewEncoder(p.stdout)
		encoder.SetIndent("", "  ")
		_ = encoder.Encode(result) // the exit code says it, too
	} else {
		result.print(p)
	}
	if len(result.Differences) > 0 {
		return exitError{code: exitDifferences}
	}
	return nil
}

func (v verified) print(p *program) {
	for _, difference := range v.Differences {
		_, _ = fmt.Fprintln(p.stdout, difference) // the exit code says it, too
	}
	found := "no differences"
	switch {
	case v.Cut:
		found = fmt.Sprintf("more than %d differences", len(v.Differences))
	case len(v.Differences) > 0:
		found = count(len(v.Differences), "difference", "differences")
	}
	where := ", " + count(v.Entries, "entry", "entries") + " in Redis"
	if !v.RedisVerified {
		where = ""
	}
	_, _ = fmt.Fprintf(p.stdout, "%s, %s%s: %s\n",
		count(v.Organizations, "organization", "organizations"), count(v.Users, "user", "users"), where, found)
	if !v.RedisVerified {
		_, _ = fmt.Fprintln(p.stdout, "Only SQL was verified: the embedded Redis is gone while no service runs on this data folder.")
	}
}
