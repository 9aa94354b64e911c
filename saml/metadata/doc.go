// Package metadata reads what an identity provider says of itself (SAML 2.0 metadata),
// fetches it safely, and writes what we say of ourselves.
//
// [Parse] and [Merge] are pure; [Fetcher] is the one that uses the network, and reaches
// public addresses over https only. It knows nothing of connections, SQL or messages.
//
// What always holds:
//
//   - What Parse returns can be used: an entity ID, at least one place where requests go,
//     over https, and at least one certificate whose key we verify with.
//   - A signature in metadata is not looked at. What is trusted is how it came: the admin
//     who pasted it, or https to the address that the admin gave. A signature by a key
//     that stands in the same document proves nothing, and federations, where it would,
//     are read by their own tools.
//   - The entity ID of a connection stays. A provider that calls itself otherwise is
//     another provider, and the message says so.
//   - A certificate goes only after it was absent twice in a row, so that a provider that
//     answers from an old copy for once does not lock everybody out.
package metadata
