package claims_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/rolesync/rolesync/claims"
)

// A token issuer that knows the user's e-mail address asks for the assignment and, on
// anything but a clear answer, gives nothing.
func ExampleReader_Lookup() {
	client, stop := demo()
	defer stop()
	reader := claims.NewReader(client, claims.Keys{})

	for _, address := range []string{"Jane.Doe@example.com", "stranger@example.com", "support@example.com"} {
		a, err := reader.Lookup(context.Background(), "org_acme", claims.Email(address))
		switch {
		case errors.Is(err, claims.ErrNoStatement):
			fmt.Println(address, "is unknown: no token")
		case errors.Is(err, claims.ErrAmbiguous):
			fmt.Println(address, "is shared: no token")
		case err != nil:
			fmt.Println("try again later: no token")
		case !a.Active:
			fmt.Println(address, "is not active: no token")
		default:
			c := a.Claims()
			fmt.Println(a.Subject, "in", c.OrganizationID, "is", c.Role, "with", c.Permissions)
		}
	}
	// Output:
	// usr_jane in org_acme is admin with [billing:view users:edit]
	// stranger@example.com is unknown: no token
	// support@example.com is shared: no token
}

// A service that acts for a user checks what the action needs, all at once.
func ExampleAssignment_Require() {
	client, stop := demo()
	defer stop()
	a, err := claims.NewReader(client, claims.Keys{}).Assignment(context.Background(), "org_acme", "usr_jane")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(a.Has("billing:view"))
	fmt.Println(a.Require("users:edit"))
	fmt.Println(a.Require("users:edit", "billing:pay"))
	// Output:
	// true
	// <nil>
	// access denied: missing billing:pay
}

// Who must know at once that access has ended follows the changes.
func ExampleReader_Watch() {
	client, stop := demo()
	defer stop()
	for change, err := range claims.NewReader(client, claims.Keys{}).Watch(context.Background(), "org_acme", "0") {
		if err != nil {
			fmt.Println(err) // going on is fine: Watch pauses and continues where it was
			continue
		}
		fmt.Println(change.Subject, change.Kind, "version", change.Version, "epoch", change.Epoch)
		if change.Kind == claims.Deactivated {
			break // refuse tokens of this subject with a lower epoch
		}
	}
	// Output:
	// usr_jane assigned version 3 epoch 1
	// usr_john deactivated version 5 epoch 2
}

// demo returns a Redis as the service leaves it.
func demo() (*redis.Client, func()) {
	server, err := miniredis.Run()
	if err != nil {
		panic(err)
	}
	keys := claims.Keys{}
	server.HSet(keys.Assignments("org_acme"), "usr_jane", `{"v":3,"epoch":1,"active":true,"role":"admin","roles":["admin"],"permissions":["billing:view","users:edit"],"licenses":[],"entitlements":[],"updated_at":"2026-11-21T10:20:30Z","aliases":["email:jane.doe@example.com"]}`)
	server.HSet(keys.Aliases("org_acme"), claims.Email("jane.doe@example.com"), "usr_jane", claims.Email("support@example.com"), "usr_jane usr_john")
	_, _ = server.XAdd(keys.Changes("org_acme"), "1795256430000-0", claims.Change{Subject: "usr_jane", Version: 3, Epoch: 1, Kind: claims.Assigned, Cause: "req_1"}.Values())
	_, _ = server.XAdd(keys.Changes("org_acme"), "1795256431000-0", claims.Change{Subject: "usr_john", Version: 5, Epoch: 2, Kind: claims.Deactivated, Cause: "req_2"}.Values())
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	return client, func() { _ = client.Close(); server.Close() }
}
