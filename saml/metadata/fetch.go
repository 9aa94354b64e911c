package metadata

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/rolesync/rolesync/internal/fault"
)

// Fetcher reads metadata from addresses that admins give, which may be anything: an
// address inside our own network, a server that never ends. It asks public addresses
// over https only, looks at the address that it connects to and not only at the name,
// follows redirects on the same host only, and bounds size and time. It uses no proxy,
// since one would resolve the name itself.
//
// The zero value is ready for use, by several at once.
type Fetcher struct {
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)        // nil: the system's resolver
	Dial   func(ctx context.Context, address netip.AddrPort) (net.Conn, error) // nil: TCP; it is given public addresses only
	Roots  *x509.CertPool                                                      // who is trusted; nil: whom the system trusts
	Time   time.Duration                                                       // for all of it; 0: 10 s
}

const (
	fetchTime    = 10 * time.Second
	maxRedirects = 3
)

// CheckFetchURL refuses an address that Fetch could never read.
func CheckFetchURL(address string) error {
	if err := CheckURL("metadata_url", address); err != nil {
		return err
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" {
		return fault.New(fault.Invalid, "metadata_url %q is not https", first(address))
	}
	if ip, err := netip.ParseAddr(strings.Trim(u.Host, "[]")); err == nil && !public(ip) {
		return notPublic(u.Hostname(), ip)
	}
	return nil
}

// Fetch returns what is at the address. A failure is an Invalid fault whose sentence may
// be shown to the admin, and says nothing of what an answer held.
func (f *Fetcher) Fetch(ctx context.Context, address string) ([]byte, error) {
	if err := CheckFetchURL(address); err != nil {
		return nil, err
	}
	limit := f.Time
	if limit == 0 {
		limit = fetchTime
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "metadata_url %q cannot be asked for", first(address))
	}
	request.Header.Set("Accept", "application/samlmetadata+xml, application/xml, text/xml, */*;q=0.1")
	request.Header.Set("User-Agent", "rolesync")
	transport := &http.Transport{
		DialContext:            f.connect,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: f.Roots},
		DisableKeepAlives:      true,
		DisableCompression:     true, // what is small packed can be endless unpacked
		MaxResponseHeaderBytes: 64 << 10,
		ForceAttemptHTTP2:      true,
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: redirect}
	response, err := client.Do(request)
	if err != nil {
		return nil, unreachable(ctx, address, err, limit)
	}
	defer func() { _ = response.Body.Close() }() // it was read, or is of no use
	switch {
	case response.StatusCode != http.StatusOK:
		return nil, fault.New(fault.Invalid, "%s answered with status %d", first(address), response.StatusCode)
	case response.Header.Get("Content-Encoding") != "":
		return nil, fault.New(fault.Invalid, "%s answered with Content-Encoding %q, which was not asked for", first(address), first(response.Header.Get("Content-Encoding")))
	case response.ContentLength > MaxSize:
		return nil, fault.New(fault.Invalid, "the metadata at %s is larger than %d bytes", first(address), MaxSize)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, MaxSize+1))
	if err != nil {
		return nil, unreachable(ctx, address, err, limit)
	}
	if len(body) > MaxSize {
		return nil, fault.New(fault.Invalid, "the metadata at %s is larger than %d bytes", first(address), MaxSize)
	}
	return body, nil
}

// redirect stays with https and with the host that the admin named.
func redirect(next *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fault.New(fault.Invalid, "it redirects more than %d times", maxRedirects)
	}
	if next.URL.Scheme != "https" || next.URL.Host != via[0].URL.Host || next.URL.User != nil {
		return fault.New(fault.Invalid, "it redirects to %s://%s; if that is right, use that address", first(next.URL.Scheme), first(next.URL.Host))
	}
	return nil
}

// connect resolves the name, and connects to one of the addresses it has looked at: a
// name that resolves differently the next time gains nothing.
func (f *Fetcher) connect(ctx context.Context, _, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	lookup := f.Lookup
	if lookup == nil {
		lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	addresses, err := lookup(ctx, host)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the host %q is not known", first(host))
	}
	for _, ip := range addresses {
		if !public(ip) {
			return nil, notPublic(host, ip)
		}
	}
	number, err := net.DefaultResolver.LookupPort(ctx, "tcp", port)
	if err != nil {
		return nil, err
	}
	dial := f.Dial
	if dial == nil {
		dial = func(ctx context.Context, address netip.AddrPort) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", address.String())
		}
	}
	failed := []error{fault.New(fault.Invalid, "the host %q has no address that answers", first(host))}
	for _, ip := range addresses[:min(len(addresses), 8)] {
		conn, err := dial(ctx, netip.AddrPortFrom(ip.Unmap(), uint16(number))) // a port is below 65536
		if err == nil {
			return conn, nil
		}
		failed = append(failed, err)
	}
	return nil, errors.Join(failed...)
}

func notPublic(host string, ip netip.Addr) error {
	if host == ip.String() {
		return fault.New(fault.Invalid, "the address %s is not public; paste the metadata instead", ip)
	}
	return fault.New(fault.Invalid, "the host %q has the address %s, which is not public; paste the metadata instead", first(host), ip)
}

// unreachable makes one sentence of what the network says.
func unreachable(ctx context.Context, address string, err error, limit time.Duration) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fault.Wrap(fault.Invalid, err, "%s did not answer in full within %s", first(address), limit)
	}
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return fault.Wrap(fault.Invalid, err, "%s cannot be read: %s", first(address), f.Message)
	}
	if reason, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fault.Wrap(fault.Invalid, err, "%s cannot be read: its TLS certificate is not trusted: %s", first(address), first(reason.Err.Error()))
	}
	return fault.Wrap(fault.Invalid, fmt.Errorf("fetch metadata: %w", err), "%s cannot be read: the connection failed", first(address))
}
