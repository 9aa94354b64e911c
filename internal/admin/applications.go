package admin

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/saml/metadata"
)

const (
	// LiveSecrets is how many secrets of an application are valid beside each other, for
	// the same reason as LiveTokens.
	LiveSecrets = 2
	// MaxRedirectURIs is how many redirect URIs an application has.
	MaxRedirectURIs = 20
	maxRedirectURI  = 2000
)

// CreateApplication registers what people sign in to, with its first secret, which is
// returned here and never again.
func (s *Service) CreateApplication(ctx context.Context, by Actor, name string, redirectURIs []string, expiresAt time.Time) (a Application, secret string, err error) {
	now := s.now()
	if name, err = line("name", name, MaxName); err != nil {
		return a, "", err
	}
	if err := checkRedirectURIs(redirectURIs); err != nil {
		return a, "", err
	}
	if expiresAt, err = expiry(expiresAt, now); err != nil {
		return a, "", err
	}
	secret, stored := credential.New(credential.ApplicationSecret, now, expiresAt)
	a = Application{ID: directory.NewClientID(), Name: name, RedirectURIs: redirectURIs, Secrets: []credential.Stored{stored}, CreatedAt: now}
	err = s.changeApplication(ctx, by, now, a.ID, func(tx *store.Tx) (string, map[string]any) {
		tx.CreateApplication(a)
		tx.CreateApplicationSecret(a.ID, stored)
		return "application.created", map[string]any{"name": name, "redirect_uris": redirectURIs, "secret": stored.ID}
	})
	if err != nil {
		return Application{}, "", err
	}
	return a, secret, nil
}

// Applications lists all applications, oldest first.
func (s *Service) Applications(ctx context.Context, _ Actor) ([]Application, error) {
	return s.Store.Applications(ctx)
}

// Application returns one application.
func (s *Service) Application(ctx context.Context, _ Actor, id string) (Application, error) {
	if !storable(id) {
		return Application{}, fault.New(fault.NotFound, "there is no application %q", first(id))
	}
	return s.Store.Application(ctx, id)
}

// ApplicationChange is what is to be changed of an application; nil is left as it is.
type ApplicationChange struct {
	Name         *string
	RedirectURIs *[]string
}

// ChangeApplication changes an application, and nothing of it that is not to be changed: a
// name never brings back a redirect URI that another admin has just taken away. A login
// that is under way to a redirect URI that is gone ends with an error.
func (s *Service) ChangeApplication(ctx context.Context, by Actor, id string, c ApplicationChange) (Application, error) {
	a, err := s.Application(ctx, by, id)
	if err != nil {
		return Application{}, err
	}
	changed := map[string]any{}
	if c.Name != nil {
		name, err := line("name", *c.Name, MaxName)
		if err != nil {
			return Application{}, err
		}
		c.Name, changed["name"] = &name, name
	}
	if c.RedirectURIs != nil {
		if err := checkRedirectURIs(*c.RedirectURIs); err != nil {
			return Application{}, err
		}
		changed["redirect_uris"] = *c.RedirectURIs
	}
	if len(changed) == 0 {
		return a, nil
	}
	err = s.changeApplication(ctx, by, s.now(), id, func(tx *store.Tx) (string, map[string]any) {
		if c.Name != nil {
			tx.RenameApplication(id, *c.Name)
		}
		if c.RedirectURIs != nil {
			tx.SetRedirectURIs(id, *c.RedirectURIs)
		}
		return "application.changed", changed
	})
	if err != nil {
		return Application{}, err
	}
	return s.Application(ctx, by, id)
}

// DeleteApplication ends an application and its secrets. Conflict while a connection
// leads to it.
func (s *Service) DeleteApplication(ctx context.Context, by Actor, id string) error {
	if _, err := s.Application(ctx, by, id); err != nil {
		return err
	}
	return s.Store.Transact(ctx, store.Scope{}, store.Rules, func(tx *store.Tx) error {
		connection := tx.ConnectionOfApplication(id)
		if err := tx.Flush(); err != nil {
			return err
		}
		if c := connection.Get(); c != "" {
			return fault.New(fault.Conflict, "logins that begin at the identity provider of connection %q lead to application %q; change that first", c, id)
		}
		tx.DeleteApplication(id)
		if err := tx.Flush(); err != nil {
			return err
		}
		return record(tx, by, s.now(), "application.deleted", id, map[string]any{})
	})
}

// CreateApplicationSecret makes a new secret of an application, returned here and never
// again. The newest LiveSecrets stay valid, older ones end at once.
func (s *Service) CreateApplicationSecret(ctx context.Context, by Actor, id string, expiresAt time.Time) (stored Token, secret string, err error) {
	now := s.now()
	if expiresAt, err = expiry(expiresAt, now); err != nil {
		return stored, "", err
	}
	if _, err := s.Application(ctx, by, id); err != nil {
		return stored, "", err
	}
	secret, stored = credential.New(credential.ApplicationSecret, now, expiresAt)
	err = s.changeApplication(ctx, by, now, id, func(tx *store.Tx) (string, map[string]any) {
		tx.CreateApplicationSecret(id, stored)
		tx.KeepApplicationSecrets(id, LiveSecrets)
		return "application.secret_created", map[string]any{"secret": stored.ID, "last_four": stored.LastFour}
	})
	if err != nil {
		return Token{}, "", err
	}
	return stored, secret, nil
}

// DeleteApplicationSecret ends a secret at once, also the last one.
func (s *Service) DeleteApplicationSecret(ctx context.Context, by Actor, id, secret string) error {
	if _, err := s.Application(ctx, by, id); err != nil {
		return err
	}
	if !storable(secret) {
		return fault.New(fault.NotFound, "there is no secret %q", first(secret))
	}
	return s.changeApplication(ctx, by, s.now(), id, func(tx *store.Tx) (string, map[string]any) {
		tx.DeleteApplicationSecret(id, secret)
		return "application.secret_deleted", map[string]any{"secret": secret}
	})
}

// changeApplication runs a change of applications alone among such changes: they belong
// to no organization, so that is the lock of none.
func (s *Service) changeApplication(ctx context.Context, by Actor, now time.Time, id string, change func(*store.Tx) (action string, detail map[string]any)) error {
	return s.Store.Transact(ctx, store.Scope{}, store.Rules, func(tx *store.Tx) error {
		action, detail := change(tx)
		if err := tx.Flush(); err != nil {
			return err // NotFound, before the audit says that it happened
		}
		return record(tx, by, now, action, id, detail)
	})
}

// checkRedirectURIs holds redirect URIs to RFC 6749 §3.1.2 and RFC 9700 §2.1: absolute,
// without a fragment, https, or http on the person's own machine. They are compared
// exactly, so they are kept exactly.
func checkRedirectURIs(uris []string) error {
	if len(uris) == 0 {
		return fault.New(fault.Invalid, "redirect_uris is empty; an application needs at least one")
	}
	if len(uris) > MaxRedirectURIs {
		return fault.New(fault.Invalid, "redirect_uris has %d addresses; at most %d are allowed", len(uris), MaxRedirectURIs)
	}
	for i, uri := range uris {
		u, err := url.Parse(uri)
		switch {
		case len(uri) > maxRedirectURI:
			return fault.New(fault.Invalid, "redirect_uris: %q has more than %d characters", first(uri), maxRedirectURI)
		case err != nil || u.Hostname() == "" || u.Opaque != "" || !plainURI(uri):
			return fault.New(fault.Invalid, "redirect_uris: %q is not an absolute address like https://app.example.com/callback", first(uri))
		case u.User != nil:
			return fault.New(fault.Invalid, "redirect_uris: the address on %q has a user name or a password in it", first(u.Host))
		case strings.Contains(uri, "#"):
			return fault.New(fault.Invalid, "redirect_uris: %q has a fragment", first(uri))
		case u.Scheme != "https" && (u.Scheme != "http" || !metadata.Loopback(u.Hostname())):
			return fault.New(fault.Invalid, "redirect_uris: %q is not https; http is for localhost, 127.0.0.1 and [::1] only", first(uri))
		case strings.Contains(u.Host, "*"):
			return fault.New(fault.Invalid, "redirect_uris: %q has a wildcard; each address is named", first(uri))
		case slices.Contains(uris[:i], uri):
			return fault.New(fault.Invalid, "redirect_uris: %q is there twice", first(uri))
		}
	}
	return nil
}

// plainURI reports whether a text has only what may stand in a URI: browsers read a
// backslash as a slash, and drop tabs and line ends.
func plainURI(uri string) bool {
	for i := range len(uri) {
		if c := uri[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\\\"<>^`{|}", c) >= 0 {
			return false
		}
	}
	return true
}
