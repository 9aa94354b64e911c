// Package saml is the SAML 2.0 service provider over HTTP: our metadata, logins that begin
// here or at the identity provider, the assertion consumer service (ACS), single logout and
// test logins. It owns the order of the checks. What a message says, package verifier
// decides; who that is, this package (see identify); what follows for roles, package sync.
//
// # The way of a login
//
//	application ─▶ browser ─▶ GET /login?organization|domain|connection   or
//	                          GET /saml/{connection}/login
//	                            client_id, redirect_uri, state, code_challenge…
//	                          (sso.Authorize) (the request is kept, by the hash of its RelayState)
//	                          303 provider?SAMLRequest&RelayState, Set-Cookie
//	                               │ the person signs in
//	                               ▼
//	                          POST /saml/{connection}/acs  SAMLResponse, RelayState, Cookie
//	 1 the connection, from the path alone; its organization is everything's organization
//	 2 the form: POST, form-encoded, 2 MiB, exactly one SAMLResponse, no SAMLart
//	 3 the RelayState: the login that it names is taken, and so ended, whoever presents it
//	 4 the cookie: the browser is the one in which that login began
//	 5 the connection is not disabled
//	 6 the message (verifier): guard, outer checks, signature, decryption, profile, second opinion
//	 7 the application, if nobody has asked (the login began at the provider)
//	 8 the identity: who it is, and what is said of groups
//	 9 Engine.Login, one transaction: the assertion is used up, the user found, linked or
//	   made, groups and assignment stored, the code stored
//	10 wait until the assignment is in Redis, 3 seconds at most
//	11 303 redirect_uri?code&state&iss
//
// # Decisions
//
// Everything fails closed, but for one thing: a login whose assignment is not in Redis
// within 3 seconds is answered all the same, since what is committed is right, the
// application is told ("published": false), and a Redis that is away must not keep
// everybody out.
//
//   - RelayState is 128 random bits with a prefix. What has that form is ours, known or
//     not: an answer whose login is not known any more is refused, even where logins may
//     begin at the provider. Otherwise a stranger's answer, with a RelayState that was used
//     up, would be such a login.
//   - A login begins at the provider only where the connection allows it and the message
//     answers nothing: no InResponseTo anywhere, no RelayState of ours. The RelayState of
//     the provider is not read, least of all as an address. Such a login leads to the
//     application that the connection names, with a code without PKCE; that somebody may
//     be signed in there as another person (login CSRF) comes with the feature.
//   - ForceAuthn is insisted on: the sign-in is not older than our request, and where
//     nobody has asked, not older than a request could be.
//   - One cookie ties the logins of a browser to it. See setCookie for its form.
//   - An authorization request whose client or redirect URI is not known ends at a page.
//     Its other faults go to the application; what goes wrong at the provider or at the
//     ACS ends at a page, because it is the admin of the connection who can do something.
//   - The page tells the person a reference, the end of the request's id, and nothing
//     else, the same for every reason. The admin finds it in the connection's health, with
//     the code and the real reason. A refusal before the provider's signature was
//     verified may be anybody's: it is of kind auth, and cannot push the others out.
//   - The organization of a login is never read from a message, and no address of ours from
//     a request: two connections with the same provider and the same key are told apart by
//     what their messages are for (audience, recipient), which have the connection in them.
//   - A logout request is verified, used once, and ends all that was issued to the user,
//     whichever session it names. Whom we do not know is answered UnknownPrincipal, not
//     Success: the provider is authenticated, and somebody who was not signed out must not
//     look as if.
//   - There is no limit on the rate of a connection's logins. Strangers and customers
//     would share it, so that whoever sends nonsense could keep a customer out. What a
//     stranger can cost is bounded instead: bodies, verifications at a time, readings of
//     connections at a time, and rows of logins under way, which are small and swept.
//   - The settings are those at the time of the answer, not of the request: what an admin
//     has tightened meanwhile counts.
//   - A connection is cached for two seconds: another process may answer for so long with
//     settings of before. In this process Forget ends it at once.
//
// # What it must not know
//
// Redis, SQL, rules. XML it writes by itself (see message.go) and reads nowhere.
package saml
