package sync_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/testserver"
	rolesync "github.com/rolesync/rolesync/sync"
)

// BenchmarkLogin measures logins of people who were there before, on servers as in
// BenchmarkEngine: with the groups of the last time, and with one that is another.
func BenchmarkLogin(b *testing.B) {
	s := newService(b, prepared(b, testserver.Database(b)), testserver.Redis(b).Addr())
	s.run(b)
	sso := s.tenant(b).sso(b)
	for _, groups := range []int{10, 150, 5_000} {
		people := max(8, 2_000/groups)
		names := func(change int) []string {
			list := []string{"Everyone"}
			for i := range groups - 2 {
				list = append(list, fmt.Sprintf("Group %d of %d", i, groups))
			}
			return append(list, fmt.Sprintf("Project %d", change))
		}
		person := func(i, change int) rolesync.Login {
			l := login(fmt.Sprintf("p%d-%d", groups, i), names(change)...)
			l.Code = &rolesync.NewCode{
				ID: l.Message + l.Subject, ExpiresAt: directory.Now().Add(time.Minute),
				Document: func(in rolesync.LoggedIn) string { return `{"user":"` + string(in.User.ID) + `"}` },
			}
			return l
		}
		for i := range people {
			sso.in(b, person(i, 0))
		}
		var logins atomic.Int64
		for _, c := range []struct {
			name    string
			changes int // how many groups a person takes turns in
		}{{"unchanged", 1}, {"one changed", 2}} {
			work := func() error {
				n := int(logins.Add(1))
				_, err := sso.tryIn(person(n%people, n/people%c.changes))
				return err
			}
			for _, clients := range []int{1, 8} {
				b.Run(fmt.Sprintf("%d groups/%s/%d clients", groups, c.name, clients), func(b *testing.B) {
					b.ReportAllocs()
					var done atomic.Int64
					together(clients, func(int) {
						for done.Add(1) <= int64(b.N) {
							if err := work(); err != nil {
								b.Error(err)
								return
							}
						}
					})
					b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "logins/s")
				})
			}
		}
	}
}
