// Package admin holds what an administrator can do: organizations, connections with
// their tokens or their settings of SAML, applications, schemas, roles, rules, admin
// keys, and looking at groups, users,
// assignments and the audit. The JSON API and the pages call the same methods, so that both may do the
// same and leave the same traces.
//
// It decides who may do what, checks what comes from outside, and writes the audit in
// the transaction of each change. It knows nothing of HTTP: a failure is a fault, whose
// kind the caller turns into a status. Every method is bound to one organization (or,
// for roles and admin keys, to the deployment); an id of another is NotFound.
//
// A secret (a token, an admin key) is returned by the method that makes it, once, and
// is kept nowhere.
package admin

import (
	"encoding/json"
	"time"

	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/internal/traffic"
	"github.com/rolesync/rolesync/saml/metadata"
	rolesync "github.com/rolesync/rolesync/sync"
)

// Service carries out the use cases. It is safe for concurrent use; its fields are set
// before the first call and not changed after.
type Service struct {
	Store  *store.Store
	Engine *rolesync.Engine
	Now    func() time.Time // nil: directory.Now

	// Traffic is told to store what this process has recorded before it is shown. nil:
	// nothing is recorded here.
	Traffic *traffic.Recorder

	// Sealer keeps the private keys of SAML connections; nil: there can be none, and
	// making one says what to configure.
	Sealer *credential.Sealer
	// Metadata reads the metadata of identity providers.
	Metadata *metadata.Fetcher
	// SAMLURLs returns the addresses of a SAML connection.
	SAMLURLs func(directory.ConnectionID) SAMLURLs

	// Forget is told, after COMMIT, that the tokens or the state of a connection have
	// changed, so that whoever holds them in memory reads them again. nil: nobody does.
	Forget func(directory.ConnectionID)

	keys keyring
}

// What the store keeps is also what is shown. A caller of this package sees it under
// these names and need not know the store.
type (
	// Connection is an identity-provider integration with what is known of its tokens.
	Connection = store.Connection
	// Token is what is known of a connection's token, which is not the token itself.
	Token = credential.Stored
	// Client is what is known of an OAuth client, which is not its secret.
	Client = store.Client
	// AdminKey is what is known of an admin key, which is not the key itself.
	AdminKey = store.AdminKey
	// Application is what people sign in to, with what is known of its secrets.
	Application = store.Application
	// GroupAuthority says whose groups count in an organization.
	GroupAuthority = store.GroupAuthority
	// WaitingMember is a member of a group that is no user yet.
	WaitingMember = store.WaitingMember
	// RuleSetVersion is one published, immutable version of an organization's rules.
	RuleSetVersion = store.RuleSetVersion
	// ExtensionSchema is a schema that an organization has added to those of SCIM.
	ExtensionSchema = store.ExtensionSchema
	// KindTraffic is about the requests of one kind that a connection has sent.
	KindTraffic = store.KindTraffic
	// UnmappedAttribute is one that a provider sends and the schema does not know.
	UnmappedAttribute = store.UnmappedAttribute
	// Failure is a request of a connection that was refused, or that failed.
	Failure = store.Failure
	// AuditEntry says who did what, because of which request.
	AuditEntry = store.AuditEntry
)

// Actor is who acts. A method that only reads takes one too, because what may be seen
// is decided here as well; today every admin key may see everything.
type Actor struct {
	Name    string // for the audit: "admin key key_…"
	Request string // the id of the request, for the audit and the cause of assignments
}

func (a Actor) author(organization directory.OrganizationID) rolesync.Author {
	return rolesync.Author{Organization: organization, Name: a.Name, Request: a.Request}
}

func (s *Service) now() time.Time {
	if s.Now == nil {
		return directory.Now()
	}
	return s.Now()
}

func (s *Service) forget(connection directory.ConnectionID) {
	if s.Forget != nil {
		s.Forget(connection)
	}
}

// record writes the audit of a change into its transaction.
func record(tx *store.Tx, by Actor, now time.Time, action, target string, detail map[string]any) error {
	text, err := json.Marshal(detail)
	if err != nil {
		return err
	}
	tx.Audit(AuditEntry{
		ID: directory.NewChangeID(), At: now, Actor: by.Name, Action: action, Target: target, Request: by.Request, Detail: text,
	})
	return nil
}
