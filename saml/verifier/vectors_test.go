package verifier

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestVectors reads messages that other programs made (testdata/README.md): xmlsec1, on which
// pysaml2 and others stand, and openssl.
func TestVectors(t *testing.T) {
	idp := newSigner(t, providerKey())
	written, err := os.ReadFile("testdata/ecdsa.pem")
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(written)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	ec := newSigner(t, key.(*ecdsa.PrivateKey))
	files, err := filepath.Glob("testdata/xmlsec/*.xml")
	if err != nil || len(files) != 11 {
		t.Fatalf("Glob = %d files, %v, want 11", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".xml"), func(t *testing.T) {
			message, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			e := expectation(idp.cert, ec.cert)
			e.Keys = []crypto.Decrypter{ourKey()}
			if got := accept(t, respond(string(message)), e); got.NameID.Value != "person-1" || got.Encrypted != strings.Contains(file, "encrypted") {
				t.Errorf("Verify = %+v, want person-1", got)
			}
			if text := string(message); strings.Contains(file, "signed") {
				reject(t, respond(replace(t, text, "group-0001", "group-0002")), e, BadSignature)
			}
		})
	}
}

// TestAMessyVector reads an assertion that uses all that XML has to say the same in other
// ways, canonicalized and signed by xmlsec1: what we canonicalize must be the same.
func TestAMessyVector(t *testing.T) {
	message, err := os.ReadFile("testdata/xmlsec/signed-messy.xml")
	if err != nil {
		t.Fatal(err)
	}
	groups := accept(t, respond(string(message)), expectation(newSigner(t, providerKey()).cert)).Attributes[1]
	if want := "R&D <all> & more\r\nline 😀 é ]] > ' \""; groups.Values[0] != want {
		t.Errorf("group = %q, want %q", groups.Values[0], want)
	}
	if want := "a < \"b\" \n\t c > d"; groups.FriendlyName != want {
		t.Errorf("FriendlyName = %q, want %q", groups.FriendlyName, want)
	}
}
