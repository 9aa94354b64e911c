package adminapi

import (
	"context"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rolesync/rolesync/internal/admin"
	"github.com/rolesync/rolesync/internal/directory"
)

// The limits on a request's body, in bytes.
const (
	maxBody  = 1 << 20
	maxRules = 4 << 20

	maxMetadata = 8 << 20 // the metadata of an identity provider, as a JSON string
)

// bodyTime bounds how long a client may take to send its body. It is longer than huma's
// own limit, since the deadline stays on the connection while the request is served.
const bodyTime = 30 * time.Second

// operation describes one route, apart from its input and output.
type operation struct {
	method, path string
	id           string // of the OpenAPI operation, kebab-case
	tag          string
	summary      string
	description  string
	status       int   // of success; 0: 200, or 204 without a body
	problems     []int // that it can answer with, besides those that every operation can
	maxBody      int64 // 0: 1 MiB
}

// answer is an output that is nothing but a body.
type answer[T any] struct{ Body T }

func reply[T any](body T) *answer[T] { return &answer[T]{body} }

// created is the output of an operation that made something.
type created[T any] struct {
	Location string `header:"Location" doc:"Where it is now."`
	Body     T
}

// nothing is the input or output of an operation that has none.
type nothing struct{}

// register adds an operation: input and output are checked and documented by huma, the
// errors converted in one place.
func register[I, O any](h *Handler, api huma.API, op operation, serve func(context.Context, admin.Actor, *I) (*O, error)) {
	problems := &huma.MediaType{Schema: api.OpenAPI().Components.Schemas.Schema(typeOf[problem](), true, "")}
	responses := map[string]*huma.Response{}
	for _, status := range append([]int{http.StatusUnauthorized}, op.problems...) {
		responses[strconv.Itoa(status)] = &huma.Response{
			Description: http.StatusText(status),
			Content:     map[string]*huma.MediaType{"application/problem+json": problems},
		}
	}
	responses["default"] = &huma.Response{
		Description: "Any other problem: a wrong request is 400, 503 says to try again.",
		Content:     map[string]*huma.MediaType{"application/problem+json": problems},
	}
	limit := op.maxBody
	if limit == 0 {
		limit = maxBody
	}
	huma.Register(api, huma.Operation{
		OperationID:     op.id,
		Method:          op.method,
		Path:            op.path,
		Tags:            []string{op.tag},
		Summary:         op.summary,
		Description:     op.description,
		DefaultStatus:   op.status,
		Responses:       responses,
		MaxBodyBytes:    limit + 1, // huma refuses a body of just this size
		BodyReadTimeout: bodyTime,
	}, func(ctx context.Context, in *I) (*O, error) {
		out, err := serve(ctx, actorOf(ctx), in)
		if err != nil {
			return nil, h.problem(ctx, err)
		}
		return out, nil
	})
}

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

// Paging is the parameters of a list. (What is embedded is exported, or huma passes
// over it.)
type Paging struct {
	After string `query:"after" doc:"The cursor that the part before gave as next. Without it the list begins."`
	Limit int    `query:"limit" default:"100" minimum:"1" maximum:"1000" doc:"How many items at most."`
}

func (p Paging) page() admin.Page { return admin.Page{After: p.After, Limit: p.Limit} }

// InOrganization is the path of what belongs to an organization.
type InOrganization struct {
	Organization directory.OrganizationID `path:"organization" doc:"The id of an organization, org_…" example:"org_06b5t6gq9p7v53kmh4fjrs2a80"`
}

// InConnection is the path of what belongs to a connection.
type InConnection struct {
	InOrganization
	Connection directory.ConnectionID `path:"connection" doc:"The id of a connection of the organization, conn_…"`
}

// list is the output of a list.
type list[T any] struct {
	Items []T    `json:"items" nullable:"false" doc:"The part that was asked for."`
	Next  string `json:"next,omitempty" doc:"The cursor of what follows, for the parameter after; absent at the end."`
}

func listOf[T, U any](from admin.List[U], convert func(U) T) *answer[list[T]] {
	l := list[T]{Items: make([]T, len(from.Items)), Next: from.Next}
	for i, item := range from.Items {
		l.Items[i] = convert(item)
	}
	return reply(l)
}

// asItIs is the conversion of what the API shows as package mapping has it.
func asItIs[T any](item T) T { return item }
