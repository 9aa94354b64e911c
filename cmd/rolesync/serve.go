package main

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
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
	p.tuneMemory()
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

// tuneMemory trades memory that a small service has to spare for processor time: with
// a live heap of a few MiB the collector would run twenty times a second under load.
// The limit makes it eager again before memory grows. GOGC and GOMEMLIMIT, as Go
// documents them, win.
func (p *program) tuneMemory() {
	for _, variable := range p.environ {
		if strings.HasPrefix(variable, "GOGC=") || strings.HasPrefix(variable, "GOMEMLIMIT=") {
			return
		}
	}
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(80 << 20)
}
