// Package traffic keeps what identity providers send and how it went, per connection:
// requests by kind, the newest failures, and attributes that are not mapped. It is what a
// person looks at when provisioning "does nothing".
//
// It knows no protocol: whoever serves one hands each request to [Recorder.Record] and
// says what kind it was. It must not see what a body held; that is blanked before.
//
// # What always holds
//
//   - Record never waits for the database, and never fails. It adds in memory, in less
//     than a microsecond for a request that went well.
//   - [Recorder.Run] stores what was added every two seconds and when it stops. A crash
//     loses at most what came since; nothing that matters depends on it.
//   - While the database is away, what was added is kept, and stored when it is back.
//   - Memory is bounded, per connection and in all: when there is no room, a failure is
//     counted but not listed, and a request of yet another connection is only logged as
//     not counted. Whoever sends wrong tokens adds to one number and, every two seconds,
//     one row, of which few are kept.
//   - Any number of processes record the same connection: they add to the same numbers,
//     in transactions that no change of facts waits for.
package traffic
