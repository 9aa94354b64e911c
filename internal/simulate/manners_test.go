package simulate

import (
	"net/http"
	"regexp"
	"slices"
)

// manners is what a provider is documented to send, as far as a server can tell it from
// one request.
type manners struct {
	headers map[string]string // of every request, besides Authorization
	body    string            // Content-Type of a request with a body; "" where headers has it
	// What follows /Users and /Groups in a list, the "?" included. The group "value" is
	// what is looked up, "start" the index of a page.
	users, groups *regexp.Regexp
	user, group   func() any // the shape of a created resource, and of a replaced one
	sends         []string   // to a resource: "PUT Users"
	hangs         bool       // each path to a resource ends with "?"
	reads         string     // the query of a group that is read
	discovers     bool       // it reads ServiceProviderConfig
	active        string     // how active is written in a PATCH: "boolean" or "text"

	// A PATCH of a group.
	operations int      // at most so many
	single     bool     // an operation names one member
	byValue    bool     // a removal lists members, and does not name one in the path
	pathless   []string // the keys of a value without a path
}

const scimJSON, utf8JSON = "application/scim+json", "application/scim+json; charset=utf-8"

// The queries that more than one provider has.
var (
	everything = regexp.MustCompile(`^(?:\?startIndex=(?P<start>\d+))?$`)
	pages      = regexp.MustCompile(`^\?startIndex=(?P<start>\d+)&count=100$`)
)

var etiquette = map[Provider]manners{
	Okta: {
		headers: map[string]string{"Accept": scimJSON, "User-Agent": "Okta SCIM Client 1.0.0", "Accept-Charset": "utf-8"}, body: utf8JSON,
		users:  regexp.MustCompile(`^\?(?:filter=userName%20eq%20%22(?P<value>[^&+ ]+)%22&startIndex=1&count=100|startIndex=1&count=2)$`),
		groups: regexp.MustCompile(`^\?(?:filter=displayName%20eq%20%22(?P<value>[^&+ ]+)%22&)?startIndex=1&count=100$`),
		user:   func() any { return new(oktaUser) }, group: func() any { return new(oktaGroup) },
		sends:  []string{"GET Users", "PUT Users", "PATCH Users", "PATCH Groups", "DELETE Groups"},
		active: "boolean", operations: 1, pathless: []string{"displayName", "id"},
	},
	Entra: {
		headers: map[string]string{"Accept": scimJSON}, body: utf8JSON,
		users:  regexp.MustCompile(`^\?filter=userName\+eq\+%22(?P<value>[^& ]+)%22$`),
		groups: regexp.MustCompile(`^\?excludedAttributes=members&filter=displayName\+eq\+%22(?P<value>[^& ]+)%22$`),
		user:   func() any { return new(entraUser) }, group: func() any { return new(entraGroup) },
		sends:  []string{"GET Users", "PATCH Users", "DELETE Users", "GET Groups", "PATCH Groups"},
		reads:  "?excludedAttributes=members",
		active: "text", operations: 1, single: true, byValue: true,
	},
	OneLogin: {
		headers: map[string]string{}, body: scimJSON,
		users:  regexp.MustCompile(`^\?filter=userName\+eq\+%22(?P<value>[^& ]+)%22&$`),
		groups: regexp.MustCompile(`^\?(?:startIndex=(?P<start>\d+))?$`),
		user:   func() any { return new(oneLoginUser) }, group: func() any { return new(bareGroup) },
		sends: []string{"PUT Users", "DELETE Users", "PATCH Groups"},
		hangs: true, operations: 1, single: true,
	},
	JumpCloud: {
		headers: map[string]string{"Accept": scimJSON}, body: utf8JSON,
		users:  regexp.MustCompile(`^(?:\?filter=userName%20eq%20%22(?P<value>[^&+ ]+)%22)?$`),
		groups: regexp.MustCompile(`^\?filter=displayName%20eq%20%22(?P<value>[^&+ ]+)%22$`),
		user:   func() any { return new(jumpCloudUser) }, group: func() any { return new(oktaGroup) },
		sends:      []string{"PUT Users", "DELETE Users", "PATCH Groups", "DELETE Groups"}, // a user: the test's only
		operations: 1, byValue: true,
	},
	Google: {
		headers: map[string]string{"Accept": "application/json", "User-Agent": "Google-Auto-Provisioning"}, body: "application/json",
		users:  regexp.MustCompile(`^(?:\?filter=userName%20eq%20%22(?P<value>[^&+ ]+)%22&startIndex=1)?$`),
		groups: regexp.MustCompile(`^\?filter=displayName%20eq%20%22(?P<value>[^&+ ]+)%22&startIndex=1$`),
		user:   func() any { return new(googleUser) }, group: func() any { return new(bareGroup) },
		sends:  []string{"PUT Users", "PATCH Users", "DELETE Users", "PATCH Groups"},
		active: "boolean", operations: 1,
	},
	Ping: {
		headers: map[string]string{"Accept": scimJSON}, body: utf8JSON,
		users:  regexp.MustCompile(`^\?(?:filter=username\+Eq\+%22(?P<value>[^& ]+)%22|startIndex=1&count=1)$`),
		groups: regexp.MustCompile(`^\?filter=displayName\+Eq\+%22(?P<value>[^& ]+)%22$`),
		user:   func() any { return new(pingUser) }, group: func() any { return new(namedGroup) },
		sends:      []string{"PUT Users", "DELETE Users", "PATCH Groups", "DELETE Groups"},
		operations: 1,
	},
	Rippling: {
		headers: map[string]string{"Accept": scimJSON}, body: utf8JSON,
		users: pages, groups: pages, discovers: true,
		user: func() any { return new(ripplingUser) }, group: func() any { return new(namedGroup) },
		sends:  []string{"PATCH Users", "DELETE Users", "PATCH Groups", "DELETE Groups"},
		active: "boolean", operations: 1, single: true,
	},
	Keycloak: {
		headers: map[string]string{"User-Agent": "Apache-HttpClient/4.5.14 (Java/21.0.5)", "Content-Type": scimJSON},
		users:   everything, groups: everything,
		user: func() any { return new(keycloakUser) }, group: func() any { return new(keycloakGroup) },
		sends: []string{"PUT Users", "DELETE Users", "PUT Groups", "DELETE Groups"},
	},
	Authentik: {
		headers: map[string]string{"Accept": scimJSON, "User-Agent": "authentik@2025.10.0", "Content-Type": scimJSON},
		users:   everything, groups: everything, discovers: true,
		user: func() any { return new(authentikUser) }, group: func() any { return new(authentikGroup) },
		sends:      []string{"PUT Users", "DELETE Users", "GET Groups", "PATCH Groups", "DELETE Groups"},
		operations: maxOperations, single: true, byValue: true, pathless: []string{"displayName", "externalId", "id", "schemas"},
	},
}

// maxOperations is what the server says in its ServiceProviderConfig.
const maxOperations = 3

func (m manners) may(method, kind string) bool { return slices.Contains(m.sends, method+" "+kind) }

// after is what follows the path to a resource.
func (m manners) after(method, kind string) string {
	switch {
	case m.hangs:
		return "?"
	case method == http.MethodGet && kind == "Groups":
		return m.reads
	}
	return ""
}
