// Package interop signs in through real identity providers: SimpleSAMLphp, pysaml2, and
// the npm packages samlp and samlify. Each is started on a port of its own with the
// metadata of our connection, as an administrator would set it up, and a client with
// cookies goes the way of a person's browser, from the application to the provider's
// login form and back, up to the role in Redis.
//
// What always holds: nothing of a provider is imitated here. Its configuration or the few
// lines that call it lie in testdata; its messages, signatures and encryption are its own.
//
// It has tests only. Where a provider is not installed, its tests are skipped, or fail
// when ROLESYNC_TEST_ALL=1.
package interop
