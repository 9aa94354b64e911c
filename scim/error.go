package scim

import (
	"errors"
	"fmt"
	"net/http"

	elimity "github.com/elimity-com/scim/errors"

	"github.com/rolesync/rolesync/internal/fault"
)

// The constructors below make the errors of RFC 7644 §3.12, table 9. The detail is a
// sentence that names the attribute or the value at fault; it goes to the client.

func badRequest(kind elimity.ScimType, format string, args []any) error {
	return elimity.ScimError{ScimType: kind, Detail: fmt.Sprintf(format, args...), Status: http.StatusBadRequest}
}

func invalidSyntax(format string, args ...any) error {
	return badRequest(elimity.ScimTypeInvalidSyntax, format, args)
}

func invalidValue(format string, args ...any) error {
	return badRequest(elimity.ScimTypeInvalidValue, format, args)
}

func invalidFilter(format string, args ...any) error {
	return badRequest(elimity.ScimTypeInvalidFilter, format, args)
}

func invalidPath(format string, args ...any) error {
	return badRequest(elimity.ScimTypeInvalidPath, format, args)
}

func noTarget(format string, args ...any) error {
	return badRequest(elimity.ScimTypeNoTarget, format, args)
}

func mutability(format string, args ...any) error {
	return badRequest(elimity.ScimTypeMutability, format, args)
}

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

// problem turns any error into the one that the client is told. What is neither a
// SCIM error nor a fault is our own failure: a 500 without detail of its cause.
func problem(err error) elimity.ScimError {
	if e, ok := errors.AsType[elimity.ScimError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*elimity.ScimError](err); ok && e != nil {
		return *e
	}
	kind, message := fault.Public(err)
	status, ok := statuses[kind]
	if !ok {
		status = http.StatusInternalServerError
	}
	e := elimity.ScimError{Detail: message, Status: status}
	switch kind {
	case fault.Conflict: // every clash here is one of a unique attribute
		e.ScimType = elimity.ScimTypeUniqueness
	case fault.Invalid:
		e.ScimType = elimity.ScimTypeInvalidValue
	}
	return e
}

// quote shows at most 128 bytes of a value that came from outside, whole runes only.
func quote(s string) string {
	const most = 128
	if len(s) <= most {
		return fmt.Sprintf("%q", s)
	}
	n := most
	for n > most-4 && s[n]&0xc0 == 0x80 {
		n--
	}
	return fmt.Sprintf("%q…", s[:n])
}
