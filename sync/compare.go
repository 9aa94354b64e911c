package sync

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/mapping"
)

// wanted is what Redis should have of an organization.
type wanted struct {
	subjects map[string]bool
	present  int                 // of them
	aliases  map[string][]string // subjects by alias, in order
}

// compareTallies counts the users of each connection.
func (v *Verifier) compareTallies(ctx context.Context, id directory.OrganizationID, found *Verification) error {
	connections, err := v.Store.Connections(ctx, id)
	if err != nil {
		return err
	}
	for _, c := range connections {
		tallied, counted, err := v.Store.Recount(ctx, store.Scope{Organization: id, Connection: c.ID})
		if err != nil {
			return err
		}
		if tallied != counted {
			found.add(Difference{Organization: id, Connection: c.ID, Where: inSQL, What: fmt.Sprintf("the tally of the users of %s is not their number", c.ID),
				Want: strconv.Itoa(counted), Got: strconv.Itoa(tallied)})
		}
	}
	return nil
}

// recompute evaluates the users of a page and compares with what is stored.
func (v *Verifier) recompute(ctx context.Context, id directory.OrganizationID, program *mapping.Program, page []store.Assignment, found *Verification) error {
	users := make([]directory.UserID, len(page))
	for i, a := range page {
		users[i] = a.User
	}
	subjects, err := v.Store.Subjects(ctx, id, users)
	if err != nil {
		return err
	}
	byUser := make(map[directory.UserID]store.Subject, len(subjects))
	for _, s := range subjects {
		byUser[s.Facts.User.ID] = s
	}
	for _, a := range page {
		subject, exists := byUser[a.User]
		switch {
		case exists && a.Deleted:
			found.add(Difference{Organization: id, User: a.User, Where: inSQL, What: "the user exists but its assignment is a tombstone"})
		case !exists && !a.Deleted:
			found.add(Difference{Organization: id, User: a.User, Where: inSQL, What: "the user is gone but its assignment is no tombstone", Got: a.Projection})
		case exists:
			found.Users++
			want, aliases := project(program.Evaluate(subject.Facts)), aliasesOf(subject.Facts.User)
			if want != subject.Current.Projection {
				found.add(Difference{Organization: id, User: a.User, Where: inSQL, What: "the assignment is not what facts and rules give", Want: want, Got: subject.Current.Projection})
			}
			if !slices.Equal(aliases, subject.Current.Aliases) {
				found.add(Difference{Organization: id, User: a.User, Where: inSQL, What: "the aliases are not those of the user",
					Want: strings.Join(aliases, " "), Got: strings.Join(subject.Current.Aliases, " ")})
			}
		case a.Projection != project(mapping.Nothing()) || len(a.Aliases) > 0:
			found.add(Difference{Organization: id, User: a.User, Where: inSQL, What: "a deleted user has something", Got: a.Projection})
		}
	}
	return nil
}

// compareEntries compares the entries of a page with Redis.
func (v *Verifier) compareEntries(ctx context.Context, id directory.OrganizationID, page []store.Assignment, want *wanted, found *Verification) error {
	sink := v.Writer.sink
	fields := make([]string, len(page))
	for i, a := range page {
		fields[i] = string(a.User)
	}
	values, err := sink.client.HMGet(ctx, sink.keys.Assignments(string(id)), fields...).Result()
	if found.wrongType(id, err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read entries: %w", err)
	}
	for i, a := range page {
		got, present := values[i].(string)
		if present {
			want.present++
		}
		if want := entry(a); got != want {
			found.add(Difference{Organization: id, User: a.User, Where: inRedis, What: "the entry is not the assignment", Want: want, Got: got})
		}
	}
	return nil
}

// wrongType adds the difference that a key of Redis is not what it must be.
func (f *Verification) wrongType(id directory.OrganizationID, err error) bool {
	if !redis.HasErrorPrefix(err, "WRONGTYPE") {
		return false
	}
	f.add(Difference{Organization: id, Where: inRedis, What: "a key is of another type: " + err.Error()})
	return true
}

// compareRest finds entries of nobody.
func (v *Verifier) compareRest(ctx context.Context, id directory.OrganizationID, want wanted, found *Verification) error {
	sink := v.Writer.sink
	key := sink.keys.Assignments(string(id))
	entries, err := sink.client.HLen(ctx, key).Result()
	if found.wrongType(id, err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("count entries: %w", err)
	}
	found.Entries += int(entries)
	if int(entries) == want.present {
		return nil
	}
	return scanHash(ctx, sink.client, key, func(subject, entry string) {
		if !want.subjects[subject] {
			found.add(Difference{Organization: id, Where: inRedis, What: fmt.Sprintf("there is an entry of %q, whom SQL does not know", subject), Got: entry})
		}
	})
}

// compareAliases compares the aliases of an organization.
func (v *Verifier) compareAliases(ctx context.Context, id directory.OrganizationID, want wanted, found *Verification) error {
	sink := v.Writer.sink
	err := scanHash(ctx, sink.client, sink.keys.Aliases(string(id)), func(alias, held string) {
		subjects := want.aliases[alias]
		delete(want.aliases, alias)
		got := strings.Fields(held)
		slices.Sort(got)
		if !slices.Equal(got, subjects) && !(held == "*" && len(subjects) > 1) {
			found.add(Difference{Organization: id, Where: inRedis, What: fmt.Sprintf("the alias %q leads elsewhere", alias), Want: strings.Join(subjects, " "), Got: held})
		}
	})
	if found.wrongType(id, err) {
		return nil
	}
	for _, alias := range slices.Sorted(maps.Keys(want.aliases)) {
		found.add(Difference{Organization: id, Where: inRedis, What: fmt.Sprintf("the alias %q is missing", alias), Want: strings.Join(want.aliases[alias], " ")})
	}
	return err
}

// scanHash calls each once for every field.
func scanHash(ctx context.Context, client redis.UniversalClient, key string, each func(field, value string)) error {
	seen := map[string]bool{} // HSCAN may repeat
	var cursor uint64
	for {
		page, next, err := client.HScan(ctx, key, cursor, "", 1000).Result()
		if err != nil {
			return fmt.Errorf("scan %s: %w", key, err)
		}
		for i := 0; i+1 < len(page); i += 2 {
			if !seen[page[i]] {
				seen[page[i]] = true
				each(page[i], page[i+1])
			}
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}
