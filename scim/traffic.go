package scim

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	elimity "github.com/elimity-com/scim/errors"
	"github.com/gorilla/mux"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/internal/traffic"
)

// requestKinds names what is asked for, by the method and the place of an endpoint: its route
// up to an id. What is not here is "other".
var requestKinds = map[[2]string]string{
	{"GET", "/Users"}: "users.list", {"POST", "/Users"}: "users.create", {"GET", "/Users/"}: "users.get",
	{"PUT", "/Users/"}: "users.replace", {"PATCH", "/Users/"}: "users.patch", {"DELETE", "/Users/"}: "users.delete",
	{"GET", "/Groups"}: "groups.list", {"POST", "/Groups"}: "groups.create", {"GET", "/Groups/"}: "groups.get",
	{"PUT", "/Groups/"}: "groups.replace", {"PATCH", "/Groups/"}: "groups.patch", {"DELETE", "/Groups/"}: "groups.delete",
	{"POST", "/Users/.search"}: "users.list", {"POST", "/Groups/.search"}: "groups.list", {"POST", "/.search"}: "search",
	{"POST", "/Bulk"}: "bulk", {"GET", "/Me"}: "me", {"POST", "/oauth/token"}: "token",
	{"GET", "/ServiceProviderConfig"}: "discovery", {"GET", "/ResourceTypes"}: "discovery", {"GET", "/ResourceTypes/"}: "discovery",
	{"GET", "/Schemas"}: "discovery", {"GET", "/Schemas/"}: "discovery",
}

// about marks an error about a connection that exists, also where the client is not
// told that it does.
type about struct {
	error
	scope store.Scope
}

func (e about) Unwrap() error { return e.error }

func scopeOfConnection(c store.Connection) store.Scope {
	return store.Scope{Organization: c.Organization, Connection: c.ID}
}

// scopeOf returns what the error is about; nothing where that is not known.
func scopeOf(err error) store.Scope {
	e, _ := errors.AsType[about](err)
	return e.scope
}

// record hands the request to whoever keeps the traffic, with how it went. It is called
// once, when the request was answered. A request whose connection is not known is
// nobody's and left out.
func (c *call) record() {
	if c.handler.Traffic == nil {
		return
	}
	method := c.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	place := c.place()
	q := c.request(requestKinds[[2]string{method, place}])
	if len(c.unmapped) > 0 {
		q.Unmapped = slices.Sorted(maps.Keys(c.unmapped))
	}
	if e := c.failed; e != nil {
		if e.Status == http.StatusUnauthorized {
			q.Kind = store.KindAuth
		}
		q.Failure = c.failure(*e, c.Method, place, c.id())
		if c.sent != "" {
			q.Failure.Body = redact(c.sent)
		}
	}
	if q.Connection != "" {
		c.handler.Traffic.Record(q)
	}
}

// record hands an operation of a bulk request over, as if it had come alone.
func (r *bulkRun) record(j *bulkJob, failed *elimity.ScimError) {
	c := r.call
	if c.handler.Traffic == nil {
		return
	}
	place := j.endpoint
	if j.method != http.MethodPost {
		place += "/"
	}
	kind := requestKinds[[2]string{j.method, place}]
	if kind == "" { // no endpoint: it may be anything, also somebody's name
		place = blank
	}
	q := c.request(kind)
	if failed != nil {
		q.Failure = c.failure(*failed, j.method, place, j.id)
		if j.data.kind != absent {
			q.Failure.Body = redact(string(appendValue(nil, j.data)))
		}
	}
	c.handler.Traffic.Record(q)
}

// request returns what is recorded of a request that went well.
func (c *call) request(kind string) traffic.Request {
	scope := c.scope()
	if scope.Connection == "" {
		scope = scopeOf(c.err)
	}
	if kind == "" {
		kind = "other"
	}
	return traffic.Request{Scope: scope, Kind: kind, At: c.handler.now()}
}

// failure returns what is recorded of a request that failed. An id that ends its place
// is shown if it is one of ours, which names nobody outside.
func (c *call) failure(e elimity.ScimError, method, place, id string) *traffic.Failure {
	if strings.HasSuffix(place, "/") {
		_, noUser := directory.ParseUserID(id)
		_, noGroup := directory.ParseGroupID(id)
		if noUser != nil && noGroup != nil {
			id = "{id}"
		}
		place += id
	}
	return &traffic.Failure{
		Status: e.Status, Code: string(e.ScimType), Detail: e.Detail, Method: method, Path: place, Request: c.handler.requestID(c.Context()),
	}
}

// place returns the route of the request behind that of the connection, up to an id.
// What is no endpoint may be anything, also somebody's name, and is left blank.
func (c *call) place() string {
	current := mux.CurrentRoute(c.Request)
	if current == nil {
		return blank
	}
	template, err := current.GetPathTemplate()
	if err != nil {
		return blank
	}
	route, _, _ := strings.Cut(strings.TrimPrefix(template, "/scim/v2/{connection}"), "{id")
	if route == "" {
		return blank
	}
	return route
}

// ignores notes the attributes of a change that the schema does not know.
func (c *call) ignores(asked *changes) {
	if asked == nil || len(asked.ignored) == 0 {
		return
	}
	if c.unmapped == nil {
		c.unmapped = map[string]struct{}{}
	}
	for _, name := range asked.ignored {
		if len(c.unmapped) < store.MostUnmapped {
			c.unmapped[redactPath(name)] = struct{}{}
		}
	}
}

// maxBeginning bounds, in bytes, what is kept of a body that could not be read.
const maxBeginning = 64 << 10

// gone is what is recorded of a request whose client did not wait for the answer.
const gone = "the client went away before it was answered"

// fails notes how the call failed.
func (c *call) fails(e elimity.ScimError, err error) { c.failed, c.err = &e, err }
