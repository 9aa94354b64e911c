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
// HTTP, SCIM, SAML. Facts arrive as internal/directory values.
package sync
