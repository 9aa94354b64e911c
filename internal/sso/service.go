package sso

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
)

// Service knows the applications, and serves what they ask for. Store, Log and Issuer are
// required. It is safe for concurrent use, and is not to be copied.
type Service struct {
	Store  *store.Store
	Log    *slog.Logger
	Sealer *credential.Sealer // of access tokens; nil: there is no exchange

	// Issuer is the address that this server is known by, without a slash at its end. It is
	// the iss of every answer (RFC 9207).
	Issuer string

	Now       func() time.Time             // nil: directory.Now
	RequestID func(context.Context) string // nil: requests have no id
}

// Mount adds the routes under /sso.
func (s *Service) Mount(r *mux.Router) {
	r.Path("/sso/token").HandlerFunc(s.serve("Basic", http.MethodPost, s.exchange))
	r.Path("/sso/userinfo").HandlerFunc(s.serve("Bearer", http.MethodGet, s.userinfo))
}

func (s *Service) now() time.Time {
	if s.Now == nil {
		return directory.Now()
	}
	return s.Now()
}

func (s *Service) requestID(ctx context.Context) string {
	if s.RequestID == nil {
		return ""
	}
	return s.RequestID(ctx)
}

// application returns an application by the client id that a request names; NotFound when
// there is none. The error of the store is returned as it is.
func (s *Service) application(ctx context.Context, client string) (store.Application, error) {
	if _, err := directory.ParseClientID(client); err != nil {
		return store.Application{}, err
	}
	return s.Store.Application(ctx, client)
}
