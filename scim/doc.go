// Package scim speaks SCIM 2.0 (RFC 7643, RFC 7644) with identity providers: Users
// and Groups under /scim/v2/{connection}, in the dialects of Okta, Entra ID, OneLogin,
// JumpCloud, Google Workspace, Ping, Rippling, Keycloak and authentik, without a setting
// for any of them. testdata/README.md shows what each sends, and what comes of it.
//
// It owns the protocol: routes, bearer tokens and the OAuth endpoint that gives them, the
// guard against bad input, the normal form of resources, PATCH, filters, rendering,
// errors. It must not know Redis, SQL, or how rules are evaluated: facts are changed
// through rolesync.Engine and read from internal/store. It is the only importer of
// elimity-com/scim, of which it takes the schema model and the error constants;
// filter-parser gives the trees of filters and paths.
//
// # The way of a request
//
//	body ─▶ parseJSON ─▶ fromResource (POST, PUT) ─┐
//	         (guard)     fromPatch    (PATCH) ─────┴▶ changes ──▶ Engine.Change
//	                                                  attributes    decode, apply, encode
//	                                                  members       add, remove, replace
//
// A body is reduced to changes before the transaction and only read in it. The
// normaliser, driven by the schema, serves all three methods: it finds attributes in
// any letter case, under a URN or in a dotted key, coerces values, and leaves out, but
// counts, what the schema does not know.
//
// # The files
//
//	a request   handler (routes, one call), auth, oauth, limit; answer, conditional, error
//	a body      json (the guard), change, path, members, implied, strict; bulk, bulkid, search
//	a resource  schema, kind, types, extension; node, resource, elements, whole; facts
//	a list      query, filter, clause, compare, indexed, list, sort, cursor
//	an answer   projection, render, membership, encode; discovery
//	endpoints   users, groups, list, search, bulk, discovery
//	its trace   traffic, redact
//
// # What always holds
//
//   - A stored resource is in canonical form: order of the schema, nothing unset, at
//     most one primary element, no id, meta, groups, members or password. Equal
//     resources are equal bytes, so a PUT or PATCH of what is so already changes no
//     revision and no time.
//   - A PATCH of members costs what it changes: neither the list of members nor the
//     group is read, and all its operations become one.
//   - A list, and a group, is sent while it is read, beyond 32 KiB in chunks without
//     Content-Length: besides the rows of the page, at most 40,000 members are held,
//     however many are shown. What fails before the first byte is a SCIM error; after
//     it, the connection is cut. An answer to a change is made as a whole.
//   - Every request is bound to the organization of the connection in its path. Any
//     other id is a 404, whatever its form.
//   - An answer is a SCIM document of type application/scim+json, errors included, but
//     for the token endpoint, which speaks OAuth. No internal text leaves; it is logged,
//     once.
//   - What an organization's own schemas do not know, or no longer know, is not shown: a
//     stored resource is sent as it is only when its schemas are SCIM's own.
//   - No filter is dropped: what is not served is a 400, never an unfiltered list. What
//     the store has an index for becomes SQL; the rest is tried on each stored resource
//     that is left (see clause).
//
// # Users who have signed in before
//
// A person may sign in by SAML before the provider creates the user. A POST of a user
// whom a SAML connection of the organization owns is answered with 201 and the id that
// this user has: by userName, else by externalId, else by an e-mail address that only one
// of them has, without case but for the externalId. From then on the user is as SCIM
// states it, and SCIM's; subjects, and groups that logins state, stay with it. A PUT or
// PATCH to the userName of such a user is a 409, as it is of any other. Of users and
// groups of SAML connections SCIM is shown nothing, and nothing that a login changes
// raises a revision. It costs a creation no round trip: the look for such a user is sent
// with the creation, and ends it if there is one.
//
// # Limits
//
// Body 10 MiB (413), JSON depth 64, no attribute twice in an object, no text behind the
// value, no U+0000, no half of a surrogate pair; 5,000 operations a PATCH (413; a list of
// members is one) or bulk request, and a minute for the latter; filter, path and list of
// attributes 8 KiB, nesting 20; 1,000 resources a page, 100 by default; externalId,
// userName, displayName and the e-mail address 512 bytes each; 200 elements of a
// multi-valued attribute but for members, 64 KiB a resource as it is stored (413); 50
// requests a second and connection, 200 at once, unless it is configured otherwise (429).
//
// # Schemas of an organization
//
// An organization can add schemas to Users and Groups (the admin API). Which version of
// them is in force comes with the connection, whose cache says how fast a change is
// seen: at once where it was made, within 2 s elsewhere. Types are built once for each
// version. Of the characteristics of RFC 7643 §2.2 and §7:
//
//	type          coerced as for all attributes ("5" is an integer, "True" a boolean), else
//	              400 invalidValue: integers have 64 bits; a dateTime has a date and a time,
//	              without a zone it is UTC; base64 is kept in one line and padded; a
//	              reference is any URI, relative ones too
//	required      when something of the schema, or of the complex attribute around it, is
//	              there; checked when that is written to, so that a schema that has become
//	              stricter stops no deactivation
//	immutable     set once, then the same value is fine and another, or its removal, is a 400
//	              mutability; a PUT that does not mention it leaves it as it was, with the
//	              complex attribute around it. Not within a multi-valued attribute
//	writeOnly     accepted and dropped, like password: nothing here would read it
//	readOnly      not of an organization's own attributes: nobody else would write them
//	returned      always and never whatever is asked; request only when the attribute is named
//	              itself, also in the answer to a write. Nobody can filter or sort by what
//	              is never returned
//	caseExact     in comparisons, of values that are there twice, of what is immutable
//	canonical     suggestions: other values are taken
//	uniqueness    none; a schema that says otherwise is refused
//
// Any change of a schema is possible. What is stored and does not fit it is not shown, and
// gone with the next write of its user or group.
//
// # Decisions
//
// Where standards and providers contradict each other, or say nothing:
//
//	answer to PATCH                200 with the resource; 204 for a group above 100 members,
//	                               unless members are excluded or asked for by attributes
//	value path that selects none   add and replace create the element when the filter is
//	                               type eq a canonical type, or primary eq true (Entra);
//	                               else 400 noTarget
//	emails[type eq "work"].value   in a filter: an element that satisfies both (Entra; the
//	                               grammar has no value behind the brackets)
//	remove of what is not there    success
//	remove members with a value    only the listed leave; [] removes nobody; without a value, all
//	read-only attribute            passed over in a resource and in a value without path
//	                               (Okta repeats id); 400 mutability when a path names it
//	unknown attribute              ignored and counted, also when a path names it, and within
//	                               a complex one
//	schemas                        ignored: it follows from what is there; must be right for a
//	                               strict connection, see strict.go
//	partial complex value          merged, but for references: another manager does not
//	                               inherit $ref
//	replace of a selected element  the new one, and what selected it
//	second primary                 the one just set stays, the others become false
//	same type and value again      merged into the one that is there
//	null, "", [], {}               unset; an element that has only type, primary or display
//	                               is not kept (Entra empties emails[type eq "work"].value)
//	remove of a required attribute 400 mutability; missing or blank 400 invalidValue
//	active                         true for a new user that does not say; PUT without it
//	                               leaves it as it was; removed, the user is not active:
//	                               what is in doubt gives nobody access
//	PUT of a group without members no members (RFC 7643 §2.5: absent, null and [] are one)
//	password                       accepted, dropped, never stored or shown
//	members shown                  users, and groups of the connection before them; what is
//	                               neither yet is kept, and shown once the user is there
//	a group that is its own member 400 invalidValue; by way of other groups it may be
//	externalId                     need not be unique (RFC 7643 §3.1). One that several users share
//	                               lets nobody into a group, not even whose userName it is, and
//	                               all of them leave by it
//	members named otherwise        by externalId or userName: the answer shows them by id. A PUT
//	                               of the same raises no revision; a PATCH of members always does
//	groups of a user               those of its connection, shown as direct; also the indirect
//	                               ones, up to five steps away, if the organization's rules
//	                               count nested groups. Filters look at the direct ones. A
//	                               creation does not show them
//	e-mail address of a user       the primary one, else that of type work, else the first
//	wrong token or client secret   401, the same for a connection that does not exist;
//	                               repeated within 2 s it is refused without a query, and
//	                               wrong ones of a connection that come at once share one.
//	                               At most 8 connections are read at a time, and of the body
//	                               at most 64 KiB, at the token endpoint. How many requests
//	                               come from an address is for a proxy to limit
//	too many requests              a request over the rate waits up to 250 ms for its turn, so
//	                               that a client which waits for answers is slowed down and
//	                               never refused; else 429, with a Retry-After that is true if
//	                               nobody else comes. Counted after authentication, before the
//	                               body is read, by each process for itself; a bulk is one
//	OAuth client                   Basic or client_secret_post, not both (RFC 6749 §2.3); scope
//	                               and unknown parameters are ignored; no parameter twice or
//	                               in the URL. Opaque tokens for an hour, 20 live ones a
//	                               client; they end with it. What §5.2 has no code for is
//	                               temporarily_unavailable or server_error
//	last use of a token            kept to the minute; of a client, when it gets a token
//	disabled connection            403 with a valid token, for reading too: it is frozen; no
//	                               new tokens (400 unauthorized_client)
//	unknown endpoint, no token     401; with a token 404
//	parameter names                without regard to case; filter, count … twice is a 400
//	filter on an unknown attribute 400 invalidFilter, by name; in a search of all types it is
//	                               unset for the type that lacks it (RFC 7644 §3.4.2.1)
//	filter on several values       holds when it does for any of them; of none, for an unset one:
//	                               ne is true, eq null too
//	strings                        compare trimmed, NFC and folded, unless the schema says
//	                               caseExact, and by bytes for gt, ge, lt, le
//	groups and members             are selected by value, groups by display too; by nothing else,
//	                               and at most 20 times beside attributes that have no index
//	sortBy                         of several values the primary one, else the first; what has
//	                               none comes last, and first when descending; of long values
//	                               the first 512 bytes
//	cursor                         does not expire; with startIndex, or for another filter or
//	                               order than it was given for, 400; without either, by index
//	operations of a bulk request   one transaction each, in their order but for references to
//	                               what comes later; circles are closed once all of them is
//	                               there. What cannot be carried out whole is not carried out
//	/Me                            501: a machine has no user
//
// The version of a group is its revision. That of a user is followed by a digest of the
// groups that are shown, which change without the user, and that of a resource with an
// organization's own attributes by one of the version of the schemas: If-None-Match
// compares all of it, If-Match the revision alone.
//
// # What is kept of a request
//
// How each request to a connection went is handed to internal/traffic, by kind; of a
// failure also what was answered, and the body without its values (see redact). Wrong
// tokens are counted for a connection that exists. A request without any token is
// nobody's: that the connection exists is not looked up for it. A bulk request is one
// request, and each of its operations another.
package scim
