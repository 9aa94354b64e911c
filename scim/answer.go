package scim

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"

	elimity "github.com/elimity-com/scim/errors"
	"github.com/gorilla/mux"
)

// answer is what a call is answered with.
type answer struct {
	status   int
	location string // of a new resource
	version  string // for the header ETag
	body     []byte
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
