package store_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/store"
)

func (n tenant) add(t *testing.T, list ...store.Traffic) {
	t.Helper()
	for i := range list {
		if list[i].Scope == (store.Scope{}) {
			list[i].Scope = n.Scope
		}
	}
	if err := n.AddTraffic(t.Context(), list); err != nil {
		t.Fatal(err)
	}
}

func (n tenant) traffic(t *testing.T) store.Traffic {
	t.Helper()
	traffic, _, err := n.Traffic(t.Context(), n.Scope)
	if err != nil {
		t.Fatal(err)
	}
	return traffic
}

// failures makes n failures of a kind.
func failures(kind string, n int, at time.Time) []store.Failure {
	list := make([]store.Failure, n)
	for i := range list {
		list[i] = store.Failure{
			ID: directory.NewFailureID(), At: at, Kind: kind, Status: 409, Code: "uniqueness", Detail: fmt.Sprintf("it's %d%% \"ä\"", i),
			Method: "POST", Path: "/Users", Request: "req_1", Body: `{"userName":"…"}`,
		}
	}
	return list
}

func testTraffic(t *testing.T, d *database) {
	n, foreign := d.tenant(t), d.tenant(t)
	sibling := n.sibling(t)
	first := directory.Now()
	later := first.Add(time.Minute)
	equal(t, "traffic of a connection that was not used", n.traffic(t), store.Traffic{Scope: n.Scope})

	n.add(t, store.Traffic{
		Kinds: []store.KindTraffic{
			{Kind: "users.create", Succeeded: 2, Failed: 1, LastSuccess: later, LastFailure: first},
			{Kind: "groups.list", Failed: 1, LastFailure: first},
		},
		Unmapped: []store.UnmappedAttribute{{Name: "shoeSize", Count: 3, FirstAt: later, LastAt: later}},
	}, store.Traffic{Scope: sibling.Scope, Kinds: []store.KindTraffic{{Kind: "users.create", Succeeded: 40, LastSuccess: first}}},
		store.Traffic{Scope: foreign.Scope, Kinds: []store.KindTraffic{{Kind: "users.create", Succeeded: 50, LastSuccess: first}}})
	n.add(t, store.Traffic{
		Kinds:    []store.KindTraffic{{Kind: "users.create", Succeeded: 1, Failed: 1, LastSuccess: first, LastFailure: later}},
		Unmapped: []store.UnmappedAttribute{{Name: "shoeSize", Count: 1, FirstAt: first, LastAt: first}},
	})
	equal(t, "traffic: numbers added, of times the later", n.traffic(t), store.Traffic{
		Scope: n.Scope,
		Kinds: []store.KindTraffic{
			{Kind: "groups.list", Failed: 1, LastFailure: first},
			{Kind: "users.create", Succeeded: 3, Failed: 2, LastSuccess: later, LastFailure: later},
		},
		Unmapped: []store.UnmappedAttribute{{Name: "shoeSize", Count: 4, FirstAt: first, LastAt: later}},
	})

	for name, strange := range map[string]store.Scope{
		"another organization's connection": {Organization: n.Organization, Connection: foreign.Connection},
		"a connection that is gone":         {Organization: n.Organization, Connection: directory.NewConnectionID()},
	} {
		n.add(t, store.Traffic{
			Scope: strange, Kinds: []store.KindTraffic{{Kind: "users.create", Succeeded: 1, LastSuccess: first}},
			Unmapped: []store.UnmappedAttribute{{Name: "x", Count: 1, FirstAt: first, LastAt: first}}, Failures: failures("users.create", 1, first),
		})
		equal(t, "traffic of "+name, tenant{d, strange}.traffic(t), store.Traffic{Scope: strange})
	}

	group := n.group(t, "Admins")
	n.change(t, func(tx *store.Tx) { tx.PutPending(group.ID, []string{"anna", "bert"}, first) })
	if _, pending, err := d.Traffic(t.Context(), n.Scope); err != nil || pending != 2 {
		t.Errorf("pending = %d, %v, want 2", pending, err)
	}
}

func testFailures(t *testing.T, d *database) {
	n, sibling := d.tenant(t), d.tenant(t)
	now := directory.Now()
	read := func(before string, limit int) []store.Failure {
		t.Helper()
		return must[[]store.Failure](t)(d.Failures(t.Context(), n.Scope, before, limit))
	}
	equal(t, "failures of nobody", read("", 10), []store.Failure{})

	three := failures("users.create", 3, now)
	n.add(t, store.Traffic{Failures: three})
	n.add(t, store.Traffic{Failures: three}) // the answer to a COMMIT may be lost
	newest := []store.Failure{three[2], three[1], three[0]}
	equal(t, "failures", read("", 10), newest)
	equal(t, "the first page", read("", 2), newest[:2])
	equal(t, "the next page", read(newest[1].ID, 2), newest[2:])
	sibling.add(t, store.Traffic{Failures: failures("users.create", 1, now)})

	// Wrong tokens are anybody's: they must not push out what counts.
	n.add(t, store.Traffic{Failures: failures(store.KindAuth, 3*store.MostAuthFailures, now)})
	if list := read("", 1000); len(list) != 3+store.MostAuthFailures {
		t.Errorf("%d failures after many wrong tokens, want the three and the newest %d", len(list), store.MostAuthFailures)
	}
	many := failures("groups.patch", 2*store.MostFailures, now)
	n.add(t, store.Traffic{Failures: many})
	list := read("", 1000)
	if len(list) != store.MostFailures || list[0].ID != many[len(many)-1].ID {
		t.Errorf("%d failures, the newest %+v; want the newest %d", len(list), list[0], store.MostFailures)
	}
	if list := must[[]store.Failure](t)(d.Failures(t.Context(), sibling.Scope, "", 10)); len(list) != 1 {
		t.Errorf("%d failures of another connection, want 1", len(list))
	}
}

func testUnmapped(t *testing.T, d *database) {
	n := d.tenant(t)
	start := directory.Now()
	for i := range 3 {
		at := start.Add(time.Duration(i) * time.Second)
		list := make([]store.UnmappedAttribute, 100)
		for j := range list {
			list[j] = store.UnmappedAttribute{Name: fmt.Sprintf("a%d.%d", i, j), Count: 1, FirstAt: at, LastAt: at}
		}
		n.add(t, store.Traffic{Unmapped: list})
	}
	names := n.traffic(t).Unmapped
	if len(names) != store.MostUnmapped || names[0].Name != "a1.0" {
		t.Errorf("%d names, the first %q; want the %d sent last", len(names), names[0].Name, store.MostUnmapped)
	}
}

// Several processes add to the same connections at once.
func testTrafficTogether(t *testing.T, d *database) {
	tenants := [4]tenant{}
	for i := range tenants {
		tenants[i] = d.tenant(t)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 10 {
				var list []store.Traffic
				for _, n := range tenants {
					list = append(list, store.Traffic{Scope: n.Scope, Kinds: []store.KindTraffic{
						{Kind: "users.get", Succeeded: 1, LastSuccess: directory.Now()}, {Kind: "users.list", Failed: 2, LastFailure: directory.Now()},
					}, Failures: failures("users.list", 2, directory.Now())})
				}
				if err := d.AddTraffic(t.Context(), list); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, n := range tenants {
		kinds := n.traffic(t).Kinds
		if len(kinds) != 2 || kinds[0].Succeeded != 40 || kinds[1].Failed != 80 {
			t.Errorf("traffic = %+v, want 40 gets and 80 failed lists", kinds)
		}
		if list := must[[]store.Failure](t)(d.Failures(t.Context(), n.Scope, "", 1000)); len(list) != 80 {
			t.Errorf("%d failures, want 80", len(list))
		}
	}
}
