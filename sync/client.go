package sync

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/rolesync/rolesync/internal/fault"
)

// RedisOptions say where Redis is. URL excludes the fields from Username to TLS.
type RedisOptions struct {
	URL        string   // redis://[user:password@]host:port[/db], rediss:// for TLS
	Addresses  []string // one server, Sentinels (with MasterName), or nodes of a cluster
	MasterName string
	Cluster    bool
	Username   string
	Password   string
	DB         int
	TLS        bool
	Timeout    time.Duration // of each command
}

// Client is a connection to Redis, whatever its topology.
type Client = redis.UniversalClient

// Dial returns a client. It connects when it is first used.
func Dial(o RedisOptions) (Client, error) {
	universal := &redis.UniversalOptions{
		Addrs: o.Addresses, MasterName: o.MasterName, IsClusterMode: o.Cluster,
		Username: o.Username, Password: o.Password, DB: o.DB,
	}
	if o.TLS {
		universal.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if o.URL != "" {
		parsed, err := redis.ParseURL(o.URL)
		if err != nil {
			// ParseURL repeats the URL, and with it the password.
			return nil, fault.New(fault.Invalid, "the redis url is not of the form redis://user:password@host:port/db")
		}
		universal.Addrs, universal.Username, universal.Password = []string{parsed.Addr}, parsed.Username, parsed.Password
		universal.DB, universal.TLSConfig = parsed.DB, parsed.TLSConfig
	}
	universal.DialTimeout, universal.ReadTimeout, universal.WriteTimeout = o.Timeout, o.Timeout, o.Timeout
	universal.PoolSize, universal.MaxRetries = 8, 1
	universal.ContextTimeoutEnabled = true
	return redis.NewUniversalClient(universal), nil
}

// LogClient has the Redis library write to log, at debug level, what it has to say,
// such as each dial that failed; otherwise it writes to standard error in a form of
// its own. What matters of it is logged or returned by whoever asked. It is for the
// whole process, so it is the program's to call.
func LogClient(log *slog.Logger) { redis.SetLogger(clientLog{log}) }

type clientLog struct{ log *slog.Logger }

func (l clientLog) Printf(ctx context.Context, format string, args ...any) {
	if l.log.Enabled(ctx, slog.LevelDebug) {
		l.log.DebugContext(ctx, "redis client", "message", fmt.Sprintf(format, args...))
	}
}

// Embedded is a Redis in this process's memory, for a first look and for tests. It is
// empty at each start and filled from SQL.
type Embedded struct {
	server *miniredis.Miniredis
}

// StartEmbedded serves an embedded Redis on a free port of this machine.
func StartEmbedded() (*Embedded, error) {
	server := miniredis.NewMiniRedis()
	if err := server.StartAddr("127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("start embedded redis: %w", err)
	}
	return &Embedded{server: server}, nil
}

// Addr is the address as host:port.
func (e *Embedded) Addr() string { return e.server.Addr() }

// Close stops the server; what it held is gone.
func (e *Embedded) Close() { e.server.Close() }

// AddressOf returns the host:port of the first server in the options, without
// credentials, for a person to read.
func AddressOf(o RedisOptions) string {
	if parsed, err := redis.ParseURL(o.URL); o.URL != "" && err == nil {
		return parsed.Addr
	}
	if len(o.Addresses) > 0 {
		return o.Addresses[0]
	}
	return ""
}
