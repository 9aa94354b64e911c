package adminapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/mapping"
)

// problem is what a client is told of a failure (RFC 9457). Its type is "about:blank",
// which is left out: the status says it all.
type problem struct {
	Title   string    `json:"title" doc:"What the status means."`
	Status  int       `json:"status" doc:"The status of the answer."`
	Detail  string    `json:"detail" doc:"What went wrong here, with the offending value."`
	Request string    `json:"request,omitempty" doc:"The id of the request, under which the log and the audit have it."`
	Errors  []mistake `json:"errors,omitempty" nullable:"false" doc:"All that is wrong with the request, when it can be told apart. At most 1000 are listed."`

	header http.Header
}

// mistake is one thing that is wrong with a request.
type mistake struct {
	Path    string `json:"path,omitempty" doc:"Where: in the body (rules[3].when.group.regexp), or a parameter (query.limit)."`
	Message string `json:"message" doc:"What, with the offending value."`
}

// mostMistakes bounds the size of an answer.
const mostMistakes = 1_000

func problemOf(status int, detail string) *problem {
	return &problem{Title: http.StatusText(status), Status: status, Detail: detail, header: http.Header{}}
}

// These methods make it an error that huma writes as it is.

func (p *problem) Error() string             { return p.Detail }
func (p *problem) GetStatus() int            { return p.Status }
func (p *problem) GetHeaders() http.Header   { return p.header }
func (*problem) ContentType(_ string) string { return "application/problem+json" }

// statuses gives each kind of fault its HTTP status; an Internal fault is a 500.
var statuses = map[fault.Kind]int{
	fault.Invalid:            http.StatusBadRequest,
	fault.Unauthorized:       http.StatusUnauthorized,
	fault.Forbidden:          http.StatusForbidden,
	fault.NotFound:           http.StatusNotFound,
	fault.Conflict:           http.StatusConflict,
	fault.PreconditionFailed: http.StatusPreconditionFailed,
	fault.TooLarge:           http.StatusRequestEntityTooLarge,
	fault.TooMany:            http.StatusTooManyRequests,
	fault.Unavailable:        http.StatusServiceUnavailable,
}

// problem is the one conversion of what the use cases return. It logs what is not the
// client's doing.
func (h *Handler) problem(ctx context.Context, err error) *problem {
	kind, message := fault.Public(err)
	status, ok := statuses[kind]
	if !ok {
		status = http.StatusInternalServerError
	}
	p := problemOf(status, message)
	p.Request = h.RequestID(ctx)
	switch kind {
	case fault.Unauthorized:
		p.header.Set("WWW-Authenticate", `Bearer realm="rolesync admin API"`)
	case fault.Unavailable:
		p.header.Set("Retry-After", "1")
		h.Log.Warn("admin request refused for now", "error", err, "request", p.Request)
	case fault.Internal:
		h.Log.Error("admin request failed", "error", err, "request", p.Request)
	}
	if problems, ok := errors.AsType[mapping.Problems](err); ok && kind == fault.Invalid {
		mistakes := make([]mistake, 0, min(len(problems), mostMistakes))
		for _, found := range problems[:min(len(problems), mostMistakes)] {
			mistakes = append(mistakes, mistake{found.Path, found.Message})
		}
		p.list(mistakes, len(problems))
	}
	return p
}

// list makes the mistakes the problem's own; total may be more than are listed.
func (p *problem) list(mistakes []mistake, total int) {
	p.Errors = mistakes
	if total == 0 {
		return
	}
	p.Detail = mistakes[0].Message
	if mistakes[0].Path != "" {
		p.Detail = mistakes[0].Path + ": " + p.Detail
	}
	if total > 1 {
		p.Detail += fmt.Sprintf(" (and %d more)", total-1)
	}
}

// transform turns huma's own errors into problems: with our status, and without the
// submitted body.
func (h *Handler) transform(ctx huma.Context, _ string, v any) (any, error) {
	e, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	p := h.translate(ctx, e)
	p.Request = h.RequestID(ctx.Context())
	if exchange, ok := ctx.(*exchange); ok {
		exchange.status = p.Status
	}
	return p, nil
}

// unreadable is what huma says, as a 500, when the client does not send its body.
const unreadable = "cannot read request body"

func (h *Handler) translate(ctx huma.Context, e *huma.ErrorModel) *problem {
	switch {
	case e.Status == http.StatusRequestEntityTooLarge:
		return problemOf(e.Status, fmt.Sprintf("the body is larger than %d bytes", ctx.Operation().MaxBodyBytes-1))
	case e.Status == http.StatusUnsupportedMediaType:
		return problemOf(e.Status, fmt.Sprintf("Content-Type %s is not understood; send application/json", quote(ctx.Header("Content-Type"))))
	case e.Detail == unreadable:
		return problemOf(http.StatusBadRequest, "the body could not be read to its end")
	case e.Status >= http.StatusInternalServerError:
		h.Log.Error("admin request failed", "error", e.Detail, "errors", fmt.Sprint(e.Errors), "request", h.RequestID(ctx.Context()))
		_, message := fault.Public(errors.New(e.Detail))
		return problemOf(e.Status, message)
	case e.Status == http.StatusUnprocessableEntity:
		e.Status = http.StatusBadRequest // as for everything else that is wrong with a request
	}
	p := problemOf(e.Status, e.Detail)
	var mistakes []mistake
	for _, detail := range e.Errors[:min(len(e.Errors), mostMistakes)] {
		path := strings.TrimPrefix(strings.TrimPrefix(detail.Location, "body"), ".")
		mistakes = append(mistakes, mistake{path, named(detail.Value) + detail.Message})
	}
	p.list(mistakes, len(e.Errors))
	return p
}

// named shows a simple value, and of anything else (an object, the whole body) nothing.
func named(value any) string {
	switch v := value.(type) {
	case string:
		if v == "" || strings.HasPrefix(strings.TrimSpace(v), "{") {
			return ""
		}
		return quote(v) + ": "
	case bool, int64, float64:
		return fmt.Sprintf("%v: ", v)
	}
	return ""
}

// refuse answers outside of huma.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, p *problem) {
	if p.Request == "" {
		p.Request = h.RequestID(r.Context())
	}
	for name, values := range p.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", p.ContentType(""))
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client may be gone; there is nobody else to tell
}

// quote shows at most 64 bytes of a value that came from outside.
func quote(s string) string {
	if len(s) > 64 {
		return strconv.Quote(s[:64]) + "…"
	}
	return strconv.Quote(s)
}
