// Package mapping decides what a user may do: it turns the facts about one user
// (the groups that connections state) into an assignment (roles and permissions),
// by the rules and the role catalog of the user's organization.
//
// It is pure. It knows no context, clock, log, SQL or network; the same inputs give
// the same result, byte for byte; inputs are never changed and never kept, results
// share no memory with the program; a Program is immutable, so any number of
// goroutines may use one.
//
// # How it is used
//
//	program, err := mapping.Compile(catalog, rules) // all problems at once
//	after := program.Evaluate(facts)
//	if delta := mapping.Diff(before, after); !delta.Empty() { … }
//	mapping.Explain(program, facts)                 // the same decision, with reasons
//
// # How a group is matched
//
// A rule names groups in exactly one of four ways, and optionally the one connection
// they must come from:
//
//	id      the group's own id; survives a rename, and dangles when the group is gone
//	name    the whole display name
//	glob    the whole display name; * is any run of characters, also none, ? is one
//	        character, a backslash takes the meaning from the next character
//	regexp  the whole display name, as an RE2 expression (Go's regexp/syntax)
//
// Names and globs are compared in the form of directory.Fold: trimmed, Unicode NFC,
// case folded. Folding is full folding ("ß" is "ss"), and the ? of a glob is one code
// point of the folded name. A glob costs at most the length of the pattern times the
// length of the name.
//
// A regexp sees the trimmed name in NFC, not folded, so that classes such as \p{Lu}
// and the author's own flags keep their meaning; the expression itself is taken in
// NFC. It is compiled as (?i:^(?:…)$): anchored at both ends, without regard to case
// by simple folding ("ß" is not "ss"). (?-i:…) inside the expression asks for the
// case, (?s) for a dot that matches a line feed. It runs in time linear in the name.
//
// A user may be in a group only through nested ones: in a group that is in it. Such a
// membership counts if the rule set says so (ExpandNestedGroups), and then like any
// other; else the explanation tells that it does not. How far nesting is followed is
// the facts' affair (directory.NestingDepth).
//
// # Whose groups count
//
// The facts name an authority: groups of SCIM connections count, or those of SAML
// connections, or both. A membership whose kind does not count matches no rule, whatever
// the rule says; the explanation tells that it would (not_authoritative). Which authority
// is in effect is the facts' affair, too.
//
// # Order of evaluation
//
//  1. Subject gate: an inactive user has nothing, whatever the rules say.
//  2. Match: every rule that is not paused is tried on every group that counts; none stops
//     another, so the order of rules and of groups does not matter.
//  3. Grants: the union over the matching rules.
//  4. Combine: "union" keeps all roles, "highest" only the one of highest rank. The
//     permissions that rules grant directly stay in both.
//  5. No role left: "default" gives the default role, "none" nothing, "deny_login"
//     nothing and no login (see Program.DeniesLogin).
//  6. Expand: the permissions of the roles that are left join the granted ones.
//
// Licenses and entitlements are part of an assignment but granted by no rule: they
// are empty.
package mapping
