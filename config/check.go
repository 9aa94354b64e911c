package config

import (
	"encoding/base64"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// check refuses what has the right form and cannot work, and fills in what follows
// from other settings.
func (l *loader) check() {
	l.checkAddresses()
	l.checkSealingKeys()
	l.checkDatabase()
	l.checkRedis()
	if size := l.config.SCIM.MaxBody; size < 1<<10 || size > 1<<30 {
		l.refuse("scim.max_body", "%s is not between 1KiB and 1GiB", size)
	}
	if n := l.config.SCIM.RateLimit; n < 0 || n > 10_000 {
		l.refuse("scim.rate_limit", "%d is not between 0 and 10000", n)
	}
	if n := l.config.SCIM.RateBurst; n < 0 || n > 100_000 {
		l.refuse("scim.rate_burst", "%d is not between 0 and 100000", n)
	}
}

func (l *loader) checkAddresses() {
	c := &l.config
	host, port, listenable := splitAddress(c.Listen)
	if !listenable {
		l.refuse("listen", "%s is not host:port, like 127.0.0.1:8080", quote(c.Listen))
	}
	if c.PublicURL == "" && listenable && port != 0 {
		c.PublicURL = "http://" + net.JoinHostPort(reachable(host), strconv.Itoa(port))
	}
	if c.PublicURL == "" {
		return
	}
	u, err := url.Parse(c.PublicURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" ||
		u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		l.refuse("public_url", "%s is not a URL of the form https://host/path", quote(c.PublicURL))
	}
	c.PublicURL = strings.TrimRight(c.PublicURL, "/")
}

// reachable returns a host under which a listener on host can be reached from the
// same machine: a listener on all addresses has no name of its own.
func reachable(host string) string {
	if host == "" {
		return "127.0.0.1"
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case err != nil || !ip.IsUnspecified():
		return host
	case ip.Is4():
		return "127.0.0.1"
	}
	return "::1"
}

// sealingKey is the form of one key; what its length is, its base64 tells.
var sealingKey = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}:([A-Za-z0-9+/]{43}=)$`)

// checkSealingKeys repeats nothing of a key.
func (l *loader) checkSealingKeys() {
	if l.config.SealingKeys.IsZero() {
		return
	}
	ids := map[string]bool{}
	for i, key := range strings.Split(l.config.SealingKeys.Reveal(), ",") {
		key = strings.TrimSpace(key)
		match := sealingKey.FindStringSubmatch(key)
		if match != nil {
			_, err := base64.StdEncoding.Strict().DecodeString(match[1])
			if err != nil {
				match = nil
			}
		}
		if match == nil {
			l.refuse("sealing_keys", "number %d is not id:key, with a key from: openssl rand -base64 32", i+1)
			continue
		}
		id, _, _ := strings.Cut(key, ":")
		if ids[id] {
			l.refuse("sealing_keys", "number %d has the same id as one before", i+1)
		}
		ids[id] = true
	}
	if len(ids) > 16 {
		l.refuse("sealing_keys", "are %d; at most 16 are allowed", len(ids))
	}
}

func (l *loader) checkDatabase() {
	database := l.config.Database
	// The URL may hold a password, and so may what was meant to be one: none of it
	// goes into a message, nor does the error of url.Parse, which repeats it.
	switch address := database.URL.Reveal(); {
	case address == "":
	case strings.HasPrefix(address, "sqlite:"):
		if address == "sqlite:" {
			l.refuse("database.url", "has no path behind sqlite:")
		}
	case strings.HasPrefix(address, "postgres://"), strings.HasPrefix(address, "postgresql://"):
		if _, err := url.Parse(address); err != nil {
			l.refuse("database.url", "is not a valid URL; signs like @ / : %% # in a password are written as %%40 %%2F %%3A %%25 %%23")
		}
	default:
		l.refuse("database.url", "begins with neither sqlite: nor postgres://")
	}
	if n := database.MaxConnections; n < 1 || n > 1000 {
		l.refuse("database.max_connections", "%d is not between 1 and 1000", n)
	}
}

// keyPrefix leaves out braces above all: Redis Cluster takes the first pair in a key
// for its hash tag, and that pair must be the organization's.
var keyPrefix = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,64}$`)

func (l *loader) checkRedis() {
	redis := l.config.Redis
	if !redis.URL.IsZero() {
		u, err := url.Parse(redis.URL.Reveal())
		if err != nil || u.Scheme != "redis" && u.Scheme != "rediss" || u.Host == "" {
			l.refuse("redis.url", "is not a URL of the form redis://user:password@host:port/db, or rediss:// for TLS")
		}
	}
	for i, address := range redis.Addresses {
		address = strings.TrimSpace(address) // of "a:1, b:2" in a variable
		redis.Addresses[i] = address
		if host, port, ok := splitAddress(address); !ok || host == "" || port == 0 {
			l.refuse("redis.addresses", "%s is not host:port, like redis.example.com:6379", quote(address))
		}
	}
	if redis.DB < 0 {
		l.refuse("redis.db", "%d is below 0", redis.DB)
	}
	if redis.Timeout <= 0 {
		l.refuse("redis.timeout", "%s is not more than 0s", redis.Timeout)
	}
	if !keyPrefix.MatchString(redis.Prefix) {
		l.refuse("redis.prefix", "%s is not 1 to 64 of the signs A-Z a-z 0-9 . _ : -", quote(redis.Prefix))
	}
	l.checkRedisKind(redis)
}

// checkRedisKind refuses settings that belong to another kind of Redis than the one
// that is stated: what would be ignored must not look as if it were in force.
func (l *loader) checkRedisKind(redis Redis) {
	addressed := []struct {
		path string
		set  bool
	}{
		{"redis.username", redis.Username != ""},
		{"redis.password", !redis.Password.IsZero()},
		{"redis.master_name", redis.MasterName != ""},
		{"redis.db", redis.DB > 0},
		{"redis.tls", redis.TLS},
	}
	for _, setting := range addressed {
		switch {
		case !setting.set || len(redis.Addresses) > 0 && redis.URL.IsZero():
		case redis.URL.IsZero():
			l.refuse(setting.path, "needs redis.addresses; without them Redis is embedded")
		default:
			l.refuse(setting.path, "goes with redis.addresses, not with redis.url, which says it itself")
		}
	}
	if !redis.URL.IsZero() && len(redis.Addresses) > 0 {
		l.refuse("redis.addresses", "are stated beside redis.url; state only one of them")
	}
	switch {
	case !redis.Cluster:
	case redis.Embedded():
		l.refuse("redis.cluster", "needs redis.addresses or redis.url; without them Redis is embedded")
	case redis.MasterName != "":
		l.refuse("redis.cluster", "is stated beside redis.master_name; Sentinels do not lead to a cluster")
	case redis.DB > 0:
		l.refuse("redis.db", "%d does not exist: a cluster has database 0 only", redis.DB)
	}
}

// splitAddress takes host:port apart. The host may be empty, the port is a number.
func splitAddress(address string) (host string, port int, ok bool) {
	host, digits, err := net.SplitHostPort(address)
	if err != nil || strings.ContainsAny(host, " /@") {
		return "", 0, false
	}
	number, err := strconv.ParseUint(digits, 10, 16)
	return host, int(number), err == nil
}
