package main

import (
	"context"
	"encoding/base64"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/rolesync/rolesync/internal/harness"
	"github.com/rolesync/rolesync/internal/testserver"
)

// world is the service with its servers, and one organization in it.
type world struct {
	postgres *testserver.PostgresServer
	redis    *testserver.RedisServer
	service  *harness.Service
	*harness.Tenant

	started   time.Duration // from exec to the first answer, on an empty database
	restarted time.Duration // on an existing one
	idle      int64         // resident bytes after the start

	mu     sync.Mutex
	users  []string // guarded by mu while clients append to it
	groups []string
}

const clients = 8

func newWorld(ctx context.Context, folder string) (w *world, err error) {
	w = &world{}
	defer func() {
		if err != nil {
			w.stop()
		}
	}()
	binary, err := harness.Build(ctx, folder)
	if err != nil {
		return w, err
	}
	if err := os.Chmod(folder, 0o755); err != nil { // the database runs as another user
		return w, err
	}
	for _, name := range []string{"postgres", "redis", "data"} {
		if err := os.Mkdir(filepath.Join(folder, name), 0o755); err != nil {
			return w, err
		}
	}
	if w.postgres, err = testserver.StartPostgres(filepath.Join(folder, "postgres"), testserver.WithDurability(),
		testserver.Setting("shared_buffers", "256MB", "max_wal_size", "4GB", "checkpoint_timeout", "15min")); err != nil {
		return w, err
	}
	if w.redis, err = testserver.StartRedis(filepath.Join(folder, "redis")); err != nil {
		return w, err
	}
	if w.service, err = harness.New(binary, os.Stderr, "ROLESYNC_DATABASE_URL="+w.postgres.URL(), "ROLESYNC_REDIS_URL="+w.redis.URL(),
		"ROLESYNC_DATA="+filepath.Join(folder, "data"), "ROLESYNC_LOG_LEVEL=warn",
		"ROLESYNC_SEALING_KEYS=bench:"+base64.StdEncoding.EncodeToString(make([]byte, 32))); err != nil {
		return w, err
	}
	if w.started, err = w.service.Start(ctx); err != nil {
		return w, err
	}
	if w.Tenant, err = harness.NewTenant(ctx, w.service, "Bench"); err != nil {
		return w, err
	}
	w.service.Stop()
	if w.restarted, err = w.service.Start(ctx); err != nil {
		return w, err
	}
	time.Sleep(3 * time.Second) // idle is after the start's own work
	w.idle = w.memory("VmRSS")
	return w, nil
}

func (w *world) stop() {
	if w.service != nil {
		w.service.Stop()
	}
	if w.redis != nil {
		_ = w.redis.Stop() // the folder goes away anyway
	}
	if w.postgres != nil {
		_ = w.postgres.Stop()
	}
}

func (w *world) send(ctx context.Context, method, path string, body []byte, into any) error {
	return w.Send(ctx, w.service, method, path, body, into)
}

func (w *world) group(ctx context.Context, name string, members []string) (string, error) {
	return w.CreateGroup(ctx, w.service, name, members)
}

func (w *world) add(ctx context.Context, group string, members ...string) error {
	return w.AddMembers(ctx, w.service, group, members...)
}

func (w *world) remove(ctx context.Context, group, member string) error {
	return w.RemoveMember(ctx, w.service, group, member)
}
