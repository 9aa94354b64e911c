// Package badtimes holds nothing but tests: it runs the built program with real
// servers and kills, restarts and cuts off one or the other under load.
//
// What must hold each time, as the README promises: no acknowledged change is lost,
// no request is half done, no removed role is back, and rolesync verify finds nothing
// that does not heal by itself within five seconds.
package badtimes
