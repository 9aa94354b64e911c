package sync

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rolesync/rolesync/claims"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
)

// sink is all that is known about Redis: the scripts and the commands. Package
// claims owns the names of the keys and the form of the entries.
type sink struct {
	client redis.UniversalClient
	keys   claims.Keys
	marker string // the key whose value names the filling that this Redis holds
}

const (
	streamLength = 10_000 // of an organization's changes, about
	scriptUsers  = 100    // in one script call: Redis serves nobody else meanwhile
)

//go:embed lua/publish.lua
var publishSource string

//go:embed lua/begin.lua
var beginSource string

//go:embed lua/swap.lua
var swapSource string

var (
	publishScript = redis.NewScript(publishSource)
	beginScript   = redis.NewScript(beginSource)
	swapScript    = redis.NewScript(swapSource)
)

func newSink(client redis.UniversalClient, prefix string) *sink {
	if prefix == "" {
		prefix = claims.DefaultPrefix
	}
	return &sink{client: client, keys: claims.Keys{Prefix: prefix}, marker: prefix + ":filled"}
}

func (s *sink) next(key string) string { return key + ":next" }

// delivery is assignments of one organization on their way to Redis.
type delivery struct {
	organization directory.OrganizationID
	basis        store.Basis
	assignments  []store.Assignment
	answer       string // "ok", or the generation that Redis is at
	err          error  // why not all of it may have been written
}

const delivered = "ok"

// publish writes all deliveries in one pipeline, each in calls of at most
// scriptUsers, and sets their answers. An error means that some, which have one too,
// may not have been written; all may be repeated.
func (s *sink) publish(ctx context.Context, deliveries []*delivery, mode string) error {
	err := s.pipeline(ctx, deliveries, mode)
	if !redis.HasErrorPrefix(err, "NOSCRIPT") {
		return err
	}
	// A server that was restarted, or promoted, does not know the script. Pipelined
	// EVALSHA cannot fall back by itself.
	if err := s.load(ctx); err != nil {
		return err
	}
	return s.pipeline(ctx, deliveries, mode)
}

func (s *sink) load(ctx context.Context) error {
	load := func(ctx context.Context, client redis.Scripter) error { return publishScript.Load(ctx, client).Err() }
	if cluster, ok := s.client.(*redis.ClusterClient); ok {
		return cluster.ForEachMaster(ctx, func(ctx context.Context, client *redis.Client) error { return load(ctx, client) })
	}
	return load(ctx, s.client)
}

func (s *sink) pipeline(ctx context.Context, deliveries []*delivery, mode string) error {
	type call struct {
		to  *delivery
		cmd *redis.Cmd
	}
	var calls []call
	pipe := s.client.Pipeline()
	for _, d := range deliveries {
		d.answer, d.err = delivered, nil
		for chunk := range slices.Chunk(d.assignments, scriptUsers) {
			keys, args := s.publishCall(d, mode, chunk)
			calls = append(calls, call{d, pipe.EvalSha(ctx, publishScript.Hash(), keys, args...)})
		}
	}
	_, err := pipe.Exec(ctx)
	for _, c := range calls {
		answer, failed := c.cmd.Text()
		switch {
		case failed != nil:
			c.to.err = failed
			if err == nil || redis.HasErrorPrefix(failed, "NOSCRIPT") {
				err = failed
			}
		case answer != delivered:
			c.to.answer = answer
		}
	}
	if err != nil {
		return fmt.Errorf("write to redis: %w", err)
	}
	return nil
}

func (s *sink) publishCall(d *delivery, mode string, chunk []store.Assignment) (keys []string, args []any) {
	org := string(d.organization)
	live, aliases := s.keys.Assignments(org), s.keys.Aliases(org)
	keys = []string{s.keys.Meta(org), live, aliases, s.next(live), s.next(aliases), s.keys.Changes(org)}
	rules := ""
	if d.basis.RulesVersion > 0 {
		rules = strconv.FormatInt(d.basis.RulesVersion, 10)
	}
	args = make([]any, 0, 5+6*len(chunk))
	args = append(args, mode, d.basis.Generation, rules, directory.Now().Format(time.RFC3339Nano), streamLength)
	for _, a := range chunk {
		args = append(args, string(a.User), a.Version, a.Epoch, string(kindOf(a)), a.Cause, entry(a))
	}
	return keys, args
}

// begin, fill and swap replace an organization's keys. They return the generation of
// a filling that overtook this one, or delivered.
func (s *sink) begin(ctx context.Context, organization directory.OrganizationID, generation int64) (string, error) {
	org := string(organization)
	keys := []string{s.keys.Meta(org), s.next(s.keys.Assignments(org)), s.next(s.keys.Aliases(org))}
	return beginScript.Run(ctx, s.client, keys, generation, directory.Now().Format(time.RFC3339Nano)).Text()
}

func (s *sink) swap(ctx context.Context, organization directory.OrganizationID, basis store.Basis) (string, error) {
	org := string(organization)
	live, aliases := s.keys.Assignments(org), s.keys.Aliases(org)
	keys := []string{s.keys.Meta(org), live, aliases, s.next(live), s.next(aliases)}
	return swapScript.Run(ctx, s.client, keys, basis.Generation, basis.RulesVersion, directory.Now().Format(time.RFC3339Nano)).Text()
}

// generation is that of an organization's keys in Redis.
type generation struct {
	number  int64     // 0: there are none
	highest int64     // that was ever begun, as far as Redis knows
	filling time.Time // when a filling that has not ended was last at work
	entries bool      // there are some: evicted or deleted, they would be missed here only
}

// generations returns the generation of each organization in Redis. What cannot be
// read counts as none, so that it is filled anew.
func (s *sink) generations(ctx context.Context, organizations []directory.OrganizationID) ([]generation, error) {
	pipe := s.client.Pipeline()
	cmds := make([]*redis.SliceCmd, len(organizations))
	entries := make([]*redis.IntCmd, len(organizations))
	for i, organization := range organizations {
		entries[i] = pipe.Exists(ctx, s.keys.Assignments(string(organization)))
		cmds[i] = pipe.HMGet(ctx, s.keys.Meta(string(organization)), "generation", "rebuilding", "rebuilding_at")
	}
	if _, err := pipe.Exec(ctx); err != nil {
		if _, refused := errors.AsType[redis.Error](err); !refused {
			return nil, fmt.Errorf("read generations: %w", err)
		}
	}
	generations := make([]generation, len(cmds))
	for i, cmd := range cmds {
		var field [3]string
		for j, value := range cmd.Val() {
			field[j], _ = value.(string)
		}
		g := &generations[i]
		g.entries = entries[i].Val() == 1
		g.number, _ = strconv.ParseInt(field[0], 10, 64)
		g.highest, _ = strconv.ParseInt(field[1], 10, 64)
		g.highest = max(g.highest, g.number)
		g.filling, _ = time.Parse(time.RFC3339Nano, field[2])
	}
	return generations, nil
}

// identity names what would change if data were lost: the run id of each master,
// which a restart or a failover changes, and the marker, which a flush removes. A
// Redis that does not tell its run id (some proxies) is known by the marker alone.
func (s *sink) identity(ctx context.Context) (string, error) {
	marker, err := s.client.Get(ctx, s.marker).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return "", fmt.Errorf("read %s: %w", s.marker, err)
	}
	var mu sync.Mutex
	var runs []string // guarded by mu
	add := func(ctx context.Context, client redis.UniversalClient) error {
		info, err := client.Info(ctx, "server").Result()
		if _, refused := errors.AsType[redis.Error](err); refused {
			return nil
		}
		if err != nil {
			return fmt.Errorf("info: %w", err)
		}
		for line := range strings.Lines(info) {
			if run, ok := strings.CutPrefix(strings.TrimSpace(line), "run_id:"); ok {
				mu.Lock()
				runs = append(runs, run)
				mu.Unlock()
			}
		}
		return nil
	}
	if cluster, ok := s.client.(*redis.ClusterClient); ok {
		err = cluster.ForEachMaster(ctx, func(ctx context.Context, client *redis.Client) error { return add(ctx, client) })
	} else {
		err = add(ctx, s.client)
	}
	slices.Sort(runs)
	return marker + " " + strings.Join(runs, ","), err
}

// mark remembers in Redis that it was filled.
func (s *sink) mark(ctx context.Context, value string) error {
	return s.client.Set(ctx, s.marker, value, 0).Err()
}
