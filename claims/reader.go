package claims

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

var (
	// ErrNoStatement says that Redis holds nothing about this user: never seen, not yet
	// written, or of another organization. An issuer gives nothing.
	ErrNoStatement = errors.New("no statement about this user")
	// ErrAmbiguous says that several users share the alias, so that it names none of
	// them. An issuer gives nothing, or asks by another alias.
	ErrAmbiguous = errors.New("several users share this alias")
)

// Reader reads assignments. It holds no state but the client's connections, so one
// serves any number of goroutines, and every call sees what Redis has now.
type Reader struct {
	client redis.UniversalClient
	keys   Keys
}

// NewReader returns a reader on a client that the caller configures and closes. A
// client that reads from replicas may see an assignment late.
func NewReader(client redis.UniversalClient, keys Keys) *Reader {
	return &Reader{client: client, keys: keys}
}

// Assignment reads one user's assignment by subject ("usr_…"), with one HGET. It
// returns ErrNoStatement when there is none, ErrMalformed when it cannot be
// understood, and otherwise an error that wraps the client's. An assignment that is
// not Active is returned without an error.
func (r *Reader) Assignment(ctx context.Context, org, subject string) (Assignment, error) {
	data, err := r.client.HGet(ctx, r.keys.Assignments(org), subject).Result()
	if errors.Is(err, redis.Nil) {
		return Assignment{}, fmt.Errorf("read assignment of %s in %s: %w", subject, org, ErrNoStatement)
	}
	if err != nil {
		return Assignment{}, fmt.Errorf("read assignment of %s in %s: %w", subject, org, err)
	}
	return parse(org, subject, data)
}

// batch is how many entries one HMGET asks for: few enough not to hold up a Redis that
// logins wait for.
const batch = 1000

// Assignments reads many assignments, with one HMGET per 1,000 subjects. Subjects
// without an entry are missing from the map. One malformed entry fails the call.
func (r *Reader) Assignments(ctx context.Context, org string, subjects []string) (map[string]Assignment, error) {
	found := make(map[string]Assignment, len(subjects))
	for len(subjects) > 0 {
		chunk := subjects[:min(batch, len(subjects))]
		subjects = subjects[len(chunk):]
		values, err := r.client.HMGet(ctx, r.keys.Assignments(org), chunk...).Result()
		if err != nil {
			return nil, fmt.Errorf("read %d assignments in %s: %w", len(chunk), org, err)
		}
		if len(values) != len(chunk) {
			return nil, fmt.Errorf("read %d assignments in %s: %w: %d answers", len(chunk), org, ErrMalformed, len(values))
		}
		for i, value := range values {
			if value == nil {
				continue
			}
			data, _ := value.(string) // anything else fails to parse
			a, err := parse(org, chunk[i], data)
			if err != nil {
				return nil, err
			}
			found[chunk[i]] = a
		}
	}
	return found, nil
}

// tooMany stands for the subjects of an alias that more users share than are listed.
const tooMany = "*"

// lookup goes from alias to assignment on the server, where both keys share a slot,
// so that a login costs one round trip and sees alias and assignment of one moment.
// It only reads. A list of subjects is no field of the second hash and comes back
// alone.
var lookup = redis.NewScript(`
local subject = redis.call('HGET', KEYS[1], ARGV[1])
if not subject then return {} end
local assignment = redis.call('HGET', KEYS[2], subject)
if not assignment then return {subject} end
return {subject, assignment}
`)

// Lookup reads one user's assignment by an alias made by UserName, Email, ExternalID
// or NameID. It is one round trip (EVALSHA), and a second one only the first time
// after Redis has lost its scripts. Besides the errors of Assignment it returns
// ErrAmbiguous.
func (r *Reader) Lookup(ctx context.Context, org, alias string) (Assignment, error) {
	if alias == "" { // the alias of an empty name
		return Assignment{}, fmt.Errorf("look up the empty alias in %s: %w", org, ErrNoStatement)
	}
	keys := []string{r.keys.Aliases(org), r.keys.Assignments(org)}
	answer, err := lookup.Run(ctx, r.client, keys, alias).StringSlice()
	if err != nil {
		return Assignment{}, fmt.Errorf("look up %s in %s: %w", alias, org, err)
	}
	switch {
	case len(answer) == 0:
		return Assignment{}, fmt.Errorf("look up %s in %s: %w", alias, org, ErrNoStatement)
	case strings.Contains(answer[0], " "), answer[0] == tooMany:
		return Assignment{}, fmt.Errorf("look up %s in %s: %w", alias, org, ErrAmbiguous)
	case len(answer) == 1:
		return Assignment{}, fmt.Errorf("look up %s in %s: %w", alias, org, ErrNoStatement)
	}
	return parse(org, answer[0], answer[1])
}

// parse turns an entry into an assignment, or into no assignment at all.
func parse(org, subject, data string) (Assignment, error) {
	a := Assignment{Organization: org, Subject: subject}
	err := json.Unmarshal([]byte(data), &a)
	if err == nil {
		return a, nil
	}
	if !errors.Is(err, ErrMalformed) { // not JSON at all: UnmarshalJSON was never called
		err = fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return Assignment{}, fmt.Errorf("assignment of %s in %s: %w", subject, org, err)
}
