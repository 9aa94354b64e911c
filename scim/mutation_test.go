package scim

import (
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// mutations is how many inputs the parsers are tried on: a few seconds' worth here, ten
// million by `make soak`, which is not guided by coverage and so goes a hundred times
// faster than `make fuzz`.
func mutations(t *testing.T) int64 {
	text := os.Getenv("ROLESYNC_MUTATIONS")
	if text == "" {
		return 30_000
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatalf("ROLESYNC_MUTATIONS: %v", err)
	}
	return n
}

// fragments are what the languages of filters, paths and bodies are made of, and what
// tears them.
var fragments = []string{
	`(`, `)`, `[`, `]`, `{`, `}`, `"`, `\`, `\"`, `\u0000`, `\ud83d`, `.`, `:`, `,`, ` `, "\t", "\x00", "\xff", "é", "ß", "\u0307", "\U0001F600", `eq`, `ne`, `co`, `sw`, `ew`, `gt`, `le`, `pr`,
	` and `, ` or `, `not (`, `not`, `true`, `null`, `-1e9`, `0`, `1.5`, `userName`, `emails`, `emails[type eq "work"]`, `.value`, `members`, `members[value eq "usr_1"]`, `meta.created`,
	`urn:ietf:params:scim:schemas:core:2.0:User:`, `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager`, `$ref`, `"op":"remove"`, `"path":`, `"value":`, `null,`, `[[[[[[[[`, `((((((((`,
	strings.Repeat(`(`, 30), strings.Repeat(`[`, 80), `"Operations":[`, `{"value":`, `"primary":true`, `"active":"False"`,
}

// mutated tears a piece out of an input, doubles one, or puts something in, some times.
func mutated(r *rand.Rand, seeds []string) string {
	s := seeds[r.IntN(len(seeds))]
	for range 1 + r.IntN(4) {
		at := r.IntN(len(s) + 1)
		end := min(len(s), at+r.IntN(12))
		switch r.IntN(5) {
		case 0:
			s = s[:at] + s[end:]
		case 1:
			s = s[:at] + s[at:end] + s[at:end] + s[end:]
		case 2:
			s = s[:at] + string([]byte{byte(r.IntN(256))}) + s[end:]
		case 3:
			other := seeds[r.IntN(len(seeds))]
			from := r.IntN(len(other) + 1)
			s = s[:at] + other[from:min(len(other), from+r.IntN(40))] + s[at:]
		default:
			s = s[:at] + fragments[r.IntN(len(fragments))] + s[end:]
		}
		if len(s) > 4<<10 {
			s = s[:4<<10]
		}
	}
	return s
}

// Whatever a filter, a path or the body of a PATCH was torn to: nothing panics, what is
// refused is the client's fault and says so, and what is accepted leaves a resource that
// holds together.
func TestParsersSurviveMutations(t *testing.T) {
	total := mutations(t)
	filters := []string{`userName eq "bjensen"`, `title pr and not (userType ne "Employee" or active eq false)`, `emails[type eq "work" and value co "@example.com"].value ew "org"`,
		`meta.lastModified gt "2011-05-13T04:42:34Z"`, `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "1"`, `groups[display sw "A"] or schemas co "core"`, `externalId eq null and id ge "usr_"`}
	paths := []string{`name.familyName`, `emails[type eq "work" and primary eq true].value`, `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department`, `members[value eq "usr_1" or value eq "usr_2"]`, `addresses[not (type eq "home")]`}
	var bodies []string
	for _, r := range allRecorded(t) {
		if strings.HasPrefix(r.Request, "PATCH") {
			bodies = append(bodies, string(r.Body))
		}
	}
	var tried atomic.Int64
	var workers sync.WaitGroup
	for worker := range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			r := rand.New(rand.NewPCG(uint64(worker), 7644))
			for n := tried.Add(1); n <= total && !t.Failed(); n = tried.Add(1) {
				switch n % 3 {
				case 0:
					surviveFilter(t, mutated(r, filters))
				case 1:
					survivePath(t, mutated(r, paths))
				default:
					survivePatch(t, mutated(r, bodies), n%64 == 2)
				}
			}
		})
	}
	workers.Wait()
	t.Logf("%d inputs", total)
}

func surviveFilter(t *testing.T, s string) {
	for _, rt := range []*resourceType{builtin.user, builtin.group} {
		selection, err := newSelection(rt, query{filter: s, filtered: true}, nil)
		if err != nil {
			if e := problem(err); e.Status != 400 || e.ScimType != "invalidFilter" {
				t.Errorf("filter %q: %v", s, err)
			}
			continue
		}
		c := candidate{of: rt, document: []byte(map[*resourceType]string{builtin.user: bjensen, builtin.group: guides}[rt]), marks: make([]bool, len(selection.marks))}
		selection.clause.holds(&c)
	}
}

func survivePath(t *testing.T, s string) {
	for _, rt := range []*resourceType{builtin.user, builtin.group} {
		if _, err := rt.target(s); err != nil && !isUnknown(err) {
			if e := problem(err); e.Status != 400 || e.ScimType != "invalidPath" {
				t.Errorf("path %q: %v", s, err)
			}
		}
	}
}

func survivePatch(t *testing.T, body string, whole bool) {
	for _, rt := range []*resourceType{builtin.user, builtin.group, builtin.strict.user} {
		before := guides
		if rt.name == "User" {
			before = bjensen
		}
		after, _, err := try(rt, "PATCH", before, body)
		switch {
		case err != nil:
			if e := problem(err); e.Status != 400 && e.Status != 413 || e.Detail == "" {
				t.Errorf("PATCH %q: %v", body, err)
			}
		case whole:
			holdsTogether(t, rt, after)
		}
	}
}
