package metadata

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rolesync/rolesync/internal/fault"
)

// restrict takes the stricter of what was said so far and of what one element says.
func (d *Document) restrict(v validity) error {
	if v.until != "" {
		until, err := dateTime(v.until)
		if err != nil {
			return err
		}
		if d.ValidUntil.IsZero() || until.Before(d.ValidUntil) {
			d.ValidUntil = until
		}
	}
	if v.cache != "" {
		cache, err := duration(v.cache)
		if err != nil {
			return err
		}
		if d.CacheFor == 0 || cache < d.CacheFor {
			d.CacheFor = cache
		}
	}
	return nil
}

// dateTime reads an xs:dateTime; without a zone it is UTC (SAML 2.0 core §1.3.3).
func dateTime(text string) (time.Time, error) {
	text = strings.TrimSpace(text)
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, fault.New(fault.Invalid, "validUntil %q in the metadata is no time", first(text))
}

var durationForm = regexp.MustCompile(`^P(?:(\d{1,6})Y)?(?:(\d{1,6})M)?(?:(\d{1,6})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9})(?:\.\d{1,9})?S)?)?$`)

// duration reads an xs:duration, with years of 365 and months of 30 days: it only says
// when to look again. A negative one is none. It is at least a second.
func duration(text string) (time.Duration, error) {
	match := durationForm.FindStringSubmatch(strings.TrimSpace(text))
	if match == nil || strings.HasSuffix(match[0], "P") || strings.HasSuffix(match[0], "T") {
		return 0, fault.New(fault.Invalid, "cacheDuration %q in the metadata is no duration", first(text))
	}
	const day = 24 * time.Hour
	total := 0.0
	for i, unit := range []time.Duration{365 * day, 30 * day, day, time.Hour, time.Minute, time.Second} {
		if match[i+1] != "" {
			n, err := strconv.ParseFloat(match[i+1], 64)
			if err != nil {
				return 0, fault.New(fault.Invalid, "cacheDuration %q in the metadata is no duration", first(text))
			}
			total += n * float64(unit)
		}
	}
	return time.Duration(min(max(total, float64(time.Second)), math.MaxInt64/2)), nil
}
