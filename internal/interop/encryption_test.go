package interop

import "testing"

// tripleDESRefused has pysaml2 encrypt by Triple DES, as it does unless its code is told
// otherwise. It is no longer acceptable (NIST SP 800-131A) and not accepted.
func tripleDESRefused(t *testing.T, w *world, p *provider) {
	c := w.connect(t, p, "triple-des", nil)
	c.refused(t, newBrowser(t, people()[0]).open(c.ask().address), "algorithm")
}
