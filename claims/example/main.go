// Command example is a token issuer reduced to the part that matters: it finds a user
// of an organization in Redis and prints the claims that go into the token.
//
//	go run ./claims/example -redis 127.0.0.1:6379 -org org_… -user jane.doe@example.com
//
// With -demo data/demo.json it takes the address and the organization from the file
// that `make run` writes. It exits with 1 when there is nothing to issue.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rolesync/rolesync/claims"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("example", flag.ContinueOnError)
	address := flags.String("redis", "127.0.0.1:6379", "address of Redis")
	org := flags.String("org", "", `organization ("org_…")`)
	user := flags.String("user", "", `userName, or a subject ("usr_…")`)
	demo := flags.String("demo", "", "take -redis and -org from this file (data/demo.json)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *demo != "" {
		if err := fromDemo(*demo, address, org); err != nil {
			return err
		}
	}

	client := redis.NewClient(&redis.Options{
		Addr:                  *address,
		ContextTimeoutEnabled: true, // a login does not wait longer than its own deadline
	})
	defer client.Close()
	reader := claims.NewReader(client, claims.Keys{})

	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	assignment, err := find(ctx, reader, *org, *user)
	switch {
	case errors.Is(err, claims.ErrNoStatement):
		return fmt.Errorf("no token: nothing is stated about %q in %s", *user, *org)
	case errors.Is(err, claims.ErrAmbiguous):
		return fmt.Errorf("no token: %q names several users of %s", *user, *org)
	case err != nil: // Redis is away, or holds nonsense: refuse, never guess
		return fmt.Errorf("no token: %w", err)
	case !assignment.Active:
		return fmt.Errorf("no token: %s (%s) is not active", *user, assignment.Subject)
	}

	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(assignment.Claims())
}

// find asks by subject when it is given one, and by userName otherwise: one round trip
// either way.
func find(ctx context.Context, reader *claims.Reader, org, user string) (claims.Assignment, error) {
	if strings.HasPrefix(user, "usr_") {
		return reader.Assignment(ctx, org, user)
	}
	return reader.Lookup(ctx, org, claims.UserName(user))
}

func fromDemo(path string, address, org *string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var file struct {
		Organization string `json:"organization"`
		RedisAddr    string `json:"redis_addr"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	*address, *org = file.RedisAddr, file.Organization
	return nil
}
