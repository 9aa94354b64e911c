// Package claims is what a token issuer imports: it reads the assignment of a user
// from Redis, in one round trip, and gives it the shape of JWT claims.
//
//	reader := claims.NewReader(client, claims.Keys{})
//	a, err := reader.Lookup(ctx, organization, claims.Email(address))
//	switch {
//	case errors.Is(err, claims.ErrNoStatement), errors.Is(err, claims.ErrAmbiguous):
//		// nothing is stated about this user: issue nothing
//	case err != nil:
//		// Redis could not be read: refuse, and let the caller try again
//	case !a.Active:
//		// deactivated or deleted: refuse
//	default:
//		token.Claims(a.Claims())
//	}
//
// The package owns the Redis contract: the names of the keys, the JSON of an
// assignment, the form of an alias, the fields of a change. The service writes with
// these same types, and readers in other languages follow the table:
//
//	rolesync:{org}:assignments  hash    subject → JSON of Assignment, which begins with "v"
//	rolesync:{org}:aliases      hash    alias → subject; several subjects with a space between
//	                                    them (or "*" for very many) when they share it, and
//	                                    then a reader gives nothing
//	rolesync:{org}:meta         hash    generation, rule_set_version, updated_at
//	rolesync:{org}:changes      stream  subject, version, epoch, kind, cause; MAXLEN ~ 10000
//
// The braces are part of the name: they put the keys of one organization into one
// slot of a Redis Cluster.
//
// # It fails closed
//
// Every error means "give nothing". A missing entry is ErrNoStatement and not an
// empty assignment; an alias that two users share is ErrAmbiguous and not the first
// of them; an entry that does not have the form of the contract is ErrMalformed and
// never a part of an assignment; an inactive user has no roles even if Redis lists
// some. Redis that is away or slow is an error that wraps the client's own. Nothing
// is cached, so that a removed role is gone at the next read.
//
// How long a call may take is set on the client (ReadTimeout, MaxRetries, and
// ContextTimeoutEnabled for the deadline of ctx to count): it is in the path of a
// login.
//
// # Revocation
//
// Epoch rises when access must end now: deactivation, deletion, a forced sign-out.
// An issuer puts it into the token (claim "epoch"); whoever must know at once
// compares it with the epoch that Redis has, or follows Watch, and refuses a token
// whose epoch is lower.
//
// The package must not know SQL, HTTP or rules. A Redis user for it needs the
// commands HGET, HMGET, EVAL, EVALSHA, XREAD and XREVRANGE on the keys above.
package claims
