// Package sso hands a person who signed in over to the application, in the shapes of
// OAuth 2.0: the authorization request (RFC 6749 §4.1.1, with PKCE of RFC 7636), the code
// that it is answered with, and its exchange for the person's profile and assignment.
//
// It knows applications, codes and tokens. How the person signed in it does not know:
// package saml asks [Service.Authorize] before it sends the browser away, and stores a
// [Code] in the transaction of the login.
//
//	application ─▶ browser ─▶ /login?response_type=code&client_id&redirect_uri&code_challenge…
//	                             │ Authorize
//	                             ▼
//	                          (saml: the login)
//	                             │ NewCode, in the transaction of the login
//	browser ◀── 303 redirect_uri?code&state&iss
//	application ─▶ POST /sso/token   code, code_verifier, its secret ─▶ profile, assignment, token
//	application ─▶ GET /sso/userinfo the token ─▶ profile, assignment, as they are now
//
// # Decisions
//
//   - A redirect URI is one that is registered, sign for sign. A request whose client or
//     redirect URI is not known is told to the person and redirects nowhere; any other
//     fault of the request goes to the application (RFC 6749 §4.1.2.1).
//   - A request needs PKCE with S256, from every client. Only a login that begins at the
//     identity provider has none: its code is then taken without a verifier, and refused
//     with one (RFC 9700 §4.8.2), so that no request can be turned into such a login.
//   - A code is 256 bits that are stored hashed, for 60 seconds, and is bound to client,
//     redirect URI, challenge and user. Whoever presents one and is a client of ours has
//     used it up, also when the exchange then fails: the code of another client, a wrong
//     verifier. Who is no client uses up nothing.
//   - Secrets are compared as digests, every live one, in constant time.
//   - What the token endpoint answers is what the database says at that moment, not what it
//     said at the login. "published" says whether Redis is known to hold that, too.
//   - An access token is sealed, not stored: it names the user and the epoch, lives ten
//     minutes and opens /sso/userinfo only. Where access has ended (deactivation, deletion,
//     sign-out) the epoch has risen and it is refused. A person who is not active is
//     refused by either endpoint.
//   - A failure of ours fails closed: no code, no token.
package sso
