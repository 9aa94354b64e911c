package scim

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
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

// answer is what a call is answered with.
type answer struct {
	status   int
	location string // of a new resource
	version  string // for the header ETag
	body     []byte
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

func (h *Handler) answer(c *call, do func(*call) (answer, error)) {
	defer func() {
		// The middleware logs a panic and answers in plain text, unless this has
		// answered as SCIM clients understand.
		if p := recover(); p != nil {
			if p != http.ErrAbortHandler {
				c.fails(problem(nil), nil)
			}
			if p != http.ErrAbortHandler && !c.begun {
				reply(c.w, answer{status: http.StatusInternalServerError, body: appendError(nil, problem(nil))})
			}
			panic(p)
		}
	}()
	buffer := buffers.Get().(*[]byte)
	c.buffer = (*buffer)[:0]
	var a answer
	var err error
	if c.query, err = parseQuery(c.URL.RawQuery); err == nil {
		a, err = do(c)
	}
	switch {
	case err == nil && c.begun:
		_, _ = c.w.Write(a.body) // the rest; a client that is gone needs none
	case err == nil:
		reply(c.w, a)
	case c.begun:
		h.cut(c, err)
	default:
		c.w.Header().Del("ETag") // of what was to be shown
		h.fail(c, err)
	}
	if a.body != nil {
		*buffer = a.body
	}
	if cap(*buffer) <= maxPooled {
		buffers.Put(buffer)
	}
}

// buffers holds the memory of answers between requests, but for that of large ones.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

const (
	chunk     = 32 << 10 // bytes of an answer that are sent before it is complete
	maxPooled = 64 << 10 // bytes of a buffer that is kept
)

// spill sends a part of an answer, the first with the headers of an answer 200. What
// goes wrong afterwards can only cut the connection.
func (c *call) spill(b []byte) ([]byte, error) {
	if !c.begun {
		c.begun = true
		c.w.Header().Set("Content-Type", contentType)
		c.w.WriteHeader(http.StatusOK)
	}
	if _, err := c.w.Write(b); err != nil {
		return b[:0], errors.Join(errGone, err)
	}
	return b[:0], nil
}

// errGone is that the client takes no more of its answer.
var errGone = errors.New("the client is gone")

// cut ends the connection in the middle of an answer, so that nobody takes a part of
// it for the whole. It does not return.
func (h *Handler) cut(c *call, err error) {
	e := elimity.ScimError{Status: http.StatusServiceUnavailable, Detail: gone}
	if !errors.Is(err, errGone) && c.Context().Err() == nil {
		e = elimity.ScimError{Status: http.StatusInternalServerError, Detail: "the answer was cut short by a failure of ours"}
		h.Log.ErrorContext(c.Context(), "scim answer cut short", "error", err,
			"connection", c.connection.ID, "method", c.Method, "request", h.requestID(c.Context()))
	}
	c.fails(e, err)
	panic(http.ErrAbortHandler)
}

// contentType is exactly this, without parameters, on every answer with a body.
const contentType = "application/scim+json"

func reply(w http.ResponseWriter, a answer) {
	header := w.Header()
	if a.location != "" {
		header.Set("Location", a.location)
	}
	if a.version != "" {
		header.Set("ETag", a.version)
	}
	if a.body != nil {
		header.Set("Content-Type", contentType)
		header.Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // a client that is gone needs no answer
}

// fail answers with an error, always in SCIM form. What is our own failure is logged
// here, once; its text does not leave.
func (h *Handler) fail(c *call, err error) {
	w := c.w
	e := h.told(c.Request, err)
	switch e.Status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="SCIM"`)
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		if w.Header().Get("Retry-After") == "" { // nobody has said better
			w.Header().Set("Retry-After", "1")
		}
	}
	c.fails(e, err)
	reply(w, answer{status: e.Status, body: appendError(nil, e)})
}

// told returns what the client is told of an error.
func (h *Handler) told(r *http.Request, err error) elimity.ScimError {
	e := problem(err)
	if r.Context().Err() != nil && errors.Is(err, context.Canceled) {
		e.Status, e.Detail = http.StatusServiceUnavailable, gone // nobody's failure
	} else if e.Status >= 500 && e.Status != http.StatusNotImplemented {
		h.Log.ErrorContext(r.Context(), "scim request failed", "error", err, "status", e.Status,
			"connection", mux.Vars(r)["connection"], "method", r.Method, "request", h.requestID(r.Context()))
	}
	return e
}

func appendError(b []byte, e elimity.ScimError) []byte {
	b = append(b, `{"schemas":["`+errorURN+`"],"status":"`...)
	b = append(strconv.AppendInt(b, int64(e.Status), 10), '"')
	if e.ScimType != "" {
		b = appendString(append(b, `,"scimType":`...), string(e.ScimType))
	}
	return append(appendString(append(b, `,"detail":`...), e.Detail), '}')
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

// matches refuses a change when If-Match names other versions than the one that is
// stored (RFC 7644 §3.14). The groups of a user are not the user's to change, so the
// digest of them does not count.
func (c *call) matches(revision int64) error {
	condition := c.Header.Get("If-Match")
	if condition == "" || condition == "*" {
		return nil
	}
	want := strconv.FormatInt(revision, 10)
	for tag := range tags(condition) {
		if number, _, _ := strings.Cut(tag, "."); number == want {
			return nil
		}
	}
	return fault.New(fault.PreconditionFailed, "the resource has changed since: its version is %s", version(revision))
}

// known reports whether the client has what it asks for already, by If-None-Match.
func (c *call) known(version string) bool {
	condition := c.Header.Get("If-None-Match")
	if condition == "*" {
		return true
	}
	for tag := range tags(condition) {
		if `W/"`+tag+`"` == version {
			return true
		}
	}
	return false
}

// tags are the entity tags of a header, without quotes and the mark of a weak one: the
// comparison is the weak one of RFC 9110 §8.8.3.2.
func tags(header string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for tag := range strings.SplitSeq(header, ",") {
			tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
			if len(tag) >= 2 && tag[0] == '"' && tag[len(tag)-1] == '"' && !yield(tag[1:len(tag)-1]) {
				return
			}
		}
	}
}
