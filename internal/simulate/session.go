package simulate

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// session is one run, from the connection test to the last change.
type session struct {
	options Options
	plan    *plan
	dialect dialect
	log     *record
	steps   *steps

	connected bool // the connection test has passed
}

// play sends everything. A refused request is in the record and the session goes on
// with the next thing; play returns an error only when it does not go on.
func (s *session) play(ctx context.Context) error {
	s.steps.begin("connection test", 1)
	if err := s.dialect.test(ctx); err != nil {
		s.steps.end()
		if errors.Is(err, errRefused) {
			return errors.New("the connection test failed")
		}
		return err
	}
	s.connected = true
	s.steps.advance()
	s.steps.end()

	if err := each(ctx, s, "users", s.plan.people, s.dialect.push); err != nil {
		return err
	}
	if err := each(ctx, s, "groups", s.plan.groups, s.dialect.pushGroup); err != nil {
		return err
	}
	return s.change(ctx)
}

// each pushes things side by side, with a step of progress for each that was accepted.
func each[T any](ctx context.Context, s *session, label string, things []T, push func(context.Context, T) error) error {
	s.steps.begin(label, len(things))
	defer s.steps.end()
	workers, working := errgroup.WithContext(ctx)
	workers.SetLimit(s.options.Concurrency)
	for _, thing := range things {
		if working.Err() != nil {
			break
		}
		workers.Go(func() error { return s.done(push(working, thing)) })
	}
	if err := workers.Wait(); err != nil {
		return fmt.Errorf("push %s: %w", label, err)
	}
	return ctx.Err()
}

// change plays what happens to people and groups once they are there, one after the
// other. Whoever was refused at the push is left out.
func (s *session) change(ctx context.Context) error {
	p := s.plan
	var acts []func() error
	act := func(wanted bool, send func() error) {
		if wanted {
			acts = append(acts, send)
		}
	}
	of := func(f fate, send func(*person) error) {
		for _, someone := range p.people {
			act(someone.fate == f && someone.id != "", func() error { return send(someone) })
		}
	}
	of(updated, func(who *person) error {
		who.marry()
		return s.dialect.change(ctx, who)
	})
	act(p.renamed != nil && p.renamed.id != "", func() error { return s.dialect.rename(ctx, p.renamed, p.rename) })
	act(p.mover != nil && p.mover.id != "" && p.from.id != "" && p.to.id != "", func() error {
		p.from.leave(p.mover)
		p.to.join(p.mover)
		return s.dialect.move(ctx, p.mover, p.from, p.to)
	})
	of(deactivated, func(who *person) error { return s.deactivate(ctx, who) })
	of(returned, func(who *person) error {
		if err := s.deactivate(ctx, who); err != nil {
			return err
		}
		err := s.dialect.activate(ctx, who)
		who.active = err == nil
		return err
	})
	act(p.passing != nil, func() error {
		if err := s.dialect.pushGroup(ctx, p.passing); err != nil {
			return err
		}
		return s.dialect.deleteGroup(ctx, p.passing)
	})
	of(deleted, func(who *person) error {
		if err := s.dialect.deleteUser(ctx, who); err != nil {
			return err
		}
		who.active, who.gone = false, true
		return nil
	})

	s.steps.begin("changes", len(acts))
	defer s.steps.end()
	for _, send := range acts {
		if err := s.done(send()); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) deactivate(ctx context.Context, who *person) error {
	err := s.dialect.deactivate(ctx, who)
	who.active = err != nil
	return err
}

// done counts what was accepted, and lets the session go on after a request that was
// refused, which is in the record.
func (s *session) done(err error) error {
	if err == nil {
		s.steps.advance()
	}
	if errors.Is(err, errRefused) {
		return nil
	}
	return err
}
