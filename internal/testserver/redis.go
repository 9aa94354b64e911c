package testserver

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// RedisServer is a running Redis server or Sentinel.
type RedisServer struct {
	*server
	password string
}

// A RedisOption changes how a Redis server runs.
type RedisOption func(*redisOptions)

type redisOptions struct {
	arguments []string
	password  string
	master    *RedisServer
}

// AppendOnly keeps each write in a file before it is answered, so that the data
// outlives Kill. Without it and Save the data is gone after any stop.
func AppendOnly() RedisOption { return Argument("appendonly", "yes", "appendfsync", "always") }

// Save writes a snapshot when so many writes came within so many seconds, as in
// Redis's own setting ("1 1"), and at Stop.
func Save(rule string) RedisOption { return Argument("save", rule) }

// Password has clients authenticate themselves as the default user.
func Password(password string) RedisOption {
	return func(o *redisOptions) { o.password = password }
}

// Replica makes the server a replica of another one. It is given out when it has all
// of the master's data; a later Start does not wait for that, since the master may
// be away. Do("REPLICAOF", "NO", "ONE") promotes it.
func Replica(of *RedisServer) RedisOption {
	return func(o *redisOptions) { o.master = of }
}

// Argument gives settings of redis.conf: name, value, name, value.
func Argument(settings ...string) RedisOption {
	return func(o *redisOptions) {
		for i := 0; i+1 < len(settings); i += 2 {
			o.arguments = append(o.arguments, "--"+settings[i], settings[i+1])
		}
	}
}

// StartRedis starts a Redis server whose files are in dir, an existing folder. It
// keeps nothing on disk unless an option says so. The caller stops it. The error is
// exec.ErrNotFound when Redis is not installed.
func StartRedis(dir string, options ...RedisOption) (*RedisServer, error) {
	var o redisOptions
	for _, option := range options {
		option(&o)
	}
	arguments := []string{"--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0"}
	if o.password != "" {
		arguments = append(arguments, "--requirepass", o.password, "--masterauth", o.password)
	}
	if o.master != nil {
		arguments = append(arguments, "--replicaof", "127.0.0.1 "+strconv.Itoa(o.master.port))
		if o.master.password != "" {
			arguments = append(arguments, "--masterauth", o.master.password)
		}
	}
	arguments = append(arguments, o.arguments...) // the last one counts
	s, err := newRedis("redis-server", dir, o.password, func(port int) []string {
		return append([]string{"--port", strconv.Itoa(port)}, arguments...)
	})
	if err != nil {
		return nil, err
	}
	if o.master != nil {
		if err := s.await("INFO", "replication", "master_link_status:up"); err != nil {
			return nil, errors.Join(err, s.Kill())
		}
	}
	return s, nil
}

// StartSentinel starts a Sentinel that watches a master under a name and knows the
// replicas that are connected to it. It decides alone, and takes a master for down
// after half a second of silence. Its files are in dir; the caller stops it.
func StartSentinel(dir, name string, master *RedisServer) (*RedisServer, error) {
	replication, err := master.Do("INFO", "replication")
	if err != nil {
		return nil, err
	}
	replicas := line(replication, "connected_slaves:")
	settings := []string{
		"bind 127.0.0.1", "dir " + dir,
		fmt.Sprintf("sentinel monitor %s 127.0.0.1 %d 1", name, master.port),
		"sentinel down-after-milliseconds " + name + " 500",
		"sentinel failover-timeout " + name + " 3000",
	}
	if master.password != "" {
		settings = append(settings, "sentinel auth-pass "+name+" "+master.password)
	}
	file := filepath.Join(dir, "sentinel.conf") // Sentinel keeps its state there too
	if err := os.WriteFile(file, []byte(strings.Join(settings, "\n")+"\n"), 0o600); err != nil {
		return nil, err
	}
	s, err := newRedis("redis-sentinel", dir, "", func(port int) []string {
		return []string{file, "--sentinel", "--port", strconv.Itoa(port)}
	})
	if err != nil {
		return nil, err
	}
	if err := s.await("INFO", "sentinel", "status=ok,address="+master.Addr()+",slaves="+replicas+","); err != nil {
		return nil, errors.Join(err, s.Kill())
	}
	return s, nil
}

// newRedis starts a server of the Redis binary.
func newRedis(name, dir, password string, arguments func(port int) []string) (*RedisServer, error) {
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, missingError{"redis-server", "redis-server"}
	}
	s := &RedisServer{password: password}
	s.server = &server{
		name: name,
		dir:  dir,
		command: func(port int) *exec.Cmd {
			cmd := exec.Command(binary, arguments(port)...)
			cmd.Dir = dir
			cmd.Env = environment()
			cmd.SysProcAttr = attributes(syscall.SIGKILL)
			return cmd
		},
		ready: func(ctx context.Context, port, pid int) error {
			if _, err := s.do(ctx, port, "PING"); err != nil {
				return err // also while it loads its data
			}
			// Somebody else's server may have got the port.
			info, err := s.do(ctx, port, "INFO", "server")
			if err == nil && line(info, "process_id:") != strconv.Itoa(pid) {
				err = errors.New("another process answers")
			}
			return err
		},
		stop:    syscall.SIGTERM,
		discard: syscall.SIGKILL,
	}
	return s, s.Start()
}

// URL returns the server's address as redis://, with its password.
func (s *RedisServer) URL() string {
	u := url.URL{Scheme: "redis", Host: s.Addr()}
	if s.password != "" {
		u.User = url.UserPassword("", s.password)
	}
	return u.String()
}

// await waits until the answer to a command holds a text.
func (s *RedisServer) await(command, argument, want string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		answer, err := s.do(ctx, s.port, command, argument)
		if err == nil && strings.Contains(answer, want) {
			return nil
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return fmt.Errorf("%s: %s %s did not come to hold %q within %v: %s, %v", s.name, command, argument, want, startLimit, answer, err)
		}
	}
}

// line returns what follows a key in the answer to INFO.
func line(info, key string) string {
	for text := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(text, key); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
