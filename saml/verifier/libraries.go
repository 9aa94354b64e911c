package verifier

import (
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
)

// least are the versions of libraries below which a response is not safe. Their own
// requirements ask for older ones: goxmldsig 1.4 took a forged identity from a signature
// with two references (CVE-2026-33487).
var least = map[string][3]int{
	"github.com/russellhaering/goxmldsig": {1, 6, 1},
	"github.com/beevik/etree":             {1, 8, 1},
	"github.com/crewjam/saml":             {0, 5, 1},
}

// CheckLibraries returns an error if a program was built with a library that is not safe, or
// with one that was replaced. Pass what debug.ReadBuildInfo returns. A library that is not in
// the build is no error, since test binaries list none.
func CheckLibraries(info *debug.BuildInfo) error {
	for _, module := range info.Deps {
		want, watched := least[module.Path]
		if !watched {
			continue
		}
		if module.Replace != nil {
			return fmt.Errorf("the library %s is replaced by %s %s", module.Path, module.Replace.Path, module.Replace.Version)
		}
		if version, ok := release(module.Version); !ok || slices.Compare(version[:], want[:]) < 0 {
			return fmt.Errorf("the library %s is at %s; it must be at v%d.%d.%d or later", module.Path, module.Version, want[0], want[1], want[2])
		}
	}
	return nil
}

// release reads a version of the form v1.2.3. Of any other form, what it holds is not known.
func release(version string) (parts [3]int, ok bool) {
	if strings.ContainsAny(version, "-+") {
		return parts, false
	}
	n, err := fmt.Sscanf(version, "v%d.%d.%d", &parts[0], &parts[1], &parts[2])
	return parts, err == nil && n == len(parts)
}
