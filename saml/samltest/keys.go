package samltest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"sync"
	"time"
)

// KeyKind is a kind of key pair.
type KeyKind string

// The kinds of key pairs.
const (
	RSA1024 KeyKind = "RSA-1024"
	RSA2048 KeyKind = "RSA-2048"
	RSA3072 KeyKind = "RSA-3072"
	// Quick2048 is RSA of 2,048 bits that signs quickly and does not decrypt. Providers
	// have it: they sign a great deal.
	Quick2048 KeyKind = "RSA-2048, quick"
	P256      KeyKind = "P-256"
	P384      KeyKind = "P-384"
	P521      KeyKind = "P-521"
)

// keys holds the key pairs of this process: they are costly to make.
var keys sync.Map // of "kind name" to func() crypto.Signer

// Key returns the key pair of that name: the same one for as long as the process lives,
// and another one for another name or kind.
func Key(kind KeyKind, name string) crypto.Signer {
	made, _ := keys.LoadOrStore(string(kind)+" "+name, sync.OnceValue(func() crypto.Signer { return newKey(kind) }))
	return made.(func() crypto.Signer)()
}

func newKey(kind KeyKind) (key crypto.Signer) {
	var err error
	switch kind {
	case RSA1024:
		key, err = rsa.GenerateKey(rand.Reader, 1024)
	case RSA2048:
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case RSA3072:
		key, err = rsa.GenerateKey(rand.Reader, 3072)
	case Quick2048:
		key, err = newQuickKey(2048)
	case P256:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case P384:
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case P521:
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	default:
		panic("samltest: no kind of key " + kind)
	}
	if err != nil {
		panic(fmt.Errorf("samltest: make a key %s: %w", kind, err))
	}
	return key
}

// SelfSigned returns a certificate of a key pair, as identity providers have them: signed
// by itself, valid for ten years that end at notAfter. The serial number follows from the
// name, the time and the key, so certificates of one key differ when they are re-issued.
func SelfSigned(key crypto.Signer, name string, notAfter time.Time) *x509.Certificate {
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		panic(fmt.Errorf("samltest: certificate of %s: %w", name, err))
	}
	sum := sha256.Sum256(fmt.Appendf(public, "%s %d", name, notAfter.Unix()))
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(sum[:16]),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    notAfter.AddDate(-10, 0, 0),
		NotAfter:     notAfter,
	}
	return certified(template, template, key, key)
}

// certified returns a certificate of a key pair that the issuer's key has signed.
func certified(template, issuer *x509.Certificate, key, issuing crypto.Signer) *x509.Certificate {
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), issuing)
	if err != nil {
		panic(fmt.Errorf("samltest: certificate of %s: %w", template.Subject.CommonName, err))
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		panic(fmt.Errorf("samltest: certificate of %s: %w", template.Subject.CommonName, err))
	}
	return certificate
}
