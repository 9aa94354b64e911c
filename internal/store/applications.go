package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
)

// Application is what people sign in to: an OAuth 2.0 client of ours (RFC 6749 §2). It
// belongs to the deployment.
type Application struct {
	ID           string // its client id: cli_…
	Name         string
	RedirectURIs []string            // compared exactly
	Secrets      []credential.Stored // oldest first
	CreatedAt    time.Time
}

// Applications returns all applications, oldest first.
func (s *Store) Applications(ctx context.Context) ([]Application, error) {
	return s.applications(ctx, ``)
}

// Application returns one application; NotFound when there is none.
func (s *Store) Application(ctx context.Context, id string) (Application, error) {
	list, err := s.applications(ctx, ` WHERE a.id = $1`, id)
	if err == nil && len(list) == 0 {
		err = noApplication(id)
	}
	if err != nil {
		return Application{}, err
	}
	return list[0], nil
}

func noApplication(id string) error {
	return fault.New(fault.NotFound, "there is no application %q", id)
}

func (s *Store) applications(ctx context.Context, where string, args ...any) ([]Application, error) {
	list := []Application{}
	err := s.db.read(ctx, []statement{
		{
			sql:  same(`SELECT a.id, a.name, a.redirect_uris, a.created_at FROM applications AS a` + where + ` ORDER BY a.id`),
			args: args,
			each: func(r row) error {
				var a Application
				var uris string
				var created int64
				if err := r.Scan(&a.ID, &a.Name, &uris, &created); err != nil {
					return err
				}
				a.CreatedAt = moment(created)
				list = append(list, a)
				return json.Unmarshal([]byte(uris), &list[len(list)-1].RedirectURIs)
			},
		},
		{
			sql: same(`SELECT s.application_id, s.id, s.digest, s.last_four, s.created_at, s.expires_at
				FROM applications AS a JOIN application_secrets AS s ON s.application_id = a.id` + where + ` ORDER BY s.id`),
			args: args,
			each: func(r row) error {
				var application string
				var c credential.Stored
				var digest []byte
				var created, expires int64
				if err := r.Scan(&application, &c.ID, &digest, &c.LastFour, &created, &expires); err != nil {
					return err
				}
				copy(c.Digest[:], digest)
				c.CreatedAt, c.ExpiresAt = moment(created), moment(expires)
				for i := range list {
					if list[i].ID == application {
						list[i].Secrets = append(list[i].Secrets, c)
					}
				}
				return nil
			},
		},
	})
	return list, err
}

// CreateApplication stores a new application without its secrets. Applications belong to
// the deployment, so the scope is empty.
func (tx *Tx) CreateApplication(a Application) {
	tx.queue(statement{
		sql:  same(`INSERT INTO applications (id, name, redirect_uris, created_at) VALUES ($1, $2, $3, $4)`),
		args: []any{a.ID, a.Name, jsonText(a.RedirectURIs), micros(a.CreatedAt)},
	})
}

// RenameApplication changes the name of an application; NotFound, with the next flush,
// when there is none.
func (tx *Tx) RenameApplication(id, name string) {
	tx.queue(statement{
		sql:  same(`UPDATE applications SET name = $2 WHERE id = $1`),
		args: []any{id, name},
		done: foundApplication(id),
	})
}

// SetRedirectURIs replaces the redirect URIs of an application; NotFound, with the next
// flush, when there is none.
func (tx *Tx) SetRedirectURIs(id string, uris []string) {
	tx.queue(statement{
		sql:  same(`UPDATE applications SET redirect_uris = $2 WHERE id = $1`),
		args: []any{id, jsonText(uris)},
		done: foundApplication(id),
	})
}

// DeleteApplication ends an application and its secrets; NotFound, with the next flush,
// when there is none.
func (tx *Tx) DeleteApplication(id string) {
	tx.queue(statement{sql: same(`DELETE FROM application_secrets WHERE application_id = $1`), args: []any{id}})
	tx.queue(statement{sql: same(`DELETE FROM applications WHERE id = $1`), args: []any{id}, done: foundApplication(id)})
}

func foundApplication(id string) func(int64) error {
	return func(found int64) error {
		if found == 0 {
			return noApplication(id)
		}
		return nil
	}
}

// CreateApplicationSecret adds a secret to an application; NotFound, with the next flush,
// when there is none.
func (tx *Tx) CreateApplicationSecret(application string, secret credential.Stored) {
	tx.queue(statement{
		sql:  same(`SELECT id FROM applications WHERE id = $1`),
		args: []any{application},
		each: func(row) error { return nil },
		done: foundApplication(application),
	})
	tx.queue(statement{
		sql:  same(`INSERT INTO application_secrets (application_id, id, digest, last_four, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)`),
		args: []any{application, secret.ID, secret.Digest[:], secret.LastFour, micros(secret.CreatedAt), micros(secret.ExpiresAt)},
	})
}

// KeepApplicationSecrets ends all but the newest n secrets of an application.
func (tx *Tx) KeepApplicationSecrets(application string, n int) {
	tx.queue(statement{
		sql: same(`DELETE FROM application_secrets WHERE application_id = $1 AND id NOT IN
			(SELECT id FROM application_secrets WHERE application_id = $1 ORDER BY id DESC LIMIT $2)`),
		args: []any{application, n},
	})
}

// DeleteApplicationSecret ends one secret; NotFound, with the next flush, when there is
// none.
func (tx *Tx) DeleteApplicationSecret(application, id string) {
	tx.queue(statement{
		sql:  same(`DELETE FROM application_secrets WHERE application_id = $1 AND id = $2`),
		args: []any{application, id},
		done: func(deleted int64) error {
			if deleted == 0 {
				return fault.New(fault.NotFound, "there is no secret %q of application %q", id, application)
			}
			return nil
		},
	})
}

// ConnectionOfApplication returns a connection whose logins without a request of ours
// lead to the application; "" when there is none. It reads every SAML connection, which
// is for the rare case that an application is deleted.
func (tx *Tx) ConnectionOfApplication(application string) *Later[directory.ConnectionID] {
	later := &Later[directory.ConnectionID]{}
	tx.queue(statement{
		sql: same(`SELECT connection_id, document FROM saml_connections ORDER BY organization_id, connection_id`),
		each: func(r row) error {
			var id directory.ConnectionID
			var document string
			if err := r.Scan(&id, &document); err != nil {
				return err
			}
			var settings struct {
				Application string `json:"application"`
			}
			if err := json.Unmarshal([]byte(document), &settings); err != nil {
				return fmt.Errorf("settings of connection %s: %w", id, err)
			}
			if settings.Application == application {
				later.value = id
			}
			return nil
		},
	})
	return later
}
