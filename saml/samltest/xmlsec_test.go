package samltest_test

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rolesync/rolesync/saml/samltest"
)

// xmlsec runs the program xmlsec1, which most providers that are not written in Java sign
// and encrypt with, and which has all of its XML from libxml2.
func xmlsec(t *testing.T, args ...string) ([]byte, error) {
	t.Helper()
	program, err := exec.LookPath("xmlsec1")
	if err != nil {
		if os.Getenv("ROLESYNC_TEST_ALL") != "" {
			t.Fatal("xmlsec1 is not installed")
		}
		t.Skip("xmlsec1 is not installed")
	}
	return exec.CommandContext(t.Context(), program, args...).CombinedOutput()
}

func file(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func message(change func(m *samltest.Message)) samltest.Message {
	m := samltest.Message{
		ACS: "https://roles.example/acs", Audience: "https://roles.example/metadata", RequestID: "_request",
		NameID: "anna@example.com", Groups: []string{"staff", "two\r\nlines & <more>", "\ttab\t"},
	}
	change(&m)
	return m
}

// verified asks xmlsec1 about each signature of a message.
func verified(t *testing.T, message []byte, certificate *x509.Certificate) {
	t.Helper()
	root, err := samltest.Parse(string(message))
	if err != nil {
		t.Fatal(err)
	}
	pinned := file(t, "certificate.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}))
	document := file(t, "message.xml", message)
	signed := 0
	for local, id := range map[string]string{
		"Response":  "urn:oasis:names:tc:SAML:2.0:protocol:Response",
		"Assertion": "urn:oasis:names:tc:SAML:2.0:assertion:Assertion",
	} {
		for _, e := range root.All(local) {
			for _, child := range e.Elements() {
				if child.Local() != "Signature" {
					continue
				}
				signed++
				out, err := xmlsec(t, "--verify", "--pubkey-cert-pem", pinned, "--enabled-key-data", "key-name", "--id-attr:ID", id,
					"--node-xpath", "//*[local-name()='"+local+"']/*[local-name()='Signature']", document)
				if err != nil {
					t.Errorf("xmlsec1 on the signature of %s: %v\n%s\n%.3000s", local, err, out, message)
				}
			}
		}
	}
	if signed == 0 {
		t.Error("the message has no signature")
	}
}

func TestXMLSecVerifiesEveryShape(t *testing.T) {
	p := samltest.New("https://idp.example/metadata")
	for _, shape := range samltest.Shapes() {
		t.Run(shape, func(t *testing.T) {
			verified(t, p.Response(message(func(m *samltest.Message) { m.Shape, m.Sign = shape, samltest.SignBoth })), p.Certificate())
		})
	}
}

func TestXMLSecVerifies(t *testing.T) {
	tests := []struct {
		name   string
		kind   samltest.KeyKind
		change func(m *samltest.Message)
	}{
		{"an ordinary key of RSA", samltest.RSA2048, func(*samltest.Message) {}},
		{"a key P-256", samltest.P256, func(*samltest.Message) {}},
		{"a key P-521", samltest.P521, func(*samltest.Message) {}},
		{"SHA-512", samltest.Quick2048, func(m *samltest.Message) {
			m.Signature.Method, m.Signature.Digest = samltest.RSASHA512, samltest.SHA512
		}},
		{"SHA-384", samltest.Quick2048, func(m *samltest.Message) {
			m.Signature.Method, m.Signature.Digest = samltest.RSASHA384, samltest.SHA384
		}},
		{"inclusive canonicalisation", samltest.Quick2048, func(m *samltest.Message) { m.Signature.Canonical = samltest.Inclusive }},
		{"InclusiveNamespaces with the default namespace", samltest.Quick2048, func(m *samltest.Message) {
			m.Signature.Prefixes = []string{"#default", "xs", "nobody"}
			m.Edit = func(r *samltest.Element) { r.Set("xmlns", "urn:default").Set("xmlns:xs", "urn:xs") }
		}},
		{"comments and instructions", samltest.Quick2048, func(m *samltest.Message) {
			m.Edit = func(r *samltest.Element) {
				r.Find("Assertion").Prepend(samltest.Comment(" c "), samltest.Instruction("x  y z"))
			}
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := samltest.NewWith("https://idp.example/metadata", test.kind)
			verified(t, p.Response(message(func(m *samltest.Message) { m.Sign = samltest.SignBoth; test.change(m) })), p.Certificate())
		})
	}
}

func TestXMLSecNoticesAChange(t *testing.T) {
	p := samltest.New("https://idp.example/metadata")
	changed := p.Response(message(func(m *samltest.Message) {
		m.Tamper = func(r *samltest.Element) { r.Find("NameID").SetText("admin@example.com") }
	}))
	pinned := file(t, "certificate.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Certificate().Raw}))
	out, err := xmlsec(t, "--verify", "--pubkey-cert-pem", pinned, "--enabled-key-data", "key-name",
		"--id-attr:ID", "urn:oasis:names:tc:SAML:2.0:assertion:Assertion", file(t, "message.xml", changed))
	if err == nil {
		t.Errorf("xmlsec1 verifies a changed message:\n%s", out)
	}
}

func TestXMLSecDecrypts(t *testing.T) {
	key := samltest.Key(samltest.RSA2048, "service")
	der, err := x509.MarshalPKCS8PrivateKey(crypto.PrivateKey(key))
	if err != nil {
		t.Fatal(err)
	}
	private := file(t, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	p := samltest.New("https://idp.example/metadata")
	certificate := samltest.SelfSigned(key, "service", p.Certificate().NotAfter)
	// Version 1.2, which Debian 12 has, knows OAEP with SHA-1 only.
	tests := []samltest.Encryption{
		{}, {Content: samltest.AES128CBC}, {Content: samltest.AES192CBC}, {Content: samltest.TripleDES},
		{Content: samltest.AES128GCM}, {Content: samltest.AES256GCM}, {Digest: samltest.SHA1}, {Transport: samltest.RSA15},
	}
	for _, e := range tests {
		t.Run(strings.Join([]string{e.Content, e.Transport, e.Digest}, " "), func(t *testing.T) {
			e.For = certificate
			encrypted := p.Response(message(func(m *samltest.Message) { m.Encrypt = &e }))
			out, err := xmlsec(t, "--decrypt", "--privkey-pem", private, file(t, "message.xml", encrypted))
			if err != nil {
				t.Fatalf("xmlsec1: %v\n%s\n%.3000s", err, out, encrypted)
			}
			root, err := samltest.Parse(string(out))
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if got := root.Find("NameID").Text(); got != "anna@example.com" {
				t.Errorf("the NameID is %q", got)
			}
			// What was signed is intact after encryption and decryption.
			verified(t, out, p.Certificate())
		})
	}
}
