package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	rolesync "github.com/rolesync/rolesync/sync"
)

// embedded is the Redis of a service that was given none. It belongs to one data
// folder and one process: a second one would take changes that the first never sees.
type embedded struct {
	redis *rolesync.Embedded
	file  *os.File
}

// embeddedFile, in the data folder, holds the address of the embedded Redis, for
// commands such as rolesync verify. The service keeps it locked, so an address that a
// killed process left there is known to be nobody's: by now another program may
// listen on it.
const embeddedFile = "embedded-redis"

var errLocked = errors.New("locked by another process")

// lockPatience is how long a start waits for a lock that a command holds while it
// reads the address.
const lockPatience = 500 * time.Millisecond

func startEmbedded(ctx context.Context, data string) (*embedded, error) {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(data, embeddedFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	e := &embedded{file: file}
	if err := e.start(ctx); err != nil {
		e.close()
		if errors.Is(err, errLocked) {
			return nil, fmt.Errorf("another rolesync with an embedded Redis runs on the data folder %s; stop it, or give both one Redis with ROLESYNC_REDIS_URL", data)
		}
		return nil, err
	}
	return e, nil
}

func (e *embedded) start(ctx context.Context) error {
	deadline := time.Now().Add(lockPatience)
	for {
		err := lock(e.file, exclusive)
		if err == nil {
			break
		}
		if !errors.Is(err, errLocked) || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lockPatience / 20):
		}
	}
	var err error
	if e.redis, err = rolesync.StartEmbedded(); err != nil {
		return err
	}
	if err := e.file.Truncate(0); err != nil {
		return fmt.Errorf("tell where the embedded Redis is: %w", err)
	}
	if _, err := e.file.WriteAt([]byte(e.redis.Addr()), 0); err != nil {
		return fmt.Errorf("tell where the embedded Redis is: %w", err)
	}
	return nil
}

// close leaves the file, empty: a lock on a file that is removed excludes nobody.
func (e *embedded) close() {
	if e.redis != nil {
		_ = e.file.Truncate(0) // the lock is what counts
		e.redis.Close()
	}
	_ = e.file.Close() // and with it the lock
}

// embeddedAddr returns the address of the Redis that a running service has embedded;
// "" when none is running on the data folder.
func embeddedAddr(data string) (string, error) {
	file, err := os.Open(filepath.Join(data, embeddedFile))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("find the embedded Redis: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	if err := lock(file, shared); !errors.Is(err, errLocked) {
		return "", err
	}
	addr, err := io.ReadAll(file)
	if err != nil {
		return "", fmt.Errorf("find the embedded Redis: %w", err)
	}
	return string(addr), nil
}
