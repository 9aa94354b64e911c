package sync_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/testserver"
	rolesync "github.com/rolesync/rolesync/sync"
)

// BenchmarkEngine measures changes on a private PostgreSQL, which does not wait for the
// disk, with a writer that carries them to a private Redis. What a whole service does is
// measured by make bench.
func BenchmarkEngine(b *testing.B) {
	s := newService(b, prepared(b, testserver.Database(b)), testserver.Redis(b).Addr())
	s.run(b)
	n := s.tenant(b)
	users := n.users(b, 2_000)
	groups := make([]directory.GroupID, 500)
	for i := range groups {
		groups[i] = n.group(b, fmt.Sprint("Engineers ", i))
	}
	large := n.group(b, "Admins", n.users(b, 10_000)...)
	n.workOff(b)

	var created, added atomic.Int64
	create := func() error {
		i := created.Add(1)
		u := newUser(fmt.Sprintf("user%d@example.com", i))
		u.ExternalID, u.Email = fmt.Sprint("00u", i), u.UserName
		u.Resource = []byte(`{"name":{"givenName":"Anna","familyName":"Smith"},"emails":[{"value":"anna@example.com","type":"work","primary":true}],"title":"Engineer","active":true}`)
		return n.try(func(tx *rolesync.Tx) error { tx.CreateUser(u); return nil })
	}
	// One member each, a different one in each round over the groups.
	add := func() error {
		i := int(added.Add(1))
		group, user := groups[i%len(groups)], users[(i/len(groups)+i*37)%len(users)]
		return n.try(addMembers(group, string(user)))
	}
	for _, c := range []struct {
		name   string
		change func() error
	}{
		{"create user", create},
		{"add one member", add},
	} {
		b.Run(c.name+"/one client", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := c.change(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "changes/s")
		})
		b.Run(c.name+"/eight clients", func(b *testing.B) {
			var done atomic.Int64
			b.ResetTimer()
			together(8, func(int) {
				for done.Add(1) <= int64(b.N) {
					if err := c.change(); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "changes/s")
		})
	}
	b.Run("add and remove a member of 10,000", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			change := addMembers(large, string(users[i/2%len(users)]))
			if i%2 == 1 {
				change = removeMembers(large, string(users[i/2%len(users)]))
			}
			if err := n.try(change); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("one of 10,000 members differs in a replacement", func(b *testing.B) {
		members := values(n.members(b, large))
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if err := n.try(replaceMembers(large, members[i%2:]...)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
