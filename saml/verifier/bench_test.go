package verifier

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"syscall"
	"testing"
	"time"

	crewjam "github.com/crewjam/saml"
	dsig "github.com/russellhaering/goxmldsig"
)

// BenchmarkVerify verifies a response with a signed assertion, RSA 2048, with so many groups.
func BenchmarkVerify(b *testing.B) {
	idp := newSigner(b, providerKey())
	for _, groups := range []int{10, 150, 1000, 5000} {
		message := []byte(respond(idp.sign(b, plainAssertion(groups), "_assertion1")))
		e := expectation(idp.cert)
		b.Run(fmt.Sprint(groups), func(b *testing.B) {
			defer processor(b)()
			for b.Loop() {
				if _, err := Verify(b.Context(), message, e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkLibrary has crewjam's library alone verify the same messages.
func BenchmarkLibrary(b *testing.B) {
	idp := newSigner(b, providerKey())
	// The library's clock stands still for this benchmark, and is put back.
	now, clock := crewjam.TimeNow, crewjam.Clock
	crewjam.TimeNow = func() (t time.Time) { return testNow }
	crewjam.Clock = dsig.NewFakeClockAt(idp.cert.NotBefore)
	defer func() { crewjam.TimeNow, crewjam.Clock = now, clock }()

	acs, err := url.Parse(testACS)
	if err != nil {
		b.Fatal(err)
	}
	certificate := base64.StdEncoding.EncodeToString(idp.cert.Raw)
	provider := &crewjam.ServiceProvider{
		EntityID:       testEntity,
		AcsURL:         *acs,
		IDPMetadata:    &crewjam.EntityDescriptor{EntityID: testProvider},
		IDPCertificate: &certificate,
	}
	for _, groups := range []int{10, 150} {
		message := []byte(respond(idp.sign(b, plainAssertion(groups), "_assertion1")))
		b.Run(fmt.Sprint(groups), func(b *testing.B) {
			defer processor(b)()
			for b.Loop() {
				if _, err := provider.ParseXMLResponse(message, []string{testRequest}, *acs); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// processor reports allocations and the time of processors that an operation took, which
// others on the machine disturb less than the time on the wall.
func processor(b *testing.B) func() {
	b.ReportAllocs()
	used := func() time.Duration {
		var usage syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
			b.Fatal(err)
		}
		return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	}
	before := used()
	return func() { b.ReportMetric(float64(used()-before)/float64(b.N)/1e6, "cpu-ms/op") }
}
