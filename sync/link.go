package sync

import (
	"cmp"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
)

// match decides who, of the users that share a name with an unknown subject of a SAML
// connection, that subject is; nil: none of them. A conflict is a person who is one of
// them by name and is not proven to be: what is in doubt gives nobody access.
//
// SCIM states who is there, so a name that it gave to one user is proof enough, unless the
// connection may speak for people of some domains only and the user is not of one. A user
// that a SAML connection made is somebody who signed in; that this is the same person is
// proven by an e-mail address of a domain that the connection may speak for, and by
// nothing else: the name may be another person's by now.
func match(candidates []store.Candidate, l *Login) (found *store.Candidate, conflict bool) {
	userName, email := directory.Fold(l.UserName), directory.Fold(l.Email)
	is := func(holds func(*store.Candidate) bool) (list []*store.Candidate) {
		for i := range candidates {
			if holds(&candidates[i]) {
				list = append(list, &candidates[i])
			}
		}
		return list
	}
	named := func(name string) func(*store.Candidate) bool {
		return func(c *store.Candidate) bool { return name != "" && directory.Fold(c.UserName) == name }
	}
	addressed := func(c *store.Candidate) bool { return email != "" && directory.Fold(c.Email) == email }

	// Exactly one user has the externalId, or it proves nothing.
	if list := is(func(c *store.Candidate) bool {
		return c.Kind == directory.SCIM && l.ExternalID != "" && c.ExternalID == l.ExternalID
	}); len(list) == 1 {
		return within(list[0], l.Domains)
	}
	for _, holds := range []func(*store.Candidate) bool{named(userName), named(email), addressed} {
		list := is(holds)
		switch {
		case len(list) == 0:
			continue
		case len(list) > 1:
			return nil, true
		}
		if list[0].Kind == directory.SCIM {
			return within(list[0], l.Domains)
		}
		proven := directory.InDomains(l.Email, l.Domains) && (named(email)(list[0]) || addressed(list[0]))
		if !proven {
			return nil, true
		}
		return list[0], false
	}
	return nil, false
}

// within returns the user, or a conflict if it is not a person of one of the domains, by
// its e-mail address or else its userName. Without domains, everybody is.
func within(c *store.Candidate, domains []string) (found *store.Candidate, conflict bool) {
	if len(domains) > 0 && !directory.InDomains(cmp.Or(c.Email, c.UserName), domains) {
		return nil, true
	}
	return c, false
}
