package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// benchmark is a line that go test -bench prints.
var benchmark = regexp.MustCompile(`(?m)^Benchmark(\w+)/(\S+?)(?:-\d+)?\s+\d+\s+([\d.]+) ns/op`)

// verification has the verifier and the bare library measured side by side, on the same
// messages, in one process.
func (b *bench) verification(ctx context.Context) error {
	test := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^Benchmark(Verify|Library|Hostile)$",
		"-benchtime", b.seconds.String(), "github.com/rolesync/rolesync/saml/verifier")
	test.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := test.CombinedOutput()
	if err != nil {
		return fmt.Errorf("go test -bench: %w\n%s", err, out)
	}
	took := map[string]map[string]time.Duration{}
	for _, line := range benchmark.FindAllStringSubmatch(string(out), -1) {
		nanoseconds, err := strconv.ParseFloat(line[3], 64)
		if err != nil {
			return err
		}
		if took[line[1]] == nil {
			took[line[1]] = map[string]time.Duration{}
		}
		took[line[1]][line[2]] = time.Duration(nanoseconds)
	}
	for _, groups := range []string{"10", "150"} {
		ours, library := took["Verify"][groups], took["Library"][groups]
		if ours == 0 || library == 0 {
			return fmt.Errorf("go test -bench measured no %s groups:\n%s", groups, out)
		}
		ratio := float64(ours) / float64(library)
		b.report("verify a signed assertion with "+groups+" groups", "at most 0.8 of the library's time", ratio <= 0.8, "%.2f (%s, library %s)", ratio, short(ours), short(library))
	}
	for _, groups := range []string{"1000", "5000"} {
		b.report("… with "+groups+" (the library panics)", "works", took["Verify"][groups] > 0, "%s", short(took["Verify"][groups]))
	}
	// Around the SignedInfo of a login of one's own, anything must be canonicalized before
	// it is found out, as if it were a login with so many groups.
	var strangers, insiders hostile
	for kind, spent := range took["Hostile"] {
		if strings.HasPrefix(kind, "genuine") {
			insiders.add(kind, spent)
		} else {
			strangers.add(kind, spent)
		}
	}
	const limit = 25 * time.Millisecond
	b.report("refuse a hostile message of 1 MiB", "under 25 ms", strangers.kinds > 0 && strangers.worst < limit, "%s", strangers)
	b.report("… around what the provider has signed", "under 25 ms", insiders.kinds > 0 && insiders.worst < limit, "%s", insiders)
	return nil
}

// hostile is the worst of several kinds of message.
type hostile struct {
	kinds int
	worst time.Duration
	name  string
}

func (h *hostile) add(name string, spent time.Duration) {
	if h.kinds++; spent > h.worst {
		h.worst, h.name = spent, name
	}
}

func (h hostile) String() string {
	return fmt.Sprintf("%s, the worst of %d kinds (%s)", short(h.worst), h.kinds, strings.ReplaceAll(h.name, "_", " "))
}
