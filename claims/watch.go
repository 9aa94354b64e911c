package claims

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Kind says what a change did to an assignment.
type Kind string

// The kinds of change.
const (
	Assigned    Kind = "assigned"    // the assignment of an active user was stated
	Deactivated Kind = "deactivated" // the user was deactivated and has nothing
	Deleted     Kind = "deleted"     // the user is gone and has nothing
)

// The fields of an entry of the changes stream.
const (
	fieldSubject = "subject"
	fieldVersion = "version"
	fieldEpoch   = "epoch"
	fieldKind    = "kind"
	fieldCause   = "cause"
)

// Change says that the assignment of a subject has reached a version. It names the
// assignment and does not hold it: read it to know what it is now.
type Change struct {
	ID      string // id of the stream entry, "milliseconds-number"; where to go on from
	Subject string
	Version int64
	Epoch   int64
	Kind    Kind
	Cause   string // id of the request that caused it, the latest if several were merged
}

// Values returns the change as fields of a stream entry, in order, for XADD.
func (c Change) Values() []string {
	return []string{fieldSubject, c.Subject, fieldVersion, strconv.FormatInt(c.Version, 10),
		fieldEpoch, strconv.FormatInt(c.Epoch, 10), fieldKind, string(c.Kind), fieldCause, c.Cause}
}

// Time returns when Redis received the change, by its clock, to the millisecond; zero
// for an ID that is not of a stream.
func (c Change) Time() time.Time {
	milliseconds, _, _ := strings.Cut(c.ID, "-")
	n, err := strconv.ParseInt(milliseconds, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(n).UTC()
}

// Position returns where the organization's stream ends now: Watch from there sees
// every later change and no earlier one.
func (r *Reader) Position(ctx context.Context, org string) (string, error) {
	last, err := r.client.XRevRangeN(ctx, r.keys.Changes(org), "+", "-", 1).Result()
	if err != nil {
		return "", fmt.Errorf("find the end of the changes of %s: %w", org, err)
	}
	if len(last) == 0 {
		return "0-0", nil
	}
	return last[0].ID, nil
}

const (
	// block is how long one XREAD waits. The client cannot be woken from it, so it is
	// also how long a cancelled Watch may take to end.
	block = 250 * time.Millisecond
	// page is how many entries one XREAD asks for.
	page = 500
	// The pause after an error, doubled from first to longest while it lasts.
	firstPause, longestPause = 100 * time.Millisecond, 2 * time.Second
)

// Watch follows the organization's changes, oldest first: those after from, an ID or
// what Position returned; "" is the end of the stream when the loop starts, "0" all
// that the stream still has. It ends when ctx does, within a quarter of a second, or
// when the loop is left.
//
// A failure to read is yielded as an error with an empty Change. The loop may go on:
// Watch then pauses, at most two seconds, and continues where it was. An entry that is
// not of the contract's form is yielded as ErrMalformed with its ID and passed over.
//
// Delivery is at least once per assignment and its latest version, not once per
// version: the service merges changes that follow each other quickly and repeats them
// after a crash. A reader that falls behind by more than the stream keeps (about
// 10,000 changes), or that outlives a flushed Redis, misses entries: it must be able
// to read the assignments themselves.
func (r *Reader) Watch(ctx context.Context, org, from string) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		next, pause := from, firstPause
		for ctx.Err() == nil {
			entries, err := r.after(ctx, org, &next)
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				if !yield(Change{}, err) || !wait(ctx, pause) {
					return
				}
				pause = min(2*pause, longestPause)
				continue
			}
			pause = firstPause
			for _, entry := range entries {
				next = entry.ID
				if !yield(parseChange(entry)) {
					return
				}
			}
		}
	}
}

// after waits for entries that follow next; none when none came in time. An empty next
// becomes the end of the stream first: "$" would be another place at each call.
func (r *Reader) after(ctx context.Context, org string, next *string) ([]redis.XMessage, error) {
	if *next == "" {
		position, err := r.Position(ctx, org)
		if err != nil {
			return nil, err
		}
		*next = position
	}
	streams, err := r.client.XRead(ctx, &redis.XReadArgs{
		Streams: []string{r.keys.Changes(org), *next},
		Count:   page,
		Block:   block,
	}).Result()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the changes of %s after %s: %w", org, *next, err)
	}
	if len(streams) == 0 {
		return nil, nil
	}
	return streams[0].Messages, nil
}

func parseChange(entry redis.XMessage) (Change, error) {
	text := func(field string) string {
		value, _ := entry.Values[field].(string)
		return value
	}
	version, errVersion := strconv.ParseInt(text(fieldVersion), 10, 64)
	epoch, errEpoch := strconv.ParseInt(text(fieldEpoch), 10, 64)
	c := Change{ID: entry.ID, Subject: text(fieldSubject), Version: version, Epoch: epoch,
		Kind: Kind(text(fieldKind)), Cause: text(fieldCause)}
	if err := errors.Join(errVersion, errEpoch); err != nil || c.Subject == "" || c.Kind == "" {
		return Change{ID: entry.ID}, fmt.Errorf("change %s: %w", entry.ID, ErrMalformed)
	}
	return c, nil
}

// wait reports whether ctx lasted for the pause.
func wait(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
