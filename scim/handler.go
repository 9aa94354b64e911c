package scim

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	elimity "github.com/elimity-com/scim/errors"
	"github.com/gorilla/mux"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/internal/traffic"
	rolesync "github.com/rolesync/rolesync/sync"
)

// DefaultMaxBody bounds the body of a request unless a Handler says otherwise, in bytes.
const DefaultMaxBody = 10 << 20

// Handler serves SCIM 2.0 for all connections of all organizations. Store, Engine
// and Log are required. It is safe for concurrent use, and is not to be copied.
type Handler struct {
	Store  *store.Store
	Engine *rolesync.Engine
	Log    *slog.Logger

	// BaseURL is the address that clients know this server by, for example
	// https://roles.example.com; locations begin with it. When it is "", the Host
	// header of the request is believed.
	BaseURL string

	// RateLimit is how many requests a second a connection may make in the long run, and
	// RateBurst how many at once, unless it has its own. RateLimit 0: any number.
	RateLimit, RateBurst int

	MaxBody   int64                        // bytes; 0: DefaultMaxBody
	Now       func() time.Time             // nil: directory.Now
	RequestID func(context.Context) string // nil: requests have no id
	Traffic   *traffic.Recorder            // of every request to a connection; nil: nobody wants it

	connections connectionCache
	types       typesCache
	limits      limits
}

// Mount adds the routes under /scim/v2/{connection}. It switches off the router's
// cleaning of paths, which would turn ".." in a path into another tenant's address,
// and has it match paths as they were encoded.
func (h *Handler) Mount(r *mux.Router) {
	r = r.SkipClean(true).UseEncodedPath().PathPrefix("/scim/v2/{connection}").Subrouter()
	route := func(path string, methods methods) { r.Path(path).Handler(h.serve(methods)) }
	unsupported := methods{"GET": h.unsupported, "POST": h.unsupported, "PUT": h.unsupported, "PATCH": h.unsupported, "DELETE": h.unsupported}

	// mux tries one regular expression after the other, so what is asked for most
	// comes first. An id does not begin with a dot: that leaves .search for below.
	route("/Groups/{id:[^/.][^/]*}", methods{"GET": h.getGroup, "PUT": h.putGroup, "PATCH": h.patchGroup, "DELETE": h.deleteGroup})
	route("/Users/{id:[^/.][^/]*}", methods{"GET": h.getUser, "PUT": h.putUser, "PATCH": h.patchUser, "DELETE": h.deleteUser})
	route("/Users", methods{"GET": h.listUsers, "POST": h.createUser})
	route("/Groups", methods{"GET": h.listGroups, "POST": h.createGroup})
	route("/ServiceProviderConfig", methods{"GET": h.getProvider})
	route("/ResourceTypes", methods{"GET": h.listResourceTypes})
	route("/ResourceTypes/{id}", methods{"GET": h.getResourceType})
	route("/Schemas", methods{"GET": h.listSchemas})
	route("/Schemas/{id}", methods{"GET": h.getSchema})
	route("/Users/.search", methods{"POST": searched(h.listUsers)})
	route("/Groups/.search", methods{"POST": searched(h.listGroups)})
	route("/.search", methods{"POST": searched(h.searchAll)})
	route("/Bulk", methods{"POST": h.bulk})
	route("/Me", unsupported)
	r.Path("/oauth/token").HandlerFunc(h.issueToken)
	r.PathPrefix("").Handler(h.serve(nil))
}

// methods is what an endpoint does, by HTTP method. HEAD is served as GET.
type methods map[string]func(*call) (answer, error)

// allow lists the methods for the header Allow.
func (m methods) allow() string {
	list := make([]string, 0, len(m)+1)
	for method := range m {
		list = append(list, method)
	}
	if m["GET"] != nil {
		list = append(list, "HEAD")
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// call is one request, authenticated before it is answered.
type call struct {
	*http.Request
	w          http.ResponseWriter
	handler    *Handler
	connection store.Connection
	types      *types
	base       string // the absolute URL of the connection
	query      query
	body       *value // of an operation in a bulk request; nil: it has yet to be read
	buffer     []byte // for the answer
	begun      bool   // a part of the answer was sent

	sent     string              // what was read of the body, for the traffic
	unmapped map[string]struct{} // names of attributes that the schema does not know
	failed   *elimity.ScimError  // nil: it went well
	err      error               // why it failed
}

// serve authenticates a request, then has the method's function answer it. An
// endpoint without methods does not exist.
func (h *Handler) serve(m methods) http.Handler {
	allow := m.allow()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{Request: r, w: w, handler: h}
		defer c.record()
		var err error
		if c.connection, err = h.authenticate(r); err == nil {
			err = h.pace(w, r, c.connection)
		}
		if err == nil {
			c.types, err = h.typesOf(r.Context(), c.connection)
		}
		if err != nil {
			h.fail(c, err)
			return
		}
		c.base = h.base(r, c.connection.ID)
		method := r.Method
		if method == "HEAD" {
			method = "GET"
		}
		do := m[method]
		switch {
		case m == nil:
			err = fault.New(fault.NotFound, "there is no endpoint %s", quote(r.URL.Path))
		case do == nil:
			w.Header().Set("Allow", allow)
			err = elimity.ScimError{Status: http.StatusMethodNotAllowed, Detail: r.Method + " is not possible here; possible are " + allow}
		}
		if err != nil {
			h.fail(c, err)
			return
		}
		h.answer(c, do)
	})
}

func (h *Handler) unsupported(c *call) (answer, error) {
	return answer{}, elimity.ScimError{Status: http.StatusNotImplemented, Detail: quote(c.URL.Path) + " is not supported; see ServiceProviderConfig"}
}

func (h *Handler) now() time.Time {
	if h.Now != nil {
		return h.Now()
	}
	return directory.Now()
}

func (h *Handler) maxBody() int64 {
	if h.MaxBody == 0 {
		return DefaultMaxBody
	}
	return h.MaxBody
}

func (h *Handler) requestID(ctx context.Context) string {
	if h.RequestID == nil {
		return ""
	}
	return h.RequestID(ctx)
}

// base returns the absolute URL of a connection. It needs no escaping in JSON.
func (h *Handler) base(r *http.Request, id directory.ConnectionID) string {
	base := strings.TrimSuffix(h.BaseURL, "/")
	if base == "" {
		scheme := "http"
		if r.TLS != nil {
			scheme = "https"
		}
		base = (&url.URL{Scheme: scheme, Host: r.Host}).String()
	}
	if strings.ContainsAny(base, "\"\\") {
		base = ""
	}
	return base + "/scim/v2/" + string(id)
}

// view returns how the call wants resources of a type shown.
func (c *call) view(rt *resourceType) view {
	if c.query.attributes == "" && c.query.excluded == "" {
		return view{base: c.base, show: projection{of: rt}}
	}
	return view{base: c.base, show: newProjection(rt, c.query.attributes, c.query.excluded)}
}

// json returns the body.
func (c *call) json() (value, error) {
	if c.body != nil {
		return *c.body, nil
	}
	if err := c.strictContent(); err != nil {
		return value{}, err
	}
	limit := c.handler.maxBody()
	body := bytes.NewBuffer(make([]byte, 0, min(max(c.ContentLength, 0), limit, 1<<20)+bytes.MinRead))
	_, err := body.ReadFrom(http.MaxBytesReader(c.w, c.Request.Body, limit))
	if err != nil {
		c.sent = string(body.Bytes()[:min(body.Len(), maxBeginning)])
	}
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return value{}, fault.New(fault.TooLarge, "the body is larger than %d bytes", limit)
	}
	if err != nil {
		return value{}, invalidSyntax("the body could not be read to its end")
	}
	c.sent = body.String()
	return parseJSON(c.sent)
}

// change carries out a change of facts in the name of the connection, which asked for
// this; nil for a deletion.
func (c *call) change(asked *changes, do func(*rolesync.Tx) error) error {
	c.ignores(asked)
	return c.handler.Engine.Change(c.Context(), rolesync.Author{
		Organization: c.connection.Organization,
		Connection:   c.connection.ID,
		Name:         "connection " + string(c.connection.ID),
		Request:      c.handler.requestID(c.Context()),
	}, do)
}

func (c *call) scope() store.Scope { return scopeOfConnection(c.connection) }

// id returns the id in the path, decoded once; whoever parses it refuses the rest.
func (c *call) id() string {
	id, err := url.PathUnescape(mux.Vars(c.Request)["id"])
	if err != nil {
		return ""
	}
	return id
}
