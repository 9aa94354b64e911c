package store

import (
	"cmp"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
)

// Adoptable ends a transaction that would create a user whom a SAML connection has made
// already: SCIM, which provides users, is to adopt that one instead. To whom this is no
// news, it is a Conflict.
type Adoptable struct {
	User     directory.UserID
	conflict *fault.Error
}

func (a *Adoptable) Error() string { return a.conflict.Error() }

// Unwrap returns the Conflict.
func (a *Adoptable) Unwrap() error { return a.conflict }

// RefuseAdoptable makes the next flush fail with Adoptable if a SAML connection owns a
// user who is the one that is about to be created: by externalId, else by userName, else
// by e-mail address, if that is the address of exactly one of them. The names are locked.
//
// A connection with e-mail domains speaks for its people only: whom it made is adopted as
// somebody of these domains, by the address that SCIM states, or the userName if it states
// none, and never as anybody else. Its provider could have chosen any name.
func (tx *Tx) RefuseAdoptable(u directory.User) {
	userName, email := directory.Fold(u.UserName), directory.Fold(u.Email)
	domain, _ := directory.DomainOf(cmp.Or(u.Email, u.UserName)) // without one, "" is nobody's
	var external, named, addressed []directory.UserID
	tx.queue(statement{
		sql:  same(selectAdoptable),
		args: []any{tx.Organization, u.ExternalID, userName, email, domain},
		each: func(r row) error {
			var id directory.UserID
			var externalID, nameFolded, emailFolded string
			if err := r.Scan(&id, &externalID, &nameFolded, &emailFolded); err != nil {
				return err
			}
			if externalID == u.ExternalID && externalID != "" {
				external = append(external, id)
			}
			if nameFolded == userName {
				named = append(named, id)
			}
			if email != "" && (nameFolded == email || emailFolded == email) {
				addressed = append(addressed, id)
			}
			return nil
		},
		done: func(int64) error {
			// Whoever has the userName must be adopted, or nobody of that name is made.
			for _, ids := range [][]directory.UserID{named, external, addressed} {
				if len(ids) == 1 {
					return &Adoptable{ids[0], fault.New(fault.Conflict, "userName %q belongs to a user of a SAML connection", u.UserName)}
				}
			}
			return nil
		},
	})
}

const selectAdoptable = `SELECT id, external_id, user_name_folded, email_folded FROM users
	WHERE organization_id = $1 AND id IN (
		SELECT id FROM (SELECT u.id FROM connections AS c CROSS JOIN users AS u WHERE c.organization_id = $1 AND c.kind = 'saml'
			AND u.organization_id = $1 AND u.connection_id = c.id AND u.external_id = $2 AND u.external_id <> '' LIMIT 2) AS x
		UNION ALL SELECT id FROM users WHERE organization_id = $1 AND user_name_folded IN ($3, $4) AND user_name_folded <> ''
		UNION ALL SELECT id FROM (SELECT u.id FROM users AS u CROSS JOIN connections AS c
			WHERE u.organization_id = $1 AND u.email_folded = $4 AND u.email_folded <> '' AND u.email_folded <> u.user_name_folded
			AND c.organization_id = $1 AND c.id = u.connection_id AND c.kind = 'saml' LIMIT 2) AS e)
	AND connection_id IN (SELECT id FROM connections WHERE organization_id = $1 AND kind = 'saml')
	AND (EXISTS (SELECT 1 FROM saml_domains AS d WHERE d.organization_id = $1 AND d.domain = $5 AND d.connection_id = users.connection_id)
		OR NOT EXISTS (SELECT 1 FROM saml_domains AS d WHERE d.organization_id = $1 AND d.connection_id = users.connection_id)) ORDER BY id`

// Candidate reads and locks one user of the organization, with the kind of the connection
// that owns it.
func (tx *Tx) Candidate(id directory.UserID) (Candidate, error) {
	user := &one[Candidate]{}
	tx.queue(statement{
		sql:  lockAdopted,
		args: []any{tx.Organization, id},
		each: user.scan(func(r row) (Candidate, error) { return scanCandidate(r, tx.Organization) }),
	})
	return user.orNotFound(tx.Flush(), "user", string(id))
}

// AdoptUser makes a user that Candidate has locked one of the transaction's connection,
// and replaces it like PutUser.
func (tx *Tx) AdoptUser(from directory.ConnectionID, u directory.User) {
	tx.queue(statement{
		sql:  same(`UPDATE users SET connection_id = $3 WHERE organization_id = $1 AND connection_id = $2 AND id = $4`),
		args: []any{tx.Organization, from, tx.Connection, u.ID},
		done: found("user", string(u.ID)),
	})
	tx.PutUser(u)
	tx.tallyOf(from, -1)
	tx.tally(+1)
}
