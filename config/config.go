// Package config turns one YAML file and the environment into the settings of a
// process.
//
// It imports no other package of ours. What always holds: a Config that Load
// returned is complete and every value in it was checked, so nobody downstream has
// to supply a default or refuse a setting again; and whatever is wrong is told all
// at once, each problem with the place it came from.
//
// Every setting has a path, which is its key in the file ("redis.timeout"), and a
// variable, which is that path in capitals with underscores behind ROLESYNC_
// ("ROLESYNC_REDIS_TIMEOUT"). The environment wins over the file, the file over the
// defaults; an empty value, in either, leaves what was there. A list in a variable
// is separated by commas. A secret may also come from a file that a variable with
// _FILE behind its name gives (ROLESYNC_DATABASE_URL_FILE), as Docker and Kubernetes
// mount them. rolesync.example.yaml names and explains every setting.
package config

import (
	"log/slog"
	"time"
)

// Config is every setting of a rolesync process.
type Config struct {
	// Listen is the host:port that HTTP is served on. Port 0 takes a free one.
	Listen string `yaml:"listen" env:"LISTEN"`
	// PublicURL is how others reach Listen: absolute, without a slash at its end.
	// Load derives it from Listen when nothing is stated, and leaves it empty only
	// when Listen has port 0: then it is known once the listener is.
	PublicURL string `yaml:"public_url" env:"PUBLIC_URL"`
	// Data is the folder for everything that the process keeps in files.
	Data string `yaml:"data" env:"DATA"`
	// SealingKeys are those that keep the private keys of SAML connections unreadable in
	// the database: "id:key" with the base64 of 32 bytes, separated by commas. The first
	// one seals, all of them open.
	SealingKeys Secret   `yaml:"sealing_keys" env:"SEALING_KEYS"`
	Database    Database `yaml:"database" envPrefix:"DATABASE_"`
	Redis       Redis    `yaml:"redis" envPrefix:"REDIS_"`
	SCIM        SCIM     `yaml:"scim" envPrefix:"SCIM_"`
	Log         Log      `yaml:"log" envPrefix:"LOG_"`
}

// Database says where the truth is stored.
type Database struct {
	// URL is "sqlite:PATH" or "postgres://…"; empty means an SQLite file in Data.
	URL Secret `yaml:"url" env:"URL"`
	// MaxConnections bounds the connections that this process opens: 1 to 1000.
	MaxConnections int `yaml:"max_connections" env:"MAX_CONNECTIONS"`
}

// Redis says where assignments are published. With neither URL nor Addresses the
// process runs an embedded one.
type Redis struct {
	// URL is "redis://…", or "rediss://…" with TLS. It holds the user, the password
	// and the database, so Username, Password, MasterName, DB and TLS are unset.
	URL Secret `yaml:"url" env:"URL"`
	// Addresses are host:port of one server, of the Sentinels, or of cluster nodes.
	Addresses []string `yaml:"addresses" env:"ADDRESSES"`
	Username  string   `yaml:"username" env:"USERNAME"`
	Password  Secret   `yaml:"password" env:"PASSWORD"`
	// MasterName is the name that the Sentinels at Addresses know the master by;
	// empty when Addresses are not Sentinels.
	MasterName string `yaml:"master_name" env:"MASTER_NAME"`
	// DB is the number of the logical database; 0 in a cluster.
	DB int `yaml:"db" env:"DB"`
	// Cluster says that URL or Addresses lead to a Redis Cluster.
	Cluster bool `yaml:"cluster" env:"CLUSTER"`
	// TLS says that Addresses are reached over TLS.
	TLS bool `yaml:"tls" env:"TLS"`
	// Prefix begins every key that is written, before ":{org_…}:".
	Prefix string `yaml:"prefix" env:"PREFIX"`
	// Timeout bounds connecting and each command; more than zero.
	Timeout time.Duration `yaml:"timeout" env:"TIMEOUT"`
}

// Embedded reports whether the process runs its own Redis, in memory.
func (r Redis) Embedded() bool { return r.URL.IsZero() && len(r.Addresses) == 0 }

// SCIM holds the limits of the SCIM endpoints.
type SCIM struct {
	// MaxBody is the largest request body that is read: 1KiB to 1GiB.
	MaxBody Size `yaml:"max_body" env:"MAX_BODY"`
	// RateLimit is how many requests a second a connection may make in the long run,
	// unless it has its own limit: 0 (any number) to 10,000. Each process counts for itself.
	RateLimit int `yaml:"rate_limit" env:"RATE_LIMIT"`
	// RateBurst is how many it may make at once: 0 (one after the other) to 100,000.
	RateBurst int `yaml:"rate_burst" env:"RATE_BURST"`
}

// Log says what is logged, and in which form, to standard error.
type Log struct {
	Level  slog.Level `yaml:"level" env:"LEVEL"`
	Format Format     `yaml:"format" env:"FORMAT"`
}

// Default returns the settings of a process that was told nothing.
func Default() Config {
	return Config{
		Listen:   "127.0.0.1:8080",
		Data:     "./data",
		Database: Database{MaxConnections: 16},
		Redis:    Redis{Prefix: "rolesync", Timeout: 3 * time.Second},
		SCIM:     SCIM{MaxBody: 10 << 20, RateLimit: 50, RateBurst: 200},
		Log:      Log{Level: slog.LevelInfo, Format: Text},
	}
}
