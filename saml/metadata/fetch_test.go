package metadata

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rolesync/rolesync/internal/fault"
)

func TestPublic(t *testing.T) {
	for _, address := range []string{"8.8.8.8", "1.1.1.1", "100.63.255.255", "172.32.0.1", "192.0.1.1", "2606:4700::1", "2a00:1450:4001::1", "::ffff:8.8.8.8"} {
		if !public(netip.MustParseAddr(address)) {
			t.Errorf("%s is taken for one that is not public", address)
		}
	}
	for situation, address := range map[string]string{
		"loopback": "127.0.0.1", "all of loopback": "127.255.0.3", "loopback of IPv6": "::1", "unspecified": "0.0.0.0", "unspecified of IPv6": "::",
		"this network": "0.1.2.3", "private 10": "10.1.2.3", "private 172": "172.16.0.1", "private 192": "192.168.1.1",
		"link-local": "169.254.1.1", "the metadata of clouds": "169.254.169.254", "link-local of IPv6": "fe80::1", "with a zone": "fe80::1%eth0", "public with a zone": "2606:4700::1%eth0",
		"the metadata of Alibaba": "100.100.100.200", "carrier-grade NAT": "100.64.0.1", "unique local": "fd00:ec2::254", "site-local": "fec0::1",
		"multicast": "224.0.0.1", "multicast of IPv6": "ff02::1", "broadcast": "255.255.255.255", "reserved": "240.0.0.1",
		"documentation": "192.0.2.1", "documentation of IPv6": "2001:db8::1", "benchmarks": "198.18.0.1", "protocol assignments": "192.0.0.8", "6to4 relay": "192.88.99.1",
		"IPv4-mapped loopback": "::ffff:127.0.0.1", "IPv4-mapped private": "::ffff:10.0.0.1", "IPv4-mapped link-local": "::ffff:169.254.169.254",
		"IPv4-compatible": "::10.0.0.1", "IPv4-translated": "::ffff:0:10.0.0.1", "NAT64": "64:ff9b::a00:1", "NAT64 of a network": "64:ff9b:1::a00:1",
		"6to4 of a private address": "2002:a00:1::", "Teredo": "2001:0:1::1", "ORCHID": "2001:20::1", "discard": "100::1",
	} {
		if public(netip.MustParseAddr(address)) {
			t.Errorf("%s: %s is taken for public", situation, address)
		}
	}
}

// fetcher reaches the server under any public address, and any name resolves as given.
func fetcher(t *testing.T, server *httptest.Server, dialled *atomic.Int64, resolve map[string]string) *Fetcher {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return &Fetcher{
		Roots: roots,
		Lookup: func(_ context.Context, host string) ([]netip.Addr, error) {
			if ip, err := netip.ParseAddr(host); err == nil {
				return []netip.Addr{ip}, nil
			}
			var list []netip.Addr
			for address := range strings.FieldsSeq(resolve[host]) {
				list = append(list, netip.MustParseAddr(address))
			}
			if list == nil {
				return nil, errors.New("internal resolver 10.0.0.2: no such host")
			}
			return list, nil
		},
		Dial: func(ctx context.Context, address netip.AddrPort) (net.Conn, error) {
			dialled.Add(1)
			if !public(address.Addr()) {
				t.Errorf("%v was dialled", address)
			}
			return (&net.Dialer{}).DialContext(ctx, "tcp", server.Listener.Addr().String())
		},
	}
}

func TestFetch(t *testing.T) {
	var bomb bytes.Buffer
	packed := gzip.NewWriter(&bomb)
	_, _ = packed.Write(make([]byte, 10*MaxSize)) // into memory
	_ = packed.Close()
	stuck := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/good", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "" || r.Header.Get("Cookie") != "" || r.Header.Get("Authorization") != "" {
			t.Errorf("asked with %v", r.Header)
		}
		_, _ = w.Write([]byte("<metadata/>"))
	})
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) { // without a Content-Length
		for range MaxSize/1024 + 1 {
			if _, err := w.Write(make([]byte, 1024)); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/largest", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, MaxSize)) })
	mux.HandleFunc("/announced", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "9999999999") })
	mux.HandleFunc("/gzip", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(bomb.Bytes())
	})
	mux.HandleFunc("/missing", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "internal secret", http.StatusNotFound) })
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		select {
		case <-stuck:
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("/head", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 100_000)) })
	for path, target := range map[string]string{
		"/moved": "/good", "/http": "http://example.com/good", "/elsewhere": "https://other.example/good", "/port": "https://example.com:8443/good",
		"/inside": "https://127.0.0.1/good", "/round": "/round", "/user": "https://u:p@example.com/good", "/file": "file:///etc/passwd",
	} {
		mux.Handle(path, http.RedirectHandler(target, http.StatusFound))
	}
	server := httptest.NewUnstartedServer(mux)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	defer close(stuck)
	var dialled atomic.Int64
	f := fetcher(t, server, &dialled, map[string]string{
		"example.com": "8.8.8.8 2606:4700::1", "other.example": "8.8.4.4", "rebind.example.com": "8.8.8.8 10.0.0.1", "local.example.com": "127.0.0.1",
		"cloud.example.com": "169.254.169.254", "mapped.example.com": "::ffff:192.168.0.1", "nat64.example.com": "64:ff9b::7f00:1", "zero.example.com": "0.0.0.0",
	})
	for _, path := range []string{"/good", "/moved"} {
		if got, err := f.Fetch(t.Context(), "https://example.com"+path); err != nil || string(got) != "<metadata/>" {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
	if got, err := f.Fetch(t.Context(), "https://example.com/largest"); err != nil || len(got) != MaxSize {
		t.Errorf("the largest that is read: %d bytes, %v", len(got), err)
	}
	f.Time = 200 * time.Millisecond
	_, err := f.Fetch(t.Context(), "https://example.com/slow")
	wantInvalid(t, "a server that never ends", err, "200ms")
	f.Time = 0
	for situation, c := range map[string]struct{ url, want string }{
		"too large":                    {"https://example.com/large", "larger than"},
		"announced as too large":       {"https://example.com/announced", "larger than"},
		"packed":                       {"https://example.com/gzip", "gzip"},
		"not there":                    {"https://example.com/missing", "404"},
		"endless headers":              {"https://example.com/head", "connection failed"},
		"redirected to http":           {"https://example.com/http", "http://example.com"},
		"redirected to another host":   {"https://example.com/elsewhere", "https://other.example"},
		"redirected to another port":   {"https://example.com/port", "example.com:8443"},
		"redirected inside":            {"https://example.com/inside", "127.0.0.1"},
		"redirected with a password":   {"https://example.com/user", "redirects"},
		"redirected to a file":         {"https://example.com/file", "redirects"},
		"redirected for ever":          {"https://example.com/round", "more than 3 times"},
		"not trusted":                  {"https://example.net/good", "not known"},
		"a name of an inside address":  {"https://local.example.com/", "127.0.0.1, which is not public"},
		"a name with one inside":       {"https://rebind.example.com/", "10.0.0.1"},
		"a name of a cloud's metadata": {"https://cloud.example.com/", "169.254.169.254"},
		"a mapped address":             {"https://mapped.example.com/", "not public"},
		"a translated address":         {"https://nat64.example.com/", "not public"},
		"a name of 0.0.0.0":            {"https://zero.example.com/", "0.0.0.0"},
	} {
		_, err := f.Fetch(t.Context(), c.url)
		wantInvalid(t, situation, err, c.want)
		if _, message := fault.Public(err); strings.Contains(message, "secret") || strings.Contains(message, "10.0.0.2") {
			t.Errorf("%s: the answer leaks: %s", situation, message)
		}
	}

	before := dialled.Load()
	for situation, address := range map[string]string{
		"http": "http://example.com/", "http on this machine": "http://127.0.0.1/", "no scheme": "example.com", "a file": "file:///etc/passwd", "gopher": "gopher://example.com/",
		"loopback": "https://127.0.0.1/", "loopback of IPv6": "https://[::1]/", "localhost": "https://localhost/", "private": "https://10.0.0.1/", "mapped": "https://[::ffff:10.0.0.1]/",
		"with a zone": "https://[fe80::1%25eth0]/", "a password": "https://u:secret@example.com/", "decimal": "https://2130706433/", "octal": "https://0177.0.0.1/",
		"hexadecimal": "https://0x7f.1/", "short": "https://127.1/", "a fragment": "https://example.com/#x", "empty": "", "unspecified": "https://0.0.0.0/", "[::]": "https://[::]/",
		"line ends": "https://example.com/\r\nHost: x",
	} {
		_, err := f.Fetch(t.Context(), address)
		wantInvalid(t, situation, err)
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the password is repeated: %v", situation, err)
		}
	}
	if n := dialled.Load() - before; n != 0 {
		t.Errorf("%d addresses that must not be asked were", n)
	}

	f.Roots = nil
	_, err = f.Fetch(t.Context(), "https://example.com/good")
	wantInvalid(t, "a TLS certificate that nobody knows", err, "not trusted")
}
