package sync

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/mapping"
)

// Where a difference is.
const (
	inSQL   = "sql"
	inRedis = "redis"
)

// Difference is one thing that is not as it must be.
type Difference struct {
	Organization directory.OrganizationID `json:"organization"`
	User         directory.UserID         `json:"user,omitempty"`
	Connection   directory.ConnectionID   `json:"connection,omitempty"`
	Where        string                   `json:"where"` // "sql" or "redis"
	What         string                   `json:"what"`
	Want         string                   `json:"want,omitempty"`
	Got          string                   `json:"got,omitempty"`
}

func (d Difference) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", d.Organization, d.Where)
	if d.User != "" {
		fmt.Fprintf(&b, " %s", d.User)
	}
	fmt.Fprintf(&b, ": %s", d.What)
	if d.Want != "" || d.Got != "" {
		fmt.Fprintf(&b, "\n  want %s\n  got  %s", orNothing(d.Want), orNothing(d.Got))
	}
	return b.String()
}

func orNothing(s string) string {
	if s == "" {
		return "(nothing)"
	}
	return s
}

// Verification is what Verify found.
type Verification struct {
	Organizations int          `json:"organizations"`
	Users         int          `json:"users"`
	Entries       int          `json:"entries"` // in Redis
	Differences   []Difference `json:"differences"`
	Cut           bool         `json:"cut,omitempty"` // there are more differences than are listed
}

// mostDifferences bounds the report. A repair of more than these mends everything.
const mostDifferences = 1000

// Verifier proves the one invariant: assignments in SQL equal a full recomputation
// from facts and rules, and Redis equals SQL.
type Verifier struct {
	Store  *store.Store
	Writer *Writer // for its Redis; need not run. nil: only SQL is verified
	// Settle is how long a difference may take to heal by itself before it counts: a
	// running service is always a few milliseconds from equal. One that was there at the
	// beginning, and is the same at each look until then, did not heal.
	Settle time.Duration
}

// Verify compares everything and changes nothing.
func (v *Verifier) Verify(ctx context.Context) (Verification, error) {
	deadline := time.Now().Add(v.Settle)
	found, err := v.once(ctx)
	for err == nil && len(found.Differences) > 0 && time.Now().Before(deadline) {
		if !wait(ctx, 100*time.Millisecond) {
			return found, ctx.Err()
		}
		before := found
		if found, err = v.once(ctx); !found.Cut {
			// Under load there is always another change on its way.
			found.Differences = slices.DeleteFunc(found.Differences, func(d Difference) bool { return !slices.Contains(before.Differences, d) })
		}
	}
	return found, err
}

// Repair mends what Verify found: users are evaluated again by the engine, and the
// organizations that differ in Redis are filled anew. Verify again to see the result.
func (v *Verifier) Repair(ctx context.Context, e *Engine, found Verification) error {
	stale := map[directory.OrganizationID][]directory.UserID{} // nobody: everyone
	fill := map[directory.OrganizationID]bool{}
	for _, d := range found.Differences {
		fill[d.Organization] = true
		if d.Connection != "" {
			if err := v.Store.MendTally(ctx, store.Scope{Organization: d.Organization, Connection: d.Connection}); err != nil {
				return fmt.Errorf("repair %s: %w", d.Organization, err)
			}
		}
		if d.Where == inSQL && d.User != "" {
			stale[d.Organization] = append(stale[d.Organization], d.User)
		}
	}
	if found.Cut {
		err := v.eachOrganization(ctx, func(id directory.OrganizationID) error {
			stale[id], fill[id] = nil, true
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, organization := range slices.Sorted(maps.Keys(stale)) {
		err := v.Store.Transact(ctx, store.Scope{Organization: organization}, store.Facts, func(tx *store.Tx) error {
			if users := stale[organization]; users != nil {
				tx.StaleUsers(users, "verify --repair")
			} else {
				tx.StaleEveryone()
			}
			tx.BuryOrphans(e.now().UnixMicro(), project(mapping.Nothing()))
			return nil
		})
		if err != nil {
			return fmt.Errorf("repair %s: %w", organization, err)
		}
	}
	if err := e.WorkOff(ctx); err != nil {
		return err
	}
	if v.Writer == nil {
		return nil
	}
	var errs []error
	for _, organization := range slices.Sorted(maps.Keys(fill)) {
		_, err := v.Writer.fill(ctx, organization)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// errCut ends a look that has found enough.
var errCut = errors.New("there are more differences")

func (v *Verifier) once(ctx context.Context) (Verification, error) {
	found := Verification{Differences: []Difference{}}
	err := v.eachOrganization(ctx, func(id directory.OrganizationID) error {
		if err := v.organization(ctx, id, &found); err != nil {
			return fmt.Errorf("verify %s: %w", id, err)
		}
		if found.Cut {
			return errCut
		}
		found.Organizations++
		return nil
	})
	if errors.Is(err, errCut) {
		err = nil
	}
	return found, err
}

func (v *Verifier) eachOrganization(ctx context.Context, each func(directory.OrganizationID) error) error {
	var after directory.OrganizationID
	for {
		page, err := v.Store.Organizations(ctx, after, 1000)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, organization := range page {
			if err := each(organization.ID); err != nil {
				return err
			}
		}
		after = page[len(page)-1].ID
	}
}

func (f *Verification) add(d Difference) {
	if len(f.Differences) == mostDifferences {
		f.Cut = true
		return
	}
	f.Differences = append(f.Differences, d)
}

// organization compares one organization, a page of users at a time.
func (v *Verifier) organization(ctx context.Context, id directory.OrganizationID, found *Verification) error {
	catalog, err := v.Store.Catalog(ctx, id)
	if err != nil {
		return err
	}
	rules, err := v.Store.RuleSet(ctx, id)
	if err != nil {
		return err
	}
	program, err := mapping.Compile(catalog, rules.RuleSet)
	if err != nil {
		return err
	}
	want := wanted{subjects: map[string]bool{}, aliases: map[string][]string{}}
	var after directory.UserID
	for {
		page, err := v.Store.Assignments(ctx, id, after, fillPage)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		if err := v.recompute(ctx, id, program, page, found); err != nil {
			return err
		}
		for _, a := range page {
			want.subjects[string(a.User)] = true
			for _, alias := range a.Aliases {
				want.aliases[alias] = append(want.aliases[alias], string(a.User))
			}
		}
		if v.Writer != nil {
			if err := v.compareEntries(ctx, id, page, &want, found); err != nil {
				return err
			}
		}
		after = page[len(page)-1].User
	}
	missing, err := v.Store.UsersWithoutAssignment(ctx, id, mostDifferences)
	if err != nil {
		return err
	}
	for _, user := range missing {
		found.add(Difference{Organization: id, User: user, Where: inSQL, What: "the user has no assignment"})
	}
	if err := v.compareTallies(ctx, id, found); err != nil || v.Writer == nil {
		return err
	}
	if err := v.compareRest(ctx, id, want, found); err != nil {
		return err
	}
	return v.compareAliases(ctx, id, want, found)
}
