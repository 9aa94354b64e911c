package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	defer spareMemory()()
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
	show.Program, show.Settings = p.again(line)
	show.Print(p.stdout)

	// The session needs the service running; it must not outlive it.
	playCtx, stopPlay := context.WithCancel(ctx)
	var playing sync.WaitGroup
	playing.Go(func() {
		if show.First {
			if err := show.Play(playCtx, p.stdout); err != nil && !errors.Is(err, context.Canceled) {
				p.complain(fmt.Errorf("the demo session: %w", err))
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

// again returns how to call the program once more with the same settings: its name and
// flags, and the variables that are to be set as they are now.
func (p *program) again(line *commandLine) (call string, variables []string) {
	call = p.name
	if line.Config != "" {
		call += " --config " + line.Config
	}
	for _, variable := range p.environ {
		name, value, _ := strings.Cut(variable, "=")
		where := strings.HasPrefix(name, "ROLESYNC_DATA") || strings.HasPrefix(name, "ROLESYNC_REDIS_") || name == "ROLESYNC_CONFIG"
		if where && value != "" {
			variables = append(variables, name)
		}
	}
	slices.Sort(variables)
	return call, variables
}
