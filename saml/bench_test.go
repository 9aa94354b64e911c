package saml_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rolesync/rolesync/internal/testserver"
	"github.com/rolesync/rolesync/mapping"
	"github.com/rolesync/rolesync/saml/samltest"
)

// BenchmarkLogin posts signed assertions with 10 groups from 8 clients, over HTTP: verify,
// store, publish, code. Most logins are of people who are known.
func BenchmarkLogin(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { benchmarkLogin(b, newService(b, options{quiet: true})) })
	b.Run("postgres", func(b *testing.B) {
		benchmarkLogin(b, newService(b, options{quiet: true, database: testserver.Database(b), redis: testserver.Redis(b).Addr()}))
	})
}

func benchmarkLogin(b *testing.B, s *service) {
	app := s.newApplication()
	tn := s.newTenant("acme", idpInitiated(app))
	tn.rules(mapping.GiveNone)
	groups := []string{"Admins"}
	for i := range 9 {
		groups = append(groups, fmt.Sprintf("group %d", i))
	}
	const people = 200
	messages := make([]samltest.Message, b.N+people)
	for i := range messages {
		messages[i] = samltest.Message{
			NameID: fmt.Sprintf("user%d@acme.example", i%people), Groups: groups, ACS: tn.base + "/acs", Audience: tn.base + "/metadata",
		}
	}
	bodies := make([]string, len(messages))
	for i, response := range tn.provider.Responses(messages) {
		bodies[i] = url.Values{"SAMLResponse": {samltest.Encode(response)}}.Encode()
	}
	client := &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 8},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	post := func(body string) {
		answer, err := client.Post(tn.base+"/acs", "application/x-www-form-urlencoded", strings.NewReader(body))
		if err != nil {
			b.Error(err)
			return
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusSeeOther {
			b.Errorf("login = %d", answer.StatusCode)
		}
	}
	for _, body := range bodies[:people] {
		post(body)
	}
	var next atomic.Int64
	var clients sync.WaitGroup
	b.ResetTimer()
	for range 8 {
		clients.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				post(bodies[people+i-1])
			}
		})
	}
	clients.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "logins/s")
}
