package directory

import (
	"math"
	"slices"
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Domain returns a domain name in the form in which domains are compared: lower case,
// and what is not ASCII as "xn--" labels (RFC 5890), so that both ways to write it are
// one. It reports whether it is a domain name of at least two labels, and no wildcard or
// address. (Folding and NFKC are what matters of UTS 46 for names that exist.)
func Domain(name string) (string, bool) {
	if len(name) > 1024 {
		return "", false
	}
	name = strings.Map(func(r rune) rune {
		if r == '。' || r == '．' || r == '｡' { // full stops (UTS 46)
			return '.'
		}
		return r
	}, strings.TrimSpace(name))
	name = norm.NFKC.String(cases.Fold().String(norm.NFKC.String(name)))
	labels := strings.Split(strings.TrimSuffix(name, "."), ".")
	for i, label := range labels {
		if encoded, ok := punycode(label); !ok || !hostLabel(encoded) {
			return "", false
		} else {
			labels[i] = encoded
		}
	}
	last := labels[len(labels)-1]
	if len(labels) < 2 || strings.Trim(last, "0123456789") == "" { // no top level is a number, addresses are
		return "", false
	}
	name = strings.Join(labels, ".")
	return name, len(name) <= 253
}

// hostLabel reports whether a label is one of a host name (RFC 1123 §2.1).
func hostLabel(label string) bool {
	return label != "" && len(label) <= 63 && label[0] != '-' && label[len(label)-1] != '-' &&
		strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// punycode returns the label itself when it is ASCII, else "xn--" and its encoding
// (RFC 3492 §6.3).
func punycode(label string) (string, bool) {
	runes := []rune(label)
	var out []byte
	for _, r := range runes {
		switch {
		case r == 0xfffd:
			return "", false // it was no UTF-8
		case r < 0x80:
			out = append(out, byte(r))
		}
	}
	basic := len(out)
	if basic == len(runes) {
		return label, true
	}
	if len(runes) > 63 {
		return "", false
	}
	if basic > 0 {
		out = append(out, '-')
	}
	n, delta, bias, handled := rune(0x80), 0, 72, basic
	for handled < len(runes) {
		next := rune(math.MaxInt32)
		for _, r := range runes {
			if r >= n {
				next = min(next, r)
			}
		}
		delta += int(next-n) * (handled + 1) // at most 64 times 0x10ffff in all
		n = next
		for _, r := range runes {
			if r < n {
				delta++
			}
			if r == n {
				out = appendDelta(out, delta, bias)
				bias = adapt(delta, handled+1, handled == basic)
				delta = 0
				handled++
			}
		}
		delta++
		n++
	}
	return "xn--" + string(out), true
}

// appendDelta writes a number in digits of varying base.
func appendDelta(out []byte, q, bias int) []byte {
	digit := func(d int) byte { return "abcdefghijklmnopqrstuvwxyz0123456789"[d] }
	for k := 36; ; k += 36 {
		t := min(max(k-bias, 1), 26)
		if q < t {
			return append(out, digit(q))
		}
		out = append(out, digit(t+(q-t)%(36-t)))
		q = (q - t) / (36 - t)
	}
}

func adapt(delta, points int, first bool) int {
	delta /= 2
	if first {
		delta /= 350
	}
	delta += delta / points
	k := 0
	for ; delta > 455; k += 36 {
		delta /= 35
	}
	return k + 36*delta/(delta+38)
}

// DomainOf returns the domain of an e-mail address, as Domain gives it.
func DomainOf(email string) (string, bool) {
	at := strings.LastIndexByte(email, '@')
	if at < 1 {
		return "", false
	}
	return Domain(email[at+1:])
}

// Speaks reports whether the connection may speak for an e-mail address: it has no
// domains, or that of the address is one of them.
func (s *SAMLSettings) Speaks(email string) bool {
	return len(s.EmailDomains) == 0 || InDomains(email, s.EmailDomains)
}

// InDomains reports whether the domain of an e-mail address is one of a list.
func InDomains(email string, domains []string) bool {
	domain, ok := DomainOf(email)
	return ok && slices.Contains(domains, domain)
}

// Complete reports whether the provider is known well enough for logins: who it is, where
// requests go, and whose signature counts.
func (p *IdentityProvider) Complete() bool {
	return p.EntityID != "" && (p.SSORedirectURL != "" || p.SSOPostURL != "") && len(p.Certificates) > 0
}
