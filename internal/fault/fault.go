// Package fault names the kinds of error that a caller can be told about, and
// carries the one sentence that may be shown to them.
//
// It is a leaf: it knows nothing of HTTP, SQL or SCIM. The layer that knows the
// cause makes a fault; the layers above add context with fmt.Errorf and %w; each
// edge (web, scim) turns the kind into a status and shows Message, never
// err.Error(), which may hold internal text.
package fault

import (
	"errors"
	"fmt"
)

// Kind says what went wrong, from the caller's point of view.
type Kind int

// The kinds, with the HTTP status that every edge gives them.
const (
	Internal           Kind = iota // 500: our own failure; also every error that is not a fault
	Invalid                        // 400: the request can never succeed as it is
	Unauthorized                   // 401: no valid credential
	Forbidden                      // 403: a valid credential that may not do this
	NotFound                       // 404: no such thing for this caller
	Conflict                       // 409: clashes with what is stored
	PreconditionFailed             // 412: the stored thing has moved on
	TooLarge                       // 413: over a limit on size
	TooMany                        // 429: over a limit on rate
	Unavailable                    // 503: try again; nothing was changed
)

var names = [...]string{"internal", "invalid", "unauthorized", "forbidden", "not found", "conflict", "precondition failed", "too large", "too many", "unavailable"}

func (k Kind) String() string {
	if k < 0 || int(k) >= len(names) {
		return "internal"
	}
	return names[k]
}

// Error is a failure whose Message may be shown to the caller. The cause, if any,
// is for the log only.
type Error struct {
	Kind    Kind
	Message string
	cause   error
}

// New makes a fault. The message is a sentence for a human that names the
// offending value; format and args are as in fmt.Sprintf.
func New(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// Wrap makes a fault that hides cause behind a message for the caller.
func Wrap(kind Kind, cause error, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...), cause: cause}
}

func (e *Error) Error() string {
	if e.cause == nil {
		return e.Message
	}
	return e.Message + ": " + e.cause.Error()
}

func (e *Error) Unwrap() error { return e.cause }

// KindOf returns the kind of the outermost fault in err's chain; Internal when
// there is none.
func KindOf(err error) Kind {
	if f, ok := errors.AsType[*Error](err); ok {
		return f.Kind
	}
	return Internal
}

// Is reports whether err carries a fault of the given kind.
func Is(err error, kind Kind) bool {
	f, ok := errors.AsType[*Error](err)
	return ok && f.Kind == kind
}

// Public returns the kind and the text that a caller may see. For anything that is
// not a fault that is Internal and a sentence without internal detail.
func Public(err error) (Kind, string) {
	if f, ok := errors.AsType[*Error](err); ok && f.Kind != Internal {
		return f.Kind, f.Message
	}
	return Internal, "an internal error occurred; the log has its cause under this request's id"
}
