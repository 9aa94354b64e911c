// Package store keeps the truth: facts, rules, assignments and the audit, in SQLite
// (one file, the default) or PostgreSQL. It is the only importer of database/sql
// and pgx, and it knows nothing of HTTP, SCIM or Redis.
//
// # Shape
//
// A method of Store that reads is one round trip. A change is a transaction, made
// by [Store.Transact]; the methods of [Tx] queue statements, which are sent together
// by the next [Tx.Flush] or by the COMMIT: on PostgreSQL as one pipelined batch with
// BEGIN in the first and COMMIT in the last, since a round trip costs more than a
// statement. An answer that is not needed at once is a [Later].
//
// SQL is written once; what the databases say differently is in dialect.go.
// Migrations are embedded and append only, with the same numbers for both.
//
// # Who waits for whom
//
// On PostgreSQL, at READ COMMITTED, in this order:
//
//  1. the organization's advisory lock: shared for facts, exclusive for rules, for the
//     authority over groups and for what reaches through nested groups;
//  2. advisory locks of names that are to be somebody's, in order, where a user or a
//     subject is created;
//  3. rows of groups of SCIM, in order of id;
//  4. rows of users, in order of id;
//  5. new groups of SAML connections, in order of name.
//
// The row of a user guards the user's memberships and assignment, the row of a group
// its name and its list of members. A group of a SAML connection has no such row: its name
// never changes, and its members are the users' own affair. Which groups are in which is guarded by the lock of
// the organization: it is written by whoever is alone, so everybody may rely on it; and
// so is the name of a group that has others in it. Who deletes a user locks the groups
// that lose a member first, and then those that the user joined meanwhile. Facts are read by a statement that comes after
// the one that locked, so it sees what was committed before the lock was had: an
// assignment is always computed from current facts. The order holds within a statement;
// a deadlock between transactions of several (members who leave and others who join,
// pending members, leavers) rolls one back and runs its closure again.
// SQLite has one writing connection, so there a transaction is alone.
//
// # What always holds
//
//   - Every query for a request names one organization, but for Connection, which finds
//     it; an id of another is NotFound.
//   - A transaction is all or nothing; after any error but a lost connection during
//     COMMIT, nothing of it was stored.
//   - What connections sent is counted in rows that no change of facts touches.
//   - A message of an identity provider, a login request and a code are used once, by
//     however many processes; what has expired is swept later, with a margin.
//   - A subject of a SAML connection is a user who is there.
//   - A row of assignments with published_version < version has yet to reach Redis.
package store
