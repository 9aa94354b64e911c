// Package adminapi serves the admin use cases as JSON over HTTP, under /api/v1. The
// OpenAPI 3.1 document at /api/v1/openapi.json (and .yaml) is made from the code;
// /api/v1/docs shows it without a script.
//
// It turns requests into calls of package admin and its answers into JSON; what may be
// done, and what follows, is decided there. It knows neither SQL nor Redis.
//
// What always holds:
//
//   - Every operation asks for an admin key as a bearer token, before anything else of
//     the request is looked at. Cookies are not used, so there is no cross-site request
//     to fear.
//   - Every error is an RFC 9457 problem (application/problem+json). What is wrong with
//     a request is a 400 that lists all of it, each with its place; internal text does
//     not leave, it is logged once under the request's id.
//   - Unknown fields, unknown parameters, repeated ones and empty ones are refused: a
//     misspelt filter must not list everybody.
//   - Times are RFC 3339 in UTC. Lists are in a stable order and give a cursor, next,
//     for the parameter after.
//   - No answer is stored by a cache.
package adminapi

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humamux"
	"github.com/gorilla/mux"

	"github.com/rolesync/rolesync/internal/admin"
	"github.com/rolesync/rolesync/internal/directory"
)

// Base is where the API is mounted.
const Base = "/api/v1"

// Handler is the API. Its fields are required and not changed after Mount.
type Handler struct {
	Admin *admin.Service
	Log   *slog.Logger

	// RequestID returns the id of the request that the context belongs to.
	RequestID func(context.Context) string
	// SCIMURL returns the base URL that an identity provider is given for a connection.
	SCIMURL func(directory.ConnectionID) string
}

// Mount adds the API to the router. It relies on no setting of the router, but paths
// reach it as they were sent only from one with SkipClean and UseEncodedPath.
func (h *Handler) Mount(r *mux.Router) {
	sub := r.PathPrefix(Base + "/").Subrouter().UseEncodedPath()
	api := humamux.New(sub, h.config())
	api.UseMiddleware(h.guard)
	for _, add := range []func(huma.API){
		h.organizations, h.connections, h.saml, h.health, h.tokens, h.clients, h.applications, h.schemas, h.roles, h.rules, h.groups, h.users, h.audit, h.adminKeys,
	} {
		add(api)
	}
	finish(api.OpenAPI())
	h.serveDocuments(sub, api.OpenAPI())
	sub.NotFoundHandler = h.unmatched(sub)
	sub.MethodNotAllowedHandler = sub.NotFoundHandler
}

func (h *Handler) config() huma.Config {
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	registry.RegisterTypeAlias(typeOf[huma.ErrorModel](), typeOf[problem]())
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title:       "rolesync admin API",
				Version:     "1",
				Description: introduction,
				License:     &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
			},
			Servers: []*huma.Server{{URL: Base}},
			Components: &huma.Components{
				Schemas: registry,
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"adminKey": {Type: "http", Scheme: "bearer", Description: "An admin key, rs_admin_…"},
				},
			},
			Security: []map[string][]string{{"adminKey": {}}},
			Tags:     tags,
		},
		Formats:                      map[string]huma.Format{"application/json": strictJSON, "json": strictJSON},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{h.transform},
	}
}

// unmatched answers for what is no operation: 405 with the methods that the path has
// (RFC 9110 §15.5.6), or 404. The router's own word for a wrong method does not count:
// under a prefix it forgets it when a later route has the prefix too (mux v1.8.1).
func (h *Handler) unmatched(sub *mux.Router) http.Handler {
	methods := []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, method := range methods {
			other := r.Clone(r.Context())
			other.Method = method
			if match := (mux.RouteMatch{}); sub.Match(other, &match) && match.MatchErr == nil && match.Route != nil {
				w.Header().Add("Allow", method)
			}
		}
		if w.Header().Get("Allow") == "" {
			h.refuse(w, r, problemOf(http.StatusNotFound, "there is no operation at this path; see "+Base+"/docs"))
			return
		}
		h.refuse(w, r, problemOf(http.StatusMethodNotAllowed, "this path has no method "+quote(r.Method)))
	})
}
