package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/rolesync/rolesync/internal/app"
	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
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
	fmt.Fprintln(p.stdout, "the schema is up to date")
	return nil
}

type adminKeyCommand struct {
	Name    string        `arg:"" help:"Who or what will use it, for the audit."`
	Expires time.Duration `help:"End it after this time, such as 720h; never if not given."`
}

func (cmd adminKeyCommand) Run(ctx context.Context, p *program, line *commandLine) error {
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
	now, expires := directory.Now(), time.Time{}
	if cmd.Expires > 0 {
		expires = now.Add(cmd.Expires)
	}
	key, stored := credential.New(credential.AdminKey, now, expires)
	if err := s.CreateAdminKey(ctx, store.AdminKey{Stored: stored, Name: cmd.Name}); err != nil {
		return err
	}
	fmt.Fprintln(p.stdout, key)
	return nil
}

type verifyCommand struct {
	Repair bool          `help:"Mend what differs, then verify again."`
	Settle time.Duration `default:"5s" help:"How long a difference may take to heal by itself: a running service is always some milliseconds from equal."`
	JSON   bool          `help:"Print the result as JSON."`
}

func (cmd verifyCommand) Run(ctx context.Context, p *program, line *commandLine) error {
	c, log, err := p.configuration(line)
	if err != nil {
		return err
	}
	s, err := app.OpenStore(ctx, c, log)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }() // nothing is left to write
	if err := s.Migrate(ctx); err != nil {
		return err
	}
	client, err := app.DialRedis(c)
	if err != nil {
		return err
	}
	verifier := &rolesync.Verifier{Store: s, Settle: cmd.Settle}
	writer := rolesync.NewWriter(s, client, c.Redis.Prefix, log)
	if client == nil {
		fmt.Fprintln(p.stderr, "rolesync: no service with an embedded Redis is running here, so only SQL is verified")
	} else {
		defer func() { _ = client.Close() }() // nothing is left to write
		verifier.Writer = writer
	}
	found, err := verifier.Verify(ctx)
	if err != nil {
		return err
	}
	if cmd.Repair && len(found.Differences) > 0 {
		cmd.print(p, found)
		engine := rolesync.New(rolesync.Options{Store: s, Writer: writer, Log: log})
		if err := verifier.Repair(ctx, engine, found); err != nil {
			return fmt.Errorf("repair: %w", err)
		}
		if found, err = verifier.Verify(ctx); err != nil {
			return err
		}
	}
	cmd.print(p, found)
	if len(found.Differences) > 0 {
		return exitError{code: exitDifferences}
	}
	return nil
}

func (cmd verifyCommand) print(p *program, found rolesync.Verification) {
	if cmd.JSON {
		encoder := json.NewEncoder(p.stdout)
		encoder.SetIndent("", "  ")
		_ = encoder.Encode(found) // standard output is gone, or it is not
		return
	}
	for _, difference := range found.Differences {
		fmt.Fprintln(p.stdout, difference)
	}
	more := ""
	if found.Cut {
		more = " or more"
	}
	fmt.Fprintf(p.stdout, "%d organizations, %d users, %d entries in Redis: %d%s differences\n",
		found.Organizations, found.Users, found.Entries, len(found.Differences), more)
}
