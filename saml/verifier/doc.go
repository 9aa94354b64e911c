// Package verifier decides whether a SAML message is what it claims to be: a response of one
// identity provider, for one connection, in answer to one request, now. It knows no HTTP and
// no storage. It takes a message and what is expected of it, and returns what the provider
// said, or why the message is refused.
//
// # What always holds
//
//   - Nothing is returned that a pinned key of the provider did not sign. What is returned was
//     read from the octets whose digest was verified, not from the message that came.
//   - What is expected never comes from the message: neither the provider, nor its key, nor
//     whom it is for.
//   - Whatever octets come, verification ends, in time and memory that the limits bound, and
//     without a panic (which would be refused as Internal, and counted: see Panics).
//   - Every refusal has a Code, and a Detail that names the offending value for an
//     administrator. Of decryption it tells nothing that a secret was needed to see.
//
// What is left to the caller: Base64 (Decode), that a message is used once (Assertion.ID,
// Usable), and everything that needs storage.
//
// # The order
//
//	octets
//	  │ guard          parse.go, tag.go, guard.go   one pass: well-formed, within limits, in shape
//	  ▼
//	tree ── outer checks                  outer.go   version, destination, issuer, status, request, age
//	  │ Response signed? ───────────── signature.go, signedinfo.go
//	  │   shape of the Signature, then goxmldsig with one pinned certificate
//	  ▼
//	verified Response ── outer checks once more, on what was signed
//	  │ EncryptedAssertion? ──────────── decrypt.go  then the guard, as if it had come
//	  ▼
//	Assertion
//	  │ Assertion signed? (it must be, unless the Response was) ─── as above
//	  ▼
//	verified Assertion
//	  │ statement.go   what it says          profile.go, judge.go   whether that is for us, and now
//	  ▼
//	  │ second.go, rebuild.go   crewjam's library, on a message built of what was verified
//	  ▼
//	*Assertion
//
// # Decisions
//
// Reading. The reader is our own, strict and small, and builds the tree that goxmldsig
// canonicalizes. That is safe because it cannot vouch for anything: if it read a message
// otherwise than its signer, the digest would not match; and what is read after that is the
// canonical form, read by encoding/xml. (What was decrypted under a signed Response, and is not
// signed itself, our reader alone reads: its octets are the provider's, since the ciphertext
// was signed.) It is several times as fast as encoding/xml with a
// check of round trips, refuses what parsers are known to differ on, and is compared with
// encoding/xml by a fuzz test. What it does with CDATA, comments, references, line breaks and
// encodings is drawn at its type, the limits stand below it.
//
// Comments. Between elements they are dropped, in values refused: nothing that is returned
// can ever have been cut at one. A signature "with comments" is accepted when there are none.
//
// Signatures. Every one that is there must verify, also where another would do: a message
// that is half wrong is wrong. KeyInfo is not used, so that a certificate issued anew for the
// same key works, and a strange one in the message does not matter; it is named in the
// refusal, since that is what an administrator needs to know after a provider changed its
// key. Validity dates of certificates are not asked: that is for warnings.
//
// goxmldsig walks at most 1,000 elements to find a Signature. It is moved to the front of
// its parent first, which does not change what is signed. ECDSA signatures, which XML has as
// r and s, are re-encoded for it. What it does not know is refused, though it is legal:
// RSASSA-PSS, a PrefixList for SignedInfo, and an element with attributes of two namespaces
// whose local names sort otherwise than their namespaces (xml:lang beside xsi:type), which
// it canonicalizes in the wrong order.
//
// Encryption. RSA-OAEP with AES in GCM or CBC. CBC does not authenticate, so that a stranger
// could ask us about padding, and about what he guesses to be in a block: hence one refusal
// for all that goes wrong, with CBC in a Response that is not signed also for a signature
// inside that does not verify; and a signature inside or outside in any case. An
// administrator who wants to be told more lets the provider use GCM, or sign the Response. Of several EncryptedKeys, the first that opens decides, so
// that a stranger cannot have us decrypt often. What is decrypted inherits the namespaces of where it stood.
// NameIDs or attributes that are encrypted on their own are refused.
//
// Text. Values are exact, white space included. A NameID is a key of a person: one with
// white space around it or control characters in it is refused, rather than changed.
//
// Times. xs:dateTime, with fractions and offsets, UTC without one. A message may be 5 minutes
// old, besides the skew, and so may an assertion.
//
// Second opinion. The library is asked last, about content that was verified, so that it can
// only refuse; see secondOpinion for what it gets and why it cannot be fooled into skipping
// the signature.
package verifier
