// Package samltest is an identity provider for tests: it signs whatever a test asks for,
// also wrongly.
//
// It shares no XML code with what it tests: messages are trees of its own (Element), read,
// written and canonicalised here, signed and encrypted with the standard library's
// cryptography alone. So a mistake in the libraries below package saml/verifier is not
// made here a second time, and an attack can be written that no XML library would write.
//
// There are three ways in:
//
//   - Provider.Response makes one message from a Message, in the shape of a product
//     (Shapes), signed, encrypted and then tampered with as the Message says.
//   - Provider.Handler plays a provider over HTTP: it reads an AuthnRequest and answers
//     with a form that posts the response.
//   - Corpus and LogoutCorpus list hostile and legal messages by name, each with where it
//     comes from.
//
// Nothing of the service imports it.
package samltest
