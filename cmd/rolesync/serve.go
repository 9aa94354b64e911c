package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/rolesync/rolesync/internal/app"
	"github.com/rolesync/rolesync/internal/demo"
)

type serveCommand struct {
	Demo bool `help:"Make a demo organization, and on the first start play a short Okta session."`
}

func (cmd serveCommand) Run(ctx context.Context, p *program, line *commandLine) error {
	c, log, err := p.configuration(line)
	if err != nil {
		return err
	}
	service, err := app.New(ctx, c, log)
	if err != nil {
		return err
	}
	if !cmd.Demo {
		return service.Run(ctx)
	}
	show, err := demo.Prepare(ctx, service)
	if err != nil {
		service.Close()
		return err
	}
	show.Print(p.stdout)

	// The session needs the service running; it must not outlive it.
	playCtx, stopPlay := context.WithCancel(ctx)
	var playing sync.WaitGroup
	playing.Go(func() {
		if show.First {
			if err := show.Play(playCtx, p.stdout); err != nil && !errors.Is(err, context.Canceled) {
				fmt.Fprintf(p.stderr, "rolesync: the demo session: %v\n", err)
			}
		}
		if playCtx.Err() == nil {
			show.PrintNext(p.stdout)
		}
	})
	defer playing.Wait()
	defer stopPlay()
	return service.Run(ctx)
}
