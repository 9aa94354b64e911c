package interop

import "testing"

// pysaml2 encrypts by Triple DES unless its code is told otherwise, which is no longer
// acceptable (NIST SP 800-131A) and not accepted.
func TestTripleDESOfPysaml2IsRefused(t *testing.T) {
	w := newWorld(t)
	c := w.connect(t, products[1].start(t), "triple-des", nil)
	c.refused(t, newBrowser(t, people()[0]).open(c.ask().address), "algorithm")
}
