// Package app builds the service out of its parts, mounts every route in one loop,
// and starts and stops all of it in order. It decides nothing by itself.
//
// Start: database, listener, schema, Redis, writer, engine, requests. The listener
// comes before whatever writes, so a start that finds its port taken changes nothing.
// Stop, the other way round: no new requests, those under way end, their traffic is
// stored, what is committed is carried to Redis once more, connections close.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/gorilla/mux"

	"github.com/rolesync/rolesync/config"
	"github.com/rolesync/rolesync/internal/admin"
	"github.com/rolesync/rolesync/internal/adminapi"
	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/sso"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/internal/traffic"
	"github.com/rolesync/rolesync/internal/web"
	"github.com/rolesync/rolesync/saml"
	"github.com/rolesync/rolesync/saml/metadata"
	"github.com/rolesync/rolesync/saml/verifier"
	"github.com/rolesync/rolesync/scim"
	rolesync "github.com/rolesync/rolesync/sync"
)

// Service is a whole rolesync process, built and ready to Run.
type Service struct {
	Config  config.Config
	Store   *store.Store
	Redis   rolesync.Client
	Writer  *rolesync.Writer
	Engine  *rolesync.Engine
	Traffic *traffic.Recorder
	Sealer  *credential.Sealer // nil: none is configured, so there are no SAML connections
	Admin   *admin.Service
	BaseURL string // how clients reach it: the configured public URL, or the listener's

	log      *slog.Logger
	patience time.Duration // for requests under way to end when the service stops
	embedded *embedded     // nil: Redis runs elsewhere
	listener net.Listener
	server   *http.Server
}

// mounter is one part of the HTTP surface.
type mounter interface{ Mount(*mux.Router) }

const (
	startTimeout = 30 * time.Second // for the database server to answer
	stopTimeout  = 15 * time.Second // for requests under way to end
)

// New opens everything and listens, so that an address is known, but answers nothing
// before Run. When it fails, it closes what it opened.
func New(ctx context.Context, c config.Config, log *slog.Logger) (_ *Service, err error) {
	s := &Service{Config: c, log: log, patience: stopTimeout}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	// A build that was put together by hand may have one that takes forged logins.
	if info, ok := debug.ReadBuildInfo(); ok {
		if err := verifier.CheckLibraries(info); err != nil {
			return nil, err
		}
	}
	if s.Store, err = OpenStore(ctx, c, log); err != nil {
		return nil, err
	}
	ready, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := s.Store.WaitReady(ready); err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("stopped before the database answered: %w", err)
	} else if err != nil {
		return nil, fmt.Errorf("the database did not answer within %s: %w", startTimeout, err)
	}
	if s.listener, err = listen(ctx, c.Listen); err != nil {
		return nil, err
	}
	if s.BaseURL = c.PublicURL; s.BaseURL == "" {
		s.BaseURL = s.LocalURL()
	}
	if err := s.Store.Migrate(ctx); err != nil {
		return nil, err
	}
	if s.Sealer, err = OpenSealer(c); err != nil {
		return nil, err
	}
	if err := s.openRedis(ctx); err != nil {
		return nil, err
	}
	s.Writer = rolesync.NewWriter(s.Store, s.Redis, c.Redis.Prefix, log)
	s.Engine = rolesync.New(rolesync.Options{Store: s.Store, Writer: s.Writer, Log: log})
	s.Traffic = traffic.New(s.Store, log)
	s.server = s.newServer()
	return s, nil
}

// OpenStore opens the database that the configuration names.
func OpenStore(ctx context.Context, c config.Config, log *slog.Logger) (*store.Store, error) {
	return store.Open(ctx, store.Options{URL: DatabaseURL(c), MaxConnections: c.Database.MaxConnections, Log: log})
}

// DatabaseURL is the configured one, or that of the file in the data folder.
func DatabaseURL(c config.Config) string {
	if url := c.Database.URL.Reveal(); url != "" {
		return url
	}
	return "sqlite:" + filepath.Join(c.Data, "rolesync.db")
}

// RedisOptions are those of the configuration.
func RedisOptions(c config.Config) rolesync.RedisOptions {
	r := c.Redis
	return rolesync.RedisOptions{
		URL: r.URL.Reveal(), Addresses: r.Addresses, MasterName: r.MasterName, Cluster: r.Cluster,
		Username: r.Username, Password: r.Password.Reveal(), DB: r.DB, TLS: r.TLS, Timeout: r.Timeout,
	}
}

func (s *Service) openRedis(ctx context.Context) (err error) {
	options := RedisOptions(s.Config)
	if s.Config.Redis.Embedded() {
		if s.embedded, err = startEmbedded(ctx, s.Config.Data); err != nil {
			return err
		}
		options.Addresses = []string{s.embedded.redis.Addr()}
	}
	s.Redis, err = rolesync.Dial(options)
	return err
}

// DialRedis returns a client of the Redis that a service with this configuration
// writes to, which may be one embedded in another process; nil when that is not
// running.
func DialRedis(c config.Config) (rolesync.Client, error) {
	options := RedisOptions(c)
	if c.Redis.Embedded() {
		addr, err := embeddedAddr(c.Data)
		if addr == "" || err != nil {
			return nil, err
		}
		options.Addresses = []string{addr}
	}
	return rolesync.Dial(options)
}

// EmbeddedRedis is the address of the embedded Redis, or "".
func (s *Service) EmbeddedRedis() string {
	if s.embedded == nil {
		return ""
	}
	return s.embedded.redis.Addr()
}

// listen gives the reason in words that help, where there are such.
func listen(ctx context.Context, address string) (net.Listener, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listen on %s: another program, perhaps another rolesync, has this port; choose one with ROLESYNC_LISTEN", address)
	}
	if failed, ok := errors.AsType[*net.OpError](err); ok {
		err = failed.Err // without the address, which is said already
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return listener, nil
}

// LocalURL is how programs on the same machine reach the service, whatever its public
// URL is.
func (s *Service) LocalURL() string {
	addr := s.listener.Addr().(*net.TCPAddr)
	host := addr.IP.String()
	if addr.IP.IsUnspecified() { // all addresses, of both families
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, strconv.Itoa(addr.Port))
}

// newServer mounts every part of the HTTP surface.
func (s *Service) newServer() *http.Server {
	scimHandler := &scim.Handler{
		Store: s.Store, Engine: s.Engine, Log: s.log, BaseURL: s.BaseURL,
		MaxBody: int64(s.Config.SCIM.MaxBody), RateLimit: s.Config.SCIM.RateLimit, RateBurst: s.Config.SCIM.RateBurst,
		Now: directory.Now, RequestID: web.RequestID, Traffic: s.Traffic,
	}
	signIn := &sso.Service{Store: s.Store, Sealer: s.Sealer, Log: s.log, Issuer: s.BaseURL, Now: directory.Now, RequestID: web.RequestID}
	samlHandler := &saml.Handler{
		Store: s.Store, Engine: s.Engine, Writer: s.Writer, SSO: signIn, Sealer: s.Sealer, Log: s.log, BaseURL: s.BaseURL,
		Now: directory.Now, RequestID: web.RequestID, Traffic: s.Traffic,
	}
	s.Admin = &admin.Service{
		Store: s.Store, Engine: s.Engine, Traffic: s.Traffic, Now: directory.Now,
		Forget: func(id directory.ConnectionID) {
			scimHandler.Forget(id)
			samlHandler.Forget(id)
		},
		Sealer: s.Sealer, Metadata: &metadata.Fetcher{}, SAMLURLs: s.samlURLs,
	}
	parts := []mounter{
		scimHandler,
		samlHandler,
		signIn,
		&adminapi.Handler{Admin: s.Admin, Log: s.log, RequestID: web.RequestID, SCIMURL: func(id directory.ConnectionID) string {
			return s.BaseURL + "/scim/v2/" + string(id)
		}},
		&web.Health{Checks: map[string]func(context.Context) web.State{"database": s.databaseState, "redis": s.redisState}},
	}
	// Cleaning a path would lead "..", decoded or not, to another tenant's address.
	router := mux.NewRouter().SkipClean(true).UseEncodedPath()
	router.Use(web.Routed)
	for _, part := range parts {
		part.Mount(router)
	}
	return &http.Server{
		Handler:           web.Wrap(router, s.log),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       60 * time.Second,
		WriteTimeout:      90 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

func (s *Service) databaseState(ctx context.Context) web.State {
	if err := s.Store.Ping(ctx); err != nil {
		s.log.Warn("readiness", "error", err)
		return web.State{Status: web.Unavailable, Reason: "the database does not answer"}
	}
	return web.State{Status: web.OK}
}

func (s *Service) redisState(context.Context) web.State {
	health := s.Writer.Health()
	if !health.Degraded {
		return web.State{Status: web.OK}
	}
	return web.State{Status: web.Degraded, Reason: health.Reason, Since: health.Since.UTC().Format(time.RFC3339)}
}

// Run serves until ctx ends, then stops in order. It returns nil after an orderly
// stop.
func (s *Service) Run(ctx context.Context) error {
	defer s.Close()
	// The writer outlives the engine, and all of them outlive the last request.
	engineCtx, stopEngine := context.WithCancel(context.WithoutCancel(ctx))
	writerCtx, stopWriter := context.WithCancel(context.WithoutCancel(ctx))
	trafficCtx, stopTraffic := context.WithCancel(context.WithoutCancel(ctx))
	var engine, writer, recorder, keeper sync.WaitGroup
	engine.Go(func() { s.Engine.Run(engineCtx) })
	writer.Go(func() { s.Writer.Run(writerCtx) })
	defer writer.Wait()
	defer stopWriter()
	defer engine.Wait()
	defer stopEngine()
	recorder.Go(func() { s.Traffic.Run(trafficCtx) })
	defer recorder.Wait()
	defer stopTraffic()
	keeperCtx, stopKeeper := context.WithCancel(ctx)
	keeper.Go(func() { (&admin.Keeper{Admin: s.Admin, Log: s.log}).Run(keeperCtx) })
	defer keeper.Wait()
	defer stopKeeper()

	served := make(chan error, 1)
	go func() { served <- s.server.Serve(s.listener) }()
	s.log.Info("rolesync serves", "url", s.BaseURL)
	select {
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	s.log.Info("rolesync stops")
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.patience)
	defer cancel()
	if err := s.server.Shutdown(stopCtx); err != nil {
		_ = s.server.Close() // its error would be about connections that are cut anyway
		return fmt.Errorf("some requests did not end within %s and were cut", s.patience)
	}
	return nil
}

// Close ends what New opened. Run does so by itself; it is for a service that never
// ran. Errors are of no use to anybody by now.
func (s *Service) Close() {
	if s.listener != nil {
		_ = s.listener.Close()
	}
	if s.Redis != nil {
		_ = s.Redis.Close()
	}
	if s.embedded != nil {
		s.embedded.close()
	}
	if s.Store != nil {
		if err := s.Store.Close(); err != nil {
			s.log.Warn("close database", "error", err)
		}
	}
}
