// Package sync keeps assignments equal to what the facts and the rules say, and
// Redis equal to the assignments. It is imported as rolesync.
//
// # The way of a change
//
// Everything that changes a fact or a rule goes through [Engine.Change] (facts) or
// its siblings for rules and roles. In one SQL transaction it stores the change,
// evaluates the users it touched, and writes their assignments and the audit. After
// COMMIT it hands the new assignments to the [Writer], which carries them to Redis.
// Nothing leaves the process before COMMIT.
//
//	facts changed ─▶ touched users locked ─▶ mapping.Evaluate ─▶ assignment differs?
//	                                                        yes: version + 1, audit
//	COMMIT ─▶ Writer ─▶ Redis script: newer than what is there? ─▶ marked as published
//
// A change that touches more than InlineLimit users (a large group renamed, rules
// published) puts them on a backlog in the same transaction; [Engine.Run] works it
// off in chunks, each a transaction, also after a crash.
//
// # Nested groups
//
// A group may be a member of groups. If the rules count that (ExpandNestedGroups), a
// user's assignment depends on names and steps of groups that the user is not in itself:
// what a change of one of them touches is found by walking down from it, five steps far.
// Such a change (a nested group comes or goes; a group that has nested ones is renamed; a
// group that is nested, or has nested ones, is deleted) is alone in its organization: the
// engine begins it like any other, and once it is found out, makes it again with the
// exclusive lock.
//
// So no assignment is stale. Every other change of the organization comes wholly before
// it or wholly after. One before has committed memberships and assignments, so the walk
// finds its users, and they are evaluated or on the backlog. One after reads the facts
// with the new steps and names in them. And among changes that are not alone, steps, and
// names of groups that have nested ones, stand still: whom one of them touches, it
// touches through rows that it has locked. It is the same if the rules do not count
// nested groups, but that new steps then touch nobody; rules that begin to count them are
// published alone, and have everyone evaluated.
//
// # Logins
//
// [Engine.Login] stores what a verified assertion of a SAML connection states, in one
// transaction: that the assertion was used; who the subject is; the person's names, if the
// connection owns the user; the groups; the assignment that follows; the code with which
// the application goes on. A subject is known to its connection alone, exactly as it is
// written. Who an unknown one is, is decided by names (see match in link.go):
//
//	there is                                   the login is
//	no user of these names, and
//	  SCIM has ever created a user here        refused: user_unknown
//	  the connection makes no users            refused: user_unknown
//	  else                                     accepted: a new user, whom the connection owns
//	a user of SCIM: the only one of the
//	  externalId, else of the userName, else
//	  of the e-mail address, and
//	  the connection may speak for the person  accepted: that user, from now on
//	  else                                     refused: user_conflict
//	several users of the address               refused: user_conflict
//	a user of this SAML connection, or of
//	  another, by userName or address, and
//	  the connection may speak for the address accepted: that user, from now on
//	  else                                     refused: user_conflict
//
// and of a known subject:
//
//	the user                                   the login is
//	is not active                              refused: user_inactive
//	was deleted                                that of an unknown subject
//	is owned by this connection                accepted; its names are as stated, but that a
//	                                           userName of somebody else is not taken
//	is owned by SCIM, or another connection    accepted; its names stay
//	is owned by a disabled connection          accepted: what it stated is frozen, not gone
//	was made here before SCIM began, and SCIM
//	  has not created it                       accepted: it is known
//	has no role, and the rules deny that       refused: login_denied; the facts are stored
//
// The caller refuses logins of a disabled connection itself. A refusal commits that the
// assertion was used, and nothing else; an error may leave it used or not, and the person
// has to sign in again either way.
//
// Groups of a SAML connection are made by the first login that states them, and keep the
// name that it gave them. Their rows are not locked and have no revisions: the row of the
// user guards its memberships, so that people who sign in do not wait for each other,
// though all of them are in "Everyone". Members may be users of any connection of the
// organization. SCIM is shown none of it.
//
// The order of locks is organization, names, users, and then new groups in order of name.
// A known user who gets another userName locks that name late; and so does SCIM with
// members that it names by name. A deadlock of those is resolved by the database, and the
// transaction runs again.
//
// When SCIM creates a user whom a SAML connection owns, the user is adopted ([Tx.Adopt]):
// it keeps its id, its subjects and its groups. Both lock the names that they have in
// common before they look, so whichever comes first, it is one user. Whom a connection
// with e-mail domains made is adopted as a person of these domains only.
//
// # Whose groups count
//
// That is set for an organization ([Engine.SetAuthority]) and read with the basis of every
// evaluation. "auto" means SAML until SCIM pushes its first group, and SCIM from then on,
// also when the group is gone. What turns it around is alone in the organization, and has
// everyone evaluated again: a login comes wholly before it, and is on the backlog, or
// wholly after, and sees it. So does the group that turns it.
//
// # Revisions
//
// The revision of a group is raised with every change of what a provider is shown of it:
// also when a member is deleted, user or group, and when one that was named before it
// existed appears.
//
// # Why nothing is lost
//
// An assignment row with published_version < version is the outbox. The Writer's
// queue in memory is only the fast way: what it drops, or what a crash takes with
// it, is found again by a sweep over those rows, a second later. Rows are not locked
// while Redis is written (a Redis that hangs would hang SCIM with it), so two
// processes may write the same version: the script in Redis refuses what is not
// newer, which makes every repetition harmless.
//
// # Why nothing is stale
//
// Redis can lose data without an error: a flush, a restart from an older file, a
// failover. The [Writer] compares the server's run id and a marker key once a second
// with those it last filled, and every organization's generation now and then. On a
// difference it fills the organizations anew, beside the live keys, and swaps; live
// writes meanwhile go to both.
//
// # What it must not know
//
// HTTP, SCIM, SAML. Facts arrive as internal/directory values, and as what a [Login]
// states once somebody has verified it.
package sync
