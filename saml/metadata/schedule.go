package metadata

import "time"

// How often metadata is read again.
const (
	shortest = 6 * time.Hour
	longest  = 24 * time.Hour
	usually  = 12 * time.Hour // when the metadata does not say
)

// Next returns when metadata that was just read is read again: after what its
// cacheDuration says, within 6 to 24 hours, and well before it ends by its validUntil. A
// random number from 0 to 1 spreads connections over a fifth of the time.
func Next(d Document, now time.Time, random float64) time.Time {
	wait := usually
	if d.CacheFor > 0 {
		wait = d.CacheFor
	}
	wait = min(max(wait, shortest), longest)
	if !d.ValidUntil.IsZero() {
		wait = max(min(wait, d.ValidUntil.Sub(now)/2), retry)
	}
	return now.Add(wait - time.Duration(random*0.2*float64(wait))).Truncate(time.Microsecond)
}

// retry is how soon metadata that could not be read is tried again at first.
const retry = 30 * time.Minute

// Retry returns when metadata that could not be read is tried again: after half an hour,
// and, the longer it could not be read, after up to six.
func Retry(succeeded, now time.Time, random float64) time.Time {
	wait := min(max((now.Sub(succeeded)-longest)/4, retry), shortest)
	return now.Add(wait - time.Duration(random*0.2*float64(wait))).Truncate(time.Microsecond)
}
