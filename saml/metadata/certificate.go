package metadata

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
)

// minRSA is the shortest RSA key, in bits, that a login is believed by.
const minRSA = 2048

// maxRSA bounds what one verification costs.
const maxRSA = 8192

// Certificates reads certificates of an identity provider as people paste them: PEM, one
// or several, or the bare base64 of one, with or without line ends.
func Certificates(text string, now time.Time) ([]directory.ProviderCertificate, error) {
	if len(text) > MaxSize {
		return nil, fault.New(fault.Invalid, "the certificate is larger than %d bytes", MaxSize)
	}
	if !strings.Contains(text, "-----BEGIN") {
		c, err := certificate(text, now)
		if err != nil {
			return nil, err
		}
		return []directory.ProviderCertificate{c}, nil
	}
	var list []directory.ProviderCertificate
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			if strings.Contains(string(rest), "-----BEGIN") {
				return nil, fault.New(fault.Invalid, "the certificate is damaged PEM: copy it from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----")
			}
			break
		}
		if strings.Contains(block.Type, "PRIVATE KEY") {
			return nil, fault.New(fault.Invalid, "this is a private key: it must stay with the identity provider, which should replace it now; what is needed is its certificate")
		}
		if block.Type != "CERTIFICATE" {
			return nil, fault.New(fault.Invalid, "the PEM holds %q, not CERTIFICATE", first(block.Type))
		}
		c, err := fromDER(block.Bytes, now)
		if err != nil {
			return nil, err
		}
		list = add(list, c)
		if len(list) > directory.MaxCertificates {
			return nil, tooMany()
		}
	}
	return list, nil
}

func tooMany() error {
	return fault.New(fault.Invalid, "an identity provider can have at most %d certificates", directory.MaxCertificates)
}

// certificate reads base64 as X509Certificate has it.
func certificate(encoded string, now time.Time) (directory.ProviderCertificate, error) {
	encoded = strings.Join(strings.Fields(encoded), "")
	der, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(der) == 0 {
		return directory.ProviderCertificate{}, fault.New(fault.Invalid, "the certificate is neither PEM nor base64")
	}
	return fromDER(der, now)
}

func fromDER(der []byte, now time.Time) (directory.ProviderCertificate, error) {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return directory.ProviderCertificate{}, fault.New(fault.Invalid, "the certificate cannot be read: %s", first(strings.TrimPrefix(err.Error(), "x509: ")))
	}
	if err := usable(c); err != nil {
		return directory.ProviderCertificate{}, fault.New(fault.Invalid, "the certificate %s cannot be used: %s", short(der), err)
	}
	return directory.ProviderCertificate{DER: der, AddedAt: now, NotBefore: c.NotBefore.UTC(), NotAfter: c.NotAfter.UTC()}, nil
}

// usable reports whether we verify with the key of a certificate. The certificate itself
// is not verified: it is pinned.
func usable(c *x509.Certificate) error {
	switch k := c.PublicKey.(type) {
	case *rsa.PublicKey:
		switch bits := k.N.BitLen(); {
		case bits < minRSA:
			return errors.New("its RSA key is shorter than 2048 bits")
		case bits > maxRSA:
			return errors.New("its RSA key is longer than 8192 bits")
		}
		return nil
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() || k.Curve == elliptic.P384() || k.Curve == elliptic.P521() {
			return nil
		}
		return errors.New("its ECDSA key is on none of the curves P-256, P-384 and P-521")
	}
	return errors.New("its key is neither RSA nor ECDSA but " + c.PublicKeyAlgorithm.String())
}

// certificates are those that the role signs with, in order. One that we cannot verify
// with is passed over while there are others.
func (r role) certificates(now time.Time) ([]directory.ProviderCertificate, error) {
	var list []directory.ProviderCertificate
	var reason error
	for _, k := range r.Keys {
		if k.Use == "encryption" {
			continue
		}
		for _, encoded := range k.Certificates {
			c, err := certificate(encoded, now)
			if err != nil {
				reason = err
				continue
			}
			list = add(list, c)
		}
	}
	switch {
	case len(list) > directory.MaxCertificates:
		return nil, tooMany()
	case len(list) > 0:
		return list, nil
	case reason != nil:
		return nil, reason
	}
	return nil, fault.New(fault.Invalid, "the metadata has no signing certificate (KeyDescriptor with an X509Certificate)")
}

// add appends a certificate that is not in the list.
func add(list []directory.ProviderCertificate, c directory.ProviderCertificate) []directory.ProviderCertificate {
	if find(list, c.DER) >= 0 {
		return list
	}
	return append(list, c)
}

func find(list []directory.ProviderCertificate, der []byte) int {
	return slices.IndexFunc(list, func(c directory.ProviderCertificate) bool { return bytes.Equal(c.DER, der) })
}

// Fingerprint names a certificate: the SHA-256 of its DER in lower-case hexadecimal.
func Fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// short is enough of the fingerprint for people to tell certificates apart.
func short(der []byte) string { return Fingerprint(der)[:16] + "…" }
