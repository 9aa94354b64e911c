package scim_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// sequence is what the providers of two tenants do, one step after the other. It is
// written as one step a line, in JSON, with comments behind #: what the property test
// prints when it fails can be put into testdata/sequences as it is.
type sequence []step

// step is one request, or another event.
type step struct {
	In string `json:"in,omitempty"` // "", or "other": the tenant beside it
	As string `json:"as,omitempty"` // a dialect
	Do string `json:"do"`
	// To is whom it is done to, by a handle: A to D for users, G to I for groups. A
	// handle means who was created by it last; before that, an id that nobody has.
	// "other A" is the user of the other tenant.
	To      string            `json:"to,omitempty"`
	Set     map[string]string `json:"set,omitempty"`
	Emails  []modelEmail      `json:"emails,omitempty"`
	Join    []string          `json:"join,omitempty"` // handles, externalIds, userNames
	Leave   []string          `json:"leave,omitempty"`
	IfMatch string            `json:"ifMatch,omitempty"` // "current", "stale", "*"
	Back    int               `json:"back,omitempty"`    // for "again": so many requests ago
}

func (steps sequence) String() string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	for _, s := range steps {
		_ = encoder.Encode(s) // strings only
	}
	return b.String()
}

// GoString is how rapid shows what was drawn.
func (steps sequence) GoString() string { return "\n" + steps.String() }

func parseSequence(text string) (steps sequence, err error) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		var s step
		decoder := json.NewDecoder(strings.NewReader(line))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&s); err != nil {
			return nil, fmt.Errorf("%w in %s", err, line)
		}
		steps = append(steps, s)
	}
	return steps, nil
}

// readSequences returns the sequences that once failed, by the name of their file.
func readSequences(t *testing.T) map[string]sequence {
	t.Helper()
	files, err := filepath.Glob("testdata/sequences/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no sequences: %v", err)
	}
	sequences := map[string]sequence{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		steps, err := parseSequence(string(text))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		sequences[strings.TrimSuffix(filepath.Base(file), ".txt")] = steps
	}
	return sequences
}

// What is drawn. Names come in several spellings, and are few, so that they collide.
var (
	handles = map[string][2]string{ // userName and externalId that a user mostly has
		"A": {"anna@x.com", "00uA"}, "B": {"bert@x.com", "00uB"}, "C": {"carl@x.com", "00uC"}, "D": {`zoë "z"@x.com`, "00uD"},
	}
	groupNames   = []string{"Admins", "Engineering", "Sales", "ADMINS", " engineering", "sales"}
	userNames    = []string{"anna@x.com", "Anna@X.com", "bert@x.com", "carl@x.com", `zoë "z"@x.com`, `ZOË "Z"@x.com`, "00uB"}
	externalIDs  = []string{"00uA", "00ua", "00uB", "00uC", "00uD", "bert@x.com"}
	texts        = []string{"Guide", "Chief, of all", "0", `"quoted" \ back`, "näïve ☃", "False"}
	addressTypes = []string{"work", "home", "other"}
	addresses    = []string{"one@x.com", "two@x.com", "three@x.com"}
	ruleSets     = []string{"both", "swapped", "none"}
)

// furnished is how a good part of the sequences begins, so that they get further.
var furnished = sequence{
	{As: "okta", Do: "post user", To: "A", Set: map[string]string{"userName": "anna@x.com", "externalId": "00uA", "name.givenName": "Anna", "name.familyName": "Jensen"}},
	{As: "entra", Do: "post user", To: "B", Set: map[string]string{"userName": "bert@x.com", "title": "Guide", wireDepartment: "Tours", wireManager: "26"}, Emails: []modelEmail{{"work", "one@x.com", "true"}}},
	{As: "entra, old", Do: "post user", To: "C", Set: map[string]string{"userName": "carl@x.com", "active": "false"}},
	{As: "okta", Do: "post group", To: "G", Set: map[string]string{"displayName": "Admins"}, Join: []string{"A", "C"}},
	{As: "rfc", Do: "post group", To: "H", Set: map[string]string{"displayName": "Engineering"}, Join: []string{"B", "00uC"}},
	{In: "other", As: "okta", Do: "post user", To: "A", Set: map[string]string{"userName": "anna@x.com", "externalId": "00uA"}},
	{In: "other", As: "entra", Do: "post group", To: "G", Set: map[string]string{"displayName": "Admins"}, Join: []string{"A", "other A"}},
}

// sequences draws them. Steps are drawn without regard to each other, so that one can
// be left out of a sequence that fails and the rest means the same.
var sequences = rapid.Custom(func(r *rapid.T) sequence {
	var steps sequence
	for _, s := range furnished {
		if rapid.IntRange(0, 3).Draw(r, "furnished") > 0 {
			steps = append(steps, s)
		}
	}
	for range 4 { // parts of five steps on an average, each of which can shrink to none
		steps = append(steps, rapid.SliceOfN(rapid.Custom(drawStep), 0, 12).Draw(r, "steps")...)
	}
	return steps
})

func oneOf[T any](r *rapid.T, label string, from ...T) T {
	return rapid.SampledFrom(from).Draw(r, label)
}

func drawStep(r *rapid.T) step {
	s := step{
		In: oneOf(r, "tenant", "", "", "", "other"),
		As: oneOf(r, "dialect", slices.Sorted(maps.Keys(wireDialects))...),
		Do: oneOf(r, "do",
			"post user", "post user", "post user", "put user", "put user", "patch user", "patch user", "patch user", "patch user", "delete user",
			"set email", "make email primary", "add emails", "replace emails", "remove email", "remove emails",
			"post group", "post group", "put group", "put group", "patch group", "patch group", "patch group", "patch group backwards",
			"replace members of group", "remove all members of group", "delete group", "again", "again", "publish rules"),
	}
	switch s.Do {
	case "again":
		return step{Do: s.Do, Back: rapid.IntRange(1, 4).Draw(r, "back")}
	case "publish rules":
		return step{In: s.In, Do: s.Do, To: oneOf(r, "rules", ruleSets...)}
	}
	s.IfMatch = oneOf(r, "ifMatch", "", "", "", "", "", "current", "stale", "*")
	if strings.Contains(s.Do, "group") {
		drawGroup(r, &s)
	} else {
		drawUser(r, &s)
	}
	return s
}

func drawUser(r *rapid.T, s *step) {
	s.To = oneOf(r, "user", "A", "A", "B", "B", "C", "C", "D", "D", "other A", "nobody")
	creates := s.Do == "post user"
	if creates {
		s.To, s.IfMatch = oneOf(r, "handle", "A", "B", "C", "D"), ""
	}
	switch s.Do {
	case "post user", "put user":
		s.Set = drawSome(r, 4)
		s.Set["userName"] = oneOf(r, "own name", handles[s.To][0], handles[s.To][0], oneOf(r, "userName", userNames...))
		s.Set["externalId"] = oneOf(r, "own id", handles[s.To][1], handles[s.To][1], oneOf(r, "externalId", externalIDs...), "")
		for path, value := range s.Set {
			if value == "" {
				delete(s.Set, path)
			}
		}
		s.Emails = drawEmails(r, 0, 2)
	case "patch user":
		s.Set = drawSome(r, 3)
	case "set email":
		s.Emails = drawEmails(r, 1, 1)
		s.Emails[0].Primary = ""
		if rapid.IntRange(0, 3).Draw(r, "emptied") == 0 {
			s.Emails[0].Value = ""
		}
	case "make email primary", "remove email":
		s.Emails = []modelEmail{{Type: oneOf(r, "type", addressTypes...)}}
	case "add emails", "replace emails":
		s.Emails = drawEmails(r, 0, 3)
	}
}

// drawSome draws a few attributes, some of them to be unset.
func drawSome(r *rapid.T, most int) map[string]string {
	some := map[string]string{}
	for range rapid.IntRange(0, most).Draw(r, "attributes") {
		switch path := oneOf(r, "attribute", append(userPaths, "active", "name.givenName", "name.familyName")...); path {
		case "userName":
			some[path] = oneOf(r, "userName", append(userNames, "")...)
		case "externalId":
			some[path] = oneOf(r, "externalId", append(externalIDs, "")...)
		case "active":
			some[path] = oneOf(r, "active", "true", "false", "false", "true", "")
		default:
			some[path] = oneOf(r, "text", append(texts, "", "")...)
		}
	}
	return some
}

func drawEmails(r *rapid.T, least, most int) []modelEmail {
	return rapid.SliceOfN(rapid.Custom(func(r *rapid.T) modelEmail {
		return modelEmail{oneOf(r, "type", addressTypes...), oneOf(r, "address", addresses...), oneOf(r, "primary", "", "", "true", "false")}
	}), least, most).Draw(r, "emails")
}

func drawGroup(r *rapid.T, s *step) {
	s.To = oneOf(r, "group", "G", "G", "G", "H", "H", "I", "other G", "nobody")
	if s.Do == "post group" {
		s.To, s.IfMatch = oneOf(r, "handle", "G", "H", "I"), ""
	}
	members := rapid.SliceOfN(rapid.OneOf(
		rapid.SampledFrom([]string{"A", "B", "C", "D"}), rapid.SampledFrom([]string{"A", "B", "C", "D", "other A"}),
		rapid.SampledFrom(userNames), rapid.SampledFrom(externalIDs)), 0, 3)
	name := func() string { return oneOf(r, "displayName", append(groupNames, "")...) }
	switch s.Do {
	case "post group", "put group":
		s.Set = map[string]string{"displayName": name(), "externalId": oneOf(r, "externalId", "", "g1", "g2")}
		s.Join = members.Draw(r, "join")
	case "patch group", "patch group backwards":
		s.Set = map[string]string{}
		if rapid.IntRange(0, 2).Draw(r, "renamed") == 0 {
			s.Set["displayName"] = name()
		}
		if rapid.IntRange(0, 4).Draw(r, "externalId changed") == 0 {
			s.Set["externalId"] = oneOf(r, "externalId", "", "g1", "g2")
		}
		s.Join, s.Leave = members.Draw(r, "join"), members.Draw(r, "leave")
	case "replace members of group":
		s.Join = members.Draw(r, "join")
	}
}
