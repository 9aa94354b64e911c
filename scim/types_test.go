package scim

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
)

func TestTypesAreBuiltOncePerVersion(t *testing.T) {
	var cache typesCache
	var mu sync.Mutex
	reads, version, broken := 0, int64(1), error(nil)
	read := func(context.Context, directory.OrganizationID) (store.ExtensionSchemas, error) {
		mu.Lock()
		defer mu.Unlock()
		reads++
		return store.ExtensionSchemas{Version: version}, broken
	}
	get := func(organization directory.OrganizationID, version int64) *types {
		t.Helper()
		served, err := cache.get(t.Context(), organization, version, read)
		if err != nil {
			t.Fatal(err)
		}
		return served
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { _, _ = cache.get(t.Context(), "org_1", 1, read) }) // the count says what matters
	}
	all.Wait()
	first := get("org_1", 1)
	if version = 3; reads > 2 || get("org_1", 1) != first {
		t.Errorf("version 1 was read %d times", reads)
	}
	reads = 0
	third := get("org_1", 2) // it has moved on meanwhile
	if third == first || get("org_1", 3) != third || get("org_1", 1) != third || reads != 1 {
		t.Errorf("versions 1 to 3 were read %d times, want once", reads)
	}
	if get("org_2", 1) == third {
		t.Error("another organization was given the same types")
	}

	broken = errors.New("no database")
	if served, err := cache.get(t.Context(), "org_1", 4, read); served != nil || !errors.Is(err, broken) {
		t.Errorf("types that cannot be read = %v, %v", served, err)
	}
	broken = nil
	for i := range cachedTypes + 1 {
		get(directory.OrganizationID(fmt.Sprintf("org_many_%d", i)), 1)
	}
	if n := len(cache.entries); n > cachedTypes {
		t.Errorf("%d organizations are kept, want at most %d", n, cachedTypes)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (&typesCache{}).get(gone, "org_1", 1, func(ctx context.Context, _ directory.OrganizationID) (store.ExtensionSchemas, error) {
		return store.ExtensionSchemas{}, ctx.Err()
	}); err != nil && problem(err).Status != 503 {
		t.Errorf("a client that is gone = %v", err)
	}
}
