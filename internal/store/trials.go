package store

import (
	"context"
	"time"

	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/fault"
)

// Trial is a test login of a SAML connection. It changes no facts.
type Trial struct {
	ID        string
	Digest    credential.Digest // of the secret in its address
	Document  string            // what came of it, as JSON; "": nothing yet
	CreatedAt time.Time
	ExpiresAt time.Time // of its address and of what came of it
}

// MostTrials is how many trials of a connection are kept: the newest.
const MostTrials = 20

// CreateTrial stores a new trial, and ends those of the connection that have expired or
// are too many. NotFound, with the next flush, when there is no such connection.
func (tx *Tx) CreateTrial(t Trial) {
	tx.needConnection()
	tx.queue(statement{
		sql: same(`INSERT INTO saml_trials (organization_id, connection_id, id, digest, document, created_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7)`),
		args: []any{tx.Organization, tx.Connection, t.ID, t.Digest[:], t.Document, micros(t.CreatedAt), micros(t.ExpiresAt)},
	})
	tx.queue(statement{
		sql: same(`DELETE FROM saml_trials WHERE organization_id = $1 AND connection_id = $2 AND (expires_at <= $3 OR id NOT IN
			(SELECT id FROM saml_trials WHERE organization_id = $1 AND connection_id = $2 ORDER BY id DESC LIMIT $4))`),
		args: []any{tx.Organization, tx.Connection, micros(t.CreatedAt), MostTrials},
	})
}

// Trial returns one trial, also an expired one; NotFound when there is none.
func (s *Store) Trial(ctx context.Context, scope Scope, id string) (Trial, error) {
	trial := &one[Trial]{}
	err := s.db.read(ctx, []statement{{
		sql: same(`SELECT id, digest, document, created_at, expires_at FROM saml_trials
			WHERE organization_id = $1 AND connection_id = $2 AND id = $3`),
		args: []any{scope.Organization, scope.Connection, id},
		each: trial.scan(func(r row) (t Trial, err error) {
			var digest []byte
			var created, expires int64
			err = r.Scan(&t.ID, &digest, &t.Document, &created, &expires)
			copy(t.Digest[:], digest)
			t.CreatedAt, t.ExpiresAt = moment(created), moment(expires)
			return t, err
		}),
	}})
	return trial.orNotFound(err, "test login", id)
}

// FinishTrial stores what came of a trial. A later result replaces an earlier one: an
// admin corrects the provider and tries again. NotFound when there is no such trial.
func (s *Store) FinishTrial(ctx context.Context, scope Scope, id, document string) error {
	return s.Transact(ctx, scope, Facts, func(tx *Tx) error {
		tx.queue(statement{
			sql:  same(`UPDATE saml_trials SET document = $4 WHERE organization_id = $1 AND connection_id = $2 AND id = $3`),
			args: []any{tx.Organization, tx.Connection, id, document},
			done: func(found int64) error {
				if found == 0 {
					return fault.New(fault.NotFound, "there is no test login %q", id)
				}
				return nil
			},
		})
		return nil
	})
}
