package simulate

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// fate is what the session does to a person after the push.
type fate string

const (
	stays       fate = ""
	updated     fate = "profile changed"
	moved       fate = "moved"
	deactivated fate = "deactivated"
	returned    fate = "deactivated, then active again"
	deleted     fate = "deleted"
)

// person is a user as the provider has them.
type person struct {
	userName, email, given, family, externalID, title, department, password string

	fate   fate
	active bool
	id     string // the server's, "" until the push has succeeded
	gone   bool   // deleted there
}

func (p *person) displayName() string { return p.given + " " + p.family }

// marry changes what a profile change changes, all but the userName.
func (p *person) marry() {
	p.family += "-Lindqvist"
	_, domain, _ := strings.Cut(p.userName, "@")
	p.email = plain(p.given) + "." + plain(p.family) + "@" + domain
	p.title = "Head of " + p.department
}

// group is a group as the provider has it. It is pushed as name; formerName is what a
// former session may have left it as.
type group struct {
	name, formerName, externalID string

	members []*person // those whom the provider has in it now
	id      string    // the server's, "" until the push has succeeded
}

func (g *group) join(p *person) { g.members = append(g.members, p) }

func (g *group) leave(p *person) {
	g.members = slices.DeleteFunc(g.members, func(m *person) bool { return m == p })
}

// plan is all that a session will do, decided before it begins.
type plan struct {
	people []*person
	groups []*group

	renamed  *group // nil when there is none to rename
	rename   string // its new name
	mover    *person
	from, to *group
	passing  *group // pushed and deleted at the end, where groups are deleted
}

// The groups that the demo organization's rules name, in order.
var groupNames = []string{"Engineering", "IT Admins", "Finance", "support-emea", "Everyone"}

const (
	engineering, itAdmins, finance, support, everyone = 0, 1, 2, 3, 4
	financeRenamed                                    = "Finance & Accounting" // an & that must survive a query string
)

// departments says which groups the nth person of ten is in, besides Everyone and a
// team: few enough people show every role, some two, some only the default.
var departments = [10][]int{
	{engineering}, {support}, {finance}, {engineering}, {itAdmins},
	{engineering}, {}, {support}, {engineering, finance}, {},
}

// fates gives the nth person something to go through. The one who moves is chosen by
// group.
var fates = map[int]fate{2: updated, 3: deactivated, 5: returned, 7: deleted}

func newPlan(o Options) *plan {
	profile, place := o.Provider.profile(), o.Provider.index()
	half, stream := place%2, uint64(4*(place/2)+place%2)
	p := &plan{}
	random := rand.New(rand.NewPCG(o.Seed, stream+2))
	for n := range o.Groups {
		name := fmt.Sprintf("team-%03d", n-len(groupNames)+1)
		if n < len(groupNames) {
			name = groupNames[n]
		}
		p.groups = append(p.groups, &group{name: name, externalID: guid(random)})
	}

	// A source of their own, so that the people are the same for any number of groups.
	random = rand.New(rand.NewPCG(o.Seed, stream))
	// Okta's people have one half of the family names and Entra's the other; those of
	// other providers have another domain. Names repeat as late as they can: a given name
	// after 40 people, a pair after 1,000, and then with a number.
	given, family := random.Perm(len(givenNames)), random.Perm(len(familyNames)/2)
	pairs := len(given) * len(family)
	cycle := 200 // least common multiple of 40 and 25: after it the same pairs would meet
	for n := range o.Users {
		given := givenNames[given[n%len(given)]]
		family := familyNames[2*family[(n+n/cycle)%len(family)]+half]
		number := ""
		if round := n / pairs; round > 0 {
			number = fmt.Sprint(round + 1)
		}
		someone := &person{
			userName: plain(given) + "." + plain(family) + number + "@" + profile.domain,
			given:    given,
			family:   family,
			title:    titles[random.IntN(len(titles))],
			password: letters(random, 8),
			active:   true,
			fate:     fates[n],
		}
		someone.email = someone.userName
		someone.externalID = profile.externalID(random)
		if someone.fate == deleted && !profile.deletesUsers {
			someone.fate = stays
		}
		p.people = append(p.people, someone)
		p.join(n, someone)
	}
	p.choose(profile, random)
	return p
}

// join puts the nth person into their groups.
func (p *plan) join(n int, someone *person) {
	someone.department = "Operations"
	in := slices.Clone(departments[n%len(departments)])
	for i, g := range in {
		if i == 0 && g < len(p.groups) {
			someone.department = p.groups[g].name
		}
	}
	in = append(in, everyone)
	if teams := len(p.groups) - len(groupNames); teams > 0 {
		in = append(in, len(groupNames)+n%teams)
	}
	for _, g := range in {
		if g < len(p.groups) {
			p.groups[g].join(someone)
		}
	}
}

// choose picks what the changes at the end are about, as far as there are people and
// groups for it.
func (p *plan) choose(profile profile, random *rand.Rand) {
	for _, g := range []int{support, finance, itAdmins} {
		if p.mover != nil || g >= len(p.groups) {
			continue
		}
		if i := slices.IndexFunc(p.groups[g].members, func(m *person) bool { return m.fate == stays }); i >= 0 {
			p.mover, p.from, p.to = p.groups[g].members[i], p.groups[g], p.groups[engineering]
			p.mover.fate = moved
		}
	}
	if finance < len(p.groups) {
		p.renamed, p.rename = p.groups[finance], financeRenamed
		p.renamed.formerName = financeRenamed
	}
	if profile.deletesGroups && len(p.people) > 0 {
		p.passing = &group{name: "Summer Offsite", externalID: guid(random), members: slices.Clone(p.people[:min(3, len(p.people))])}
	}
}

func letters(random *rand.Rand, n int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[random.IntN(len(alphabet))]
	}
	return string(b)
}

// plain writes a name as it stands in an address: "Zoë" is "zoe".
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) || r == '\'' || r == ' ' {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFD.String(name))
}

var givenNames = []string{
	"Aisha", "Amélie", "Ana", "Arjun", "Ben", "Carla", "Chloe", "Clara", "Daniel", "Elif",
	"Emma", "Farid", "Freya", "Grace", "Hiro", "Ines", "Ivan", "Jane", "João", "Julia",
	"Kenji", "Lena", "Liam", "Lucía", "Maja", "Marco", "Mei", "Mohamed", "Nadia", "Noah",
	"Olga", "Omar", "Paul", "Priya", "Rosa", "Samir", "Sofia", "Tomás", "Yara", "Zoë",
}

var familyNames = []string{
	"Ahmed", "Andersson", "Bauer", "Bianchi", "Brown", "Chen", "Costa", "Dubois", "Fischer", "García",
	"Gupta", "Haddad", "Hansen", "Ito", "Jansen", "Johnson", "Kaya", "Kim", "Kowalski", "Lee",
	"Martin", "Mbeki", "Meyer", "Moreau", "Müller", "Nguyen", "Novák", "Núñez", "O'Brien", "Okafor",
	"Papadopoulos", "Patel", "Petrov", "Rossi", "Sato", "Schmidt", "Silva", "Singh", "Smith", "Suzuki",
	"Tanaka", "Taylor", "Torres", "Virtanen", "Walker", "Weber", "Williams", "Wilson", "Yamamoto", "Zhang",
}

var titles = []string{"Engineer", "Senior Engineer", "Analyst", "Specialist", "Manager", "Team Lead", "Consultant", "Director"}
