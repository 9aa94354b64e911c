package sync_test

import (
	"context"
	"testing"
	"time"

	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/testserver"
)

func TestAwait(t *testing.T) {
	t.Parallel()
	redis := testserver.Redis(t)
	s := newService(t, prepared(t, testserver.Database(t)), redis.Addr())
	stop := s.run(t)
	sso := s.tenant(t).sso(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()

	// What has been awaited can be read: by everybody who waits, at once.
	together(6, func(worker int) {
		for i := range 10 {
			in, err := sso.tryIn(login("anna", "Admins", []string{"Engineering", "Sales"}[(worker+i)%2]))
			if err != nil {
				t.Error(err)
				continue
			}
			if err := s.Writer.Await(ctx, sso.by.Organization, in.User.ID, in.Version); err != nil {
				t.Error(err)
			}
			if got, err := sso.read(t, in.User.ID); err != nil || got.Version < in.Version {
				t.Errorf("Redis has version %d, %v, after version %d was awaited", got.Version, err, in.Version)
			}
		}
	})
	in := sso.in(t, login("anna", "Admins", "Sales"))
	if err := s.Writer.Await(ctx, sso.by.Organization, in.User.ID, in.Version); err != nil {
		t.Error(err)
	}
	eventually(t, "a login that changes nothing says that it is published", func() bool {
		return sso.in(t, login("anna", "Admins", "Sales")).Published
	})
	ended, end := context.WithCancel(ctx)
	end()
	if err := s.Writer.Await(ctx, sso.by.Organization, in.User.ID, in.Version); err != nil {
		t.Errorf("Await of what is there = %v", err)
	}

	// It is another process that writes.
	stop()
	other := newService(t, s.url, redis.Addr())
	in = sso.in(t, login("anna", "Engineering"))
	if in.Published {
		t.Errorf("%+v is published, but nobody runs", in)
	}
	wantFault(t, s.Writer.Await(ended, sso.by.Organization, in.User.ID, in.Version), fault.Unavailable)
	other.run(t)
	if err := s.Writer.Await(ctx, sso.by.Organization, in.User.ID, in.Version); err != nil {
		t.Errorf("Await of what another process writes = %v", err)
	}
	if got, err := sso.read(t, in.User.ID); err != nil || got.Version < in.Version || got.Role != "developer" {
		t.Errorf("Redis has %+v, %v", got, err)
	}

	// Redis hangs: whoever waits gives up when its time is over, and nothing is lost.
	must(t, redis.Kill())
	in = sso.in(t, login("anna", "Admins"))
	short, cancelShort := context.WithTimeout(ctx, 150*time.Millisecond)
	defer cancelShort()
	wantFault(t, s.Writer.Await(short, sso.by.Organization, in.User.ID, in.Version), fault.Unavailable)
	must(t, redis.Start())
	if err := s.Writer.Await(ctx, sso.by.Organization, in.User.ID, in.Version); err != nil {
		t.Errorf("Await after Redis came back = %v", err)
	}
	other.wantSettled(t)
}
