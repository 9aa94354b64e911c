package adminapi

import (
	"encoding/json"
	"net/http"
	"path"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gorilla/mux"
)

const introduction = "Organizations, their connections, roles, rules, and what follows from them. " +
	"Every operation needs an admin key: Authorization: Bearer rs_admin_… Times are RFC 3339 in UTC. " +
	"Lists give a cursor, next, which the parameter after takes. " +
	"Errors are problems as in RFC 9457; unknown fields and parameters are among them. " +
	"An id of another organization does not exist."

var tags = []*huma.Tag{
	{Name: "organizations", Description: "The customers."},
	{Name: "connections", Description: "Identity-provider integrations of an organization."},
	{Name: "saml", Description: "What only SAML connections have: the identity provider, our keys, test logins."},
	{Name: "tokens", Description: "The bearer tokens of a connection."},
	{Name: "clients", Description: "The OAuth clients of a connection, for identity providers that ask for a token URL, a client id and a client secret."},
	{Name: "applications", Description: "What people sign in to."},
	{Name: "schemas", Description: "What an organization adds to the attributes that SCIM knows."},
	{Name: "roles", Description: "What rules may grant, in every organization."},
	{Name: "rules", Description: "Which groups give which roles, in one organization."},
	{Name: "groups", Description: "The groups that connections have brought."},
	{Name: "users", Description: "The users that connections have brought, what they have, and why."},
	{Name: "audit", Description: "Who did what, because of which request."},
	{Name: "admin keys", Description: "The keys of this API."},
}

// descriptions documents the types of package mapping, which knows nothing of OpenAPI.
// A name is that of the schema, a dot, and that of the property.
var descriptions = map[string]string{
	"Role.key":         "Names the role to programs.",
	"Role.name":        "For people.",
	"Role.description": "For people.",
	"Role.rank":        "Unique; of several roles, the one of highest rank is the primary one.",
	"Role.permissions": "What it allows: resource:action.",

	"RuleSet.combine":              "Which of the granted roles a user keeps: union (all, the default) or highest (only the one of highest rank).",
	"RuleSet.default_role":         "Given to an active user whom no rule gives a role.",
	"RuleSet.on_no_match":          "What an active user without a role gets: default (the default role; that is the default when there is one), none, or deny_login.",
	"RuleSet.expand_nested_groups": "Whether groups count that a user is in only through nested ones, up to five steps. By default they do not.",
	"RuleSet.rules":                "All are tried; none stops another. At most 5000.",

	"Rule.id":          "Names the rule within its rule set: 1 to 64 of a-z, 0-9, _ and -.",
	"Rule.name":        "For people.",
	"Rule.description": "For people.",
	"Rule.paused":      "A paused rule is checked like any other but never matches.",
	"Rule.when":        "What must hold for a user.",
	"Rule.grant":       "What the user then gets.",

	"Condition.group":         "The user is in at least one group that this selects.",
	"GroupMatcher.id":         "The group's id, grp_…: survives a rename.",
	"GroupMatcher.name":       "The whole display name, without regard to case.",
	"GroupMatcher.glob":       "A pattern of the whole display name, without regard to case: * is any run of characters, ? is one, a backslash takes the meaning from the next.",
	"GroupMatcher.regexp":     "An RE2 expression of the whole display name, without regard to case.",
	"GroupMatcher.connection": "Only groups of this connection, conn_…",
	"Grant.roles":             "Keys of roles.",
	"Grant.permissions":       "Permissions beside those of the roles: resource:action.",

	"Source.role":       "The role that it is a reason for.",
	"Source.permission": "Or the permission that is granted beside roles.",
	"Source.origin":     "rule, or default for the default role.",
	"Source.rule":       "The rule.",
	"Source.group":      "The group that the rule matches.",
	"Source.group_name": "The group's display name.",
	"Source.connection": "The connection that brought the group.",
	"Source.via":        "The user's own group through which it is in that group, if it is not directly.",
	"Source.via_name":   "Its display name.",

	"PermissionReason.permission": "The permission.",
	"PermissionReason.roles":      "The user's roles that it comes with, highest rank first.",
	"PermissionReason.sources":    "The rules that grant it beside roles.",

	"RuleOutcome.rule":    "The id of the rule.",
	"RuleOutcome.name":    "Its name.",
	"RuleOutcome.outcome": "matched; paused (not tried); no_group_matches; nested_only (a group matches, but the user is in it only through nested ones, which expand_nested_groups does not count); not_authoritative (a group matches, but comes from a kind of connection whose groups do not count in the organization); connection_differs (a group matches, but comes from another connection than the rule asks for).",
	"RuleOutcome.groups":  "The groups that it matches; for nested_only, not_authoritative and connection_differs, those that it would match. At most 100.",
	"RuleOutcome.more":    "How many more groups there are.",

	"GroupReference.group":      "The id of the group.",
	"GroupReference.name":       "Its display name.",
	"GroupReference.connection": "The connection that brought it.",
	"GroupReference.via":        "The user's own group through which it is in this one, if it is not directly.",
	"GroupReference.via_name":   "Its display name.",
}

// finish completes the document: it describes what has no description yet, says of
// arrays that they are not null, which none is, and leaves it open that answers have
// more fields one day (requests must not have unknown ones).
func finish(document *huma.OpenAPI) {
	schemas := document.Components.Schemas
	asked := map[string]bool{}
	for _, item := range document.Paths {
		for _, op := range []*huma.Operation{item.Post, item.Put, item.Patch} {
			if op != nil && op.RequestBody != nil {
				reach(schemas, op.RequestBody.Content["application/json"].Schema, asked)
			}
		}
	}
	for name, schema := range schemas.Map() {
		if !asked[name] {
			schema.AdditionalProperties = nil
		}
		for property, s := range schema.Properties {
			if s.Description == "" {
				s.Description = descriptions[name+"."+property]
			}
			if s.Description == "" && name == "RuleSetChange" {
				s.Description = descriptions["RuleSet."+property]
			}
			if s.Type == huma.TypeArray {
				s.Nullable = false
			}
		}
	}
}

// reach notes the names of all schemas that the given one refers to.
func reach(schemas huma.Registry, schema *huma.Schema, names map[string]bool) {
	switch {
	case schema == nil:
	case schema.Ref != "":
		if name := path.Base(schema.Ref); !names[name] {
			names[name] = true
			reach(schemas, schemas.SchemaFromRef(schema.Ref), names)
		}
	default:
		reach(schemas, schema.Items, names)
		for _, property := range schema.Properties {
			reach(schemas, property, names)
		}
	}
}

// serveDocuments adds the OpenAPI document and a page made of it. They hold no data, so
// they need no key; each is made when it is first asked for.
func (h *Handler) serveDocuments(sub *mux.Router, document *huma.OpenAPI) {
	serve := func(at, contentType, policy string, make func() ([]byte, error)) {
		made := sync.OnceValues(make)
		sub.Path(at).Methods(http.MethodGet).HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := made()
			if err != nil {
				h.refuse(w, r, h.problem(r.Context(), err))
				return
			}
			w.Header().Set("Content-Type", contentType)
			w.Header().Set("X-Content-Type-Options", "nosniff")
			w.Header().Set("Content-Security-Policy", policy)
			_, _ = w.Write(body) // the client may be gone
		})
	}
	const nothing = "default-src 'none'; frame-ancestors 'none'"
	serve("/openapi.json", "application/openapi+json", nothing, func() ([]byte, error) { return json.Marshal(document) })
	serve("/openapi.yaml", "application/openapi+yaml", nothing, document.YAML)
	serve("/docs", "text/html; charset=utf-8", nothing+"; style-src '"+styleHash()+"'", func() ([]byte, error) { return page(document) })
}
